"""What a crash brings to light: answers before commits, commits in two halves, memories that do not last."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from cartsync.v1 import operation_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.cases import Decision
from reference_server.engine.operands import operand
from reference_server.engine.state import Changes
from reference_server.settlement import Settled, Settlement
from reference_server.storage import Wanted, sqlite_writing
from reference_server.storage.sqlite import SqliteStore

_T = TypeVar("_T")


class _AnswersFirst(Settlement):
    """Decides, answers, and commits in the background."""

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        committing = asyncio.ensure_future(super().submit(principal, queue_id, attempts, expected_store_id))
        if expected_store_id not in ("", self.store_id):
            return await committing
        committing.add_done_callback(lambda done: done.cancelled() or done.exception())
        reading = await self._store.read(
            Wanted(principal, queue_id, tuple(operand(attempt.operation) for attempt in attempts))
        )
        decision = self.decide(principal, queue_id, attempts, reading)
        if not decision.changes.records:
            return await committing
        return Settled(decision.results, decision.changes.queue.decided_through_sequence, decision.changes.store_id)


class _CommitsLater(SqliteStore):
    """Keeps one transaction open for a second's worth of submissions: fast, and gone with the process."""

    _SECONDS = 1.0
    _begun: float | None = None

    def _commit(self, changes: Changes) -> bool:
        self._flush(older_than=self._SECONDS)
        if self._begun is None:
            self._connection.execute("BEGIN IMMEDIATE")
            self._begun = time.monotonic()
        if not sqlite_writing.still_holds(self._connection, changes):
            return False
        sqlite_writing.write(self._connection, changes, keep_effects=self._keep_effects)
        return True

    def _reading(self, work: Callable[[], _T]) -> _T:
        return work() if self._begun is not None else super()._reading(work)

    def _writing(self, work: Callable[[], _T]) -> _T:
        self._flush()
        return super()._writing(work)

    def _save(self, name: str) -> None:
        self._flush()
        super()._save(name)

    def _restore(self, name: str) -> str:
        self._flush()
        return super()._restore(name)

    def _close(self) -> None:
        self._flush()
        super()._close()

    def _flush(self, older_than: float = 0.0) -> None:
        if self._begun is not None and time.monotonic() - self._begun >= older_than:
            self._begun = None
            self._connection.execute("COMMIT")


class _EffectFirst(Settlement):
    """The cart in one transaction, record and watermark in the next; what strikes after a commit strikes between."""

    async def commit(self, principal: str, decision: Decision) -> bool:
        changes = decision.changes
        if changes.effects:
            effect = replace(changes, queue=changes.expected_queue, records=(), failures=())
            if not await self._store.commit(effect):
                return False
            await self._interventions.after_commit(principal)
            decision = replace(decision, changes=_without_effect(changes))
        return await super().commit(principal, decision)


class _WatermarkFirst(Settlement):
    """Record and watermark in one transaction, the cart in the next; what strikes after a commit strikes between."""

    async def commit(self, principal: str, decision: Decision) -> bool:
        changes = decision.changes
        if changes.effects:
            unchanged = replace(changes, carts={}, lines={}, effects=(), collections={}, entries={}, claims=())
            if not await self._store.commit(unchanged):
                return False
            await self._interventions.after_commit(principal)
            rest = replace(changes, expected_queue=changes.queue, records=(), failures=())
            decision = replace(decision, changes=rest)
        return await super().commit(principal, decision)


class _OneByOne(Settlement):
    """Every operation of a submission in a transaction of its own, the cart's change ahead of its record.

    A server that commits operation by operation is right; this one's halves are a few milliseconds apart.
    """

    async def commit(self, principal: str, decision: Decision) -> bool:
        changes = decision.changes
        if changes.effects:
            effect = replace(changes, queue=changes.expected_queue, records=(), failures=())
            if not await self._store.commit(effect):
                return False
            await asyncio.sleep(0.03)
            decision = replace(decision, changes=_without_effect(changes))
        return await super().commit(principal, decision)


