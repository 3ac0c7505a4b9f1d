"""What got better and what got worse between two reports. Pure.

| before \\ after      | passed | violated (a MUST or a SHOULD) | not judged |
|---------------------|--------|-------------------------------|------------|
| passed              |        | worse                         | worse      |
| violated            | better |                               | unsure     |
| not judged, or new  | better | worse                         |            |

"Not judged" is not testable, not selected, unreachable or an error of the suite. What is only in the first report
counts as not judged in the second. Unsure: nobody knows whether it was mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cartsync.conformance.v1 import report_pb2

from conformance.reports.summary import profile_word
from conformance.reports.wording import (
    Word,
    duration_text,
    requirement_word,
    run_word_for,
    seconds_of,
    target_title,
    tier_text,
)

_ABSENT = Word("–", "not in the report", "mute", "The report does not have it.")


class Trend(Enum):
    """What a change means."""

    WORSE = "worse"
    BETTER = "better"
    UNSURE = "unsure"


class _Standing(Enum):
    PASSED = "passed"
    VIOLATED = "violated"
    NOT_JUDGED = "not judged"


_STANDINGS = {
    report_pb2.VERDICT_PASSED: _Standing.PASSED,
    report_pb2.VERDICT_WARNING: _Standing.VIOLATED,
    report_pb2.VERDICT_VIOLATION: _Standing.VIOLATED,
}

_TRENDS = {
    (_Standing.PASSED, _Standing.VIOLATED): Trend.WORSE,
    (_Standing.PASSED, _Standing.NOT_JUDGED): Trend.WORSE,
    (_Standing.VIOLATED, _Standing.PASSED): Trend.BETTER,
    (_Standing.VIOLATED, _Standing.NOT_JUDGED): Trend.UNSURE,
    (_Standing.NOT_JUDGED, _Standing.PASSED): Trend.BETTER,
    (_Standing.NOT_JUDGED, _Standing.VIOLATED): Trend.WORSE,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One requirement or profile whose verdict is another now."""

    name: str
    before: Word
    after: Word
    trend: Trend
    note: str  # why, where the second report says; may be empty


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing about how the runs were made that differs, or tells their size."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two reports."""

    verdict: tuple[Word, Word]  # of the runs, before and after
    requirements: tuple[Change, ...]  # in the order of the spec, those of the second report first
    profiles: tuple[Change, ...]
    new_findings: tuple[report_pb2.Finding, ...]  # of requirements that were violated before too, by other checks
    gone_findings: tuple[report_pb2.Finding, ...]  # of requirements that are violated still
    setup: tuple[Fact, ...]  # only what differs: server, suite, edition, tier, budget
    effort: tuple[Fact, ...]

    def of(self, trend: Trend) -> tuple[Change, ...]:
        """The requirements with this trend."""
        return tuple(change for change in self.requirements if change.trend is trend)

    @property
    def is_worse(self) -> bool:
        """Whether anything got worse."""
        return any(change.trend is Trend.WORSE for change in (*self.requirements, *self.profiles))


def compare(before: report_pb2.Report, after: report_pb2.Report) -> Comparison:
    """Compare an earlier report with a later one."""
    requirements = tuple(_requirement_changes(before, after))
    changed = {change.name for change in requirements}
    return Comparison(
        verdict=(run_word_for(before.verdict), run_word_for(after.verdict)),
        requirements=requirements,
        profiles=tuple(_profile_changes(before, after)),
        new_findings=_findings_only_in(after, before, changed),
        gone_findings=_findings_only_in(before, after, changed),
        setup=tuple(fact for fact in _facts(_SETUP, before, after) if fact.before != fact.after),
        effort=tuple(_facts(_EFFORT, before, after)),
    )


def _requirement_changes(before: report_pb2.Report, after: report_pb2.Report) -> Iterator[Change]:
    old = {result.slug: result for result in before.requirements}
    new = {result.slug: result for result in after.requirements}
    for slug in dict.fromkeys((*new, *old)):
        was, now = old.get(slug), new.get(slug)
        trend = _TRENDS.get((_standing(was), _standing(now)))
        if trend is not None:
            yield Change(
                slug,
                _ABSENT if was is None else requirement_word(was),
                _ABSENT if now is None else requirement_word(now),
                trend,
                "" if now is None else now.note,
            )


def _profile_changes(before: report_pb2.Report, after: report_pb2.Report) -> Iterator[Change]:
    old = {profile.name: profile for profile in before.profiles}
    new = {profile.name: profile for profile in after.profiles}
    for name in dict.fromkeys((*new, *old)):
        was, now = old.get(name), new.get(name)
        trend = _TRENDS.get((_standing(was), _standing(now)))
        if trend is not None:
            yield Change(
                name,
                _ABSENT if was is None else profile_word(was),
                _ABSENT if now is None else profile_word(now),
                trend,
                "",
            )


def _standing(result: report_pb2.RequirementResult | report_pb2.ProfileResult | None) -> _Standing:
    return _Standing.NOT_JUDGED if result is None else _STANDINGS.get(result.verdict, _Standing.NOT_JUDGED)


def _findings_only_in(
    report: report_pb2.Report, other: report_pb2.Report, changed: Iterable[str]
) -> tuple[report_pb2.Finding, ...]:
    """Findings by checks that found nothing in the other report; those of changed requirements are told already."""
    known = {(finding.slug, finding.check_id) for finding in other.findings}
    told = set(changed)
    return tuple(f for f in report.findings if (f.slug, f.check_id) not in known and f.slug not in told)


_Read = Callable[[report_pb2.Report], str]

_SETUP: Mapping[str, _Read] = {
    "server": lambda report: target_title(report.target),
    "tier": lambda report: tier_text(report.tier),
    "edition": lambda report: f"{report.edition.name} ({report.edition.digest[:12]})",
    "suite": lambda report: report.suite.version,
    "budget": lambda report: report.settings.budget,
}

_EFFORT: Mapping[str, _Read] = {
    "findings": lambda report: f"{len(report.findings):,}",
    "checks": lambda report: f"{report.effort.check_count:,}",
    "plans": lambda report: f"{report.effort.plan_count:,}",
    "operations judged": lambda report: f"{report.effort.operation_count:,}",
    "restarts": lambda report: f"{report.effort.crash_count:,}",
    "time": lambda report: duration_text(seconds_of(report.duration)),
}


def _facts(read: Mapping[str, _Read], before: report_pb2.Report, after: report_pb2.Report) -> Sequence[Fact]:
    return [Fact(name, of(before), of(after)) for name, of in read.items()]
