"""The Sync stream: what a stream does otherwise than a unary call, or to the stream itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar

from cartsync.v1 import service_pb2

from conformance.mutants.mutant import Mutant
from reference_server.service.errors import CallError, request_invalid, unavailable
from reference_server.service.sync_stream import RESTART_RETRY_DELAY, Claim, Claims, SyncStream


class _DropsPending(SyncStream):
    """The end of the client's half is the end of everything."""

    async def _answer_pending(self) -> None:
        while (message := await self._pending.get()) is not None:
            if isinstance(message, Exception):
                raise message
            outcomes = await self.answer(message)
            if self._ended:
                return
            await self._write(service_pb2.SyncResponse(outcomes=outcomes))

    _ended = False

    async def _read_ahead(self) -> None:
        await super()._read_ahead()
        self._ended = True


class _EndsWithError(SyncStream):
    """Answers what was sent, and ends with a status that makes the client try again."""

    async def _answer_until_stopped(self, claim: Claim) -> None:
        await super()._answer_until_stopped(claim)
        raise unavailable("The stream has ended.", RESTART_RETRY_DELAY)


class _OneAtATime(SyncStream):
    """Takes a submission for a mistake that comes before the one before it was answered."""

    async def _answer_pending(self) -> None:
        while (message := await self._pending.get()) is not None:
            if isinstance(message, Exception):
                raise message
            outcomes = await self.answer(message)
            await asyncio.sleep(0.005)
            if self._pending.qsize() and (following := self._pending.get_nowait()) is not None:
                raise request_invalid([("submit", f"came too early ({type(following).__name__})")])
            await self._write(service_pb2.SyncResponse(outcomes=outcomes))


class _AnswersTwice(SyncStream):
    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        outcomes = await super().answer(message)
        await self._write(service_pb2.SyncResponse(outcomes=outcomes))
        return outcomes


class _AnswersLastFirst(SyncStream):
    """Answers in pairs, the later submission first."""

    async def _answer_pending(self) -> None:
        waiting: list[service_pb2.Outcomes] = []
        while (message := await self._pending.get()) is not None:
            if isinstance(message, Exception):
                raise message
            waiting.append(await self.answer(message))
            await asyncio.sleep(0.005)
            if len(waiting) == 2 or self._pending.empty():
                await self._send(waiting)
        await self._send(waiting)

    async def _send(self, waiting: list[service_pb2.Outcomes]) -> None:
        while waiting:
            await self._write(service_pb2.SyncResponse(outcomes=waiting.pop()))


class _ForgetsReplays(SyncStream):
    """A stream says of every outcome that it is new."""

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        outcomes = await super().answer(message)
        for result in outcomes.results:
            result.replayed = False
        return outcomes


class _ForgetsAge(SyncStream):
    """The age of an operation is lost on a stream."""

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        for attempt in message.submit.attempts:
            attempt.ClearField("age")
        return await super().answer(message)


class _WelcomeWithoutWatermark(SyncStream):
    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        welcome = await super().open(first)
        welcome.queue.decided_through_sequence = 0
        return welcome


class _WelcomeWithoutPolicy(SyncStream):
    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        welcome = await super().open(first)
        welcome.ClearField("policy")
        return welcome


class _HelloAgain(SyncStream):
    """Takes a second hello for a question about the watermark."""

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        if message.HasField("hello"):
            return service_pb2.Outcomes(queue=(await self.open(message)).queue)
        return await super().answer(message)


class _AnyHello(SyncStream):
    """Does not ask whose queue it is."""

    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        if first.hello.expected_principal:
            first.hello.expected_principal = self._principal
        return await super().open(first)


class _AnyStoreInHello(SyncStream):
    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        first.hello.store_id = ""
        return await super().open(first)


class _SkipsWrong(SyncStream):
    """Answers a wrong submission with nothing, and goes on."""

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        try:
            return await super().answer(message)
        except CallError:
            if not message.HasField("submit"):
                raise
            return service_pb2.Outcomes(queue=service_pb2.QueueState(queue_id=self._queue_id))


class _DecidesUpToTheError(SyncStream):
    """What stands before the wrong operation of a submission is decided before the stream ends."""

    async def answer(self, message: service_pb2.SyncRequest) -> service_pb2.Outcomes:
        try:
            return await super().answer(message)
        except CallError:
            right = service_pb2.SyncRequest(submit=service_pb2.Submit(attempts=message.submit.attempts[:1]))
            with contextlib.suppress(CallError):
                await super().answer(right)
            raise


