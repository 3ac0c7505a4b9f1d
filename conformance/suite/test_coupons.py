"""Checks of spec 8.1: which coupons go on a cart, and which do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cartsync.v1 import cart_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_undecided
from conformance.suite.marks import requirement
from conformance.suite.openings import has_room_for_coupons, put_in_cart
from conformance.suite.races import answer, held, overtake
from conformance.wire import Device, Story


@requirement("coupons/apply")
def test_coupons_stand_on_the_cart_in_the_order_they_were_applied(story: Story) -> None:
    """Applies coupons whose codes do not ascend: each is a change, and each stands behind those before."""
    phone, _ = _cart(story)
    codes = [_code(story, name) for name in ("zeta", "alpha", "mid")][: story.policy.max_coupon_count]
    revisions = [_applied(story, phone, code).revision for code in codes]
    story.expect(revisions == sorted(set(revisions)), "coupons do not change the cart one by one", observed=revisions)
    _expect_codes(story, phone.cart(), codes, slug="coupons/apply")
    story.expect(
        phone.cart().revision == revisions[-1], "the cart is not at the revision of its last coupon", observed=revisions
    )


@requirement("coupons/apply-cart")
def test_a_coupon_needs_an_open_cart(story: Story) -> None:
    """Applies to a cart no add has made, then applies and removes on a closed one."""
    phone = story.device()
    code = _code(story, "tea")
    story.expect_refused(phone.submit(phone.apply_coupon(code)).only, reason_pb2.REASON_CART_NOT_FOUND)
    story.expect(phone.cart().revision == 0, "a coupon made a cart", slug="cart/made-by-first-add")
    put_in_cart(story, phone, story.sku(), 2)
    _applied(story, phone, code)
    story.shop.close_cart(phone.cart_id)
    for operation in (phone.apply_coupon(_code(story, "more")), phone.remove_coupon(code)):
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_CART_CLOSED)
    _expect_codes(story, phone.cart(), [code], slug="coupons/apply-cart")


@requirement("coupons/already-applied")
def test_a_coupon_is_on_a_cart_once(story: Story) -> None:
    """Applies a coupon that this device, and one that another device, has put on the cart."""
    phone, _ = _cart(story)
    tablet = story.device("tablet")
    code = _code(story, "tea")
    _applied(story, phone, code)
    for device in (phone, tablet):
        story.expect_refused(device.submit(device.apply_coupon(code)).only, reason_pb2.REASON_COUPON_ALREADY_APPLIED)
    _expect_codes(story, phone.cart(), [code], slug="coupons/already-applied")


@requirement("coupons/already-applied")
def test_a_coupon_raced_by_two_devices_is_on_the_cart_once(story: Story) -> None:
    """Holds one device's coupon before its commit while another's overtakes it: one applied, one told so."""
    phone, _ = _cart(story)
    tablet = story.device("tablet")
    code = _code(story, "tea")
    with held(story, phone, phone.apply_coupon(code)) as pending:
        overtaking = overtake(tablet, tablet.apply_coupon(code))
    _expect_one_of_two(
        story, [answer(pending).only.outcome, answer(overtaking).only.outcome], reason_pb2.REASON_COUPON_ALREADY_APPLIED
    )
    _expect_codes(story, phone.cart(), [code], slug="coupons/already-applied")


@requirement("coupons/unknown")
def test_codes_are_compared_exactly(story: Story) -> None:
    """Applies codes the shop does not know, or has withdrawn, among them other spellings of a good one."""
    phone, _ = _cart(story)
    good = f"Tea-{story.tag}"
    story.shop.promotion(good, amount=10)
    withdrawn = _code(story, "withdrawn", withdrawn=True)
    for code in (f"none-{story.tag}", withdrawn, good.upper(), good.lower(), f"{good}\u00a0", good[:-1]):
        story.expect_refused(phone.submit(phone.apply_coupon(code)).only, reason_pb2.REASON_COUPON_UNKNOWN)
    _applied(story, phone, good, slug="coupons/unknown")


@requirement("coupons/unknown")
def test_a_coupon_that_was_withdrawn_is_unknown_until_it_is_back(story: Story) -> None:
    """Applies a coupon and takes it off again, withdraws it, and brings it back."""
    phone, _ = _cart(story)
    code = _code(story, "tea")
    _applied(story, phone, code)
    story.expect_applied(phone.submit(phone.remove_coupon(code)).only, slug="coupons/remove")
    story.shop.promotion(code, amount=10, withdrawn=True)
    story.expect_refused(phone.submit(phone.apply_coupon(code)).only, reason_pb2.REASON_COUPON_UNKNOWN)
    story.shop.promotion(code, amount=10)
    _applied(story, phone, code, slug="coupons/unknown")


@requirement("coupons/start-and-end")
def test_a_coupon_is_good_from_its_start_until_its_end(story: Story) -> None:
    """Applies a coupon before its start, at it, and at its end, by the server's clock."""
    phone, _ = _cart(story)
    now = story.shop.now()
    later, over = _code(story, "later", start=now + timedelta(hours=1)), _code(story, "over", end=now)
    story.expect_refused(phone.submit(phone.apply_coupon(later)).only, reason_pb2.REASON_COUPON_NOT_STARTED)
    story.expect_refused(phone.submit(phone.apply_coupon(over)).only, reason_pb2.REASON_COUPON_EXPIRED)
    soon = _code(story, "soon", start=now + timedelta(hours=1), end=now + timedelta(hours=3))
    story.shop.advance(timedelta(hours=2))
    _applied(story, phone, soon, slug="coupons/start-and-end")
    again = _code(story, "again", start=now, end=now + timedelta(hours=4))
    story.shop.advance(timedelta(hours=2))
    story.expect_refused(phone.submit(phone.apply_coupon(again)).only, reason_pb2.REASON_COUPON_EXPIRED)


