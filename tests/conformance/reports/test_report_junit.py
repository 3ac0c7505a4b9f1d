from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.reports import to_xml

SAMPLES = [
    sample_reports.certified,
    sample_reports.violated,
    sample_reports.partial,
    sample_reports.unreachable,
    sample_reports.hostile,
]


def _case(root: ET.Element, name: str) -> ET.Element:
    (case,) = [case for case in root.iter("testcase") if case.get("name") == name]
    return case


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.__name__))
def test_the_counts_of_every_level_agree_with_the_cases(sample: Callable[[], report_pb2.Report]) -> None:
    root = ET.fromstring(to_xml(sample()).encode())
    for element in (root, *root.iter("testsuite")):
        assert int(element.get("tests", "")) == len(list(element.iter("testcase")))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(count, "")) == len(list(element.iter(tag)))
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", ""))


def test_a_suite_for_each_profile_and_a_case_for_each_requirement() -> None:
    report = sample_reports.certified()
    root = ET.fromstring(to_xml(report).encode())
    assert [suite.get("name") for suite in root] == ["core", "streaming"]
    assert [case.get("name") for case in root.iter("testcase")] == [r.slug for r in report.requirements]
    assert _case(root, "deciding/replay-verbatim").get("classname") == "core/03-deciding"
    assert _case(root, "sync/welcome").get("classname") == "streaming/07-sync-stream"


def test_a_violation_is_a_failure_with_clause_story_and_replay_command() -> None:
    root = ET.fromstring(to_xml(sample_reports.violated()).encode())
    failure = _case(root, "effects/exactly-once").find("failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("An add whose answer was lost")
    text = failure.text or ""
    assert "MUST effects/exactly-once" in text
    assert "observed:\nline MUG-01 has quantity 4" in text
    assert "replay: cartsync-conformance replay failures/effects-exactly-once-1.json" in text
    assert ">>   +3.231 s  server: applies it a second time" in text


def test_what_does_not_fail_the_run_is_skipped_with_its_reason() -> None:
    root = ET.fromstring(to_xml(sample_reports.violated()).encode())
    warning = _case(root, "sync/superseded").find("skipped")
    untested = _case(root, "store/restored-watermark").find("skipped")
    assert warning is not None
    assert untested is not None
    assert warning.get("message") == "warning: The older of two streams of one queue stayed open."
    assert str(untested.get("message")).startswith("not testable: Needs the capability")


def test_a_suite_error_is_an_error_and_no_failure() -> None:
    case = _case(ET.fromstring(to_xml(sample_reports.violated()).encode()), "poison/quarantined")
    assert case.find("error") is not None
    assert case.find("failure") is None


def test_a_run_that_judged_nothing_is_never_green() -> None:
    root = ET.fromstring(to_xml(sample_reports.unreachable()).encode())
    error = _case(root, "verdict").find("error")
    assert error is not None
    assert "Nothing listens on 127.0.0.1:50051" in str(error.get("message"))


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (report_pb2.RUN_VERDICT_VIOLATION, "failure"),
        (report_pb2.RUN_VERDICT_SUITE_ERROR, "error"),
        (report_pb2.RUN_VERDICT_UNREACHABLE, "error"),
        (report_pb2.RUN_VERDICT_PARTIAL, "skipped"),
    ],
)
def test_a_bad_verdict_of_the_run_shows_when_all_its_requirements_passed(
    verdict: report_pb2.RunVerdict.ValueType, tag: str
) -> None:
    report = sample_reports.certified()
    report.verdict = verdict
    assert _case(ET.fromstring(to_xml(report).encode()), "verdict").find(tag) is not None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_makes_valid_xml(text: str) -> None:
    report = sample_reports.unreachable()
    report.summary = report.target.name = text
    report.requirements.add(slug=text, profile=text, chapter=text, note=text, verdict=report_pb2.VERDICT_VIOLATION)
    report.findings.add(slug=text, summary=text, expected=text, observed=text, verdict=report_pb2.VERDICT_VIOLATION)
    root = ET.fromstring(to_xml(report).encode())
    assert len(list(root.iter("failure"))) == 1


def test_a_long_story_is_cut_to_its_end() -> None:
    failure = _case(ET.fromstring(to_xml(sample_reports.violated()).encode()), "deciding/replay-verbatim").find(
        "failure"
    )
    assert failure is not None
    assert "story, its last 30 of 340 events:" in (failure.text or "")
    assert ">>" in (failure.text or "")
