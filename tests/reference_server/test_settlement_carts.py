"""Chapters 5 and 6: what operations do to carts, guards, revisions, price, stock, snapshots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cartsync.v1 import cart_pb2, operation_pb2
from settled_shop import APPLIED, CLAMP, EXACT, REJECTED, Queue, Shop, money, new_key, open_shop, reason, reasons

from reference_server.engine.policy import Policy
from reference_server.ports import BackendUnavailableError


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def queue() -> Queue:
    return Queue()


# Operations


async def test_two_adds_are_two_adds(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(quantity=2), queue.add(quantity=3))
    changes = [(r.outcome.line_change.quantity_before, r.outcome.line_change.quantity_after) for r in results]
    assert changes == [(0, 2), (2, 5)]
    assert [r.outcome.revision for r in results] == [1, 2]
    assert all(r.outcome.changed and r.outcome.line_change.sku == "apple" for r in results)


async def test_an_adjustment_moves_a_line_also_from_nothing(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add("bread"), queue.adjust(4), queue.adjust(-1))
    assert await shop.quantities() == {"apple": 3, "bread": 1}


async def test_a_decrease_below_nothing_ends_at_nothing_and_says_so(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(quantity=2), queue.adjust(-5), queue.adjust(-(2**31)))
    floored = results[1].outcome.adjustments[0].quantity_floored
    assert (floored.requested_delta, floored.applied_delta) == (-5, -2)
    nothing = results[2].outcome
    assert (nothing.state, nothing.changed, nothing.revision) == (APPLIED, False, 2)
    assert nothing.adjustments[0].quantity_floored.requested_delta == -(2**31)
    assert await shop.quantities() == {}


async def test_a_decrease_to_exactly_nothing_is_no_adjustment(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(quantity=2), queue.adjust(-2))
    assert list(results[1].outcome.adjustments) == []


async def test_a_set_leaves_the_line_at_its_quantity_and_the_last_one_wins(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.set(7), queue.set(3), queue.set(9, "bread"), queue.set(0, "bread"))
    assert await shop.quantities() == {"apple": 3}


async def test_a_removal_takes_out_what_was_decided_before_it_only(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(quantity=4), queue.remove(), queue.add(quantity=1))
    assert results[1].outcome.line_change.quantity_before == 4
    assert await shop.quantities() == {"apple": 1}


async def test_removing_what_is_not_there_is_applied_without_change_and_makes_no_cart(shop: Shop, queue: Queue) -> None:
    outcome = await shop.outcome(queue, queue.remove())
    assert (outcome.state, outcome.changed, outcome.revision) == (APPLIED, False, 0)
    assert outcome.line_change.sku == "apple"
    assert (await shop.cart()).revision == 0


async def test_nothing_but_an_applied_add_makes_a_cart(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("bread", stock=0)
    results = await shop.send(queue, queue.adjust(1), queue.set(0), queue.adjust(-1), queue.add("bread"), queue.set(1))
    assert reasons(results) == [
        "CART_NOT_FOUND",
        "CART_NOT_FOUND",
        "CART_NOT_FOUND",
        "INSUFFICIENT_INVENTORY",
        "CART_NOT_FOUND",
    ]
    assert all(result.outcome.revision == 0 for result in results)


async def test_every_undecided_operation_on_a_closed_cart_is_rejected(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=2))
    assert await shop.store.close_cart("ada", "basket")
    results = await shop.send(queue, queue.add("durian"), queue.adjust(-1), queue.set(0), queue.remove("bread"))
    assert reasons(results) == ["CART_CLOSED"] * 4
    assert [result.outcome.revision for result in results] == [1] * 4
    cart = await shop.cart()
    assert (cart.state, cart.revision, [line.quantity for line in cart.lines]) == (cart_pb2.CART_STATE_CLOSED, 1, [2])


async def test_a_cart_that_was_never_made_cannot_be_closed(shop: Shop) -> None:
    assert not await shop.store.close_cart("ada", "basket")


async def test_queues_of_one_principal_share_a_cart(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add())
    await shop.send(other, other.add(quantity=2))
    assert await shop.quantities() == {"apple": 3}


# Guards


async def test_a_guard_refuses_when_another_queue_changed_the_line_after_it(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(quantity=5))
    await shop.send(other, other.adjust(-1))
    for attempt in (queue.set(1, guard=1), queue.adjust(1, guard=1), queue.remove(guard=1), queue.set(1, guard=0)):
        assert reason(await shop.outcome(queue, attempt)) == "LINE_CHANGED"
    assert (await shop.outcome(queue, queue.set(1, guard=2))).state == APPLIED


async def test_a_guard_is_blind_to_its_own_queue_and_to_other_lines(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(quantity=5), queue.adjust(1))
    await shop.send(other, other.add("bread"), other.set(6, "apple"))  # the set changes nothing
    assert (await shop.outcome(queue, queue.set(2, guard=0))).state == APPLIED


async def test_a_guard_remembers_another_queue_behind_changes_of_its_own(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add())  # revision 1
    await shop.send(other, other.add())  # revision 2
    await shop.send(queue, queue.add(), queue.remove())  # revisions 3 and 4
    assert reason(await shop.outcome(queue, queue.set(1, guard=1))) == "LINE_CHANGED"
    assert reason(await shop.outcome(other, other.set(1, guard=3))) == "LINE_CHANGED"
    assert (await shop.outcome(queue, queue.set(1, guard=2))).state == APPLIED


# Revisions and time


async def test_what_changes_nothing_leaves_the_revision_and_carries_it(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=3))
    results = await shop.send(queue, queue.set(3), queue.add("durian"), queue.remove("bread"), queue.add(key=""))
    assert [(r.outcome.revision, r.outcome.changed) for r in results] == [(1, False)] * 3 + [(2, True)]


async def test_refusals_before_the_cart_rules_carry_the_revision_of_the_cart_they_name(
    shop: Shop, queue: Queue
) -> None:
    await shop.send(queue, queue.add())
    expired, unknown = queue.add(age=timedelta(days=30)), queue.draft()
    results = await shop.send(queue, expired, unknown)
    assert [result.outcome.revision for result in results] == [1, 0]


async def test_decide_time_never_decreases_on_a_cart_even_when_the_clock_steps_back(shop: Shop, queue: Queue) -> None:
    first = await shop.outcome(queue, queue.add())
    shop.clock.advance(timedelta(hours=-5))
    second = await shop.outcome(queue, queue.add())
    elsewhere = await shop.outcome(queue, queue.add(cart_id="other"))
    assert second.decide_time == first.decide_time
    assert elsewhere.decide_time.seconds == first.decide_time.seconds - 5 * 3600


# Price


async def test_an_add_goes_in_at_the_current_price_and_tells_both_when_they_differ(shop: Shop, queue: Queue) -> None:
    same, other = await shop.send(queue, queue.add(observed=255), queue.add(observed=199))
    assert list(same.outcome.adjustments) == []
    (adjustment,) = other.outcome.adjustments
    assert adjustment.price_changed.observed_unit_price == money(199)
    assert adjustment.price_changed.current_unit_price == money(255)
    assert (await shop.cart()).subtotal == money(510)


async def test_a_price_limit_is_accepted_when_equal_and_refused_below(shop: Shop, queue: Queue) -> None:
    accepted, refused = await shop.send(queue, queue.add(limit=255), queue.add(limit=254))
    assert accepted.outcome.state == APPLIED
    assert reason(refused.outcome) == "PRICE_ABOVE_LIMIT"
    assert refused.outcome.refusal.current_unit_price == money(255)


async def test_currencies_of_operation_offer_and_cart_must_be_one(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("euro-apple", currency="EUR")
    results = await shop.send(
        queue,
        queue.add(currency="EUR"),
        queue.add(),
        queue.add("euro-apple", currency="EUR"),
        queue.adjust(1, "euro-apple"),
        queue.adjust(-1, "euro-apple"),
    )
    assert reasons(results) == ["CURRENCY_MISMATCH", "", "CURRENCY_MISMATCH", "CURRENCY_MISMATCH", ""]


async def test_the_currency_of_a_cart_outlives_its_lines(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("euro-apple", currency="EUR")
    results = await shop.send(queue, queue.add(), queue.remove(), queue.add("euro-apple", currency="EUR"))
    assert reasons(results) == ["", "", "CURRENCY_MISMATCH"]


# Stock and limits


async def test_exact_takes_all_of_the_stock_and_not_one_more(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("apple", stock=5)
    results = await shop.send(queue, queue.add(quantity=3), queue.add(quantity=3), queue.add(quantity=2))
    assert reasons(results) == ["", "INSUFFICIENT_INVENTORY", ""]
    assert results[1].outcome.refusal.available_quantity == 5


async def test_clamp_grants_what_there_is_and_says_so_only_when_something_was_cut(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("apple", stock=5)
    whole, cut, nothing = await shop.send(
        queue, queue.add(quantity=3, policy=CLAMP), queue.set(9, policy=CLAMP), queue.adjust(1, policy=CLAMP)
    )
    assert list(whole.outcome.adjustments) == []
    clamped = cut.outcome.adjustments[0].quantity_clamped
    assert (clamped.requested_quantity, clamped.granted_quantity) == (9, 5)
    assert reason(nothing.outcome) == "INSUFFICIENT_INVENTORY"
    assert await shop.quantities() == {"apple": 5}


@pytest.mark.parametrize("policy", [EXACT, CLAMP])
async def test_a_line_above_the_stock_is_never_shrunk_and_may_always_go_down(
    shop: Shop, queue: Queue, policy: operation_pb2.QuantityPolicy.ValueType
) -> None:
    await shop.send(queue, queue.add(quantity=8))
    shop.shelf.put("apple", stock=2)
    raised, lowered = await shop.send(queue, queue.adjust(1, policy=policy), queue.adjust(-1, policy=policy))
    assert reason(raised.outcome) == "INSUFFICIENT_INVENTORY"
    assert lowered.outcome.line_change.quantity_after == 7
    line = (await shop.cart()).lines[0]
    assert (line.quantity, line.availability, line.available_quantity) == (
        7,
        cart_pb2.LINE_AVAILABILITY_INSUFFICIENT,
        2,
    )


async def test_unknown_and_unlisted_products_cannot_be_raised_but_can_be_lowered(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=5), queue.add("bread", 5))
    del shop.shelf.offers["apple"]
    shop.shelf.put("bread", listed=False)
    results = await shop.send(
        queue, queue.adjust(1), queue.adjust(1, "bread"), queue.adjust(-1), queue.set(2, "bread"), queue.remove()
    )
    assert reasons(results) == ["SKU_UNKNOWN", "SKU_UNLISTED", "", "", ""]


async def test_the_line_quantity_limit_is_on_what_was_asked_whatever_the_stock(queue: Queue) -> None:
    async with open_shop(Policy(max_line_quantity=99)) as shop:
        shop.shelf.put("apple", stock=50)
        results = await shop.send(
            queue, queue.add(quantity=100, policy=CLAMP), queue.add(quantity=99, policy=CLAMP), queue.add("bread", 99)
        )
        assert reasons(results) == ["LINE_LIMIT_EXCEEDED", "", ""]
        assert reason(await shop.outcome(queue, queue.add("bread", 2**31 - 1))) == "LINE_LIMIT_EXCEEDED"


async def test_a_new_line_above_the_line_count_is_refused_until_one_leaves(queue: Queue) -> None:
    async with open_shop(Policy(max_line_count=100)) as shop:
        for number in range(101):
            shop.shelf.put(f"sku-{number}")
        await shop.send(queue, *(queue.add(f"sku-{number}") for number in range(100)))
        results = await shop.send(
            queue, queue.add("sku-100"), queue.add("sku-7"), queue.remove("sku-3"), queue.add("sku-100")
        )
        assert reasons(results) == ["LINE_LIMIT_EXCEEDED", "", "", ""]
        assert len(await shop.quantities()) == 100


async def test_the_first_rule_of_the_table_that_refuses_is_reported(shop: Shop, queue: Queue) -> None:
    """One operation that breaks every rule; mended one rule at a time, the next one speaks."""
    other = Queue()
    await shop.send(other, other.add(), other.add("bread"))
    await shop.store.close_cart("ada", "basket")
    shop.shelf.put("apple", 300, stock=0)

    async def refused(attempt: operation_pb2.OperationAttempt) -> str:
        outcome = await shop.outcome(queue, attempt)
        assert outcome.state == REJECTED
        return reason(outcome)

    assert await refused(queue.set(10**6, "nope", guard=0)) == "CART_CLOSED"
    assert await refused(queue.set(10**6, "nope", cart_id="none", guard=0)) == "CART_NOT_FOUND"
    shop.shelf.put("cream", 300, listed=False, currency="EUR", stock=0)
    await shop.send(other, other.add("bread", cart_id="open"))
    del shop.shelf.offers["bread"]
    assert await refused(queue.set(10**6, "bread", cart_id="open", guard=0)) == "LINE_CHANGED"
    assert await refused(queue.add("bread", 10**6, cart_id="open", currency="EUR", limit=1)) == "SKU_UNKNOWN"
    assert await refused(queue.add("cream", 10**6, cart_id="open", limit=1)) == "SKU_UNLISTED"
    shop.shelf.put("cream", 300, currency="EUR", stock=0)
    assert await refused(queue.add("cream", 10**6, cart_id="open", limit=1)) == "CURRENCY_MISMATCH"
    shop.shelf.put("cream", 300, stock=0)
    assert await refused(queue.add("cream", 10**6, cart_id="open", limit=1)) == "PRICE_ABOVE_LIMIT"
    assert await refused(queue.add("cream", 10**6, cart_id="open")) == "LINE_LIMIT_EXCEEDED"
    assert await refused(queue.add("cream", 1, cart_id="open")) == "INSUFFICIENT_INVENTORY"


# Snapshots


async def test_a_cart_that_no_add_has_made_is_open_and_empty_at_revision_0(shop: Shop) -> None:
    shop.shelf.reachable = False
    cart = await shop.cart()
    assert (cart.cart_id, cart.revision, cart.state, len(cart.lines)) == ("basket", 0, cart_pb2.CART_STATE_OPEN, 0)
    assert cart.HasField("price_time")
    assert not cart.HasField("update_time")
    assert not cart.HasField("subtotal")


async def test_a_snapshot_is_priced_now_and_sorted_by_code_points(shop: Shop, queue: Queue) -> None:
    for sku in ("b", "B", "é", "\U0001f34e", "\uffee"):
        shop.shelf.put(sku, 10)
        await shop.send(queue, queue.add(sku, 3))
    shop.shelf.put("b", 11)
    shop.clock.advance(timedelta(hours=1))
    cart = await shop.cart()
    assert [line.sku for line in cart.lines] == ["B", "b", "é", "\uffee", "\U0001f34e"]
    assert [line.line_total.minor_units for line in cart.lines] == [30, 33, 30, 30, 30]
    assert (cart.subtotal.minor_units, cart.revision) == (153, 5)
    assert cart.price_time.seconds == cart.update_time.seconds + 3600


async def test_a_line_no_longer_for_sale_stays_without_price_outside_the_subtotal(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.add("bread"), queue.add("cream"))
    shop.shelf.put("apple", listed=False, stock=4)
    del shop.shelf.offers["bread"]
    shop.shelf.put("cream", currency="EUR")
    cart = await shop.cart()
    assert {line.availability for line in cart.lines} == {cart_pb2.LINE_AVAILABILITY_UNLISTED}
    for line in cart.lines:
        assert {field.name for field, _ in line.ListFields()} == {"sku", "quantity", "availability"}
    assert not cart.HasField("subtotal")


async def test_the_dearest_full_cart_still_has_exact_totals(queue: Queue) -> None:
    async with open_shop() as shop:
        for number in range(500):
            shop.shelf.put(f"sku-{number}", 100_000_000_000)
        await shop.send(queue, *(queue.add(f"sku-{number}", 99_999) for number in range(500)))
        assert (await shop.cart()).subtotal.minor_units == 500 * 99_999 * 100_000_000_000


async def test_a_snapshot_cannot_be_had_while_prices_cannot(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    shop.shelf.reachable = False
    with pytest.raises(BackendUnavailableError):
        await shop.cart()


async def test_a_snapshot_carries_the_watermark_of_the_queue_asked_for_only(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.add("durian"))
    read = await shop.settlement.cart("ada", "basket", queue.queue_id)
    assert (read.decided_through_sequence, read.store_id) == (2, shop.store.store_id)
    assert (await shop.settlement.cart("ada", "basket")).decided_through_sequence is None
    assert (await shop.settlement.cart("ada", "basket", new_key())).decided_through_sequence == 0
