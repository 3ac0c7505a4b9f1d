"""`junit.xml`: the report as continuous integration systems show it.

One suite for each profile, one case for each requirement. Only what makes the exit code non-zero is a failure or
an error; a SHOULD that is not met, what could not be tested and what a baseline excuses are shown as skipped, with the
reason, so that they are seen and do not fail the job.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cartsync.conformance.v1 import report_pb2

from conformance.reports.chapters import place_of
from conformance.reports.wording import (
    LANES,
    baseline_fault_text,
    offset_text,
    one_line,
    replay_command,
    run_word_for,
    seconds_of,
    visible,
    word_for,
)

# Which element a verdict becomes; passed requirements get none.
_ELEMENT = {
    report_pb2.VERDICT_VIOLATION: "failure",
    report_pb2.VERDICT_WARNING: "skipped",
    report_pb2.VERDICT_NOT_TESTABLE: "skipped",
    report_pb2.VERDICT_SUITE_ERROR: "error",
    report_pb2.VERDICT_UNREACHABLE: "error",
    report_pb2.VERDICT_UNSPECIFIED: "error",
}

# What the case for the whole run becomes when no requirement tells the run's verdict.
_RUN_ELEMENT = {
    report_pb2.RUN_VERDICT_CERTIFIED: None,
    report_pb2.RUN_VERDICT_AS_BASELINE: None,
    report_pb2.RUN_VERDICT_VIOLATION: "failure",
    report_pb2.RUN_VERDICT_PARTIAL: "skipped",
    report_pb2.RUN_VERDICT_UNREACHABLE: "error",
    report_pb2.RUN_VERDICT_SUITE_ERROR: "error",
    report_pb2.RUN_VERDICT_UNSPECIFIED: "error",
}

_TIMELINE_TAIL = 30  # events of a story that a failure text carries at most; report.html has them all


def to_xml(report: report_pb2.Report) -> str:
    """The report as JUnit XML, with declaration; valid XML 1.0 whatever the report's texts hold."""
    findings: dict[str, list[report_pb2.Finding]] = defaultdict(list)
    for finding in report.findings:
        findings[finding.slug].append(finding)

    suites = [
        _suite(report, profile, [_case(report, requirement, findings) for requirement in members])
        for profile, members in _by_profile(report).items()
    ]
    run_case = _run_case(report, suites)
    if report.later_requirements:
        suites.append(_later_suite(report))
    if run_case is not None:
        suites.append(_suite(report, "run", [run_case]))

    root = ET.Element("testsuites", {"name": f"Cartsync conformance of {_attribute(_target(report))}"})
    root.set("tests", str(sum(int(suite.get("tests", "0")) for suite in suites)))
    for count in ("failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{seconds_of(report.duration):.3f}")
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _by_profile(report: report_pb2.Report) -> dict[str, list[report_pb2.RequirementResult]]:
    members: dict[str, list[report_pb2.RequirementResult]] = {profile.name: [] for profile in report.profiles}
    for requirement in report.requirements:
        members.setdefault(requirement.profile, []).append(requirement)
    return {profile: requirements for profile, requirements in members.items() if requirements}


def _suite(report: report_pb2.Report, name: str, cases: Sequence[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _attribute(name), "tests": str(len(cases))})
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    if report.start_time.seconds:
        suite.set("timestamp", report.start_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%S"))
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("target", _target(report)),
        ("target.address", report.target.address),
        ("seed", str(report.settings.seed)),
        ("budget", report.settings.budget),
        ("suite.version", report.suite.version),
        ("spec.version", report.suite.spec_version),
        ("spec.digest", report.suite.spec_digest),
        ("edition", report.edition.name),
        ("edition.digest", report.edition.digest),
    ):
        ET.SubElement(properties, "property", {"name": key, "value": _attribute(value)})
    suite.extend(cases)
    return suite


def _later_suite(report: report_pb2.Report) -> ET.Element:
    """The requirements newer than the edition: whatever came of them is seen and fails no job."""
    findings: dict[str, list[report_pb2.Finding]] = defaultdict(list)
    for finding in report.later_findings:
        findings[finding.slug].append(finding)
    cases = [_case(report, requirement, findings, later=True) for requirement in report.later_requirements]
    return _suite(report, f"later than {report.edition.name}", cases)


