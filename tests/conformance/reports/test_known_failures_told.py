"""What a baseline excuses, and what is wrong with it, is told by every report in the same words."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cartsync.conformance.v1 import report_pb2

from conformance.reports.badge import to_svg
from conformance.reports.html import to_html
from conformance.reports.junit import to_xml
from conformance.reports.summary_md import to_markdown
from conformance.reports.terminal_lines import summary_lines
from conformance.run import verdicts

KNOWN = report_pb2.KnownFailure(slug="stock/clamp", reason="in work", link="https://x/1", expiry_date="2026-12-31")


def report_of(verdict: verdicts.Verdict, fault: report_pb2.BaselineFault.Kind.ValueType | None) -> report_pb2.Report:
    report = report_pb2.Report(tier=report_pb2.TIER_BLACK_BOX)
    report.requirements.add(slug="stock/clamp", profile="core", level="MUST", chapter="06-a.md · 6", verdict=verdict)
    report.requirements.add(slug="cart/x", profile="core", level="MUST", chapter="05-a.md · 5", verdict=verdicts.PASSED)
    report.profiles.add().CopyFrom(verdicts.judge_profile("core", report.requirements))
    if fault is None:
        report.baseline.known.add().CopyFrom(KNOWN)
    else:
        report.baseline.faults.add(entry=KNOWN, kind=fault)
    if verdict == verdicts.VIOLATION:
        report.findings.add(slug="stock/clamp", verdict=verdict, summary="it took none")
        if fault is None:
            report.findings[0].known.CopyFrom(KNOWN)
    report.verdict, report.exit_code = verdicts.judge_by_baseline(report)
    report.summary = verdicts.sentence(report)
    return report


def cases(report: report_pb2.Report) -> dict[str, str]:
    """The name of each case of the JUnit report with the kind and message of what came of it."""
    found = {}
    for case in ET.fromstring(to_xml(report)).iter("testcase"):
        for outcome in case:
            found[str(case.get("name"))] = f"{outcome.tag}: {outcome.get('message')}"
    return found


def test_a_known_failure_is_skipped_in_junit_with_reason_link_and_last_day() -> None:
    told = cases(report_of(verdicts.VIOLATION, None))
    assert set(told) == {"stock/clamp"}
    assert told["stock/clamp"].startswith("skipped: known until 2026-12-31: in work (https://x/1)")


@pytest.mark.parametrize(
    ("verdict", "kind", "said"),
    [
        (verdicts.PASSED, report_pb2.BaselineFault.KIND_UNEXPECTED_PASS, "take the entry out"),
        (verdicts.VIOLATION, report_pb2.BaselineFault.KIND_EXPIRED, "expired"),
    ],
)
def test_an_entry_that_is_out_of_date_fails_in_junit_and_is_told_in_the_terminal(
    verdict: verdicts.Verdict, kind: report_pb2.BaselineFault.Kind.ValueType, said: str
) -> None:
    report = report_of(verdict, kind)
    assert report.exit_code == 1
    assert cases(report)["stock/clamp"].startswith("failure: baseline: ")
    assert said in cases(report)["stock/clamp"]
    terminal = "\n".join(summary_lines(report, Path("r")))
    assert "✗ stock/clamp: " in terminal
    assert said in terminal


def test_what_is_as_the_baseline_has_it_is_nowhere_called_certified() -> None:
    report = report_of(verdicts.VIOLATION, None)
    assert (report.verdict, report.exit_code) == (report_pb2.RUN_VERDICT_AS_BASELINE, 0)
    terminal = "\n".join(summary_lines(report, Path("r")))
    assert "– KNOWN FAILURES" in terminal
    assert "– stock/clamp: known until 2026-12-31: in work (https://x/1)" in terminal
    assert "stock/clamp, known" in terminal
    for text in (terminal, to_html(report), to_markdown(report), to_svg(report)):
        told = text.lower().replace("not certified", "")
        assert "certified" not in told.replace("a server that needs a baseline is", "").split("<style")[0]


def test_the_tier_is_told_in_the_terminal_and_the_summary() -> None:
    report = report_of(verdicts.VIOLATION, None)
    told = "black box: a running server and a file of its fixtures"
    assert f"Tier: {told}" in summary_lines(report, Path("r"))
    assert told in to_markdown(report)
