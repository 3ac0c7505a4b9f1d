"""What goes wrong only when two submissions meet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.state import CartHead, Changes, Line, LineName, Reading
from reference_server.storage import Wanted, sqlite_reading, sqlite_writing
from reference_server.storage.sqlite import SqliteStore


class _CheckThenInsert(SqliteStore):
    """Looks whether the operation is there, and inserts it later without looking again.

    Quantities are moved by what the operation adds, as with `UPDATE … SET quantity = quantity + ?`, so that nothing
    of the second decision is lost.
    """

    def _commit(self, changes: Changes) -> bool:
        return self._writing(lambda: self._insert(changes))

    def _insert(self, changes: Changes) -> bool:
        if sqlite_writing.still_holds(self._connection, changes):
            sqlite_writing.write(self._connection, changes, keep_effects=self._keep_effects)
            return True
        _, mark, _ = sqlite_reading.queue_row(self._connection, changes.principal, changes.queue_id)
        if mark == changes.expected_queue:
            return False  # only a cart has moved: that much is looked at
        self._connection.executemany(
            "DELETE FROM records WHERE sequence = ? AND queue = "
            "(SELECT id FROM queues WHERE principal = ? AND queue_id = ?)",
            [(record.sequence, changes.principal, changes.queue_id) for record in changes.records],
        )
        carts, lines = self._moved(changes)
        later = changes.queue if changes.queue.decided_through_sequence >= mark.decided_through_sequence else mark
        sqlite_writing.write(
            self._connection, replace(changes, queue=later, carts=carts, lines=lines), keep_effects=self._keep_effects
        )
        return True

    def _moved(self, changes: Changes) -> tuple[dict[str, CartHead], dict[LineName, Line]]:
        carts, lines = dict(changes.carts), dict(changes.lines)
        for cart_id, head in changes.carts.items():
            _, now = sqlite_reading.cart_row(self._connection, changes.principal, cart_id)
            if now is not None:
                carts[cart_id] = replace(head, revision=max(head.revision, now.revision + 1))
        for effect in changes.effects:
            if effect.resource:
                continue
            name = (effect.cart_id, effect.sku)
            row, _ = sqlite_reading.cart_row(self._connection, changes.principal, effect.cart_id)
            found = self._connection.execute(
                "SELECT quantity FROM lines WHERE cart = ? AND sku = ?", (row, effect.sku)
            ).fetchone()
            quantity = (found[0] if found else 0) + effect.quantity_after - effect.quantity_before
            lines[name] = replace(lines[name], quantity=max(0, quantity))
        return carts, lines


class _LastWriterWins(SqliteStore):
    """The queue is compared before the commit, the cart is not."""

    async def commit(self, changes: Changes) -> bool:
        return await super().commit(replace(changes, expected_carts={}))


class _RecordThenWatermark(SqliteStore):
    """Records first, and the watermark when the rest of the work is done."""

    async def read(self, wanted: Wanted) -> Reading:
        before = await super().read(wanted)
        await asyncio.sleep(0.02)
        return replace(await super().read(wanted), records=before.records)


MUTANTS = (
    Mutant(
        "check-then-insert",
        "Looks whether an operation was decided, and later records it without looking again.",
        ("effects/concurrent-duplicates", "effects/exactly-once", "sync/concurrent-safe"),
        "open_store",
        stored_in(_CheckThenInsert),
    ),
    Mutant(
        "last-writer-wins",
        "Writes a cart back without looking whether another queue has changed it meanwhile.",
        ("effects/concurrent-queues", "revision/increases", "revision/replayable"),
        "open_store",
        stored_in(_LastWriterWins),
    ),
    Mutant(
        "record-and-watermark-of-two-instants",
        "Reads records first and the watermark later, and so takes what was decided in between for pruned.",
        ("effects/concurrent-duplicates", "retention/records-kept", "deciding/replay-verbatim"),
        "open_store",
        stored_in(_RecordThenWatermark),
    ),
)
