"""The state a submission is decided against: what was read, and over it what its own operations have changed."""

from __future__ import annotations

from cartsync.v1 import outcome_pb2

from reference_server.engine.state import (
    CartHead,
    Changes,
    Effect,
    Line,
    LineName,
    QueueMark,
    Reading,
    Record,
)


class Working:
    """In-memory state of one submission while it is decided; each operation sees what its predecessors left.

    It only grows by `record` and `count_failure`, each of which takes its finished values at once: an exception
    while an operation is being decided leaves no trace of it here.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.queue = reading.queue
        self.charged_count = 0
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.failures: list[tuple[int, str]] = []
        self._key_uses = dict(reading.key_uses)
        self._carts: dict[str, CartHead] = {}
        self._judged_carts: dict[str, CartHead | None] = {}
        self._lines: dict[LineName, Line] = {}

    def key_use(self, key: str) -> int | None:
        """The sequence a key is recorded under, None when it is not."""
        return self._key_uses.get(key)

    def cart(self, cart_id: str) -> CartHead | None:
        """The cart as it is now; from here on the commit depends on what it was when read."""
        read = self.reading.carts.get(cart_id)
        self._judged_carts[cart_id] = read
        return self._carts.get(cart_id, read)

    def line(self, name: LineName) -> Line:
        """The line as it is now."""
        known = self._lines.get(name)
        return known if known is not None else self.reading.lines.get(name, Line())

    def record(
        self,
        record: Record,
        queue: QueueMark,
        *,
        charged: bool,
        cart: tuple[str, CartHead] | None = None,
        line: tuple[LineName, Line] | None = None,
        effect: Effect | None = None,
    ) -> None:
        """Take the outcome of one operation, with its effect if it has one."""
        self.records.append(record)
        self._key_uses[record.idempotency_key] = record.sequence
        self.queue = queue
        self.charged_count += charged
        if cart is not None:
            self._carts[cart[0]] = cart[1]
        if line is not None:
            self._lines[line[0]] = line[1]
        if effect is not None:
            self.effects.append(effect)

    def count_failure(self, sequence: int, key: str) -> None:
        """Remember that deciding an operation failed."""
        self.failures.append((sequence, key))

    def changes(self, principal: str, queue_id: str, now_us: int) -> Changes:
        """All of it, as one commit."""
        return Changes(
            store_id=self.reading.store_id,
            principal=principal,
            queue_id=queue_id,
            contact_time_us=now_us,
            expected_queue=self.reading.queue,
            queue=self.queue,
            records=tuple(self.records),
            expected_carts=self._judged_carts,
            carts=self._carts,
            lines=self._lines,
            effects=tuple(self.effects),
            failures=tuple(self.failures),
        )


def outcome_of(record: Record) -> outcome_pb2.Outcome:
    """The recorded outcome, field for field."""
    return outcome_pb2.Outcome.FromString(record.outcome)