def _case(
    report: report_pb2.Report,
    requirement: report_pb2.RequirementResult,
    findings: Mapping[str, Sequence[report_pb2.Finding]],
    *,
    later: bool = False,
) -> ET.Element:
    # Jenkins splits a class name at its last dot, so the chapter is named without any.
    class_name = f"{requirement.profile}/{place_of(requirement.chapter).stem}"
    seconds = sum(seconds_of(check.duration) for check in requirement.checks)
    case = ET.Element(
        "testcase",
        {
            "classname": _attribute(class_name),
            "name": _attribute(requirement.slug),
            "time": f"{seconds:.3f}",
        },
    )
    fault = next((fault for fault in report.baseline.faults if fault.entry.slug == requirement.slug), None)
    if fault is not None and not later:
        told = f"baseline: {baseline_fault_text(fault.kind)}: known because {fault.entry.reason}"
        outcome = ET.SubElement(case, "failure", {"type": "baseline", "message": _attribute(told)})
        outcome.text = _text(told)
        return case
    if requirement.verdict == report_pb2.VERDICT_PASSED:
        return case
    found = findings.get(requirement.slug, ())
    reason = next((f.summary for f in found if f.summary), "") or requirement.note
    word = word_for(requirement.verdict)
    message = f"{word.text}: {reason or word.meaning}" if word.tone != "bad" else reason or word.meaning
    known = next((entry for entry in report.baseline.known if entry.slug == requirement.slug), None)
    tag = "skipped" if later else _ELEMENT.get(requirement.verdict, "error")
    if known is not None and requirement.verdict == report_pb2.VERDICT_VIOLATION and not later:
        tag = "skipped"
        where = f" ({known.link})" if known.link else ""
        message = f"known until {known.expiry_date}: {known.reason}{where}: {message}"
    if later:
        message = f"later requirement, does not count: {word.text}: {reason or word.meaning}"
    outcome = ET.SubElement(case, tag, {"type": word.text, "message": _attribute(message)})
    outcome.text = "\n\n".join(_text(part) for part in _story_parts(report, requirement, found))
    return case


def _story_parts(
    report: report_pb2.Report,
    requirement: report_pb2.RequirementResult,
    findings: Iterable[report_pb2.Finding],
) -> Iterable[str]:
    yield f"{requirement.level} {requirement.slug} ({requirement.chapter})\n{requirement.statement}"
    if requirement.note:
        yield requirement.note
    for finding in findings:
        yield finding.summary
        if finding.expected:
            yield f"expected:\n{finding.expected}"
        if finding.observed:
            yield f"observed:\n{finding.observed}"
        if finding.check_id:
            yield f"check: {finding.check_id}"
        if command := replay_command(finding, report.target):
            yield f"replay: {command}"
        if finding.timeline:
            yield "\n".join(_timeline_lines(finding.timeline))


def _timeline_lines(timeline: Sequence[report_pb2.TimelineEvent]) -> Iterable[str]:
    skipped = len(timeline) - _TIMELINE_TAIL
    yield "story:" if skipped <= 0 else f"story, its last {_TIMELINE_TAIL} of {len(timeline)} events:"
    for event in timeline[max(0, skipped) :]:
        who = " ".join(part for part in (LANES.get(event.lane, "?"), one_line(event.actor)) if part)
        mark = ">>" if event.culprit else "  "
        yield f"{mark} {offset_text(seconds_of(event.offset)):>10}  {who}: {one_line(event.title)}"


def _run_case(report: report_pb2.Report, suites: Sequence[ET.Element]) -> ET.Element | None:
    """A case for the run as a whole, when the requirements alone would look better than the run was."""
    tag = _RUN_ELEMENT.get(report.verdict, "error")
    told = {child.tag for suite in suites for child in suite.iterfind("testcase/*")}
    severe = {"failure", "error"}
    if suites and (tag is None or (told & severe if tag in severe else told)):
        return None
    case = ET.Element("testcase", {"classname": "run", "name": "verdict"})
    case.set("time", f"{seconds_of(report.duration):.3f}")
    word = run_word_for(report.verdict)
    if tag is not None or not suites:
        # A run without one requirement is never green, whatever it says of itself.
        outcome = ET.SubElement(case, tag or "error", {"type": word.text})
        outcome.set("message", _attribute(f"{word.text}: {report.summary or word.meaning}"))
        outcome.text = _text(
            "\n\n".join([report.summary or word.meaning, *(finding.summary for finding in report.findings)])
        )
    return case


def _target(report: report_pb2.Report) -> str:
    return " ".join(part for part in (report.target.name, report.target.version) if part) or report.target.address


def _attribute(text: str) -> str:
    return one_line(text)


def _text(text: str) -> str:
    return visible(text)
