"""Checks of spec 8.2: what coupons take off, reckoned anew at every snapshot, to the minor unit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from cartsync.v1 import cart_pb2

from conformance.suite.marks import requirement
from conformance.suite.openings import has_room_for_coupons, put_in_cart
from conformance.wire import Device, Story

Q = cart_pb2.COUPON_STANDING_QUALIFIES


@requirement("coupons/amount-off")
@pytest.mark.parametrize(("amount", "due"), [(1, 1), (1_999, 1_999), (2_000, 2_000), (2_001, 2_000), (10**11, 2_000)])
def test_an_amount_takes_off_what_it_says_or_what_there_is(story: Story, amount: int, due: int) -> None:
    """Puts an amount on a cart of 2,000: all of it, or all there is."""
    phone = _cart(story, 2_000)
    _apply(story, phone, "amount", amount=amount)
    _expect_coupons(story, phone.cart(), [(Q, due)], slug="coupons/amount-off")


@requirement("coupons/share-off")
@pytest.mark.parametrize(
    ("subtotal", "basis_points"),
    [
        (2_000, 1_000),
        (1_999, 1_000),
        (99, 100),
        (100, 100),
        (3, 3_333),
        (1, 9_999),
        (12_345, 1),
        (100, 2_900),  # 28.999… where a fraction of 0.29 is taken in floating point
        (777, 10_000),
        (0, 500),
    ],
)
def test_a_share_is_rounded_down_to_the_minor_unit(story: Story, subtotal: int, basis_points: int) -> None:
    """Puts a share on a cart: floor of subtotal times basis points over 10,000."""
    phone = _cart(story, subtotal)
    _apply(story, phone, "share", basis_points=basis_points)
    _expect_coupons(story, phone.cart(), [(Q, subtotal * basis_points // 10_000)], slug="coupons/share-off")


@requirement("coupons/share-off")
@pytest.mark.parametrize("basis_points", [9_999, 3_333, 10_000])
def test_a_share_of_a_very_large_subtotal_is_exact(story: Story, basis_points: int) -> None:
    """Puts a share on a cart whose subtotal times basis points passes 2^63, as far as the limits let it."""
    price, quantity = 99_999_999_999, min(story.policy.max_line_quantity, 99_999)
    line_count = min(story.policy.max_line_count, 2**63 // (basis_points * quantity * price) + 1)
    phone = story.device()
    skus = [story.sku(f"gold{number}", price - number) for number in range(line_count)]
    size = min(story.policy.max_submission_operation_count, 100)
    for start in range(0, line_count, size):
        numbered = range(start, min(start + size, line_count))
        adds = [phone.add(skus[number], quantity, price=price - number) for number in numbered]
        for result in phone.submit(*adds).results:
            story.expect_applied(result, slug="cart/add-adds")
    subtotal = quantity * sum(price - number for number in range(line_count))
    _apply(story, phone, "share", basis_points=basis_points)
    due = subtotal * basis_points // 10_000
    _expect_coupons(story, phone.cart(), [(Q, due)], slug="coupons/share-off")
    _expect_totals(story, phone.cart(), subtotal, due)


@requirement("coupons/share-off")
def test_every_share_is_of_the_whole_subtotal(story: Story) -> None:
    """Puts two shares and an amount on a cart: no share is of what others left."""
    if not has_room_for_coupons(story, 3):
        return
    phone = _cart(story, 1_001)
    _apply(story, phone, "amount", amount=500)
    _apply(story, phone, "first", basis_points=1_000)
    _apply(story, phone, "second", basis_points=2_500)
    _expect_coupons(story, phone.cart(), [(Q, 500), (Q, 100), (Q, 250)], slug="coupons/share-off")


@requirement("coupons/totals", "coupons/share-off")
def test_coupons_together_never_take_more_than_there_is(story: Story) -> None:
    """Puts on more than the subtotal: each takes at most what those before it left, the total is 0."""
    if not has_room_for_coupons(story, 3):
        return
    phone = _cart(story, 1_000)
    _apply(story, phone, "most", basis_points=7_000)
    _apply(story, phone, "rest", amount=500)
    _apply(story, phone, "none", basis_points=5_000)
    cart = phone.cart()
    _expect_coupons(story, cart, [(Q, 700), (Q, 300), (Q, 0)], slug="coupons/share-off")
    _expect_totals(story, cart, 1_000, 1_000)


@requirement("coupons/totals")
def test_the_total_is_the_subtotal_less_the_discounts(story: Story) -> None:
    """Reads a cart without coupons, with two, and after one was removed."""
    if not has_room_for_coupons(story, 2):
        return
    phone = _cart(story, 2_345)
    cart = phone.cart()
    story.expect(not cart.HasField("discount_total"), "a cart without coupons has a discount total", observed=cart)
    _expect_total(story, cart, 2_345)
    _apply(story, phone, "share", basis_points=1_250)
    amount = _apply(story, phone, "amount", amount=100)
    _expect_totals(story, phone.cart(), 2_345, 293 + 100)
    story.expect_applied(phone.submit(phone.remove_coupon(amount)).only, slug="coupons/remove")
    _expect_totals(story, phone.cart(), 2_345, 293)


@requirement("coupons/totals")
def test_a_cart_without_a_price_has_no_total(story: Story) -> None:
    """Unlists the only product: the coupon is shown, without discount, and there is no total."""
    tea = story.sku("tea", price=500)
    phone = story.device()
    put_in_cart(story, phone, tea, 1, price=500)
    _apply(story, phone, "amount", amount=100)
    story.shop.offer(tea, 500, listed=False)
    cart = phone.cart()
    story.expect(
        len(cart.coupons) == 1 and not cart.coupons[0].HasField("discount"),
        "a coupon on a cart without subtotal has a discount, or is not shown",
        observed=cart.coupons,
    )
    story.expect(
        not cart.HasField("total") and not cart.HasField("discount_total"),
        "a cart without subtotal has a total",
        observed=cart,
    )


@requirement("coupons/minimum")
def test_the_minimum_is_met_when_it_is_reached(story: Story) -> None:
    """Fills a cart up to one below a coupon's minimum, to it, and back."""
    tea = story.sku("tea", price=500)
    phone = story.device()
    put_in_cart(story, phone, tea, 1, price=500)
    _apply(story, phone, "minimum", amount=100, minimum=1_000)
    missed = [(cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET, 0)]
    _expect_coupons(story, phone.cart(), missed, slug="coupons/minimum")
    story.shop.offer(tea, 999)
    _expect_coupons(story, phone.cart(), missed, slug="coupons/minimum")
    story.shop.offer(tea, 1_000)
    _expect_coupons(story, phone.cart(), [(Q, 100)], slug="coupons/minimum")
    story.expect_applied(phone.submit(phone.remove(tea)).only, slug="cart/remove-removes")
    story.expect(len(phone.cart().coupons) == 1, "a coupon left the cart with its lines")


