"""Two reports compared: what is better, what is worse, and an exit code that a job can act on."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.cli import main
from conformance.reports import to_json
from conformance.reports.comparison import Trend, compare
from conformance.reports.comparison_forms import headline, to_markdown, to_text

PASSED, VIOLATION, WARNING = report_pb2.VERDICT_PASSED, report_pb2.VERDICT_VIOLATION, report_pb2.VERDICT_WARNING
NOT_TESTABLE, UNREACHABLE = report_pb2.VERDICT_NOT_TESTABLE, report_pb2.VERDICT_UNREACHABLE
VERDICTS = [PASSED, VIOLATION, WARNING, NOT_TESTABLE, UNREACHABLE, report_pb2.VERDICT_SUITE_ERROR]


def with_verdict(slug: str, verdict: report_pb2.Verdict.ValueType | None) -> report_pb2.Report:
    """The certified report, with another verdict on one requirement; None leaves it out."""
    report = sample_reports.certified()
    (index,) = [index for index, result in enumerate(report.requirements) if result.slug == slug]
    if verdict is None:
        del report.requirements[index]
    else:
        report.requirements[index].verdict = verdict
    return report


@pytest.mark.parametrize(
    ("before", "after", "trend"),
    [
        (PASSED, VIOLATION, Trend.WORSE),
        (PASSED, WARNING, Trend.WORSE),
        (PASSED, NOT_TESTABLE, Trend.WORSE),
        (PASSED, UNREACHABLE, Trend.WORSE),
        (PASSED, None, Trend.WORSE),
        (NOT_TESTABLE, VIOLATION, Trend.WORSE),
        (None, VIOLATION, Trend.WORSE),
        (VIOLATION, PASSED, Trend.BETTER),
        (NOT_TESTABLE, PASSED, Trend.BETTER),
        (None, PASSED, Trend.BETTER),
        (VIOLATION, NOT_TESTABLE, Trend.UNSURE),
        (VIOLATION, None, Trend.UNSURE),
    ],
)
def test_a_requirement_gets_better_worse_or_unsure(
    before: report_pb2.Verdict.ValueType | None, after: report_pb2.Verdict.ValueType | None, trend: Trend
) -> None:
    found = compare(with_verdict("cart/add-adds", before), with_verdict("cart/add-adds", after))
    (change,) = found.requirements
    assert (change.name, change.trend) == ("cart/add-adds", trend)
    assert found.is_worse == (trend is Trend.WORSE)


@settings(deadline=None)
@given(st.sampled_from(VERDICTS), st.sampled_from(VERDICTS))
def test_what_is_better_one_way_is_worse_or_unsure_the_other_way(
    one: report_pb2.Verdict.ValueType, other: report_pb2.Verdict.ValueType
) -> None:
    there = compare(with_verdict("cart/add-adds", one), with_verdict("cart/add-adds", other))
    back = compare(with_verdict("cart/add-adds", other), with_verdict("cart/add-adds", one))
    assert len(there.requirements) == len(back.requirements)
    if there.of(Trend.BETTER):
        assert not back.of(Trend.BETTER)


def test_a_report_compared_with_itself_shows_nothing_better_or_worse() -> None:
    found = compare(sample_reports.violated(), sample_reports.violated())
    assert (found.requirements, found.profiles, found.setup) == ((), (), ())
    assert (found.new_findings, found.gone_findings) == ((), ())
    assert not found.is_worse
    assert headline(found) == "Not certified as before: no requirement is better or worse."


def test_a_profile_that_is_no_longer_certified_is_worse_even_when_it_was_not_asked_for() -> None:
    after = sample_reports.certified()
    del after.profiles[1]
    found = compare(sample_reports.certified(), after)
    (change,) = found.profiles
    assert (change.name, change.before.text, change.after.text) == ("streaming", "certified", "not in the report")
    assert found.is_worse
    assert headline(found) == "Certified as before: a profile is worse."


def test_the_text_tells_verdict_changes_reasons_and_effort() -> None:
    after = sample_reports.violated()
    after.target.version = "0.2.0"
    text = to_text(compare(sample_reports.certified(), after))
    assert text.startswith("Not certified, was certified: 5 requirements worse.\n")
    assert "  server: cartsync-reference 0.1.0 -> cartsync-reference 0.2.0\n" in text
    assert "  ✗ effects/exactly-once: passed -> violation\n" in text
    assert "  ✗ store/restored-watermark: passed -> not testable\n      Needs the capability" in text
    assert "\nfindings: 0 -> 3\n" in text
    assert "\noperations judged: 31,877\n" in text


def test_findings_by_other_checks_are_told_and_are_no_change() -> None:
    before, after = sample_reports.violated(), sample_reports.violated()
    after.findings[0].check_id = "test_other.py::test_it"
    found = compare(before, after)
    assert [finding.check_id for finding in found.new_findings] == ["test_other.py::test_it"]
    assert [finding.slug for finding in found.gone_findings] == ["effects/exactly-once"]
    assert not found.is_worse
    assert "Violated as before, found by other checks too:\n  effects/exactly-once: An add whose" in to_text(found)


def test_hostile_texts_become_no_markup_and_no_control_characters() -> None:
    found = compare(sample_reports.certified(), sample_reports.hostile())
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(to_markdown(found))
    tags = {element.tag for element in ET.fromstring(f"<page>{html}</page>").iter()}
    assert tags <= {"page", "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li"}
    assert "\x1b" not in to_text(found)
    assert "\u202e" not in to_text(found)


def run(folder: Path, *arguments: str) -> Result:
    for name, report in (("a", sample_reports.certified()), ("b", sample_reports.violated())):
        (folder / name).mkdir()
        (folder / name / "report.json").write_text(to_json(report))
    return CliRunner().invoke(main, ["compare", *arguments])


@pytest.mark.parametrize(("first", "second", "code"), [("a", "b", 1), ("b", "a", 0), ("b/report.json", "b", 0)])
def test_the_exit_code_tells_whether_anything_is_worse(tmp_path: Path, first: str, second: str, code: int) -> None:
    result = run(tmp_path, str(tmp_path / first), str(tmp_path / second))
    assert result.exit_code == code, result.output


def test_the_json_form_tells_the_same(tmp_path: Path) -> None:
    result = run(tmp_path, str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json")
    content = json.loads(result.output)
    assert content["worse"] is True
    assert content["verdict"] == {"before": "Certified", "after": "Not certified"}
    trends = {change["name"]: change["trend"] for change in content["requirements"]}
    assert trends["effects/exactly-once"] == "worse"


@pytest.mark.parametrize("name", ["missing.json", "text.json"])
def test_what_is_no_report_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.json").write_text("hello")
    result = run(tmp_path, str(tmp_path / "a"), str(tmp_path / name))
    assert result.exit_code == 2
    assert f"AFTER {tmp_path / name}" in result.output.replace("\n", " ")
