"""Checks of deciding/refusal-order for coupons (8.1) and claims (13.1): the first rule of the table is reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story

R = reason_pb2.Reason
HOUR = timedelta(hours=1)

# Each story returns the operation that two rules refuse, and the reason of the first.
Refused = tuple[operation_pb2.CartOperation, reason_pb2.Reason.ValueType]
Arranged = Callable[[Story, Device], Refused]


def _closed_before_already_applied(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone)
    story.shop.close_cart(phone.cart_id)
    return phone.apply_coupon(code), R.REASON_CART_CLOSED


def _closed_before_unknown(story: Story, phone: Device) -> Refused:
    story.shop.close_cart(phone.cart_id)
    return phone.apply_coupon(f"none-{story.tag}"), R.REASON_CART_CLOSED


def _closed_before_limit(story: Story, phone: Device) -> Refused:
    _fill(story, phone)
    story.shop.close_cart(phone.cart_id)
    return phone.apply_coupon(_code(story, "more")), R.REASON_CART_CLOSED


def _no_cart_before_unknown(story: Story, phone: Device) -> Refused:
    return phone.apply_coupon(f"none-{story.tag}", cart_id="nowhere"), R.REASON_CART_NOT_FOUND


def _no_cart_before_already_used(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone, once=True)
    return phone.apply_coupon(code, cart_id="nowhere"), R.REASON_CART_NOT_FOUND


def _already_applied_before_unknown(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone)
    story.shop.promotion(code, amount=10, withdrawn=True)
    return phone.apply_coupon(code), R.REASON_COUPON_ALREADY_APPLIED


def _already_applied_before_expired(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone)
    story.shop.promotion(code, amount=10, end=story.shop.now() - HOUR)
    return phone.apply_coupon(code), R.REASON_COUPON_ALREADY_APPLIED


def _already_applied_before_not_stackable(story: Story, phone: Device) -> Refused:
    return phone.apply_coupon(_on_cart(story, phone, stackable=False)), R.REASON_COUPON_ALREADY_APPLIED


def _already_applied_before_limit(story: Story, phone: Device) -> Refused:
    return phone.apply_coupon(_fill(story, phone)), R.REASON_COUPON_ALREADY_APPLIED


def _unknown_before_not_stackable(story: Story, phone: Device) -> Refused:
    _on_cart(story, phone, stackable=False)
    return phone.apply_coupon(f"none-{story.tag}"), R.REASON_COUPON_UNKNOWN


def _unknown_before_limit(story: Story, phone: Device) -> Refused:
    _fill(story, phone)
    return phone.apply_coupon(f"none-{story.tag}"), R.REASON_COUPON_UNKNOWN


def _not_started_before_not_eligible(story: Story, phone: Device) -> Refused:
    code = _code(story, "later", start=story.shop.now() + HOUR, eligible=[_other(story)])
    return phone.apply_coupon(code), R.REASON_COUPON_NOT_STARTED


def _expired_before_not_eligible(story: Story, phone: Device) -> Refused:
    code = _code(story, "over", end=story.shop.now() - HOUR, eligible=[_other(story)])
    return phone.apply_coupon(code), R.REASON_COUPON_EXPIRED


def _expired_before_currency(story: Story, phone: Device) -> Refused:
    return phone.apply_coupon(
        _code(story, "over", end=story.shop.now() - HOUR, currency="EUR")
    ), R.REASON_COUPON_EXPIRED


def _expired_before_limit(story: Story, phone: Device) -> Refused:
    _fill(story, phone)
    return phone.apply_coupon(_code(story, "over", end=story.shop.now() - HOUR)), R.REASON_COUPON_EXPIRED


def _not_eligible_before_currency(story: Story, phone: Device) -> Refused:
    code = _code(story, "theirs", eligible=[_other(story)], currency="EUR")
    return phone.apply_coupon(code), R.REASON_COUPON_NOT_ELIGIBLE


def _currency_before_already_used(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone, once=True)
    _second_cart(story, phone)
    story.shop.promotion(code, amount=10, currency="EUR", once=True)
    return phone.apply_coupon(code, cart_id="second"), R.REASON_CURRENCY_MISMATCH


def _currency_before_limit(story: Story, phone: Device) -> Refused:
    _fill(story, phone)
    return phone.apply_coupon(_code(story, "amount", currency="EUR")), R.REASON_CURRENCY_MISMATCH


def _already_used_before_not_stackable(story: Story, phone: Device) -> Refused:
    code = _on_cart(story, phone, once=True, stackable=False)
    _second_cart(story, phone)
    beside = phone.apply_coupon(_code(story, "beside"), cart_id="second")
    story.expect_applied(phone.submit(beside).only, slug="coupons/apply")
    return phone.apply_coupon(code, cart_id="second"), R.REASON_COUPON_ALREADY_USED


def _not_stackable_before_limit(story: Story, phone: Device) -> Refused:
    _fill(story, phone)
    return phone.apply_coupon(_code(story, "alone", stackable=False)), R.REASON_COUPON_NOT_STACKABLE


COUPON_RULES: tuple[Arranged, ...] = (
    _closed_before_already_applied,
    _closed_before_unknown,
    _closed_before_limit,
    _no_cart_before_unknown,
    _no_cart_before_already_used,
    _already_applied_before_unknown,
    _already_applied_before_expired,
    _already_applied_before_not_stackable,
    _already_applied_before_limit,
    _unknown_before_not_stackable,
    _unknown_before_limit,
    _not_started_before_not_eligible,
    _expired_before_not_eligible,
    _expired_before_currency,
    _expired_before_limit,
    _not_eligible_before_currency,
    _currency_before_already_used,
    _currency_before_limit,
    _already_used_before_not_stackable,
    _not_stackable_before_limit,
)


def _names(rules: tuple[Arranged, ...]) -> list[str]:
    return [rule.__name__.strip("_").replace("_", " ") for rule in rules]


@requirement("deciding/refusal-order")
@pytest.mark.parametrize("arrange", COUPON_RULES, ids=_names(COUPON_RULES))
def test_of_two_coupon_rules_the_first_is_reported(story: Story, arrange: Arranged) -> None:
    """Applies a coupon that two rules of section 8.1 refuse; nothing to see where there are no coupons."""
    if "coupons" not in story.policy.profiles:
        return
    phone = story.device()
    put_in_cart(story, phone, story.sku("tea", price=1_000), 2, price=1_000)
    operation, reason = arrange(story, phone)
    story.expect_refused(phone.submit(operation).only, reason)


def _closed_before_token(story: Story, phone: Device) -> Refused:
    put_in_cart(story, phone, story.sku())
    story.shop.close_cart(phone.cart_id)
    return phone.claim("no-token-of-this-server"), R.REASON_CART_CLOSED


def _closed_before_claimed_by_another(story: Story, phone: Device) -> Refused:
    token = _claimed_by_another(story)
    put_in_cart(story, phone, story.sku())
    story.shop.close_cart(phone.cart_id)
    return phone.claim(token), R.REASON_CART_CLOSED


def _closed_before_claimed_before(story: Story, phone: Device) -> Refused:
    token = _guest_with_cart(story).connection.claim_token()
    story.expect_applied(phone.submit(phone.claim(token)).only, slug="claim/adds-lines")
    story.shop.close_cart(phone.cart_id)
    return phone.claim(token), R.REASON_CART_CLOSED


CLAIM_RULES: tuple[Arranged, ...] = (
    _closed_before_token,
    _closed_before_claimed_by_another,
    _closed_before_claimed_before,
)


@requirement("deciding/refusal-order")
@pytest.mark.parametrize("arrange", CLAIM_RULES, ids=_names(CLAIM_RULES))
def test_of_two_claim_rules_the_first_is_reported(story: Story, arrange: Arranged) -> None:
    """Makes a claim that two rules of section 13.1 refuse, or another answers; nothing to see without claims."""
    if "guest_claim" not in story.policy.profiles:
        return
    phone = story.device()
    operation, reason = arrange(story, phone)
    story.expect_refused(phone.submit(operation).only, reason)


@requirement("deciding/refusal-order")
def test_a_guest_that_claims_is_told_so_whoever_has_claimed(story: Story) -> None:
    """Claims, as a guest, another guest that an account has claimed; nothing to see where there are no claims."""
    if "guest_claim" not in story.policy.profiles:
        return
    token, second = _claimed_by_another(story), story.guest("guest-2")
    story.expect_refused(second.submit(second.claim(token)).only, R.REASON_CLAIM_TOKEN_INVALID)


def _code(story: Story, name: str, **terms: object) -> str:
    """A coupon of this story's own; terms as those of `Shop.promotion`."""
    code = f"{name}-{story.tag}"
    story.shop.promotion(code, amount=10, **terms)  # type: ignore[arg-type]  # the terms are the caller's
    return code


