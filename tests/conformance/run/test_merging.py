"""The reports of all shards make one report, with the verdicts of a single run; others are refused with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.reports.wording import NOT_SELECTED, OTHER_SHARDS
from conformance.requirements import Register, Requirement
from conformance.requirements.editions import Edition
from conformance.run import verdicts
from conformance.run.merging import ShardReport, merged, replay_files

LEFT, RIGHT = "order/left", "order/right"
REGISTER = Register(
    tuple(
        Requirement(slug=slug, level="MUST", profile="core", statement="It holds.", chapter="a.md", heading="A")
        for slug in (LEFT, RIGHT)
    )
)
EDITION = Edition("9.0", False, REGISTER)
FUZZED = "test_fuzz.py::test_fuzzed"
CHECKS: Sequence[tuple[str, Sequence[str]]] = (
    ("test_a.py::left", [LEFT]),
    ("test_a.py::right", [RIGHT]),
    (FUZZED, [LEFT]),
)
PASSED, VIOLATION, NOT_TESTABLE = verdicts.PASSED, verdicts.VIOLATION, verdicts.NOT_TESTABLE


def shard(index: int, **checks: verdicts.Verdict) -> ShardReport:
    """The report of one of two shards: `left`, `right` and `fuzzed` say what came of the check of that name."""
    report = report_pb2.Report(
        suite=report_pb2.SuiteIdentity(version="1", spec_digest=REGISTER.digest),
        edition=report_pb2.Edition(name="9.0", digest=REGISTER.digest),
        target=report_pb2.Target(name="shop", version="3"),
        settings=report_pb2.RunSettings(
            seed=5, budget="deep", profiles=["core"], shard_index=index, shard_count=2, plan_digest=f"digest {index}"
        ),
        effort=report_pb2.Effort(plan_count=10, operation_count=100, fuzzed_operation_count=70),
        coverage=[report_pb2.CoverageCell(requirement=LEFT, state="read", fault="none", count=index)],
    )
    ids = {"left": "test_a.py::left", "right": "test_a.py::right", "fuzzed": FUZZED}
    for slug in (LEFT, RIGHT):
        result = report.requirements.add(slug=slug, verdict=NOT_TESTABLE, note=OTHER_SHARDS)
        for name, found in checks.items():
            if (slug == RIGHT) is (name == "right"):
                result.checks.add(check_id=ids[name], title=name, verdict=found, plan_count=10)
                result.verdict, result.note = found, "" if found == PASSED else "what went wrong"
                if found == VIOLATION:
                    number = len(report.findings) + 1
                    file = f"failures/{number:03}-{slug.replace('/', '-')}.json"
                    report.findings.add(
                        slug=slug, verdict=found, check_id=ids[name], summary="what went wrong", replay_file=file
                    )
    return ShardReport(f"shard-{index}/report.json", report)


def whole(*shards: ShardReport) -> report_pb2.Report:
    return merged(shards, REGISTER, EDITION, CHECKS)


def verdict_of(report: report_pb2.Report, slug: str) -> verdicts.Verdict:
    return next(result.verdict for result in report.requirements if result.slug == slug)


def test_what_every_shard_passed_in_its_part_is_certified_as_a_whole() -> None:
    report = whole(shard(2, right=PASSED, fuzzed=PASSED), shard(1, left=PASSED, fuzzed=PASSED))
    assert (report.verdict, report.exit_code) == (report_pb2.RUN_VERDICT_CERTIFIED, 0)
    assert [(told.index, told.count, told.seed, told.plan_digest) for told in report.shards] == [
        (1, 2, 5, "digest 1"),
        (2, 2, 5, "digest 2"),
    ]
    assert report.settings.shard_count == 0


def test_one_violation_in_one_shard_is_a_violation_of_the_whole() -> None:
    report = whole(shard(1, left=PASSED, fuzzed=PASSED), shard(2, right=VIOLATION, fuzzed=PASSED))
    assert report.exit_code == 1
    assert verdict_of(report, RIGHT) == VIOLATION
    assert verdict_of(report, LEFT) == PASSED


def test_a_fuzzed_check_that_failed_in_one_shard_fails_its_requirement_though_it_passed_in_the_other() -> None:
    report = whole(shard(1, left=PASSED, fuzzed=PASSED), shard(2, right=PASSED, fuzzed=VIOLATION))
    assert verdict_of(report, LEFT) == VIOLATION
    (left, _) = report.requirements
    fuzzed = next(check for check in left.checks if check.check_id == FUZZED)
    assert (fuzzed.verdict, fuzzed.plan_count) == (VIOLATION, 20)


def test_what_could_not_be_tested_in_its_shard_is_not_testable_in_the_whole_with_the_reason() -> None:
    report = whole(shard(1, left=PASSED, fuzzed=PASSED), shard(2, right=NOT_TESTABLE, fuzzed=PASSED))
    assert report.exit_code == 5
    assert [r.note for r in report.requirements if r.slug == RIGHT] == ["what went wrong"]


def test_a_check_that_no_shard_ran_leaves_the_whole_partial() -> None:
    report = whole(shard(1, fuzzed=PASSED), shard(2, right=PASSED, fuzzed=PASSED))
    assert report.exit_code == 5
    assert [r.note for r in report.requirements if r.slug == LEFT] == [NOT_SELECTED]


def test_effort_and_coverage_are_summed() -> None:
    report = whole(shard(1, left=PASSED, fuzzed=PASSED), shard(2, right=PASSED, fuzzed=PASSED))
    effort = report.effort
    assert (effort.check_count, effort.plan_count, effort.operation_count, effort.fuzzed_operation_count) == (
        3,
        20,
        200,
        140,
    )
    assert [(cell.requirement, cell.count) for cell in report.coverage] == [(LEFT, 3)]


def test_failure_files_are_numbered_anew_so_that_none_takes_the_place_of_another() -> None:
    shards = (shard(1, left=VIOLATION, fuzzed=PASSED), shard(2, right=VIOLATION, fuzzed=VIOLATION))
    report = whole(*shards)
    told = [finding.replay_file for finding in report.findings]
    assert len(set(told)) == len(told) == 3
    assert [new for _, _, new in replay_files(shards)] == told
    assert told[0] == "failures/001-order-left.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report: setattr(report.settings, "shard_index", 1), "both shard 1 of 2"),
        (lambda report: setattr(report.settings, "shard_count", 0), "no report of a shard"),
        (lambda report: setattr(report.settings, "seed", 6), "their seed differs"),
        (lambda report: setattr(report.settings, "budget", "fast"), "their budget differs"),
        (lambda report: setattr(report.target, "version", "4"), "their server differs"),
        (lambda report: setattr(report.suite, "spec_digest", "other"), "digest of the spec differs"),
        (lambda report: report.shards.add(), "merged already"),
    ],
)
def test_reports_that_are_not_of_one_campaign_are_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    other = shard(2, right=PASSED)
    change(other.report)
    with pytest.raises(UsageError, match=message):
        whole(shard(1, left=PASSED), other)


def test_a_missing_shard_is_named() -> None:
    with pytest.raises(UsageError, match="report of shard 2 of 2 is missing"):
        whole(shard(1, left=PASSED))


def test_reports_of_another_suite_are_refused() -> None:
    shards = [shard(1, left=PASSED), shard(2, right=PASSED)]
    for told in shards:
        told.report.suite.spec_digest = "of another suite"
    with pytest.raises(UsageError, match="merge with the suite that made the reports"):
        whole(*shards)
