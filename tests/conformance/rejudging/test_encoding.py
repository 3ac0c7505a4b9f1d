"""The oracle's values come back from JSON as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.oracle.observations import (
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedEffect,
    ObservedLookup,
    ObservedPaymentMethods,
    ObservedWishlist,
)
from conformance.oracle.values import Money, Offer, Promotion, State, Submission
from conformance.rejudging.encoding import EncodingError, decode, encode

KINDS = (
    Submission,
    ObservedAnswer,
    ObservedCart,
    ObservedLookup,
    ObservedEffect,
    ObservedWishlist,
    ObservedAddressBook,
    ObservedPaymentMethods,
    Offer,
    Promotion,
)
st.register_type_strategy(float, st.floats(allow_nan=False))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_written_is_read_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    value = data.draw(st.from_type(kind))
    written = json.loads(json.dumps(encode(value, kind)))
    assert decode(written, kind, "value") == value


def test_several_kinds_in_one_place_are_told_apart_and_empty_fields_are_left_out() -> None:
    assert encode(Money("GBP", 0), Money | None) == {"currency": "GBP", "minor": 0}
    assert encode(Money("GBP", 1), Money | Offer) == {"is": "Money", "currency": "GBP", "minor": 1}
    assert encode(Offer(Money("GBP", 1)), Offer) == {"price": {"currency": "GBP", "minor": 1}, "listed": True}
    assert decode(None, Money | None, "here") is None


@pytest.mark.parametrize(
    ("entry", "kind", "problem"),
    [
        ({"currency": "GBP"}, Money, "here lacks a field"),
        ({"currency": "GBP", "minor": "1"}, Money, "here.minor is '1', not of type int"),
        ({"currency": "GBP", "minor": True}, Money, "here.minor is True, not of type int"),
        ({"is": "Coin"}, Money | Offer, "here is a 'Coin'; known are Money, Offer"),
        (None, Money, "here is missing"),
        (["APPLIED"], State, "here is"),
        ("DONE", State, "here is 'DONE'; possible are APPLIED"),
        ([1], tuple[int, int], "here has 1 entries, not 2"),
        ({}, tuple[int, ...], "not of type list"),
        ("!", bytes, "here is no base64"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(entry: object, kind: Any, problem: str) -> None:
    with pytest.raises(EncodingError, match=problem):
        decode(entry, kind, "here")
