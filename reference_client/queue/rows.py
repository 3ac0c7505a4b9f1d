"""What a row of the durable queue means, as values that others can hold on to."""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass, field

from cartsync.v1 import operation_pb2, outcome_pb2

from reference_client.machine.values import PendingDiscard, PendingOperation, QueueFacts


class QueueState(enum.Enum):
    """What a queue is good for."""

    ACTIVE = "active"
    """New intents go here, and it is drained. At most one for each server."""
    HALTED = "halted"
    """In conflict. Nothing of it is sent; what remains waits for the shopper."""
    RETIRED = "retired"
    """Everything in it is over. Kept so that its keys are never used again."""


class OperationState(enum.Enum):
    """What this device knows of one operation."""

    PENDING = "pending"
    """No outcome yet: unsent, or in doubt."""
    APPLIED = "applied"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"
    """The server's record was pruned before this device learnt of it."""
    LOST = "lost"
    """Was confirmed as applied by a store that has lost it since."""
    MOVED = "moved"
    """Undecided in a store that lost state, or of a guest that was claimed; its intent is in the successor queue, or
    in the account's, under a new key."""
    LEFT = "left"
    """Undecided in a store that lost state, or of a guest that was claimed, and not issued again by itself."""
    REISSUED = "reissued"
    """Of a halted queue: the shopper decided to ask again, in a new queue."""
    ABANDONED = "abandoned"
    """Of a halted queue: the shopper decided to let it be."""


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """One queue of this device."""

    queue_id: str
    server: str
    state: QueueState
    principal: str
    store_id: str
    last_sequence: int
    confirmed_through: int
    pending_count: int
    successor_id: str

    @property
    def facts(self) -> QueueFacts:
        """What a sync machine begins with."""
        return QueueFacts(self.queue_id, self.principal, self.store_id, self.confirmed_through)


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One operation as this device knows it."""

    queue_id: str
    sequence: int
    key: str
    state: OperationState
    operation: operation_pb2.CartOperation = field(repr=False)
    """It may hold secrets, such as a payment provider's token."""
    send_count: int
    """How many attempts may have left; every one but the first is a duplicate."""
    discard_requested: bool
    outcome: outcome_pb2.Outcome | None
    replayed: bool
    """The outcome was learnt from a duplicate."""

    @property
    def in_doubt(self) -> bool:
        """Sent at least once, outcome not known."""
        return self.state is OperationState.PENDING and self.send_count > 0


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """One thing the shopper has been told, or is still to be told."""

    id: int
    queue_id: str
    sequence: int
    kind: str
    message: str
    needs_action: bool
    create_wall_ns: int


QUEUE_COLUMNS = """
    queue_id, server, state, principal, store_id, last_sequence, confirmed_through, successor_id,
    (SELECT COUNT(*) FROM operations o WHERE o.queue_id = q.queue_id AND o.state = 'pending')
"""
PENDING_COLUMNS = "sequence, key, payload, age_ns, send_count, discard_key, discard_payload, discard_too_late"
OPERATION_COLUMNS = "queue_id, sequence, key, state, payload, send_count, discard_key IS NOT NULL, outcome, replayed"


def queue_record(row: sqlite3.Row | tuple[object, ...]) -> QueueRecord:
    """Reads a row of `QUEUE_COLUMNS`."""
    queue_id, server, state, principal, store_id, last, confirmed, successor, pending = row
    return QueueRecord(
        queue_id=str(queue_id),
        server=str(server),
        state=QueueState(state),
        principal=str(principal),
        store_id=str(store_id),
        last_sequence=int(str(last)),
        confirmed_through=int(str(confirmed)),
        pending_count=int(str(pending)),
        successor_id=str(successor),
    )


def pending_operation(row: tuple[int, str, bytes, int | None, int, str | None, bytes | None, int]) -> PendingOperation:
    """Reads a row of `PENDING_COLUMNS`."""
    sequence, key, payload, age, send_count, discard_key, discard_payload, too_late = row
    discard = None
    if discard_key is not None and discard_payload is not None:
        discard = PendingDiscard(discard_key, discard_payload, bool(too_late))
    return PendingOperation(sequence, key, payload, age, send_count > 0, discard)


def operation_record(
    row: tuple[str, int, str, str, bytes, int, int, bytes | None, int],
) -> OperationRecord:
    """Reads a row of `OPERATION_COLUMNS`."""
    queue_id, sequence, key, state, payload, send_count, discard, outcome, replayed = row
    return OperationRecord(
        queue_id=queue_id,
        sequence=sequence,
        key=key,
        state=OperationState(state),
        operation=operation_pb2.CartOperation.FromString(payload),
        send_count=send_count,
        discard_requested=bool(discard),
        outcome=outcome_pb2.Outcome.FromString(outcome) if outcome is not None else None,
        replayed=bool(replayed),
    )
