from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st
from parsed_page import Page

from conformance.reports import to_html
from conformance.reports.coverage_table import coverage_table
from conformance.reports.story import lay_out
from conformance.reports.wording import one_line

SAMPLES = [
    sample_reports.certified,
    sample_reports.violated,
    sample_reports.partial,
    sample_reports.campaign,
    sample_reports.selected,
    sample_reports.older_edition,
    sample_reports.unreachable,
    sample_reports.hostile,
]
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.__name__))


@every_sample
def test_the_page_is_well_formed_and_its_inner_links_lead_somewhere(sample: Callable[[], report_pb2.Report]) -> None:
    page = Page(to_html(sample()))
    assert page.unbalanced == []
    ids = page.ids()
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for name in element.attributes.get("aria-labelledby", "").split():
            assert name in ids
        target = element.attributes.get("href", "")
        if target.startswith("#"):
            assert target[1:] in ids


@every_sample
def test_the_page_loads_nothing(sample: Callable[[], report_pb2.Report]) -> None:
    page = Page(to_html(sample()))
    for element in page.elements:
        assert not {"srcset", "data", "action", "formaction", "poster", "background"} & element.attributes.keys()
        for attribute in ("src", "href", "xlink:href"):
            assert re.match(r"#|data:image/svg\+xml,|$", element.attributes.get(attribute, "")), element
    (style,) = page.all("style")
    assert not re.search(r"@import|url\(|@font-face|//", style.text)
    (policy,) = [e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none';")


@every_sample
def test_only_the_script_of_the_page_itself_is_there_and_no_handler_in_an_attribute(
    sample: Callable[[], report_pb2.Report],
) -> None:
    page = Page(to_html(sample()))
    assert len(page.all("script")) == 1
    assert page.all("script")[0].text == files("conformance.reports").joinpath(
        "templates/report.js"
    ).read_text().rstrip("\n")
    assert not [name for e in page.elements for name in e.attributes if name.startswith("on")]


@every_sample
def test_every_requirement_is_there_with_its_verdict_in_words_and_its_statement(
    sample: Callable[[], report_pb2.Report],
) -> None:
    report = sample()
    rows = Page(to_html(report)).all("li", "requirement")
    told = (*report.later_requirements, *report.requirements)
    assert len(rows) == len(told)
    words = {1: "passed", 2: "violation", 3: "warning", 4: "not testable", 5: "suite error"}
    for row, requirement in zip(rows, told, strict=True):
        text = " ".join(row.text.split())
        assert one_line(requirement.slug).replace("`", "") in text.replace("`", "")
        left_out = requirement.note == "not selected in this run"
        assert ("not selected" if left_out else words[requirement.verdict]) in text
        assert requirement.statement.replace("`", "") in text
        assert all(one_line(check.check_id) in text for check in requirement.checks)


def test_a_hostile_text_is_shown_spelled_out_and_is_no_markup() -> None:
    html = to_html(sample_reports.hostile())
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    for character in ("\x00", "\x1b", "\u202e", "\uffff"):
        assert character not in html
    assert "\\x1b[31m \\u202e \\uffff" in html


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_can_add_an_element(text: str) -> None:
    def page_with(words: str) -> Page:
        report = sample_reports.unreachable()
        report.summary = report.target.name = report.target.address = words
        report.findings.add(slug=words, summary=words, expected=words, observed=words, replay_file=words)
        report.findings[0].timeline.add(actor=words, title=words, detail=words)
        return Page(to_html(report))

    plain = page_with(" x")
    tags = [e.tag for e in page_with(text).elements if e.tag not in {"code"}]
    # Texts that are empty leave out what would show them; nothing else may change.
    assert tags.count("script") == 1
    if text.strip():
        assert sorted(tags) == sorted(e.tag for e in plain.elements if e.tag not in {"code"}) or not one_line(text)


def test_findings_come_before_requirements_with_expected_observed_clause_and_replay_command() -> None:
    report = sample_reports.violated()
    html = to_html(report)
    page = Page(html)
    assert html.index('id="findings"') < html.index('id="requirements"')
    cards = page.all("article", "finding")
    assert len(cards) == len(report.findings)
    first = cards[0].text
    assert "line MUG-01 has quantity 2 at revision 3" in first
    assert "line MUG-01 has quantity 4 at revision 4" in first
    assert "An operation MUST have its effect once" in " ".join(first.split())
    assert "cartsync-conformance replay failures/effects-exactly-once-1.json" in first


def test_findings_of_one_requirement_are_one_card_that_leads_with_the_shortest_story() -> None:
    page = Page(to_html(sample_reports.selected()))
    (fold,) = page.all("details", "alike")
    assert "and 2 more findings like it" in fold.text
    assert "Told in 1." not in fold.text
    assert fold.text.index("Told in 3.") < fold.text.index("An add whose answer was lost")
    lead, *others = page.all("article", "finding")
    assert "Told in 1." in lead.text
    assert len(others) == 2
    (row,) = [row for row in page.all("li", "requirement") if row.attributes["id"] == "effects/exactly-once"]
    assert "Finding 1: Told in 1. (and 2 more findings like it)" in " ".join(row.text.replace("\n", "").split())


def test_what_a_selection_left_out_is_no_lack_of_the_server() -> None:
    report = sample_reports.selected()
    page = Page(to_html(report))
    assert "not testable" not in page.text
    left_out = report.profiles[0].requirement_count - 2
    assert f"passed, {left_out} not selected" in page.all("p", "figure")[0].text
    (row,) = [row for row in page.all("li", "requirement") if row.attributes["id"] == "poison/quarantined"]
    assert row.text.count("not selected") == 1


@pytest.mark.parametrize(
    ("summary", "lead"),
    [
        ("Not certified: 2 of 135 requirements are violated.", "2 of 135 requirements are violated."),
        ("Interrupted after 3 checks. Not certified: 2.", "Interrupted after 3 checks. Not certified: 2."),
        ("Not certified: nothing said in small letters.", "Nothing said in small letters."),
        ("", "The server breaks a MUST of the spec."),
    ],
)
def test_the_headline_and_its_sentence_do_not_say_the_same_word_twice(summary: str, lead: str) -> None:
    report = sample_reports.violated()
    report.summary = summary
    page = Page(to_html(report))
    assert page.all("h1")[0].text == "Not certified"
    assert page.all("p", "lead")[0].text == lead


def test_the_timeline_shows_every_event_in_order_and_marks_the_culprit_in_words() -> None:
    report = sample_reports.violated()
    page = Page(to_html(report))
    events = page.all("li", "event")
    titles = [event.title for finding in report.findings for event in finding.timeline]
    assert [title.replace("`", "") in row.text for title, row in zip(titles, events, strict=True)] == [True] * len(
        titles
    )
    culprits = page.all("li", "culprit")
    assert ["here it went wrong" in row.text for row in culprits] == [True, True]
    assert "+3.231 s" in culprits[0].text


def test_a_long_story_is_folded_but_never_its_culprit() -> None:
    page = Page(to_html(sample_reports.violated()))
    folds = page.all("details", "fold")
    assert folds
    assert all("here it went wrong" not in fold.text for fold in folds)
    unfolded = [e for e in page.all("li", "event") if "details" not in e.ancestors]
    assert len(unfolded) < 60


def test_a_partial_run_says_why_and_for_which_requirements() -> None:
    report = sample_reports.partial()
    text = Page(to_html(report)).text
    assert text.count("Needs the control service") > 1
    assert "4 requirements:" in text


def test_an_unreachable_target_is_told_in_one_sentence() -> None:
    page = Page(to_html(sample_reports.unreachable()))
    assert page.all("h1")[0].text == "Unreachable"
    assert page.all("p", "lead")[0].text.startswith("Nothing listens on 127.0.0.1:50051")
    assert "Nothing was tested." in page.text


def test_an_empty_report_still_makes_a_page() -> None:
    page = Page(to_html(report_pb2.Report()))
    assert page.unbalanced == []
    assert page.all("h1")[0].text == "no verdict"


def test_text_colours_keep_a_contrast_of_four_and_a_half_in_light_and_dark() -> None:
    css = files("conformance.reports").joinpath("templates/report.css").read_text()
    before, after = css.split("@media (prefers-color-scheme: dark)", 1)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in (before, after))
    for colours in (light, dark):
        grounds = [colours[name] for name in ("page", "surface", "sunken")]
        pairs = [(colours[ink], ground) for ink in ("text", "soft", "link") for ground in grounds]
        for tone in ("good", "bad", "warn", "mute"):
            pairs += [(colours[tone], colours["surface"]), (colours[tone], colours["page"])]
            pairs += [(colours[ink], colours[f"{tone}-tint"]) for ink in (tone, "text", "soft")]
            pairs += [(colours["on-tone"], colours[tone])]
        too_faint = [(ink, ground) for ink, ground in pairs if _contrast(ink, ground) < 4.5]
        assert too_faint == []


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_requirements_without_a_judgement_are_grouped_by_reason_above_the_list() -> None:
    page = Page(to_html(sample_reports.violated()))
    (section,) = [e for e in page.all("section") if e.attributes.get("aria-labelledby") == "unjudged"]
    text = " ".join(section.text.split())
    assert "not testable 1 requirement: Needs the capability save_restore" in text
    assert "suite error 1 requirement: AssertionError in the check" in text