class _ForgetsQueues(SqliteStore):
    """Keys live in memory, in fact or in effect: a new process knows of no queue."""

    def _open(self) -> tuple[sqlite3.Connection, str]:
        connection, store_id = super()._open()
        for table in ("records", "failures", "queues"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand here
        return connection, store_id


class _ForgetsRecords(SqliteStore):
    """Watermarks last, records do not."""

    def _open(self) -> tuple[sqlite3.Connection, str]:
        connection, store_id = super()._open()
        connection.execute("DELETE FROM records")
        return connection, store_id


class _ForgetsChains(SqliteStore):
    """The last key of each queue is kept in memory only."""

    def _open(self) -> tuple[sqlite3.Connection, str]:
        connection, store_id = super()._open()
        connection.execute("UPDATE queues SET last_key = ''")
        return connection, store_id


class _NewDigestKey(SqliteStore):
    """The key of the digests is made anew, so that nothing recorded can be recognised."""

    def _open(self) -> tuple[sqlite3.Connection, str]:
        connection, store_id = super()._open()
        connection.execute("UPDATE store SET digest_key = ?", (secrets.token_bytes(32),))
        return connection, store_id


class _UndoneByDisconnect(Settlement):
    """Whoever cannot be answered has his operations taken back, but the watermark stays."""

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        work = asyncio.ensure_future(super().submit(principal, queue_id, attempts, expected_store_id))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            cleaning = asyncio.ensure_future(self._forget(work, principal, queue_id))
            self._running.add(cleaning)
            cleaning.add_done_callback(self._running.discard)
            raise

    async def _forget(self, work: asyncio.Future[Settled], principal: str, queue_id: str) -> None:
        with contextlib.suppress(Exception):
            settled = await work
            store = self._store
            assert isinstance(store, SqliteStore)
            sequences = [r.outcome.sequence for r in settled.results if not r.replayed]
            await store._run(
                lambda: store._connection.executemany(
                    "DELETE FROM records WHERE sequence = ? AND queue = "
                    "(SELECT id FROM queues WHERE principal = ? AND queue_id = ?)",
                    [(sequence, principal, queue_id) for sequence in sequences],
                )
            )


def _without_effect(changes: Changes) -> Changes:
    """Record and watermark, when all the rest was committed before."""
    return replace(
        changes,
        expected_carts={},
        carts={},
        lines={},
        effects=(),
        expected_collections={},
        collections={},
        entries={},
        expected_guests={},
        claims=(),
    )


MUTANTS = (
    Mutant(
        "answers-before-commit",
        "Answers when it has decided, and commits when it finds the time.",
        ("durability/answer-after-commit", "durability/lost-answer", "effects/concurrent-duplicates"),
        "settlement",
        _AnswersFirst,
    ),
    Mutant(
        "commits-every-second",
        "Keeps what it answered in an open transaction for up to a second.",
        ("durability/answer-after-commit",),
        "open_store",
        stored_in(_CommitsLater),
    ),
    Mutant(
        "effect-then-watermark",
        "Commits the cart first, then record and watermark.",
        ("durability/atomic-commit", "durability/lost-answer", "effects/exactly-once"),
        "settlement",
        _EffectFirst,
    ),
    Mutant(
        "watermark-then-effect",
        "Commits record and watermark first, then the cart.",
        ("durability/atomic-commit", "durability/lost-answer", "effects/exactly-once"),
        "settlement",
        _WatermarkFirst,
    ),
    Mutant(
        "forgets-keys-on-restart",
        "Knows of no queue after a restart, and decides everything once more.",
        ("durability/restart-keeps-records", "durability/answer-after-commit", "durability/lost-answer"),
        "open_store",
        stored_in(_ForgetsQueues),
    ),
    Mutant(
        "forgets-records-on-restart",
        "Keeps watermarks over a restart, but no outcome records.",
        ("durability/restart-keeps-records", "durability/answer-after-commit", "durability/lost-answer"),
        "open_store",
        stored_in(_ForgetsRecords),
    ),
    Mutant(
        "forgets-chains-on-restart",
        "Does not know the last key of a queue after a restart.",
        ("durability/restart-keeps-records",),
        "open_store",
        stored_in(_ForgetsChains),
    ),
    Mutant(
        "forgets-digest-key-on-restart",
        "Takes every duplicate for another payload after a restart.",
        ("durability/restart-keeps-records", "durability/lost-answer", "durability/answer-after-commit"),
        "open_store",
        stored_in(_NewDigestKey),
    ),
    Mutant(
        "unrecorded-when-cut-off",
        "Throws the record away when the client is gone before the answer leaves.",
        ("durability/lost-answer", "sync/cut", "effects/exactly-once"),
        "settlement",
        _UndoneByDisconnect,
    ),
)
