"""Comparing one world with what was read: snapshots, look-ups and the ledger of effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, product

from conformance.oracle import coupon_rules, matching
from conformance.oracle.attribution import Context
from conformance.oracle.carts import Cart
from conformance.oracle.observations import (
    ObservedCart,
    ObservedEffect,
    ObservedLine,
    ObservedLookup,
    ObservedStatus,
)
from conformance.oracle.values import Add, Entry, Money, Offer, State, Touch
from conformance.oracle.world import SOLE, Kind, Place, Queue, Record, Shop, World
from conformance.oracle.worlds import Mismatch


def cart(
    shop: Shop, context: Context, world: World, queue_id: str, observed: ObservedCart, principal: str = SOLE
) -> World | Mismatch:
    """Compare a snapshot, asked for with `queue_id` (empty: without a queue)."""
    place = Place(principal, Kind.CART, observed.cart)
    expected = world.cart(observed.cart, principal)
    name = f"cart {observed.cart}"
    if observed.closed is not expected.closed:
        wanted = "closed" if expected.closed else "open"
        claimed = expected.closed and world.claim(principal) is not None
        slug = "claim/guest-closed" if claimed else context.trouble or "snapshot/state"
        return Mismatch(slug, f"{name} is not shown as {wanted}", wanted, _shown(observed), 1)
    if wrong := _lines(context, expected, observed) or _coupons_shown(context, expected, observed):
        return wrong
    if queue_id and observed.watermark != world.queue(queue_id).watermark:
        slug = context.trouble or "snapshot/atomic"
        summary = f"{name} is shown with a watermark that does not go with its lines"
        return Mismatch(slug, summary, str(world.queue(queue_id).watermark), str(observed.watermark), 30)
    known = expected.past.with_revision(expected.past.number, observed.revision)
    if known is None:
        low, high = expected.past.bounds(expected.past.number)
        wanted = str(low) if low == high else f"at least {low}"
        slug = "revision/increases" if observed.revision < low and expected.exists else "revision/unchanged"
        slug = slug if expected.exists else "snapshot/unknown-cart"
        return Mismatch(slug, f"{name} is shown with revision {observed.revision}", wanted, str(observed.revision), 31)
    if wrong := _prices(shop, world, expected, observed) or _discounts(shop, expected, observed, principal):
        return wrong
    return world.with_resource(place, replace(expected, past=known)) if expected.exists else world


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


def _coupons_shown(context: Context, expected: Cart, observed: ObservedCart) -> Mismatch | None:
    """spec: coupons/snapshot-shows-all"""
    shown = tuple(coupon.code for coupon in observed.coupons)
    if shown == expected.coupons:
        return None
    lost = sorted(shown) != sorted(expected.coupons)
    return Mismatch(
        (context.trouble if lost else "") or "coupons/snapshot-shows-all",
        f"cart {observed.cart} shows other coupons than its operations left, or in another order",
        ", ".join(expected.coupons) or "no coupon",
        ", ".join(shown) or "no coupon",
        20,
    )


def _discounts(shop: Shop, expected: Cart, observed: ObservedCart, principal: str) -> Mismatch | None:
    """spec: coupons/standing-current, coupons/totals, and what each kind of coupon takes off"""
    promotions = [shop.promotion(code) for code in expected.coupons]
    phases = [coupon_rules.phases(promotion, shop.now, shop.slack) for promotion in promotions]
    shown = tuple(coupon_rules.Standing(c.code, c.standing, c.discount) for c in observed.coupons)
    wanted = [
        coupon_rules.standings(expected, observed.subtotal, principal, list(zip(promotions, phase, strict=True)))
        for phase in product(*phases)
    ]
    if shown not in wanted:
        due, seen = next(pair for pair in zip(wanted[0], shown, strict=True) if pair[0] != pair[1])
        return Mismatch(
            _slug_of_coupon(shop, due, seen),
            f"cart {observed.cart} shows the coupon {seen}",
            str(due),
            str(seen),
            42,
        )
    if "coupons" not in shop.limits.profiles:
        return None
    discounts = [coupon.discount.minor for coupon in observed.coupons if coupon.discount is not None]
    subtotal = observed.subtotal
    taken = Money(subtotal.currency, sum(discounts)) if subtotal is not None and observed.coupons else None
    total = Money(subtotal.currency, subtotal.minor - sum(discounts)) if subtotal is not None else None
    if (observed.discount_total, observed.total) == (taken, total):
        return None
    return Mismatch(
        "coupons/totals",
        f"cart {observed.cart} shows totals that do not add up",
        f"discounts {taken or 'absent'}, total {total or 'absent'}",
        f"discounts {observed.discount_total or 'absent'}, total {observed.total or 'absent'}",
        43,
    )


def _slug_of_coupon(shop: Shop, due: coupon_rules.Standing, seen: coupon_rules.Standing) -> str:
    if due.standing != seen.standing:
        about_minimum = "MINIMUM_NOT_MET" in (due.standing, seen.standing)
        return "coupons/minimum" if about_minimum else "coupons/standing-current"
    promotion = shop.promotion(due.code)
    if due.standing != "QUALIFIES" or promotion is None:
        return "coupons/ineligible-takes-nothing"
    return "coupons/amount-off" if promotion.amount is not None else "coupons/share-off"


def _prices(shop: Shop, world: World, expected: Cart, observed: ObservedCart) -> Mismatch | None:
    subtotal: dict[str, int] = {}
    for line in observed.lines:
        offer = _offer_for(shop, expected, line.sku)
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


def _offer_for(shop: Shop, cart: Cart, sku: str) -> Offer | None:
    """The offer that prices a line; none where it is not listed, or no longer in the cart's currency.

    spec: price/unlisted-shown
    """
    offer = shop.offer(sku)
    return offer if offer is not None and offer.listed and offer.price.currency == cart.currency else None


def _availability(offer: Offer | None, line: ObservedLine) -> Mismatch | None:
    wanted, available = "UNLISTED", None
    if offer is not None:
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
    wanted = offer.price if offer is not None else None
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
        return replace(_differs(slug, sequence, "DECIDED", status), stage=2)  # decided it was, as purged ones were
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


def ledger(
    context: Context, world: World, effects: Sequence[ObservedEffect], principal: str = SOLE
) -> World | Mismatch:
    """Compare the ledger of a principal with the changes of each of its resources, in their order."""
    listed = {place: [e for e in effects if _place(e, principal) == place] for place in _places(effects, principal)}
    for place in sorted({place for place, _ in world.resources if place.principal == principal} | set(listed)):
        resource = world.resource(place)
        changes = [(n, change) for n, change in enumerate(resource.past.changes, 1) if change.touches]
        wanted = [
            (c.author.queue, c.author.sequence, c.author.key, touch) for _, c in changes for touch in _sorted(c.touches)
        ]
        observed = _in_order(listed.get(place, []))
        if wanted != [(e.queue, e.sequence, e.key, e.touch) for e in observed]:
            agreed = sum(1 for left, e in zip(wanted, observed, strict=False) if left[3] == e.touch)
            return Mismatch(
                context.trouble or "effects/exactly-once",
                f"the ledger of {place} lists other changes than its operations made",
                "; ".join(f"{sequence}: {touch}" for _, sequence, _, touch in wanted) or "no change",
                "; ".join(f"{e.sequence}: {e.touch}" for e in observed) or "no change",
                agreed,
                place.kind,
            )
        past = resource.past
        numbers = [n for n, change in changes for _ in change.touches]
        for number, effect in zip(numbers, observed, strict=True):
            tightened = past.with_revision(number, effect.revision)
            if tightened is None:
                slug = matching.revision_slug(place.kind, "revision/increases")
                summary = f"the ledger gives the change by operation {effect.sequence} revision {effect.revision}"
                return Mismatch(slug, summary, str(past.bounds(number)), str(effect.revision), 50, place.kind)
            past = tightened
        if observed:
            world = world.with_resource(place, replace(resource, past=past))
    return world


_KINDS = {
    "wishlist": Kind.WISHLIST,
    "address": Kind.ADDRESS_BOOK,
    "payment_method": Kind.PAYMENT_METHODS,
}


def _places(effects: Sequence[ObservedEffect], principal: str) -> set[Place]:
    return {_place(effect, principal) for effect in effects}


def _place(effect: ObservedEffect, principal: str) -> Place:
    """The resource that an entry of the ledger is about; of a kind nobody knows, a cart that is not there."""
    if isinstance(effect.touch, Entry) and effect.touch.resource in _KINDS:
        return Place(principal, _KINDS[effect.touch.resource])
    return Place(principal, Kind.CART, effect.cart)


def _sorted(touches: Sequence[Touch]) -> list[Touch]:
    """What one change did, in an order that does not matter."""
    return sorted(touches, key=repr)


def _in_order(effects: Sequence[ObservedEffect]) -> list[ObservedEffect]:
    """The entries of one resource, those of one operation in the order of `_sorted`."""
    operations = groupby(effects, key=lambda effect: (effect.queue, effect.sequence, effect.revision))
    return [effect for _, same in operations for effect in sorted(same, key=lambda effect: repr(effect.touch))]


def _shown(observed: ObservedCart) -> str:
    return f"{'closed' if observed.closed else 'open'}, {_held({line.sku: line.quantity for line in observed.lines})}"


def _held(quantities: dict[str, int]) -> str:
    return ", ".join(f"{quantity} of {sku}" for sku, quantity in sorted(quantities.items())) or "nothing"
