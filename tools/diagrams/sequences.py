"""Sequence diagrams, from lines of text.

device -> server: text       a message; arrives
server --> device: text      an answer; arrives
device -x server: text       a message, or with --x an answer, that is lost on the way
device -> @late: text        a message that stays under way, and is called `late` ...
@late -> server: text        ... until it arrives
server: text                 something happens there
server+: text                what saves the day
server!: text                what goes wrong
server *: text               a crash
== text                      time passes, or another ending begins
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.diagrams.faults import DiagramError
from tools.diagrams.svg import LINE, SIZE, Sheet, width_of, wrapped

_MESSAGE = re.compile(r"(?P<source>@?\w+) (?P<arrow>--?[>x]) (?P<target>@?\w+): (?P<text>.+)")
_EVENT = re.compile(r"(?P<lane>\w+)(?P<kind>[+!]| \*|): (?P<text>.+)")
_KINDS = {"": ("rule", "note", "ink"), "+": ("good", "goodfill", "ink"), "!": ("bad", "badfill", "ink")}
_TOP = 24.0
_GAP = 12.0
# Lanes, the space between them, and the widest note, by the number of lanes.
_SPACING = {2: (350.0, 260.0), 3: (245.0, 216.0), 4: (205.0, 188.0)}


@dataclass(frozen=True, slots=True)
class _Flight:
    lane: str
    y: float
    text: str
    dashed: bool


class _Drawing:
    """A sequence being drawn from top to bottom."""

    def __init__(self, title: str, description: str, lanes: Mapping[str, str]) -> None:
        if len(lanes) not in _SPACING:
            raise DiagramError(f"{title}: {len(lanes)} lanes; draw 2 to 4")
        self.title = title
        self.gap, self.note_width = _SPACING[len(lanes)]
        self.margin = self.note_width / 2 + 16
        self.x = {lane: self.margin + i * self.gap for i, lane in enumerate(lanes)}
        self.labels = lanes
        self.width = 2 * self.margin + (len(lanes) - 1) * self.gap
        self.description = description
        self.beneath, self.sheet = Sheet(), Sheet()
        self.y = _TOP + 46
        self.under_way: dict[str, _Flight] = {}

    def step(self, line: str) -> None:
        """Draw one line of text; DiagramError when it is none of the forms above."""
        if line.startswith("== "):
            self._divider(line.removeprefix("== "))
        elif found := _MESSAGE.fullmatch(line):
            self._message(found["source"], found["arrow"], found["target"], found["text"])
        elif found := _EVENT.fullmatch(line):
            self._event(self._lane(found["lane"]), found["kind"].strip(), found["text"])
        else:
            raise DiagramError(f"{self.title}: {line!r} is no step; see tools/diagrams/sequences.py for their forms")

    def finished(self) -> str:
        """The picture."""
        if self.under_way:
            raise DiagramError(f"{self.title}: {', '.join(self.under_way)} never arrives")
        bottom = self.y + 6
        page = Sheet()
        for lane, x in self.x.items():
            page.line((x, _TOP + 32), (x, bottom), dashes="2 4", width=1.2)
            lines = wrapped(self.labels[lane], self.gap - 20)
            width = max(width_of(line) for line in lines) + 26
            page.box(x - width / 2, _TOP, width, 32, stroke="ink", fill="note")
            page.text(x, _TOP + 21, lines[0], bold=True)
        page.lay_on(self.beneath)
        page.lay_on(self.sheet)
        return page.finished(self.title, self.description, self.width, bottom + 14)

    def _lane(self, name: str) -> str:
        if name not in self.x:
            raise DiagramError(f"{self.title}: no lane is called {name}; there are {', '.join(self.x)}")
        return name

    def _message(self, source: str, arrow: str, target: str, text: str) -> None:
        dashed, lost = arrow.startswith("--"), arrow.endswith("x")
        if target.startswith("@"):
            lane = self._lane(source)
            self._departs(lane, target[1:], text, dashed)
        elif source.startswith("@"):
            if source[1:] not in self.under_way:
                raise DiagramError(f"{self.title}: {source} arrives, but never left")
            self._arrives(self.under_way.pop(source[1:]), self._lane(target), text)
        else:
            self._crosses(self._lane(source), self._lane(target), text, dashed, lost)

    def _crosses(self, source: str, target: str, text: str, dashed: bool, lost: bool) -> None:
        x0, x1 = self.x[source], self.x[target]
        way = 1 if x1 > x0 else -1
        reach = abs(x1 - x0)
        end = x0 + way * reach * 0.76 if lost else x1 - way * 2
        lines = wrapped(text, min(abs(end - x0) - 24, self.gap * 1.6))
        self.y += len(lines) * LINE + 3
        middle = (x0 + end) / 2
        self.sheet.text(middle, self.y - 6 - (len(lines) - 1) * LINE, lines, behind="card")
        stroke = "bad" if lost else "ink"
        self.sheet.line((x0 + way * 2, self.y), (end, self.y), stroke=stroke, dashes="6 4" if dashed else "")
        if lost:
            for slope in (-5, 5):
                self.sheet.line((end - 5, self.y - slope), (end + 5, self.y + slope), stroke="bad", width=2.2)
            self.sheet.text(end + way * 10, self.y + 4, "lost", colour="bad", anchor="start" if way > 0 else "end")
        else:
            self.sheet.head((end, self.y), (way, 0), "ink")
        self.y += _GAP

    def _departs(self, lane: str, name: str, text: str, dashed: bool) -> None:
        lines = wrapped(text, self.gap - 60)
        self.y += len(lines) * LINE + 3
        self.under_way[name] = _Flight(lane, self.y, text, dashed)
        self.sheet.text(self.x[lane] + 12, self.y - 6 - (len(lines) - 1) * LINE, lines, anchor="start", behind="card")
        self.y += _GAP

    def _arrives(self, flight: _Flight, lane: str, text: str) -> None:
        x0, x1 = self.x[flight.lane], self.x[lane]
        way = 1 if x1 > x0 else -1
        lines = wrapped(text, self.gap - 60)
        self.y += len(lines) * LINE + 3
        start, end = (x0 + way * 2, flight.y), (x1 - way * 2, self.y)
        self.beneath.line(start, end, stroke="warn", dashes="6 4")
        self.beneath.head(end, (end[0] - start[0], end[1] - start[1]), "warn")
        anchor = "end" if way > 0 else "start"
        self.sheet.text(x1 - way * 14, self.y + 18, lines, colour="warn", anchor=anchor, behind="card")
        self.y += _GAP + len(lines) * LINE

    def _event(self, lane: str, kind: str, text: str) -> None:
        x = self.x[lane]
        if kind == "*":
            self._crash(x, text)
            return
        stroke, fill, colour = _KINDS[kind]
        lines = wrapped(text, self.note_width - 20)
        width = max(width_of(line) for line in lines) + 20
        height = len(lines) * LINE + 11
        self.sheet.box(x - width / 2, self.y, width, height, stroke=stroke, fill=fill)
        self.sheet.text(x, self.y + SIZE + 5, lines, colour=colour)
        self.y += height + _GAP

    def _crash(self, x: float, text: str) -> None:
        lines = wrapped(text, self.note_width - 40)
        height = len(lines) * LINE + 11
        width = max(width_of(line) for line in lines) + 44
        self.sheet.box(x - width / 2, self.y, width, height, stroke="bad", fill="badfill")
        left, top = x - width / 2 + 10, self.y + height / 2 - 8
        bolt = ((left + 8, top), (left + 2, top + 9), (left + 9, top + 8), (left + 3, top + 17))
        self.sheet.line(*bolt, stroke="bad", width=2)
        self.sheet.text(x + 10, self.y + SIZE + 5, lines)
        self.y += height + _GAP

    def _divider(self, text: str) -> None:
        self.y += 10
        self.sheet.line((14, self.y), (self.width - 14, self.y), stroke="soft", dashes="10 5", width=1)
        self.sheet.text(self.width / 2, self.y + 4.5, text, colour="soft", behind="card", bold=True)
        self.y += _GAP + 8


def drawn(title: str, description: str, lanes: Mapping[str, str], steps: Sequence[str]) -> str:
    """The picture of the steps as the text of an SVG file. Raises DiagramError naming the step that cannot be drawn."""
    drawing = _Drawing(title, description, lanes)
    for step in steps:
        drawing.step(step)
    return drawing.finished()
