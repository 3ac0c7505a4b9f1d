"""One day of order lines as a plan: the catalogue it opens with, and what happens when.

The shop's price of a product is the price of the last line that sold it. So the catalogue opens with the first
price of the day, and moves whenever a line sells at another one, lines without a customer included: the shop sold
at that price, whoever bought. A shopper whose intent is decided late meets the prices of then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from benchmarks.real_orders.exceptions import UsageError
from benchmarks.real_orders.orders import OrderLine, Refused, Row, Sale, day_of

_PRODUCT = re.compile(r"\d{5}[A-Za-z]{0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PriceMove:
    """From `at` (seconds from the first line of the day) the product costs `price` minor units."""

    at: float
    sku: str
    price: int


@dataclass(frozen=True, slots=True)
class Capture:
    """At `at` (seconds from the first line of the day) a shopper's device writes an order line down."""

    at: float
    line: OrderLine


@dataclass(frozen=True)
class Day:
    """A day to play. `events` are in the order in which they happen."""

    date: date
    row_count: int
    refused: Counter[str]
    opening_prices: dict[str, int]
    events: tuple[PriceMove | Capture, ...]
    duration: float
    """Seconds from the first row of the day to the last."""

    @property
    def lines(self) -> list[OrderLine]:
        """The order lines to capture, in order."""
        return [event.line for event in self.events if isinstance(event, Capture)]

    @property
    def customers(self) -> list[str]:
        """Who captures anything, ascending."""
        return sorted({line.customer for line in self.lines})


def is_product(sku: str) -> bool:
    """Whether the shop's catalogue has it. `POST`, `D`, `M`, `BANK CHARGES` … are book-keeping, not products."""
    return _PRODUCT.fullmatch(sku) is not None


def plan(rows: Iterable[Row], day: date | None) -> Day:
    """The plan of one day. `day` None: the only one there is. Raises UsageError when there is none to play."""
    found: dict[date, list[Row]] = {}
    undated: list[Row] = []
    seen: set[date] = set()
    for row in rows:
        its_day = day_of(row)
        if its_day is None:
            undated.append(row)
            continue
        seen.add(its_day)
        if its_day == day or (day is None and len(seen) == 1):
            found.setdefault(its_day, []).append(row)
    if day is None and len(seen) == 1:
        day = next(iter(seen))
    if day is None or day not in found:
        raise UsageError(_no_such_day(day, seen))
    planned = _planned(day, found[day] + undated)
    if not planned.lines:
        raise UsageError(f"--day {day}: not one row of that day is an intent. Give another day.")
    return planned


def _no_such_day(day: date | None, seen: set[date]) -> str:
    if not seen:
        return "--orders: holds not one row with a readable InvoiceDate. Give orders."
    days = f"{len(seen)} days, {min(seen)} to {max(seen)}" if len(seen) > 1 else f"{min(seen)}"
    have = f"There are orders of {days}"
    return f"--day {day}: no orders of that day. {have}." if day else f"--day is needed. {have}."


def _planned(day: date, rows: list[Row]) -> Day:
    refused = Counter(row.content.reason for row in rows if isinstance(row.content, Refused))
    dated = [(row.content.time, row) for row in rows if row.content.time is not None]
    dated.sort(key=lambda entry: entry[0])
    first, last = dated[0][0], dated[-1][0]
    opening: dict[str, int] = {}
    current: dict[str, int] = {}
    events: list[PriceMove | Capture] = []
    for time, row in dated:
        at = (time - first).total_seconds()
        if row.sale is not None and is_product(row.sale.sku):
            events.extend(_moved(row.sale, at, opening, current))
        if isinstance(row.content, OrderLine):
            events.append(Capture(at, row.content))
    return Day(day, len(rows), refused, opening, tuple(events), (last - first).total_seconds())


def _moved(sale: Sale, at: float, opening: dict[str, int], current: dict[str, int]) -> list[PriceMove]:
    before = current.get(sale.sku)
    current[sale.sku] = sale.price
    if before is None:
        opening[sale.sku] = sale.price
        return []
    return [PriceMove(at, sale.sku, sale.price)] if sale.price != before else []
