"""The state a submission is decided against: what was read, and over it what its own operations have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cartsync.v1 import outcome_pb2

from reference_server.engine.state import (
    CartHead,
    Changes,
    Claim,
    CollectionHead,
    Effect,
    Entry,
    EntryName,
    GuestName,
    GuestReading,
    Line,
    LineName,
    QueueMark,
    Reading,
    Record,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """What one operation changes, finished: heads as they are afterwards, entries that are None deleted."""

    carts: Mapping[str, CartHead] = field(default_factory=dict)
    lines: Mapping[LineName, Line] = field(default_factory=dict)
    collections: Mapping[str, CollectionHead] = field(default_factory=dict)
    entries: Mapping[EntryName, Entry | None] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    claim: Claim | None = None


NOTHING = Writes()


class Working:
    """In-memory state of one submission while it is decided; each operation sees what its predecessors left.

    It only grows by `record` and `count_failure`, each of which takes its finished values at once: an exception
    while an operation is being decided leaves no trace of it here.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.queue = reading.queue
        self.charged_count = 0
        self.charged_saving_count = 0
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.failures: list[tuple[int, str]] = []
        self._key_uses = dict(reading.key_uses)
        self._carts: dict[str, CartHead] = {}
        self._judged_carts: dict[str, CartHead | None] = {}
        self._lines: dict[LineName, Line] = {}
        self._collections: dict[str, CollectionHead] = {}
        self._judged_collections: dict[str, CollectionHead] = {}
        self._entries: dict[EntryName, Entry | None] = {}
        self._claims: list[Claim] = []
        self._judged_guests: dict[GuestName, GuestReading] = {}

    @property
    def claimed(self) -> bool:
        """Whether this principal is a guest that has been claimed; the commit depends on it in any case."""
        return self.reading.claimed

    def key_use(self, key: str) -> int | None:
        """The sequence a key is recorded under, None when it is not."""
        return self._key_uses.get(key)

    def cart(self, cart_id: str) -> CartHead | None:
        """The cart as it is now; from here on the commit depends on what it was when read."""
        read = self.reading.carts.get(cart_id)
        self._judged_carts[cart_id] = read
        return self._carts.get(cart_id, read)

    def line(self, name: LineName) -> Line:
        """The line as it is now."""
        known = self._lines.get(name)
        return known if known is not None else self.reading.lines.get(name, Line())

    def collection(self, name: str) -> CollectionHead:
        """The collection's head as it is now; from here on the commit depends on what it was when read."""
        read = self.reading.collections.get(name, CollectionHead())
        self._judged_collections[name] = read
        return self._collections.get(name, read)

    def entry(self, name: EntryName) -> Entry | None:
        """The entry as it is now; None when it is not there. Only of what the operation's operand names."""
        return self._entries[name] if name in self._entries else self.reading.entries.get(name)

    def entries_of(self, collection: str) -> dict[str, Entry]:
        """All entries of a collection that the operation's operand names as a whole, in the order of addition."""
        found = {**self.reading.entries, **self._entries}
        entries = [(name[1], entry) for name, entry in found.items() if name[0] == collection and entry is not None]
        return dict(sorted(entries, key=lambda item: item[1].added_revision))

    def guest(self, name: GuestName) -> GuestReading:
        """A guest and one of its carts as they are now; from here on the commit depends on what they were."""
        read = self.reading.guests.get(name, GuestReading())
        self._judged_guests[name] = read
        claims = [claim for claim in self._claims if claim.guest == name[0]]
        if not claims:
            return read
        claimed_cart_ids = read.claimed_cart_ids | {claim.guest_cart_id for claim in claims}
        cart = read.cart
        if cart is not None and name[1] in claimed_cart_ids:
            cart = replace(cart, closed=True)
        return replace(read, claimed_by=claims[-1].account, claimed_cart_ids=claimed_cart_ids, cart=cart)

    def record(
        self,
        record: Record,
        queue: QueueMark,
        *,
        charged: bool,
        charged_saving: bool = False,
        writes: Writes = NOTHING,
    ) -> None:
        """Take the outcome of one operation, with what it changes; charged to the rate limits or not."""
        self.records.append(record)
        self._key_uses[record.idempotency_key] = record.sequence
        self.queue = queue
        self.charged_count += charged
        self.charged_saving_count += charged_saving
        self._carts.update(writes.carts)
        self._lines.update(writes.lines)
        self._collections.update(writes.collections)
        self._entries.update(writes.entries)
        self.effects.extend(writes.effects)
        if writes.claim is not None:
            self._claims.append(writes.claim)

    def count_failure(self, sequence: int, key: str) -> None:
        """Remember that deciding an operation failed."""
        self.failures.append((sequence, key))

    def changes(self, principal: str, queue_id: str, now_us: int) -> Changes:
        """All of it, as one commit."""
        return Changes(
            store_id=self.reading.store_id,
            principal=principal,
            queue_id=queue_id,
            contact_time_us=now_us,
            expected_queue=self.reading.queue,
            queue=self.queue,
            records=tuple(self.records),
            expected_carts=self._judged_carts,
            carts=self._carts,
            lines=self._lines,
            effects=tuple(self.effects),
            failures=tuple(self.failures),
            expected_claimed=self.reading.claimed,
            expected_collections=self._judged_collections,
            collections=self._collections,
            entries=self._entries,
            expected_guests=self._judged_guests,
            claims=tuple(self._claims),
        )


def outcome_of(record: Record) -> outcome_pb2.Outcome:
    """The recorded outcome, field for field."""
    return outcome_pb2.Outcome.FromString(record.outcome)
