"""Running failing stories again, to tell how surely they happen. Pure but for the clock that is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cartsync.conformance.v1 import report_pb2

MOST_FINDINGS = 20  # that are run again
MOST_SECONDS = 30.0  # after which no story is begun again

Again = Callable[[report_pb2.Finding], str | None]
"""Runs the story of a finding once more: the requirement that was violated, "" when none was, None when the story
could not be told, for example because the server is gone."""


def run_again(findings: Iterable[report_pb2.Finding], count: int, again: Again, monotonic: Callable[[], float]) -> int:
    """Run the story of each violation `count` times and label it; returns how many stay without a label.

    One story of each requirement comes first, so that time runs out over what is known best.
    """
    violations = [finding for finding in findings if finding.verdict == report_pb2.VERDICT_VIOLATION]
    end = monotonic() + MOST_SECONDS
    for finding in _most_telling(violations)[:MOST_FINDINGS]:
        reproduced: list[bool] = []
        while len(reproduced) < count and monotonic() < end:
            violated = again(finding)
            if violated is None:
                break
            reproduced.append(violated == finding.slug)
        if reproduced:
            finding.reproduction.CopyFrom(reproduction(len(reproduced), sum(reproduced)))
    return sum(not finding.HasField("reproduction") for finding in violations)


def reproduction(attempt_count: int, reproduced_count: int) -> report_pb2.Reproduction:
    """The label for a story that went wrong again so many times of so many."""
    if reproduced_count == attempt_count:
        label = report_pb2.Reproduction.LABEL_DETERMINISTIC
    elif reproduced_count:
        label = report_pb2.Reproduction.LABEL_FLAKY
    else:
        label = report_pb2.Reproduction.LABEL_UNPROVEN
    return report_pb2.Reproduction(label=label, attempt_count=attempt_count, reproduced_count=reproduced_count)


def _most_telling(violations: list[report_pb2.Finding]) -> list[report_pb2.Finding]:
    first: dict[str, report_pb2.Finding] = {}
    for finding in violations:
        first.setdefault(finding.slug, finding)
    leading = list(first.values())
    return [*leading, *(finding for finding in violations if not any(finding is one for one in leading))]
