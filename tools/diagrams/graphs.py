"""State diagrams: boxes on a grid, an arrow for every transition of a table.

Where a box stands and how far an arrow bends is said by hand; which boxes and arrows there are is said by the table
alone. An event that leads from many states to the same few is drawn as a mark on the box instead, explained underneath.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.diagrams.faults import DiagramError
from tools.diagrams.svg import Sheet, width_of, wrapped

_COLUMN, _ROW = 162.0, 96.0
_BOX = (122.0, 36.0)
_LABEL = 11.0
_NAME = 12.0


@dataclass(frozen=True, slots=True)
class Edge:
    """One transition."""

    source: str
    event: str
    target: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A table of transitions and how to lay it out."""

    title: str
    description: str
    places: Mapping[str, Sequence[float]]  # column and row of each state
    edges: Sequence[Edge]
    bends: Mapping[str, float] = field(default_factory=dict)  # "A -> B": pixels to the right of the way
    events_at: Mapping[str, float] = field(default_factory=dict)  # "A -> B": where on its way the event is written
    marked: str = ""  # the event that is drawn as a mark
    ends: frozenset[str] = frozenset()  # states that nothing leads out of
    labels: Mapping[str, str] = field(default_factory=dict)  # what a box says, where it is not the state's name


def drawn(graph: Graph) -> str:
    """The picture as the text of an SVG file. Raises DiagramError when table and places do not agree."""
    states = {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges} | graph.ends
    if states != set(graph.places):
        missing, extra = states - set(graph.places), set(graph.places) - states
        raise DiagramError(
            f"{graph.title}: give a place to {', '.join(sorted(missing)) or 'no other state'}, "
            f"and take that of {', '.join(sorted(extra)) or 'none'} away"
        )
    if unknown := {*graph.bends, *graph.events_at} - {f"{edge.source} -> {edge.target}" for edge in graph.edges}:
        raise DiagramError(f"{graph.title}: a bend or event for {', '.join(sorted(unknown))}, which is no transition")
    sheet = Sheet()
    centres = {state: _centre(place) for state, place in graph.places.items()}
    width = max(x for x, _ in centres.values()) + _BOX[0] / 2 + 30
    bottom = max(y for _, y in centres.values()) + _BOX[1] / 2 + 24
    shown: dict[tuple[str, str], list[str]] = {}
    for edge in graph.edges:
        if edge.event != graph.marked:
            shown.setdefault((edge.source, edge.target), []).append(edge.event)
    labels = Sheet()
    for (source, target), events in shown.items():
        way = f"{source} -> {target}"
        bend, at = graph.bends.get(way, 0.0), graph.events_at.get(way, 0.5)
        _arrow(sheet, labels, centres[source], centres[target], " / ".join(events), bend, at)
    marked = {edge.source for edge in graph.edges if edge.event == graph.marked}
    for state, centre in centres.items():
        _state(sheet, graph.labels.get(state, state), centre, marked=state in marked, end=state in graph.ends)
    sheet.lay_on(labels)
    if marked:
        targets = sorted({edge.target for edge in graph.edges if edge.event == graph.marked})
        lines = wrapped(f"{graph.marked}: leads to {', '.join(targets)}", width - 80, 12)
        _mark(sheet, 34, bottom + 8)
        sheet.text(50, bottom + 12, lines, size=12, anchor="start", colour="soft")
        bottom += 16 * len(lines) + 14
    return sheet.finished(graph.title, graph.description, width, bottom)


def _centre(place: Sequence[float]) -> tuple[float, float]:
    column, row = place
    return 30 + _BOX[0] / 2 + column * _COLUMN, 28 + _BOX[1] / 2 + row * _ROW


def _state(sheet: Sheet, label: str, centre: tuple[float, float], *, marked: bool, end: bool) -> None:
    x, y = centre
    width, height = _BOX
    sheet.box(
        x - width / 2,
        y - height / 2,
        width,
        height,
        stroke="good" if end else "ink",
        fill="goodfill" if end else "note",
        radius=20 if end else 6,
    )
    lines = wrapped(label, width - 10, _NAME)
    sheet.text(x, y + 4.5 - (len(lines) - 1) * 8, lines, size=_NAME, bold=True)
    if marked:
        _mark(sheet, x + width / 2 - 3, y - height / 2 + 3)


def _mark(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 7, y - 7, 14, 14, stroke="bad", fill="badfill", radius=7)
    sheet.line((x + 1.5, y - 4.5), (x - 2, y + 0.5), (x + 2, y), (x - 1.5, y + 4.5), stroke="bad", width=1.4)


def _arrow(
    sheet: Sheet,
    labels: Sheet,
    start: tuple[float, float],
    end: tuple[float, float],
    event: str,
    bend: float,
    at: float,
) -> None:
    if start == end:
        _loop(sheet, labels, start, event)
        return
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    # To the right of the way from start to end, as y grows downwards.
    control = ((x0 + x1) / 2 - (y1 - y0) / length * bend * 2, (y0 + y1) / 2 + (x1 - x0) / length * bend * 2)
    leaves, arrives = _edge_of_box(start, control), _edge_of_box(end, control)
    sheet.curve(leaves, control, arrives, stroke="soft")
    sheet.head(arrives, (arrives[0] - control[0], arrives[1] - control[1]), "soft")
    x, y = (
        (1 - at) ** 2 * a + 2 * at * (1 - at) * c + at**2 * b for a, c, b in zip(leaves, control, arrives, strict=True)
    )
    y += 4
    if abs(y1 - y0) < _BOX[1] / 2:
        # Level ways keep their event above them, and where the boxes leave no room, above the boxes.
        narrow = abs(arrives[0] - leaves[0]) < width_of(event, _LABEL) + 16
        y -= _BOX[1] / 2 + 9 if narrow else 10
    labels.text(x, y, event, size=_LABEL, colour="soft", behind="card")


def _loop(sheet: Sheet, labels: Sheet, centre: tuple[float, float], event: str) -> None:
    x, y = centre
    left, below = x - _BOX[0] / 2 + 8, y + _BOX[1] / 2
    sheet.curve((left, below), (left - 34, below + 46), (left + 26, below + 1), stroke="soft")
    sheet.head((left + 26, below), (1, -1), "soft")
    labels.text(left - 8 - width_of(event, _LABEL) / 2, below + 22, event, size=_LABEL, colour="soft", behind="card")


def _edge_of_box(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from the centre of a box towards a point leaves the box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    width, height = _BOX[0] / 2 + 2, _BOX[1] / 2 + 2
    scale = min(width / abs(dx) if dx else 1e9, height / abs(dy) if dy else 1e9)
    return centre[0] + dx * scale, centre[1] + dy * scale
