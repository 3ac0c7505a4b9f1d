"""The durable queues of one device: what the rest of the client sees of them.

Every method that writes is one transaction, on the medium when it returns. The sync machine's commands `Bind`,
`Load`, `MarkSent`, `Record`, `Halt` and `Rebuild` map one to one onto methods here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from cartsync.v1 import operation_pb2, policy_pb2, service_pb2
from sqlite_utils import Database

from reference_client.clock import ReadClock, Reading, read_device_clock
from reference_client.exceptions import StoreError, UnknownQueueError
from reference_client.identifiers import NewId, is_canonical, random_id
from reference_client.machine.recovery import RecoveryPlan
from reference_client.machine.values import Notice, PendingOperation, QueueFacts, Settlement
from reference_client.queue import account_snapshots, enqueueing, settling, snapshots
from reference_client.queue.account_snapshots import AccountResponse, AccountSnapshot
from reference_client.queue.admission import admit
from reference_client.queue.database import immediate, open_database
from reference_client.queue.enqueueing import Age, Enqueued
from reference_client.queue.rows import (
    OPERATION_COLUMNS,
    QUEUE_COLUMNS,
    NotificationRecord,
    OperationRecord,
    QueueRecord,
    QueueState,
    operation_record,
    queue_record,
)
from reference_client.queue.snapshots import Snapshot

_HISTORY_NS = 30 * 24 * 3600 * 10**9
"""How long settled operations stay listed. Nothing depends on them: the queue's own row does the counting."""


_T = TypeVar("_T")


