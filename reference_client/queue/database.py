"""Opening the SQLite file that the queues of this device live in.

Two settings carry the promise that an intent survives whatever happens next:

- `synchronous=FULL` with a truncated rollback journal: when a transaction has returned, it is on the medium.
- No write-ahead log. Several processes write here (the shopper's `add`, a drain in the background), and SQLite
  3.7.0 to 3.51.2 can corrupt a write-ahead log when two connections write or checkpoint it at once.

Whoever reads and then writes begins IMMEDIATE: a deferred transaction that turns into a writer fails at once
when another writer was faster, instead of waiting its turn.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from reference_client.exceptions import StoreError
from reference_client.queue.schema import MIGRATIONS

FILE_NAME = "queues.sqlite3"
_BUSY_SECONDS = 30.0


def open_database(folder: Path) -> Database:
    """Opens, and makes if missing, the queues in `folder`. Raises `StoreError`."""
    try:
        _make_folder(folder)
        # Sequences and carts are nobody else's business, whoever made the folder; its journal takes after it.
        os.close(os.open(folder / FILE_NAME, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(folder / FILE_NAME, timeout=_BUSY_SECONDS, isolation_level=None)
        return prepare(connection)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the store in {folder} cannot be opened: {error}. Check the folder, or name another with --data-dir"
        ) from error


def prepare(connection: sqlite3.Connection) -> Database:
    """Sets a connection up and brings its schema up to date. The connection must be in autocommit mode."""
    connection.execute("PRAGMA journal_mode=TRUNCATE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=ON")  # where fsync alone leaves it in the drive's cache
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # a provider's token that was taken out is overwritten
    database = Database(connection, execute_plugins=False)
    if MIGRATIONS.pending(database):
        with immediate(database):
            MIGRATIONS.apply(database)
    return database


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    parent = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


@contextmanager
def immediate(database: Database) -> Iterator[sqlite3.Connection]:
    """One write transaction, begun as a writer. On disk when the block is left; nothing of it when it raises."""
    connection = database.conn
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            database.rollback()
            raise
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        database.rollback()
        raise StoreError(f"the store on this device refused a change, nothing of it was kept: {error}") from error
