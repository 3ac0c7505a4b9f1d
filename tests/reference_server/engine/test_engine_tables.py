"""Policy, reason table and field checks: figures and tables the decisions rest on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cartsync.v1 import operation_pb2, policy_pb2, reason_pb2
from cartsync.v1.money_pb2 import Money

from reference_server.engine import instants
from reference_server.engine.address_rules import AddressRules
from reference_server.engine.cart_rules import CartRules
from reference_server.engine.claim_rules import ClaimRules
from reference_server.engine.coupon_rules import CouponRules
from reference_server.engine.deciding import Decider
from reference_server.engine.identifiers import is_sku
from reference_server.engine.kinds import KINDS
from reference_server.engine.payment_rules import PaymentRules
from reference_server.engine.policy import PROFILES, Policy
from reference_server.engine.refusals import REASON_POLICIES, refuse
from reference_server.engine.well_formed import CHECKS, field_violations
from reference_server.engine.wishlist_rules import WishlistRules

# Policy


def test_the_reference_policy_sets_every_field_that_may_not_be_empty() -> None:
    message = Policy().message()
    given = {field.name for field, _ in message.ListFields()}
    assert given == {field.name for field in policy_pb2.SyncPolicy.DESCRIPTOR.fields} - {"features"}
    assert message.replay_window.ToTimedelta() == timedelta(days=7)
    assert list(message.profiles) == sorted(PROFILES)
    assert message.max_wishlist_entry_count == Policy().max_wishlist_entry_count


def test_a_profile_that_is_not_listed_has_no_limit_on_the_wire() -> None:
    message = Policy(profiles=("core", "coupons")).message()
    assert (message.max_coupon_count, message.max_wishlist_entry_count) == (10, 0)
    assert (message.max_address_count, message.max_payment_method_count) == (0, 0)


@pytest.mark.parametrize(
    "figures",
    [
        {"replay_window": timedelta(hours=71)},
        {"outcome_retention": timedelta(days=7, hours=23)},
        {"queue_retention": timedelta(days=399)},
        {"max_operation_bytes": 16_383},
        {"max_submission_operation_count": 99},
        {"max_submission_bytes": 1_048_575},
        {"max_line_quantity": 98},
        {"max_line_quantity": 100_000},
        {"max_line_count": 99},
        {"quarantine_attempt_count": 0},
        {"quarantine_attempt_count": 101},
        {"trouble_retry_delay": timedelta(0)},
        {"profiles": ("streaming",)},
        {"profiles": ("core", "teleport")},
        {"max_wishlist_entry_count": 99},
        {"max_wishlist_entry_count": 5_001},
        {"max_address_count": 9},
        {"max_address_count": 201},
        {"max_payment_method_count": 4},
        {"max_payment_method_count": 101},
        {"max_coupon_count": 0},
        {"max_coupon_count": 21},
    ],
)
def test_a_policy_below_a_floor_is_refused_by_name(figures: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(figures))):
        Policy(**figures)


# Reasons


@pytest.mark.parametrize("number", sorted(REASON_POLICIES))
def test_state_and_disposition_of_a_refusal_are_those_of_its_reason(number: int) -> None:
    number_of_reason: Any = number
    refused = refuse(number_of_reason, "because")
    assert refused.refusal.disposition == REASON_POLICIES[number].disposition
    final = refused.policy.state == reason_pb2.OUTCOME_STATE_REJECTED
    assert refused.policy.recorded == final


def test_every_reason_but_the_zero_value_has_a_policy() -> None:
    assert sorted(REASON_POLICIES) == sorted(n for n in reason_pb2.Reason.values() if n)


# Steps


def test_the_steps_and_rules_are_methods_that_a_variant_can_override() -> None:
    for name in {*Decider.STEPS, *Decider.DISCARD_STEPS}:
        assert callable(getattr(Decider, name))
    for rules in (CartRules, CouponRules, WishlistRules, AddressRules, PaymentRules):
        for name, _ in rules.TABLE:
            assert callable(getattr(rules, name))
    for name in ClaimRules.TABLE:
        assert callable(getattr(ClaimRules, name))


def test_every_intent_but_a_discard_has_its_place_in_every_table() -> None:
    intents = {field.name for field in operation_pb2.CartOperation.DESCRIPTOR.oneofs_by_name["intent"].fields}
    assert set(KINDS) == intents - {"discard"}
    assert set(CHECKS) == intents
    for kind in KINDS.values():
        assert kind.profile in PROFILES
        assert callable(getattr(Decider, kind.judge))
        assert not kind.look_up or callable(getattr(Decider, kind.look_up))


# Fields


def an_add(**fields: Any) -> operation_pb2.AddItem:
    given = {
        "cart_id": "basket",
        "sku": "apple",
        "quantity": 1,
        "observed_unit_price": Money(currency_code="GBP", minor_units=0),
        "quantity_policy": operation_pb2.QUANTITY_POLICY_CLAMP,
    }
    return operation_pb2.AddItem(**{**given, **fields})


def wrong_fields(**intent: Any) -> list[str]:
    return [violation.field for violation in field_violations(operation_pb2.CartOperation(**intent))]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"cart_id": "a b"}, "add_item.cart_id"),
        ({"sku": ""}, "add_item.sku"),
        ({"quantity": 0}, "add_item.quantity"),
        ({"quantity_policy": 0}, "add_item.quantity_policy"),
        ({"quantity_policy": 3}, "add_item.quantity_policy"),
        ({"observed_unit_price": None}, "add_item.observed_unit_price"),
        ({"observed_unit_price": Money(currency_code="gbp")}, "add_item.observed_unit_price.currency_code"),
        (
            {"observed_unit_price": Money(currency_code="GBP", minor_units=-1)},
            "add_item.observed_unit_price.minor_units",
        ),
        ({"max_unit_price": Money(currency_code="EUR")}, "add_item.max_unit_price.currency_code"),
        ({"max_unit_price": Money(currency_code="GBP", minor_units=-1)}, "add_item.max_unit_price.minor_units"),
    ],
)
def test_a_wrong_field_of_an_add_is_named(fields: dict[str, Any], path: str) -> None:
    assert wrong_fields(add_item=an_add()) == []
    assert wrong_fields(add_item=an_add(**fields)) == [path]


def test_wrong_fields_of_the_other_intents_are_named() -> None:
    empty_adjust = operation_pb2.AdjustQuantity(unless_changed_since=-1)
    assert wrong_fields(adjust_quantity=empty_adjust) == [
        "adjust_quantity.cart_id",
        "adjust_quantity.sku",
        "adjust_quantity.delta",
        "adjust_quantity.quantity_policy",
        "adjust_quantity.unless_changed_since",
    ]
    negative = operation_pb2.SetQuantity(
        cart_id="c", sku="s", quantity=-1, quantity_policy=operation_pb2.QUANTITY_POLICY_EXACT
    )
    assert wrong_fields(set_quantity=negative) == ["set_quantity.quantity"]
    guarded = operation_pb2.RemoveItem(cart_id="c", sku="s", unless_changed_since=-1)
    assert wrong_fields(remove_item=guarded) == ["remove_item.unless_changed_since"]


@pytest.mark.parametrize("sku", ["a", "a b", "Ünï\u200bcode", "\U0001f34e" * 64, "\u00a0x", "´"])
def test_a_sku_may_hold_any_character_that_is_no_control(sku: str) -> None:
    assert is_sku(sku)


@pytest.mark.parametrize("sku", ["", " a", "a ", "a\tb", "a\x00", "a\x7f", "a\x85b", "x" * 65])
def test_a_sku_with_a_control_character_or_space_at_an_end_is_malformed(sku: str) -> None:
    assert not is_sku(sku)


# Instants


def test_instants_go_on_the_wire_to_the_microsecond_and_refuse_naive_clocks() -> None:
    moment = datetime(2026, 11, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    assert instants.timestamp(instants.to_us(moment)).ToDatetime(UTC) == moment
    assert instants.timestamp(-1).nanos == 999_999_000
    with pytest.raises(ValueError, match="aware"):
        instants.to_us(datetime(2026, 11, 1))
