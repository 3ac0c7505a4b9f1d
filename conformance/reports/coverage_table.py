"""What the fuzzing reached, laid out for a page: states by faults, and requirements by how often they were judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2


@dataclass(frozen=True, slots=True)
class Row:
    """One state, with how many requirements were judged in it under each fault."""

    state: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """One requirement, with how many pairs of state and fault it was judged in, and how often in all."""

    slug: str
    pair_count: int
    judged_count: int


@dataclass(frozen=True, slots=True)
class CoverageTable:
    """The coverage of a report. Faults and states that met most requirements come first."""

    triple_count: int
    judged_count: int
    faults: tuple[str, ...]
    rows: tuple[Row, ...]
    requirements: tuple[Reached, ...]


def coverage_table(cells: Sequence[report_pb2.CoverageCell]) -> CoverageTable | None:
    """The table of some cells; None when there are none."""
    if not cells:
        return None
    at: dict[tuple[str, str], set[str]] = defaultdict(set)
    judged: Counter[str] = Counter()
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for cell in cells:
        at[cell.state, cell.fault].add(cell.requirement)
        judged[cell.requirement] += cell.count
        pairs[cell.requirement].add((cell.state, cell.fault))
    by_fault: Counter[str] = Counter()
    by_state: Counter[str] = Counter()
    for (state, fault), slugs in at.items():
        by_fault[fault] += len(slugs)
        by_state[state] += len(slugs)
    faults = tuple(fault for fault, _ in sorted(by_fault.items(), key=lambda pair: (-pair[1], pair[0])))
    states = [state for state, _ in sorted(by_state.items(), key=lambda pair: (-pair[1], pair[0]))]
    return CoverageTable(
        triple_count=len(cells),
        judged_count=sum(judged.values()),
        faults=faults,
        rows=tuple(Row(state, tuple(len(at.get((state, fault), ())) for fault in faults)) for state in states),
        requirements=tuple(
            Reached(slug, len(pairs[slug]), count)
            for slug, count in sorted(judged.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
    )
