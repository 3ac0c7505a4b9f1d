"""Tables that a shop keeps in files, read once at start: CSV with a header, or JSON with the same names.

CSV is UTF-8 with a header line that names the columns, in any order. JSON, when the file's name ends in .json, is one
object with one list of objects. What is wrong raises the table's own error, which names place, problem and way out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class TableError(Exception):
    """A file cannot be used; the message names place, problem and way out."""


@dataclass(frozen=True)
class Layout:
    """What a file of one kind looks like."""

    list_name: str  # of the list in JSON, for example "offers"
    flag: str  # of the setting that names the file
    required: tuple[str, ...]
    optional: tuple[str, ...]
    error: type[TableError]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column."""
        return self.required + self.optional


@dataclass(frozen=True)
class Row:
    """One row, the place where it stands, and readers for the kinds of values. A missing value is None or empty."""

    place: str
    fields: Mapping[str, object]
    error: type[TableError]

    def wrong(self, column: str, way_out: str) -> TableError:
        """The error for one value."""
        value = self.fields.get(column)
        found = "is missing" if value in (None, "") else f"is {str(value)[:80]!r}"
        return self.error(f"{self.place}: column {column!r} {found}. {way_out}")

    def has(self, column: str) -> bool:
        """Whether the row has a value there."""
        return self.fields.get(column) not in (None, "")

    def text(self, column: str) -> str | None:
        """A text; None when it is missing, something else, or what no message can carry."""
        value = self.fields.get(column)
        if not isinstance(value, str):
            return None
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self.wrong(column, "It holds half of a surrogate pair, which no message can carry.")
        return value

    def currency(self, column: str) -> str:
        """An ISO 4217 code."""
        value = self.fields.get(column)
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            raise self.wrong(column, "It must be three upper-case letters, for example GBP.")
        return value

    def whole_number(self, column: str, least: int, most: int, hint: str) -> int:
        """A whole number within bounds; `hint` says what it counts."""
        value = self.fields.get(column)
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(column, f"It must be a whole number from {least} to {most}, {hint}.")
        return value

    def flag(self, column: str, *, absent: bool) -> bool:
        """true or false; `absent` when it is missing."""
        value = self.fields.get(column)
        if value is None or value == "":
            return absent
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise self.wrong(column, f"It must be true or false; empty means {str(absent).lower()}.")


def read_rows(path: Path, layout: Layout) -> Iterator[Row]:
    """The rows of `path`: JSON when its name ends in .json, CSV otherwise. Raises `layout.error`."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front of CSV.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise layout.error(f"{path}: is not UTF-8 text ({error.reason}). Save it as UTF-8.") from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise layout.error(f"{path}: cannot be read ({reason}). Give a readable file to {layout.flag}.") from None
    return _json_rows(path, text, layout) if path.suffix.lower() == ".json" else _csv_rows(path, text, layout)


def _csv_rows(path: Path, text: str, layout: Layout) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise layout.error(f"{path}:1: is empty. Begin with the header {','.join(layout.required)}.")
        columns = [name.strip() for name in header]
        _check_header(path, columns, layout)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{path}:{reader.line_num}"
            if len(cells) != len(columns):
                raise layout.error(
                    f"{place}: has {len(cells)} cells where the header has {len(columns)}."
                    " Add the missing commas, or quote a value that holds one."
                )
            yield Row(place, dict(zip(columns, cells, strict=True)), layout.error)
    except csv.Error as error:
        raise layout.error(f"{path}:{reader.line_num}: is not CSV ({error}). Check the quotes.") from None


def _check_header(path: Path, columns: list[str], layout: Layout) -> None:
    for name in layout.required:
        if name not in columns:
            raise layout.error(f"{path}:1: column {name!r} is missing. The header takes {', '.join(layout.columns)}.")
    for name in columns:
        if name not in layout.columns:
            raise layout.error(f"{path}:1: column {name!r} is unknown. The header takes {', '.join(layout.columns)}.")
        if columns.count(name) > 1:
            raise layout.error(f"{path}:1: column {name!r} comes twice. Keep one of them.")


def _json_rows(path: Path, text: str, layout: Layout) -> Iterator[Row]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise layout.error(f"{path}:{error.lineno}: is not JSON ({error.msg}). Mend it there.") from None
    except ValueError as error:
        raise layout.error(f"{path}: holds a number beyond all prices ({error}). Mend it there.") from None
    except RecursionError:
        raise layout.error(f"{path}: is nested too deep for a table.") from None
    name = layout.list_name
    entries = document.get(name) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise layout.error(f'{path}: has no list of {name}. It takes {{"{name}": [{{"{layout.required[0]}": …}}, …]}}.')
    for index, entry in enumerate(entries):
        place = f"{path}: {name}[{index}]"
        if not isinstance(entry, dict):
            raise layout.error(f"{place}: is no object. It takes {', '.join(layout.columns)}.")
        for field in entry:
            if field not in layout.columns:
                raise layout.error(f"{place}: field {field!r} is unknown. It takes {', '.join(layout.columns)}.")
        yield Row(place, entry, layout.error)
