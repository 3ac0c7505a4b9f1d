"""Stores that keep decisions otherwise: for ever, or as a journal of what was done."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from reference_server.engine.state import Changes
from reference_server.storage import Retention
from reference_server.storage.sqlite import SqliteStore

_T = TypeVar("_T")
_WRITES = ("INSERT", "UPDATE", "DELETE")


class NeverPrunes(SqliteStore):
    """Keeps every record for ever."""

    async def prune_due(self, now: datetime) -> int:
        """Nothing is ever due."""
        del now
        return 0


Entry = dict[str, list[str]]
"""What was done, by its name: `statements` of one transaction, `save` of a name, `restore` of a name as an id."""


class Journal:
    """An append-only file, a line for each entry. A line that a crash cut short was never answered for: it goes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> Iterator[Entry]:
        """What is in the file, from the first."""
        if not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield json.loads(line)
        os.truncate(self._path, whole)

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on the disk when this returns."""
        with self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class JournalStore(SqliteStore):
    """Holds everything in memory, and on the disk nothing but a journal of changes, done again at every start."""

    def __init__(self, path: Path | None, retention: Retention, *, keep_effects: bool = False) -> None:
        assert path is not None, "a journal is a file"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(path.with_suffix(".journal"))
        self._statements: list[str] = []
        super().__init__(None, retention, keep_effects=keep_effects)
        self._thread.submit(self._begin).result()

    def _begin(self) -> None:
        entries = list(self._journal.entries())
        for entry in entries:
            self._do_again(entry)
        self._connection.set_trace_callback(self._traced)
        if not entries:
            store_id, digest_key = self._connection.execute("SELECT store_id, digest_key FROM store").fetchone()
            become = f"UPDATE store SET store_id = '{store_id}', digest_key = X'{digest_key.hex()}'"  # noqa: S608 - its own
            self._note({"statements": [become]})
        (self._store_id,) = self._connection.execute("SELECT store_id FROM store").fetchone()

    def _do_again(self, entry: Entry) -> None:
        match entry:
            case {"statements": statements}:
                for statement in statements:
                    self._connection.execute(statement)
            case {"save": [name]}:
                super()._save(name)
            case {"restore": [name, store_id]}:
                made_new, self._new_store_id = self._new_store_id, lambda: store_id
                super()._restore(name)
                self._new_store_id = made_new

    def _traced(self, statement: str) -> None:
        if statement.startswith(_WRITES):
            self._statements.append(statement)

    def _writing(self, work: Callable[[], _T]) -> _T:
        self._statements.clear()
        done = super()._writing(work)
        self._note({"statements": list(self._statements)})
        return done

    def _commit(self, changes: Changes) -> bool:
        # Nobody reads in between: all of it runs on the store's one thread.
        self._statements.clear()
        committed = super()._commit(changes)
        self._note({"statements": list(self._statements)})
        return committed

    def _save(self, name: str) -> None:
        super()._save(name)
        self._note({"save": [name]})

    def _restore(self, name: str) -> str:
        store_id = super()._restore(name)
        self._note({"restore": [name, store_id]})
        return store_id

    def _note(self, entry: Entry) -> None:
        if all(entry.values()):
            try:
                self._journal.append(entry)
            except OSError as error:
                raise sqlite3.OperationalError(f"the journal cannot be written: {error.strerror}") from error
