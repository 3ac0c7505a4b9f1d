"""From rows to the plan of a day: the catalogue, the price moves and what is captured when."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from synthetic_orders import cells

from benchmarks.real_orders.day import Capture, Day, PriceMove, is_product, plan
from benchmarks.real_orders.exceptions import UsageError
from benchmarks.real_orders.orders import read_row

THE_DAY = date(2031, 3, 4)


def planned(*rows: dict[str, str | None], day: date | None = THE_DAY) -> Day:
    return plan([read_row(row) for row in rows], day)


def at(minute: int) -> str:
    return f"2031-03-04 09:{minute:02}:00"


def test_the_catalogue_opens_with_the_first_price_of_the_day_and_moves_with_the_sales() -> None:
    day = planned(
        cells(time=at(2), price="3.00"),
        cells(time=at(0), price="2.55"),
        cells(time=at(1), price="2.55", customer=""),
        cells(time=at(3), price="2.55", customer=""),
    )
    assert day.opening_prices == {"70001": 255}
    moves = [event for event in day.events if isinstance(event, PriceMove)]
    assert moves == [PriceMove(120, "70001", 300), PriceMove(180, "70001", 255)]


def test_a_price_has_moved_before_the_line_that_tells_of_it_is_captured() -> None:
    day = planned(cells(time=at(0), price="1.00"), cells(time=at(1), price="2.00"))
    assert [type(event) for event in day.events] == [Capture, PriceMove, Capture]


def test_what_is_no_product_and_what_was_only_given_back_is_not_in_the_catalogue() -> None:
    day = planned(cells(sku="POST"), cells(sku="70002", invoice="C9", quantity="-1"))
    assert day.opening_prices == {}
    assert len(day.lines) == 2


@pytest.mark.parametrize(("sku", "product"), [("70001", True), ("70001BL", True), ("7000", False), ("M", False)])
def test_products_are_told_from_book_keeping_by_their_code(sku: str, product: bool) -> None:
    assert is_product(sku) is product


def test_refused_rows_are_counted_by_reason_and_rows_of_no_day_among_them() -> None:
    day = planned(cells(), cells(quantity="0"), cells(price="0"), cells(price="0"), cells(time="?"))
    assert day.row_count == 5
    assert day.refused == Counter({"UnitPrice is 0": 2, "Quantity is 0": 1, "InvoiceDate is no date and time": 1})


def test_only_the_day_asked_for_is_played() -> None:
    day = planned(cells(), cells(time="2031-03-05 09:00:00", customer="502"))
    assert day.customers == ["501"]


def test_the_only_day_there_is_need_not_be_named() -> None:
    assert planned(cells(), cells(), day=None).date == THE_DAY


def test_of_several_days_one_has_to_be_named() -> None:
    with pytest.raises(UsageError, match=r"--day is needed.*2 days, 2031-03-04 to 2031-03-05"):
        planned(cells(), cells(time="2031-03-05 09:00:00"), day=None)


def test_a_day_without_orders_is_refused_with_the_days_there_are() -> None:
    with pytest.raises(UsageError, match=r"no orders of that day. There are orders of 2031-03-04\."):
        planned(cells(), day=date(2031, 3, 6))


def test_a_day_of_dirty_rows_only_cannot_be_played() -> None:
    with pytest.raises(UsageError, match="not one row of that day is an intent"):
        planned(cells(customer=""))


def test_rows_without_any_day_cannot_be_played() -> None:
    with pytest.raises(UsageError, match="not one row with a readable InvoiceDate"):
        planned(cells(time="?"))
