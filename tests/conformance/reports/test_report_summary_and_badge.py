"""`summary.md` and `badge.svg` say what the report says, and nothing that a server answered becomes markup in them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.reports import to_markdown, to_svg
from conformance.reports.markdown import block, code, plain, prose
from conformance.reports.summary_md import LISTED_FINDINGS

SAMPLES = [
    sample_reports.certified,
    sample_reports.violated,
    sample_reports.partial,
    sample_reports.selected,
    sample_reports.older_edition,
    sample_reports.unreachable,
    sample_reports.hostile,
]
RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")


def rendered(text: str) -> ET.Element:
    """The HTML of a Markdown text; raises when a stray tag leaves it unbalanced."""
    return ET.fromstring(f"<page>{RENDERER.render(text)}</page>")


def as_baseline() -> report_pb2.Report:
    report = sample_reports.violated()
    report.verdict, report.exit_code = report_pb2.RUN_VERDICT_AS_BASELINE, 0
    known = report_pb2.KnownFailure(
        slug="effects/exactly-once", reason="pruned too early", link="https://bugs.example/7", expiry_date="2026-12-31"
    )
    report.baseline.known.append(known)
    report.findings[0].known.CopyFrom(known)
    expired = report_pb2.BaselineFault(kind=report_pb2.BaselineFault.KIND_EXPIRED)
    expired.entry.CopyFrom(known)
    report.baseline.faults.append(expired)
    return report


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.__name__))
def test_a_summary_has_no_links_no_pictures_and_no_markup_but_its_own(
    sample: Callable[[], report_pb2.Report],
) -> None:
    page = rendered(to_markdown(sample()))
    prose = ["page", "h1", "h2", "h3", "p", "code", "pre", "blockquote", "ul", "li"]
    table = ["table", "thead", "tbody", "tr", "th", "td"]
    assert {element.tag for element in page.iter()} <= {*prose, *table}


def test_a_summary_tells_the_verdict_the_profiles_and_each_finding_with_its_sentence() -> None:
    report = sample_reports.violated()
    report.findings[0].because = "A client cannot know whether its answer was lost."
    report.findings[0].reproduction.CopyFrom(
        report_pb2.Reproduction(label=report_pb2.Reproduction.LABEL_DETERMINISTIC, attempt_count=5, reproduced_count=5)
    )
    text = to_markdown(report)
    assert text.startswith("# ✗ Not certified: cartsync-reference 0.1.0\n")
    assert re.search(r"^\| `core` \| ✗ violation \| \d+ of \d+ requirements passed \|$", text, re.MULTILINE)
    assert "### ✗ violation: `effects/exactly-once`" in text
    assert "### ! warning: `sync/superseded`" in text
    shown = "".join(rendered(text).itertext())
    (requirement,) = [r for r in report.requirements if r.slug == "effects/exactly-once"]
    assert f"{requirement.level}: {requirement.statement.replace('`', '')}" in shown.replace("`", "")
    assert "Why: A client cannot know" in shown
    assert "Run again: every time (5 of 5)." in shown
    assert "replay failures/effects-exactly-once-1.json" in shown
    assert "line MUG-01 has quantity 4 at revision 4" in shown
    assert "\n| seed | 20260314 |\n" in text
    assert "\n| operations judged | 31,877 |\n" in text


def test_a_summary_tells_what_could_not_be_judged_and_why() -> None:
    text = to_markdown(sample_reports.partial())
    assert text.startswith("# – Partial: acme-cart")
    assert "## Not judged" in text
    assert "could not be tested" in text
    assert "needs the control service" in "".join(rendered(text).itertext()).lower()


def test_a_summary_with_a_baseline_is_never_worded_as_certified() -> None:
    text = to_markdown(as_baseline())
    assert text.startswith("# – Known failures")
    assert "### ✗ violation, known: `effects/exactly-once`" in text
    assert "| `effects/exactly-once` | ✗ expired | pruned too early (`https://bugs.example/7`) | 2026-12-31 |" in text
    assert "Certified" not in text


def test_a_summary_tells_rates_tier_and_shards() -> None:
    report = sample_reports.certified()
    report.tier = report_pb2.TIER_LAUNCH
    report.effort.fuzzed_operation_count = 30_000
    report.effort.fuzz_duration.CopyFrom(sample_reports.span(15))
    report.shards.extend(report_pb2.Shard(index=index, count=2, seed=index + 10) for index in (1, 2))
    text = to_markdown(report)
    assert "| operations judged | 31,877, 2,000 a second while fuzzing |" in text
    assert "| tier | launch: " in text
    assert "| budget | fast, 2 shards |" in text
    assert "| seed | 11, 12 |" in text


def test_a_summary_stays_short_whatever_was_found() -> None:
    report = sample_reports.violated()
    for number in range(500):
        report.findings.add(slug=f"cart/number-{number}", observed="x" * 100_000)
    text = to_markdown(report)
    assert len(text.encode()) < 200_000
    assert f"And {503 - LISTED_FINDINGS} more requirements, in the report." in text


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_any_text_stays_text(text: str) -> None:
    assert {element.tag for element in rendered(plain(text)).iter()} <= {"page", "p"}
    assert {element.tag for element in rendered(prose(text)).iter()} <= {"page", "p", "code"}
    assert {element.tag for element in rendered(f"a {code(text)} b").iter()} == {"page", "p", "code"}
    assert {element.tag for element in rendered(block(text)).iter()} == {"page", "pre", "code"}


@pytest.mark.parametrize(
    "text", ["1. one", "2) two", "- a", "+ b", "=== c", "# d", "> e", "| f |", "[g](h)", "![i](j)"]
)
def test_text_at_the_beginning_of_a_line_stays_text_and_reads_as_it_was(text: str) -> None:
    page = rendered(plain(text))
    assert {element.tag for element in page.iter()} == {"page", "p"}
    assert "".join(page.itertext()).strip() == text


def test_addresses_and_mentions_in_a_text_are_none() -> None:
    escaped = plain("ask @octocat at https://evil.example or www.evil.example, see #1")
    assert "://" not in escaped
    assert "www.evil" not in escaped
    assert "\\@octocat" in escaped
    assert "\\#1" in escaped


# The badge.


def _parsed(report: report_pb2.Report) -> ET.Element:
    return ET.fromstring(to_svg(report).encode())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.__name__))
def test_a_badge_is_whole_in_itself_and_has_a_name(sample: Callable[[], report_pb2.Report]) -> None:
    svg = _parsed(sample())
    kinds = {element.tag.rpartition("}")[2] for element in svg.iter()}
    assert kinds == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert not any("href" in name or name.startswith("on") for element in svg.iter() for name in element.attrib)
    title = svg.findtext("{http://www.w3.org/2000/svg}title")
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == title
    assert float(svg.get("width", "0")) < 700


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (sample_reports.certified, "certified: core, streaming"),
        (sample_reports.violated, "not certified"),
        (sample_reports.partial, "partial"),
        (as_baseline, "not certified, 1 known failure"),
        (sample_reports.unreachable, "no verdict"),
    ],
)
def test_a_badge_says_the_verdict_in_words(sample: Callable[[], report_pb2.Report], words: str) -> None:
    assert str(_parsed(sample()).get("aria-label")).endswith(f": {words}")


def test_a_badge_counts_profiles_that_are_too_many_to_name() -> None:
    report = sample_reports.certified()
    report.profiles.extend(report_pb2.ProfileResult(name=name) for name in ("coupons", "wishlist"))
    assert str(_parsed(report).get("aria-label")).endswith("certified: 4 profiles")
