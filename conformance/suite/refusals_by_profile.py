"""One way to provoke each reason of the profiles beside the core, as `refusals` does for the core.

None comes back where the server does not list the profile.
"""

from __future__ import annotations

from datetime import timedelta

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.addresses import HOME, changed, made
from conformance.suite.openings import put_in_cart
from conformance.suite.refusals import Refused, Result
from conformance.wire import Device, Story


def _already_applied(story: Story) -> Result:
    return _coupon(story, there=True)


def _unknown(story: Story) -> Result:
    return _coupon(story, withdrawn=True)


def _not_started(story: Story) -> Result:
    return _coupon(story, start=story.shop.now() + timedelta(hours=1))


def _expired(story: Story) -> Result:
    return _coupon(story, end=story.shop.now() - timedelta(hours=1))


def _not_eligible(story: Story) -> Result:
    other = f"other-{story.tag}"
    story.shop.credential(other)
    return _coupon(story, eligible=[other])


def _already_used(story: Story) -> Result:
    return _coupon(story, elsewhere=True, once=True)


def _not_stackable(story: Story) -> Result:
    return _coupon(story, beside=1, stackable=False)


def _too_many_coupons(story: Story) -> Result:
    return _coupon(story, beside=story.policy.max_coupon_count)


def _coupon(story: Story, *, there: bool = False, elsewhere: bool = False, beside: int = 0, **terms: object) -> Result:
    """Apply a coupon of these terms to a cart, where it is already, or on another, or has others beside it."""
    if "coupons" not in story.policy.profiles:
        return None
    phone, tea, code = story.device(), story.sku(), f"coupon-{story.tag}"
    put_in_cart(story, phone, tea, 2)
    story.shop.promotion(code, amount=10, **terms)  # type: ignore[arg-type]  # the terms are the caller's
    for number in range(beside):
        other = f"beside{number}-{story.tag}"
        story.shop.promotion(other, amount=10)
        _apply(story, phone, phone.apply_coupon(other))
    if there:
        _apply(story, phone, phone.apply_coupon(code))
    if elsewhere:
        story.expect_applied(phone.submit(phone.add(tea, cart_id="elsewhere")).only, slug="cart/add-adds")
        _apply(story, phone, phone.apply_coupon(code, cart_id="elsewhere"))
    return phone.submit(phone.apply_coupon(code)).only


def _apply(story: Story, device: Device, operation: operation_pb2.CartOperation) -> None:
    story.expect_applied(device.submit(operation).only, slug="coupons/apply")


def _wishlist_full(story: Story) -> Result:
    if "wishlist" not in story.policy.profiles:
        return None
    phone, most = story.device(), story.policy.max_wishlist_entry_count
    size = min(story.policy.max_submission_operation_count, 100)
    wishes = [phone.wish(f"wish{number}-{story.tag}") for number in range(most)]
    for start in range(0, most, size):
        for result in phone.submit(*wishes[start : start + size]).results:
            story.expect_applied(result, slug="wishlist/add")
    return phone.submit(phone.wish(f"more-{story.tag}")).only


def _claim_token_invalid(story: Story) -> Result:
    if "guest_claim" not in story.policy.profiles:
        return None
    phone = story.device()
    return phone.submit(phone.claim("no-token-of-this-server")).only


def _guest_already_claimed(story: Story) -> Result:
    claimed = _claimed_guest(story)
    if claimed is None:
        return None
    _, token = claimed
    stranger = story.device("stranger", principal=f"other-{story.tag}")
    return stranger.submit(stranger.claim(token)).only


def _principal_claimed(story: Story) -> Result:
    claimed = _claimed_guest(story)
    if claimed is None:
        return None
    guest, _ = claimed
    return guest.submit(guest.add(story.sku())).only


def _claimed_guest(story: Story) -> tuple[Device, str] | None:
    """A guest that the story's own principal has claimed, and its token."""
    if "guest_claim" not in story.policy.profiles:
        return None
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, story.sku(), 2)
    token = guest.connection.claim_token()
    story.expect_applied(phone.submit(phone.claim(token)).only, slug="claim/adds-lines")
    return guest, token


def _address_not_found(story: Story) -> Result:
    if "address_book" not in story.policy.profiles:
        return None
    phone = story.device()
    return phone.submit(phone.put_address(phone.new_key(), HOME, base=1)).only


def _address_incomplete(story: Story) -> Result:
    if "address_book" not in story.policy.profiles:
        return None
    phone = story.device()
    return phone.submit(phone.put_address(phone.new_key(), HOME, mask=["recipient", "address_lines"])).only


