"""The published matrix: what the last whole self-test found, mutant by mutant, kept in `docs/reference/matrix.json`.

`python -m tools.reference.matrix conformance-report/selftest/matrix.json` puts a new one in its place.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.mutants import CATALOGUE

FORMAT = "cartsync-published-matrix/1"
PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "matrix.json"


@dataclass(frozen=True, slots=True)
class Row:
    """How one mutant was caught."""

    name: str
    caught_as: str  # slug; empty when it was not caught
    check: str
    named: tuple[str, ...]  # every requirement that a violation named, in order
    seconds: float


@dataclass(frozen=True, slots=True)
class PublishedMatrix:
    """A whole self-test, as far as it is published."""

    seed: int
    budget: str
    seconds: float
    reference_runs: int
    reference_certified: int
    rows: Mapping[str, Row]

    def sentence(self) -> str:
        """What it came to. Figures are those of the mutants that the suite has today."""
        today = {mutant.name: mutant for mutant in CATALOGUE}
        rows = [row for row in self.rows.values() if row.name in today]
        caught = sum(bool(row.caught_as) for row in rows)
        first = sum(row.named[:1] == today[row.name].breaks[:1] for row in rows)
        alone = sum(set(row.named) <= set(today[row.name].breaks) for row in rows)
        median = statistics.median(row.seconds for row in rows)
        return (
            f"The last whole self-test (seed {self.seed}, budget {self.budget}, {self.seconds / 60:.0f} minutes) "
            f"caught {caught} of {len(rows)} mutants, each in {median:.1f} s (median). Until then it had named the "
            f"requirement that the mutant is about first for {first} of them, and nothing beside "
            f"what the mutant breaks for {alone}. The reference server was certified in {self.reference_certified} of "
            f"{self.reference_runs} runs."
        )


def published(file: Path = PUBLISHED) -> PublishedMatrix:
    """Read the published matrix; raises ValueError when it is none."""
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.get("format") != FORMAT:
        raise ValueError(f"{file}: its format is not {FORMAT!r}")
    rows = [Row(**{**row, "named": tuple(row["named"])}) for row in content["mutants"]]
    return PublishedMatrix(
        seed=content["seed"],
        budget=content["budget"],
        seconds=content["seconds"],
        reference_runs=content["reference_runs"],
        reference_certified=content["reference_certified"],
        rows={row.name: row for row in rows},
    )


def publish(selftest: Mapping[str, Any], file: Path = PUBLISHED) -> None:
    """Write the matrix of a self-test down for publication, a line for each mutant."""
    head = {
        "format": FORMAT,
        "seed": selftest["seed"],
        "budget": selftest["budget"],
        "seconds": selftest["seconds"],
        "reference_runs": len(selftest["references"]),
        "reference_certified": sum(run["certified"] for run in selftest["references"]),
    }
    rows = [
        {
            "name": mutant["name"],
            "caught_as": mutant["caught_as"],
            "check": mutant["check_id"],
            "named": mutant["named"],
            "seconds": round(mutant["seconds"], 1),
        }
        for mutant in selftest["mutants"]
    ]
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    listed = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    file.write_text("\n".join(["{", *lines, ' "mutants": [', listed, " ]", "}"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    publish(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