class _SaysReceived(SyncStream):
    """Takes what a stream has read for decided when the client comes back, even if the stream was cut before that."""

    _received: ClassVar[dict[tuple[str, str], int]] = {}

    async def open(self, first: service_pb2.SyncRequest) -> service_pb2.Welcome:
        welcome = await super().open(first)
        received = self._received.get((self._principal, self._queue_id), 0)
        welcome.queue.decided_through_sequence = max(welcome.queue.decided_through_sequence, received)
        return welcome

    async def _answer_pending(self) -> None:
        while (message := await self._pending.get()) is not None:
            if isinstance(message, Exception):
                raise message
            for attempt in message.submit.attempts:
                self._received[self._principal, self._queue_id] = attempt.operation.sequence
            await asyncio.sleep(0.01)  # the work that makes deciding later than reading
            await self._write(service_pb2.SyncResponse(outcomes=await self.answer(message)))


class _OlderStays(Claims):
    """A queue has as many streams as were opened."""

    def take(self, principal: str, queue_id: str) -> Claim:
        self._claims.pop((principal, queue_id), None)
        return super().take(principal, queue_id)


MUTANTS = (
    Mutant(
        "half-close-drops-pending",
        "Ends a stream at the half-close without answering what was sent before.",
        ("sync/half-close-drains", "sync/one-answer-each"),
        "stream",
        _DropsPending,
    ),
    Mutant(
        "half-close-ends-with-an-error",
        "Ends a stream that was closed in good order with an error.",
        ("sync/half-close-drains",),
        "stream",
        _EndsWithError,
    ),
    Mutant(
        "stream-one-at-a-time",
        "Ends a stream whose client sends before it was answered.",
        ("sync/pipelining", "sync/one-answer-each", "sync/half-close-drains"),
        "stream",
        _OneAtATime,
    ),
    Mutant(
        "stream-answers-twice",
        "Answers every submission on a stream twice.",
        ("sync/one-answer-each",),
        "stream",
        _AnswersTwice,
    ),
    Mutant(
        "stream-answers-last-first",
        "Answers the later of two submissions first.",
        ("sync/one-answer-each",),
        "stream",
        _AnswersLastFirst,
    ),
    Mutant(
        "stream-forgets-replays",
        "Calls a replayed outcome new when it goes out over a stream.",
        ("sync/same-meaning", "deciding/replayed-flag"),
        "stream",
        _ForgetsReplays,
    ),
    Mutant(
        "stream-forgets-age",
        "Decides expired operations when they come over a stream.",
        ("sync/same-meaning", "retention/window-enforced"),
        "stream",
        _ForgetsAge,
    ),
    Mutant(
        "welcome-without-watermark",
        "Welcomes every queue as if it had never sent anything.",
        ("sync/welcome",),
        "stream",
        _WelcomeWithoutWatermark,
    ),
    Mutant(
        "welcome-without-policy",
        "Welcomes without saying its policy.",
        ("sync/welcome",),
        "stream",
        _WelcomeWithoutPolicy,
    ),
    Mutant(
        "hello-again",
        "Takes a second hello on a stream.",
        ("sync/hello-first",),
        "stream",
        _HelloAgain,
    ),
    Mutant(
        "hello-from-anybody",
        "Does not compare the principal that hello expects with the caller.",
        ("sync/hello-checked",),
        "stream",
        _AnyHello,
    ),
    Mutant(
        "hello-to-any-store",
        "Does not compare the store that hello expects with its own.",
        ("sync/hello-checked", "store/changed-refused"),
        "stream",
        _AnyStoreInHello,
    ),
    Mutant(
        "stream-skips-wrong-submissions",
        "Answers a wrong submission on a stream with nothing, and goes on.",
        ("sync/wrong-submit",),
        "stream",
        _SkipsWrong,
    ),
    Mutant(
        "stream-decides-up-to-the-error",
        "Decides the first operation of a wrong submission before it ends the stream.",
        ("sync/wrong-submit", "submission/all-or-nothing"),
        "stream",
        _DecidesUpToTheError,
    ),
    Mutant(
        "welcome-says-received",
        "Takes what it had received over a cut stream for decided, so that the client never sends it again.",
        ("sync/cut", "sync/welcome"),
        "stream",
        _SaysReceived,
    ),
    Mutant(
        "older-stream-stays",
        "Keeps the older of two streams of a queue open.",
        ("sync/superseded",),
        "claims",
        _OlderStays,
    ),
)
