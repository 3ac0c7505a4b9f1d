"""A report says how fast the fuzzing judged, and a campaign what it reached and never met."""

from __future__ import annotations

from cartsync.conformance.v1 import report_pb2

from conformance.reports.rates import coverage_lines, rate_text, unmet_faults, unmet_requirements, unmet_states


def report(*, campaign: bool = True) -> report_pb2.Report:
    told = report_pb2.Report(
        requirements=[report_pb2.RequirementResult(slug=slug) for slug in ("cart/add-adds", "cart/closed")],
        coverage=[
            report_pb2.CoverageCell(
                requirement="cart/add-adds", state="next in line, backend down", fault="none", count=2
            )
        ],
        effort=report_pb2.Effort(fuzzed_operation_count=1_500),
    )
    told.effort.fuzz_duration.FromSeconds(10)
    if campaign:
        told.settings.time_limit.FromSeconds(60)
    return told


def test_the_rate_is_that_of_the_fuzzed_checks_alone() -> None:
    assert rate_text(report()) == "Fuzzing judged 1,500 operations in 10.0 s: 150 a second."


def test_a_run_that_fuzzed_nothing_has_no_rate() -> None:
    assert rate_text(report_pb2.Report()) == ""


def test_a_campaign_says_what_it_reached_and_what_it_never_met() -> None:
    first, *unmet = coverage_lines(report())
    assert first == "Coverage: 1 triple of requirement, state and fault; plans came to 1 of 2 requirements."
    assert any(line.startswith("Never met, faults: cut") for line in unmet)


def test_a_run_that_is_no_campaign_says_nothing_of_coverage() -> None:
    assert coverage_lines(report(campaign=False)) == []


def test_words_and_requirements_that_were_met_are_not_among_the_unmet() -> None:
    told = report()
    assert "none" not in unmet_faults(told)
    assert not {"next in line", "backend down"} & set(unmet_states(told))
    assert unmet_requirements(told) == ("cart/closed",)
