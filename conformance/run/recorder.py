"""Collects what the checks of a run find, and makes the report of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

from cartsync.conformance.v1 import control_pb2, report_pb2

from conformance import SPEC_VERSION
from conformance.explaining.reasons import reason_for
from conformance.explaining.transcript import transcript
from conformance.redaction import redacted_event, redacted_message, redacted_text
from conformance.reports.wording import NOT_SELECTED, OTHER_SHARDS
from conformance.requirements import Register, Requirement
from conformance.requirements.editions import first_editions
from conformance.run import baseline, failure_files, tiers, verdicts
from conformance.run.fuzz_tally import FuzzTally
from conformance.run.replay_command import program_as_typed, replay_command
from conformance.run.settings import RunSettings
from conformance.run.verdicts import CheckRecord, Verdict
from conformance.wire import Event


class NoProgress:
    """Nobody watches."""

    def started(
        self, target_name: str, address: str, profiles: Sequence[str], check_count: int, seed: int, budget: str
    ) -> None:
        """Say nothing."""

    def check_started(self, check_id: str, title: str) -> None:
        """Say nothing."""

    def plan_executed(self, plan_count: int, operation_count: int) -> None:
        """Say nothing."""

    def check_finished(self, check_id: str, verdict: Verdict, seconds: float) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def finished(self, report: report_pb2.Report, report_dir: Path) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


@dataclass
class Recorder:
    """The growing result of a run."""

    register: Register
    settings: RunSettings
    suite_version: str
    checks: dict[str, CheckRecord] = field(default_factory=dict)
    findings: list[report_pb2.Finding] = field(default_factory=list)
    target: report_pb2.Target = field(default_factory=report_pb2.Target)
    crash_count: int = 0
    unreachable: str = ""  # why the run could not go on
    broken: list[str] = field(default_factory=list)  # what of the suite could not be read, or failed
    interrupted: bool = False  # somebody stopped the run
    fuzzing: FuzzTally = field(default_factory=FuzzTally)
    plans: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # the plan of each failure file that has one
    unlisted_profiles: tuple[str, ...] = ()  # not tested, because the server's policy does not list them
    worker: str = ""  # of several processes, which one; failure files of each have names of their own
    _start_seconds: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)

    def describe_target(
        self, address: str, control_address: str, launched: bool, description: control_pb2.DescribeResponse | None
    ) -> None:
        """Write down what is tested."""
        self.target.CopyFrom(
            report_pb2.Target(
                address=address,
                control_address=control_address,
                launched=launched,
                name=description.name if description else "",
                version=description.version if description else "",
                capabilities=[
                    control_pb2.Capability.Name(c).removeprefix("CAPABILITY_").lower()
                    for c in (description.capabilities if description else ())
                    if c in control_pb2.Capability.values()
                ],
            )
        )

    def found(
        self,
        check: CheckRecord,
        slug: str,
        verdict: Verdict,
        summary: str,
        *,
        expected: str = "",
        observed: str = "",
        events: Sequence[Event] = (),
        plan: Mapping[str, Any] | None = None,
        worlds: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down something wrong: into the report, and for violations into a file that can be replayed.

        Card numbers are written down nowhere; a plan has none.
        """
        events = [redacted_event(event) for event in events]
        finding = report_pb2.Finding(
            slug=slug,
            verdict=verdict,
            summary=redacted_text(summary),
            expected=redacted_text(expected),
            observed=redacted_text(observed),
            check_id=check.check_id,
            because=reason_for(slug) if verdict in (verdicts.VIOLATION, verdicts.WARNING) else "",
            timeline=[_timeline_event(event) for event in events if not event.quiet],
        )
        if verdict in (verdicts.VIOLATION, verdicts.WARNING):
            number = 1 + sum(bool(other.replay_file) for other in self.findings)
            finding.replay_file = f"{failure_files.FOLDER}/{self.worker}{number:03}-{slug.replace('/', '-')}.json"
            finding.replay_command = replay_command(
                self.settings.report_dir / finding.replay_file, self.settings.target, program_as_typed()
            )
            finding.transcript = transcript(slug, events, launched=self.target.launched, target=self.settings.target)
            failure_files.write(
                self.settings.report_dir / finding.replay_file,
                failure_files.content_of(
                    finding,
                    self.requirement(slug),
                    title=check.title,
                    settings={
                        "seed": self.settings.seed,
                        "budget": self.settings.budget.name,
                        "profiles": list(self.settings.profiles),
                        "edition": self.settings.edition.name,
                    },
                    suite=self._suite(),
                    target=self.target,
                    command=finding.replay_command,
                    events=events,
                    plan=plan,
                    worlds=worlds,
                ),
            )
            if plan is not None:
                self.plans[finding.replay_file] = plan
        self.findings.append(finding)

    def requirement(self, slug: str) -> Requirement | None:
        """A requirement as the edition has it that the run judges by, or else as the suite has it."""
        return self.settings.edition.register.by_slug.get(slug) or self.register.by_slug.get(slug)

    def _suite(self) -> report_pb2.SuiteIdentity:
        return report_pb2.SuiteIdentity(
            version=self.suite_version, spec_version=SPEC_VERSION, spec_digest=self.register.digest
        )

    def report(self) -> report_pb2.Report:
        """The report as things stand; checks that have not ended count as not run."""
        checks = list(self.checks.values())
        edition = self.settings.edition
        requirements = self._judged(edition.register, checks)
        later = self._judged(edition.later(self.register), checks)
        findings, later_findings = self._findings({result.slug for result in later})
        profiles = [verdicts.judge_profile(name, requirements) for name in self.settings.profiles]
        for profile in profiles:
            if (self.settings.only or self.settings.shard or self.interrupted) and profile.verdict == verdicts.PASSED:
                profile.verdict = verdicts.NOT_TESTABLE  # some of its checks may have been left out
        report = report_pb2.Report(
            suite=self._suite(),
            target=self.target,
            tier=tiers.tier_of(self.target.control_address, launched=self.target.launched),
            settings=report_pb2.RunSettings(
                seed=self.settings.seed, budget=self.settings.budget.name, profiles=self.settings.profiles
            ),
            profiles=profiles,
            requirements=requirements,
            findings=findings,
            effort=report_pb2.Effort(
                check_count=sum(check.verdict is not None for check in checks),
                plan_count=sum(check.plan_count for check in checks if check.verdict is not None),
                operation_count=sum(check.operation_count for check in checks),
                crash_count=self.crash_count,
            ),
            edition=report_pb2.Edition(
                name=edition.name,
                released=edition.released,
                requirement_count=len(edition.register.requirements),
                digest=edition.register.digest,
            ),
            unlisted_profiles=self.unlisted_profiles,
            later_requirements=later,
            later_findings=later_findings,
        )
        self.fuzzing.tell(report)
        if self.settings.shard is not None:
            report.settings.shard_index, report.settings.shard_count = (
                self.settings.shard.index,
                self.settings.shard.count,
            )
        if self.settings.time_limit is not None:
            report.settings.time_limit.FromMilliseconds(int(self.settings.time_limit * 1000))
        self._compare_with_baseline(report)
        report.verdict, report.exit_code = verdicts.judge_by_baseline(report)
        report.summary = self.unreachable or verdicts.sentence(report)
        if self.interrupted:
            report.summary = f"Interrupted after {report.effort.check_count} of {len(checks)} checks. {report.summary}"
        if self.broken:
            report.summary = f"No verdict: the suite itself failed. {self.broken[0]}"
        report.summary = redacted_text(report.summary)
        report.start_time.FromMilliseconds(int(self._start_seconds * 1000))
        report.duration.FromMilliseconds(int((time.monotonic() - self.started) * 1000))
        return report

    def _compare_with_baseline(self, report: report_pb2.Report) -> None:
        if self.settings.baseline is None:
            return
        complete = not (self.settings.only or self.settings.shard or self.interrupted or self.unreachable)
        result = baseline.compare(self.settings.baseline, report.requirements, self.settings.today, complete=complete)
        report.baseline.CopyFrom(result)
        known = {entry.slug: entry for entry in result.known}
        for finding in report.findings:
            if finding.slug in known and finding.verdict in (verdicts.VIOLATION, verdicts.WARNING):
                finding.known.CopyFrom(known[finding.slug])

    def _findings(self, later: set[str]) -> tuple[list[report_pb2.Finding], list[report_pb2.Finding]]:
        """Those that count and those of later requirements, violations first. A lost server counts in any case."""
        ordered = sorted(self.findings, key=lambda finding: finding.verdict != verdicts.VIOLATION)
        told = [f.slug in later and f.verdict != verdicts.UNREACHABLE for f in ordered]
        return [f for f, of_later in zip(ordered, told, strict=True) if not of_later], list(compress(ordered, told))

    def _judged(self, register: Register, checks: Sequence[CheckRecord]) -> list[report_pb2.RequirementResult]:
        """What the checks say about those requirements of `register` that are of the requested profiles."""
        results = []
        first = first_editions()
        for requirement in register.of_profiles(self.settings.profiles):
            result = verdicts.judge_requirement(requirement, checks)
            result.since_edition = first.get(requirement.slug, SPEC_VERSION)
            if self.broken:
                result.verdict, result.note = verdicts.SUITE_ERROR, self.broken[0]
            elif self.unreachable and result.verdict == verdicts.NOT_TESTABLE:
                result.verdict, result.note = verdicts.UNREACHABLE, self.unreachable
            elif self.settings.shard is not None and not result.checks:
                result.verdict, result.note = verdicts.NOT_TESTABLE, OTHER_SHARDS
            elif self.settings.only and not result.checks:
                result.verdict, result.note = verdicts.NOT_TESTABLE, NOT_SELECTED
            results.append(redacted_message(result))
        return results


def _timeline_event(event: Event) -> report_pb2.TimelineEvent:
    detail = event.detail or (str(event.message) if event.message is not None else "")
    result = report_pb2.TimelineEvent(
        lane=event.lane.value, actor=event.actor, title=event.title, detail=detail, culprit=event.culprit
    )
    result.offset.FromNanoseconds(int(event.offset_seconds * 1e9))
    return result
