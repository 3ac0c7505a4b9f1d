"""What a claim leaves on disk, so that it can be killed between any two steps and begun again.

Guest and account are two folders, with a file each, and no transaction covers both. So the way from one into the other
has three steps, each one transaction, and each harmless when it is done again:

1. the guest's queue is *closed*: what the server decided is settled, the queue is retired; what is still pending in
   it was proved undecided for good;
2. that is *adopted* into the account's queue, together with a row of `taken_over` for each: what has a row is not
   adopted again;
3. in the guest's file it is marked as moved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2, outcome_pb2, service_pb2

from reference_client.claiming.closing import ClosingPlan, for_account, plan_closing, refused_as_claimed, unguarded
from reference_client.clock import Reading
from reference_client.identifiers import NewId
from reference_client.intents import describe, guard_of
from reference_client.machine.values import Notice
from reference_client.queue import QueueFile, settling
from reference_client.queue.enqueueing import Age, append, open_queue
from reference_client.queue.rows import OperationRecord, OperationState


@dataclass(frozen=True, slots=True)
class Orphan:
    """An intent of a claimed guest that the server will never apply there."""

    queue_id: str
    sequence: int
    operation: operation_pb2.CartOperation
    """Without key, sequence and link."""
    age: Age


class GuestBook:
    """The queues of a guest, as a claim writes in them."""

    def __init__(self, queues: QueueFile, server: str) -> None:
        self._queues = queues
        self._server = server

    def close(self, queue_id: str, watermark: int, statuses: Sequence[service_pb2.SequenceStatus]) -> ClosingPlan:
        """Settles and retires a queue after the claim, or halts it when another copy of it is alive.

        What was enqueued since the look-up is undecided, too; so the plan is made inside the transaction.
        """

        def write(db: sqlite3.Connection, now: Reading, _: NewId) -> ClosingPlan:
            plan = plan_closing(settling.load_pending(db, queue_id, 0, -1), watermark, statuses)
            if plan.conflict:
                settling.halt(db, queue_id, plan.notices[0], now.wall_ns)
                return plan
            settling.record(db, queue_id, plan.settlements, plan.notices, watermark, now.wall_ns)
            settling.settle_as(db, queue_id, OperationState.DISCARDED.value, plan.cancelled, now.wall_ns)
            settling.settle_as(db, queue_id, OperationState.LEFT.value, plan.left, now.wall_ns)
            db.execute("UPDATE queues SET state = 'retired' WHERE queue_id = ?", [queue_id])
            return plan

        return self._queues.transact(write)

    def leave_guarded(self) -> list[Notice]:
        """Of what was refused because of the claim, lets be what was guarded by a revision of the guest's."""

        def write(db: sqlite3.Connection, now: Reading, _: NewId) -> list[Notice]:
            told = []
            for queue_id, sequence, payload in self._refused(db):
                operation = operation_pb2.CartOperation.FromString(payload)
                if guard_of(operation) is not None:
                    notice = unguarded(sequence, operation)
                    settling.settle_as(db, queue_id, OperationState.LEFT.value, [sequence], now.wall_ns)
                    _clear(db, queue_id, sequence)
                    settling.tell(db, queue_id, [notice], now.wall_ns)
                    told.append(notice)
            return told

        return self._queues.transact(write)

    def orphans(self) -> list[Orphan]:
        """What is to be adopted by the account, in the order in which the guest asked for it."""

        def query(db: sqlite3.Connection) -> list[Orphan]:
            closed = db.execute(
                "SELECT q.rowid, o.queue_id, o.sequence, o.payload FROM operations o JOIN queues q USING (queue_id) "
                "WHERE q.server = ? AND q.state = 'retired' AND o.state = 'pending'",
                [self._server],
            ).fetchall()
            order = {str(queue_id): rowid for rowid, queue_id in db.execute("SELECT rowid, queue_id FROM queues")}
            refused = [(order[queue_id], queue_id, sequence, p) for queue_id, sequence, p in self._refused(db)]
            return [
                Orphan(queue_id, sequence, settling.without_identity(payload), settling.age_of(db, queue_id, sequence))
                for _, queue_id, sequence, payload in sorted([*closed, *refused])
            ]

        return self._queues.read(query)

    def mark_moved(self, orphans: Sequence[Orphan]) -> None:
        """Writes down that the account has them."""

        def write(db: sqlite3.Connection, now: Reading, _: NewId) -> None:
            for orphan in orphans:
                state = OperationState.MOVED.value
                settling.settle_as(db, orphan.queue_id, state, [orphan.sequence], now.wall_ns)
                settling.forget_secrets(db, orphan.queue_id, [orphan.sequence])
                _clear(db, orphan.queue_id, orphan.sequence)

        self._queues.transact(write)

    def _refused(self, db: sqlite3.Connection) -> list[tuple[str, int, bytes]]:
        rows = db.execute(
            "SELECT o.queue_id, o.sequence, o.payload, o.outcome FROM operations o JOIN queues q USING (queue_id) "
            "WHERE q.server = ? AND o.state = 'rejected' AND o.discard_key IS NULL",
            [self._server],
        )
        return [
            (queue_id, sequence, payload)
            for queue_id, sequence, payload, outcome in rows
            if outcome is not None and refused_as_claimed(outcome_pb2.Outcome.FromString(outcome))
        ]


