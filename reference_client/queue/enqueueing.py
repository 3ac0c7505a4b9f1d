"""Writing intents down. Every function runs inside the caller's write transaction and touches no network.

The next sequence and the previous key come from the queue's own row, never from what remains in the queue: a
drained queue has nothing in it and still goes on counting (`client/sequence-from-durable-state`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2
from google.protobuf import timestamp_pb2

from reference_client.clock import Reading
from reference_client.exceptions import NothingToDiscardError
from reference_client.identifiers import NewId
from reference_client.intents import account_part_of, cart_of

_NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class Age:
    """When an intent was written down, and its age if that is fixed already because it was sent before."""

    enqueued: Reading
    fixed: bool = False
    age_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Where an intent went."""

    queue_id: str
    sequence: int
    key: str


def open_queue(db: sqlite3.Connection, server: str, new_id: NewId, wall_ns: int, principal: str = "") -> str:
    """The active queue for a server, made if there is none. Its id.

    A new queue inherits the principal of the queue before it: one folder is one shopper's.
    """
    row = db.execute("SELECT queue_id FROM queues WHERE server = ? AND state = 'active'", [server]).fetchone()
    if row is not None:
        return str(row[0])
    if not principal:
        before = db.execute(
            "SELECT principal FROM queues WHERE server = ? AND principal <> '' ORDER BY rowid DESC LIMIT 1", [server]
        ).fetchone()
        principal = str(before[0]) if before is not None else ""
    queue_id = new_id()
    db.execute(
        "INSERT INTO queues (queue_id, server, state, principal, create_wall_ns) VALUES (?, ?, 'active', ?, ?)",
        [queue_id, server, principal, wall_ns],
    )
    return queue_id


def append(
    db: sqlite3.Connection,
    queue_id: str,
    intents: Sequence[tuple[operation_pb2.CartOperation, Age]],
    new_id: NewId,
) -> list[Enqueued]:
    """Gives each intent its key, sequence and link, and writes it down at the end of the queue."""
    sequence, previous = db.execute(
        "SELECT last_sequence, last_key FROM queues WHERE queue_id = ?", [queue_id]
    ).fetchone()
    places: list[Enqueued] = []
    rows = []
    for intent, age in intents:
        key = new_id()
        sequence += 1
        operation = operation_pb2.CartOperation()
        operation.CopyFrom(intent)
        operation.idempotency_key, operation.sequence, operation.previous_key = key, sequence, previous
        if not operation.HasField("enqueue_time"):
            operation.enqueue_time.CopyFrom(_timestamp(age.enqueued.wall_ns))
        rows.append(
            (
                queue_id, sequence, key, previous, cart_of(operation), account_part_of(operation),
                operation.SerializeToString(deterministic=True),
                age.enqueued.wall_ns, age.enqueued.boot_id, age.enqueued.boot_ns, age.fixed, age.age_ns,
            )
        )  # fmt: skip
        places.append(Enqueued(queue_id, sequence, key))
        previous = key
    db.executemany(
        "INSERT INTO operations (queue_id, sequence, key, previous_key, cart_id, account_part, payload, "
        "enqueue_wall_ns, enqueue_boot_id, enqueue_boot_ns, age_fixed, age_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    db.execute("UPDATE queues SET last_sequence = ?, last_key = ? WHERE queue_id = ?", [sequence, previous, queue_id])
    return places


def request_discard(
    db: sqlite3.Connection,
    queue_id: str,
    sequence: int,
    session: operation_pb2.SessionContext,
    now: Reading,
    new_id: NewId,
) -> None:
    """Writes down that an operation is to be cancelled, sent or not.

    Also an unsent one goes by `Discard`: whether a drain has just sent it cannot be known without a race, and the
    chain of keys needs something at its sequence anyway. Only the server's answer cancels (`client/cancel-by-discard`).
    """
    row = db.execute(
        "SELECT key, previous_key, state, discard_key FROM operations WHERE queue_id = ? AND sequence = ?",
        [queue_id, sequence],
    ).fetchone()
    if row is None:
        raise NothingToDiscardError(f"there is no operation {sequence} in this queue; `cartsync status` lists them")
    key, previous, state, discard_key = row
    if state != "pending":
        raise NothingToDiscardError(f"operation {sequence} is {state} already, it cannot be discarded any more")
    if discard_key is not None:
        return
    discard = operation_pb2.CartOperation(
        idempotency_key=new_id(),
        sequence=sequence,
        previous_key=previous,
        enqueue_time=_timestamp(now.wall_ns),
        session_context=session,
        discard=operation_pb2.Discard(discarded_key=key),
    )
    db.execute(
        "UPDATE operations SET discard_key = ?, discard_payload = ? WHERE queue_id = ? AND sequence = ?",
        [discard.idempotency_key, discard.SerializeToString(deterministic=True), queue_id, sequence],
    )


def _timestamp(wall_ns: int) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=wall_ns // _NANOSECONDS, nanos=wall_ns % _NANOSECONDS)
