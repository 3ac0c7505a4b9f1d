"""The replay window, and what becomes of old records and queues."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from datetime import datetime, timedelta

from cartsync.v1 import outcome_pb2

from conformance.mutants.mutant import Mutant, moved, stored_in
from reference_server.engine import instants
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import QueueMark
from reference_server.storage import Retention
from reference_server.storage.sqlite import SqliteStore


class _ExecutesPruned(Decider):
    """Takes what has no record for new."""

    def purged(self, case: Case) -> Answer | None:
        return None

    def chain(self, case: Case) -> Answer | None:
        return None if _is_behind(case) else super().chain(case)

    def mark_after(self, case: Case, answer: Answer) -> QueueMark:
        return case.working.queue if _is_behind(case) else super().mark_after(case, answer)


class _RejectsPruned(Decider):
    """Takes what has no record for too old."""

    def purged(self, case: Case) -> Answer | None:
        return refuse(Reason.REASON_REPLAY_WINDOW_EXPIRED, "this was decided too long ago")

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        if _is_behind(case) and isinstance(answer, Refused):
            return self._unrecorded(case, answer)
        return super().take(case, answer)


class _DerivesWatermarks(SqliteStore):
    """A queue has come as far as its latest record says."""

    async def prune_due(self, now: datetime) -> int:
        count = await super().prune_due(now)
        await self._run(lambda: self._writing(self._derive))
        return count

    def _derive(self) -> None:
        self._connection.execute(
            "UPDATE queues SET decided_through_sequence = coalesce("
            "(SELECT max(sequence) FROM records WHERE records.queue = queues.id), 0)"
        )
        self._connection.execute(
            "UPDATE queues SET last_key = coalesce((SELECT idempotency_key FROM records "
            "WHERE records.queue = queues.id AND sequence = decided_through_sequence), '')"
        )


class _WindowAfterBackend(Decider):
    STEPS = moved(Decider.STEPS, "backing_services", "replay_window")


class _NoWindow(Decider):
    def replay_window(self, case: Case) -> Answer | None:
        return None


class _WindowOneShort(Decider):
    """An operation exactly as old as the window is too old."""

    def replay_window(self, case: Case) -> Answer | None:
        window_ns = instants.span_us(self.policy.replay_window) * 1000
        if case.attempt.HasField("age") and instants.duration_ns(case.attempt.age) == window_ns:
            return refuse(Reason.REASON_REPLAY_WINDOW_EXPIRED, "as old as the window")
        return super().replay_window(case)


class _TrustsClocks(Decider):
    """Without an age, the age is what the client's wall clock makes of it."""

    def replay_window(self, case: Case) -> Answer | None:
        if not case.attempt.HasField("age") and case.operation.HasField("enqueue_time"):
            age_us = case.situation.now_us - case.operation.enqueue_time.ToMicroseconds()
            if age_us > instants.span_us(self.policy.replay_window):
                return refuse(Reason.REASON_REPLAY_WINDOW_EXPIRED, "enqueued too long ago")
        return super().replay_window(case)


class _UnknownAgeExpires(Decider):
    def replay_window(self, case: Case) -> Answer | None:
        if not case.attempt.HasField("age"):
            return refuse(Reason.REASON_REPLAY_WINDOW_EXPIRED, "of unknown age")
        return super().replay_window(case)


class _NoNegativeAge(Decider):
    def replay_window(self, case: Case) -> Answer | None:
        if instants.duration_ns(case.attempt.age) < 0:
            return refuse(
                Reason.REASON_MALFORMED,
                "age is negative",
                field_violations=[outcome_pb2.FieldViolation(field="age", description="is negative")],
            )
        return super().replay_window(case)


class _ForgetsContact(SqliteStore):
    """Counts a queue's retention from its last decision, not from its last contact."""

    async def touch(self, principal: str, queue_id: str, contact_time_us: int) -> None:
        """Remember nothing."""


def _half_the_time(policy: Policy) -> Retention:
    return Retention(policy.outcome_retention / 2, policy.queue_retention)


def _queues_with_records(policy: Policy) -> Retention:
    return Retention(policy.outcome_retention, policy.outcome_retention + timedelta(days=1))


def _is_behind(case: Case) -> bool:
    return case.operation.sequence <= case.working.queue.decided_through_sequence


MUTANTS = (
    Mutant(
        "re-executes-after-pruning",
        "Decides an operation anew when its record is pruned.",
        ("retention/purged-not-executed", "retention/watermark-kept"),
        "decider",
        _ExecutesPruned,
    ),
    Mutant(
        "pruned-answered-rejected",
        "Answers an operation whose record is pruned as rejected, although it may have been applied.",
        ("retention/purged-not-executed",),
        "decider",
        _RejectsPruned,
    ),
    Mutant(
        "watermark-derived-from-records",
        "Keeps no watermark but that of the records it has, so that pruning makes old operations new.",
        ("retention/watermark-kept", "retention/purged-not-executed"),
        "open_store",
        stored_in(_DerivesWatermarks),
    ),
    Mutant(
        "prunes-records-early",
        "Keeps outcome records for half of the time it promises.",
        ("retention/records-kept",),
        "open_store",
        stored_in(SqliteStore, _half_the_time),
    ),
    Mutant(
        "prunes-queues-with-their-records",
        "Forgets a queue as soon as its records are pruned.",
        ("retention/watermark-kept", "retention/purged-not-executed"),
        "open_store",
        stored_in(SqliteStore, _queues_with_records),
    ),
    Mutant(
        "forgets-contact",
        "Counts the retention of a queue from its last decision, however often it was in contact since.",
        ("retention/watermark-kept",),
        "open_store",
        stored_in(_ForgetsContact),
    ),
    Mutant(
        "backend-before-window",
        "Defers an expired operation while the backing services are unreachable.",
        ("retention/window-before-backend", "deciding/refusal-order"),
        "decider",
        _WindowAfterBackend,
    ),
    Mutant(
        "no-replay-window",
        "Decides operations however old they are.",
        ("retention/window-enforced",),
        "decider",
        _NoWindow,
    ),
    Mutant(
        "replay-window-one-short",
        "Rejects an operation that is exactly as old as the window.",
        ("retention/window-enforced",),
        "decider",
        _WindowOneShort,
    ),
    Mutant(
        "trusts-wall-clocks",
        "Expires an operation of unknown age by its enqueue time.",
        ("retention/unknown-age",),
        "decider",
        _TrustsClocks,
    ),
    Mutant(
        "unknown-age-expires",
        "Rejects an operation that does not say its age.",
        ("retention/unknown-age", "cart/add-adds"),
        "decider",
        _UnknownAgeExpires,
    ),
    Mutant(
        "negative-age-refused",
        "Rejects an operation whose age is negative.",
        ("retention/negative-age",),
        "decider",
        _NoNegativeAge,
    ),
)
