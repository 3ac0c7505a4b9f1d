"""History files: every plan of a run with all that its judge was told, so that a later suite can judge it again.

    {"format": "cartsync-history/1", "suite_version": …, "spec_version": …, "seed": …, "target": {…}}
    {"check": …, "plan": {…}, "limits": {…}, "told": [["offer_put", {…}], …], "verdict": null, "undecided": false}

One JSON object a line, gzipped, the first about the run and each other about one plan. A file that breaks off is read
up to there: a run that was killed leaves such a one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.exceptions import UsageError

FILE_NAME = "history.jsonl.gz"
FORMAT = "cartsync-history/1"
MOST_BYTES = 256 << 20  # before packing, which leaves a twentieth; later plans are counted and not kept
_LONGEST_LINE = 64 << 20
_WAY_OUT = f"give the {FILE_NAME} of a report's folder"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong with a plan when it was played."""

    requirement: str
    summary: str
    expected: str = ""
    observed: str = ""


class Writer:
    """Writes a history; nothing is there before the first plan. Raises OSError when it cannot be written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.left_out_count = 0
        self._size = 0
        self._stream: gzip.GzipFile | None = None

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write what the history is of, unless that was written."""
        if self._stream is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = gzip.open(self.file, "wb", compresslevel=3)  # noqa: SIM115 - open as long as the run
            self._line({"format": FORMAT, **header})

    def plan(self, entry: Mapping[str, Any]) -> None:
        """Write one plan, unless there is too much already."""
        if self._stream is None or self._size > MOST_BYTES:
            self.left_out_count += 1
            return
        self._line(entry)

    def close(self) -> None:
        """End the file."""
        if self._stream is not None:
            if self.left_out_count:
                self._line({"left_out_count": self.left_out_count})
            self._stream.close()
            self._stream = None

    def _line(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._size += len(line)
        assert self._stream is not None
        self._stream.write(line)


@dataclass
class Reader:
    """A history that is read line by line. `header` is there at once; the rest comes as it is asked for."""

    file: Path
    header: Mapping[str, Any]
    breaks_off: bool = False
    left_out_count: int = 0

    @classmethod
    def open(cls, file: Path) -> Reader:
        """Open a history; raises UsageError that says what is wrong with it."""
        first = next(_lines(file, on_break=lambda: None), None)
        if first is None or not str(first.get("format", "")).startswith("cartsync-history/"):
            raise UsageError(f"{file} is no history; {_WAY_OUT}")
        if first["format"] != FORMAT:
            raise UsageError(
                f"{file} is a {first['format']}, and this suite reads {FORMAT}: judge it with the suite of its time, "
                f"{first.get('suite_version', 'which it does not name')}, or with a newer one"
            )
        return cls(file, first)

    def plans(self) -> Iterator[Mapping[str, Any]]:
        """Each plan as it was written."""

        def broke_off() -> None:
            self.breaks_off = True

        lines = _lines(self.file, on_break=broke_off)
        next(lines, None)
        for entry in lines:
            if "left_out_count" in entry:
                self.left_out_count = int(entry["left_out_count"])
            else:
                yield entry


def _lines(file: Path, on_break: Any) -> Iterator[dict[str, Any]]:
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(file, "rb") if packed else file.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                entry = json.loads(line)
                if not isinstance(entry, dict):
                    raise UsageError(f"{file} is no history: a line of it is no object; {_WAY_OUT}")
                yield entry
    except (EOFError, zlib.error, gzip.BadGzipFile):
        on_break()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no history: a line of it is not JSON; {_WAY_OUT}") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
