"""Writes what was decided, and prunes what is due. The caller holds a transaction begun IMMEDIATE."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from reference_server.engine.state import Changes
from reference_server.storage.sqlite_reading import (
    cart_row,
    collection_row,
    guest_head,
    is_claimed,
    queue_row,
    store_identity,
)


def still_holds(connection: sqlite3.Connection, changes: Changes) -> bool:
    """Whether store, queue, and what was judged are what the decision was made from."""
    identity = store_identity(connection)
    if identity is None or identity[0] != changes.store_id:
        return False
    _, mark, _ = queue_row(connection, changes.principal, changes.queue_id)
    if mark != changes.expected_queue or is_claimed(connection, changes.principal) != changes.expected_claimed:
        return False
    return (
        all(
            cart_row(connection, changes.principal, cart_id)[1] == expected
            for cart_id, expected in changes.expected_carts.items()
        )
        and all(
            collection_row(connection, changes.principal, name)[1] == expected
            for name, expected in changes.expected_collections.items()
        )
        and all(
            guest_head(connection, name)[1] == replace(expected, quantities={})
            for name, expected in changes.expected_guests.items()
        )
    )


def write(connection: sqlite3.Connection, changes: Changes, *, keep_effects: bool) -> None:
    """Put all of it in: watermark, records, carts, lines, collections, claims, failure counts, ledger."""
    queue = _write_queue(connection, changes)
    connection.executemany(
        "INSERT INTO records (queue, sequence, idempotency_key, payload_digest, digest_version, outcome, "
        "decide_time_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                queue,
                record.sequence,
                record.idempotency_key,
                record.payload_digest,
                record.digest_version,
                record.outcome,
                record.decide_time_us,
            )
            for record in changes.records
        ],
    )
    connection.execute(
        "DELETE FROM failures WHERE queue = ? AND sequence <= ?", (queue, changes.queue.decided_through_sequence)
    )
    connection.executemany(
        "INSERT INTO failures (queue, sequence, idempotency_key, failed_count) VALUES (?, ?, ?, 1) "
        "ON CONFLICT (queue, sequence, idempotency_key) DO UPDATE SET failed_count = failed_count + 1",
        [(queue, sequence, key) for sequence, key in changes.failures],
    )
    _write_carts(connection, changes)
    _write_collections(connection, changes)
    _write_claims(connection, changes)
    if keep_effects:
        connection.executemany(
            "INSERT INTO effects (principal, queue_id, sequence, idempotency_key, cart_id, revision, sku, "
            "quantity_before, quantity_after, resource, entry_id, present) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    changes.principal,
                    effect.queue_id,
                    effect.sequence,
                    effect.idempotency_key,
                    effect.cart_id,
                    effect.revision,
                    effect.sku,
                    effect.quantity_before,
                    effect.quantity_after,
                    effect.resource,
                    effect.entry_id,
                    effect.present,
                )
                for effect in changes.effects
            ],
        )


def touch(connection: sqlite3.Connection, principal: str, queue_id: str, contact_time_us: int) -> None:
    """Move a queue's contact time forward."""
    connection.execute(
        "UPDATE queues SET contact_time_us = max(contact_time_us, ?) WHERE principal = ? AND queue_id = ?",
        (contact_time_us, principal, queue_id),
    )


def close_cart(connection: sqlite3.Connection, principal: str, cart_id: str) -> bool:
    """Mark a cart closed; False when it is not there."""
    cursor = connection.execute("UPDATE carts SET closed = 1 WHERE principal = ? AND cart_id = ?", (principal, cart_id))
    return cursor.rowcount > 0


def prune_records(connection: sqlite3.Connection, before_us: int, limit: int) -> int:
    """Delete at most `limit` records decided before an instant; how many."""
    return connection.execute(
        "DELETE FROM records WHERE (queue, sequence) IN "
        "(SELECT queue, sequence FROM records WHERE decide_time_us < ? ORDER BY decide_time_us LIMIT ?)",
        (before_us, limit),
    ).rowcount


def prune_queues(connection: sqlite3.Connection, before_us: int, limit: int) -> int:
    """Delete at most `limit` queues out of contact since before an instant and without records; how many."""
    due = connection.execute(
        "SELECT id FROM queues WHERE contact_time_us < ? "
        "AND NOT EXISTS (SELECT 1 FROM records WHERE records.queue = queues.id) LIMIT ?",
        (before_us, limit),
    ).fetchall()
    connection.executemany("DELETE FROM failures WHERE queue = ?", due)
    connection.executemany("DELETE FROM queues WHERE id = ?", due)
    return len(due)


