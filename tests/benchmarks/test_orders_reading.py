"""Which rows become intents, and why the others do not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_orders import HEADER, cells, write_orders

from benchmarks.real_orders.exceptions import UsageError
from benchmarks.real_orders.orders import OrderLine, Refused, Sale, read_orders, read_row, read_time


def test_a_clean_row_is_an_intent_of_its_customer_and_tells_a_price() -> None:
    row = read_row(cells())
    when = datetime(2031, 3, 4, 9, 0)
    assert row.content == OrderLine(when, "900001", "501", "70001", 6, 255, cancels=False)
    assert row.sale == Sale(when, "70001", 255)


def test_a_negative_quantity_is_a_cancellation_and_tells_no_price() -> None:
    row = read_row(cells(invoice="C900002", quantity="-2"))
    assert isinstance(row.content, OrderLine)
    assert (row.content.quantity, row.content.cancels) == (2, True)
    assert row.sale is None


@pytest.mark.parametrize(
    ("dirt", "reason"),
    [
        ({"customer": ""}, "no CustomerID, so nobody's intent"),
        ({"customer": "o'brien"}, "CustomerID is no name for an account"),
        ({"sku": " "}, "no StockCode"),
        ({"sku": "7" * 65}, "StockCode is no product name"),
        ({"sku": "70\x07001"}, "StockCode is no product name"),
        ({"quantity": "0"}, "Quantity is 0"),
        ({"quantity": "some"}, "Quantity is no whole number"),
        ({"quantity": "1.5"}, "Quantity is no whole number"),
        ({"quantity": "nan"}, "Quantity is no whole number"),
        ({"quantity": "99999999999"}, "Quantity is too large"),
        ({"price": "0"}, "UnitPrice is 0"),
        ({"price": "-11062.06"}, "UnitPrice is negative"),
        ({"price": ""}, "UnitPrice is no amount"),
        ({"price": "0.001"}, "UnitPrice is not exact to the penny"),
        ({"price": "1e999999"}, "UnitPrice is no amount"),
        ({"price": "99999999999"}, "UnitPrice is too large"),
        ({"invoice": "C1", "quantity": "2"}, "a cancellation with a quantity above 0"),
        ({"time": "yesterday"}, "InvoiceDate is no date and time"),
        ({"time": "2031-03-04T09:00:00+00:00"}, "InvoiceDate is no date and time"),
    ],
)
def test_a_dirty_row_is_refused_with_the_reason(dirt: dict[str, str], reason: str) -> None:
    content = read_row(cells(**dirt)).content
    assert isinstance(content, Refused)
    assert content.reason == reason


def test_a_sale_to_nobody_still_tells_the_price() -> None:
    assert read_row(cells(customer="")).sale == Sale(datetime(2031, 3, 4, 9, 0), "70001", 255)


@pytest.mark.parametrize("sku", ["POST", "D", "BANK CHARGES", "gift_0001_20"])
def test_what_is_no_product_is_left_for_the_shop_to_refuse(sku: str) -> None:
    assert isinstance(read_row(cells(sku=sku)).content, OrderLine)


@pytest.mark.parametrize("text", ["2031-03-04 09:00:00", "3/4/2031 9:00", "03/04/31 09:00", "3/4/2031 9:00:00"])
def test_the_time_is_read_as_the_data_set_and_as_spreadsheets_write_it(text: str) -> None:
    assert read_time(text) == datetime(2031, 3, 4, 9, 0)


@given(st.fixed_dictionaries({name: st.none() | st.text(max_size=12) for name in HEADER}))
def test_any_cells_are_an_intent_or_refused_and_never_an_error(row: dict[str, str | None]) -> None:
    content = read_row(row).content
    assert isinstance(content, OrderLine | Refused)


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    write_orders(tmp_path / "b.csv", [cells(sku="70002")])
    write_orders(tmp_path / "a.csv", [cells(sku="70001")])
    (tmp_path / "notes.txt").write_text("no orders")
    skus = [row.content.sku for row in read_orders(tmp_path) if isinstance(row.content, OrderLine)]
    assert skus == ["70001", "70002"]


def test_columns_may_be_named_as_in_the_second_edition_of_the_data_set(tmp_path: Path) -> None:
    names = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
    [row] = read_orders(write_orders(tmp_path / "orders.csv", [cells()], names))
    assert isinstance(row.content, OrderLine)


def test_a_file_in_latin_1_is_read(tmp_path: Path) -> None:
    file = write_orders(tmp_path / "orders.csv", [cells()])
    file.write_bytes(file.read_bytes().replace(b"A THING", b"A \xa3 THING"))
    [row] = read_orders(file)
    assert isinstance(row.content, OrderLine)


def test_a_row_of_the_wrong_width_is_refused_and_those_behind_it_are_read(tmp_path: Path) -> None:
    file = write_orders(tmp_path / "orders.csv", [cells()])
    file.write_text(file.read_text() + "900002,70001,A THING,6,2031-03-04 09:01:00\n\n")
    with file.open("a") as more:
        more.write("900003,70001,A THING,6,2031-03-04 09:02:00,2.55,501.0,Nowhere\n")
    first, short, last = read_orders(file)
    assert isinstance(first.content, OrderLine)
    assert short.content == Refused(datetime(2031, 3, 4, 9, 1), "wrong number of cells")
    assert isinstance(last.content, OrderLine)


def test_a_missing_path_says_where_the_data_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file or folder.*UCI Machine Learning Repository"):
        list(read_orders(tmp_path / "nothing"))


def test_an_empty_folder_says_where_the_data_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.csv file.*archive\.ics\.uci\.edu"):
        list(read_orders(tmp_path))


def test_a_file_without_the_columns_names_those_that_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,Country\n")
    with pytest.raises(UsageError, match="UnitPrice, CustomerID are missing"):
        list(read_orders(file))
