"""What a reader must know first, drawn out of a report: counts by verdict, and what was not judged and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2

from conformance.reports.wording import NOT_SELECTED, Word, count_text, one_line, requirement_word, word_for

_JUDGED = (report_pb2.VERDICT_PASSED, report_pb2.VERDICT_VIOLATION, report_pb2.VERDICT_WARNING)
_NO_REASON = "No reason was given."
_LEFT_OUT = "left out by the selection of this run"


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Requirements that could not be judged for one and the same reason."""

    word: Word
    reason: str  # empty where it is the report's summary
    slugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The findings that break one requirement: the one with the shortest story, and those besides."""

    shortest: report_pb2.Finding
    others: tuple[report_pb2.Finding, ...]  # those with shorter stories first

    @property
    def more_text(self) -> str:
        """How many findings stand behind the shortest; empty when it is the only one."""
        return f"and {count_text(len(self.others), 'more finding')} like it" if self.others else ""


@dataclass(frozen=True, slots=True)
class Later:
    """What came of the requirements that are newer than the edition a run is judged by."""

    title: str
    meaning: str
    counts: str  # how many there are and how many have each verdict
    groups: tuple[Gathered, ...]


def gathered(findings: Sequence[report_pb2.Finding]) -> tuple[Gathered, ...]:
    """The findings by verdict and requirement, in the order each came up first."""
    members: dict[tuple[report_pb2.Verdict.ValueType, str], list[report_pb2.Finding]] = {}
    for finding in findings:
        members.setdefault((finding.verdict, finding.slug), []).append(finding)
    ordered = [sorted(alike, key=lambda finding: len(finding.timeline)) for alike in members.values()]
    return tuple(Gathered(shortest, tuple(others)) for shortest, *others in ordered)


def worth_telling(report: report_pb2.Report) -> tuple[Gathered, ...]:
    """The findings that say more than the report's summary does, gathered."""
    return tuple(group for group in gathered(report.findings) if not _is_the_summary(group, report))


def later(report: report_pb2.Report) -> Later | None:
    """The later requirements, told apart from those that count; None when there are none."""
    if not report.later_requirements:
        return None
    edition = one_line(report.edition.name) or "the edition"
    told = ", ".join(count_text(count, word.text, word.plural) for word, count in tally(report.later_requirements))
    return Later(
        title=f"Later than {edition}",
        meaning=f"These came after {edition}. They are told here and change neither verdict nor exit code.",
        counts=f"{count_text(len(report.later_requirements), 'later requirement')}: {told}",
        groups=gathered(report.later_findings),
    )


def _is_the_summary(group: Gathered, report: report_pb2.Report) -> bool:
    return group.shortest.verdict == report_pb2.VERDICT_UNREACHABLE and group.shortest.summary == report.summary


def profile_figures(profile: report_pb2.ProfileResult, report: report_pb2.Report) -> str:
    """How many requirements of a profile passed, and how many the run left out or never came to."""
    own = [requirement for requirement in report.requirements if requirement.profile == profile.name]
    count = count_text(profile.requirement_count, "requirement")
    if own and all(requirement.verdict == report_pb2.VERDICT_UNREACHABLE for requirement in own):
        return f"{count} not judged"
    left_out = sum(requirement_word(requirement).text == "not selected" for requirement in own)
    return f"{profile.passed_count} of {count} passed" + (f", {left_out:,} not selected" if left_out else "")


def unjudged(report: report_pb2.Report) -> tuple[Unjudged, ...]:
    """What could not be judged, by verdict and reason, in the order of the spec."""
    slugs: dict[tuple[Word, str], list[str]] = {}
    for requirement in report.requirements:
        if requirement.verdict not in _JUDGED:
            reason = requirement.note.strip() or _NO_REASON
            if reason == NOT_SELECTED:
                reason = _LEFT_OUT
            elif requirement.verdict == report_pb2.VERDICT_UNREACHABLE and reason == report.summary.strip():
                reason = ""
            slugs.setdefault((requirement_word(requirement), reason), []).append(requirement.slug)
    return tuple(Unjudged(word, reason, tuple(members)) for (word, reason), members in slugs.items())


def tally(requirements: Sequence[report_pb2.RequirementResult]) -> tuple[tuple[Word, int], ...]:
    """How many requirements have each verdict, worst to best as the verdicts are worth reading; zeros left out."""
    counts = Counter(requirement_word(requirement) for requirement in requirements)
    order = ("violation", "suite error", "unreachable", "warning", "not testable", "not selected", "passed")
    rank = {text: number for number, text in enumerate(order)}
    return tuple(sorted(counts.items(), key=lambda told: rank.get(told[0].text, len(order))))


def profile_word(profile: report_pb2.ProfileResult) -> Word:
    """The verdict of a profile in a word: a profile that passed is certified."""
    word = word_for(profile.verdict)
    if profile.verdict == report_pb2.VERDICT_PASSED:
        return Word(word.glyph, "certified", word.tone, "Every MUST of it was tested and met.")
    if profile.verdict == report_pb2.VERDICT_NOT_TESTABLE:
        return Word(word.glyph, "partial", "warn", "Something of it could not be tested.")
    return word
