"""What was asked of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.exceptions import UsageError
from conformance.requirements import Register
from conformance.requirements.editions import Edition, UnknownEditionError, load_edition, present_edition
from conformance.run.baseline import Baseline
from conformance.run.budget import BUDGETS, Budget
from conformance.run.shards import Shard
from conformance.wire import TargetOptions

MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class RunSettings:
    """A run, fixed before it begins; `checked` raises UsageError for what no run can mean."""

    target: TargetOptions
    profiles: tuple[str, ...]  # to be certified; those the server does not list fall away unless they were asked for
    budget: Budget
    seed: int
    report_dir: Path
    edition: Edition  # whose requirements decide
    profiles_asked_for: bool = False  # whether somebody named them
    only: tuple[str, ...] = ()  # patterns over slugs and check ids; empty means everything
    plan: Mapping[str, Any] | None = None  # the one plan to replay in place of drawn ones
    replayed: Path | None = None  # the failure file that the plan is from
    stop_at_first: bool = False  # end the run at the first violation
    stop_at: tuple[str, ...] = ()  # end the run at the first violation of one of these requirements
    time_limit: float | None = None  # seconds that the whole run lasts; None: as long as its budget takes
    baseline: Baseline | None = None  # failures that are known; None: there is no baseline
    today: date = date.max  # when entries of the baseline are looked at
    reruns: int = 0  # how many times the story of a violation is run again
    play_count: int = 3  # how many times a plan that is replayed is played before it counts as kept
    shard: Shard | None = None  # the part of a campaign over several machines that this run is

    @classmethod
    def checked(
        cls,
        register: Register,
        *,
        target: TargetOptions,
        profiles: tuple[str, ...] = (),
        budget: str = "standard",
        seed: int = 0,
        report_dir: Path | None = None,
        only: tuple[str, ...] = (),
        plan: Mapping[str, Any] | None = None,
        replayed: Path | None = None,
        stop_at_first: bool = False,
        edition: str = "",
        minutes: float | None = None,
        shard: str = "",
        baseline: Baseline | None = None,
        today: date = date.max,
        reruns: int = 0,
    ) -> RunSettings:
        """Settings made of what somebody typed; no profile means all that the edition has, no edition the suite's."""
        try:
            judged_by = load_edition(edition) if edition else present_edition(register)
        except UnknownEditionError as error:
            raise UsageError(f"--edition: {error}") from error
        in_edition = judged_by.register.profiles
        if unknown := [name for name in profiles if name not in in_edition]:
            known = ", ".join(in_edition)
            of = f"edition {edition}" if edition else "this edition"
            raise UsageError(f"--profile {unknown[0]!r} is unknown; the profiles of {of} are {known}")
        if budget not in BUDGETS:
            raise UsageError(f"--budget {budget!r} is unknown; choose one of {', '.join(BUDGETS)}")
        if minutes is not None and not 0 < minutes <= MOST_MINUTES:
            raise UsageError(f"--minutes {minutes:g} is none; a run lasts up to {MOST_MINUTES} minutes, a week")
        return cls(
            target=target,
            profiles=tuple(dict.fromkeys(profiles)) or in_edition,
            budget=BUDGETS[budget],
            seed=seed,
            report_dir=report_dir or Path("conformance-report"),
            edition=judged_by,
            profiles_asked_for=bool(profiles),
            only=only,
            plan=plan,
            replayed=replayed,
            stop_at_first=stop_at_first,
            baseline=baseline,
            today=today,
            reruns=reruns,
            time_limit=None if minutes is None else minutes * 60,
            shard=Shard.parsed(shard) if shard else None,
        )

    def narrowed_to(self, listed: Iterable[str]) -> RunSettings:
        """These settings without the profiles that the server does not list, unless they were asked for.

        `core` always stays: a server without it is none.
        """
        if self.profiles_asked_for:
            return self
        has = {"core", *listed}
        return replace(self, profiles=tuple(name for name in self.profiles if name in has))

    def claim_report_dir(self) -> None:
        """Make the report's folder and see that it can be written; raises UsageError."""
        try:
            self.report_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.report_dir):
                pass
        except OSError as error:
            raise UsageError(f"--report-dir {self.report_dir} cannot be written: {error.strerror or error}") from error

    def selects(self, check_id: str, slugs: tuple[str, ...]) -> bool:
        """Whether `only` lets this check run."""
        return not self.only or any(fnmatchcase(name, pattern) for pattern in self.only for name in (check_id, *slugs))
