"""What becomes of a queue whose server lost state (`client/store-change-recovers`). Pure.

Requests carry the id of the store the client last saw, so no request made before can be decided by the store
that the server has now. What its look-up shows as undecided is therefore provably undecided and may be issued
again, in a new queue and under new keys. Where the store kept its id and only the watermark fell back, that
proof is weaker, and the client does the same: it is the best that can be done with a server that breaks the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cartsync.v1 import service_pb2

from reference_client.intents import describe, guard_of
from reference_client.machine import notices
from reference_client.machine.judging import fate_of
from reference_client.machine.values import Fate, Notice, PendingOperation, Settlement

_LISTED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What to write down, in one transaction."""

    settlements: tuple[Settlement, ...]
    """What the store has decided and this client did not know yet."""

    notices: tuple[Notice, ...]

    reissue: tuple[PendingOperation, ...]
    """To be enqueued in a new queue, in this order."""

    cancelled: tuple[int, ...]
    """Sequences that the shopper had discarded: undecided for good once the queue is retired."""

    left: tuple[int, ...]
    """Sequences that are not issued again by themselves, because that could be wrong; the shopper decides."""

    conflict: bool
    """Another copy of this queue is alive: halt instead, and issue nothing again."""


def plan_recovery(
    pending: Sequence[PendingOperation],
    confirmed: Iterable[tuple[int, str]],
    watermark: int,
    statuses: Iterable[service_pb2.SequenceStatus],
) -> RecoveryPlan:
    """Plans the way on. `confirmed` are (sequence, description) of changes this client was told were applied."""
    known: Mapping[int, service_pb2.SequenceStatus] = {s.sequence: s for s in statuses}
    settlements: list[Settlement] = []
    told: list[Notice] = []
    reissue: list[PendingOperation] = []
    cancelled: list[int] = []
    left: list[int] = []
    conflict = False
    for operation in pending:
        if operation.sequence <= watermark:
            settlement = settlement_of(operation, known.get(operation.sequence))
            if settlement is None:
                conflict = True
                continue
            settlements.append(settlement)
            told.extend(notices.about(operation, settlement.fate, settlement.outcome))
        elif operation.discard is not None:
            cancelled.append(operation.sequence)
        elif guard_of(notices.decode(operation)) is not None:
            left.append(operation.sequence)
            told.append(_unguarded(operation))
        else:
            reissue.append(operation)
    lost = [(sequence, what) for sequence, what in confirmed if sequence > watermark]
    if lost:
        told.append(_lost(lost))
    if conflict:
        text = "While the server's store was restored, another copy of this queue was in use. Nothing is sent again"
        told.append(Notice("conflict", text, needs_action=True))
    elif reissue:
        text = f"The server lost state; {len(reissue)} undecided intents were moved to a new queue"
        told.append(Notice("moved", text))
    return RecoveryPlan(tuple(settlements), tuple(told), tuple(reissue), tuple(cancelled), tuple(left), conflict)


def settlement_of(operation: PendingOperation, status: service_pb2.SequenceStatus | None) -> Settlement | None:
    """What the store has at this sequence, or None when that is neither the operation nor its discard."""
    if status is None:
        return None
    outcome = status.outcome
    if status.decidedness == service_pb2.DECIDEDNESS_PURGED:
        return Settlement(operation.sequence, Fate.UNKNOWN, outcome, replayed=True)
    keys = {operation.key} | ({operation.discard.key} if operation.discard is not None else set())
    fate = fate_of(operation, outcome)
    if outcome.idempotency_key not in keys or fate is None:
        return None
    return Settlement(operation.sequence, fate, outcome, replayed=True)


def _unguarded(operation: PendingOperation) -> Notice:
    what = describe(notices.decode(operation))
    text = (
        f"{what}: the server lost state, and the cart revision this was to be checked against means nothing "
        "any more. Look at the cart, and ask again if you still want it"
    )
    return Notice("guard_lost", text, operation.sequence, needs_action=True)


def _lost(lost: Sequence[tuple[int, str]]) -> Notice:
    listed = "; ".join(what for _, what in lost[:_LISTED_AT_MOST])
    more = f"; and {len(lost) - _LISTED_AT_MOST} more" if len(lost) > _LISTED_AT_MOST else ""
    text = f"The server lost state. These changes had been confirmed and are gone from it: {listed}{more}"
    return Notice("lost", text, needs_action=True)
