"""The steps of deciding as a ladder: each rung asks a question, and the first that says yes ends the climb."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.diagrams.faults import DiagramError
from tools.diagrams.svg import LINE, Sheet, wrapped

_WHEN, _ANSWER = 330.0, 282.0
_LEFT, _GAP = 66.0, 40.0
_COLOURS = {
    "APPLIED": ("good", "goodfill"),
    "REJECTED": ("bad", "badfill"),
    "CONFLICT": ("bad", "badfill"),
    "DEFERRED": ("warn", "warnfill"),
    "PURGED": ("warn", "warnfill"),
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One row of the table of chapter 3."""

    number: int  # of the step it belongs to
    first: bool  # whether it begins its step
    when: str
    answer: str
    recorded: str


def rungs(chapter: Path) -> tuple[Rung, ...]:
    """The table of the chapter, its first one. Raises DiagramError when there is none with the four columns."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in chapter.read_text(encoding="utf-8").split("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    if not rows or rows[0] != ["step", "when", "answer", "recorded"]:
        raise DiagramError(f"{chapter}: its first table is not step | when | answer | recorded")
    found: list[Rung] = []
    for step, when, answer, recorded in rows[2:]:
        number = int(step) if step else found[-1].number
        found.append(Rung(number, bool(step), _plain(when), _plain(answer), recorded))
    return tuple(found)


def drawn(title: str, ladder: Sequence[Rung], discards: Collection[int]) -> str:
    """The picture; `discards` are the steps that a discard takes too."""
    sheet, spine = Sheet(), Sheet()
    x = _LEFT + _WHEN + _GAP
    width = x + _ANSWER + 92
    sheet.text(_LEFT + _WHEN / 2, 30, "the first that holds …", colour="soft")
    sheet.text(x + _ANSWER / 2, 30, "… is the answer", colour="soft")
    sheet.text(x + _ANSWER + 46, 30, "recorded", colour="soft")
    y = 46.0
    for rung in ladder:
        y = _rung(sheet, spine, rung, y, discard=rung.first and rung.number in discards)
    page = Sheet()
    page.line((_LEFT + _WHEN / 2, 40), (_LEFT + _WHEN / 2, y - 14), stroke="soft")
    page.lay_on(spine)
    page.lay_on(sheet)
    _tag(page, 38, y + 4)
    page.text(
        56, y + 8.5, "a discard takes this step too, and no other; then it is applied", anchor="start", colour="soft"
    )
    last = ladder[-1].number
    description = f"{last} steps: " + "; ".join(f"{rung.number}: {rung.when}: {rung.answer}" for rung in ladder)
    return page.finished(title, description, width, y + 26)


def _rung(sheet: Sheet, spine: Sheet, rung: Rung, y: float, *, discard: bool) -> float:
    when = wrapped(rung.when, _WHEN - 28)
    answer = wrapped(rung.answer, _ANSWER - 20)
    height = max(len(when), len(answer)) * LINE + 13
    middle = y + height / 2
    sheet.box(_LEFT, y, _WHEN, height, stroke="rule", fill="note")
    sheet.text(_LEFT + 14, _base(middle, when), when, anchor="start")
    stroke, fill = _colours(rung.answer)
    left = _LEFT + _WHEN + _GAP
    spine.line((_LEFT + _WHEN, middle), (left - 3, middle), stroke="soft")
    spine.head((left - 1, middle), (1, 0), "soft")
    sheet.box(left, y, _ANSWER, height, stroke=stroke, fill=fill, radius=14)
    sheet.text(left + _ANSWER / 2, _base(middle, answer), answer)
    sheet.text(left + _ANSWER + 46, middle + 4.5, rung.recorded, bold=rung.recorded == "yes")
    if rung.first:
        sheet.text(_LEFT - 12, middle + 5, str(rung.number), anchor="end", bold=True)
    if discard:
        _tag(sheet, _LEFT - 42, middle)
    return y + height + 12


def _tag(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 9, y - 9, 18, 18, stroke="good", fill="goodfill", radius=9)
    sheet.text(x, y + 4, "D", size=11, bold=True)


def _base(middle: float, lines: Sequence[str]) -> float:
    return middle + 4.5 - (len(lines) - 1) * LINE / 2


def _colours(answer: str) -> tuple[str, str]:
    states = [state for state in _COLOURS if re.search(rf"\b{state}\b", answer)]
    return _COLOURS[states[0]] if len(states) == 1 else ("good", "goodfill")


def _plain(cell: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("<=", "≤")