@requirement("coupons/start-and-end")
def test_it_is_the_servers_clock_that_counts(story: Story) -> None:
    """Applies an expired coupon that the shopper, by the device's clock, entered in its time."""
    phone, _ = _cart(story)
    now = story.shop.now()
    over = _code(story, "over", start=now - timedelta(days=9), end=now - timedelta(days=2))
    operation = phone.apply_coupon(over)
    operation.enqueue_time.FromDatetime(now - timedelta(days=3))
    story.expect_refused(phone.submit(operation, age=timedelta(days=1)).only, reason_pb2.REASON_COUPON_EXPIRED)


@requirement("coupons/eligible-principals")
def test_a_coupon_for_others_is_not_for_this_one(story: Story) -> None:
    """Applies a coupon that is for another principal, one for both, and one for all."""
    phone, _ = _cart(story)
    other = f"other-{story.tag}"
    stranger = story.device("stranger", principal=other)
    put_in_cart(story, stranger, story.sku("mug"), 1)
    theirs, both = (
        _code(story, "theirs", eligible=[other]),
        _code(story, "both", eligible=[other, story.principal_name]),
    )
    story.expect_refused(phone.submit(phone.apply_coupon(theirs)).only, reason_pb2.REASON_COUPON_NOT_ELIGIBLE)
    _applied(story, phone, both, slug="coupons/eligible-principals")
    _applied(story, stranger, theirs, slug="coupons/eligible-principals")
    story.expect_applied(phone.submit(phone.remove_coupon(both)).only, slug="coupons/remove")
    _applied(story, phone, _code(story, "all"), slug="coupons/eligible-principals")


@requirement("coupons/eligible-principals")
def test_a_similar_name_is_another_principal(story: Story) -> None:
    """Applies coupons that are for principals whose names begin with this one's, contain it, or are part of it."""
    phone, _ = _cart(story)
    name = story.principal_name
    for number, similar in enumerate((f"{name}-2", f"a.{name}", name[:-1], name.upper(), name[5:])):
        story.shop.credential(similar)
        code = _code(story, f"similar{number}", eligible=[similar])
        story.expect_refused(phone.submit(phone.apply_coupon(code)).only, reason_pb2.REASON_COUPON_NOT_ELIGIBLE)


