"""What single checks found adds up to the right verdict for requirement, profile and run."""

from __future__ import annotations

import pytest
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.requirements import Requirement
from conformance.run import verdicts
from conformance.run.verdicts import CheckRecord

MUST = Requirement("a/one", "MUST", "core", "A server MUST one.", "01-a.md", "1 A")
SHOULD = Requirement("a/two", "SHOULD", "core", "A server SHOULD two.", "01-a.md", "1 A")

FINAL = (
    verdicts.PASSED,
    verdicts.VIOLATION,
    verdicts.NOT_TESTABLE,
    verdicts.SUITE_ERROR,
    verdicts.UNREACHABLE,
)


def check(
    verdict: verdicts.Verdict | None, *slugs: str, blamed: str = "", note: str = "", name: str = "t.py::c"
) -> CheckRecord:
    return CheckRecord(name, "title", slugs or ("a/one",), verdict, note, blamed)


def test_a_requirement_whose_checks_pass_is_passed() -> None:
    assert verdicts.judge_requirement(MUST, [check(verdicts.PASSED)]).verdict == verdicts.PASSED


def test_a_requirement_without_a_check_is_an_error_of_the_suite() -> None:
    assert verdicts.judge_requirement(MUST, []).verdict == verdicts.SUITE_ERROR


def test_a_check_that_never_ended_does_not_count_as_passed() -> None:
    assert verdicts.judge_requirement(MUST, [check(None)]).verdict == verdicts.NOT_TESTABLE


def test_a_violated_should_is_a_warning_and_certifies_all_the_same() -> None:
    result = verdicts.judge_requirement(SHOULD, [check(verdicts.VIOLATION, "a/two", blamed="a/two")])
    assert result.verdict == verdicts.WARNING
    profile = verdicts.judge_profile("core", [result])
    assert verdicts.judge_run([profile]) == (report_pb2.RUN_VERDICT_CERTIFIED, 0)


def test_a_check_that_blames_another_requirement_leaves_its_own_untested() -> None:
    stopped = check(verdicts.VIOLATION, "a/one", blamed="b/other")
    assert verdicts.judge_requirement(MUST, [stopped]).verdict == verdicts.NOT_TESTABLE


def test_a_check_that_gave_up_says_nothing_when_another_one_went_through() -> None:
    stopped = check(verdicts.VIOLATION, "a/one", blamed="b/other", name="t.py::x")
    assert verdicts.judge_requirement(MUST, [stopped, check(verdicts.PASSED)]).verdict == verdicts.PASSED


def test_a_requirement_one_of_whose_checks_could_not_be_told_is_not_passed() -> None:
    untold = check(verdicts.NOT_TESTABLE, note="no control service", name="t.py::x")
    result = verdicts.judge_requirement(MUST, [check(verdicts.PASSED), untold])
    assert (result.verdict, result.note) == (verdicts.NOT_TESTABLE, "no control service")


def test_a_violation_blamed_by_a_check_of_other_requirements_counts() -> None:
    stray = check(verdicts.VIOLATION, "b/other", blamed="a/one", note="it did")
    result = verdicts.judge_requirement(MUST, [check(verdicts.PASSED), stray])
    assert (result.verdict, result.note) == (verdicts.VIOLATION, "it did")


@given(st.lists(st.sampled_from(FINAL), min_size=1, max_size=6))
def test_a_run_is_certified_only_when_every_requirement_passed(found: list[verdicts.Verdict]) -> None:
    results = [
        verdicts.judge_requirement(MUST, [check(verdict, blamed="a/one" if verdict == verdicts.VIOLATION else "")])
        for verdict in found
    ]
    verdict, code = verdicts.judge_run([verdicts.judge_profile("core", results)])
    assert (code == 0) == (set(found) == {verdicts.PASSED})
    assert (verdict == report_pb2.RUN_VERDICT_CERTIFIED) == (code == 0)
    assert (code == 1) == (verdicts.VIOLATION in found)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([verdicts.PASSED, verdicts.NOT_TESTABLE], 5),
        ([verdicts.NOT_TESTABLE, verdicts.SUITE_ERROR], 4),
        ([verdicts.SUITE_ERROR, verdicts.UNREACHABLE], 3),
        ([verdicts.UNREACHABLE, verdicts.VIOLATION], 1),
    ],
)
def test_the_worst_finding_decides_the_exit_code(found: list[verdicts.Verdict], code: int) -> None:
    results = [report_pb2.RequirementResult(profile="core", verdict=verdict) for verdict in found]
    assert verdicts.judge_run([verdicts.judge_profile("core", results)])[1] == code


@pytest.mark.parametrize(
    ("not_testable", "not_selected", "told"),
    [
        (3, 0, "of 10 requirements 3 could not be tested."),
        (0, 7, "of 10 requirements 7 were not selected."),
        (2, 5, "of 10 requirements 2 could not be tested and 5 were not selected."),
    ],
)
def test_a_partial_run_tells_apart_what_it_could_not_and_what_it_did_not_test(
    not_testable: int, not_selected: int, told: str
) -> None:
    report = report_pb2.Report(verdict=report_pb2.RUN_VERDICT_PARTIAL)
    for number in range(10):
        result = report.requirements.add(verdict=verdicts.PASSED)
        if number < not_testable + not_selected:
            result.verdict = verdicts.NOT_TESTABLE
            result.note = "needs more" if number < not_testable else "not selected in this run"
    assert verdicts.sentence(report) == f"Partial: nothing is violated, but {told}"
