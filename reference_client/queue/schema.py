"""The tables of the durable queue, as migrations: each runs once, in order, and is never edited afterwards."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("cartsync-client")

_FIRST = (
    """
    CREATE TABLE queues (
        queue_id TEXT PRIMARY KEY,
        server TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('active', 'halted', 'retired')),
        principal TEXT NOT NULL DEFAULT '',
        store_id TEXT NOT NULL DEFAULT '',
        last_sequence INTEGER NOT NULL DEFAULT 0,
        last_key TEXT NOT NULL DEFAULT '',
        confirmed_through INTEGER NOT NULL DEFAULT 0,
        successor_id TEXT NOT NULL DEFAULT '',
        create_wall_ns INTEGER NOT NULL
    ) STRICT
    """,
    # New intents of one server go to one place, whatever several processes do at once.
    "CREATE UNIQUE INDEX one_active_queue ON queues (server) WHERE state = 'active'",
    """
    CREATE TABLE operations (
        queue_id TEXT NOT NULL REFERENCES queues (queue_id),
        sequence INTEGER NOT NULL,
        key TEXT NOT NULL UNIQUE,
        previous_key TEXT NOT NULL,
        cart_id TEXT NOT NULL,
        payload BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN (
            'pending', 'applied', 'rejected', 'discarded', 'unknown',
            'lost', 'moved', 'left', 'reissued', 'abandoned')),
        enqueue_wall_ns INTEGER NOT NULL,
        enqueue_boot_id TEXT NOT NULL,
        enqueue_boot_ns INTEGER NOT NULL,
        send_count INTEGER NOT NULL DEFAULT 0,
        age_fixed INTEGER NOT NULL DEFAULT 0,
        age_ns INTEGER,
        discard_key TEXT UNIQUE,
        discard_payload BLOB,
        discard_too_late INTEGER NOT NULL DEFAULT 0,
        outcome BLOB,
        replayed INTEGER NOT NULL DEFAULT 0,
        settle_wall_ns INTEGER,
        in_snapshot INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (queue_id, sequence)
    ) STRICT
    """,
    "CREATE INDEX not_in_snapshot ON operations (cart_id) WHERE in_snapshot = 0",
    """
    CREATE TABLE notifications (
        id INTEGER PRIMARY KEY,
        queue_id TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL,
        needs_action INTEGER NOT NULL,
        create_wall_ns INTEGER NOT NULL,
        cleared INTEGER NOT NULL DEFAULT 0,
        UNIQUE (queue_id, sequence, kind)
    ) STRICT
    """,
    """
    CREATE TABLE snapshots (
        server TEXT NOT NULL,
        cart_id TEXT NOT NULL,
        store_id TEXT NOT NULL,
        queue_id TEXT NOT NULL,
        watermark INTEGER NOT NULL,
        response BLOB NOT NULL,
        receive_wall_ns INTEGER NOT NULL,
        PRIMARY KEY (server, cart_id)
    ) STRICT
    """,
    """
    CREATE TABLE policies (
        server TEXT PRIMARY KEY,
        policy BLOB NOT NULL,
        receive_wall_ns INTEGER NOT NULL
    ) STRICT
    """,
)


@MIGRATIONS(name="0001_first_edition")
def first_edition(database: Database) -> None:
    """Queues, operations, notifications, snapshots, policies."""
    for statement in _FIRST:
        database.execute(statement)


_SECOND = (
    # What an operation is about beside carts: "wishlist", "address_book", "payment_methods", or nothing of these.
    "ALTER TABLE operations ADD COLUMN account_part TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE account_snapshots (
        server TEXT NOT NULL,
        account_part TEXT NOT NULL,
        store_id TEXT NOT NULL,
        queue_id TEXT NOT NULL,
        watermark INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        response BLOB NOT NULL,
        receive_wall_ns INTEGER NOT NULL,
        PRIMARY KEY (server, account_part)
    ) STRICT
    """,
)


@MIGRATIONS(name="0002_account")
def account(database: Database) -> None:
    """Wishlist, addresses and payment methods."""
    for statement in _SECOND:
        database.execute(statement)


@MIGRATIONS(name="0003_claims")
def claims(database: Database) -> None:
    """Which carts of guests were claimed by which operation, and what of a guest's queue was taken over since."""
    database.execute(
        """
        CREATE TABLE claims (
            server TEXT NOT NULL,
            guest TEXT NOT NULL,
            guest_cart_id TEXT NOT NULL,
            cart_id TEXT NOT NULL,
            key TEXT NOT NULL UNIQUE,
            PRIMARY KEY (server, guest, guest_cart_id)
        ) STRICT
        """
    )
    # The guest's queue lives in another file: what is in this table is in this account's queue, once.
    database.execute(
        """
        CREATE TABLE taken_over (
            guest_queue_id TEXT NOT NULL,
            guest_sequence INTEGER NOT NULL,
            key TEXT NOT NULL UNIQUE,
            PRIMARY KEY (guest_queue_id, guest_sequence)
        ) STRICT
        """
    )
