"""What is recorded and what is not: rejections, deferrals, conflicts."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import outcome_pb2, reason_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Refused
from reference_server.engine.state import Changes, QueueMark, Record
from reference_server.storage.sqlite import SqliteStore


class _Forgets(Decider):
    """Answers some final outcomes without writing anything down."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        return final_but_unrecorded(self, case, answer) if self.forgets(case, answer) else super().take(case, answer)

    def forgets(self, case: Case, answer: Answer) -> bool:
        """Whether this outcome goes unrecorded."""
        return isinstance(answer, Refused) and answer.policy.state == reason_pb2.OUTCOME_STATE_REJECTED


class _RejectionLeavesNoRecord(SqliteStore):
    """The watermark moves over a rejection, its record is thrown away."""

    async def commit(self, changes: Changes) -> bool:
        committed = await super().commit(changes)
        rejected = [record.sequence for record in changes.records if _is_rejected(record)]
        if committed and rejected:
            await self._run(
                lambda: self._writing(
                    lambda: self._connection.executemany(
                        "DELETE FROM records WHERE sequence = ? AND queue = "
                        "(SELECT id FROM queues WHERE principal = ? AND queue_id = ?)",
                        [(sequence, changes.principal, changes.queue_id) for sequence in rejected],
                    )
                )
            )
        return committed


class _RejectionKeepsChain(Decider):
    """Behind a rejection the next operation must link to the one before the rejected one."""

    def mark_after(self, case: Case, answer: Answer) -> QueueMark:
        mark = super().mark_after(case, answer)
        return replace(mark, last_key=case.working.queue.last_key) if isinstance(answer, Refused) else mark


class _RecordsDeferrals(Decider):
    """The answer that a backing service or the rate limit gave once is given for ever."""

    def is_recorded(self, refused: Refused) -> bool:
        return super().is_recorded(refused) or refused.refusal.reason in (
            reason_pb2.REASON_BACKEND_UNAVAILABLE,
            reason_pb2.REASON_RATE_LIMITED,
        )


class _RecordsGaps(Decider):
    """An operation that came too early is done with."""

    def is_recorded(self, refused: Refused) -> bool:
        return super().is_recorded(refused) or refused.refusal.reason == reason_pb2.REASON_SEQUENCE_GAP


class _RecordsDivergence(Decider):
    """The conflict of a copied queue takes the sequence from the rightful operation."""

    def is_recorded(self, refused: Refused) -> bool:
        return super().is_recorded(refused) or refused.refusal.reason == reason_pb2.REASON_QUEUE_DIVERGED


def final_but_unrecorded(decider: Decider, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
    """The result that recording the answer would have given, without recording it."""
    head = decider.head(case)
    return outcome_pb2.OperationResult(outcome=decider.outcome(case, answer, head, decider.decide_time_us(case, head)))


def _is_rejected(record: Record) -> bool:
    return outcome_pb2.Outcome.FromString(record.outcome).state == reason_pb2.OUTCOME_STATE_REJECTED


MUTANTS = (
    Mutant(
        "skips-the-watermark-on-rejection",
        "Answers a rejection without recording it, so that the queue never gets past it.",
        ("deciding/rejection-advances", "deciding/rejection-recorded"),
        "decider",
        _Forgets,
    ),
    Mutant(
        "rejection-leaves-no-record",
        "Moves the watermark over a rejection but keeps no record of it.",
        ("deciding/rejection-recorded",),
        "open_store",
        stored_in(_RejectionLeavesNoRecord),
    ),
    Mutant(
        "rejection-breaks-the-chain",
        "Leaves the key of a rejected operation out of the chain, so that the next one counts as diverged.",
        ("deciding/rejection-advances",),
        "decider",
        _RejectionKeepsChain,
    ),
    Mutant(
        "caches-a-deferred-answer",
        "Records a deferral and repeats it when the trouble is long over.",
        ("deciding/deferral-unrecorded", "backend/deferred", "rate/deferred"),
        "decider",
        _RecordsDeferrals,
    ),
    Mutant(
        "records-a-gap",
        "Records an operation that came too early as dealt with.",
        ("deciding/gap-deferred", "deciding/deferral-unrecorded"),
        "decider",
        _RecordsGaps,
    ),
    Mutant(
        "records-a-diverged-copy",
        "Records the conflict of a copied queue, and refuses the rightful operation afterwards.",
        ("deciding/chain-checked", "deciding/conflict-unrecorded"),
        "decider",
        _RecordsDivergence,
    ),
)