def _write_queue(connection: sqlite3.Connection, changes: Changes) -> int:
    connection.execute(
        "INSERT INTO queues (principal, queue_id, decided_through_sequence, last_key, contact_time_us) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (principal, queue_id) DO UPDATE SET "
        "decided_through_sequence = excluded.decided_through_sequence, last_key = excluded.last_key, "
        "contact_time_us = max(contact_time_us, excluded.contact_time_us)",
        (
            changes.principal,
            changes.queue_id,
            changes.queue.decided_through_sequence,
            changes.queue.last_key,
            changes.contact_time_us,
        ),
    )
    queue, _, _ = queue_row(connection, changes.principal, changes.queue_id)
    assert queue is not None, "it was just written"
    return queue


def _write_carts(connection: sqlite3.Connection, changes: Changes) -> None:
    row_ids: dict[str, int] = {}
    for cart_id, head in changes.carts.items():
        connection.execute(
            "INSERT INTO carts (principal, cart_id, revision, currency_code, update_time_us, line_count, closed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (principal, cart_id) DO UPDATE SET "
            "revision = excluded.revision, currency_code = excluded.currency_code, "
            "update_time_us = excluded.update_time_us, line_count = excluded.line_count, closed = excluded.closed",
            (
                changes.principal,
                cart_id,
                head.revision,
                head.currency_code,
                head.update_time_us,
                head.line_count,
                head.closed,
            ),
        )
        row_id, _ = cart_row(connection, changes.principal, cart_id)
        assert row_id is not None, "it was just written"
        row_ids[cart_id] = row_id
    connection.executemany(
        "INSERT INTO lines (cart, sku, quantity, last_change_revision, last_change_queue_id, other_change_revision) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (cart, sku) DO UPDATE SET quantity = excluded.quantity, "
        "last_change_revision = excluded.last_change_revision, "
        "last_change_queue_id = excluded.last_change_queue_id, "
        "other_change_revision = excluded.other_change_revision",
        [
            (
                row_ids[cart_id],
                sku,
                line.quantity,
                line.last_change_revision,
                line.last_change_queue_id,
                line.other_change_revision,
            )
            for (cart_id, sku), line in changes.lines.items()
        ],
    )


def _write_collections(connection: sqlite3.Connection, changes: Changes) -> None:
    row_ids: dict[str, int] = {}
    for name in {*changes.collections, *(collection for collection, _ in changes.entries)}:
        head = changes.collections.get(name)
        if head is not None:
            connection.execute(
                "INSERT INTO collections (principal, name, revision, update_time_us, entry_count) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (principal, name) DO UPDATE SET revision = excluded.revision, "
                "update_time_us = excluded.update_time_us, entry_count = excluded.entry_count",
                (changes.principal, name, head.revision, head.update_time_us, head.entry_count),
            )
        else:  # one that has no revision of its own, such as the coupons of a cart
            connection.execute(
                "INSERT OR IGNORE INTO collections (principal, name, revision, update_time_us, entry_count) "
                "VALUES (?, ?, 0, 0, 0)",
                (changes.principal, name),
            )
        row_id, _ = collection_row(connection, changes.principal, name)
        assert row_id is not None, "it was just written"
        row_ids[name] = row_id
    connection.executemany(
        "DELETE FROM entries WHERE collection = ? AND entry_id = ?",
        [(row_ids[name], entry_id) for (name, entry_id), entry in changes.entries.items() if entry is None],
    )
    connection.executemany(
        "INSERT INTO entries (collection, entry_id, added_revision, change_revision, value) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (collection, entry_id) DO UPDATE SET added_revision = excluded.added_revision, "
        "change_revision = excluded.change_revision, value = excluded.value",
        [
            (row_ids[name], entry_id, entry.added_revision, entry.change_revision, entry.value)
            for (name, entry_id), entry in changes.entries.items()
            if entry is not None
        ],
    )


def _write_claims(connection: sqlite3.Connection, changes: Changes) -> None:
    for claim in changes.claims:
        connection.execute(
            "INSERT INTO claims (guest, guest_cart_id, account) VALUES (?, ?, ?)",
            (claim.guest, claim.guest_cart_id, claim.account),
        )
        close_cart(connection, claim.guest, claim.guest_cart_id)
