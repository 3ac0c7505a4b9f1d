"""Reads what submissions and readers ask for. The caller holds a transaction, so all of it is one instant."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reference_server.engine.operands import Operand
from reference_server.engine.state import (
    CartContents,
    CartHead,
    CollectionContents,
    CollectionHead,
    Effect,
    Entry,
    EntryName,
    GuestName,
    GuestReading,
    Line,
    LineName,
    QueueMark,
    Reading,
    Record,
    RecordRange,
    coupons_of,
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


def collection_row(connection: sqlite3.Connection, principal: str, name: str) -> tuple[int | None, CollectionHead]:
    """Row id and head of a collection; (None, zeros) when nothing was ever put into it."""
    row = connection.execute(
        "SELECT id, revision, update_time_us, entry_count FROM collections WHERE principal = ? AND name = ?",
        (principal, name),
    ).fetchone()
    return (None, CollectionHead()) if row is None else (row[0], CollectionHead(*row[1:]))


def is_claimed(connection: sqlite3.Connection, principal: str) -> bool:
    """Whether some account has claimed a cart of this guest."""
    return connection.execute("SELECT 1 FROM claims WHERE guest = ? LIMIT 1", (principal,)).fetchone() is not None


def guest_head(connection: sqlite3.Connection, name: GuestName) -> tuple[int | None, GuestReading]:
    """Row id of a guest's cart, and all of the guest but the cart's lines."""
    guest, cart_id = name
    # Never all claims of the guest: one account may have made any number, of carts that are not even there.
    claim = connection.execute("SELECT account FROM claims WHERE guest = ? LIMIT 1", (guest,)).fetchone()
    is_this_cart_claimed = connection.execute("SELECT 1 FROM claims WHERE guest = ? AND guest_cart_id = ?", name)
    claimed_cart_ids = frozenset({cart_id}) if is_this_cart_claimed.fetchone() else frozenset()
    row_id, head = cart_row(connection, guest, cart_id)
    return row_id, GuestReading(None if claim is None else claim[0], claimed_cart_ids, head)


def submission(connection: sqlite3.Connection, wanted: Wanted) -> Reading:
    """Everything one submission needs."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    queue, mark, contact_time_us = queue_row(connection, wanted.principal, wanted.queue_id)
    undecided = [operand for operand in wanted.operands if operand.sequence > mark.decided_through_sequence]
    guests = _guests(connection, undecided)
    carts, lines = _carts(connection, wanted.principal, _skus(undecided, guests))
    collections, entries = _collections(connection, wanted.principal, undecided)
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
        collections=collections,
        entries=entries,
        claimed=is_claimed(connection, wanted.principal),
        guests=guests,
    )


def cart_contents(connection: sqlite3.Connection, principal: str, cart_id: str, queue_id: str) -> CartContents:
    """A cart with its lines, and how far a queue has come when one is named."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    row_id, head = cart_row(connection, principal, cart_id)
    _, mark, contact_time_us = queue_row(connection, principal, queue_id)
    return CartContents(
        store_id=identity[0],
        head=head,
        quantities=_quantities(connection, row_id),
        decided_through_sequence=mark.decided_through_sequence if queue_id else None,
        contact_time_us=contact_time_us,
        coupon_codes=_coupon_codes(connection, principal, cart_id),
    )


def collection_contents(
    connection: sqlite3.Connection,
    principal: str,
    name: str,
    queue_id: str,
    *,
    after_revision: int = 0,
    limit: int | None = None,
) -> CollectionContents:
    """Entries in the order of addition, and how far a queue has come when one is named."""
    identity = store_identity(connection)
    assert identity is not None, "a store is given its identity when it is opened"
    row_id, head = collection_row(connection, principal, name)
    rows = connection.execute(
        "SELECT entry_id, added_revision, change_revision, value FROM entries "
        "WHERE collection = ? AND added_revision > ? ORDER BY added_revision, entry_id LIMIT ?",
        (row_id, after_revision, -1 if limit is None else limit + 1),
    ).fetchall()
    _, mark, contact_time_us = queue_row(connection, principal, queue_id)
    return CollectionContents(
        store_id=identity[0],
        head=head,
        entries=tuple((row[0], Entry(*row[1:])) for row in rows[:limit]),
        more=limit is not None and len(rows) > limit,
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
        "SELECT queue_id, sequence, idempotency_key, cart_id, revision, sku, quantity_before, quantity_after, "
        "resource, entry_id, present FROM effects WHERE principal = ? ORDER BY id",
        (principal,),
    )
    return [replace(Effect(*row), present=bool(row[-1])) for row in rows]


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


def _skus(operands: Sequence[Operand], guests: Mapping[GuestName, GuestReading]) -> dict[str, set[str]]:
    """The lines that operations may look at, by cart; a claim looks at one for each of the guest's."""
    skus: dict[str, set[str]] = {}
    for operand in operands:
        wanted = skus.setdefault(operand.cart_id, set())
        if operand.sku:
            wanted.add(operand.sku)
        if operand.guest is not None:
            wanted.update(guests[operand.guest].quantities)
    skus.pop("", None)
    return skus