@requirement("coupons/currency")
def test_a_coupon_in_another_currency_is_refused(story: Story) -> None:
    """Applies an amount, and a share with a minimum, in another currency than the cart's; a bare share fits any."""
    phone, _ = _cart(story)
    amount = _code(story, "amount", currency="EUR")
    share = _code(story, "share", amount=None, basis_points=1000, minimum=1, minimum_currency="EUR")
    for code in (amount, share):
        story.expect_refused(phone.submit(phone.apply_coupon(code)).only, reason_pb2.REASON_CURRENCY_MISMATCH)
    _applied(story, phone, _code(story, "bare", amount=None, basis_points=1000), slug="coupons/currency")


@requirement("coupons/once-per-principal")
def test_a_coupon_that_is_good_once_is_on_one_cart(story: Story) -> None:
    """Applies such a coupon to a second cart; takes it off the first and applies it again; closes that cart."""
    phone, tea = _cart(story)
    for cart_id in ("second", "third"):
        story.expect_applied(phone.submit(phone.add(tea, 1, cart_id=cart_id)).only, slug="cart/add-adds")
    code = _code(story, "once", once=True)
    _applied(story, phone, code)
    second = phone.apply_coupon(code, cart_id="second")
    story.expect_refused(phone.submit(second).only, reason_pb2.REASON_COUPON_ALREADY_USED)
    story.expect_applied(phone.submit(phone.remove_coupon(code)).only, slug="coupons/remove")
    story.expect_applied(phone.submit(phone.apply_coupon(code, cart_id="second")).only)
    story.shop.close_cart("second")
    third = phone.apply_coupon(code, cart_id="third")
    story.expect_refused(phone.submit(third).only, reason_pb2.REASON_COUPON_ALREADY_USED)


@requirement("coupons/once-per-principal")
def test_a_coupon_that_became_good_once_is_on_no_further_cart(story: Story) -> None:
    """Applies a coupon while it may be on several carts, and to another cart when it is good once by then."""
    phone, tea = _cart(story)
    story.expect_applied(phone.submit(phone.add(tea, 1, cart_id="second")).only, slug="cart/add-adds")
    code = _code(story, "once")
    _applied(story, phone, code)
    story.shop.promotion(code, amount=10, once=True)
    second = phone.apply_coupon(code, cart_id="second")
    story.expect_refused(phone.submit(second).only, reason_pb2.REASON_COUPON_ALREADY_USED)
    _expect_codes(story, phone.cart(), [code], slug="coupons/once-per-principal")


@requirement("coupons/once-per-principal")
def test_another_principal_may_use_a_coupon_that_is_good_once(story: Story) -> None:
    """Applies such a coupon by two principals, and one without that limit on two carts of one."""
    if not has_room_for_coupons(story, 2):
        return
    phone, tea = _cart(story)
    stranger = story.device("stranger", principal=f"other-{story.tag}")
    put_in_cart(story, stranger, tea, 1)
    code, free = _code(story, "once", once=True), _code(story, "free")
    for device in (phone, stranger):
        _applied(story, device, code, slug="coupons/once-per-principal")
    _applied(story, phone, free)
    story.expect_applied(phone.submit(phone.add(tea, 1, cart_id="second")).only, slug="cart/add-adds")
    story.expect_applied(phone.submit(phone.apply_coupon(free, cart_id="second")).only)


@requirement("coupons/once-per-principal")
def test_two_carts_raced_get_a_coupon_that_is_good_once_once(story: Story) -> None:
    """Holds one cart's coupon before its commit while the other cart's overtakes it."""
    phone, tea = _cart(story)
    tablet = story.device("tablet", cart_id="second")
    put_in_cart(story, tablet, tea, 1)
    code = _code(story, "once", once=True)
    with held(story, phone, phone.apply_coupon(code)) as pending:
        overtaking = overtake(tablet, tablet.apply_coupon(code))
    _expect_one_of_two(
        story, [answer(pending).only.outcome, answer(overtaking).only.outcome], reason_pb2.REASON_COUPON_ALREADY_USED
    )
    count = sum(len(device.cart().coupons) for device in (phone, tablet))
    story.expect(count == 1, f"a coupon that is good once is on {count} carts", expected=1, observed=count)


