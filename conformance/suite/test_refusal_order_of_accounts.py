"""Checks of deciding/refusal-order for addresses (10.1) and payment methods (11.1), and where card numbers stand."""

# ruff: noqa: ARG001 - all stories have one form

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.addresses import HOME, changed, made
from conformance.suite.edits import edited
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story

R = reason_pb2.Reason
VISA = "4111111111111111"

# Each story returns the operation that two rules refuse, and the reason of the first.
Refused = tuple[operation_pb2.CartOperation, reason_pb2.Reason.ValueType]
Arranged = Callable[[Story, Device], Refused]


def _missing_before_incomplete(story: Story, phone: Device) -> Refused:
    made(story, phone)
    return phone.put_address(phone.new_key(), HOME, mask=["label"], base=1), R.REASON_ADDRESS_NOT_FOUND


def _missing_before_full(story: Story, phone: Device) -> Refused:
    _fill_book(story, phone)
    return phone.put_address(phone.new_key(), HOME, base=1), R.REASON_ADDRESS_NOT_FOUND


def _incomplete_before_full(story: Story, phone: Device) -> Refused:
    _fill_book(story, phone)
    return phone.put_address(phone.new_key(), HOME, mask=["label"], base=0), R.REASON_ADDRESS_INCOMPLETE


def _malformed_before_missing(story: Story, phone: Device) -> Refused:
    made(story, phone)
    wrong = changed(HOME, region_code="England")
    return phone.put_address(phone.new_key(), wrong, base=1), R.REASON_MALFORMED


def _card_number_before_malformed(story: Story, phone: Device) -> Refused:
    return phone.put_address(phone.new_key(), changed(HOME, region_code=VISA)), R.REASON_CARD_NUMBER_REFUSED


def _card_number_before_bad_token(story: Story, phone: Device) -> Refused:
    return phone.save_payment_method(phone.new_key(), f"tok_{VISA}"), R.REASON_CARD_NUMBER_REFUSED


def _malformed_before_bad_token(story: Story, phone: Device) -> Refused:
    bad = phone.save_payment_method(phone.new_key(), f"bad-{story.tag}", label="x" * 65)
    return bad, R.REASON_MALFORMED


def _malformed_before_backend(story: Story, phone: Device) -> Refused:
    story.shop.backend(available=False)
    return _malformed_before_bad_token(story, phone)


def _saving_limit_before_card_number(story: Story, phone: Device) -> Refused:
    story.shop.payment_rate_limit(0)
    return _card_number_before_bad_token(story, phone)[0], R.REASON_RATE_LIMITED


def _saving_limit_before_backend(story: Story, phone: Device) -> Refused:
    story.shop.payment_rate_limit(0)
    story.shop.backend(available=False)
    return phone.save_payment_method(phone.new_key(), f"bad-{story.tag}"), R.REASON_RATE_LIMITED


def _backend_before_full(story: Story, phone: Device) -> Refused:
    token = _fill_methods(story, phone)
    story.shop.backend(available=False)
    return phone.save_payment_method(phone.new_key(), token), R.REASON_BACKEND_UNAVAILABLE


def _bad_token_before_full(story: Story, phone: Device) -> Refused:
    _fill_methods(story, phone)
    return phone.save_payment_method(phone.new_key(), f"bad-{story.tag}"), R.REASON_PAYMENT_TOKEN_INVALID


def _key_reused_before_card_number(story: Story, phone: Device) -> Refused:
    used, _ = put_in_cart(story, phone, story.sku())
    again = edited(_with_card_number(story, phone), idempotency_key=used.idempotency_key)
    return again, R.REASON_KEY_REUSED


def _card_number_before_feature(story: Story, phone: Device) -> Refused:
    operation = _with_card_number(story, phone)
    operation.required_features.append("x-nobody-has-this")
    return operation, R.REASON_CARD_NUMBER_REFUSED


def _card_number_before_unknown_intent(story: Story, phone: Device) -> Refused:
    operation = _with_card_number(story, phone)
    operation.ClearField("add_item")
    return operation, R.REASON_CARD_NUMBER_REFUSED


def _card_number_before_backend(story: Story, phone: Device) -> Refused:
    story.shop.backend(available=False)
    return _with_card_number(story, phone), R.REASON_CARD_NUMBER_REFUSED


BOOK: tuple[Arranged, ...] = (
    _missing_before_incomplete,
    _missing_before_full,
    _incomplete_before_full,
    _malformed_before_missing,
    _card_number_before_malformed,
)
METHODS: tuple[Arranged, ...] = (
    _card_number_before_bad_token,
    _malformed_before_bad_token,
    _malformed_before_backend,
    _saving_limit_before_card_number,
    _saving_limit_before_backend,
    _backend_before_full,
    _bad_token_before_full,
)
CARD_NUMBERS: tuple[Arranged, ...] = (
    _key_reused_before_card_number,
    _card_number_before_feature,
    _card_number_before_unknown_intent,
    _card_number_before_backend,
)
ARRANGED = (
    *(("address_book", arrange) for arrange in BOOK),
    *(("payment_methods", arrange) for arrange in METHODS),
    *(("security", arrange) for arrange in CARD_NUMBERS),
)


@requirement("deciding/refusal-order")
@pytest.mark.parametrize(
    ("profile", "arrange"), ARRANGED, ids=[rule.__name__.strip("_").replace("_", " ") for _, rule in ARRANGED]
)
def test_of_two_rules_for_an_account_the_first_is_reported(story: Story, profile: str, arrange: Arranged) -> None:
    """Sends an operation that two rules refuse; nothing to see on a server without the profile."""
    if profile not in story.policy.profiles:
        return
    phone = story.device()
    operation, reason = arrange(story, phone)
    story.expect_refused(phone.submit(operation).only, reason)


def _with_card_number(story: Story, phone: Device) -> operation_pb2.CartOperation:
    operation = phone.add(story.sku(), 1)
    operation.session_context.client_name = VISA
    return operation


def _fill_book(story: Story, phone: Device) -> None:
    """As many addresses as the book may have."""
    most = story.policy.max_address_count
    addresses = [phone.put_address(phone.new_key(), HOME) for _ in range(most)]
    for start in range(0, most, 50):
        for result in phone.submit(*addresses[start : start + 50]).results:
            story.expect_applied(result, slug="address/full")


def _fill_methods(story: Story, phone: Device) -> str:
    """As many payment methods as there may be; the token of them all."""
    token, most = f"good-{story.tag}", story.policy.max_payment_method_count
    story.shop.payment_token(token)
    story.shop.payment_rate_limit(most + 1)
    for result in phone.submit(*(phone.save_payment_method(phone.new_key(), token) for _ in range(most))).results:
        story.expect_applied(result, slug="payment/full")
    return token