def _address_book_full(story: Story) -> Result:
    if "address_book" not in story.policy.profiles:
        return None
    phone, most = story.device(), story.policy.max_address_count
    addresses = [phone.put_address(phone.new_key(), HOME) for _ in range(most)]
    for start in range(0, most, 50):
        for result in phone.submit(*addresses[start : start + 50]).results:
            story.expect_applied(result, slug="address/create")
    return phone.submit(phone.put_address(phone.new_key(), HOME)).only


def _address_changed(story: Story) -> Result:
    if "address_book" not in story.policy.profiles:
        return None
    phone, tablet = story.device(), story.device("tablet")
    address_id, seen = made(story, phone)
    edit = tablet.put_address(address_id, changed(HOME, label="Den"))
    story.expect_applied(tablet.submit(edit).only, slug="address/unguarded")
    return phone.submit(phone.delete_address(address_id, base=seen.revision)).only


def _payment_token_invalid(story: Story) -> Result:
    if "payment_methods" not in story.policy.profiles:
        return None
    phone = story.device()
    return phone.submit(phone.save_payment_method(phone.new_key(), f"bad-{story.tag}")).only


def _payment_methods_full(story: Story) -> Result:
    if "payment_methods" not in story.policy.profiles:
        return None
    phone, most, token = story.device(), story.policy.max_payment_method_count, f"good-{story.tag}"
    story.shop.payment_token(token)
    story.shop.payment_rate_limit(most + 1)
    for result in phone.submit(*(phone.save_payment_method(phone.new_key(), token) for _ in range(most))).results:
        story.expect_applied(result, slug="payment/save")
    return phone.submit(phone.save_payment_method(phone.new_key(), token)).only


def _card_number_refused(story: Story) -> Result:
    if "security" not in story.policy.profiles:
        return None
    phone = story.device()
    operation = phone.add(story.sku())
    operation.session_context.client_name = "4111 1111 1111 1111"
    return phone.submit(operation).only


def _naming(field: str) -> outcome_pb2.Refusal:
    return outcome_pb2.Refusal(field_violations=[outcome_pb2.FieldViolation(field=field)])


_NONE = outcome_pb2.Refusal()
_R = reason_pb2

REFUSALS_BY_PROFILE = (
    Refused(_R.REASON_COUPON_ALREADY_APPLIED, "coupons/already-applied", _already_applied, _NONE),
    Refused(_R.REASON_COUPON_UNKNOWN, "coupons/unknown", _unknown, _NONE),
    Refused(_R.REASON_COUPON_NOT_STARTED, "coupons/start-and-end", _not_started, _NONE),
    Refused(_R.REASON_COUPON_EXPIRED, "coupons/start-and-end", _expired, _NONE),
    Refused(_R.REASON_COUPON_NOT_ELIGIBLE, "coupons/eligible-principals", _not_eligible, _NONE),
    Refused(_R.REASON_COUPON_ALREADY_USED, "coupons/once-per-principal", _already_used, _NONE),
    Refused(_R.REASON_COUPON_NOT_STACKABLE, "coupons/stackable", _not_stackable, _NONE),
    Refused(_R.REASON_COUPON_LIMIT_EXCEEDED, "coupons/limit", _too_many_coupons, _NONE),
    Refused(_R.REASON_WISHLIST_FULL, "wishlist/full", _wishlist_full, _NONE),
    Refused(_R.REASON_CLAIM_TOKEN_INVALID, "claim/token-checked", _claim_token_invalid, _NONE),
    Refused(_R.REASON_GUEST_ALREADY_CLAIMED, "claim/other-account", _guest_already_claimed, _NONE),
    Refused(_R.REASON_PRINCIPAL_CLAIMED, "claim/guest-closed", _principal_claimed, _NONE),
    Refused(_R.REASON_ADDRESS_NOT_FOUND, "address/edit-missing", _address_not_found, _NONE),
    Refused(
        _R.REASON_ADDRESS_INCOMPLETE,
        "address/incomplete",
        _address_incomplete,
        _naming("put_address.address.region_code"),
    ),
    Refused(_R.REASON_ADDRESS_BOOK_FULL, "address/full", _address_book_full, _NONE),
    Refused(_R.REASON_ADDRESS_CHANGED, "address/delete-changed", _address_changed, _NONE),
    Refused(_R.REASON_PAYMENT_TOKEN_INVALID, "payment/token-checked", _payment_token_invalid, _NONE),
    Refused(_R.REASON_PAYMENT_METHODS_FULL, "payment/full", _payment_methods_full, _NONE),
    Refused(
        _R.REASON_CARD_NUMBER_REFUSED,
        "security/card-number-refused",
        _card_number_refused,
        _naming("session_context.client_name"),
    ),
)
