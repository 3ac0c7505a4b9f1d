"""A server that locks: one submission of a principal at a time, and one commit for each of its operations."""

# ruff: noqa: D102 - contracts are those of the parts exchanged

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from reference_server.engine.refusals import Reason, refuse
from reference_server.engine.state import CollectionContents
from reference_server.ports import Interventions
from reference_server.settlement import CartReading, Lookup, Settled, Settlement

_BEGUN: ContextVar[list[str]] = ContextVar("begun")  # what a submission at work has begun to commit


class OncePerSubmission:
    """Passes on that a submission begins to commit, however many commits it comes to."""

    def __init__(self, interventions: Interventions) -> None:
        self.inner = interventions

    async def before_commit(self, principal: str) -> None:
        if not _BEGUN.get():
            _BEGUN.get().append(principal)
            await self.inner.before_commit(principal)

    async def after_commit(self, principal: str) -> None:
        """Said by `Locking`, behind the last commit."""

    def while_deciding(self, principal: str, sequence: int) -> None:
        self.inner.while_deciding(principal, sequence)


class Locking(Settlement):
    """Lets everything of a principal wait for its submission at work, reads too, and commits operation by operation."""

    def __init__(self, *parts: Any, **more_parts: Any) -> None:
        super().__init__(*parts, **more_parts)
        self._once = OncePerSubmission(self._interventions)
        self._interventions = self._once
        self._locks: dict[str, asyncio.Lock] = {}

    async def _settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str,
    ) -> Settled:
        begun: list[str] = []
        _BEGUN.set(begun)
        results: list[outcome_pb2.OperationResult] = []
        async with self._lock(principal):
            for attempt in attempts:
                settled = await super()._settle(principal, queue_id, [attempt], expected_store_id)
                results += settled.results
                if results[-1].outcome.state in (
                    reason_pb2.OUTCOME_STATE_DEFERRED,
                    reason_pb2.OUTCOME_STATE_CONFLICT,
                ):
                    break
            if begun:
                await self._once.inner.after_commit(principal)
        results += [_not_looked_at(attempt.operation) for attempt in attempts[len(results) :]]
        return Settled(results, settled.decided_through_sequence, settled.store_id)

    async def cart(self, principal: str, cart_id: str, queue_id: str = "", expected_store_id: str = "") -> CartReading:
        async with self._lock(principal):
            return await super().cart(principal, cart_id, queue_id, expected_store_id)

    async def collection(
        self,
        principal: str,
        name: str,
        queue_id: str = "",
        expected_store_id: str = "",
        *,
        after_revision: int = 0,
        limit: int | None = None,
    ) -> CollectionContents:
        async with self._lock(principal):
            return await super().collection(
                principal, name, queue_id, expected_store_id, after_revision=after_revision, limit=limit
            )

    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        async with self._lock(principal):
            return await super().lookup(principal, queue_id, first, last, expected_store_id)

    async def watermark(self, principal: str, queue_id: str, expected_store_id: str = "") -> tuple[int, str]:
        async with self._lock(principal):
            return await super().watermark(principal, queue_id, expected_store_id)

    def _lock(self, principal: str) -> asyncio.Lock:
        return self._locks.setdefault(principal, asyncio.Lock())


def _not_looked_at(operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    return outcome_pb2.OperationResult(
        outcome=outcome_pb2.Outcome(
            idempotency_key=operation.idempotency_key,
            sequence=operation.sequence,
            state=reason_pb2.OUTCOME_STATE_DEFERRED,
            refusal=refuse(Reason.REASON_PREDECESSOR_NOT_DECIDED, "something before it was not decided").refusal,
        )
    )
