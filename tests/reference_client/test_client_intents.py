"""Intents are checked before they are written down, by the ranges that the protocol gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_client import InvalidIntentError, Price, intents


@pytest.mark.parametrize(
    ("text", "currency", "minor_units"),
    [
        ("2.55GBP", "GBP", 255),
        ("2.5 eur", "EUR", 250),
        ("3GBP", "GBP", 300),
        ("255JPY", "JPY", 255),
        ("0.255KWD", "KWD", 255),
        ("0GBP", "GBP", 0),
    ],
)
def test_prices_are_read_to_the_minor_unit_of_their_currency(text: str, currency: str, minor_units: int) -> None:
    assert Price.parse(text) == Price(currency, minor_units)


@pytest.mark.parametrize("text", ["", "GBP", "2.55", "2.555GBP", "1.5JPY", "-1GBP", "1e3GBP", "٣GBP", "9" * 30 + "GBP"])
def test_what_is_no_exact_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidIntentError, match=r"^price: "):
        Price.parse(text)


@given(currency=st.sampled_from(["GBP", "JPY", "KWD", "CLF"]), minor_units=st.integers(0, 10**15))
def test_what_is_written_for_people_reads_back_as_the_same(currency: str, minor_units: int) -> None:
    assert Price.parse(str(Price(currency, minor_units))) == Price(currency, minor_units)


@pytest.mark.parametrize("sku", ["", " A", "A ", "A\nB", "A\x00", "A\x7f", "x" * 65, "\ud800"])
def test_a_product_code_that_no_server_takes_is_refused(sku: str) -> None:
    with pytest.raises(InvalidIntentError, match=r"^sku: "):
        intents.remove_item(sku)


@pytest.mark.parametrize("sku", ["A", "Ünïcödé 茶", "two words", "x" * 64])
def test_any_other_product_code_is_taken_as_it_is(sku: str) -> None:
    assert intents.remove_item(sku).remove_item.sku == sku


def test_guards_and_quantities_keep_to_their_ranges() -> None:
    assert intents.guard_of(intents.set_quantity("A", 0, unless_changed_since=0)) == 0
    assert intents.guard_of(intents.set_quantity("A", 0)) is None
    for wrong in (
        lambda: intents.set_quantity("A", -1),
        lambda: intents.set_quantity("A", 2**31),
        lambda: intents.adjust_quantity("A", 0),
        lambda: intents.remove_item("A", unless_changed_since=-1),
        lambda: intents.add_item("A", quantity=0, price=Price("GBP", 1)),
        lambda: Price("gbp", 1),
        lambda: Price("GBP", -1),
    ):
        with pytest.raises(InvalidIntentError):
            wrong()
