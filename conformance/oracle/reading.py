"""Comparing one world with what was read: snapshots, look-ups and the ledger of effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.oracle import matching
from conformance.oracle.attribution import Context
from conformance.oracle.carts import Cart
from conformance.oracle.values import (
    Add,
    Money,
    ObservedCart,
    ObservedEffect,
    ObservedLine,
    ObservedLookup,
    ObservedStatus,
    Offer,
    State,
)
from conformance.oracle.world import Queue, Record, Shop, World
from conformance.oracle.worlds import Mismatch


def cart(shop: Shop, context: Context, world: World, queue_id: str, observed: ObservedCart) -> World | Mismatch:
    """Compare a snapshot, asked for with `queue_id` (empty: without a queue)."""
    expected = world.cart(observed.cart)
    name = f"cart {observed.cart}"
    if observed.closed is not expected.closed:
        wanted = "closed" if expected.closed else "open"
        return Mismatch("snapshot/state", f"{name} is not shown as {wanted}", wanted, _shown(observed), 1)
    if wrong := _lines(context, expected, observed):
        return wrong
    if queue_id and observed.watermark != world.queue(queue_id).watermark:
        slug = context.trouble or "snapshot/atomic"
        summary = f"{name} is shown with a watermark that does not go with its lines"
        return Mismatch(slug, summary, str(world.queue(queue_id).watermark), str(observed.watermark), 30)
    known = expected.with_revision(expected.change_number, observed.revision)
    if known is None:
        low, high = expected.bounds(expected.change_number)
        wanted = str(low) if low == high else f"at least {low}"
        slug = "revision/increases" if observed.revision < low and expected.exists else "revision/unchanged"
        slug = slug if expected.exists else "snapshot/unknown-cart"
        return Mismatch(slug, f"{name} is shown with revision {observed.revision}", wanted, str(observed.revision), 31)
    if wrong := _prices(shop, world, observed):
        return wrong
    return world.with_cart(observed.cart, known) if expected.exists else world


def _lines(context: Context, expected: Cart, observed: ObservedCart) -> Mismatch | None:
    shown = [line.sku for line in observed.lines]
    name = f"cart {observed.cart}"
    if shown != sorted(set(shown)):
        summary = f"{name} shows a product twice or its lines out of order"
        return Mismatch("snapshot/content", summary, ", ".join(sorted(set(shown))), ", ".join(shown), 2)
    quantities = {line.sku: line.quantity for line in observed.lines}
    wanted = dict(expected.lines)
    if quantities == wanted:
        return None
    agreed = sum(1 for sku in wanted if quantities.get(sku) == wanted[sku])
    slug = context.trouble or _slug_of_lines(expected, quantities)
    return Mismatch(
        slug, f"{name} holds other quantities than its operations left", _held(wanted), _held(quantities), 3 + agreed
    )


def _slug_of_lines(expected: Cart, shown: dict[str, int]) -> str:
    if not expected.exists:
        return "snapshot/unknown-cart"
    return "snapshot/content" if any(quantity < 1 for quantity in shown.values()) else "effects/exactly-once"


def _prices(shop: Shop, world: World, observed: ObservedCart) -> Mismatch | None:
    subtotal: dict[str, int] = {}
    for line in observed.lines:
        offer = shop.offer(line.sku)
        if wrong := _availability(offer, line) or _price(offer, line, world):
            return wrong
        if line.total is not None:
            subtotal[line.total.currency] = subtotal.get(line.total.currency, 0) + line.total.minor
    if len(subtotal) > 1:
        return Mismatch("price/currency", "a cart mixes currencies", "one currency", ", ".join(sorted(subtotal)), 40)
    wanted = next((Money(currency, minor) for currency, minor in subtotal.items()), None)
    if observed.subtotal != wanted:
        return Mismatch(
            "price/totals-exact",
            "the subtotal is not the sum of the line totals",
            str(wanted or "no subtotal"),
            str(observed.subtotal or "no subtotal"),
            41,
        )
    return None


def _availability(offer: Offer | None, line: ObservedLine) -> Mismatch | None:
    wanted, available = "UNLISTED", None
    if offer is not None and offer.listed:
        available = offer.available
        wanted = "INSUFFICIENT" if available is not None and line.quantity > available else "AVAILABLE"
    if (line.availability, line.available) == (wanted, available):
        return None
    unlisted = "UNLISTED" in (wanted, line.availability)
    return Mismatch(
        "price/unlisted-shown" if unlisted else "stock/availability-shown",
        f"the line of {line.sku} is shown as {line.availability}",
        f"{wanted}, available {available}",
        f"{line.availability}, available {line.available}",
        33,
    )


def _price(offer: Offer | None, line: ObservedLine, world: World) -> Mismatch | None:
    wanted = offer.price if offer is not None and offer.listed else None
    if line.unit_price != wanted:
        slug = "price/snapshot-current" if wanted is not None else "price/unlisted-shown"
        if line.unit_price is not None and line.unit_price in _observed_prices(world, line.sku):
            slug = "price/current-wins"
        return Mismatch(
            slug,
            f"the line of {line.sku} is priced at {line.unit_price or 'nothing'}",
            str(wanted or "no price"),
            str(line.unit_price or "no price"),
            35,
        )
    total = None if wanted is None else Money(wanted.currency, wanted.minor * line.quantity)
    if line.total != total:
        summary = f"the line of {line.sku} has another total than quantity times unit price"
        return Mismatch("price/totals-exact", summary, str(total or "no total"), str(line.total or "no total"), 36)
    return None


def _observed_prices(world: World, sku: str) -> set[Money]:
    """The prices that shoppers saw when they added a product."""
    intents = (record.operation.intent for _, queue in world.queues for record in queue.records)
    return {i.observed for i in intents if isinstance(i, Add) and i.sku == sku and i.observed is not None}


def lookup(shop: Shop, context: Context, world: World, observed: ObservedLookup) -> World | Mismatch:
    """Compare the answer to a look-up; what was seen of records is noted in them."""
    for status in observed.statuses:
        matched = _status(shop, context, world, observed, status)
        if isinstance(matched, Mismatch):
            return replace(matched, stage=matched.stage + status.sequence)
        world = matched
    watermark = world.queue(observed.queue).watermark
    if observed.watermark != watermark:
        slug = context.trouble or "lookup/statuses"
        summary = "a look-up shows a watermark that does not go with its outcomes"
        return Mismatch(slug, summary, str(watermark), str(observed.watermark), 40)
    return world


def _status(
    shop: Shop, context: Context, world: World, observed: ObservedLookup, status: ObservedStatus
) -> World | Mismatch:
    queue_id, sequence = observed.queue, status.sequence
    queue = world.queue(queue_id)
    if sequence > queue.watermark:
        if status.decidedness == "UNDECIDED":
            return world
        slug = _decided_unduly(context, queue_id, sequence)
        return _differs(slug, sequence, "UNDECIDED", status)
    record = queue.records[sequence - 1]
    if status.decidedness == "PURGED":
        if shop.may_be_pruned(record):
            return _pruned(world, queue_id, queue, sequence)
        if context.crash:
            slug = "durability/restart-keeps-records"
        elif record.outcome.state is State.REJECTED and shop.now <= record.decided_at:
            slug = "deciding/rejection-recorded"
        else:
            slug = context.trouble or "retention/records-kept"
        return _differs(slug, sequence, "DECIDED", status)
    if status.decidedness == "UNDECIDED":
        behind = observed.watermark >= sequence
        if behind and shop.may_be_pruned(record):
            return _differs("retention/lookup-purged", sequence, "DECIDED or PURGED", status)
        slug = "lookup/statuses" if behind else _undecided_unduly(shop, context, queue.records[sequence - 1])
        return _differs(slug, sequence, "DECIDED", status)
    if record.pruned:
        return _differs("retention/lookup-purged", sequence, "PURGED", status)
    seen = status.outcome
    if seen is None or (seen.key, seen.sequence) != (record.operation.key, sequence):
        overwritten = (queue_id, sequence) in context.conflicted
        slug = "deciding/conflict-unrecorded" if overwritten else "lookup/statuses"
        return _differs(slug, sequence, f"the outcome of {record.operation.key}", status)
    if record.seen is not None:
        if record.seen == seen.verbatim:
            return world
        return _differs("lookup/statuses", sequence, "the recorded outcome field for field", status)
    expected = record.outcome
    if seen.state is not expected.state or (seen.reason or "") != expected.reason:
        slug = context.trouble or ("durability/lost-answer" if context.lost else "lookup/statuses")
        return _differs(slug, sequence, str(expected), status)
    return matching.final_outcome(world, context, queue_id, sequence, expected, seen)


def _pruned(world: World, queue_id: str, queue: Queue, sequence: int) -> World:
    records = list(queue.records)
    records[sequence - 1] = replace(records[sequence - 1], pruned=True)
    return world.with_queue(queue_id, replace(queue, records=tuple(records)))


def _decided_unduly(context: Context, queue_id: str, sequence: int) -> str:
    if (queue_id, sequence) in context.conflicted:
        return "deciding/conflict-unrecorded"
    if (queue_id, sequence) in context.deferred:
        return "deciding/deferral-unrecorded"
    return context.trouble or "lookup/statuses"


def _undecided_unduly(shop: Shop, context: Context, record: Record) -> str:
    if context.crash == "kill" and record.seen is not None:
        return "durability/answer-after-commit"
    if context.trouble:
        return context.trouble
    if shop.may_be_pruned(record):
        return "retention/watermark-kept"
    if record.outcome.state is State.REJECTED:
        return "deciding/rejection-recorded"
    return "durability/answer-after-commit" if record.seen is not None else "lookup/statuses"


def _differs(slug: str, sequence: int, expected: str, status: ObservedStatus) -> Mismatch:
    observed = f"{status.decidedness}{': ' + str(status.outcome) if status.outcome else ''}"
    return Mismatch(slug, f"a look-up shows operation {sequence} as {observed}", expected, observed, 1)


def ledger(context: Context, world: World, effects: Sequence[ObservedEffect]) -> World | Mismatch:
    """Compare the ledger with the changes of each cart, in their order."""
    for cart_id in sorted({name for name, _ in world.carts} | {effect.cart for effect in effects}):
        changes = [c for c in world.cart(cart_id).changes if c.line is not None]
        listed = [effect for effect in effects if effect.cart == cart_id]
        wanted = [(c.queue, c.sequence, c.key, c.line) for c in changes]
        observed = [(e.queue, e.sequence, e.key, e.line) for e in listed]
        if wanted != observed:
            agreed = sum(1 for left, right in zip(wanted, observed, strict=False) if left == right)
            return Mismatch(
                context.trouble or "effects/exactly-once",
                f"the ledger of cart {cart_id} lists other changes than its operations made",
                "; ".join(f"{sequence}: {line}" for _, sequence, _, line in wanted) or "no change",
                "; ".join(f"{sequence}: {line}" for _, sequence, _, line in observed) or "no change",
                agreed,
            )
        known = world.cart(cart_id)
        numbers = [n for n, c in enumerate(known.changes, 1) if c.line is not None]
        for number, effect in zip(numbers, listed, strict=True):
            tightened = known.with_revision(number, effect.revision)
            if tightened is None:
                summary = f"the ledger gives the change by operation {effect.sequence} revision {effect.revision}"
                return Mismatch("revision/increases", summary, str(known.bounds(number)), str(effect.revision), 50)
            known = tightened
        if listed:
            world = world.with_cart(cart_id, known)
    return world


def _shown(observed: ObservedCart) -> str:
    return f"{'closed' if observed.closed else 'open'}, {_held({line.sku: line.quantity for line in observed.lines})}"


def _held(quantities: dict[str, int]) -> str:
    return ", ".join(f"{quantity} of {sku}" for sku, quantity in sorted(quantities.items())) or "nothing"