@requirement("coupons/stackable")
def test_a_coupon_that_suffers_no_other_stays_alone(story: Story) -> None:
    """Applies such a coupon beside another, and another beside such a one."""
    phone, tea = _cart(story)
    plain, alone = _code(story, "plain"), _code(story, "alone", stackable=False)
    _applied(story, phone, plain)
    story.expect_refused(phone.submit(phone.apply_coupon(alone)).only, reason_pb2.REASON_COUPON_NOT_STACKABLE)
    other = story.device("tablet", cart_id="second")
    put_in_cart(story, other, tea, 1)
    _applied(story, other, alone, slug="coupons/stackable")
    story.expect_refused(other.submit(other.apply_coupon(plain)).only, reason_pb2.REASON_COUPON_NOT_STACKABLE)
    if story.policy.max_coupon_count > 1:
        _applied(story, phone, _code(story, "second"), slug="coupons/stackable")


@requirement("coupons/stackable")
def test_a_withdrawn_coupon_stands_in_nobodys_way(story: Story) -> None:
    """Withdraws a coupon that suffered no other, while it is on the cart, and applies another beside it."""
    if not has_room_for_coupons(story, 2):
        return
    phone, _ = _cart(story)
    gone, other = _code(story, "gone", stackable=False), _code(story, "other")
    _applied(story, phone, gone)
    story.shop.promotion(gone, amount=10, stackable=False, withdrawn=True)
    _applied(story, phone, other, slug="coupons/stackable")
    _expect_codes(story, phone.cart(), [gone, other], slug="coupons/stackable")


@requirement("coupons/limit")
def test_a_cart_has_room_for_so_many_coupons(story: Story) -> None:
    """Applies as many coupons as there may be, then one more, then one in the place of another."""
    phone, _ = _cart(story)
    most = story.policy.max_coupon_count
    story.expect(1 <= most <= 20, "max_coupon_count is out of its bounds", observed=most, slug="policy/limit-floors")
    codes = [_code(story, f"c{number:02}") for number in range(most + 1)]
    for code in codes[:most]:
        _applied(story, phone, code, slug="coupons/limit")
    more = codes[most]
    story.expect_refused(phone.submit(phone.apply_coupon(more)).only, reason_pb2.REASON_COUPON_LIMIT_EXCEEDED)
    story.expect_applied(phone.submit(phone.remove_coupon(codes[0])).only, slug="coupons/remove")
    _applied(story, phone, more, slug="coupons/limit")


@requirement("coupons/remove")
def test_a_removed_coupon_is_gone(story: Story) -> None:
    """Lets another device remove one of two coupons; removing it again, or one that never was, changes nothing."""
    phone, _ = _cart(story)
    tablet = story.device("tablet")
    first, *others = [_code(story, name) for name in ("first", "second")][: story.policy.max_coupon_count]
    for code in (first, *others):
        _applied(story, phone, code)
    gone = story.expect_applied(tablet.submit(tablet.remove_coupon(first)).only)
    _expect_codes(story, phone.cart(), others, slug="coupons/remove")
    for code in (first, f"none-{story.tag}"):
        same = story.expect_applied(phone.submit(phone.remove_coupon(code)).only, changed=False)
        story.expect(same.revision == gone.revision, "a no-change moved the revision", slug="revision/unchanged")
    nowhere = phone.remove_coupon(first, cart_id="nowhere")
    story.expect_applied(phone.submit(nowhere).only, changed=False)


