"""When a mobile link was down, as recorded, and the same squeezed into the time a demonstration may take.

A recording is a JSON object of which two members are read, times in milliseconds from the start:

    {"duration_ms": 120002, "outages_ms": [[488, 1530], [3007, 5228]]}

`trace`, if it is there, is the recording's name. The raw recordings of Winstein, Sivaraman and Balakrishnan (NSDI
2013) are taken as they are, too: one line for each packet that could cross, saying at which millisecond.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.real_orders.exceptions import UsageError

WHERE_FROM = (
    "Recordings: K. Winstein, A. Sivaraman, H. Balakrishnan, NSDI 2013, "
    "https://github.com/ravinet/mahimahi/tree/master/traces"
)
LEAST_OUTAGE_MS = 500
"""A pause between two packets of a raw recording that is at least so long counts as an outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The link is down from `start` (included) to `end` (excluded), in seconds from the start."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A link over `duration` seconds. Outages ascend and neither touch nor overlap."""

    name: str
    duration: float
    outages: tuple[Outage, ...]

    @property
    def down_seconds(self) -> float:
        """How long the link is down in all."""
        return sum(outage.end - outage.start for outage in self.outages)

    def squeezed(self, seconds: float) -> Recording:
        """The same link played so fast that it takes `seconds`."""
        factor = seconds / self.duration
        outages = tuple(Outage(outage.start * factor, outage.end * factor) for outage in self.outages)
        return Recording(self.name, seconds, outages)


def read_recording(file: Path) -> Recording:
    """Reads a recording. Raises UsageError."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--link {file}: cannot be read ({error.strerror}). {WHERE_FROM}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"--link {file}: is no text. {WHERE_FROM}.") from None
    try:
        return _from_json(text, file.stem) if text.lstrip().startswith("{") else _from_packets(text, file.name)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--link {file}: {error}. {WHERE_FROM}.") from None


def _from_json(text: str, name: str) -> Recording:
    document: dict[str, Any] = json.loads(text)
    duration: Any = document.get("duration_ms")
    outages: Any = document.get("outages_ms")
    if not _is_time(duration) or duration == 0:
        raise ValueError("duration_ms must be a number of milliseconds above 0")
    if not (isinstance(outages, list) and all(isinstance(outage, list) for outage in outages)):
        raise ValueError("outages_ms must be a list of [start, end] in milliseconds")
    for number, outage in enumerate(outages):
        pair = len(outage) == 2 and all(_is_time(time) for time in outage)
        if not pair or not outage[0] <= outage[1] <= duration:
            raise ValueError(f"outages_ms[{number}] must be [start, end] in milliseconds within duration_ms")
    return Recording(str(document.get("trace") or name), duration / 1000, _merged(outages))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12


def _from_packets(text: str, name: str) -> Recording:
    times = [int(line) for line in text.split()]
    if len(times) < 2 or times[0] < 0 or any(later < earlier for earlier, later in _pairs(times)):
        raise ValueError("is neither the JSON form nor a list of packet times in milliseconds, ascending")
    gaps = [[earlier, later] for earlier, later in _pairs([0, *times]) if later - earlier >= LEAST_OUTAGE_MS]
    return Recording(name, max(times[-1], 1) / 1000, _merged(gaps))


def _pairs(times: Sequence[int]) -> Iterable[tuple[int, int]]:
    return itertools.pairwise(times)


def _merged(outages_ms: Iterable[Sequence[float]]) -> tuple[Outage, ...]:
    merged: list[Outage] = []
    for start, end in sorted((start / 1000, end / 1000) for start, end in outages_ms if end > start):
        if merged and start <= merged[-1].end:
            merged[-1] = Outage(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Outage(start, end))
    return tuple(merged)