class QueueFile:
    """The queues, notifications and snapshots in one SQLite file. Not for use by several threads."""

    def __init__(
        self, database: Database, *, read_clock: ReadClock = read_device_clock, new_id: NewId = random_id
    ) -> None:
        self._database = database
        self._read_clock = read_clock
        self._new_id = new_id

    @classmethod
    def open(cls, folder: Path) -> QueueFile:
        """Opens, and makes if missing, the queues in `folder`. Raises `StoreError`."""
        return cls(open_database(folder))

    def close(self) -> None:
        """Lets go of the file. Nothing is pending that this would have to write."""
        self._database.close()

    def _read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return query(self._database.conn)
        except sqlite3.Error as error:
            raise StoreError(f"the store on this device cannot be read: {error}") from error

    def transact(self, change: Callable[[sqlite3.Connection, Reading, NewId], _T]) -> _T:
        """Carries out `change(connection, now, new_id)` as one write transaction; on the medium when this returns."""
        now = self._read_clock()
        with immediate(self._database) as db:
            return change(db, now, self._new_id)

    def read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """What a query finds. It writes nothing. Raises `StoreError`."""
        return self._read(query)

    # ---- the shopper writes ----------------------------------------------------------------------------------

    def enqueue(self, server: str, intents: Sequence[operation_pb2.CartOperation]) -> list[Enqueued]:
        """Writes intents down, in order, all or none. They are on disk when this returns. No network.

        Raises `InvalidIntentError`, before anything of them touches the disk, for what no server could accept.
        """
        now = self._read_clock()
        policy = self.policy(server)
        for intent in intents:
            admit(intent, policy)
        with immediate(self._database) as db:
            queue_id = enqueueing.open_queue(db, server, self._new_id, now.wall_ns)
            return enqueueing.append(db, queue_id, [(intent, Age(now)) for intent in intents], self._new_id)

    def discard(self, server: str, sequence: int, session: operation_pb2.SessionContext) -> None:
        """Asks to cancel an operation of the active queue. Raises `NothingToDiscardError` when it is decided."""
        admit(operation_pb2.CartOperation(session_context=session), None)
        now = self._read_clock()
        with immediate(self._database) as db:
            queue_id = enqueueing.open_queue(db, server, self._new_id, now.wall_ns)
            enqueueing.request_discard(db, queue_id, sequence, session, now, self._new_id)

    def resolve(self, queue_id: str, sequences: Iterable[int] | None, *, reissue: bool) -> int:
        """The shopper's decision about a halted queue; `sequences` None: about all that remains. How many."""
        now = self._read_clock()
        if self.queue(queue_id).state is not QueueState.HALTED:
            raise UnknownQueueError(f"queue {queue_id} is not in conflict; there is nothing to resolve")
        with immediate(self._database) as db:
            if sequences is None:
                sequences = [o.sequence for o in settling.load_pending(db, queue_id, 0, -1)]
            return settling.resolve(db, queue_id, sequences, reissue=reissue, now=now, new_id=self._new_id)

    def clear_notifications(self, through_id: int) -> int:
        """Takes notifications up to that id off the list. How many."""
        with immediate(self._database) as db:
            return db.execute(
                "UPDATE notifications SET cleared = 1 WHERE id <= ? AND cleared = 0", [through_id]
            ).rowcount

    # ---- a drain writes --------------------------------------------------------------------------------------

    def open_active(self, server: str) -> QueueRecord:
        """The queue that new intents for `server` go to, made if there is none."""
        active = self._read(lambda db: _one(db, "server = ? AND state = 'active'", server))
        if active is not None:
            return active
        with immediate(self._database) as db:
            queue_id = enqueueing.open_queue(db, server, self._new_id, self._read_clock().wall_ns)
        return self.queue(queue_id)

    def bind(self, queue_id: str, principal: str, store_id: str, policy: policy_pb2.SyncPolicy) -> list[Notice]:
        """Binds a queue to its principal for life, and notes the store and the policy that were seen.

        Unsent intents that this server does not offer are given up here. What the shopper was told.
        """
        now = self._read_clock()
        with immediate(self._database) as db:
            db.execute(
                "UPDATE queues SET principal = ?, store_id = ? WHERE queue_id = ? AND principal IN ('', ?)",
                [principal, store_id, queue_id, principal],
            )
            db.execute(
                "INSERT OR REPLACE INTO policies SELECT server, ?, ? FROM queues WHERE queue_id = ?",
                [policy.SerializeToString(), now.wall_ns, queue_id],
            )
            return settling.give_up_unoffered(db, queue_id, policy, now, self._new_id)

    def load(self, queue_id: str, after: int, limit: int) -> tuple[tuple[PendingOperation, ...], int]:
        """Pending operations above `after`, and the last sequence ever assigned."""
        operations = self._read(lambda db: settling.load_pending(db, queue_id, after, limit))
        return operations, self.queue(queue_id).last_sequence

    def mark_sent(self, queue_id: str, operations: Sequence[PendingOperation]) -> tuple[PendingOperation, ...]:
        """Writes the mark "sent" and the ages; on disk before the first byte may leave (`client/sent-marked-first`)."""
        now = self._read_clock()
        with immediate(self._database) as db:
            return settling.mark_sent(db, queue_id, operations[0].sequence, operations[-1].sequence, now)

    def record(
        self,
        queue_id: str,
        settlements: Iterable[Settlement],
        notices: Iterable[Notice],
        confirmed_through: int,
    ) -> list[Notice]:
        """Writes down what the server answered. What the shopper was told beyond `notices`."""
        wall_ns = self._read_clock().wall_ns
        with immediate(self._database) as db:
            return settling.record(db, queue_id, settlements, notices, confirmed_through, wall_ns)

    def halt(self, queue_id: str, notice: Notice) -> None:
        """Takes a queue in conflict out of use (`client/conflict-stops`)."""
        with immediate(self._database) as db:
            settling.halt(db, queue_id, notice, self._read_clock().wall_ns)

    def rebuild(
        self,
        queue_id: str,
        store_id: str,
        watermark: int,
        statuses: Sequence[service_pb2.SequenceStatus],
    ) -> RecoveryPlan:
        """Replaces a queue whose server lost state, or halts it (`client/store-change-recovers`)."""
        with immediate(self._database) as db:
            return settling.rebuild(
                db, queue_id, store_id, watermark, statuses, self._read_clock().wall_ns, self._new_id
            )

    def save_snapshot(self, server: str, response: service_pb2.GetCartResponse) -> bool:
        """Keeps a cart as the server shows it, unless a newer one is here."""
        with immediate(self._database) as db:
            return snapshots.save_snapshot(db, server, response, self._read_clock().wall_ns)

    def save_account_snapshot(self, server: str, response: AccountResponse) -> bool:
        """Keeps a wishlist, address book or list of payment methods, unless a newer one is here."""
        with immediate(self._database) as db:
            return account_snapshots.save_account_snapshot(db, server, response, self._read_clock().wall_ns)

    def prune(self) -> None:
        """Forgets settled operations that every view already contains and that are older than 30 days."""
        before = self._read_clock().wall_ns - _HISTORY_NS
        old = self._read(
            lambda db: db.execute("SELECT 1 FROM operations WHERE settle_wall_ns < ? LIMIT 1", [before]).fetchone()
        )
        if old is not None:
            with immediate(self._database) as db:
                db.execute("DELETE FROM operations WHERE settle_wall_ns < ? AND in_snapshot = 1", [before])

    # ---- anybody reads ---------------------------------------------------------------------------------------

    def queue(self, queue_id: str) -> QueueRecord:
        """One queue. Raises `UnknownQueueError`."""
        found = self._read(lambda db: _one(db, "queue_id = ?", queue_id)) if is_canonical(queue_id) else None
        if found is None:
            raise UnknownQueueError(
                f"there is no queue {queue_id[:100]} on this device; `cartsync queue list` shows them"
            )
        return found

    def facts(self, queue_id: str) -> QueueFacts:
        """What a sync machine begins with."""
        return self.queue(queue_id).facts

    def queues(self, server: str | None = None) -> list[QueueRecord]:
        """All queues, or those of one server, oldest first."""
        return self._read(
            lambda db: [
                queue_record(row)
                for row in db.execute(
                    f"SELECT {QUEUE_COLUMNS} FROM queues q WHERE ?1 IS NULL OR server = ?1 ORDER BY rowid",  # noqa: S608 - a constant
                    [server],
                )
            ]
        )

    def operations(self, queue_id: str) -> list[OperationRecord]:
        """Every operation of a queue that is still listed, ascending."""
        return self._read(
            lambda db: [
                operation_record(row)
                for row in db.execute(
                    f"SELECT {OPERATION_COLUMNS} FROM operations WHERE queue_id = ? ORDER BY sequence",  # noqa: S608 - a constant
                    [queue_id],
                )
            ]
        )

    def notifications(self) -> list[NotificationRecord]:
        """What the shopper has not cleared yet, oldest first."""
        rows = self._read(
            lambda db: db.execute(
                "SELECT id, queue_id, sequence, kind, message, needs_action, create_wall_ns FROM notifications "
                "WHERE cleared = 0 ORDER BY id"
            ).fetchall()
        )
        return [NotificationRecord(i, q, s, k, text, bool(a), t) for i, q, s, k, text, a, t in rows]

    def snapshot(self, server: str, cart_id: str) -> Snapshot | None:
        """The last snapshot of a cart, or None."""
        return self._read(lambda db: snapshots.load_snapshot(db, server, cart_id))

    def on_top(self, server: str, cart_id: str) -> tuple[OperationRecord, ...]:
        """The operations that belong on top of that snapshot, in order."""
        return self._read(lambda db: snapshots.load_on_top(db, server, cart_id))

    def account_snapshot(self, server: str, part: str) -> AccountSnapshot | None:
        """The last snapshot of one of `intents.ACCOUNT_PARTS`, or None."""
        return self._read(lambda db: account_snapshots.load_account_snapshot(db, server, part))

    def on_top_of_account(self, server: str, part: str) -> tuple[OperationRecord, ...]:
        """The operations that belong on top of that snapshot, in order."""
        return self._read(lambda db: account_snapshots.load_on_top_of_account(db, server, part))

    def carts(self, server: str) -> list[str]:
        """Every cart this device knows of, ascending."""
        return self._read(lambda db: snapshots.known_carts(db, server))

    def policy(self, server: str) -> policy_pb2.SyncPolicy | None:
        """The policy last seen of a server, or None."""
        row = self._read(lambda db: db.execute("SELECT policy FROM policies WHERE server = ?", [server]).fetchone())
        return policy_pb2.SyncPolicy.FromString(row[0]) if row is not None else None


def _one(db: sqlite3.Connection, where: str, value: str) -> QueueRecord | None:
    row = db.execute(f"SELECT {QUEUE_COLUMNS} FROM queues q WHERE {where}", [value]).fetchone()  # noqa: S608 - constants
    return queue_record(row) if row is not None else None