@requirement("coupons/remove-free")
@pytest.mark.parametrize("trouble", ["backend", "withdrawn", "expired"])
def test_a_coupon_comes_off_whatever_became_of_it(story: Story, trouble: str) -> None:
    """Removes a coupon while the promotions cannot be reached, after it was withdrawn, and after its end."""
    phone, _ = _cart(story)
    now = story.shop.now()
    code = _code(story, "tea", end=now + timedelta(hours=1))
    _applied(story, phone, code)
    story.expect_applied(phone.submit(phone.remove_coupon(code)).only, slug="coupons/remove")
    _applied(story, phone, code)
    troubles: dict[str, Callable[[], None]] = {
        "backend": lambda: story.shop.backend(available=False),
        "withdrawn": lambda: story.shop.promotion(code, amount=10, withdrawn=True),
        "expired": lambda: story.shop.promotion(code, amount=10, end=now - timedelta(hours=1)),
    }
    troubles[trouble]()
    story.expect_applied(phone.submit(phone.remove_coupon(code)).only)
    story.shop.backend(available=True)
    _expect_codes(story, phone.cart(), [], slug="coupons/remove-free")


@requirement("coupons/backend")
def test_a_coupon_waits_for_the_promotions(story: Story) -> None:
    """Applies coupons, good and unknown, while the promotions cannot be reached; one expires meanwhile."""
    phone, _ = _cart(story)
    now = story.shop.now()
    code = _code(story, "tea")
    operation = phone.apply_coupon(code)
    story.shop.backend(available=False)
    for _ in range(2):
        refused = story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_BACKEND_UNAVAILABLE)
        story.expect(refused.refusal.HasField("retry_delay"), "a deferral has no delay", slug="answers/details")
    story.shop.backend(available=True)
    expect_undecided(story, phone, operation)
    story.shop.promotion(code, amount=10, end=now - timedelta(hours=1))
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_COUPON_EXPIRED)


@requirement("coupons/backend")
@pytest.mark.parametrize("cart", ["none", "closed", "with it"])
def test_a_coupon_waits_for_the_promotions_whatever_the_cart_is(story: Story, cart: str) -> None:
    """Applies a coupon, while the promotions cannot be reached, to a cart for which it would be rejected anyway."""
    code = _code(story, "tea")
    phone = story.device()
    if cart != "none":
        put_in_cart(story, phone, story.sku(), 2)
    if cart == "closed":
        story.shop.close_cart(phone.cart_id)
    elif cart == "with it":
        _applied(story, phone, code)
    operation = phone.apply_coupon(code)
    story.shop.backend(available=False)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_BACKEND_UNAVAILABLE)
    story.shop.backend(available=True)
    expect_undecided(story, phone, operation)


def _cart(story: Story) -> tuple[Device, str]:
    """A device with two of a product, at 1,000 each, in its cart; and the product."""
    tea = story.sku("tea", price=1_000)
    phone = story.device()
    put_in_cart(story, phone, tea, 2, price=1_000)
    return phone, tea


def _code(story: Story, name: str, *, amount: int | None = 10, **terms: object) -> str:
    """A coupon of this story's own; terms as those of `Shop.promotion`."""
    code = f"{name}-{story.tag}"
    story.shop.promotion(code, amount=amount, **terms)  # type: ignore[arg-type]  # the terms are the caller's
    return code


def _applied(story: Story, device: Device, code: str, *, slug: str = "coupons/apply") -> outcome_pb2.Outcome:
    return story.expect_applied(device.submit(device.apply_coupon(code)).only, slug=slug)


def _expect_codes(story: Story, cart: cart_pb2.Cart, codes: list[str], *, slug: str | None = None) -> None:
    observed = [coupon.coupon_code for coupon in cart.coupons]
    story.expect(
        observed == codes,
        "the cart has other coupons on it than the applied operations left",
        expected=codes,
        observed=observed,
        slug=slug,
    )


def _expect_one_of_two(story: Story, outcomes: list[outcome_pb2.Outcome], reason: reason_pb2.Reason.ValueType) -> None:
    applied = sum(outcome.state == reason_pb2.OUTCOME_STATE_APPLIED for outcome in outcomes)
    refused = sum(outcome.refusal.reason == reason for outcome in outcomes)
    story.expect(
        (applied, refused) == (1, 1),
        "of two raced coupons not just one was applied",
        expected=f"one APPLIED, one {reason_pb2.Reason.Name(reason).removeprefix('REASON_')}",
        observed=outcomes,
    )
