"""What a drain writes down. Every function runs inside the caller's write transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cartsync.v1 import operation_pb2, outcome_pb2, policy_pb2, reason_pb2, service_pb2

from reference_client.clock import Reading, age_ns
from reference_client.identifiers import NewId
from reference_client.intents import describe
from reference_client.machine.notices import late_discard
from reference_client.machine.recovery import RecoveryPlan, plan_recovery
from reference_client.machine.values import Fate, Notice, PendingOperation, Settlement
from reference_client.queue.admission import offer_of, unoffered
from reference_client.queue.enqueueing import Age, append, open_queue, request_discard
from reference_client.queue.rows import PENDING_COLUMNS, pending_operation


def load_pending(db: sqlite3.Connection, queue_id: str, after: int, limit: int) -> tuple[PendingOperation, ...]:
    """The operations above `after`, ascending, at most `limit` (negative: all)."""
    rows = db.execute(
        f"SELECT {PENDING_COLUMNS} FROM operations WHERE queue_id = ? AND sequence > ? AND state = 'pending' "  # noqa: S608 - a constant
        "ORDER BY sequence LIMIT ?",
        [queue_id, after, limit],
    )
    return tuple(pending_operation(row) for row in rows)


def mark_sent(
    db: sqlite3.Connection, queue_id: str, first: int, last: int, now: Reading
) -> tuple[PendingOperation, ...]:
    """Marks a range as sent, fixes the age of what is sent for the first time, and reads the range again.

    It is read again because the shopper may have discarded some of it since it was loaded.
    """
    span = [queue_id, first, last]
    fresh = db.execute(
        "SELECT sequence, enqueue_wall_ns, enqueue_boot_id, enqueue_boot_ns FROM operations "
        "WHERE queue_id = ? AND sequence BETWEEN ? AND ? AND age_fixed = 0",
        span,
    ).fetchall()
    ages = [(age_ns(Reading(wall, boot_id, boot), now), queue_id, sequence) for sequence, wall, boot_id, boot in fresh]
    db.executemany("UPDATE operations SET age_ns = ?, age_fixed = 1 WHERE queue_id = ? AND sequence = ?", ages)
    db.execute(
        "UPDATE operations SET send_count = send_count + 1 WHERE queue_id = ? AND sequence BETWEEN ? AND ?", span
    )
    return load_pending(db, queue_id, first - 1, last - first + 1)


def give_up_unoffered(
    db: sqlite3.Connection, queue_id: str, policy: policy_pb2.SyncPolicy, now: Reading, new_id: NewId
) -> list[Notice]:
    """Cancels what was never sent and is of a profile that the server does not list (spec: section 2.6). What was told.

    By `Discard`, for the chain of keys needs something at that sequence. What was sent goes on being sent: the server
    may have decided it when it still listed the profile.
    """
    told: list[Notice] = []
    for pending in load_pending(db, queue_id, 0, -1):
        operation = operation_pb2.CartOperation.FromString(pending.payload)
        if pending.sent or pending.discard is not None or not unoffered(operation, policy):
            continue
        request_discard(db, queue_id, pending.sequence, operation.session_context, now, new_id)
        text = f"{describe(operation)}: not sent, this server does not offer {offer_of(operation)}"
        told.append(Notice("not_offered", text, pending.sequence, needs_action=True))
    tell(db, queue_id, told, now.wall_ns)
    return told


def record(
    db: sqlite3.Connection,
    queue_id: str,
    settlements: Iterable[Settlement],
    notices: Iterable[Notice],
    confirmed_through: int,
    wall_ns: int,
) -> list[Notice]:
    """Settles operations, tells the shopper, and moves what is confirmed. What was told beyond `notices`.

    Which discards came too late is seen only here: the shopper may have asked while the original was on its way.
    """
    final: list[tuple[str, bytes, bool, int, str, int]] = []
    over: list[int] = []
    for settlement in settlements:
        if settlement.fate is Fate.DISCARD_TOO_LATE:
            db.execute(
                "UPDATE operations SET discard_too_late = 1 WHERE queue_id = ? AND sequence = ?",
                [queue_id, settlement.sequence],
            )
        else:
            outcome = settlement.outcome.SerializeToString()
            state = settlement.fate.value
            final.append((state, outcome, settlement.replayed, wall_ns, queue_id, settlement.sequence))
            over += [] if _goes_on_elsewhere(settlement) else [settlement.sequence]
    db.executemany(
        "UPDATE operations SET state = ?, outcome = ?, replayed = ?, settle_wall_ns = ? "
        "WHERE queue_id = ? AND sequence = ? AND state = 'pending'",
        final,
    )
    db.execute(
        "UPDATE queues SET confirmed_through = MAX(confirmed_through, ?) WHERE queue_id = ?",
        [confirmed_through, queue_id],
    )
    forget_secrets(db, queue_id, over)
    late = _late_discards(db, queue_id, [row[-1] for row in final])
    tell(db, queue_id, [*notices, *late], wall_ns)
    return late


def forget_secrets(db: sqlite3.Connection, queue_id: str, sequences: Iterable[int]) -> None:
    """Takes the tokens out of what is over here: they are never sent again, and nobody else has a use for them."""
    for sequence in sequences:
        row = db.execute(
            "SELECT payload FROM operations WHERE queue_id = ? AND sequence = ? "
            "AND (account_part = 'payment_methods' OR key IN (SELECT key FROM claims))",
            [queue_id, sequence],
        ).fetchone()
        operation = operation_pb2.CartOperation.FromString(row[0] if row is not None else b"")
        match operation.WhichOneof("intent"):
            case "save_payment_method":
                operation.save_payment_method.ClearField("provider_token")
            case "claim_guest_cart":
                operation.claim_guest_cart.ClearField("claim_token")
            case _:
                continue
        db.execute(
            "UPDATE operations SET payload = ? WHERE queue_id = ? AND sequence = ?",
            [operation.SerializeToString(deterministic=True), queue_id, sequence],
        )


def _goes_on_elsewhere(settlement: Settlement) -> bool:
    """Whether it is not over with this outcome: an account that claimed the guest takes the intent over."""
    return settlement.outcome.refusal.reason == reason_pb2.REASON_PRINCIPAL_CLAIMED


def _late_discards(db: sqlite3.Connection, queue_id: str, settled: Sequence[int]) -> list[Notice]:
    if not settled:
        return []
    rows = db.execute(
        "SELECT sequence, payload FROM operations WHERE queue_id = ? AND sequence BETWEEN ? AND ? "
        "AND discard_key IS NOT NULL AND state = 'applied'",
        [queue_id, min(settled), max(settled)],
    )
    return [late_discard(sequence, payload) for sequence, payload in rows]


def tell(db: sqlite3.Connection, queue_id: str, notices: Iterable[Notice], wall_ns: int) -> None:
    """Adds notifications; the same thing is told once."""
    db.executemany(
        "INSERT OR IGNORE INTO notifications (queue_id, sequence, kind, message, needs_action, create_wall_ns) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(queue_id, n.sequence, n.kind, n.message, n.needs_action, wall_ns) for n in notices],
    )


def halt(db: sqlite3.Connection, queue_id: str, notice: Notice, wall_ns: int) -> None:
    """Takes a queue in conflict out of use. New intents find no active queue and open another one."""
    db.execute("UPDATE queues SET state = 'halted' WHERE queue_id = ?", [queue_id])
    tell(db, queue_id, [notice], wall_ns)


def rebuild(
    db: sqlite3.Connection,
    queue_id: str,
    store_id: str,
    watermark: int,
    statuses: Sequence[service_pb2.SequenceStatus],
    wall_ns: int,
    new_id: NewId,
) -> RecoveryPlan:
    """Replaces a queue whose server lost state, all in this transaction, or halts it if the plan says conflict.

    What is enqueued between the look-up and now is moved too; the plan is made here, inside the transaction.
    """
    server, principal = db.execute("SELECT server, principal FROM queues WHERE queue_id = ?", [queue_id]).fetchone()
    pending = load_pending(db, queue_id, 0, -1)
    plan = plan_recovery(pending, _confirmed_changes(db, queue_id), watermark, statuses)
    late = record(db, queue_id, plan.settlements, plan.notices, 0, wall_ns)
    plan = replace(plan, notices=(*plan.notices, *late))
    if plan.conflict:
        db.execute("UPDATE queues SET state = 'halted' WHERE queue_id = ?", [queue_id])
        return plan
    db.execute(
        "UPDATE operations SET state = 'lost' WHERE queue_id = ? AND sequence > ? AND state = 'applied'",
        [queue_id, watermark],
    )
    settle_as(db, queue_id, "discarded", plan.cancelled, wall_ns)
    settle_as(db, queue_id, "left", plan.left, wall_ns)
    db.execute("UPDATE queues SET state = 'retired' WHERE queue_id = ?", [queue_id])
    successor = open_queue(db, str(server), new_id, wall_ns, str(principal))
    db.execute("UPDATE queues SET store_id = ? WHERE queue_id = ?", [store_id, successor])
    db.execute("UPDATE queues SET successor_id = ? WHERE queue_id = ?", [successor, queue_id])
    moved = [(without_identity(o.payload), age_of(db, queue_id, o.sequence)) for o in plan.reissue]
    append(db, successor, moved, new_id)
    settle_as(db, queue_id, "moved", [o.sequence for o in plan.reissue], wall_ns)
    return plan


def settle_as(db: sqlite3.Connection, queue_id: str, state: str, sequences: Iterable[int], wall_ns: int) -> None:
    """Gives operations a final state of this device's own; no outcome of the server belongs to it."""
    db.executemany(
        "UPDATE operations SET state = ?, settle_wall_ns = ? WHERE queue_id = ? AND sequence = ?",
        [(state, wall_ns, queue_id, sequence) for sequence in sequences],
    )


