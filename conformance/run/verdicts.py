"""From what the checks found to what it means for each requirement, each profile and the run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cartsync.conformance.v1 import report_pb2

from conformance.reports.wording import NOT_SELECTED, OTHER_SHARDS
from conformance.requirements import Requirement

Verdict: TypeAlias = report_pb2.Verdict.ValueType

PASSED = report_pb2.VERDICT_PASSED
VIOLATION = report_pb2.VERDICT_VIOLATION
WARNING = report_pb2.VERDICT_WARNING
NOT_TESTABLE = report_pb2.VERDICT_NOT_TESTABLE
SUITE_ERROR = report_pb2.VERDICT_SUITE_ERROR
UNREACHABLE = report_pb2.VERDICT_UNREACHABLE

# Worst first: what a requirement with several checks, or a profile with several requirements, comes to.
_SEVERITY = (VIOLATION, UNREACHABLE, SUITE_ERROR, WARNING, NOT_TESTABLE, PASSED)

# What a run comes to, and its exit code, by the worst verdict in it.
_RUN_VERDICTS = {
    VIOLATION: (report_pb2.RUN_VERDICT_VIOLATION, 1),
    UNREACHABLE: (report_pb2.RUN_VERDICT_UNREACHABLE, 3),
    SUITE_ERROR: (report_pb2.RUN_VERDICT_SUITE_ERROR, 4),
    NOT_TESTABLE: (report_pb2.RUN_VERDICT_PARTIAL, 5),
    PASSED: (report_pb2.RUN_VERDICT_CERTIFIED, 0),
}


@dataclass
class CheckRecord:
    """What one check found. `blamed` is the slug that a violation counts against."""

    check_id: str
    title: str
    slugs: tuple[str, ...]
    verdict: Verdict | None = None  # None: it has not ended
    note: str = ""
    blamed: str = ""
    seconds: float = 0.0
    plan_count: int = 1
    operation_count: int = 0


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; PASSED when there are none."""
    return min(verdicts, key=_SEVERITY.index, default=PASSED)


def judge_requirement(requirement: Requirement, checks: Sequence[CheckRecord]) -> report_pb2.RequirementResult:
    """What all checks together say about one requirement."""
    own = [check for check in checks if requirement.slug in check.slugs or requirement.slug == check.blamed]
    said = [_said_by(check, requirement) for check in own]
    verdict, note = min(said, key=lambda pair: _SEVERITY.index(pair[0]), default=(SUITE_ERROR, "no check judges it"))
    # A check that gave up half-way says nothing when another one went through.
    if (
        verdict == NOT_TESTABLE
        and any(found == PASSED for found, _ in said)
        and all(check.verdict in (PASSED, VIOLATION, WARNING) for check in own)
    ):
        verdict, note = PASSED, ""
    return report_pb2.RequirementResult(
        slug=requirement.slug,
        profile=requirement.profile,
        level=requirement.level,
        statement=requirement.statement,
        chapter=f"{requirement.chapter} · {requirement.heading}",
        verdict=verdict,
        note=note,
        checks=[_result_of(check, found) for check, (found, _) in zip(own, said, strict=True)],
    )


def _said_by(check: CheckRecord, requirement: Requirement) -> tuple[Verdict, str]:
    if check.verdict is None:
        return NOT_TESTABLE, f"{check.check_id} did not run"
    if check.verdict != VIOLATION:
        return check.verdict, check.note
    if check.blamed == requirement.slug:
        return (VIOLATION if requirement.level == "MUST" else WARNING), check.note
    return NOT_TESTABLE, f"{check.check_id} stopped at a violation of {check.blamed} before it could judge this"


def _result_of(check: CheckRecord, verdict: Verdict) -> report_pb2.CheckResult:
    result = report_pb2.CheckResult(
        check_id=check.check_id, title=check.title, verdict=verdict, plan_count=check.plan_count
    )
    result.duration.FromNanoseconds(int(check.seconds * 1e9))
    return result


def judge_profile(name: str, requirements: Sequence[report_pb2.RequirementResult]) -> report_pb2.ProfileResult:
    """What its requirements say about one profile: a warning does not stand in the way of a certificate."""
    own = [result for result in requirements if result.profile == name]
    verdict = worst(PASSED if result.verdict == WARNING else result.verdict for result in own)
    return report_pb2.ProfileResult(
        name=name,
        verdict=verdict,
        passed_count=sum(result.verdict == PASSED for result in own),
        requirement_count=len(own),
    )


