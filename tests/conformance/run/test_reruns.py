"""Stories of violations are run again, within bounds, and labelled by what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from cartsync.conformance.v1 import report_pb2

from conformance.run.reruns import MOST_FINDINGS, MOST_SECONDS, reproduction, run_again

LABEL = report_pb2.Reproduction


def finding(slug: str, verdict: report_pb2.Verdict.ValueType = report_pb2.VERDICT_VIOLATION) -> report_pb2.Finding:
    return report_pb2.Finding(slug=slug, verdict=verdict)


@pytest.mark.parametrize(
    ("seen", "label", "count"),
    [
        (["a/x", "a/x", "a/x"], LABEL.LABEL_DETERMINISTIC, 3),
        (["a/x", "", "a/x"], LABEL.LABEL_FLAKY, 2),
        (["a/x", "b/other", "b/other"], LABEL.LABEL_FLAKY, 1),
        (["", "", ""], LABEL.LABEL_UNPROVEN, 0),
        (["b/other", "", ""], LABEL.LABEL_UNPROVEN, 0),
    ],
)
def test_the_label_says_how_surely_the_same_requirement_is_violated(
    seen: list[str], label: LABEL.Label.ValueType, count: int
) -> None:
    one, again = finding("a/x"), iter(seen)
    assert run_again([one], 3, lambda _: next(again), lambda: 0.0) == 0
    assert (one.reproduction.label, one.reproduction.attempt_count) == (label, 3)
    assert one.reproduction.reproduced_count == count
    assert one.verdict == report_pb2.VERDICT_VIOLATION


def test_a_story_that_cannot_be_told_again_stays_without_a_label() -> None:
    one = finding("a/x")
    assert run_again([one], 3, lambda _: None, lambda: 0.0) == 1
    assert not one.HasField("reproduction")


def test_what_was_told_before_it_could_not_be_told_counts() -> None:
    one, again = finding("a/x"), iter(["a/x", None])
    run_again([one], 3, lambda _: next(again), lambda: 0.0)
    assert one.reproduction == reproduction(1, 1)


def test_warnings_and_errors_are_not_run_again() -> None:
    found = [finding("a/x", report_pb2.VERDICT_WARNING), finding("a/y", report_pb2.VERDICT_SUITE_ERROR)]
    assert run_again(found, 3, lambda _: pytest.fail("ran"), lambda: 0.0) == 0


def test_each_requirement_has_its_turn_before_any_has_a_second() -> None:
    found = [finding(slug) for slug in ("a/x", "a/x", "a/y")]
    order: list[str] = []

    def again(one: report_pb2.Finding) -> str:
        order.append(one.slug)
        return one.slug

    assert run_again(found, 1, again, lambda: 0.0) == 0
    assert order == ["a/x", "a/y", "a/x"]


def test_only_so_many_are_run_again_and_the_rest_is_counted() -> None:
    found = [finding(f"a/{number}") for number in range(MOST_FINDINGS + 3)]
    assert run_again(found, 2, lambda one: one.slug, lambda: 0.0) == 3
    assert sum(one.HasField("reproduction") for one in found) == MOST_FINDINGS


def test_when_time_is_up_nothing_more_is_run() -> None:
    clock: Iterator[float] = itertools.count(0.0, MOST_SECONDS / 4)
    found = [finding("a/x"), finding("a/y")]
    assert run_again(found, 3, lambda one: one.slug, lambda: next(clock)) == 1
    assert found[0].reproduction.attempt_count == 3