def _confirmed_changes(db: sqlite3.Connection, queue_id: str) -> list[tuple[int, str]]:
    rows = db.execute(
        "SELECT sequence, payload, outcome FROM operations WHERE queue_id = ? AND state = 'applied' ORDER BY sequence",
        [queue_id],
    )
    return [
        (sequence, describe(operation_pb2.CartOperation.FromString(payload)))
        for sequence, payload, outcome in rows
        if outcome is not None and outcome_pb2.Outcome.FromString(outcome).changed
    ]


def without_identity(payload: bytes) -> operation_pb2.CartOperation:
    """The intent alone: without key, sequence and link, to be given new ones."""
    intent = operation_pb2.CartOperation.FromString(payload)
    for field in ("idempotency_key", "sequence", "previous_key"):
        intent.ClearField(field)
    return intent


def age_of(db: sqlite3.Connection, queue_id: str, sequence: int) -> Age:
    """The shopper acted when the original was enqueued, and waiting for the server never makes an intent older."""
    wall, boot_id, boot, fixed, age = db.execute(
        "SELECT enqueue_wall_ns, enqueue_boot_id, enqueue_boot_ns, age_fixed, age_ns FROM operations "
        "WHERE queue_id = ? AND sequence = ?",
        [queue_id, sequence],
    ).fetchone()
    return Age(Reading(wall, boot_id, boot), bool(fixed), age)


def resolve(
    db: sqlite3.Connection,
    queue_id: str,
    sequences: Iterable[int],
    *,
    reissue: bool,
    now: Reading,
    new_id: NewId,
) -> int:
    """Carries out the shopper's decision about operations of a halted queue. How many it was about.

    Reissued ones become new intents, made now, in the active queue. A halted queue with nothing left is retired.
    """
    (server,) = db.execute("SELECT server FROM queues WHERE queue_id = ?", [queue_id]).fetchone()
    wanted = set(sequences)
    chosen = [o for o in load_pending(db, queue_id, 0, -1) if o.sequence in wanted]
    if reissue:
        target = open_queue(db, str(server), new_id, now.wall_ns)
        intents = []
        for operation in chosen:
            intent = without_identity(operation.payload)
            intent.ClearField("enqueue_time")
            intents.append((intent, Age(now)))
        append(db, target, intents, new_id)
    settled_as = "reissued" if reissue else "abandoned"
    settle_as(db, queue_id, settled_as, [o.sequence for o in chosen], now.wall_ns)
    if not load_pending(db, queue_id, 0, 1):
        db.execute("UPDATE queues SET state = 'retired' WHERE queue_id = ?", [queue_id])
    return len(chosen)