@requirement("coupons/minimum")
def test_the_minimum_is_one_of_the_whole_subtotal(story: Story) -> None:
    """Puts a coupon with a minimum behind one that takes most of the subtotal off."""
    if not has_room_for_coupons(story, 2):
        return
    phone = _cart(story, 1_000)
    _apply(story, phone, "most", amount=900)
    _apply(story, phone, "minimum", amount=50, minimum=1_000)
    _expect_coupons(story, phone.cart(), [(Q, 900), (Q, 50)], slug="coupons/minimum")


@requirement("coupons/standing-current")
def test_a_standing_is_that_of_now(story: Story) -> None:
    """Withdraws, restricts, ends and postpones a promotion after its coupon was applied, and restores it."""
    phone = _cart(story, 2_000)
    code = _apply(story, phone, "tea", amount=100)
    now = story.shop.now()
    other = f"other-{story.tag}"
    hour = timedelta(hours=1)
    cases: Sequence[tuple[dict[str, object], cart_pb2.CouponStanding.ValueType]] = (
        ({"withdrawn": True}, cart_pb2.COUPON_STANDING_WITHDRAWN),
        ({"start": now + hour}, cart_pb2.COUPON_STANDING_NOT_STARTED),
        ({"end": now - hour}, cart_pb2.COUPON_STANDING_EXPIRED),
        ({"eligible": [other]}, cart_pb2.COUPON_STANDING_NOT_ELIGIBLE),
        ({"currency": "EUR"}, cart_pb2.COUPON_STANDING_CURRENCY_MISMATCH),
        ({"minimum": 2_001}, cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET),
        ({"stackable": False}, Q),
        ({"once": True}, Q),
    )
    for terms, standing in cases:
        story.shop.promotion(code, amount=100, **terms)  # type: ignore[arg-type]  # the terms are those above
        due = [(standing, 100 if standing == Q else 0)]
        _expect_coupons(story, phone.cart(), due, slug="coupons/standing-current")
    story.shop.promotion(code, amount=250)
    _expect_coupons(story, phone.cart(), [(Q, 250)], slug="coupons/standing-current")


