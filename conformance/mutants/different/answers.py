"""Answers that say the same in another way: other steps, other words, fields of a later version."""

# ruff: noqa: N802, D102 - names and contracts are those of the parts exchanged

from __future__ import annotations

from typing import Any

from cartsync.v1 import outcome_pb2
from google.protobuf.message import Message

from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Reason, refuse
from reference_server.engine.state import Head
from reference_server.service.servicer import CartSyncServicer

UNKNOWN_FIELDS = b"\xf8\x3f\x01\xfa\x3e\x03abc"
"""Fields 1023 and 1007, of some later minor version."""


class Coarse(Decider):
    """Counts revisions in steps of seven and time in seconds, talks at length, and sends fields of a later version."""

    def decide_time_us(self, case: Case, head: Head | None) -> int:
        del head
        time_us = super().decide_time_us(case, None)
        return time_us - time_us % 1_000_000

    def next_revision(self, head: Head | None) -> int:
        return super().next_revision(head) + 6

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if outcome.HasField("refusal"):
            outcome.refusal.message = "Nein. " * 50
        outcome.MergeFromString(UNKNOWN_FIELDS)
        return outcome


class LaterVersion(CartSyncServicer):
    """Every unary answer has fields that this edition does not know."""

    async def SubmitOperations(self, request: Any, context: Any) -> Any:
        return _extended(await super().SubmitOperations(request, context))

    async def GetCart(self, request: Any, context: Any) -> Any:
        return _extended(await super().GetCart(request, context))

    async def LookupOutcomes(self, request: Any, context: Any) -> Any:
        return _extended(await super().LookupOutcomes(request, context))

    async def GetSyncPolicy(self, request: Any, context: Any) -> Any:
        return _extended(await super().GetSyncPolicy(request, context))


def _extended(answer: Message) -> Message:
    answer.MergeFromString(UNKNOWN_FIELDS)
    return answer


class QuarantinesAtOnce(Decider):
    """Sets an operation aside at the failure that is one too many, not at the attempt behind it."""

    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        operation = case.operation
        failed_count = case.working.reading.failures.get((operation.sequence, operation.idempotency_key), 0) + 1
        next_in_line = operation.sequence == case.working.queue.decided_through_sequence + 1
        if next_in_line and failed_count >= self.policy.quarantine_attempt_count:
            return self.take(case, refuse(Reason.REASON_QUARANTINED, "it failed too often"))
        return super().failed(case)
