"""Wishlist and payment methods: the rules alone, and the form of their intents."""

from __future__ import annotations

from typing import Any

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.operands import operand
from reference_server.engine.payment_rules import KeptPaymentMethod, PaymentCase, PaymentRules, payments_for
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.well_formed import field_violations
from reference_server.engine.wishlist_rules import Wish, WishCase, WishlistRules
from reference_server.ports import BackendUnavailableError, PaymentDetails

POLICY = Policy(max_wishlist_entry_count=100, max_payment_method_count=5)
CHANGE = Change("queue", 4, 1_700)
ID = "0b0c5f1e-0000-4000-8000-000000000001"
VISA = PaymentDetails("visa", "1111", 12, 2029)


def wish(kind: str, value: bytes | None = None, entry_count: int = 0) -> EntryOutcome | Refused:
    return WishlistRules(POLICY).judge(WishCase(kind=kind, value=value, entry_count=entry_count, change=CHANGE))


def reason(judged: EntryOutcome | Refused) -> str:
    assert isinstance(judged, Refused), judged
    return reason_pb2.Reason.Name(judged.refusal.reason)


def test_a_wish_is_kept_with_the_time_it_was_decided() -> None:
    judged = wish("add_to_wishlist", entry_count=99)
    assert judged == EntryOutcome(Wish(1_700).encoded(), changed=True)
    assert isinstance(judged, EntryOutcome)
    assert judged.value is not None
    assert Wish.decoded(judged.value).add_time_us == 1_700


def test_what_is_there_stays_as_it_was_also_on_a_full_list() -> None:
    assert wish("add_to_wishlist", b"old", 100) == EntryOutcome(b"old", changed=False)
    assert reason(wish("add_to_wishlist", None, 100)) == "REASON_WISHLIST_FULL"


def test_removing_changes_something_only_when_it_was_there() -> None:
    assert wish("remove_from_wishlist", b"old", 100) == EntryOutcome(None, changed=True)
    assert wish("remove_from_wishlist", None, 100) == EntryOutcome(None, changed=False)


def save(**fields: Any) -> operation_pb2.SavePaymentMethod:
    given = {"payment_method_id": ID, "provider": "acme-pay", "provider_token": "tok_1", "label": "Mine"}
    return operation_pb2.SavePaymentMethod(**{**given, **fields})


def saving(
    details: PaymentDetails | None = VISA, value: bytes | None = None, entry_count: int = 0, **fields: Any
) -> EntryOutcome | Refused:
    case = PaymentCase(
        kind="save_payment_method", intent=save(**fields), value=value, entry_count=entry_count, details=details
    )
    return PaymentRules(POLICY).judge(case)


def kept(judged: EntryOutcome | Refused) -> bytes:
    assert isinstance(judged, EntryOutcome)
    assert judged.value is not None
    return judged.value


def test_a_payment_method_is_kept_as_the_provider_describes_it() -> None:
    method = KeptPaymentMethod.decoded(kept(saving()))
    assert (method.provider, method.provider_token, method.label) == ("acme-pay", "tok_1", "Mine")
    assert (method.brand, method.last_four, method.expiry_month, method.expiry_year) == ("visa", "1111", 12, 2029)
    assert "tok_1" not in repr(method)


def test_saving_the_same_again_is_no_change_and_anything_else_is() -> None:
    value = kept(saving())
    assert saving(value=value) == EntryOutcome(value, changed=False)
    for other in (
        saving(PaymentDetails("visa", "1111", 12, 2031), value),
        saving(value=value, label="Yours"),
        saving(value=value, provider_token="tok_2"),
        saving(value=value, provider="other"),
    ):
        assert isinstance(other, EntryOutcome)
        assert other.changed


def test_a_token_without_a_provider_behind_it_is_refused_before_the_room_is_looked_at() -> None:
    assert reason(saving(None, entry_count=5)) == "REASON_PAYMENT_TOKEN_INVALID"
    assert reason(saving(entry_count=5)) == "REASON_PAYMENT_METHODS_FULL"
    assert isinstance(saving(value=kept(saving()), entry_count=5), EntryOutcome)
    assert isinstance(saving(entry_count=4), EntryOutcome)


def test_deleting_asks_nobody() -> None:
    for value in (b"kept", None):
        case = PaymentCase(
            kind="delete_payment_method",
            intent=operation_pb2.DeletePaymentMethod(payment_method_id=ID),
            value=value,
            entry_count=5,
        )
        assert PaymentRules(POLICY).judge(case) == EntryOutcome(None, changed=value is not None)


