"""Answers that leave something out or say something else than what happened."""

# ruff: noqa: N802 - names and arguments are those of the reference server

from __future__ import annotations

from typing import Any

import grpc.aio
from cartsync.v1 import outcome_pb2, reason_pb2, service_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Refused
from reference_server.service.servicer import CartSyncServicer

_Context = grpc.aio.ServicerContext[Any, Any]


class _NoExpectedSequence(Decider):
    def gap(self, case: Case) -> Answer | None:
        answer = super().gap(case)
        if isinstance(answer, Refused):
            answer.refusal.ClearField("expected_sequence")
        return answer


class _NoDelays(Decider):
    """Deferrals that do not say for how long."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        if isinstance(answer, Refused):
            answer.refusal.ClearField("retry_delay")
        return super().take(case, answer)


class _EverythingTerminal(Decider):
    """Deferrals that old clients, who do not know the reason, take for final."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        if isinstance(answer, Refused):
            answer.refusal.disposition = reason_pb2.DISPOSITION_TERMINAL
        return super().take(case, answer)


class _DatesDeferrals(Decider):
    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if not result.outcome.HasField("decide_time"):
            result.outcome.decide_time.FromMicroseconds(case.situation.now_us)
        return result


class _NoWatermark(CartSyncServicer):
    async def SubmitOperations(
        self, request: service_pb2.SubmitOperationsRequest, context: _Context
    ) -> service_pb2.SubmitOperationsResponse:
        response = await super().SubmitOperations(request, context)
        response.queue.decided_through_sequence = 0
        return response


class _WatermarkAhead(CartSyncServicer):
    """The watermark of an answer is the last sequence sent, decided or not."""

    async def SubmitOperations(
        self, request: service_pb2.SubmitOperationsRequest, context: _Context
    ) -> service_pb2.SubmitOperationsResponse:
        response = await super().SubmitOperations(request, context)
        response.queue.decided_through_sequence = max(
            response.queue.decided_through_sequence, request.attempts[-1].operation.sequence
        )
        return response


class _NoStoreId(CartSyncServicer):
    async def LookupOutcomes(
        self, request: service_pb2.LookupOutcomesRequest, context: _Context
    ) -> service_pb2.LookupOutcomesResponse:
        response = await super().LookupOutcomes(request, context)
        response.store_id = ""
        return response


MUTANTS = (
    Mutant(
        "gap-without-expected-sequence",
        "Refuses a gap without saying which sequence it expects.",
        ("answers/details", "deciding/gap-deferred"),
        "decider",
        _NoExpectedSequence,
    ),
    Mutant(
        "deferrals-without-delay",
        "Defers without saying when to come back.",
        ("answers/details", "backend/deferred", "rate/deferred", "poison/internal-deferred"),
        "decider",
        _NoDelays,
    ),
    Mutant(
        "every-refusal-terminal",
        "Calls every refusal TERMINAL, so that a client gives up what it should send again.",
        ("answers/reason-policy",),
        "decider",
        _EverythingTerminal,
    ),
    Mutant(
        "dates-deferrals",
        "Gives outcomes that are not final a decide_time.",
        ("answers/final-fields",),
        "decider",
        _DatesDeferrals,
    ),
    Mutant(
        "answers-without-watermark",
        "Says watermark 0 in every answer to a submission.",
        ("answers/watermark",),
        "servicer",
        _NoWatermark,
    ),
    Mutant(
        "watermark-ahead",
        "Says that everything sent is decided, deferred or not.",
        ("answers/watermark", "deciding/gap-deferred", "deciding/deferral-unrecorded"),
        "servicer",
        _WatermarkAhead,
    ),
    Mutant(
        "look-up-without-store-id",
        "Leaves the store id out of the answer to a look-up.",
        ("store/id-in-answers",),
        "servicer",
        _NoStoreId,
    ),
)
