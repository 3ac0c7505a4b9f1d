"""Order lines made up for the tests, in the format of the Online Retail data set."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def cells(
    *,
    invoice: str = "900001",
    sku: str = "70001",
    quantity: str = "6",
    time: str = "2031-03-04 09:00:00",
    price: str = "2.55",
    customer: str = "501.0",
) -> dict[str, str | None]:
    """One row as a mapping from column to text."""
    return dict(zip(HEADER, (invoice, sku, "A THING", quantity, time, price, customer, "Nowhere"), strict=True))


def write_orders(file: Path, rows: Iterable[dict[str, str | None]], header: tuple[str, ...] = HEADER) -> Path:
    """Writes rows as a CSV file."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows([row[name] for name in HEADER] for row in rows)
    return file
