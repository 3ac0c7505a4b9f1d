"""What a reader must know first, drawn out of a report: counts by verdict, and what was not judged and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2

from conformance.reports.wording import VERDICTS, Word, word_for

_JUDGED = (report_pb2.VERDICT_PASSED, report_pb2.VERDICT_VIOLATION, report_pb2.VERDICT_WARNING)
_NO_REASON = "No reason was given."


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Requirements that could not be judged for one and the same reason."""

    word: Word
    reason: str
    slugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The findings that break one requirement: the one with the shortest story, and how many there are besides."""

    shortest: report_pb2.Finding
    more_count: int


def gathered(report: report_pb2.Report) -> tuple[Gathered, ...]:
    """The findings by verdict and requirement, in the order each came up first."""
    members: dict[tuple[report_pb2.Verdict.ValueType, str], list[report_pb2.Finding]] = {}
    for finding in report.findings:
        members.setdefault((finding.verdict, finding.slug), []).append(finding)
    return tuple(
        Gathered(min(findings, key=lambda finding: len(finding.timeline)), len(findings) - 1)
        for findings in members.values()
    )


def unjudged(report: report_pb2.Report) -> tuple[Unjudged, ...]:
    """What could not be judged, by verdict and reason, in the order of the spec."""
    slugs: dict[tuple[report_pb2.Verdict.ValueType, str], list[str]] = {}
    for requirement in report.requirements:
        if requirement.verdict not in _JUDGED:
            slugs.setdefault((requirement.verdict, requirement.note.strip() or _NO_REASON), []).append(requirement.slug)
    return tuple(Unjudged(word_for(verdict), reason, tuple(members)) for (verdict, reason), members in slugs.items())


def tally(requirements: Sequence[report_pb2.RequirementResult]) -> tuple[tuple[Word, int], ...]:
    """How many requirements have each verdict, worst to best as the verdicts are worth reading; zeros left out."""
    counts = Counter(requirement.verdict for requirement in requirements)
    order = (
        report_pb2.VERDICT_VIOLATION,
        report_pb2.VERDICT_SUITE_ERROR,
        report_pb2.VERDICT_UNREACHABLE,
        report_pb2.VERDICT_WARNING,
        report_pb2.VERDICT_NOT_TESTABLE,
        report_pb2.VERDICT_PASSED,
    )
    known = [(VERDICTS[verdict], counts[verdict]) for verdict in order if counts[verdict]]
    unknown = sum(count for verdict, count in counts.items() if verdict not in VERDICTS)
    return (*known, *([(word_for(report_pb2.VERDICT_UNSPECIFIED), unknown)] if unknown else []))


def profile_word(profile: report_pb2.ProfileResult) -> Word:
    """The verdict of a profile in a word: a profile that passed is certified."""
    word = word_for(profile.verdict)
    if profile.verdict == report_pb2.VERDICT_PASSED:
        return Word(word.glyph, "certified", word.tone, "Every MUST of it was tested and met.")
    if profile.verdict == report_pb2.VERDICT_NOT_TESTABLE:
        return Word(word.glyph, "partial", "warn", "Something of it could not be tested.")
    return word
