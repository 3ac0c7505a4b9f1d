"""The last known wishlist, address book and payment methods, and which operations they already contain.

As for carts (`snapshots`): each operation is counted once in the shopper's view, in the snapshot or on top of it. A
wishlist of several pages counts as read when its first page was: laying an add or a removal over a later page that
knows it already changes nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cartsync.v1 import address_book_pb2, payment_methods_pb2, wishlist_pb2

from reference_client.queue.rows import OPERATION_COLUMNS, OperationRecord, operation_record

AccountResponse = (
    wishlist_pb2.ListWishlistResponse
    | address_book_pb2.ListAddressesResponse
    | payment_methods_pb2.ListPaymentMethodsResponse
)

_RESPONSES: dict[str, type[AccountResponse]] = {
    "wishlist": wishlist_pb2.ListWishlistResponse,
    "address_book": address_book_pb2.ListAddressesResponse,
    "payment_methods": payment_methods_pb2.ListPaymentMethodsResponse,
}


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """One of `intents.ACCOUNT_PARTS` as the server last showed it."""

    part: str
    response: AccountResponse
    receive_wall_ns: int

    def order(self) -> tuple[int, int]:
        """Snapshots of one part, store and queue are ordered by this."""
        return (self.response.revision, self.response.queue.decided_through_sequence)


def part_of(response: AccountResponse) -> str:
    """Which of `intents.ACCOUNT_PARTS` an answer shows."""
    return next(part for part, kind in _RESPONSES.items() if isinstance(response, kind))


def load_account_snapshot(db: sqlite3.Connection, server: str, part: str) -> AccountSnapshot | None:
    """The last snapshot of a part, or None when it was never read."""
    row = db.execute(
        "SELECT response, receive_wall_ns FROM account_snapshots WHERE server = ? AND account_part = ?", [server, part]
    ).fetchone()
    return AccountSnapshot(part, _RESPONSES[part].FromString(row[0]), row[1]) if row is not None else None


def save_account_snapshot(db: sqlite3.Connection, server: str, response: AccountResponse, wall_ns: int) -> bool:
    """Keeps a snapshot unless a newer one is here. False when it was older."""
    part = part_of(response)
    new = AccountSnapshot(part, response, wall_ns)
    old = load_account_snapshot(db, server, part)
    if old is not None and old.response.store_id == response.store_id:
        same_queue = old.response.queue.queue_id == response.queue.queue_id
        comparable = new.order() if same_queue else new.order()[:1]
        if comparable < old.order()[: len(comparable)]:
            return False
    queue = response.queue
    db.execute(
        "INSERT OR REPLACE INTO account_snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [server, part, response.store_id, queue.queue_id, queue.decided_through_sequence, response.revision,
         response.SerializeToString(), wall_ns],
    )  # fmt: skip
    db.execute(
        "UPDATE operations SET in_snapshot = 1 WHERE account_part = ? AND in_snapshot = 0 AND CASE queue_id "
        "WHEN ? THEN sequence <= ? ELSE state <> 'pending' END "
        "AND queue_id IN (SELECT queue_id FROM queues WHERE server = ?)",
        [part, queue.queue_id, queue.decided_through_sequence, server],
    )
    return True


def load_on_top_of_account(db: sqlite3.Connection, server: str, part: str) -> tuple[OperationRecord, ...]:
    """The operations that belong on top of a part's snapshot, in order, chosen as for carts."""
    columns = ", ".join(f"o.{c.strip()}" for c in OPERATION_COLUMNS.split(","))
    rows = db.execute(
        f"SELECT {columns} FROM operations o JOIN queues q ON q.queue_id = o.queue_id "  # noqa: S608 - constants
        "WHERE o.account_part = ? AND o.in_snapshot = 0 AND q.server = ? "
        "AND (o.state = 'applied' OR (o.state = 'pending' AND q.state = 'active')) ORDER BY q.rowid, o.sequence",
        [part, server],
    )
    return tuple(operation_record(row) for row in rows)