def test_a_finding_says_why_how_surely_and_how_to_see_it_with_and_without_the_suite() -> None:
    first, second, _ = Page(to_html(sample_reports.violated())).all("article", "finding")
    assert "An answer is not an effect." in first.text
    assert "every time (5 of 5)" in first.text
    assert "replay failures/effects-exactly-once-1.json --launch 'my server'" in first.text
    assert "In the folder from which the suite was started." in first.text
    assert "flaky (2 of 5)" in second.text
    assert "buf curl" in second.text
    assert "cartsync.v1.CartSyncService/SubmitOperations" in second.text
    assert "In the folder of this report" in second.text


def test_a_campaign_shows_what_it_reached_its_parts_and_what_was_known() -> None:
    report = sample_reports.campaign()
    text = " ".join(Page(to_html(report)).all("main")[0].text.split())
    assert f"{len(report.coverage):,} triples of requirement, state and fault" in text
    for words in (
        "crash before commit",
        "above a gap",
        "1 of 2",
        "2 of 2",
        "retries are not told apart yet",
        "expired",
    ):
        assert words in text
    table = coverage_table(report.coverage)
    assert table is not None
    assert table.judged_count == sum(cell.count for cell in report.coverage)
    for row in table.rows:
        for fault, count in zip(table.faults, row.counts, strict=True):
            met = {c.requirement for c in report.coverage if (c.state, c.fault) == (row.state, fault)}
            assert count == len(met)


def test_a_report_without_coverage_or_baseline_has_no_place_for_them() -> None:
    html = to_html(sample_reports.violated())
    assert 'id="coverage"' not in html
    assert 'id="baseline"' not in html
    assert coverage_table([]) is None


def test_the_picture_of_a_long_story_has_no_more_points_than_can_be_told_apart() -> None:
    story = lay_out(list(sample_reports.long_story(5_000)))
    assert story is not None
    assert story.dots.count("M") <= 1_001 * len(story.lanes)
    assert len(story.culprits) == 1
