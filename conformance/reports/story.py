"""Lays a failing story out as a timeline: lanes, distances in time, and which stretches are folded away.

A story may have hundreds of events, of which a reader needs the few around the culprit first. Long runs of others are
folded into stretches that open on demand; a culprit, its surroundings, the beginning and the end are never folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2

from conformance.reports.wording import LANES, duration_text, offset_text, seconds_of

_FOLD_ABOVE = 40  # events; a shorter story is shown whole
_HEAD, _BEFORE, _AFTER, _TAIL = 4, 14, 5, 3  # events that stay around the beginning, a culprit and the end
_SHORTEST_FOLD = 5  # fewer events than this are not worth a click
_LONGEST_FOLD = 200  # a longer run is cut into several folds
_PAUSE = 1.0  # seconds without an event that are pointed out


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the timeline."""

    number: int  # from 1
    offset: str
    pause: str  # time since the event before, when that is worth telling; else empty
    lane: str
    lane_column: int  # from 1, among the lanes of this story
    actor: str
    title: str
    detail: str
    culprit: bool
    x_percent: float  # place in the overview, 0 to 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events that follow each other, shown or folded together."""

    events: tuple[Event, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class Story:
    """A timeline ready to be drawn."""

    lanes: tuple[str, ...]  # those that occur, in their fixed order
    events: tuple[Event, ...]
    stretches: tuple[Stretch, ...]
    duration: str

    @property
    def culprits(self) -> tuple[Event, ...]:
        """The events where it went wrong."""
        return tuple(event for event in self.events if event.culprit)

    @property
    def hops(self) -> str:
        """The way from event to event, as a path on a picture 1,000 wide with 22 for each lane."""
        return "M" + "L".join(_spots(self.events)) if self.events else ""

    @property
    def dots(self) -> str:
        """A point for each event that is no culprit, as a path on the same picture."""
        return "".join(f"M{spot}h0" for spot in _spots(e for e in self.events if not e.culprit))

    @property
    def legend(self) -> str:
        """The story in one sentence, for those who cannot see the overview."""
        where = ", ".join(f"event {e.number} ({e.lane}, {e.offset})" for e in self.culprits)
        length = f"{len(self.events)} events over {self.duration}"
        return f"{length}; it went wrong at {where}." if where else f"{length}."


def _spots(events: Iterable[Event]) -> Iterator[str]:
    """Where events are on the picture; of those that fall upon each other, one."""
    spots = (f"{event.x_percent * 10:.0f} {22 * event.lane_column - 11}" for event in events)
    return iter(dict.fromkeys(spots))


def lay_out(timeline: Sequence[report_pb2.TimelineEvent]) -> Story | None:
    """The timeline of a finding, None when it has no events."""
    if not timeline:
        return None
    used = {_lane_name(event.lane) for event in timeline}
    lanes = tuple(name for name in (*LANES.values(), _OTHER) if name in used)
    events = []
    previous = 0.0
    for index, event in enumerate(timeline):
        offset = seconds_of(event.offset)
        lane = _lane_name(event.lane)
        events.append(
            Event(
                number=index + 1,
                offset=offset_text(offset),
                pause=duration_text(offset - previous) if offset - previous >= _PAUSE else "",
                lane=lane,
                lane_column=lanes.index(lane) + 1,
                actor=event.actor,
                title=event.title,
                detail=event.detail,
                culprit=event.culprit,
                x_percent=round(100 * (index + 0.5) / len(timeline), 3),
            )
        )
        previous = offset
    return Story(lanes, tuple(events), _stretches(tuple(events)), duration_text(previous))


_OTHER = "other"


def _lane_name(lane: report_pb2.Lane.ValueType) -> str:
    return LANES.get(lane, _OTHER)


def _stretches(events: tuple[Event, ...]) -> tuple[Stretch, ...]:
    if len(events) <= _FOLD_ABOVE:
        return (Stretch(events, folded=False),)
    shown = set(range(_HEAD)) | set(range(len(events) - _TAIL, len(events)))
    # Without a marked culprit the last event is the likeliest one.
    culprits = [i for i, event in enumerate(events) if event.culprit] or [len(events) - 1]
    for culprit in culprits:
        shown |= set(range(max(0, culprit - _BEFORE), min(len(events), culprit + _AFTER + 1)))
    runs: list[tuple[bool, list[Event]]] = []
    for index, event in enumerate(events):
        folded = index not in shown
        if not runs or runs[-1][0] != folded or (folded and len(runs[-1][1]) == _LONGEST_FOLD):
            runs.append((folded, []))
        runs[-1][1].append(event)
    return tuple(Stretch(tuple(run), folded and len(run) >= _SHORTEST_FOLD) for folded, run in runs)
