"""Servers that are right, and other than the reference wherever the spec lets them be: the suite must pass them all.

`python different_servers.py NAME` serves one, set up by the environment as cartsync-server is.
"""

# ruff: noqa: N802 - names and arguments are those of the reference server

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2
from google.protobuf.message import Message

from conformance.mutants.mutant import stored_in
from reference_server.assembly import REFERENCE, Parts
from reference_server.cli import run_server
from reference_server.config import Config, load_config
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, refuse
from reference_server.engine.state import CollectionContents, Head
from reference_server.ports import Interventions
from reference_server.service.servicer import CartSyncServicer
from reference_server.settlement import CartReading, Lookup, Settled, Settlement
from reference_server.storage.sqlite import SqliteStore

DAY = timedelta(days=1)
UNKNOWN_FIELDS = b"\xf8\x3f\x01\xfa\x3e\x03abc"  # fields 1023 and 1007, of some later minor version


def generous(_: Config) -> Policy:
    """Far above every floor."""
    return Policy(
        replay_window=30 * DAY,
        outcome_retention=90 * DAY,
        queue_retention=800 * DAY,
        max_operation_bytes=1 << 20,
        max_submission_operation_count=2_000,
        max_submission_bytes=8 << 20,
        quarantine_attempt_count=100,
        features=("gift-wrap",),
        trouble_retry_delay=timedelta(hours=1),
    )


def frugal(_: Config) -> Policy:
    """Exactly on every floor."""
    return Policy(
        replay_window=3 * DAY,
        outcome_retention=4 * DAY,
        queue_retention=400 * DAY,
        max_operation_bytes=16_384,
        max_submission_operation_count=100,
        max_submission_bytes=1 << 20,
        max_line_quantity=99,
        max_line_count=100,
        max_coupon_count=1,
        max_wishlist_entry_count=100,
        quarantine_attempt_count=1,
    )


class Coarse(Decider):
    """Counts revisions in steps of seven and time in seconds, talks at length, and sends fields of a later version."""

    def decide_time_us(self, case: Case, head: Head | None) -> int:
        time_us = super().decide_time_us(case, None)
        return time_us - time_us % 1_000_000

    def next_revision(self, head: Head | None) -> int:
        return super().next_revision(head) + 6

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if outcome.HasField("refusal"):
            outcome.refusal.message = "Nein. " * 50
        outcome.MergeFromString(UNKNOWN_FIELDS)
        return outcome


class LaterVersion(CartSyncServicer):
    """Every unary answer has fields that this edition does not know."""

    async def SubmitOperations(self, request: Any, context: Any) -> Any:
        return _extended(await super().SubmitOperations(request, context))

    async def GetCart(self, request: Any, context: Any) -> Any:
        return _extended(await super().GetCart(request, context))

    async def LookupOutcomes(self, request: Any, context: Any) -> Any:
        return _extended(await super().LookupOutcomes(request, context))

    async def GetSyncPolicy(self, request: Any, context: Any) -> Any:
        return _extended(await super().GetSyncPolicy(request, context))


def _extended(answer: Message) -> Message:
    answer.MergeFromString(UNKNOWN_FIELDS)
    return answer


class NeverPrunes(SqliteStore):
    """Keeps every record for ever."""

    async def prune_due(self, now: Any) -> int:
        return 0


class QuarantinesAtOnce(Decider):
    """Sets an operation aside at the failure that is one too many, not at the attempt behind it."""

    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        operation = case.operation
        failed_count = case.working.reading.failures.get((operation.sequence, operation.idempotency_key), 0) + 1
        next_in_line = operation.sequence == case.working.queue.decided_through_sequence + 1
        if next_in_line and failed_count >= self.policy.quarantine_attempt_count:
            return self.take(case, refuse(Reason.REASON_QUARANTINED, "it failed too often"))
        return super().failed(case)


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


SERVERS: dict[str, Parts] = {
    "generous": replace(
        REFERENCE, policy=generous, decider=Coarse, servicer=LaterVersion, open_store=stored_in(NeverPrunes)
    ),
    "frugal": replace(REFERENCE, policy=frugal, decider=QuarantinesAtOnce),
    "locking": replace(REFERENCE, settlement=Locking),
}


if __name__ == "__main__":
    run_server(load_config({}, os.environ), SERVERS[sys.argv[1]])