@requirement("coupons/standing-current")
def test_a_coupon_expires_on_the_cart_as_time_goes_by(story: Story) -> None:
    """Lets the end of a coupon pass, and the start of the time after it, with nothing else happening."""
    phone = _cart(story, 2_000)
    now = story.shop.now()
    _apply(story, phone, "tea", amount=100, end=now + timedelta(hours=1))
    before = phone.cart()
    _expect_coupons(story, before, [(Q, 100)], slug="coupons/standing-current")
    story.shop.advance(timedelta(hours=2))
    after = phone.cart()
    _expect_coupons(story, after, [(cart_pb2.COUPON_STANDING_EXPIRED, 0)], slug="coupons/standing-current")
    story.expect(after.revision == before.revision, "the passing of time changed the cart", slug="revision/unchanged")


@requirement("coupons/standing-current")
def test_of_several_standings_the_first_is_told(story: Story) -> None:
    """Lets several things be wrong with a promotion at once: the first in the order of the table is told."""
    phone = _cart(story, 2_000)
    code = _apply(story, phone, "tea", amount=100)
    now, hour = story.shop.now(), timedelta(hours=1)
    other = f"other-{story.tag}"
    everything: dict[str, object] = {"minimum": 9_999, "currency": "EUR", "eligible": [other], "end": now - hour}
    for left_out, standing in (
        ("", cart_pb2.COUPON_STANDING_EXPIRED),
        ("end", cart_pb2.COUPON_STANDING_NOT_ELIGIBLE),
        ("eligible", cart_pb2.COUPON_STANDING_CURRENCY_MISMATCH),
        ("currency", cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET),
    ):
        everything.pop(left_out, None)
        story.shop.promotion(code, amount=100, **everything)  # type: ignore[arg-type]  # the terms are those above
        _expect_coupons(story, phone.cart(), [(standing, 0)], slug="coupons/standing-current")


@requirement("coupons/ineligible-takes-nothing")
def test_a_coupon_that_no_longer_qualifies_takes_nothing_and_stays(story: Story) -> None:
    """Ends the first of two promotions: its coupon stays, at 0, and the other one takes what it took."""
    if not has_room_for_coupons(story, 2):
        return
    phone = _cart(story, 1_000)
    first = _apply(story, phone, "first", amount=800)
    _apply(story, phone, "second", amount=500)
    _expect_coupons(story, phone.cart(), [(Q, 800), (Q, 200)], slug="coupons/amount-off")
    story.shop.promotion(first, amount=800, withdrawn=True)
    cart = phone.cart()
    _expect_coupons(
        story, cart, [(cart_pb2.COUPON_STANDING_WITHDRAWN, 0), (Q, 500)], slug="coupons/ineligible-takes-nothing"
    )
    _expect_totals(story, cart, 1_000, 500)


