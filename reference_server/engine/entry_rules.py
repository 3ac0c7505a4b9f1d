"""What the rules of collections have in common: an entry as they see it, and what they make of it."""

from __future__ import annotations

from dataclasses import dataclass

from cartsync.v1 import outcome_pb2


@dataclass(frozen=True, slots=True)
class Change:
    """What a change would be made by: the queue, the revision it would have, and when."""

    queue_id: str
    revision: int
    time_us: int


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """An operation on an entry is applied. `value` is the entry afterwards, encoded; None: it is not there."""

    value: bytes | None
    changed: bool
    adjustments: tuple[outcome_pb2.Adjustment, ...] = ()
