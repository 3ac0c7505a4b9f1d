"""What came after the edition that a run is judged by is told in every form of the report, and apart."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sample_reports

from conformance.reports import from_json, to_html, to_json, to_xml
from conformance.reports.terminal import progress_for


def terminal(interactive: bool) -> str:
    stream = io.StringIO()
    progress_for(stream, interactive=interactive, clock=lambda: 0.0).finished(
        sample_reports.older_edition(), Path("/reports")
    )
    return " ".join(stream.getvalue().split())


@pytest.mark.parametrize("interactive", [True, False])
def test_a_terminal_shows_later_requirements_below_the_verdict(
    interactive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    told = terminal(interactive)
    place = told.index("Later than 1.0-draft.1")
    assert "certified" in told[:place]
    assert "later/0" not in told[:place]
    assert "later/0" in told[place:]
    assert "change neither verdict nor exit code" in told[place:]
    assert "3 later requirements: 2 violations, 1 warning" in told[place:]


def test_the_page_links_each_later_finding_with_its_requirement() -> None:
    page = to_html(sample_reports.older_edition())
    assert '<h2 id="later">Later than 1.0-draft.1</h2>' in page
    assert page.index('id="later/0"') > page.index('<h2 id="later">')
    assert page.count('href="#later/0"') >= 2
    assert "<dt>Edition</dt><dd>1.0-draft.1</dd>" in page


def test_a_page_without_later_requirements_says_nothing_of_them() -> None:
    assert 'id="later"' not in to_html(sample_reports.certified())


def test_later_requirements_fail_no_job() -> None:
    root = ET.fromstring(to_xml(sample_reports.older_edition()))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    later = root.find("testsuite[@name='later than 1.0-draft.1']")
    assert later is not None
    assert [case.get("name") for case in later.iterfind("testcase")] == ["later/0", "later/1", "later/2"]
    assert root.find(".//property[@name='edition']") is not None


def test_the_edition_and_what_came_later_survive_the_json() -> None:
    report = sample_reports.older_edition()
    assert from_json(to_json(report)) == report
