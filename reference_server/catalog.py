"""The shop's offers, read from a file once at start.

CSV, UTF-8, with a header line that names the columns, in any order:

| column | required | value |
|---|---|---|
| `sku` | yes | 1 to 64 characters, no control character, no space at either end; each SKU once |
| `currency` | yes | ISO 4217 code, for example GBP |
| `unit_price_minor` | yes | whole minor units, 0 or more: 255 is GBP 2.55 |
| `listed` | no | `true` or `false`; absent or empty means true |
| `available_quantity` | no | 0 or more; absent or empty means that stock is not counted |

JSON: `{"offers": [{"sku": …, "currency": …, "unit_price_minor": …, "listed": …, "available_quantity": …}]}`
with the same names and rules.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reference_server.engine.identifiers import SKU_FORM, is_sku
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Offer

MAX_AVAILABLE_QUANTITY = 2**31 - 1

_REQUIRED_COLUMNS = ("sku", "currency", "unit_price_minor")
_OPTIONAL_COLUMNS = ("listed", "available_quantity")
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

DEMO_OFFERS = (
    Offer("TEA-EARL-GREY-50", "GBP", 425, listed=True, available_quantity=None),
    Offer("MUG-BLUE", "GBP", 850, listed=True, available_quantity=40),
    Offer("MUG-RED", "GBP", 850, listed=True, available_quantity=3),
    Offer("LANTERN-WHITE", "GBP", 339, listed=True, available_quantity=None),
    Offer("CAKE-TIN", "GBP", 1275, listed=True, available_quantity=12),
    Offer("BISCUITS-RETIRED", "GBP", 199, listed=False, available_quantity=0),
)


class CatalogError(Exception):
    """The catalogue file cannot be used; the message names place, problem and way out."""


class FixedCatalog:
    """Offers that never change and always answer, the same for every principal."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = dict(offers)

    def __len__(self) -> int:
        return len(self._offers)

    def offer(self, principal: str, sku: str) -> Offer | None:  # noqa: ARG002 - the shop is the same for all
        """The offer of `sku`, None when the catalogue does not know it."""
        return self._offers.get(sku)


def demo_catalog() -> FixedCatalog:
    """A few products in GBP, so that the server runs with no catalogue file."""
    return FixedCatalog({offer.sku: offer for offer in DEMO_OFFERS})


def load_catalog(path: Path) -> FixedCatalog:
    """Read `path`: JSON when its name ends in .json, CSV otherwise.

    Raises CatalogError for the first thing that is wrong.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front of CSV.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: is not UTF-8 text ({error.reason}). Save it as UTF-8.") from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise CatalogError(f"{path}: cannot be read ({reason}). Give a readable file to --catalog.") from None
    rows = _json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text)
    return FixedCatalog(_collect(rows))


@dataclass(frozen=True)
class _Row:
    place: str
    fields: Mapping[str, object]


def _collect(rows: Iterator[_Row]) -> dict[str, Offer]:
    offers: dict[str, Offer] = {}
    places: dict[str, str] = {}
    for row in rows:
        offer = _offer(row)
        if offer.sku in offers:
            raise CatalogError(
                f"{row.place}: column 'sku': {offer.sku!r} is already at {places[offer.sku]}. Keep one of the two."
            )
        offers[offer.sku] = offer
        places[offer.sku] = row.place
    return offers


def _csv_rows(path: Path, text: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise CatalogError(f"{path}:1: is empty. Begin with the header {','.join(_REQUIRED_COLUMNS)}.")
        columns = [name.strip() for name in header]
        _check_header(path, columns)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{path}:{reader.line_num}"
            if len(cells) != len(columns):
                raise CatalogError(
                    f"{place}: has {len(cells)} cells where the header has {len(columns)}."
                    " Add the missing commas, or quote a value that holds one."
                )
            yield _Row(place, dict(zip(columns, cells, strict=True)))
    except csv.Error as error:
        raise CatalogError(f"{path}:{reader.line_num}: is not CSV ({error}). Check the quotes.") from None


def _check_header(path: Path, columns: list[str]) -> None:
    known = _REQUIRED_COLUMNS + _OPTIONAL_COLUMNS
    for name in _REQUIRED_COLUMNS:
        if name not in columns:
            raise CatalogError(f"{path}:1: column {name!r} is missing. The header takes {', '.join(known)}.")
    for name in columns:
        if name not in known:
            raise CatalogError(f"{path}:1: column {name!r} is unknown. The header takes {', '.join(known)}.")
        if columns.count(name) > 1:
            raise CatalogError(f"{path}:1: column {name!r} comes twice. Keep one of them.")


def _json_rows(path: Path, text: str) -> Iterator[_Row]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CatalogError(f"{path}:{error.lineno}: is not JSON ({error.msg}). Mend it there.") from None
    except ValueError as error:
        raise CatalogError(f"{path}: holds a number beyond all prices ({error}). Mend it there.") from None
    except RecursionError:
        raise CatalogError(f"{path}: is nested too deep for a catalogue.") from None
    offers = document.get("offers") if isinstance(document, dict) else None
    if not isinstance(offers, list):
        raise CatalogError(f'{path}: has no list of offers. It takes {{"offers": [{{"sku": …}}, …]}}.')
    known = _REQUIRED_COLUMNS + _OPTIONAL_COLUMNS
    for index, entry in enumerate(offers):
        place = f"{path}: offers[{index}]"
        if not isinstance(entry, dict):
            raise CatalogError(f"{place}: is no object. It takes {', '.join(known)}.")
        for name in entry:
            if name not in known:
                raise CatalogError(f"{place}: field {name!r} is unknown. It takes {', '.join(known)}.")
        yield _Row(place, entry)


def _offer(row: _Row) -> Offer:
    return Offer(
        sku=_sku(row),
        currency_code=_currency(row),
        unit_price_minor=_count(row, "unit_price_minor", MAX_UNIT_PRICE_MINOR),
        listed=_listed(row),
        available_quantity=(
            None
            if row.fields.get("available_quantity") in (None, "")
            else _count(row, "available_quantity", MAX_AVAILABLE_QUANTITY)
        ),
    )


def _wrong(row: _Row, column: str, way_out: str) -> CatalogError:
    value = row.fields.get(column)
    found = "is missing" if value in (None, "") else f"is {str(value)[:80]!r}"
    return CatalogError(f"{row.place}: column {column!r} {found}. {way_out}")


def _sku(row: _Row) -> str:
    value = row.fields.get("sku")
    if not isinstance(value, str) or not is_sku(value):
        raise _wrong(row, "sku", f"It {SKU_FORM}.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(row, "sku", "It holds half of a surrogate pair, which no message can carry.")
    return value


def _currency(row: _Row) -> str:
    value = row.fields.get("currency")
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise _wrong(row, "currency", "It must be three upper-case letters, for example GBP.")
    return value


def _count(row: _Row, column: str, largest: int) -> int:
    value = row.fields.get(column)
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        hint = "in minor units, without point or sign: 255 for GBP 2.55" if column == "unit_price_minor" else "a count"
        raise _wrong(row, column, f"It must be a whole number from 0 to {largest}, {hint}.")
    return value


def _listed(row: _Row) -> bool:
    value = row.fields.get("listed")
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise _wrong(row, "listed", "It must be true or false; empty means true.")
