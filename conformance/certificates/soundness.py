"""Whether a report's verdict follows from what the report itself says of every requirement. Pure.

The suite that wrote a report drew its verdict by these rules; asking again finds a report in which somebody changed the
verdict, a requirement or a count, and one that a suite wrote by mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cartsync.conformance.v1 import report_pb2

from conformance.requirements.editions import Edition
from conformance.run import verdicts

# What tells a reader what was certified, by which suite and when. None of it may be missing.
_NEEDED = (
    "suite.version",
    "suite.spec_version",
    "suite.spec_digest",
    "edition.name",
    "edition.digest",
    "target.address",
    "settings.budget",
    "start_time",
    "tier",
)


def faults(report: report_pb2.Report, edition: Edition | None) -> Iterator[str]:
    """Every reason why this report certifies nothing, each a sentence without its full stop; none when it is sound.

    `edition` is the set of requirements of the report's name as this suite knows it, None when it does not.
    """
    if report.verdict != report_pb2.RUN_VERDICT_CERTIFIED:
        name = report_pb2.RunVerdict.Name(report.verdict) if report.verdict in _KNOWN else str(report.verdict)
        yield f"its verdict is {name}: only a report of RUN_VERDICT_CERTIFIED is a certificate"
        return
    for path in _NEEDED:
        if not _is_set(report, path):
            yield f"its field {path} is missing, so it does not say what was certified"
    if not all(shard.plan_digest for shard in report.shards or (report.settings,)):
        yield "it has no digest of the plans that were played, so it does not say how it was tested"
    yield from _profile_faults(report)
    yield from _requirement_faults(report)
    yield from _finding_faults(report)
    yield from _edition_faults(report, edition)


_KNOWN = frozenset(report_pb2.RunVerdict.values())


def _is_set(report: report_pb2.Report, path: str) -> bool:
    *parents, last = path.split(".")
    message = report
    for parent in parents:
        message = getattr(message, parent)
    return any(field.name == last for field, _ in message.ListFields())


def _profile_faults(report: report_pb2.Report) -> Iterator[str]:
    names = [profile.name for profile in report.profiles]
    if not names:
        yield "it names no profile, so it certifies nothing"
    if names != list(report.settings.profiles):
        yield "its profiles are not those that its settings ask for"
    for profile in report.profiles:
        due = verdicts.judge_profile(profile.name, report.requirements)
        if not due.requirement_count:
            yield f"it has no requirement of the profile {profile.name}"
        elif profile != due:
            yield f"what it says of the profile {profile.name} does not follow from the profile's requirements"
    if (report.verdict, report.exit_code) != verdicts.judge_run(
        [verdicts.judge_profile(name, report.requirements) for name in names]
    ):
        yield "its verdict does not follow from its requirements"


def _requirement_faults(report: report_pb2.Report) -> Iterator[str]:
    names = {profile.name for profile in report.profiles}
    for slug, count in Counter(result.slug for result in report.requirements).items():
        if count > 1:
            yield f"it judges {slug} {count} times"
    for result in report.requirements:
        if result.profile not in names:
            yield f"it judges {result.slug} of the profile {result.profile}, which it does not certify"
        if result.verdict == verdicts.WARNING and result.level == "MUST":
            yield f"it calls {result.slug} a warning, which is a MUST"
        if problem := _check_fault(result):
            yield f"its verdict on {result.slug} does not follow from its checks: {problem}"


def _check_fault(result: report_pb2.RequirementResult) -> str:
    found = [check.verdict for check in result.checks]
    if result.verdict == verdicts.PASSED:
        if verdicts.PASSED not in found:
            return "none of them passed"
        if any(verdict not in (verdicts.PASSED, verdicts.NOT_TESTABLE) for verdict in found):
            return "one of them did not pass"
    if result.verdict == verdicts.WARNING and verdicts.worst(found) != verdicts.WARNING:
        return "a warning is not the worst of them"
    return ""


def _finding_faults(report: report_pb2.Report) -> Iterator[str]:
    warned = {result.slug for result in report.requirements if result.verdict == verdicts.WARNING}
    for finding in report.findings:
        if finding.verdict != verdicts.WARNING or finding.slug not in warned:
            yield f"it has a finding on {finding.slug} that its verdict does not count"
    if report.baseline.faults or any(known.slug in _slugs(report) for known in report.baseline.known):
        yield "a baseline excuses something in it, and what is excused is not met"


def _slugs(report: report_pb2.Report) -> set[str]:
    return {result.slug for result in report.requirements}


def _edition_faults(report: report_pb2.Report, edition: Edition | None) -> Iterator[str]:
    """Compare with the edition as this suite has it; a working copy of another day cannot be compared."""
    if edition is None or edition.name != report.edition.name:
        return
    if report.edition.digest != edition.register.digest:
        if edition.released:
            yield f"its requirements are not those of edition {edition.name}, which is released and never changes"
        return
    if report.edition.requirement_count != len(edition.register.requirements):
        yield f"it miscounts the requirements of edition {edition.name}"
    due = edition.register.of_profiles([profile.name for profile in report.profiles])
    said = [(r.slug, r.profile, r.level, r.statement) for r in report.requirements]
    if said != [(r.slug, r.profile, r.level, r.statement) for r in due]:
        yield f"it does not judge the requirements that edition {edition.name} has for its profiles"


def is_compared(report: report_pb2.Report, edition: Edition | None) -> bool:
    """Whether `faults` could compare the report's requirements with those of its edition."""
    return edition is not None and report.edition.digest == edition.register.digest
