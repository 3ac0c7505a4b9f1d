"""The Sync stream: submissions of one queue, answered one to one and in order.

A stream is a way to send submissions, not another meaning (spec chapter 7). Three things run in each:

* reading: takes messages from the transport into a short queue. When that is full it stops reading, and HTTP/2
  flow control then stops the client; nothing else limits how far a client may run ahead.
* answering: takes them out one by one, settles, writes the answer. What is wrong ends the stream there, so that
  earlier answers stand; the end of the client's half ends it with OK.
* the claim: says when this stream is to stop, because a newer stream of the queue began (at once; what is
  being settled is still settled) or because the server is stopping (what was read is still answered).
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from cartsync.v1 import service_pb2

from reference_server.service.calls import current_call
from reference_server.service.errors import request_invalid, stream_superseded, unavailable
from reference_server.service.submissions import Submissions

READ_AHEAD_COUNT = 4  # submissions read and not yet answered; bounds the memory of a stream
RESTART_RETRY_DELAY = timedelta(seconds=1)

Read = Callable[[], Awaitable[service_pb2.SyncRequest | None]]  # None: the client has closed its half
Write = Callable[[service_pb2.SyncResponse], Awaitable[None]]


class StopReason(enum.Enum):
    """Why a stream is asked to stop."""

    SUPERSEDED = enum.auto()
    SERVER_STOPPING = enum.auto()


class Claim:
    """A stream's hold on its queue."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()
        self.stop_reason: StopReason | None = None

    def stop(self, reason: StopReason) -> None:
        """Ask the stream to stop; the first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self._stopped.set()

    async def stopped(self) -> StopReason:
        """Wait until the stream is asked to stop."""
        await self._stopped.wait()
        assert self.stop_reason is not None
        return self.stop_reason


class Claims:
    """Which stream holds which queue. A courtesy: safety is the compare-and-set in the store alone."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], Claim] = {}
        self._stopping = asyncio.Event()

    def take(self, principal: str, queue_id: str) -> Claim:
        """Give the queue to a new stream and stop the one that holds it."""
        claim = Claim()
        older = self._claims.get((principal, queue_id))
        if older is not None:
            older.stop(StopReason.SUPERSEDED)
        self._claims[principal, queue_id] = claim
        if self._stopping.is_set():
            claim.stop(StopReason.SERVER_STOPPING)
        return claim

    def give_back(self, principal: str, queue_id: str, claim: Claim) -> None:
        """End a stream's hold, unless a newer one has it by now."""
        if self._claims.get((principal, queue_id)) is claim:
            del self._claims[principal, queue_id]

    def stop_all(self) -> None:
        """Ask every stream, and every later one, to stop because the server does."""
        self._stopping.set()
        for claim in self._claims.values():
            claim.stop(StopReason.SERVER_STOPPING)

    async def stopping(self) -> None:
        """Wait until the server stops; for a stream that holds no queue yet."""
        await self._stopping.wait()


class SyncStream:
    """One stream while it lives."""

    def __init__(self, submissions: Submissions, claims: Claims, principal: str, read: Read, write: Write) -> None:
        self._submissions = submissions
        self._claims = claims
        self._principal = principal
        self._read = read
        self._write = write
        self._queue_id = ""
        self._store_id = ""
        self._pending: asyncio.Queue[service_pb2.SyncRequest | Exception | None] = asyncio.Queue(READ_AHEAD_COUNT)

    async def run(self) -> None:
        """Answer until the client has finished; raises CallError when the stream ends otherwise."""
        first = await self._first_message()
        if first is None:
            return
        welcome = await self.open(first)
        claim = self.take_claim()
        try:
            await self._write(service_pb2.SyncResponse(welcome=welcome))
            await self._answer_until_stopped(claim)
        finally:
            self._claims.give_back(self._principal, self._queue_id, claim)

    async def _first_message(self) -> service_pb2.SyncRequest | None:
        reading = asyncio.ensure_future(self._read())
        stopping = asyncio.ensure_future(self._claims.stopping())
        try:
            await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise unavailable("The server is stopping.", RESTART_RETRY_DELAY)
            return reading.result()
        finally:
            await _cancel(reading, stopping)

    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        """Check the first message and greet (spec: sync/welcome, sync/hello-first, sync/hello-checked)."""
        if first.WhichOneof("message") != "hello":
            field = first.WhichOneof("message") or "message"
            raise request_invalid([(field, "must not come first: the first message of a stream is hello")])
        hello = first.hello
        self._submissions.check_queue(self._principal, hello, prefix="hello.")
        watermark, store_id = await self._submissions.watermark(self._principal, hello.queue_id, hello.store_id)
        self._queue_id, self._store_id = hello.queue_id, store_id
        return service_pb2.Welcome(
            store_id=store_id,
            queue=service_pb2.QueueState(queue_id=hello.queue_id, decided_through_sequence=watermark),
            policy=self._submissions.policy_message(),
        )

    def take_claim(self) -> Claim:
        """Hold the queue, ending an older stream of it (spec: sync/superseded)."""
        return self._claims.take(self._principal, self._queue_id)

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        """Settle one message after the first (spec: sync/one-answer-each, sync/wrong-submit)."""
        kind = message.WhichOneof("message")
        if kind == "hello":
            raise request_invalid([("hello", "must come first and only once")])
        if kind != "submit":
            raise request_invalid([("message", "must be submit, or hello as the first one")])
        # The client knows the store from the Welcome, so from here on it is the one it counts on.
        settled = await self._submissions.settle(
            self._principal, self._queue_id, message.submit.attempts, self._store_id, prefix="submit."
        )
        current_call().count(settled.results)
        return service_pb2.Outcomes(
            queue=service_pb2.QueueState(
                queue_id=self._queue_id, decided_through_sequence=settled.decided_through_sequence
            ),
            results=settled.results,
        )

    async def _answer_until_stopped(self, claim: Claim) -> None:
        reading = asyncio.ensure_future(self._read_ahead())
        answering = asyncio.ensure_future(self._answer_pending())
        stopping = asyncio.ensure_future(claim.stopped())
        try:
            await asyncio.wait([answering, stopping], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            reading.cancel()
            if stopping.result() is StopReason.SUPERSEDED:
                raise stream_superseded()
            await self._answer_what_was_read(answering)
            raise unavailable("The server is stopping.", RESTART_RETRY_DELAY)
        finally:
            await _cancel(reading, answering, stopping)

    async def _answer_what_was_read(self, answering: asyncio.Future[None]) -> None:
        end = asyncio.ensure_future(self._pending.put(None))
        try:
            await answering
        finally:
            end.cancel()

    async def _read_ahead(self) -> None:
        message: service_pb2.SyncRequest | None = service_pb2.SyncRequest()
        while message is not None:
            try:
                message = await self._read()
            except Exception as error:
                # It takes its place behind what came before it, so that earlier answers stand.
                await self._pending.put(error)
                return
            await self._pending.put(message)

    async def _answer_pending(self) -> None:
        while (message := await self._pending.get()) is not None:
            if isinstance(message, Exception):
                raise message
            outcomes = await self.answer(message)
            await self._write(service_pb2.SyncResponse(outcomes=outcomes))


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
