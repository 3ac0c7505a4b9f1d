"""The matrix of a self-test: which mutant was caught by which check, for people and for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from conformance.mutants.catalogue import find
from conformance.mutants.trial import MutantResult, ReferenceResult, ReplayResult

MATRIX_FORMAT = "cartsync-mutants/1"

PASSED_EXIT_CODE, FAILED_EXIT_CODE, SUITE_ERROR_EXIT_CODE = 0, 1, 4


@dataclass(frozen=True, slots=True)
class Matrix:
    """Everything that a self-test found."""

    mutants: Sequence[MutantResult]
    references: Sequence[ReferenceResult]
    replays: Sequence[ReplayResult]
    seed: int
    budget: str
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 when the suite caught all and accused nobody, 4 when it broke down itself, else 1."""
        broken = [result for result in self.mutants if result.trouble and not result.caught]
        if broken or any(result.exit_code == SUITE_ERROR_EXIT_CODE for result in self.references):
            return SUITE_ERROR_EXIT_CODE
        good = (
            all(result.caught for result in self.mutants)
            and all(result.certified for result in self.references)
            and all(result.good for result in self.replays)
        )
        return PASSED_EXIT_CODE if good else FAILED_EXIT_CODE

    def sentences(self) -> list[str]:
        """What it comes to, in a few sentences."""
        caught = sum(result.caught for result in self.mutants)
        said = []
        if self.mutants:
            said.append(f"{caught} of {len(self.mutants)} mutants caught by a requirement they break.")
        if missed := [result.name for result in self.mutants if not result.caught]:
            said.append(f"Not caught: {', '.join(missed)}.")
        if self.references:
            certified = sum(result.certified for result in self.references)
            said.append(f"The reference server was certified in {certified} of {len(self.references)} runs.")
        if self.replays:
            good = sum(result.good for result in self.replays)
            said.append(
                f"{good} of {len(self.replays)} failure files reproduce every time, and pass on the reference server."
            )
        said.append(f"{self.seconds:.0f} s, seed {self.seed}, budget {self.budget}.")
        return said

    def markdown(self) -> str:
        """The matrix as a page."""
        lines = ["# The suite against wrong servers", "", " ".join(self.sentences()), ""]
        if self.mutants:
            lines += [
                "| mutant | what it does wrong | caught as | by | named first | seconds |",
                "|---|---|---|---|---|---|",
            ]
            lines += [_row(*self._cells(result)) for result in self.mutants]
        if self.references:
            lines += ["", "## The reference server", "", "| seed | what came of it | seconds |", "|---|---|---|"]
            lines += [
                _row(str(result.seed), " ".join((result.summary, *result.named)), f"{result.seconds:.1f}")
                for result in self.references
            ]
        if self.replays:
            lines += ["", "## Replays", "", "| mutant | reproduced | reference server | note |", "|---|---|---|---|"]
            lines += [
                _row(
                    result.name,
                    f"{result.reproduced_count} of {result.replay_count}",
                    "passes" if result.reference_passed else "does not pass",
                    result.note,
                )
                for result in self.replays
            ]
        return "\n".join(lines) + "\n"

    def _cells(self, result: MutantResult) -> tuple[str, ...]:
        mutant = find(result.name)
        caught_as = result.caught_as or f"**not caught**, breaks {mutant.breaks[0]}. {result.trouble}".strip()
        first = result.named[0] if result.named else ""
        return mutant.name, mutant.does, caught_as, result.check_id, first, f"{result.seconds:.1f}"

    def json(self) -> str:
        """The matrix as JSON."""
        content = {
            "format": MATRIX_FORMAT,
            "seed": self.seed,
            "budget": self.budget,
            "seconds": round(self.seconds, 1),
            "exit_code": self.exit_code,
            "mutants": [
                {**asdict(result), "caught": result.caught, "does": mutant.does, "breaks": mutant.breaks}
                for result in self.mutants
                for mutant in (find(result.name),)
            ],
            "references": [{**asdict(result), "certified": result.certified} for result in self.references],
            "replays": [{**asdict(result), "good": result.good} for result in self.replays],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
