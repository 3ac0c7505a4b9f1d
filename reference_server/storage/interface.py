"""What a store can do. Decisions are not made here; a store reads at one instant and commits all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reference_server.engine.operands import Operand
from reference_server.engine.state import CartContents, Changes, CollectionContents, Effect, Reading, RecordRange

CONTACT_GRANULARITY = timedelta(days=1)
"""How far a queue's stored contact time may lag; queues are kept for that much longer than promised."""


class StoreError(Exception):
    """What can go wrong with a store; its message is fit for operators."""


class StoreFailedError(StoreError):
    """The store could not read or commit, for example because the disk is full. Nothing is half done."""


class UnknownSaveError(StoreError):
    """Nothing was saved under this name."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept (spec: retention/records-kept, retention/watermark-kept)."""

    outcome_retention: timedelta
    queue_retention: timedelta


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a submission needs to know. The operands are in ascending sequence."""

    principal: str
    queue_id: str
    operands: tuple[Operand, ...]


class Store(Protocol):
    """A durable store. Every method raises StoreFailedError when the store itself fails."""

    @property
    def store_id(self) -> str:
        """The name of this store's history; another one after `restore` (spec: store/new-id-after-restore)."""
        ...

    async def read(self, wanted: Wanted) -> Reading:
        """Everything a submission needs, at one instant: records and watermark never disagree."""
        ...

    async def commit(self, changes: Changes) -> bool:
        """Make the changes durable as a whole; False, and nothing done, when what they expect no longer holds.

        Compared are the store's id, the queue's watermark and last key, whether the principal has been claimed,
        and every judged cart, collection and guest.
        """
        ...

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        """A cart with its lines, and a queue's watermark at the same instant (spec: snapshot/atomic)."""
        ...

    async def read_collection(
        self, principal: str, name: str, queue_id: str = "", *, after_revision: int = 0, limit: int | None = None
    ) -> CollectionContents:
        """Entries of a collection, and a queue's watermark at the same instant, in the order of addition.

        All of them, or the first `limit` of those added after `after_revision` (spec: wishlist/atomic,
        address/listing, payment/listing).
        """
        ...

    async def read_range(self, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
        """Records and watermark at one instant; an empty range (last below first) reads the watermark alone."""
        ...

    async def touch(self, principal: str, queue_id: str, contact_time_us: int) -> None:
        """Remember that a queue was in contact; a queue that is not there stays away."""
        ...

    async def close_cart(self, principal: str, cart_id: str) -> bool:
        """Close a cart, revision and lines as they are; False when no add has made it."""
        ...

    async def effects(self, principal: str) -> list[Effect]:
        """The ledger in the order made; empty when the store was not opened to keep it."""
        ...

    async def save(self, name: str) -> None:
        """Keep a copy of the whole store under a name; an existing one is replaced."""
        ...

    async def restore(self, name: str) -> str:
        """Put the whole store back, under a new id, and answer the id; raises UnknownSaveError."""
        ...

    async def prune_due(self, now: datetime) -> int:
        """Delete what retention no longer covers, in small steps between submissions; how many rows went."""
        ...

    async def close(self) -> None:
        """Finish what was asked and let go of the store. Calling it again does nothing."""
        ...
