"""Order lines in the format of the Online Retail data set, and why some of them cannot be anybody's intent.

What is refused here is refused before capture: no shopper's device would ever have written it down, because there
is no shopper, no product, no whole quantity or no price in it. What a device could have written down is let
through, whatever the shop will say to it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from benchmarks.real_orders.exceptions import UsageError

WHERE_FROM = (
    'The data set is "Online Retail" of the UCI Machine Learning Repository (Daqing Chen, 2015, CC BY 4.0): '
    "https://archive.ics.uci.edu/dataset/352/online+retail - save it as CSV"
)
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
_OTHER_NAMES = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}  # of Online Retail II
_MOST = 2**31 - 1

_CUSTOMER = re.compile(r"([A-Za-z0-9_-]{1,48})(?:\.0)?", re.ASCII)
_AMERICAN_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4}) (\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sale:
    """A price at which the shop sold a product: what its catalogue said at that time. `price` in minor units."""

    time: datetime
    sku: str
    price: int


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order that a shopper's device could have written down.

    `quantity` is 1 or more; `cancels` says that so many are taken back. `price` is in minor units.
    """

    time: datetime
    invoice: str
    customer: str
    sku: str
    quantity: int
    price: int
    cancels: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is nobody's intent, and why. `time` None: not even its day is known."""

    time: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """What one row says: an intent or the reason why not, and a sale if it tells a price of the shop."""

    content: OrderLine | Refused
    sale: Sale | None = None


def read_row(cells: dict[str, str | None]) -> Row:
    """Judges one row by its cells (column name to text; None for a cell that is missing). Never raises."""
    values = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    time = read_time(values["InvoiceDate"])
    if time is None:
        return Row(Refused(None, "InvoiceDate is no date and time"))
    quantity, price = _quantity(values["Quantity"]), _price(values["UnitPrice"])
    invoice, sku = values["InvoiceNo"], values["StockCode"]
    sale = None
    if isinstance(quantity, int) and isinstance(price, int) and quantity > 0 and _is_sku(sku):
        sale = Sale(time, sku, price)
    reason = _refusal(values, quantity, price)
    if reason is not None or isinstance(quantity, str) or isinstance(price, str):
        return Row(Refused(time, reason or "unreadable"), sale)
    return Row(OrderLine(time, invoice, _customer(values), sku, abs(quantity), price, cancels=quantity < 0), sale)


def _refusal(values: dict[str, str], quantity: int | str, price: int | str) -> str | None:
    if not values["CustomerID"]:
        return "no CustomerID, so nobody's intent"
    if not _CUSTOMER.fullmatch(values["CustomerID"]):
        return "CustomerID is no name for an account"
    if not values["StockCode"]:
        return "no StockCode"
    if not _is_sku(values["StockCode"]):
        return "StockCode is no product name"
    if isinstance(quantity, str):
        return quantity
    if isinstance(price, str):
        return price
    if quantity > 0 and values["InvoiceNo"][:1].upper() == "C":
        return "a cancellation with a quantity above 0"
    return None


def _customer(values: dict[str, str]) -> str:
    match = _CUSTOMER.fullmatch(values["CustomerID"])
    assert match is not None
    return match[1]


def _quantity(text: str) -> int | str:
    """The quantity, or what is wrong with it."""
    number = _number(text)
    if number is None or number != number.to_integral_value():
        return "Quantity is no whole number"
    if number == 0:
        return "Quantity is 0"
    return int(number) if abs(number) <= _MOST else "Quantity is too large"


def _price(text: str) -> int | str:
    """The price in minor units, or what is wrong with it."""
    number = _number(text)
    if number is None:
        return "UnitPrice is no amount"
    if number == 0:
        return "UnitPrice is 0"
    if number < 0:
        return "UnitPrice is negative"
    minor = number * 100
    if minor != minor.to_integral_value():
        return "UnitPrice is not exact to the penny"
    return int(minor) if minor <= _MOST else "UnitPrice is too large"


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Decimal takes 1e999999 too, which no later arithmetic should meet.
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None


def _is_sku(text: str) -> bool:
    return 1 <= len(text) <= 64 and text.isprintable()


def read_time(text: str) -> datetime | None:
    """Reads `2010-12-01 08:26:00` or, as spreadsheets save it, `12/1/2010 8:26`. None for anything else."""
    match = _AMERICAN_TIME.fullmatch(text)
    try:
        if match is None:
            time = datetime.fromisoformat(text)
            return time if time.tzinfo is None else None
        month, day, year, hour, minute = (int(group) for group in match.groups()[:5])
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, int(match[6] or 0))
    except ValueError:
        return None


def read_orders(path: Path) -> Iterator[Row]:
    """Every row of a CSV file, or of all the CSV files of a folder in order of name.

    Raises UsageError when there is nothing to read, or when a file has not the columns of the format.
    """
    if not path.exists():
        raise UsageError(f"--orders {path}: there is no such file or folder. {WHERE_FROM}.")
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"--orders {path}: there is no .csv file in this folder. {WHERE_FROM}.")
    for file in files:
        yield from _read_file(file)


def _read_file(file: Path) -> Iterator[Row]:
    try:
        encoding = _encoding(file)
        with file.open(encoding=encoding, newline="") as lines:
            reader = csv.reader(lines)
            header = [_OTHER_NAMES.get(name.strip(), name.strip()) for name in next(reader, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                raise UsageError(
                    f"--orders {file}: the first line must name the columns; {', '.join(missing)} "
                    f"{'is' if len(missing) == 1 else 'are'} missing. {WHERE_FROM}."
                )
            for cells in reader:
                if len(cells) != len(header):
                    if cells:
                        yield _misshapen(header, cells)
                    continue
                yield read_row(dict(zip(header, cells, strict=True)))
    except OSError as error:
        raise UsageError(f"--orders {file}: cannot be read ({error.strerror}). Give a readable file.") from None
    except csv.Error as error:
        raise UsageError(f"--orders {file}: is not CSV ({error}). {WHERE_FROM}.") from None


def _misshapen(header: list[str], cells: list[str]) -> Row:
    known = dict(zip(header, cells, strict=False))
    return Row(Refused(read_time(known.get("InvoiceDate", "").strip()), "wrong number of cells"))


def _encoding(file: Path) -> str:
    """UTF-8, or Latin-1 as in some copies of the data set."""
    with file.open("rb") as content:
        try:
            for line in content:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def day_of(row: Row) -> date | None:
    """The day a row belongs to; None when it does not say."""
    return row.content.time.date() if row.content.time is not None else None
