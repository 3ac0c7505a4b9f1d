"""The last known carts, and which operations they already contain.

A snapshot read with a queue's watermark contains exactly that queue's operations up to it (spec: snapshot/atomic).
Of every other queue of this device it contains what was settled before it was read. So each operation is counted
once in the shopper's view: in the snapshot, or on top of it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cartsync.v1 import cart_pb2, service_pb2

from reference_client.queue.rows import OPERATION_COLUMNS, OperationRecord, operation_record


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cart as the server last showed it."""

    cart: cart_pb2.Cart
    store_id: str
    queue_id: str
    watermark: int
    receive_wall_ns: int

    def order(self) -> tuple[int, int, int]:
        """Snapshots of one cart, store and queue are ordered by this."""
        return (self.cart.revision, self.watermark, self.cart.price_time.ToNanoseconds())


def load_snapshot(db: sqlite3.Connection, server: str, cart_id: str) -> Snapshot | None:
    """The last snapshot of a cart, or None when it was never read."""
    row = db.execute(
        "SELECT response, store_id, queue_id, watermark, receive_wall_ns FROM snapshots "
        "WHERE server = ? AND cart_id = ?",
        [server, cart_id],
    ).fetchone()
    if row is None:
        return None
    response, store_id, queue_id, watermark, received = row
    return Snapshot(service_pb2.GetCartResponse.FromString(response).cart, store_id, queue_id, watermark, received)


def save_snapshot(db: sqlite3.Connection, server: str, response: service_pb2.GetCartResponse, wall_ns: int) -> bool:
    """Keeps a snapshot unless a newer one is here. False when it was older."""
    new = Snapshot(
        response.cart,
        response.store_id,
        response.queue.queue_id,
        response.queue.decided_through_sequence,
        wall_ns,
    )
    old = load_snapshot(db, server, new.cart.cart_id)
    if old is not None and old.store_id == new.store_id:
        comparable = new.order() if old.queue_id == new.queue_id else (new.cart.revision,)
        if comparable < old.order()[: len(comparable)]:
            return False
    db.execute(
        "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)",
        [server, new.cart.cart_id, new.store_id, new.queue_id, new.watermark, response.SerializeToString(), wall_ns],
    )
    db.execute(
        "UPDATE operations SET in_snapshot = 1 WHERE cart_id = ? AND in_snapshot = 0 AND CASE queue_id "
        "WHEN ? THEN sequence <= ? ELSE state <> 'pending' END "
        "AND queue_id IN (SELECT queue_id FROM queues WHERE server = ?)",
        [new.cart.cart_id, new.queue_id, new.watermark, server],
    )
    return True


def load_on_top(db: sqlite3.Connection, server: str, cart_id: str) -> tuple[OperationRecord, ...]:
    """The operations that belong on top of a cart's snapshot, in order: applied ones that it does not contain
    yet, and pending ones of the active queue. What a halted queue holds is for the shopper to decide."""
    columns = ", ".join(f"o.{c.strip()}" for c in OPERATION_COLUMNS.split(","))
    rows = db.execute(
        f"SELECT {columns} FROM operations o JOIN queues q ON q.queue_id = o.queue_id "  # noqa: S608 - constants
        "WHERE o.cart_id = ? AND o.in_snapshot = 0 AND q.server = ? "
        "AND (o.state = 'applied' OR (o.state = 'pending' AND q.state = 'active')) ORDER BY q.rowid, o.sequence",
        [cart_id, server],
    )
    return tuple(operation_record(row) for row in rows)


def known_carts(db: sqlite3.Connection, server: str) -> list[str]:
    """Every cart that an operation or a snapshot here names, ascending."""
    rows = db.execute(
        "SELECT cart_id FROM snapshots WHERE server = ?1 UNION SELECT o.cart_id FROM operations o "
        "JOIN queues q ON q.queue_id = o.queue_id WHERE q.server = ?1 AND o.cart_id <> '' ORDER BY 1",
        [server],
    )
    return [str(row[0]) for row in rows]
