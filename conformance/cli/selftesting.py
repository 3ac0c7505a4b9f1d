"""The command `selftest`: the suite against servers known to be wrong, and against one known to be right."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import click

from conformance.exceptions import UsageError
from conformance.mutants.catalogue import CATALOGUE, UnknownMutantError, find
from conformance.mutants.matrix import SUITE_ERROR_EXIT_CODE, Matrix
from conformance.mutants.mutant import Mutant
from conformance.mutants.trial import (
    MutantResult,
    ReferenceResult,
    ReplayResult,
    in_own_process,
    try_mutant,
    try_reference,
    try_replay,
)
from conformance.run import BUDGETS

DEFAULT_SEED_COUNT = 20

_R = TypeVar("_R")


class TrialFailedError(Exception):
    """A trial came to no result at all, so nothing is proved; the message says where to look."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What was asked for; `checked` raises UsageError for what cannot be meant."""

    mutants: tuple[Mutant, ...]
    seed_count: int  # runs against the reference server, with the seeds `seed`, `seed` + 1, …
    seed: int
    budget: str
    jobs: int  # trials at a time, each in a process of its own
    output: Path
    replay_count: int  # replays of each failure file against its mutant
    whole: bool  # run the whole suite against every mutant

    @classmethod
    def checked(
        cls,
        names: Sequence[str],
        *,
        seed_count: int | None,
        seed: int,
        budget: str,
        jobs: int,
        output: Path,
        replay_count: int = 0,
        whole: bool = False,
    ) -> SelfTest:
        """A self-test of the named mutants, or of all; without names the reference server is run with 20 seeds."""
        try:
            mutants = tuple(find(name) for name in dict.fromkeys(names)) or CATALOGUE
        except UnknownMutantError as error:
            raise UsageError(str(error)) from None
        if budget not in BUDGETS:
            raise UsageError(f"--budget {budget!r} is unknown; choose one of {', '.join(BUDGETS)}")
        if seed_count is None:
            seed_count = 0 if names else DEFAULT_SEED_COUNT
        return cls(mutants, seed_count, seed, budget, jobs, output, replay_count, whole)


def run_selftest(test: SelfTest) -> int:
    """Try every mutant and every seed, say what comes of it as it goes, write the matrix; returns the exit code."""
    started = time.monotonic()
    click.echo(
        f"Self-test: {len(test.mutants)} mutants, then {test.seed_count} runs against the reference server, "
        f"{test.jobs} at a time, seed {test.seed}."
    )
    try:
        mutants, replays, references = _try_all(test)
    except TrialFailedError as error:
        click.echo(f"The suite itself failed: {error}", err=True)
        return SUITE_ERROR_EXIT_CODE
    matrix = Matrix(mutants, references, replays, test.seed, test.budget, time.monotonic() - started)
    test.output.mkdir(parents=True, exist_ok=True)
    (test.output / "matrix.md").write_text(matrix.markdown(), encoding="utf-8")
    (test.output / "matrix.json").write_text(matrix.json(), encoding="utf-8")
    click.echo()
    click.echo(_table(mutants))
    for sentence in matrix.sentences():
        click.echo(sentence)
    click.echo(f"Matrix: {test.output / 'matrix.md'}")
    return matrix.exit_code


@dataclass(frozen=True, slots=True)
class _Trial(Generic[_R]):
    """A trial, and the folder for all that it leaves."""

    folder: Path
    call: Callable[[], _R]


def _mutant_trial(test: SelfTest, name: str) -> _Trial[MutantResult]:
    folder = test.output / name
    return _Trial(folder, partial(try_mutant, name, test.seed, test.budget, folder, test.whole))


def _replay_trial(test: SelfTest, result: MutantResult) -> _Trial[ReplayResult]:
    folder = test.output / result.name / "replay"
    return _Trial(folder, partial(try_replay, result.name, Path(result.failure_file), test.replay_count, folder))


def _reference_trial(test: SelfTest, seed: int) -> _Trial[ReferenceResult]:
    folder = test.output / f"reference-{seed}"
    return _Trial(folder, partial(try_reference, seed, test.budget, folder))


def _try_all(test: SelfTest) -> tuple[list[MutantResult], list[ReplayResult], list[ReferenceResult]]:
    with _Bench(test.jobs) as bench:
        mutants = bench.run([_mutant_trial(test, mutant.name) for mutant in test.mutants], _mutant_line)
        replays = bench.run(
            [_replay_trial(test, result) for result in mutants if test.replay_count and result.failure_file],
            _replay_line,
        )
        seeds = range(test.seed, test.seed + test.seed_count)
        references = bench.run([_reference_trial(test, seed) for seed in seeds], _reference_line)
    return mutants, replays, references


class _Bench:
    """Runs trials in processes of their own, a few at a time, and tells of each as it ends."""

    def __init__(self, jobs: int) -> None:
        self._pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1)

    def __enter__(self) -> _Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, trials: Sequence[_Trial[_R]], line: Callable[[_R], str]) -> list[_R]:
        """Every trial's result, in order; `line` says one result at once when it is there."""
        futures = [self._pool.submit(in_own_process, trial.folder / "suite.log", trial.call) for trial in trials]
        width = len(str(len(futures)))
        folders = {future: trial.folder for future, trial in zip(futures, trials, strict=True)}
        for number, future in enumerate(as_completed(futures), start=1):
            try:
                said = line(future.result())
            except Exception as error:
                raise TrialFailedError(f"{type(error).__name__}: {error}; see {folders[future]}/suite.log") from error
            click.echo(f"[{number:>{width}}/{len(futures)}] {said}")
        return [future.result() for future in futures]


def _mutant_line(result: MutantResult) -> str:
    if not result.caught:
        named = f"; named {', '.join(result.named)}" if result.named else ""
        return f"✗ {result.name}: NOT CAUGHT{named}{f'; {result.trouble}' if result.trouble else ''}"
    return f"✓ {result.name}: {result.caught_as} ({result.seconds:.1f} s)"


def _reference_line(result: ReferenceResult) -> str:
    if result.certified:
        return f"✓ reference server, seed {result.seed}: {result.summary} ({result.seconds:.1f} s)"
    return f"✗ reference server, seed {result.seed}: {result.summary} {' '.join(result.named)}"


def _replay_line(result: ReplayResult) -> str:
    reference = "passes on the reference server" if result.reference_passed else "DOES NOT PASS on the reference server"
    mark = "✓" if result.good else "✗"
    return f"{mark} {result.name}: reproduced {result.reproduced_count} of {result.replay_count}, {reference}"


def _table(results: Sequence[MutantResult]) -> str:
    rows = [("mutant", "breaks", "caught by", "named first", "seconds")]
    for result in results:
        first = result.named[0] if result.named else "-"
        breaks = find(result.name).breaks[0]
        caught = result.check_id if result.caught else "NOT CAUGHT"
        rows.append((result.name, breaks, caught, first, f"{result.seconds:.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
