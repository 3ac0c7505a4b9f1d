"""Coupons from submission to snapshot: what is on the cart, what it takes off, and races over one coupon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cartsync.v1 import cart_pb2
from settled_shop import DEFERRED, Queue, Shop, discard_of, open_shop, reason, reasons

from reference_server.engine import instants
from reference_server.engine.policy import Policy
from reference_server.ports import BackendUnavailableError


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        opened.board.put("TENTH")
        opened.board.put("POUND", amount_off_minor=100)
        opened.board.put("ONCE", one_per_principal=True)
        yield opened


@pytest.fixture
def queue() -> Queue:
    return Queue()


def standings(cart: cart_pb2.Cart) -> dict[str, tuple[str, int]]:
    return {
        coupon.coupon_code: (
            cart_pb2.CouponStanding.Name(coupon.standing).removeprefix("COUPON_STANDING_"),
            coupon.discount.minor_units,
        )
        for coupon in cart.coupons
    }


def totals(cart: cart_pb2.Cart) -> tuple[int, int, int]:
    return cart.subtotal.minor_units, cart.discount_total.minor_units, cart.total.minor_units


# What is on the cart


async def test_a_coupon_goes_behind_those_on_the_cart_and_makes_a_revision(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(), queue.apply("TENTH"), queue.apply("POUND"), queue.add("bread"))
    assert [(r.outcome.revision, r.outcome.changed) for r in results] == [(1, True), (2, True), (3, True), (4, True)]
    assert await shop.coupons() == ["TENTH", "POUND"]


async def test_a_coupon_taken_off_and_put_on_again_goes_to_the_end(shop: Shop, queue: Queue) -> None:
    results = await shop.send(
        queue, queue.add(), queue.apply("TENTH"), queue.apply("POUND"), queue.take_off("TENTH"), queue.apply("TENTH")
    )
    assert results[-1].outcome.revision == 5
    assert await shop.coupons() == ["POUND", "TENTH"]


async def test_a_change_of_coupons_is_the_carts_last_change(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    shop.clock.advance(timedelta(minutes=5))
    applied = await shop.outcome(queue, queue.apply())
    cart = await shop.cart()
    assert cart.update_time == applied.decide_time == instants.timestamp(instants.to_us(shop.clock.now()))
    assert cart.revision == applied.revision == 2


async def test_the_time_of_a_coupon_does_not_go_back_with_the_clock(shop: Shop, queue: Queue) -> None:
    first = await shop.outcome(queue, queue.add())
    shop.clock.advance(timedelta(hours=-1))
    applied = await shop.outcome(queue, queue.apply())
    assert applied.decide_time == first.decide_time


async def test_taking_off_what_is_not_on_the_cart_changes_nothing(shop: Shop, queue: Queue) -> None:
    nowhere, there, elsewhere = await shop.send(
        queue, queue.take_off(), queue.add(), queue.take_off("POUND", cart_id="basket")
    )
    assert (nowhere.outcome.revision, nowhere.outcome.changed) == (0, False)
    assert (elsewhere.outcome.revision, elsewhere.outcome.changed) == (there.outcome.revision, False)
    assert reasons([nowhere, elsewhere]) == ["", ""]


async def test_the_ledger_tells_which_coupon_came_and_went(shop: Shop, queue: Queue) -> None:
    _, on, off = await shop.send(queue, queue.add(), queue.apply(), queue.take_off())
    effects = (await shop.store.effects("ada"))[1:]
    assert [(e.resource, e.entry_id, e.present, e.cart_id, e.revision) for e in effects] == [
        ("coupon", "TENTH", True, "basket", on.outcome.revision),
        ("coupon", "TENTH", False, "basket", off.outcome.revision),
    ]
    assert all(effect.queue_id == queue.queue_id and not effect.sku for effect in effects)


async def test_a_duplicate_is_answered_from_its_record_whatever_the_promotion_is_by_then(
    shop: Shop, queue: Queue
) -> None:
    attempts = [queue.add(), queue.apply()]
    first = await shop.send(queue, *attempts)
    shop.board.withdraw("TENTH")
    shop.board.reachable = False
    again = await shop.send(queue, *attempts)
    assert [r.outcome for r in again] == [r.outcome for r in first]
    assert all(r.replayed for r in again)
    assert len(await shop.store.effects("ada")) == 2


async def test_a_coupon_on_the_cart_keeps_its_place_while_lines_come_and_go(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply(), queue.remove(), queue.add("bread"))
    assert await shop.coupons() == ["TENTH"]
    assert await shop.quantities() == {"bread": 1}


# What is refused


async def test_two_devices_that_apply_one_coupon_end_with_it_there_once(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(), queue.apply())
    refused = await shop.outcome(other, other.apply())
    assert (reason(refused), refused.revision) == ("COUPON_ALREADY_APPLIED", 2)
    assert await shop.coupons() == ["TENTH"]


async def test_a_coupon_makes_no_cart_and_a_closed_one_keeps_what_it_has(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.apply(), queue.add(), queue.apply())
    assert reasons(results) == ["CART_NOT_FOUND", "", ""]
    assert results[0].outcome.revision == 0
    await shop.store.close_cart("ada", "basket")
    assert reasons(await shop.send(queue, queue.take_off(), queue.apply("POUND"))) == ["CART_CLOSED"] * 2
    assert await shop.coupons() == ["TENTH"]


async def test_a_coupon_good_once_moves_to_another_cart_only_when_taken_off_the_first(shop: Shop, queue: Queue) -> None:
    results = await shop.send(
        queue,
        queue.add(),
        queue.add(cart_id="other"),
        queue.apply("ONCE"),
        queue.apply("ONCE", cart_id="other"),
        queue.take_off("ONCE"),
        queue.apply("ONCE", cart_id="other"),
        queue.apply("ONCE"),
    )
    assert reasons(results) == ["", "", "", "COUPON_ALREADY_USED", "", "", "COUPON_ALREADY_USED"]


async def test_a_coupon_good_once_stays_used_on_a_closed_cart(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply("ONCE"), queue.add(cart_id="other"))
    await shop.store.close_cart("ada", "basket")
    assert reason(await shop.outcome(queue, queue.apply("ONCE", cart_id="other"))) == "COUPON_ALREADY_USED"


async def test_a_coupon_that_becomes_good_once_counts_the_carts_it_is_on_already(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply(), queue.add(cart_id="other"))
    shop.board.put("TENTH", one_per_principal=True)
    assert reason(await shop.outcome(queue, queue.apply(cart_id="other"))) == "COUPON_ALREADY_USED"


async def test_a_coupon_good_once_is_good_once_for_each_principal(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(), queue.apply("ONCE"))
    assert reasons(await shop.send(other, other.add(), other.apply("ONCE"), principal="bob")) == ["", ""]


async def test_a_cart_takes_as_many_coupons_as_the_policy_says(queue: Queue) -> None:
    async with open_shop(Policy(max_coupon_count=3)) as shop:
        codes = [f"C{number}" for number in range(4)]
        for code in codes:
            shop.board.put(code)
        results = await shop.send(queue, queue.add(), *(queue.apply(code) for code in codes))
        assert reasons(results) == ["", "", "", "", "COUPON_LIMIT_EXCEEDED"]
        assert await shop.coupons() == codes[:3]


async def test_a_coupon_waits_for_the_shop_whatever_else_is_wrong_with_it(shop: Shop, queue: Queue) -> None:
    shop.board.reachable = False
    attempts = [queue.apply("NOBODY KNOWS"), queue.add()]
    deferred = await shop.send(queue, *attempts)
    assert reasons(deferred) == ["BACKEND_UNAVAILABLE", "PREDECESSOR_NOT_DECIDED"]
    assert deferred[0].outcome.state == DEFERRED
    assert deferred[0].outcome.refusal.HasField("retry_delay")
    shop.board.reachable = True
    assert reasons(await shop.send(queue, *attempts)) == ["CART_NOT_FOUND", ""]


async def test_a_coupon_that_waited_is_judged_by_the_promotion_of_now(shop: Shop, queue: Queue) -> None:
    end_us = instants.to_us(shop.clock.now() + timedelta(hours=1))
    shop.board.put("HOUR", end_time_us=end_us)
    await shop.send(queue, queue.add())
    shop.board.reachable = False
    attempt = queue.apply("HOUR")
    assert reason(await shop.outcome(queue, attempt)) == "BACKEND_UNAVAILABLE"
    shop.board.reachable = True
    shop.clock.advance(timedelta(hours=1))
    assert reason(await shop.outcome(queue, attempt)) == "COUPON_EXPIRED"


async def test_taking_a_coupon_off_waits_for_nobody(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply())
    shop.board.reachable = shop.shelf.reachable = False
    assert reason(await shop.outcome(queue, queue.take_off())) == ""


async def test_a_discarded_coupon_never_comes(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    attempt = queue.apply()
    assert reason(await shop.outcome(queue, discard_of(attempt))) == ""
    assert reason(await shop.outcome(queue, attempt)) == "SEQUENCE_CONFLICT"
    assert await shop.coupons() == []


async def test_a_server_that_does_not_list_the_profile_knows_no_coupon(queue: Queue) -> None:
    async with open_shop(Policy(profiles=("core", "wishlist"))) as shop:
        shop.board.put("TENTH")
        results = await shop.send(queue, queue.add(), queue.apply(), queue.take_off(), queue.add())
        assert reasons(results) == ["", "UNSUPPORTED_INTENT", "UNSUPPORTED_INTENT", ""]


async def test_a_coupon_is_not_there_while_the_profile_is_not_listed_and_back_when_it_is(
    queue: Queue, tmp_path: Path
) -> None:
    address = f"sqlite:{tmp_path / 'shop.db'}"
    async with open_shop(address=address) as shop:
        shop.board.put("TENTH")
        await shop.send(queue, queue.add(quantity=2), queue.apply())
    async with open_shop(Policy(profiles=("core",)), address=address) as shop:
        shop.board.reachable = False  # nobody asks
        cart = await shop.cart()
        assert (list(cart.coupons), cart.HasField("discount_total"), cart.total.minor_units) == ([], False, 510)
    async with open_shop(address=address) as shop:
        shop.board.put("TENTH")
        assert (await shop.cart()).total.minor_units == 459


# What it takes off


async def test_a_cart_without_coupons_has_a_total_that_is_its_subtotal(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=3))
    cart = await shop.cart()
    assert totals(cart) == (765, 0, 765)
    assert not cart.HasField("discount_total")


async def test_discounts_add_up_to_the_minor_unit(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=3), queue.apply("TENTH"), queue.apply("POUND"))
    cart = await shop.cart()
    assert standings(cart) == {"TENTH": ("QUALIFIES", 76), "POUND": ("QUALIFIES", 100)}
    assert totals(cart) == (765, 176, 589)
    assert {cart.subtotal.currency_code, cart.discount_total.currency_code, cart.total.currency_code} == {"GBP"}


async def test_a_coupon_follows_the_cart_the_clock_and_the_shop(shop: Shop, queue: Queue) -> None:
    shop.board.put(
        "FIVER",
        amount_off_minor=500,
        min_subtotal_minor=765,
        min_subtotal_currency_code="GBP",
        end_time_us=instants.to_us(shop.clock.now() + timedelta(hours=1)),
    )
    await shop.send(queue, queue.add(quantity=2), queue.apply("FIVER"))
    seen = [standings(await shop.cart())["FIVER"]]
    await shop.send(queue, queue.add())
    seen.append(standings(await shop.cart())["FIVER"])
    shop.shelf.put("apple", 254)
    seen.append(standings(await shop.cart())["FIVER"])
    shop.clock.advance(timedelta(hours=1))
    seen.append(standings(await shop.cart())["FIVER"])
    shop.board.withdraw("FIVER")
    seen.append(standings(await shop.cart())["FIVER"])
    assert seen == [
        ("MINIMUM_NOT_MET", 0),
        ("QUALIFIES", 500),
        ("MINIMUM_NOT_MET", 0),
        ("EXPIRED", 0),
        ("WITHDRAWN", 0),
    ]
    cart = await shop.cart()
    assert (totals(cart), cart.revision) == ((762, 0, 762), 3)
    assert cart.HasField("discount_total")


async def test_a_coupon_that_ceases_to_suffer_others_stands_back_while_they_are_there(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply("TENTH"), queue.apply("POUND"))
    shop.board.put("TENTH", stackable=False)
    assert standings(await shop.cart()) == {"TENTH": ("NOT_STACKABLE", 0), "POUND": ("QUALIFIES", 100)}
    await shop.send(queue, queue.take_off("POUND"))
    assert standings(await shop.cart()) == {"TENTH": ("QUALIFIES", 25)}


async def test_coupons_of_a_cart_without_a_price_stand_there_and_take_nothing(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply("POUND"))
    shop.shelf.put("apple", listed=False)
    cart = await shop.cart()
    (coupon,) = cart.coupons
    assert coupon.standing == cart_pb2.COUPON_STANDING_QUALIFIES
    assert not any(cart.HasField(name) for name in ("subtotal", "discount_total", "total"))
    assert not coupon.HasField("discount")


async def test_a_coupon_is_judged_for_the_principal_whose_cart_it_is(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply())
    shop.board.put("TENTH", eligible_principals=frozenset({"bob"}))
    assert standings(await shop.cart()) == {"TENTH": ("NOT_ELIGIBLE", 0)}


async def test_a_cart_with_a_coupon_is_not_shown_without_the_shops_word(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(), queue.apply(), queue.remove())
    shop.board.reachable = False
    with pytest.raises(BackendUnavailableError):
        await shop.cart()
    await shop.send(queue, queue.take_off())
    assert (await shop.cart()).revision == 4


# Races


async def test_two_carts_raced_never_both_get_a_coupon_that_is_good_once(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(), queue.add(cart_id="other"))
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.apply("ONCE")))
    await hold.reached.wait()
    assert reasons(await shop.send(other, other.apply("ONCE", cart_id="other"))) == [""]
    hold.go.set()
    assert reasons(await slow) == ["COUPON_ALREADY_USED"]
    assert (await shop.coupons(), await shop.coupons("other")) == ([], ["ONCE"])


async def test_of_many_carts_at_once_one_gets_the_coupon_that_is_good_once(shop: Shop) -> None:
    queues = [Queue() for _ in range(12)]
    for queue in queues:
        await shop.send(queue, queue.add(cart_id=queue.queue_id))
    sent = await asyncio.gather(*(shop.send(queue, queue.apply("ONCE", cart_id=queue.queue_id)) for queue in queues))
    found = [reason for results in sent for reason in reasons(results)]
    assert sorted(found) == ["", *["COUPON_ALREADY_USED"] * 11]


async def test_a_coupon_taken_off_one_cart_while_another_waits_for_it_is_free(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add(), queue.apply("ONCE"), queue.add(cart_id="other"))
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(other, other.apply("ONCE", cart_id="other")))
    await hold.reached.wait()
    await shop.send(queue, queue.take_off("ONCE"))
    hold.go.set()
    assert reasons(await slow) == [""]
    assert await shop.coupons("other") == ["ONCE"]


async def test_two_queues_on_one_cart_lose_no_coupon_and_no_line(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.add())
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.apply("TENTH")))
    await hold.reached.wait()
    await shop.send(other, other.apply("POUND"), other.add("bread"))
    hold.go.set()
    assert [r.outcome.revision for r in await slow] == [4]
    assert await shop.coupons() == ["POUND", "TENTH"]
    assert await shop.quantities() == {"apple": 1, "bread": 1}


async def test_two_coupons_that_do_not_stack_raced_leave_one(shop: Shop, queue: Queue) -> None:
    other = Queue()
    shop.board.put("ALONE", stackable=False)
    await shop.send(queue, queue.add())
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.apply("TENTH")))
    await hold.reached.wait()
    await shop.send(other, other.apply("ALONE"))
    hold.go.set()
    assert reasons(await slow) == ["COUPON_NOT_STACKABLE"]
    assert await shop.coupons() == ["ALONE"]
