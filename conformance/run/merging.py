"""The reports of all shards of a campaign, made one: with the verdicts of a single run of all their checks. Pure.

What each check found is read back from the reports, and judged again by the very rules that a run judges by. Reports
that are not of one campaign, of one suite against one server, are refused.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from cartsync.conformance.v1 import report_pb2

from conformance import SPEC_VERSION
from conformance.exceptions import UsageError
from conformance.reports.wording import NOT_SELECTED, OTHER_SHARDS
from conformance.requirements import Register, Requirement
from conformance.requirements.editions import Edition, first_editions
from conformance.run import failure_files, verdicts
from conformance.run.verdicts import CheckRecord

_BEYOND_CHECKS = (verdicts.UNREACHABLE, verdicts.SUITE_ERROR)
"""Verdicts that a whole run may come to, whatever its checks found."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """The report of one shard, and what to call it in a message."""

    name: str
    report: report_pb2.Report


_ALIKE: tuple[tuple[str, Callable[[report_pb2.Report], object]], ...] = (
    ("version of the suite", lambda report: report.suite.version),
    ("digest of the spec", lambda report: report.suite.spec_digest),
    ("edition", lambda report: (report.edition.name, report.edition.digest)),
    ("server", lambda report: (report.target.name, report.target.version)),
    ("capabilities of the server", lambda report: tuple(report.target.capabilities)),
    ("tier", lambda report: report_pb2.Tier.Name(report.tier)),
    ("seed", lambda report: report.settings.seed),
    ("budget", lambda report: report.settings.budget),
    ("profiles", lambda report: tuple(report.settings.profiles)),
    ("profiles that the server does not list", lambda report: tuple(report.unlisted_profiles)),
    ("number of shards", lambda report: report.settings.shard_count),
)


def in_order(shards: Sequence[ShardReport]) -> list[ShardReport]:
    """The shards by their index; raises UsageError unless they are all shards of one campaign, each once."""
    if not shards:
        raise UsageError("nothing to merge: give the report of every shard")
    for shard in shards:
        if not shard.report.settings.shard_count:
            raise UsageError(f"{shard.name} is no report of a shard: only `run --shard` makes those")
        if shard.report.shards:
            raise UsageError(f"{shard.name} was merged already: give the reports of the shards themselves")
    first = shards[0]
    for what, told in _ALIKE:
        for other in shards[1:]:
            if told(other.report) != told(first.report):
                raise UsageError(
                    f"{other.name} and {first.name} are not of one campaign: their {what} differs "
                    f"({_shown(told(other.report))} and {_shown(told(first.report))})"
                )
    count = first.report.settings.shard_count
    times = Counter(shard.report.settings.shard_index for shard in shards)
    if twice := [index for index, number in times.items() if number > 1]:
        names = " and ".join(shard.name for shard in shards if shard.report.settings.shard_index == twice[0])
        raise UsageError(f"{names} are both shard {twice[0]} of {count}: give each shard once")
    if missing := [str(index) for index in range(1, count + 1) if index not in times]:
        raise UsageError(f"the report of shard {', '.join(missing)} of {count} is missing: all {count} are needed")
    return sorted(shards, key=lambda shard: shard.report.settings.shard_index)


def merged(
    shards: Sequence[ShardReport], register: Register, edition: Edition, check_ids: Sequence[tuple[str, Sequence[str]]]
) -> report_pb2.Report:
    """One report of all shards, with the failure files numbered anew.

    `check_ids` are the checks of the suite with their requirements: what none of the shards ran was not selected.
    Raises UsageError as `in_order` does, and for reports of another suite than this.
    """
    shards = in_order(shards)
    reports = [shard.report for shard in shards]
    first = reports[0]
    if (first.suite.spec_digest, first.edition.digest) != (register.digest, edition.register.digest):
        raise UsageError(
            f"{shards[0].name} was made by suite {first.suite.version}, which had other requirements than this one: "
            "merge with the suite that made the reports"
        )
    records = [record for report in reports for record in _records(report)]
    ran = {record.check_id for record in records}
    left_out = {slug for check_id, slugs in check_ids if check_id not in ran for slug in slugs}
    profiles = tuple(first.settings.profiles)

    def judged(of: Register) -> list[report_pb2.RequirementResult]:
        return [
            _judged(requirement, records, reports, left_out=requirement.slug in left_out)
            for requirement in of.of_profiles(profiles)
        ]

    result = report_pb2.Report(
        suite=first.suite,
        target=first.target,
        tier=first.tier,
        settings=first.settings,
        edition=first.edition,
        unlisted_profiles=first.unlisted_profiles,
        requirements=judged(edition.register),
        later_requirements=judged(edition.later(register)),
        findings=_in_order_of_weight(chain.from_iterable(report.findings for report in reports)),
        later_findings=_in_order_of_weight(chain.from_iterable(report.later_findings for report in reports)),
        effort=_effort(reports, len(ran)),
        coverage=_coverage(reports),
        shards=[_shard(report) for report in reports],
    )
    result.settings.shard_index = result.settings.shard_count = 0
    digests = "\n".join(report.settings.plan_digest for report in reports)
    result.settings.plan_digest = hashlib.sha256(digests.encode()).hexdigest()
    for number, finding in enumerate((*result.findings, *result.later_findings), start=1):
        if finding.replay_file:
            finding.replay_file = renumbered(finding.replay_file, number)
    result.profiles.extend(verdicts.judge_profile(name, result.requirements) for name in profiles)
    result.verdict, result.exit_code = verdicts.judge_run(result.profiles)
    result.summary = verdicts.sentence(result)
    started = min(report.start_time.ToNanoseconds() for report in reports)
    result.start_time.FromNanoseconds(started)
    result.duration.FromNanoseconds(max(report.duration.ToNanoseconds() for report in reports))
    return result


def replay_files(shards: Sequence[ShardReport]) -> list[tuple[ShardReport, str, str]]:
    """Every failure file: the shard it is of, its name there, and its name in the merged report."""
    shards = in_order(shards)
    findings: list[tuple[ShardReport, report_pb2.Finding]] = []
    for of in ("findings", "later_findings"):
        told = [(shard, finding) for shard in shards for finding in getattr(shard.report, of)]
        findings += sorted(told, key=lambda pair: pair[1].verdict != verdicts.VIOLATION)
    return [
        (shard, finding.replay_file, renumbered(finding.replay_file, number))
        for number, (shard, finding) in enumerate(findings, start=1)
        if finding.replay_file
    ]


def renumbered(replay_file: str, number: int) -> str:
    """The name of a failure file with another number before it."""
    name = PurePosixPath(replay_file).name
    return f"{failure_files.FOLDER}/{number:03}-{name.partition('-')[2] or name}"


def _records(report: report_pb2.Report) -> list[CheckRecord]:
    """What each check of a run found, read back from its report."""
    blamed = {finding.check_id: finding for finding in (*report.later_findings, *report.findings)}
    records: dict[str, CheckRecord] = {}
    for requirement in (*report.requirements, *report.later_requirements):
        for check in requirement.checks:
            if check.check_id not in records:
                records[check.check_id] = CheckRecord(
                    check.check_id,
                    check.title,
                    (),
                    verdicts.PASSED,
                    seconds=check.duration.ToNanoseconds() / 1e9,
                    plan_count=check.plan_count,
                )
            record = records[check.check_id]
            finding = blamed.get(check.check_id)
            if finding is None or finding.slug != requirement.slug:
                record.slugs = (*record.slugs, requirement.slug)
            if finding is not None:
                wrong = finding.verdict in (verdicts.VIOLATION, verdicts.WARNING)
                record.verdict = verdicts.VIOLATION if wrong else finding.verdict
                record.blamed, record.note = finding.slug if wrong else "", finding.summary
            elif check.verdict == verdicts.NOT_TESTABLE and record.verdict == verdicts.PASSED:
                record.verdict, record.note = check.verdict, requirement.note
    return list(records.values())


def _judged(
    requirement: Requirement, records: Sequence[CheckRecord], reports: Sequence[report_pb2.Report], *, left_out: bool
) -> report_pb2.RequirementResult:
    result = verdicts.judge_requirement(requirement, records)
    result.since_edition = first_editions().get(requirement.slug, SPEC_VERSION)
    _join_checks(result)
    if not result.checks or (left_out and result.verdict == verdicts.PASSED):
        result.verdict, result.note = verdicts.NOT_TESTABLE, NOT_SELECTED
    for report in reports:
        for told in (*report.requirements, *report.later_requirements):
            if told.slug == result.slug and told.verdict in _BEYOND_CHECKS and told.note != OTHER_SHARDS:
                worst = verdicts.worst((result.verdict, told.verdict))
                if worst != result.verdict:
                    result.verdict, result.note = told.verdict, told.note
    return result


def _join_checks(result: report_pb2.RequirementResult) -> None:
    """A check that ran in several shards is told once, with the worst verdict and all that it did."""
    joined: dict[str, report_pb2.CheckResult] = {}
    for check in result.checks:
        known = joined.setdefault(check.check_id, report_pb2.CheckResult())
        if not known.check_id:
            known.CopyFrom(check)
            continue
        known.verdict = verdicts.worst((known.verdict, check.verdict))
        known.plan_count += check.plan_count
        known.duration.FromNanoseconds(known.duration.ToNanoseconds() + check.duration.ToNanoseconds())
    del result.checks[:]
    result.checks.extend(joined.values())


def _in_order_of_weight(findings: chain[report_pb2.Finding]) -> list[report_pb2.Finding]:
    return sorted(findings, key=lambda finding: finding.verdict != verdicts.VIOLATION)


def _effort(reports: Sequence[report_pb2.Report], check_count: int) -> report_pb2.Effort:
    total = report_pb2.Effort(check_count=check_count)
    for name in ("plan_count", "operation_count", "crash_count", "fault_count", "fuzzed_operation_count"):
        setattr(total, name, sum(getattr(report.effort, name) for report in reports))
    total.fuzz_duration.FromNanoseconds(sum(report.effort.fuzz_duration.ToNanoseconds() for report in reports))
    return total


def _coverage(reports: Sequence[report_pb2.Report]) -> list[report_pb2.CoverageCell]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for cell in chain.from_iterable(report.coverage for report in reports):
        counts[cell.requirement, cell.state, cell.fault] += cell.count
    return [
        report_pb2.CoverageCell(requirement=requirement, state=state, fault=fault, count=count)
        for (requirement, state, fault), count in sorted(counts.items())
    ]


def _shard(report: report_pb2.Report) -> report_pb2.Shard:
    settings = report.settings
    return report_pb2.Shard(
        index=settings.shard_index,
        count=settings.shard_count,
        seed=settings.seed,
        plan_digest=settings.plan_digest,
        start_time=report.start_time,
        duration=report.duration,
    )


def _shown(value: object) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
