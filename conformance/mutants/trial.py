"""One trial: the suite against one mutant or the reference server, or a replay of what it found. Plain values out.

A trial of a mutant runs the checks of the requirement it is about; when these do not name it, those of all that it
breaks; and then the whole suite. It ends with the first violation that names one of those requirements. Every trial
is meant for a process of its own: `in_own_process` sends what the suite prints to a file and calls the trial.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cartsync.conformance.v1 import report_pb2

from conformance.mutants.catalogue import find
from conformance.requirements import load
from conformance.run import NoProgress, RunSettings
from conformance.run.execute import execute
from conformance.run.replay import read_failure, replay_settings
from conformance.wire import TargetOptions

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of the suite against one mutant."""

    name: str
    seconds: float
    named: tuple[str, ...] = ()  # every requirement that a violation named, in order
    caught_as: str = ""  # the first of them that the mutant breaks; empty when it was not caught
    check_id: str = ""  # the check that named it
    summary: str = ""  # what the check said
    failure_file: str = ""  # from which it can be replayed
    check_count: int = 0  # how many checks were run
    trouble: str = ""  # why the suite could not do its work, when it could not

    @property
    def caught(self) -> bool:
        """Whether a violation named what the mutant breaks."""
        return bool(self.caught_as)


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """What became of the suite against the reference server."""

    seed: int
    seconds: float
    exit_code: int
    summary: str
    named: tuple[str, ...] = ()  # requirements it is said to break; none if all is well

    @property
    def certified(self) -> bool:
        """Whether nothing worse than a certificate came of it."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of a failure file, replayed."""

    name: str
    seconds: float
    replay_count: int  # against the mutant
    reproduced_count: int  # of these
    reference_passed: bool
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the mutant failed the same way every time, and the reference server did not."""
        return self.reference_passed and self.reproduced_count == self.replay_count


def mutant_command(name: str) -> str:
    """The `--launch` command of a mutant."""
    return f"{shlex.quote(sys.executable)} -m conformance.mutants {name}"


def reference_command() -> str:
    """The `--launch` command of the reference server."""
    return f"{shlex.quote(sys.executable)} -m reference_server.cli serve"


def try_mutant(name: str, seed: int, budget: str, folder: Path, whole: bool) -> MutantResult:
    """Run the suite against a mutant; `whole` runs all of it, and to the end."""
    mutant = find(name)
    started = time.monotonic()
    register = load()
    settings = RunSettings.checked(
        register,
        target=TargetOptions(launch=mutant_command(name)),
        profiles=register.profiles,  # asked for: a mutant may list fewer than it should
        budget=budget,
        seed=seed,
        report_dir=folder,
    )
    if whole:
        return _judged(name, mutant.breaks, settings, started)
    main = mutant.breaks[:1]
    stages = (
        replace(settings, only=main, stop_at=main),
        replace(settings, only=mutant.breaks, stop_at=mutant.breaks),
        replace(settings, stop_at=mutant.breaks),
    )
    result = MutantResult(name, 0.0)
    for stage in stages:
        found = _judged(name, mutant.breaks, stage, started)
        result = replace(
            found,
            named=tuple(dict.fromkeys((*result.named, *found.named))),
            check_count=result.check_count + found.check_count,
        )
        if result.caught or result.trouble:
            break
    return result


def try_reference(seed: int, budget: str, folder: Path) -> ReferenceResult:
    """Run the whole suite against the reference server."""
    started = time.monotonic()
    register = load()
    settings = RunSettings.checked(
        register,
        target=TargetOptions(launch=reference_command()),
        profiles=register.profiles,
        budget=budget,
        seed=seed,
        report_dir=folder,
    )
    code, report = execute(register, settings, NoProgress())
    summary = report.summary if report is not None else "the suite itself failed"
    named = tuple(dict.fromkeys(f.slug for f in report.findings)) if report is not None else ()
    return ReferenceResult(seed, time.monotonic() - started, code, summary, named)


def try_replay(name: str, failure_file: Path, count: int, folder: Path) -> ReplayResult:
    """Replay a mutant's failure file so many times against the mutant, and once against the reference server."""
    started = time.monotonic()
    slug = read_failure(failure_file)["requirement"]
    reproduced = sum(slug in _replayed(failure_file, mutant_command(name), folder).named for _ in range(count))
    reference = _replayed(failure_file, reference_command(), folder)
    return ReplayResult(name, time.monotonic() - started, count, reproduced, reference.passed, reference.note)


def in_own_process(log_file: Path, trial: Callable[[], _T]) -> _T:
    """Call the trial with everything that is printed, by whomever, going to the file."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    return trial()


def _judged(name: str, breaks: tuple[str, ...], settings: RunSettings, started: float) -> MutantResult:
    code, report = execute(load(), settings, NoProgress())
    seconds = time.monotonic() - started
    if report is None:
        return MutantResult(name, seconds, trouble=f"the suite itself failed with exit code {code}")
    wrong = [f for f in report.findings if f.verdict in (report_pb2.VERDICT_VIOLATION, report_pb2.VERDICT_WARNING)]
    errors = [f for f in report.findings if f.verdict == report_pb2.VERDICT_SUITE_ERROR]
    trouble = ""
    if errors:
        trouble = f"{errors[0].check_id}: {errors[0].summary}"
    elif report.verdict == report_pb2.RUN_VERDICT_UNREACHABLE:
        trouble = report.summary
    own = min((f for f in wrong if f.slug in breaks), key=lambda finding: breaks.index(finding.slug), default=None)
    result = MutantResult(
        name,
        seconds,
        named=tuple(dict.fromkeys(finding.slug for finding in wrong)),
        check_count=report.effort.check_count,
        trouble=trouble,
    )
    if own is None:
        return result
    return replace(
        result,
        caught_as=own.slug,
        check_id=own.check_id,
        summary=own.summary,
        failure_file=str(settings.report_dir / own.replay_file),
    )


@dataclass(frozen=True, slots=True)
class _Replayed:
    named: tuple[str, ...]
    passed: bool  # the one check ran, to its end, and found nothing
    note: str


def _replayed(failure_file: Path, command: str, folder: Path) -> _Replayed:
    code, report = execute(load(), replay_settings(failure_file, TargetOptions(launch=command), folder), NoProgress())
    if report is None:
        return _Replayed((), passed=False, note=f"the suite itself failed with exit code {code}")
    named = tuple(dict.fromkeys(finding.slug for finding in report.findings))
    checks = [check.verdict for result in report.requirements for check in result.checks]
    passed = not named and report_pb2.VERDICT_PASSED in checks
    return _Replayed(named, passed, "" if passed else f"{report.summary} {' '.join(named)}".strip())
