"""Look-ups and snapshots that say something else than what is so."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from cartsync.v1 import cart_pb2, reason_pb2, service_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.offers import OfferLookup
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CartContents, RecordRange
from reference_server.service.submissions import Submissions
from reference_server.settlement import CartReading, Lookup, Settlement
from reference_server.storage.sqlite import SqliteStore


class _HidesRejections(Settlement):
    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        lookup = await super().lookup(principal, queue_id, first, last, expected_store_id)
        for status in lookup.statuses:
            if status.outcome.state == reason_pb2.OUTCOME_STATE_REJECTED:
                status.ClearField("outcome")
                status.decidedness = service_pb2.DECIDEDNESS_UNDECIDED
        return lookup


class _PurgedIsUndecided(Settlement):
    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        lookup = await super().lookup(principal, queue_id, first, last, expected_store_id)
        for status in lookup.statuses:
            if status.decidedness == service_pb2.DECIDEDNESS_PURGED:
                status.decidedness = service_pb2.DECIDEDNESS_UNDECIDED
        return lookup


class _LookUpCancels(SqliteStore):
    """What was reported undecided is never decided after that."""

    async def read_range(self, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
        found = await super().read_range(principal, queue_id, first, last)
        if found.decided_through_sequence < last:
            await self._run(lambda: self._writing(lambda: self._move(principal, queue_id, last)))
        return found

    def _move(self, principal: str, queue_id: str, last: int) -> None:
        now_us = time.time_ns() // 1000
        self._connection.execute(
            "INSERT INTO queues (principal, queue_id, decided_through_sequence, last_key, contact_time_us) "
            "VALUES (?, ?, ?, '', ?) ON CONFLICT (principal, queue_id) DO UPDATE SET decided_through_sequence = ?",
            (principal, queue_id, last, now_us, last),
        )


class _UnknownQueueNotFound(Settlement):
    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        lookup = await super().lookup(principal, queue_id, first, last, expected_store_id)
        return replace(lookup, statuses=lookup.statuses if lookup.decided_through_sequence else [])


class _TwoInstants(SqliteStore):
    """The cart first, then, when the rest of the work is done, the watermark."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        cart = await super().read_cart(principal, cart_id, queue_id)
        await asyncio.sleep(0.02)
        later = await super().read_cart(principal, cart_id, queue_id)
        return replace(cart, decided_through_sequence=later.decided_through_sequence)


class _OrderOfEntry(CartPricing):
    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        cart = super().snapshot(cart_id, contents, offers, now_us)
        lines = list(reversed(cart.lines))
        del cart.lines[:]
        cart.lines.extend(lines)
        return cart


class _KeepsEmptyLines(SqliteStore):
    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        contents = await super().read_cart(principal, cart_id, queue_id)
        rows = await self._run(lambda: self._reading(lambda: self._all_lines(principal, cart_id)))
        return replace(contents, quantities=rows)

    def _all_lines(self, principal: str, cart_id: str) -> dict[str, int]:
        return dict(
            self._connection.execute(
                "SELECT sku, quantity FROM lines WHERE cart = (SELECT id FROM carts WHERE principal = ? "
                "AND cart_id = ?)",
                (principal, cart_id),
            )
        )


class _NeverClosed(CartPricing):
    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        cart = super().snapshot(cart_id, contents, offers, now_us)
        cart.state = cart_pb2.CART_STATE_OPEN
        return cart


class _UnknownCartHasRevision(CartPricing):
    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        cart = super().snapshot(cart_id, contents, offers, now_us)
        cart.revision = max(cart.revision, 1)
        return cart


class _AnyCartId(Submissions):
    async def cart(self, principal: str, cart_id: str, queue_id: str, store_id: str) -> CartReading:
        return await self._settlement.cart(principal, cart_id, queue_id, store_id)


MUTANTS = (
    Mutant(
        "look-up-hides-rejections",
        "Reports a rejected sequence as undecided.",
        ("lookup/statuses",),
        "settlement",
        _HidesRejections,
    ),
    Mutant(
        "look-up-says-undecided-for-purged",
        "Reports a pruned sequence as undecided.",
        ("retention/lookup-purged",),
        "settlement",
        _PurgedIsUndecided,
    ),
    Mutant(
        "look-up-cancels",
        "Never decides again what a look-up reported as undecided.",
        ("lookup/decides-nothing",),
        "open_store",
        stored_in(_LookUpCancels),
    ),
    Mutant(
        "look-up-of-unknown-queue-is-empty",
        "Answers a look-up of a queue that never sent anything without any status.",
        ("lookup/unknown-queue",),
        "settlement",
        _UnknownQueueNotFound,
    ),
    Mutant(
        "snapshot-of-two-instants",
        "Reads the cart first and the watermark beside it later.",
        ("snapshot/atomic",),
        "open_store",
        stored_in(_TwoInstants),
    ),
    Mutant(
        "snapshot-unsorted",
        "Shows the lines of a cart in descending order.",
        ("snapshot/content",),
        "pricing",
        _OrderOfEntry,
    ),
    Mutant(
        "snapshot-keeps-empty-lines",
        "Shows lines that are no longer in the cart, with quantity 0.",
        ("snapshot/content",),
        "open_store",
        stored_in(_KeepsEmptyLines),
    ),
    Mutant(
        "snapshot-never-closed",
        "Shows a closed cart as open.",
        ("snapshot/state",),
        "pricing",
        _NeverClosed,
    ),
    Mutant(
        "unknown-cart-has-a-revision",
        "Shows a cart that no add has made at revision 1.",
        ("snapshot/unknown-cart",),
        "pricing",
        _UnknownCartHasRevision,
    ),
    Mutant(
        "snapshot-of-any-name",
        "Answers GetCart for identifiers that are malformed.",
        ("snapshot/arguments",),
        "submissions",
        _AnyCartId,
    ),
)