def judge_run(profiles: Sequence[report_pb2.ProfileResult]) -> tuple[report_pb2.RunVerdict.ValueType, int]:
    """The verdict and exit code of a run without a baseline."""
    return _RUN_VERDICTS[worst(profile.verdict for profile in profiles)]


def judge_by_baseline(report: report_pb2.Report) -> tuple[report_pb2.RunVerdict.ValueType, int]:
    """The verdict and exit code by what became of the profiles and of the baseline; an unset one changes nothing."""
    verdict = worst(profile.verdict for profile in report.profiles)
    if report.baseline.faults:
        return _RUN_VERDICTS[VIOLATION]
    known = {entry.slug for entry in report.baseline.known}
    if verdict != VIOLATION or not known:
        return _RUN_VERDICTS[verdict]
    left = [r.verdict for r in report.requirements if not (r.slug in known and r.verdict == VIOLATION)]
    left += [profile.verdict for profile in report.profiles if profile.verdict != VIOLATION]
    verdict = worst(PASSED if verdict == WARNING else verdict for verdict in left)
    return (report_pb2.RUN_VERDICT_AS_BASELINE, 0) if verdict == PASSED else _RUN_VERDICTS[verdict]


def sentence(report: report_pb2.Report) -> str:
    """What the verdict means, in one sentence; another one for requirements newer than the edition."""
    return _of_edition(report) + _of_later(report.later_requirements)


def _known_violations(report: report_pb2.Report) -> list[str]:
    known = {entry.slug for entry in report.baseline.known}
    return [result.slug for result in report.requirements if result.verdict == VIOLATION and result.slug in known]


def _of_baseline(report: report_pb2.Report) -> str:
    """What the baseline adds to the sentence of a run that fails."""
    told = ""
    if known := len(_known_violations(report)):
        told += f", {known} of them known to the baseline"
    passed = sum(fault.kind == report_pb2.BaselineFault.KIND_UNEXPECTED_PASS for fault in report.baseline.faults)
    if passed:
        told += f"; {passed} {'entry' if passed == 1 else 'entries'} of the baseline must go, the server is better now"
    if expired := len(report.baseline.faults) - passed:
        told += f"; {expired} {'entry' if expired == 1 else 'entries'} of the baseline expired"
    return told


def _of_later(later: Sequence[report_pb2.RequirementResult]) -> str:
    broken = sum(result.verdict in (VIOLATION, WARNING) for result in later)
    if not broken:
        return ""
    what = "1 later requirement is" if broken == 1 else f"{broken} later requirements are"
    return f" {what} not met, which does not count for this edition."


def _of_edition(report: report_pb2.Report) -> str:
    *most, last = [profile.name for profile in report.profiles] or [""]
    names = f"{', '.join(most)} and {last}" if most else last
    if report.edition.name and report.edition.name != report.suite.spec_version:
        names += f" by edition {report.edition.name}"
    count = {
        verdict: sum(result.verdict == verdict for result in report.requirements)
        for verdict in report_pb2.Verdict.values()
    }
    match report.verdict:
        case report_pb2.RUN_VERDICT_CERTIFIED:
            warned = f", with {count[WARNING]} warning(s)" if count[WARNING] else ""
            return f"Certified for {names}: every MUST was tested and met{warned}."
        case report_pb2.RUN_VERDICT_VIOLATION:
            are = "is" if count[VIOLATION] == 1 else "are"
            violated = f"{count[VIOLATION]} of {len(report.requirements)} requirements {are} violated"
            return f"Not certified: {violated}{_of_baseline(report)}."
        case report_pb2.RUN_VERDICT_AS_BASELINE:
            known = len(_known_violations(report))
            are = "requirement is" if known == 1 else "requirements are"
            return f"Not certified, but nothing is new: {known} {are} violated, as the baseline has it."
        case report_pb2.RUN_VERDICT_UNREACHABLE:
            return "No verdict: the server could not be reached, or stopped answering."
        case report_pb2.RUN_VERDICT_PARTIAL:
            left_out = sum(result.note in (NOT_SELECTED, OTHER_SHARDS) for result in report.requirements)
            gaps = ((count[NOT_TESTABLE] - left_out, "could not be tested"), (left_out, "were not selected"))
            told = [f"{number} {what}" for number, what in gaps if number] or ["some checks were left out"]
            of = f"of {len(report.requirements)} requirements "
            known = len(_known_violations(report))
            nothing = f"nothing is violated but {known} known to the baseline" if known else "nothing is violated"
            return f"Partial: {nothing}, {'and' if known else 'but'} {of}{' and '.join(told)}."
        case _:
            return "No verdict: the suite itself failed; please report it with this file."
