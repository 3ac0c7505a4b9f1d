"""The oracle's possible worlds as JSON that people can read: what a correct server might have recorded by then.

Names, figures and states only. Tokens are left out, and so is what an outcome looked like on the wire, for the history
beside it has that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import Enum
from typing import Any

from conformance.oracle.world import InFlight, Queue, Resource, World

MOST_SHOWN = 12  # worlds; a story that allows more is told by these and their count


def worlds_as_json(worlds: Iterable[World]) -> dict[str, Any]:
    """How many worlds are possible, and the first of them in an order that is always the same."""
    every = sorted(worlds, key=repr)
    return {"count": len(every), "shown": [_world(world) for world in every[:MOST_SHOWN]]}


def _world(world: World) -> dict[str, Any]:
    told: dict[str, Any] = {
        "queues": [{"queue_id": name, **_queue(queue)} for name, queue in world.queues],
        "resources": [
            {"principal": place.principal, "kind": place.kind.value, "cart_id": place.cart, **_resource(resource)}
            for place, resource in world.resources
        ],
    }
    if world.claims:
        told["claims"] = [{"guest": guest, **_plain(claim)} for guest, claim in world.claims]
    if world.allowances:
        told["rate_limits"] = [
            {"principal": principal, "scope": scope.value, "remaining": remaining}
            for (principal, scope), remaining in world.allowances
        ]
    if world.in_flight:
        told["may_still_arrive"] = sorted((_straggler(straggler) for straggler in world.in_flight), key=repr)
    return told


def _queue(queue: Queue) -> dict[str, Any]:
    records = [
        {
            "sequence": sequence,
            "idempotency_key": record.operation.key,
            "intent": _intent(record.operation.intent),
            "outcome": _plain(record.outcome),
        }
        for sequence, record in enumerate(queue.records, start=1)
    ]
    return {"watermark": queue.watermark, "last_key": queue.last_key, "records": records}


def _resource(resource: Resource) -> dict[str, Any]:
    told: dict[str, Any] = _plain(resource)
    return told


def _straggler(straggler: InFlight) -> dict[str, Any]:
    rest = straggler.submission.attempts[straggler.done :]
    return {"queue_id": straggler.submission.queue, "sequences": [attempt.operation.sequence for attempt in rest]}


def _intent(intent: object) -> dict[str, Any] | None:
    return None if intent is None else {"kind": type(intent).__name__, **_plain(intent)}


def _plain(value: object) -> Any:
    """A value as JSON. Fields that are empty, or that a `repr` hides, are left out."""
    match value:
        case Enum():
            return value.value
        case bytes():
            return None
        case tuple() | list():
            if value and hasattr(value, "_asdict"):
                return {name: _plain(content) for name, content in value._asdict().items()}
            return [_plain(each) for each in value]
        case frozenset() | set():
            return sorted((_plain(each) for each in value), key=repr)
        case dict():
            return {str(key): _plain(content) for key, content in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            shown = {
                field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr
            }
            return {name: content for name, content in shown.items() if content not in (None, "", [], {}, False)}
        case _:
            return value
