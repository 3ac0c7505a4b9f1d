"""The tables, as migrations: a released one is never edited, a new one is added behind it.

Times are microseconds since the epoch. Rows of `lines` outlive their quantity, because guards look at the past.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("cartsync_store")

_FIRST = (
    "CREATE TABLE store (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), "
    "store_id TEXT NOT NULL, digest_key BLOB NOT NULL)",
    "CREATE TABLE queues (id INTEGER PRIMARY KEY, principal TEXT NOT NULL, queue_id TEXT NOT NULL, "
    "decided_through_sequence INTEGER NOT NULL, last_key TEXT NOT NULL, contact_time_us INTEGER NOT NULL, "
    "UNIQUE (principal, queue_id))",
    "CREATE INDEX queues_by_contact ON queues (contact_time_us)",
    "CREATE TABLE records (queue INTEGER NOT NULL, sequence INTEGER NOT NULL, idempotency_key TEXT NOT NULL, "
    "payload_digest BLOB NOT NULL, digest_version INTEGER NOT NULL, outcome BLOB NOT NULL, "
    "decide_time_us INTEGER NOT NULL, PRIMARY KEY (queue, sequence)) WITHOUT ROWID",
    "CREATE INDEX records_by_key ON records (queue, idempotency_key)",
    "CREATE INDEX records_by_time ON records (decide_time_us)",
    "CREATE TABLE failures (queue INTEGER NOT NULL, sequence INTEGER NOT NULL, idempotency_key TEXT NOT NULL, "
    "failed_count INTEGER NOT NULL, PRIMARY KEY (queue, sequence, idempotency_key)) WITHOUT ROWID",
    "CREATE TABLE carts (id INTEGER PRIMARY KEY, principal TEXT NOT NULL, cart_id TEXT NOT NULL, "
    "revision INTEGER NOT NULL, currency_code TEXT NOT NULL, update_time_us INTEGER NOT NULL, "
    "line_count INTEGER NOT NULL, closed INTEGER NOT NULL, UNIQUE (principal, cart_id))",
    "CREATE TABLE lines (cart INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, "
    "last_change_revision INTEGER NOT NULL, last_change_queue_id TEXT NOT NULL, "
    "other_change_revision INTEGER NOT NULL, PRIMARY KEY (cart, sku)) WITHOUT ROWID",
    "CREATE TABLE effects (id INTEGER PRIMARY KEY, principal TEXT NOT NULL, queue_id TEXT NOT NULL, "
    "sequence INTEGER NOT NULL, idempotency_key TEXT NOT NULL, cart_id TEXT NOT NULL, revision INTEGER NOT NULL, "
    "sku TEXT NOT NULL, quantity_before INTEGER NOT NULL, quantity_after INTEGER NOT NULL)",
    "CREATE INDEX effects_by_principal ON effects (principal, id)",
)

_COLLECTIONS = (
    "CREATE TABLE collections (id INTEGER PRIMARY KEY, principal TEXT NOT NULL, name TEXT NOT NULL, "
    "revision INTEGER NOT NULL, update_time_us INTEGER NOT NULL, entry_count INTEGER NOT NULL, "
    "UNIQUE (principal, name))",
    "CREATE TABLE entries (collection INTEGER NOT NULL, entry_id TEXT NOT NULL, added_revision INTEGER NOT NULL, "
    "change_revision INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (collection, entry_id)) WITHOUT ROWID",
    "CREATE INDEX entries_by_addition ON entries (collection, added_revision)",
    "CREATE TABLE claims (guest TEXT NOT NULL, guest_cart_id TEXT NOT NULL, account TEXT NOT NULL, "
    "PRIMARY KEY (guest, guest_cart_id)) WITHOUT ROWID",
    "ALTER TABLE effects ADD COLUMN resource TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE effects ADD COLUMN entry_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE effects ADD COLUMN present INTEGER NOT NULL DEFAULT 0",
)


@MIGRATIONS()
def first_tables(db: Database) -> None:
    """Queues, records, carts, ledger."""
    for statement in _FIRST:
        db.execute(statement)


@MIGRATIONS()
def collections_and_claims(db: Database) -> None:
    """Wishlist, address book, payment methods and coupons as collections of entries; claims of guests' carts."""
    for statement in _COLLECTIONS:
        db.execute(statement)