def _carts(
    connection: sqlite3.Connection, principal: str, skus: Mapping[str, set[str]]
) -> tuple[dict[str, CartHead], dict[LineName, Line]]:
    carts: dict[str, CartHead] = {}
    lines: dict[LineName, Line] = {}
    for cart_id in sorted(skus):
        row_id, head = cart_row(connection, principal, cart_id)
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


def _quantities(connection: sqlite3.Connection, cart: int | None) -> dict[str, int]:
    return dict(connection.execute("SELECT sku, quantity FROM lines WHERE cart = ? AND quantity > 0", (cart,)))


def _coupon_codes(connection: sqlite3.Connection, principal: str, cart_id: str) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT entry_id FROM entries WHERE collection = "
        "(SELECT id FROM collections WHERE principal = ? AND name = ?) ORDER BY added_revision, entry_id",
        (principal, coupons_of(cart_id)),
    )
    return tuple(row[0] for row in rows)


def _collections(
    connection: sqlite3.Connection, principal: str, operands: Sequence[Operand]
) -> tuple[dict[str, CollectionHead], dict[EntryName, Entry]]:
    """Heads of everything named, and of the entries those named, or all of a collection that is wanted whole."""
    wanted: dict[str, set[str]] = {}
    for operand in operands:
        for collection, entry_id in operand.entries:
            wanted.setdefault(collection, set()).add(entry_id)
    whole = {name for operand in operands for name in operand.whole_collections}
    heads: dict[str, CollectionHead] = {}
    entries: dict[EntryName, Entry] = {}
    for name in sorted(wanted.keys() | whole):
        row_id, head = collection_row(connection, principal, name)
        if row_id is None:
            continue
        heads[name] = head
        for condition, variables in _conditions(name in whole, sorted(wanted.get(name, ()))):
            rows = connection.execute(
                "SELECT entry_id, added_revision, change_revision, value FROM entries "  # noqa: S608 - as above
                f"WHERE collection = ?{condition}",
                (row_id, *variables),
            )
            entries.update({(name, row[0]): Entry(*row[1:]) for row in rows})
    return heads, entries


def _conditions(whole: bool, entry_ids: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    if whole:
        yield "", ()
    else:
        for some in _portions(entry_ids):
            yield f" AND entry_id IN ({_marks(some)})", some


def _guests(connection: sqlite3.Connection, operands: Sequence[Operand]) -> dict[GuestName, GuestReading]:
    guests: dict[GuestName, GuestReading] = {}
    for name in {operand.guest for operand in operands if operand.guest is not None}:
        row_id, head = guest_head(connection, name)
        guests[name] = replace(head, quantities=_quantities(connection, row_id))
    return guests


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _MAX_VARIABLES):
        yield values[start : start + _MAX_VARIABLES]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