@requirement("coupons/standing-current")
def test_a_coupon_that_turned_not_stackable_takes_nothing_beside_others(story: Story) -> None:
    """Makes one of two promotions suffer no other: it steps back, even if the other takes nothing; alone it is good."""
    if not has_room_for_coupons(story, 2):
        return
    phone = _cart(story, 1_000)
    first, second = _apply(story, phone, "first", amount=100), _apply(story, phone, "second", amount=50)
    story.shop.promotion(first, amount=100, stackable=False)
    due = [(cart_pb2.COUPON_STANDING_NOT_STACKABLE, 0), (Q, 50)]
    _expect_coupons(story, phone.cart(), due, slug="coupons/standing-current")
    story.shop.promotion(second, amount=50, minimum=1_001)
    idle = [(cart_pb2.COUPON_STANDING_NOT_STACKABLE, 0), (cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET, 0)]
    _expect_coupons(story, phone.cart(), idle, slug="coupons/standing-current")
    story.expect_applied(phone.submit(phone.remove_coupon(second)).only, slug="coupons/remove")
    _expect_coupons(story, phone.cart(), [(Q, 100)], slug="coupons/standing-current")


@requirement("coupons/snapshot-shows-all")
def test_every_coupon_is_shown_once_in_order_beside_replayed_outcomes_too(story: Story) -> None:
    """Reads a cart with coupons, one of them withdrawn, again and again, between duplicates."""
    phone = _cart(story, 1_000)
    names = ("c", "a", "b")[: story.policy.max_coupon_count]
    codes = [_apply(story, phone, name, amount=10) for name in names]
    story.shop.promotion(codes[len(codes) // 2], amount=10, withdrawn=True)
    for operation in phone.log[1:]:
        phone.submit(operation)
        shown = [coupon.coupon_code for coupon in phone.cart().coupons]
        story.expect(shown == codes, "a snapshot shows other coupons", expected=codes, observed=shown)


def _cart(story: Story, subtotal: int) -> Device:
    """A device whose cart has this subtotal."""
    tea = story.sku("tea", price=subtotal)
    phone = story.device()
    put_in_cart(story, phone, tea, 1, price=subtotal)
    return phone


def _apply(story: Story, device: Device, name: str, **terms: object) -> str:
    """Make a promotion and put its coupon on the device's cart; the code."""
    code = f"{name}-{story.tag}"
    story.shop.promotion(code, **terms)  # type: ignore[arg-type]  # the terms are the caller's
    story.expect_applied(device.submit(device.apply_coupon(code)).only, slug="coupons/apply")
    return code


def _expect_coupons(
    story: Story,
    cart: cart_pb2.Cart,
    due: Sequence[tuple[cart_pb2.CouponStanding.ValueType, int]],
    *,
    slug: str | None = None,
) -> None:
    observed = [(coupon.standing, coupon.discount.minor_units) for coupon in cart.coupons]
    story.expect(
        all(discount == 0 for standing, discount in observed if standing != Q),
        "a coupon takes something off that does not qualify",
        expected=[_told(*pair) for pair in due],
        observed=[_told(*pair) for pair in observed],
        slug="coupons/ineligible-takes-nothing",
    )
    story.expect(
        observed == list(due),
        "coupons stand otherwise, or take off something else, than is due",
        expected=[_told(*pair) for pair in due],
        observed=[_told(*pair) for pair in observed],
        slug=slug,
    )


def _told(standing: int, discount: int) -> str:
    known = standing in cart_pb2.CouponStanding.values()
    name = cart_pb2.CouponStanding.Name(standing) if known else str(standing)  # type: ignore[arg-type]
    return f"{name.removeprefix('COUPON_STANDING_')} {discount}"


def _expect_totals(story: Story, cart: cart_pb2.Cart, subtotal: int, discount: int) -> None:
    story.expect(
        cart.discount_total.minor_units == discount,
        "the discount total is not the sum of the discounts",
        expected=discount,
        observed=cart.discount_total.minor_units,
        slug="coupons/totals",
    )
    _expect_total(story, cart, subtotal - discount)


def _expect_total(story: Story, cart: cart_pb2.Cart, total: int) -> None:
    story.expect(
        cart.HasField("total") and cart.total.minor_units == total,
        "the total is not the subtotal less the discounts",
        expected=total,
        observed=cart.total.minor_units,
        slug="coupons/totals",
    )