class Provider:
    """Says one thing of every token."""

    def __init__(self, details: PaymentDetails | None) -> None:
        self._details = details

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        assert (principal, provider, token) == ("ada", "acme-pay", "tok_1")
        return self._details


@pytest.mark.parametrize("details", [VISA, PaymentDetails(), None])
def test_a_sane_answer_of_a_provider_is_passed_on(details: PaymentDetails | None) -> None:
    assert payments_for(Provider(details), "ada")("acme-pay", "tok_1") == details


@pytest.mark.parametrize(
    "details",
    [
        PaymentDetails(expiry_month=13),
        PaymentDetails(expiry_month=-1),
        PaymentDetails(expiry_year=2**31),
        PaymentDetails(last_four="4111111111111111"),
        PaymentDetails(brand="x" * 65),
    ],
)
def test_an_answer_that_the_protocol_must_not_carry_counts_as_none(details: PaymentDetails) -> None:
    with pytest.raises(BackendUnavailableError) as error:
        payments_for(Provider(details), "ada")("acme-pay", "tok_1")
    assert "4111" not in str(error.value)


# Form


def wrong(**intent: Any) -> list[str]:
    (kind,) = intent
    fields = [violation.field for violation in field_violations(operation_pb2.CartOperation(**intent))]
    assert all(field.startswith(f"{kind}.") for field in fields)
    return [field.removeprefix(f"{kind}.") for field in fields]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, None),
        ({"label": "", "provider_token": "!" + "~" * 511, "provider": "x" * 64}, None),
        ({"label": "\U0001f4b3" * 64}, None),
        ({"payment_method_id": ID.upper()}, "payment_method_id"),
        ({"payment_method_id": ""}, "payment_method_id"),
        ({"provider": ""}, "provider"),
        ({"provider": "a b"}, "provider"),
        ({"provider": "x" * 65}, "provider"),
        ({"provider_token": ""}, "provider_token"),
        ({"provider_token": "a b"}, "provider_token"),
        ({"provider_token": "é"}, "provider_token"),
        ({"provider_token": "x" * 513}, "provider_token"),
        ({"label": "x" * 65}, "label"),
        ({"label": "a\tb"}, "label"),
    ],
)
def test_the_fields_of_a_payment_method_have_their_ranges(fields: dict[str, str], path: str | None) -> None:
    assert wrong(save_payment_method=save(**fields)) == ([] if path is None else [path])


def test_the_fields_of_the_other_intents_have_their_ranges() -> None:
    assert wrong(delete_payment_method=operation_pb2.DeletePaymentMethod()) == ["payment_method_id"]
    assert wrong(add_to_wishlist=operation_pb2.AddToWishlist(sku=" x")) == ["sku"]
    assert wrong(remove_from_wishlist=operation_pb2.RemoveFromWishlist()) == ["sku"]
    assert wrong(apply_coupon=operation_pb2.ApplyCoupon()) == ["cart_id", "coupon_code"]
    assert wrong(remove_coupon=operation_pb2.RemoveCoupon(cart_id="c", coupon_code="x" * 65)) == ["coupon_code"]
    claim = operation_pb2.ClaimGuestCart(claim_token="x" * 1025, guest_cart_id="a b")
    assert wrong(claim_guest_cart=claim) == ["claim_token", "guest_cart_id", "cart_id"]


# What is read


def test_an_unknown_intent_or_a_discard_touches_nothing_but_its_queue() -> None:
    for operation in (
        operation_pb2.CartOperation(sequence=3, idempotency_key="k"),
        operation_pb2.CartOperation(sequence=3, idempotency_key="k", discard=operation_pb2.Discard()),
    ):
        touched = operand(operation)
        assert (touched.sequence, touched.idempotency_key, touched.cart_id, touched.sku) == (3, "k", "", "")
        assert (touched.entries, touched.whole_collections, touched.guest) == ((), (), None)


def test_every_other_intent_touches_something() -> None:
    for field in operation_pb2.CartOperation.DESCRIPTOR.oneofs_by_name["intent"].fields:
        if field.name == "discard":
            continue
        operation = operation_pb2.CartOperation()
        intent = getattr(operation, field.name)
        intent.SetInParent()
        for inner in intent.DESCRIPTOR.fields:
            if inner.cpp_type == inner.CPPTYPE_STRING and inner.name != "claim_token":
                setattr(intent, inner.name, "x")
        touched = operand(operation)
        assert touched.cart_id or touched.entries, field.name
