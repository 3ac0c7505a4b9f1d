"""What one answer means for the operations that were sent.

Answers are matched by key *and* sequence (`client/match-by-key-and-sequence`): an answer to a discard is not an answer
to what it cancels, and an answer without its operation says nothing. Outcomes settle from the front only, because a
queue is decided in order; whatever stands behind the first that is not final is in doubt and is sent again.

Reasons are read only where the protocol gives them a meaning of their own (a gap below what was confirmed, a
discard that came too late). Everything else goes by state and disposition, which a newer server sends beside
reasons that this client has never heard of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.v1 import outcome_pb2, reason_pb2

from reference_client.machine import notices
from reference_client.machine.values import Fate, Notice, PendingOperation, Settlement


@dataclass(frozen=True, slots=True)
class GoOn:
    """Everything that can be learnt was learnt; send what comes next."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """The operation now at the head was not decided. Wait at least so many seconds."""

    floor_seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class StoreLostState:
    """The server asks for operations that it once confirmed."""


@dataclass(frozen=True, slots=True)
class InConflict:
    """The queue is misused: stop, and show the rest to the shopper."""

    notice: Notice


Verdict = GoOn | TryLater | StoreLostState | InConflict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to write down, and what to do then."""

    settlements: tuple[Settlement, ...]
    notices: tuple[Notice, ...]
    confirmed_through: int
    verdict: Verdict

    @property
    def is_progress(self) -> bool:
        """Whether anything was learnt, so that the backoff starts anew."""
        return bool(self.settlements)


_FINAL = {
    reason_pb2.OUTCOME_STATE_APPLIED: Fate.APPLIED,
    reason_pb2.OUTCOME_STATE_REJECTED: Fate.REJECTED,
    reason_pb2.OUTCOME_STATE_PURGED: Fate.UNKNOWN,
}


def fate_of(operation: PendingOperation, outcome: outcome_pb2.Outcome) -> Fate | None:
    """The fate that a final outcome of what was sent at this sequence means; None for one that is not final.

    The recorded outcome of a discard means that the original is cancelled, a rejected one included: the
    sequence is taken, and a late original can only be refused.
    """
    fate = _FINAL.get(outcome.state)
    if fate in {Fate.APPLIED, Fate.REJECTED} and (
        operation.discard is not None and outcome.idempotency_key == operation.discard.key
    ):
        return Fate.DISCARDED
    return fate


def judge(
    sent: Sequence[PendingOperation], results: Sequence[outcome_pb2.OperationResult], confirmed_through: int
) -> Judgement:
    """Reads the answer to a submission that began just above `confirmed_through`. Pure."""
    answers = {(r.outcome.idempotency_key, r.outcome.sequence): r for r in results}
    settlements: list[Settlement] = []
    told: list[Notice] = []
    verdict: Verdict = GoOn()
    for operation in sent:
        result = answers.get((operation.outgoing_key, operation.sequence))
        if result is None:
            verdict = TryLater(0.0, "the server's answer left out an operation")
            break
        outcome = result.outcome
        fate = fate_of(operation, outcome)
        if fate is not None:
            settlements.append(Settlement(operation.sequence, fate, outcome, result.replayed))
            told.extend(notices.about(operation, fate, outcome))
            confirmed_through = operation.sequence
            continue
        if _is_late_discard(operation, outcome):
            settlements.append(Settlement(operation.sequence, Fate.DISCARD_TOO_LATE, outcome))
            break
        verdict, notice = _undecided(operation, outcome, confirmed_through)
        if notice is not None:
            told.append(notice)
        break
    return Judgement(tuple(settlements), tuple(told), confirmed_through, verdict)


def _is_late_discard(operation: PendingOperation, outcome: outcome_pb2.Outcome) -> bool:
    return (
        operation.sends_discard
        and outcome.state == reason_pb2.OUTCOME_STATE_CONFLICT
        and outcome.refusal.reason == reason_pb2.REASON_SEQUENCE_CONFLICT
    )


def _undecided(
    operation: PendingOperation, outcome: outcome_pb2.Outcome, confirmed_through: int
) -> tuple[Verdict, Notice | None]:
    refusal = outcome.refusal
    if outcome.state == reason_pb2.OUTCOME_STATE_CONFLICT:
        return InConflict(notices.conflict(operation, refusal)), None
    if outcome.state != reason_pb2.OUTCOME_STATE_DEFERRED:
        return TryLater(0.0, f"the server answered with state {outcome.state}, unknown to this client"), None
    if refusal.HasField("expected_sequence") and refusal.expected_sequence <= confirmed_through:
        return StoreLostState(), None
    floor = refusal.retry_delay.ToNanoseconds() / 1e9 if refusal.HasField("retry_delay") else 0.0
    later = TryLater(floor, f"the server defers: {notices.refusal_text(refusal)}")
    held_up = refusal.disposition != reason_pb2.DISPOSITION_RETRY
    return later, notices.blocked(operation, refusal) if held_up else None