def _on_cart(story: Story, phone: Device, name: str = "there", **terms: object) -> str:
    """A coupon that is on the device's cart."""
    code = _code(story, name, **terms)
    story.expect_applied(phone.submit(phone.apply_coupon(code)).only, slug="coupons/apply")
    return code


def _fill(story: Story, phone: Device) -> str:
    """Put as many coupons on the device's cart as there may be; the last of them."""
    return [_on_cart(story, phone, f"c{number}") for number in range(story.policy.max_coupon_count)][-1]


def _second_cart(story: Story, phone: Device) -> None:
    adding = phone.add(story.sku("mug"), 1, cart_id="second")
    story.expect_applied(phone.submit(adding).only, slug="cart/add-adds")


def _other(story: Story) -> str:
    """Another principal."""
    name = f"other-{story.tag}"
    story.shop.credential(name)
    return name


def _guest_with_cart(story: Story) -> Device:
    guest = story.guest()
    put_in_cart(story, guest, story.sku("mug"), 2)
    return guest


def _claimed_by_another(story: Story) -> str:
    """The token of a guest that another account has claimed."""
    token = _guest_with_cart(story).connection.claim_token()
    other = story.device("stranger", principal=f"other-{story.tag}")
    story.expect_applied(other.submit(other.claim(token)).only, slug="claim/adds-lines")
    return token
