"""The embedded store: one SQLite file, one connection, one thread.

Durability: WAL with `synchronous=FULL`, so a commit that returned survives kill -9 and power loss. The file is locked
against a second writer (`locking_mode=EXCLUSIVE`): SQLite up to 3.51.2 can corrupt a WAL that two connections write.
Everything runs on one dedicated thread; callers wait without blocking the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from reference_server.engine import instants
from reference_server.engine.state import CartContents, Changes, CollectionContents, Effect, Reading, RecordRange
from reference_server.storage import sqlite_reading, sqlite_writing
from reference_server.storage.interface import (
    CONTACT_GRANULARITY,
    Retention,
    StoreFailedError,
    UnknownSaveError,
    Wanted,
)
from reference_server.storage.sqlite_schema import MIGRATIONS

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_PRUNE_STEP_ROW_COUNT = 500
_LOCK_WAIT_MS = 5_000
_SAVE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _new_store_id() -> str:
    return str(uuid.uuid4())


class SqliteStore:
    """A `storage.Store` in one SQLite file, or in memory when `path` is None.

    Made, and migrated to the newest tables, when opened; raises StoreFailedError when that is not possible.
    Saves lie beside the file, in `<path>.saves/`.
    """

    def __init__(
        self,
        path: Path | None,
        retention: Retention,
        *,
        keep_effects: bool = False,
        new_store_id: Callable[[], str] = _new_store_id,
    ) -> None:
        self._path = path
        self._retention = retention
        self._keep_effects = keep_effects
        self._new_store_id = new_store_id
        self._memory_saves: dict[str, sqlite3.Connection] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cartsync-store")
        try:
            self._connection, self._store_id = self._thread.submit(self._open).result()
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown()
            raise StoreFailedError(f"cannot open the store {path or ':memory:'}: {_why_not(error)}") from error

    @property
    def store_id(self) -> str:
        """The name of this store's history."""
        return self._store_id

    # What submissions and readers use.

    async def read(self, wanted: Wanted) -> Reading:
        """Everything a submission needs, at one instant."""
        return await self._run(lambda: self._reading(lambda: sqlite_reading.submission(self._connection, wanted)))

    async def commit(self, changes: Changes) -> bool:
        """Compare and set; durable when it answers True."""
        return await self._run(lambda: self._commit(changes))

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        """A cart, and a queue's watermark at the same instant."""
        return await self._run(
            lambda: self._reading(lambda: sqlite_reading.cart_contents(self._connection, principal, cart_id, queue_id))
        )

    async def read_collection(
        self, principal: str, name: str, queue_id: str = "", *, after_revision: int = 0, limit: int | None = None
    ) -> CollectionContents:
        """Entries of a collection, and a queue's watermark at the same instant."""
        return await self._run(
            lambda: self._reading(
                lambda: sqlite_reading.collection_contents(
                    self._connection, principal, name, queue_id, after_revision=after_revision, limit=limit
                )
            )
        )

    async def read_range(self, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
        """Records and watermark at one instant."""
        return await self._run(
            lambda: self._reading(
                lambda: sqlite_reading.record_range(self._connection, principal, queue_id, first, last)
            )
        )

    async def touch(self, principal: str, queue_id: str, contact_time_us: int) -> None:
        """Remember that a queue was in contact."""
        await self._run(
            lambda: self._writing(lambda: sqlite_writing.touch(self._connection, principal, queue_id, contact_time_us))
        )

    # What operators and conformance runs use.

    async def close_cart(self, principal: str, cart_id: str) -> bool:
        """Close a cart; False when no add has made it."""
        return await self._run(
            lambda: self._writing(lambda: sqlite_writing.close_cart(self._connection, principal, cart_id))
        )

    async def effects(self, principal: str) -> list[Effect]:
        """The ledger in the order made."""
        return await self._run(lambda: self._reading(lambda: sqlite_reading.effects(self._connection, principal)))

    async def save(self, name: str) -> None:
        """Keep a copy of the whole store under a name of 1 to 64 characters out of A-Z a-z 0-9 . _ -"""
        _check_save_name(name)
        await self._run(lambda: self._save(name))

    async def restore(self, name: str) -> str:
        """Put the whole store back, under a new id; one commit, so a crash leaves the one or the other."""
        _check_save_name(name)
        return await self._run(lambda: self._restore(name))

    async def prune_due(self, now: datetime) -> int:
        """Delete what is due, a few hundred rows at a time, so that submissions get their turn in between."""
        now_us = instants.to_us(now)
        records_before_us = now_us - instants.span_us(self._retention.outcome_retention)
        # A queue's contact time may lag by the granularity it is refreshed with.
        queues_before_us = now_us - instants.span_us(self._retention.queue_retention + CONTACT_GRANULARITY)
        total = 0
        for prune, before_us in (
            (sqlite_writing.prune_records, records_before_us),
            (sqlite_writing.prune_queues, queues_before_us),
        ):
            while row_count := await self._run(partial(self._prune_step, prune, before_us)):
                total += row_count
        return total

    async def close(self) -> None:
        """Finish what was asked and let go of the file."""
        with contextlib.suppress(RuntimeError):  # closed before
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # Below here everything runs on the store's own thread.

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        except RuntimeError as error:
            raise StoreFailedError("the store is closed") from error
        try:
            return await future
        except (sqlite3.Error, OSError) as error:
            raise StoreFailedError(f"the store failed: {error}") from error

    def _open(self) -> tuple[sqlite3.Connection, str]:
        if self._path is not None:
            _make_folder(self._path.parent)
            # It holds the key of the digests: nobody else's business.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path or ":memory:", isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MS}")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # where fsync alone leaves it in the drive's cache
            with _transaction(connection, "IMMEDIATE"):
                pass  # takes the lock now, not at the first submission
            _migrate(connection)
            with _transaction(connection, "IMMEDIATE"):
                identity = sqlite_reading.store_identity(connection)
                if identity is None:
                    identity = (self._new_store_id(), secrets.token_bytes(32))
                    connection.execute("INSERT INTO store (only_row, store_id, digest_key) VALUES (1, ?, ?)", identity)
        except BaseException:
            connection.close()
            raise
        _LOG.info(
            "store opened: %s, store_id %s, SQLite %s", self._path or "in memory", identity[0], sqlite3.sqlite_version
        )
        return connection, identity[0]

    def _reading(self, work: Callable[[], _T]) -> _T:
        with _transaction(self._connection, "DEFERRED"):
            return work()

    def _writing(self, work: Callable[[], _T]) -> _T:
        with _transaction(self._connection, "IMMEDIATE"):
            return work()

    def _commit(self, changes: Changes) -> bool:
        with _transaction(self._connection, "IMMEDIATE"):
            if not self.still_holds(changes):
                return False
            self.write(changes)
            return True

    def still_holds(self, changes: Changes) -> bool:
        """The compare of compare-and-set; runs on the store's thread, inside the transaction that writes."""
        return sqlite_writing.still_holds(self._connection, changes)

    def write(self, changes: Changes) -> None:
        """The set of compare-and-set; runs as `still_holds` does."""
        sqlite_writing.write(self._connection, changes, keep_effects=self._keep_effects)

    def _prune_step(self, prune: Callable[[sqlite3.Connection, int, int], int], before_us: int) -> int:
        return self._writing(lambda: prune(self._connection, before_us, _PRUNE_STEP_ROW_COUNT))

    def _save(self, name: str) -> None:
        if self._path is None:
            copy = sqlite3.connect(":memory:", check_same_thread=False)
            self._connection.backup(copy)
            self._memory_saves[name] = copy
            return
        path = self._save_path(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished)) as copy:
            self._connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        unfinished.replace(path)

    def _restore(self, name: str) -> str:
        store_id = self._new_store_id()
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as saved:
            self._load_save(name, saved)
            _migrate(saved)
            saved.execute("UPDATE store SET store_id = ?", (store_id,))
            saved.backup(self._connection)
        self._store_id = store_id
        _LOG.warning("store restored from %s; its store_id is now %s", name, store_id)
        return store_id

    def _load_save(self, name: str, into: sqlite3.Connection) -> None:
        if self._path is None:
            if name not in self._memory_saves:
                raise UnknownSaveError(f"nothing was saved under {name!r}")
            self._memory_saves[name].backup(into)
            return
        path = self._save_path(name)
        if not path.is_file():
            raise UnknownSaveError(f"nothing was saved under {name!r}")
        with contextlib.closing(sqlite3.connect(path)) as copy:
            copy.backup(into)

    def _save_path(self, name: str) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}.saves") / f"{name}.sqlite"

    def _close(self) -> None:
        self._connection.close()
        for copy in self._memory_saves.values():
            copy.close()
        self._memory_saves.clear()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, mode: str) -> Iterator[None]:
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first error tells more
            connection.execute("ROLLBACK")
        raise


def _make_folder(folder: Path) -> None:
    """Make what is missing of a path of folders; SQLite itself sees to it that the file is in the last one."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    parent = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _migrate(connection: sqlite3.Connection) -> None:
    MIGRATIONS.apply(Database(connection, recursive_triggers=False, execute_plugins=False))


def _check_save_name(name: str) -> None:
    if _SAVE_NAME.fullmatch(name) is None:
        raise ValueError(f"name {name!r} must be 1 to 64 characters out of A-Z a-z 0-9 . _ -")


def _why_not(error: sqlite3.Error | OSError) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return "another server has it open. Stop that one, or choose another store."
    return str(error)
