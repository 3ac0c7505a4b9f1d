"""Reads what Spin and its verifiers print. Pure: text in, values out.

A model prints one line for each step (`@actor|what happens`), lines for what follows from it (`:…`), the server's
answer (`>APPLIED`), and the number of a property that is found broken (`!4`). Spin indents them by process. The actor
`afterwards` is nobody: faults have ceased, and the queues are drained to see what the steps before it led to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ERRORS = re.compile(r"^State-vector \d+ byte, depth reached (\d+), errors: (\d+)", re.MULTILINE)
_STORED = re.compile(r"^\s*(\d+) states, stored", re.MULTILINE)
_INCOMPLETE = ("max search depth too small", "out of memory", "VECTORSZ", "Search not completed")


class SpinOutputError(ValueError):
    """What Spin printed is not what this project's models print, or says that the search was not finished."""


@dataclass(frozen=True)
class Exploration:
    """What a verifier says at its end."""

    states: int  # distinct states stored
    depth: int  # longest path, in transitions
    errors: int  # 0, or 1: a verifier stops at the first


@dataclass(frozen=True)
class Step:
    """One step of a trace: who did what, and what followed at once."""

    actor: str
    event: str
    follows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """A run that ends where a property is found broken."""

    steps: tuple[Step, ...]
    broken: int  # the property's number in rules.pml

    @property
    def drained(self) -> bool:
        """Whether the last step is the draining that shows what the others led to."""
        return bool(self.steps) and self.steps[-1].actor == "afterwards"

    @property
    def length(self) -> str:
        """Number of steps, as in `4` or `3+d`: three, and then draining without further faults."""
        return f"{len(self.steps) - 1}+d" if self.drained else str(len(self.steps))


@dataclass
class _Open:
    actor: str
    event: str
    follows: list[str] = field(default_factory=list)


def read_exploration(text: str) -> Exploration:
    """What `pan` printed; raises SpinOutputError when it did not finish or is not understood."""
    errors, stored = _ERRORS.search(text), _STORED.search(text)
    if errors is None or stored is None:
        raise SpinOutputError(f"no summary in what the verifier printed: {_last_line(text)}")
    if errors[2] == "0":  # a verifier that found an error stops there, and says so too
        for trouble in _INCOMPLETE:
            if trouble in text:
                raise SpinOutputError(f"the search was not finished: {trouble}")
    return Exploration(states=int(stored[1]), depth=int(errors[1]), errors=int(errors[2]))


def read_trace(text: str) -> Trace:
    """What `spin -k` printed; raises SpinOutputError when it shows no broken property."""
    steps: list[_Open] = []
    broken: int | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("@"):
            actor, bar, event = line[1:].partition("|")
            if not bar:
                raise SpinOutputError(f"a step without an actor: {line}")
            steps.append(_Open(actor, event))
        elif line[:1] in {">", ":", "!"} and steps:
            if line[0] == "!":
                broken = int(line[1:])
            else:
                steps[-1].follows.append(f"answer: {line[1:]}" if line[0] == ">" else line[1:])
    if broken is None:
        raise SpinOutputError("the trace ends without a broken property")
    return Trace(tuple(Step(s.actor, s.event, tuple(_folded(s.follows))) for s in steps), broken)


def _folded(lines: list[str]) -> list[str]:
    """Draining repeats itself; a block of lines that comes again at once is told once, with how often."""
    folded: list[str] = []
    index = 0
    while index < len(lines):
        size, times = _repetition(lines, index)
        folded += lines[index : index + size]
        if times > 1:
            folded.append(f"and so on, {times} times in all")
        index += size * times
    return folded


def _repetition(lines: list[str], start: int) -> tuple[int, int]:
    for size in range(1, (len(lines) - start) // 3 + 1):
        block, times = lines[start : start + size], 1
        while lines[start + size * times : start + size * (times + 1)] == block:
            times += 1
        if times >= 3:
            return size, times
    return 1, 1


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "nothing"
