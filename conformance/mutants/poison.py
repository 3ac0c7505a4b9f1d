"""Operations that make the server fail: retried for ever, taking others with them, blocking the queue."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import outcome_pb2, reason_pb2

from conformance.mutants.mutant import Mutant
from conformance.mutants.recording import final_but_unrecorded
from reference_server.engine.cases import Answer, Case, Failure
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Refused


class _NeverQuarantines(Decider):
    def quarantine(self, case: Case) -> Answer | None:
        return None


class _QuarantineBlocks(Decider):
    """A poisoned operation is told so, and stays at the head of its queue."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        if isinstance(answer, Refused) and answer.refusal.reason == reason_pb2.REASON_QUARANTINED:
            return final_but_unrecorded(self, case, answer)
        return super().take(case, answer)


class _FailsWhole(Decider):
    """One failing operation ends the call of all."""

    def _decide_one(self, case: Case, failures: list[Failure]) -> outcome_pb2.OperationResult:
        return self.take(case, self.answer(case))


class _NoDelay(Decider):
    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        result = super().failed(case)
        result.outcome.refusal.ClearField("retry_delay")
        return result


class _QuarantinesAtOnce(Decider):
    """The first failure is the last attempt, whatever the policy says."""

    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        result = super().failed(case)
        result.outcome.state = reason_pb2.OUTCOME_STATE_REJECTED
        result.outcome.refusal.reason = reason_pb2.REASON_QUARANTINED
        result.outcome.refusal.disposition = reason_pb2.DISPOSITION_TERMINAL
        return result


class _SwallowsFailures(Decider):
    """An operation that fails is taken for done: the watermark moves over it, without a record of a refusal."""

    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        operation = case.operation
        working = case.working
        if operation.sequence == working.queue.decided_through_sequence + 1:
            working.count_failure(operation.sequence, operation.idempotency_key)
            working.queue = replace(
                working.queue,
                decided_through_sequence=operation.sequence,
                last_key=operation.idempotency_key,
            )
        return super().failed(case)


MUTANTS = (
    Mutant(
        "poison-never-quarantined",
        "Tries an operation that makes it fail again and again, so that the queue sticks for ever.",
        ("poison/quarantined", "poison/queue-moves-on"),
        "decider",
        _NeverQuarantines,
    ),
    Mutant(
        "quarantine-blocks-the-queue",
        "Answers QUARANTINED without recording it, so that nothing behind it is ever decided.",
        ("poison/queue-moves-on", "poison/quarantined"),
        "decider",
        _QuarantineBlocks,
    ),
    Mutant(
        "poison-fails-the-submission",
        "Ends the whole call when deciding one operation fails, the ones before it included.",
        ("poison/internal-deferred",),
        "decider",
        _FailsWhole,
    ),
    Mutant(
        "poison-without-delay",
        "Does not say when to come back after it failed.",
        ("poison/internal-deferred", "answers/details"),
        "decider",
        _NoDelay,
    ),
    Mutant(
        "poison-told-final-at-once",
        "Calls the first failure a final rejection, and decides the operation all the same when it comes again.",
        ("poison/internal-deferred",),
        "decider",
        _QuarantinesAtOnce,
    ),
    Mutant(
        "swallows-a-failure",
        "Moves the watermark over an operation that made it fail.",
        ("poison/internal-deferred", "deciding/deferral-unrecorded"),
        "decider",
        _SwallowsFailures,
    ),
)