class AccountBook:
    """The queues of an account, as a claim writes in them."""

    def __init__(self, queues: QueueFile, server: str) -> None:
        self._queues = queues
        self._server = server

    def claim_of(self, guest: str, guest_cart_id: str) -> OperationRecord | None:
        """The claim of that cart in the queue that is in use now; None when there is none.

        One in a queue before it does not count: since then the server's store was replaced, and may have lost it.
        """
        active = self._queues.open_active(self._server).queue_id
        row = self._queues.read(
            lambda db: db.execute(
                "SELECT key FROM claims WHERE server = ? AND guest = ? AND guest_cart_id = ?",
                [self._server, guest, guest_cart_id],
            ).fetchone()
        )
        found = [o for o in self._queues.operations(active) if row is not None and o.key == row[0]]
        return found[0] if found else None

    def enqueue_claim(self, guest: str, intent: operation_pb2.CartOperation) -> None:
        """Writes down the claim of a guest's cart, and that it is that one."""
        claim = intent.claim_guest_cart

        def write(db: sqlite3.Connection, now: Reading, new_id: NewId) -> None:
            queue_id = open_queue(db, self._server, new_id, now.wall_ns)
            (place,) = append(db, queue_id, [(intent, Age(now))], new_id)
            db.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?)",
                [self._server, guest, claim.guest_cart_id, claim.cart_id, place.key],
            )

        self._queues.transact(write)

    def adopt(self, orphans: Sequence[Orphan], carts: Mapping[str, str]) -> int:
        """Enqueues what was not adopted before. How many that were."""

        def write(db: sqlite3.Connection, now: Reading, new_id: NewId) -> int:
            fresh = [o for o in orphans if not _is_taken_over(db, o)]
            if not fresh:
                return 0
            queue_id = open_queue(db, self._server, new_id, now.wall_ns)
            intents = [(for_account(o.operation, carts), o.age) for o in fresh]
            places = append(db, queue_id, intents, new_id)
            db.executemany(
                "INSERT INTO taken_over VALUES (?, ?, ?)",
                [(o.queue_id, o.sequence, place.key) for o, place in zip(fresh, places, strict=True)],
            )
            told = [
                Notice("taken_over", f"{describe(o.operation)}: taken over from the guest", place.sequence)
                for o, place in zip(fresh, places, strict=True)
            ]
            settling.tell(db, queue_id, told, now.wall_ns)
            return len(fresh)

        return self._queues.transact(write)


def _is_taken_over(db: sqlite3.Connection, orphan: Orphan) -> bool:
    row = db.execute(
        "SELECT 1 FROM taken_over WHERE guest_queue_id = ? AND guest_sequence = ?", [orphan.queue_id, orphan.sequence]
    ).fetchone()
    return row is not None


def _clear(db: sqlite3.Connection, queue_id: str, sequence: int) -> None:
    """What was told of an operation that goes on elsewhere is over."""
    db.execute(
        "UPDATE notifications SET cleared = 1 WHERE queue_id = ? AND sequence = ? AND kind = 'rejected'",
        [queue_id, sequence],
    )
