"""A baseline excuses what is known, for a time, and fails a run as soon as it is out of date."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.exceptions import UsageError
from conformance.requirements import load
from conformance.run import verdicts
from conformance.run.baseline import Entry, baseline_text, compare, read_baseline

TODAY = date(2026, 6, 1)
SLUGS = ("stock/clamp", "deciding/gap-deferred", "cart/add-adds", "price/current-wins")
ENTRY = '[[known]]\nrequirement = "stock/clamp"\nreason = "later"\nlink = "https://x/1"\nexpires = 2026-12-31\n'


def read(tmp_path: Path, text: str) -> tuple[Entry, ...]:
    file = tmp_path / "baseline.toml"
    file.write_text(text, encoding="utf-8")
    return read_baseline(file, load().by_slug)


def report_of(**found: verdicts.Verdict) -> report_pb2.Report:
    """A report with these verdicts, by slugs with a dash in place of the slash and underscores for dashes."""
    report = report_pb2.Report()
    for name, verdict in found.items():
        slug = name.replace("__", "/").replace("_", "-")
        report.requirements.add(slug=slug, profile="core", level="MUST", verdict=verdict)
    report.profiles.add().CopyFrom(verdicts.judge_profile("core", report.requirements))
    return report


def judged(
    report: report_pb2.Report, *entries: Entry, today: date = TODAY, complete: bool = True
) -> tuple[report_pb2.RunVerdict.ValueType, int]:
    report.baseline.CopyFrom(compare(entries, report.requirements, today, complete=complete))
    report.verdict, report.exit_code = verdicts.judge_by_baseline(report)
    report.summary = verdicts.sentence(report)
    return report.verdict, report.exit_code


CLAMP = Entry("stock/clamp", "later", TODAY, "https://x/1")


def test_an_entry_is_read_with_all_it_says(tmp_path: Path) -> None:
    assert read(tmp_path, ENTRY) == (Entry("stock/clamp", "later", date(2026, 12, 31), "https://x/1"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY.replace("stock/clamp", "stock/none"), "entry 1 (stock/none) names no requirement of the spec"),
        (ENTRY.replace("later", " "), "entry 1 (stock/clamp) has no reason"),
        (ENTRY.replace("expires = 2026-12-31", ""), "entry 1 (stock/clamp) has no last day"),
        (ENTRY.replace("2026-12-31", '"2026-12-31"'), "give expires = YYYY-MM-DD, without quotes"),
        (ENTRY + ENTRY, "entry 2 (stock/clamp) is there twice"),
        (ENTRY + "until = 3\n", "has an unknown key 'until'"),
        ("known = 3", "entries of the form [[known]]"),
        ('[[knwon]]\nrequirement = "stock/clamp"\n', "entries of the form [[known]]"),
        ("[[", "is no TOML"),
    ],
)
def test_a_wrong_entry_is_named_with_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)


def test_a_known_violation_and_nothing_else_is_as_the_baseline_has_it_and_not_certified() -> None:
    report = report_of(stock__clamp=verdicts.VIOLATION, cart__add_adds=verdicts.PASSED)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_AS_BASELINE, 0)
    assert report.summary.startswith("Not certified, but nothing is new: 1 requirement is violated")
    assert [known.reason for known in report.baseline.known] == ["later"]


def test_an_entry_excuses_no_other_requirement() -> None:
    report = report_of(stock__clamp=verdicts.VIOLATION, cart__add_adds=verdicts.VIOLATION)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_VIOLATION, 1)
    assert "2 of 2 requirements are violated, 1 of them known" in report.summary


def test_what_is_known_and_partial_is_partial() -> None:
    report = report_of(stock__clamp=verdicts.VIOLATION, cart__add_adds=verdicts.NOT_TESTABLE)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_PARTIAL, 5)
    assert report.summary.startswith("Partial: nothing is violated but 1 known to the baseline")


def test_a_known_failure_that_could_not_be_tested_is_partial() -> None:
    report = report_of(stock__clamp=verdicts.NOT_TESTABLE, cart__add_adds=verdicts.PASSED)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_PARTIAL, 5)


def test_a_requirement_that_is_met_by_now_fails_the_run() -> None:
    report = report_of(stock__clamp=verdicts.PASSED)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_VIOLATION, 1)
    assert [fault.kind for fault in report.baseline.faults] == [report_pb2.BaselineFault.KIND_UNEXPECTED_PASS]
    assert "1 entry of the baseline must go" in report.summary


def test_a_run_that_leaves_checks_out_says_of_nothing_that_it_is_met() -> None:
    report = report_of(stock__clamp=verdicts.PASSED)
    assert judged(report, CLAMP, complete=False) == (report_pb2.RUN_VERDICT_CERTIFIED, 0)
    assert not report.baseline.faults


def test_an_entry_holds_on_its_last_day_and_fails_the_run_on_the_next() -> None:
    assert judged(report_of(stock__clamp=verdicts.VIOLATION), CLAMP, today=TODAY)[1] == 0
    report = report_of(stock__clamp=verdicts.VIOLATION)
    assert judged(report, CLAMP, today=TODAY + timedelta(days=1)) == (report_pb2.RUN_VERDICT_VIOLATION, 1)
    assert [fault.kind for fault in report.baseline.faults] == [report_pb2.BaselineFault.KIND_EXPIRED]
    assert "1 entry of the baseline expired" in report.summary


def test_entries_of_requirements_that_the_run_leaves_out_change_nothing() -> None:
    report = report_of(cart__add_adds=verdicts.PASSED)
    assert judged(report, CLAMP) == (report_pb2.RUN_VERDICT_CERTIFIED, 0)


@given(
    st.dictionaries(st.sampled_from(SLUGS), st.sampled_from(sorted(verdicts._SEVERITY)), min_size=1),
    st.lists(st.tuples(st.sampled_from(SLUGS), st.integers(-2, 2)), unique_by=lambda pair: pair[0]),
    st.booleans(),
)
def test_no_baseline_makes_a_run_certified_that_is_not_and_green_is_only_what_is_all_excused(
    found: dict[str, verdicts.Verdict], listed: list[tuple[str, int]], complete: bool
) -> None:
    report = report_pb2.Report()
    for slug, verdict in found.items():
        report.requirements.add(slug=slug, profile="core", level="MUST", verdict=verdict)
    report.profiles.add().CopyFrom(verdicts.judge_profile("core", report.requirements))
    without = verdicts.judge_run(report.profiles)
    entries = [Entry(slug, "later", TODAY + timedelta(days=days)) for slug, days in listed]
    came_to, code = judged(report, *entries, complete=complete)
    if came_to == report_pb2.RUN_VERDICT_CERTIFIED:
        assert without == (report_pb2.RUN_VERDICT_CERTIFIED, 0)
    if code == 0:
        excused = {entry.slug for entry in entries if entry.expires >= TODAY}
        assert all(
            v in (verdicts.PASSED, verdicts.WARNING) or (v == verdicts.VIOLATION and slug in excused)
            for slug, v in found.items()
        )
    if not entries:
        assert (came_to, code) == without


def test_a_baseline_to_start_from_has_the_violations_and_refuses_to_be_used_before_reasons_are_given(
    tmp_path: Path,
) -> None:
    report = report_of(
        stock__clamp=verdicts.VIOLATION, cart__add_adds=verdicts.VIOLATION, price__current_wins=verdicts.PASSED
    )
    report.findings.add(slug="cart/add-adds", summary='it "sets"\nthe line')
    known = (Entry("stock/clamp", 'a "quoted" reason', date(2026, 12, 31)),)
    text = baseline_text(report, known, TODAY)
    with pytest.raises(UsageError, match=r"entry 2 \(cart/add-adds\) has no reason"):
        read(tmp_path, text)
    filled = read(tmp_path, text.replace('reason = ""', 'reason = "now I know"'))
    assert filled == (*known, Entry("cart/add-adds", "now I know", TODAY + timedelta(days=30)))
