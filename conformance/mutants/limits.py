"""Rate limits that hit the wrong ones, or in the wrong order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cartsync.v1 import operation_pb2, reason_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.cases import Answer, Case, Decision, Situation
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Refused
from reference_server.engine.state import Reading
from reference_server.settlement import Settlement

_SHARED_PREFIX = 24  # characters of a principal's name


class _SharesLimits(Settlement):
    """Principals whose names begin alike are limited together."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seen: set[str] = set()

    def _allowance(self, principal: str) -> int | None:
        self._seen.add(principal)
        alike = [name for name in self._seen if name[:_SHARED_PREFIX] == principal[:_SHARED_PREFIX]]
        found = [allowance for name in alike if (allowance := super(_SharesLimits, self)._allowance(name)) is not None]
        return min(found, default=None)


class _AllOrNothing(Decider):
    """A submission that the limit would cut is deferred as a whole."""

    _limited = False

    def decide(
        self, reading: Reading, attempts: Sequence[operation_pb2.OperationAttempt], situation: Situation
    ) -> Decision:
        self._limited = False
        decision = super().decide(reading, attempts, situation)
        reasons = [result.outcome.refusal.reason for result in decision.results]
        if reason_pb2.REASON_RATE_LIMITED in reasons and decision.charged_count:
            self._limited = True
            decision = super().decide(reading, attempts, situation)
        return decision

    def rate_limit(self, case: Case) -> Answer | None:
        answer = super().rate_limit(case)
        if answer is not None or not self._limited:
            return answer
        exhausted = Case(case.attempt, case.working, replace(case.situation, allowance=0))
        return super().rate_limit(exhausted)


class _GoesOnBehindTheLimit(Decider):
    """What stands behind a limited operation is looked at all the same."""

    _just_limited = False

    def stops_submission(self, state: reason_pb2.OutcomeState.ValueType) -> bool:
        return super().stops_submission(state) and not self._just_limited

    def answer(self, case: Case) -> Answer:
        answer = super().answer(case)
        self._just_limited = isinstance(answer, Refused) and answer.refusal.reason == reason_pb2.REASON_RATE_LIMITED
        return answer


MUTANTS = (
    Mutant(
        "shares-limits",
        "Limits principals together whose names begin alike.",
        ("rate/per-principal", "rate/deferred"),
        "settlement",
        _SharesLimits,
    ),
    Mutant(
        "limits-whole-submissions",
        "Defers a whole submission when the rate limit falls within it.",
        ("rate/batch-order", "rate/deferred", "rate/exempt"),
        "decider",
        _AllOrNothing,
    ),
    Mutant(
        "goes-on-behind-the-limit",
        "Looks at operations behind a limited one, and calls them a gap.",
        ("rate/batch-order", "deciding/stop-after-deferral", "rate/deferred"),
        "decider",
        _GoesOnBehindTheLimit,
    ),
)
