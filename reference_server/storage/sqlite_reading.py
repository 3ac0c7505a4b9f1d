"""Reads what submissions and readers ask for. The caller holds a transaction, so all of it is one instant."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from reference_server.engine.state import (
    CartContents,
    CartHead,
    Effect,
    Line,
    LineName,
    QueueMark,
    Reading,
    Record,
    RecordRange,
)
from reference_server.storage.interface import Wanted

_MAX_VARIABLES = 500  # well below SQLite's own limit, also in old builds


def store_identity(connection: sqlite3.Connection) -> tuple[str, bytes] | None:
    """store_id and digest key; None in a new store."""
    row: tuple[str, bytes] | None = connection.execute("SELECT store_id, digest_key FROM store").fetchone()
    return row


def queue_row(
    connection: sqlite3.Connection, principal: str, queue_id: str
) -> tuple[int | None, QueueMark, int | None]:
    """Row id, watermark with last key, and contact time of a queue; (None, start, None) when it is not there."""
    row = connection.execute(
        "SELECT id, decided_through_sequence, last_key, contact_time_us FROM queues "
        "WHERE principal = ? AND queue_id = ?",
        (principal, queue_id),
    ).fetchone()
    return (None, QueueMark(), None) if row is None else (row[0], QueueMark(row[1], row[2]), row[3])


def cart_row(connection: sqlite3.Connection, principal: str, cart_id: str) -> tuple[int | None, CartHead | None]:
    """Row id and head of a cart; (None, None) when no add has made it."""
    row = connection.execute(
        "SELECT id, revision, currency_code, update_time_us, line_count, closed FROM carts "
        "WHERE principal = ? AND cart_id = ?",
        (principal, cart_id),
    ).fetchone()
    if row is None:
        return None, None
    return row[0], CartHead(row[1], row[2], row[3], row[4], bool(row[5]))


def submission(connection: sqlite3.Connection, wanted: Wanted) -> Reading:
    """Everything one submission needs."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    queue, mark, contact_time_us = queue_row(connection, wanted.principal, wanted.queue_id)
    undecided = [operand for operand in wanted.operands if operand.sequence > mark.decided_through_sequence]
    carts, lines = _carts(connection, wanted, (operand.cart_id for operand in undecided))
    first, last = wanted.operands[0].sequence, wanted.operands[-1].sequence
    return Reading(
        store_id=identity[0],
        digest_key=identity[1],
        queue=mark,
        contact_time_us=contact_time_us,
        records={} if queue is None else _records(connection, queue, first, last),
        key_uses={} if queue is None else _key_uses(connection, queue, [op.idempotency_key for op in undecided]),
        carts=carts,
        lines=lines,
        failures={} if queue is None else _failures(connection, queue),
    )


def cart_contents(connection: sqlite3.Connection, principal: str, cart_id: str, queue_id: str) -> CartContents:
    """A cart with its lines, and how far a queue has come when one is named."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    row_id, head = cart_row(connection, principal, cart_id)
    quantities = dict(connection.execute("SELECT sku, quantity FROM lines WHERE cart = ? AND quantity > 0", (row_id,)))
    _, mark, contact_time_us = queue_row(connection, principal, queue_id)
    return CartContents(
        store_id=identity[0],
        head=head,
        quantities=quantities,
        decided_through_sequence=mark.decided_through_sequence if queue_id else None,
        contact_time_us=contact_time_us,
    )


def record_range(connection: sqlite3.Connection, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
    """The recorded outcomes of a range, and how far the queue has come."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    queue, mark, contact_time_us = queue_row(connection, principal, queue_id)
    outcomes = connection.execute(
        "SELECT sequence, outcome FROM records WHERE queue = ? AND sequence BETWEEN ? AND ?", (queue, first, last)
    )
    return RecordRange(identity[0], mark.decided_through_sequence, dict(outcomes), contact_time_us)


def effects(connection: sqlite3.Connection, principal: str) -> list[Effect]:
    """The ledger of a principal in the order made."""
    rows = connection.execute(
        "SELECT queue_id, sequence, idempotency_key, cart_id, revision, sku, quantity_before, quantity_after "
        "FROM effects WHERE principal = ? ORDER BY id",
        (principal,),
    )
    return [Effect(*row) for row in rows]


def _records(connection: sqlite3.Connection, queue: int, first: int, last: int) -> dict[int, Record]:
    rows = connection.execute(
        "SELECT sequence, idempotency_key, payload_digest, digest_version, outcome, decide_time_us FROM records "
        "WHERE queue = ? AND sequence BETWEEN ? AND ?",
        (queue, first, last),
    )
    return {row[0]: Record(*row) for row in rows}


def _key_uses(connection: sqlite3.Connection, queue: int, keys: Sequence[str]) -> dict[str, int]:
    uses: dict[str, int] = {}
    for some in _portions(keys):
        uses.update(
            connection.execute(
                "SELECT idempotency_key, sequence FROM records "  # noqa: S608 - only question marks are put in
                f"WHERE queue = ? AND idempotency_key IN ({_marks(some)})",
                (queue, *some),
            )
        )
    return uses


def _failures(connection: sqlite3.Connection, queue: int) -> dict[tuple[int, str], int]:
    rows = connection.execute("SELECT sequence, idempotency_key, failed_count FROM failures WHERE queue = ?", (queue,))
    return {(row[0], row[1]): row[2] for row in rows}


def _carts(
    connection: sqlite3.Connection, wanted: Wanted, cart_ids: Iterable[str]
) -> tuple[dict[str, CartHead], dict[LineName, Line]]:
    carts: dict[str, CartHead] = {}
    lines: dict[LineName, Line] = {}
    skus: dict[str, set[str]] = {}
    for operand in wanted.operands:
        skus.setdefault(operand.cart_id, set()).add(operand.sku)
    for cart_id in sorted(set(cart_ids) - {""}):
        row_id, head = cart_row(connection, wanted.principal, cart_id)
        if head is None:
            continue
        carts[cart_id] = head
        for some in _portions(sorted(skus[cart_id])):
            rows = connection.execute(
                "SELECT sku, quantity, last_change_revision, last_change_queue_id, "  # noqa: S608 - as above
                f"other_change_revision FROM lines WHERE cart = ? AND sku IN ({_marks(some)})",
                (row_id, *some),
            )
            lines.update({(cart_id, row[0]): Line(*row[1:]) for row in rows})
    return carts, lines


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _MAX_VARIABLES):
        yield values[start : start + _MAX_VARIABLES]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
