"""The payload digest: equal when the meaning is equal, and only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cartsync.v1 import address_pb2, operation_pb2
from cartsync.v1.money_pb2 import Money
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from reference_server.engine import digest

KEY = b"k" * 32
Operation = operation_pb2.CartOperation


def digest_of(operation: operation_pb2.CartOperation) -> bytes:
    return digest.payload_digest(KEY, operation)


def an_add() -> operation_pb2.CartOperation:
    return Operation(
        add_item=operation_pb2.AddItem(
            cart_id="basket",
            sku="apple",
            quantity=2,
            observed_unit_price=Money(currency_code="GBP", minor_units=255),
            quantity_policy=operation_pb2.QUANTITY_POLICY_EXACT,
        ),
        required_features=["b", "a"],
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda op: op.add_item.__setattr__("cart_id", "other"),
        lambda op: op.add_item.__setattr__("sku", "bread"),
        lambda op: op.add_item.__setattr__("quantity", 3),
        lambda op: op.add_item.__setattr__("quantity_policy", operation_pb2.QUANTITY_POLICY_CLAMP),
        lambda op: op.add_item.observed_unit_price.__setattr__("minor_units", 256),
        lambda op: op.add_item.observed_unit_price.__setattr__("currency_code", "EUR"),
        lambda op: op.add_item.ClearField("observed_unit_price"),
        lambda op: op.add_item.max_unit_price.SetInParent(),
        lambda op: op.add_item.max_unit_price.__setattr__("minor_units", 255),
        lambda op: op.required_features.append("c"),
        lambda op: op.required_features.pop(),
        lambda op: op.ClearField("intent"),
        lambda op: op.remove_item.CopyFrom(operation_pb2.RemoveItem(cart_id="basket", sku="apple")),
    ],
)
def test_every_field_with_meaning_counts(change: Callable[[operation_pb2.CartOperation], None]) -> None:
    other = an_add()
    change(other)
    assert digest_of(other) != digest_of(an_add())


def test_what_carries_no_meaning_does_not_count() -> None:
    other = an_add()
    other.enqueue_time.CopyFrom(Timestamp(seconds=9))
    other.session_context.locale = "cy"
    other.required_features.extend(["a", "a"])
    assert digest_of(other) == digest_of(an_add())


def test_a_guard_of_0_is_not_the_absence_of_a_guard() -> None:
    absent, present = Operation(), Operation()
    absent.remove_item.sku = present.remove_item.sku = "apple"
    present.remove_item.unless_changed_since = 0
    assert digest_of(absent) != digest_of(present)


def test_the_key_of_the_store_counts() -> None:
    assert digest.payload_digest(b"x" * 32, an_add()) != digest_of(an_add())


def test_a_field_list_that_is_not_known_is_an_error_and_never_another_list() -> None:
    with pytest.raises(KeyError):
        digest.payload_digest(KEY, an_add(), version=99)


def test_the_first_field_list_never_changes() -> None:
    """Records made by it live on; if this fails, add a list beside it instead of editing it."""
    assert digest.payload_digest(KEY, an_add(), 1).hex() == PINNED


def test_every_intent_has_a_list_that_names_all_of_its_fields() -> None:
    kinds = Operation.DESCRIPTOR.oneofs_by_name["intent"].fields
    for kind in kinds:
        assert kind.message_type is not None
        listed = {path.lstrip("?*%") for path in digest.FIELD_LISTS[digest.CURRENT_VERSION][kind.name]}
        assert {path.split(".")[0] for path in listed} == {field.name for field in kind.message_type.fields}
    address = {path.lstrip("*") for path in digest.FIELD_LISTS[digest.CURRENT_VERSION]["put_address"]}
    assert {f"address.{field.name}" for field in address_pb2.Address.DESCRIPTOR.fields} <= address


# What the first list did not have


def an_edit(**fields: Any) -> operation_pb2.CartOperation:
    given = {
        "address_id": "a",
        "base_revision": 3,
        "update_mask": FieldMask(paths=["recipient", "address_lines"]),
        "address": address_pb2.Address(recipient="Ada", address_lines=["1 Road", "Floor 2"]),
    }
    return Operation(put_address=operation_pb2.PutAddress(**{**given, **fields}))


@pytest.mark.parametrize(
    "fields",
    [
        {"address_id": "b"},
        {"base_revision": 0},
        {"base_revision": None},
        {"update_mask": FieldMask(paths=["recipient"])},
        {"address": None},
        {"address": address_pb2.Address(recipient="Ada", address_lines=["1 Road, Floor 2"])},
        {"address": address_pb2.Address(recipient="Ada", address_lines=["Floor 2", "1 Road"])},
        {"address": address_pb2.Address(recipient="Ada", address_lines=["1 Road", "Floor 2"], label="x")},
    ],
)
def test_every_field_of_an_address_edit_counts(fields: dict[str, Any]) -> None:
    assert digest_of(an_edit(**fields)) != digest_of(an_edit())


def test_of_an_update_mask_the_set_of_names_counts() -> None:
    paths = ["address_lines", "recipient", "recipient"]
    assert digest_of(an_edit(update_mask=FieldMask(paths=paths))) == digest_of(an_edit())
    assert digest_of(an_edit(update_mask=None)) == digest_of(an_edit(update_mask=FieldMask()))


def test_an_absent_address_differs_from_an_empty_one() -> None:
    assert digest_of(an_edit(address=None)) != digest_of(an_edit(address=address_pb2.Address()))


def test_under_a_list_that_did_not_know_a_kind_it_is_the_unknown_intent_it_was_then() -> None:
    """A server that was upgraded still recognises what it rejected before as unsupported."""
    wish = Operation(add_to_wishlist=operation_pb2.AddToWishlist(sku="apple"), required_features=["a"])
    unknown_then = Operation(required_features=["a"])
    assert digest.payload_digest(KEY, wish, 1) == digest.payload_digest(KEY, unknown_then, 1)
    assert digest_of(wish) != digest_of(unknown_then)


def test_of_an_operation_with_a_card_number_the_kind_alone_counts() -> None:
    one, other = an_edit(), an_edit(address_id="b")
    assert digest.card_number_digest(KEY, one) == digest.card_number_digest(KEY, other)
    assert digest.card_number_digest(KEY, one) != digest.card_number_digest(KEY, an_add())
    assert digest.card_number_digest(KEY, one) != digest_of(one)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(one=st.tuples(TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS), features=st.lists(TEXTS, max_size=3))
def test_no_text_can_pass_for_two_fields(one: tuple[str, str], other: tuple[str, str], features: list[str]) -> None:
    def removal(names: tuple[str, str]) -> operation_pb2.CartOperation:
        intent = operation_pb2.RemoveItem(cart_id=names[0], sku=names[1])
        return Operation(remove_item=intent, required_features=features)

    assert (digest_of(removal(one)) == digest_of(removal(other))) == (one == other)


PINNED = "23341c4408d50466727b1ba2d04b6e70ffcf5f98250ee662b1066dd792b88318"
