from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import operation_pb2, policy_pb2, service_pb2
from live_server import (
    Live,
    Shopper,
    config_in,
    refused,
    running,
    states,
    submit_message,
)

from reference_server.assembly import REFERENCE
from reference_server.service.calls import _CURRENT, Call
from reference_server.service.errors import CallError
from reference_server.service.submissions import Submissions
from reference_server.service.sync_stream import READ_AHEAD_COUNT, Claims, StopReason, SyncStream
from reference_server.settlement import Settled

Stream = Any  # grpc.aio.StreamStreamCall; its generic parameters differ between stubs and runtime


async def opened(shopper: Shopper) -> tuple[Stream, service_pb2.Welcome]:
    stream: Stream = shopper.live.calls.Sync(metadata=shopper.metadata)
    await stream.write(shopper.hello())
    answer = await stream.read()
    assert answer.WhichOneof("message") == "welcome"
    return stream, answer.welcome


async def rest_of(stream: Stream) -> list[service_pb2.Outcomes]:
    answers = []
    while (answer := await stream.read()) is not grpc.aio.EOF:
        answers.append(answer.outcomes)
    return answers


async def test_hello_is_answered_by_store_watermark_and_policy(live: Live) -> None:
    ann = live.shopper()
    settled = await ann.submit(ann.add(), ann.add())
    stream, welcome = await opened(ann)
    assert welcome.store_id == settled.store_id
    assert (welcome.queue.queue_id, welcome.queue.decided_through_sequence) == (ann.queue_id, 2)
    assert welcome.policy.key_scope == policy_pb2.KEY_SCOPE_QUEUE
    stream.cancel()


async def test_pipelined_submissions_are_answered_one_to_one_in_order_and_drained(live: Live) -> None:
    ann = live.shopper()
    stream, _ = await opened(ann)
    sent = [[ann.add(), ann.add()] for _ in range(20)]
    for attempts in sent:
        await stream.write(submit_message(*attempts))
    await stream.done_writing()
    answers = await rest_of(stream)
    assert [[result.outcome.idempotency_key for result in answer.results] for answer in answers] == [
        [attempt.operation.idempotency_key for attempt in attempts] for attempts in sent
    ]
    assert [answer.queue.decided_through_sequence for answer in answers] == list(range(2, 42, 2))
    assert await stream.code() is grpc.StatusCode.OK
    assert await ann.quantity() == 40


async def test_a_stream_that_says_nothing_ends_well(live: Live) -> None:
    stream: Stream = live.calls.Sync(metadata=live.shopper().metadata)
    await stream.done_writing()
    assert await rest_of(stream) == []
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_duplicate_over_the_other_way_in_is_replayed(live: Live) -> None:
    ann = live.shopper()
    attempt = ann.add()
    unary = await ann.submit(attempt)
    stream, _ = await opened(ann)
    await stream.write(submit_message(attempt))
    answer = (await stream.read()).outcomes
    assert answer.results[0].replayed
    assert answer.results[0].outcome == unary.results[0].outcome
    stream.cancel()


async def test_a_stream_without_credential_is_refused(live: Live) -> None:
    stream: Stream = live.calls.Sync()
    with refused() as refusal:
        await stream.read()
    assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")


async def first_message_refused(live: Live, message: service_pb2.SyncRequest) -> tuple[grpc.StatusCode, str, str]:
    stream: Stream = live.calls.Sync(metadata=live.shopper().metadata)
    with refused() as refusal:
        await stream.write(message)
        await stream.read()
    return *refusal.row, refusal.field


INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_a_stream_begins_with_hello(live: Live) -> None:
    assert await first_message_refused(live, submit_message(live.shopper().add())) == (*INVALID, "submit")
    assert await first_message_refused(live, service_pb2.SyncRequest()) == (*INVALID, "message")


async def test_hello_is_checked_as_a_submission_is(live: Live) -> None:
    ann = live.shopper()
    good = ann.hello()

    def hello(**changes: str) -> service_pb2.SyncRequest:
        message = service_pb2.SyncRequest()
        message.CopyFrom(good)
        for name, value in changes.items():
            setattr(message.hello, name, value)
        return message

    assert await first_message_refused(live, hello(queue_id="Q")) == (*INVALID, "hello.queue_id")
    assert await first_message_refused(live, hello(expected_principal="")) == (
        *INVALID,
        "hello.expected_principal",
    )
    assert await first_message_refused(live, hello(expected_principal="bob")) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PRINCIPAL_MISMATCH",
        "",
    )
    assert await first_message_refused(live, hello(store_id="another")) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "STORE_CHANGED",
        "",
    )


async def test_a_second_hello_ends_the_stream_and_earlier_answers_stand(live: Live) -> None:
    ann = live.shopper()
    stream, _ = await opened(ann)
    await stream.write(submit_message(ann.add()))
    await stream.write(ann.hello())
    assert states((await stream.read()).outcomes) == ["APPLIED"]
    with refused() as refusal:
        await stream.read()
    assert (*refusal.row, refusal.field) == (*INVALID, "hello")


async def test_a_wrong_submit_ends_the_stream_and_earlier_answers_stand(live: Live) -> None:
    ann = live.shopper()
    stream, _ = await opened(ann)
    right = ann.add()
    wrong = operation_pb2.OperationAttempt(operation=operation_pb2.CartOperation(sequence=-1))
    behind = ann.add()
    for message in (submit_message(right), submit_message(wrong), submit_message(behind)):
        await stream.write(message)
    assert states((await stream.read()).outcomes) == ["APPLIED"]
    with refused() as refusal:
        await stream.read()
    assert refusal.row == INVALID
    assert refusal.field == "submit.attempts[0].operation.idempotency_key"
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 1


async def test_what_is_no_message_ends_the_stream_and_earlier_answers_stand(live: Live) -> None:
    ann = live.shopper()
    stream: Stream = live.channel.stream_stream("/cartsync.v1.CartSyncService/Sync")(metadata=ann.metadata)
    for data in (ann.hello().SerializeToString(), submit_message(ann.add()).SerializeToString(), b"\xff\xff"):
        await stream.write(data)
    kinds = [service_pb2.SyncResponse.FromString(await stream.read()).WhichOneof("message") for _ in range(2)]
    assert kinds == ["welcome", "outcomes"]
    with refused() as refusal:
        await stream.read()
    assert (*refusal.row, refusal.field) == (*INVALID, "request")


async def test_a_newer_stream_ends_the_older_one_of_its_queue_only(live: Live) -> None:
    ann, other_queue, bob = live.shopper("ann"), live.shopper("ann"), live.shopper("bob")
    bob.queue_id = ann.queue_id
    older, _ = await opened(ann)
    bystanders = [(await opened(other_queue))[0], (await opened(bob))[0]]
    newer, _ = await opened(ann)
    with refused() as refusal:
        await older.read()
    assert refusal.row == (grpc.StatusCode.ABORTED, "STREAM_SUPERSEDED")
    for stream, shopper in ((newer, ann), (bystanders[0], other_queue), (bystanders[1], bob)):
        await stream.write(submit_message(shopper.add()))
        assert states((await stream.read()).outcomes) == ["APPLIED"]
        stream.cancel()


async def test_what_the_older_stream_was_settling_is_settled_once(live: Live) -> None:
    ann = live.shopper()
    await live.control.SetFailPoint(
        control_pb2.SetFailPointRequest(
            principal="ann",
            fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
            action=control_pb2.FAIL_ACTION_HOLD,
        )
    )
    older, _ = await opened(ann)
    attempt = ann.add(3)
    await older.write(submit_message(attempt))
    await live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal="ann"))
    newer, _ = await opened(ann)
    with refused():
        await older.read()
    await newer.write(submit_message(attempt))
    first = (await newer.read()).outcomes
    await live.control.ReleaseFailPoints(control_pb2.ReleaseFailPointsRequest(principal="ann"))
    await newer.write(submit_message(attempt))
    again = (await newer.read()).outcomes
    assert states(first) == ["APPLIED"]
    assert again.results[0].outcome == first.results[0].outcome
    assert await ann.quantity() == 3
    newer.cancel()


async def write_until_stopped(stream: Stream, message: service_pb2.SyncRequest, most: int) -> int:
    """Write until flow control lets no more through; how many went, at most `most`."""
    for count in range(most):
        writing = asyncio.ensure_future(stream.write(message))
        # Waited for, not cancelled: cancelling a write would cancel the call.
        done, _ = await asyncio.wait({writing}, timeout=0.5)
        if not done:
            return count
    return most


async def test_a_stream_whose_reader_has_gone_quiet_is_stopped_by_flow_control_and_superseded(live: Live) -> None:
    ann = live.shopper()
    older, _ = await opened(ann)
    attempts = [ann.add() for _ in range(500)]
    await ann.submit(*attempts)
    # Replayed answers that nobody reads: the server's writes come to a halt, and then the client's.
    assert await write_until_stopped(older, submit_message(*attempts), most=1_000) < 1_000
    newer, _ = await opened(ann)
    await newer.write(submit_message(ann.add()))
    assert states((await newer.read()).outcomes) == ["APPLIED"]
    with refused() as refusal:
        while await older.read() is not grpc.aio.EOF:
            pass
    assert refusal.row == (grpc.StatusCode.ABORTED, "STREAM_SUPERSEDED")
    newer.cancel()


async def test_a_store_restored_under_a_stream_ends_it_with_store_changed(live: Live) -> None:
    ann = live.shopper()
    await live.control.SaveStore(control_pb2.SaveStoreRequest(name="before"))
    stream, _ = await opened(ann)
    restored = await live.control.RestoreStore(control_pb2.RestoreStoreRequest(name="before"))
    await stream.write(submit_message(ann.add()))
    with refused() as refusal:
        await stream.read()
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED")
    assert refusal.info.metadata["store_id"] == restored.store_id
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0


async def test_a_cut_stream_leaves_each_operation_decided_once_or_undecided(live: Live) -> None:
    ann = live.shopper()
    attempts = [ann.add() for _ in range(30)]
    for cut_after in (1, 5, 12):
        stream, welcome = await opened(ann)
        for attempt in attempts[welcome.queue.decided_through_sequence :][:cut_after]:
            await stream.write(submit_message(attempt))
        await stream.read()
        stream.cancel()
    stream, welcome = await opened(ann)
    for attempt in attempts[welcome.queue.decided_through_sequence :]:
        await stream.write(submit_message(attempt))
    await stream.done_writing()
    await rest_of(stream)
    assert await ann.quantity() == 30


async def test_a_stopping_server_answers_what_it_has_read_and_ends_streams_as_unavailable(tmp_path: Path) -> None:
    async with running(config_in(tmp_path)) as live:
        ann = live.shopper()
        stream, _ = await opened(ann)
        await live.control.SetFailPoint(
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
                action=control_pb2.FAIL_ACTION_HOLD,
            )
        )
        await stream.write(submit_message(ann.add(4)))
        await live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal="ann"))
        stopping = asyncio.ensure_future(live.server.stop())
        await live.control.ReleaseFailPoints(control_pb2.ReleaseFailPointsRequest(principal="ann"))
        assert states((await stream.read()).outcomes) == ["APPLIED"]
        with refused() as refusal:
            await stream.read()
        assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)
        await stopping


async def test_a_stream_that_has_not_said_hello_does_not_hold_up_a_stopping_server(tmp_path: Path) -> None:
    read_begun = asyncio.Event()

    class _Silent(SyncStream):
        async def run(self) -> None:
            read_begun.set()
            await super().run()

    parts = dataclasses.replace(REFERENCE, stream=_Silent)
    async with running(config_in(tmp_path, shutdown_grace=timedelta(seconds=60)), parts) as live:
        stream = live.calls.Sync(metadata=live.shopper().metadata)
        await read_begun.wait()
        await asyncio.wait_for(live.server.stop(), 10)
        with refused() as refusal:
            await stream.read()
        assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)


class _Stuck(Submissions):
    """Never answers a submission."""

    async def settle(self, *args: Any, **kwargs: Any) -> Settled:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_a_stream_reads_no_more_than_a_few_submissions_ahead(tmp_path: Path) -> None:
    made: list[_CountingStream] = []

    class _CountingStream(SyncStream):
        read_count = 0

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)
            inner = self._read

            async def counted() -> service_pb2.SyncRequest | None:
                self.read_count += 1
                return await inner()

            self._read = counted

    parts = dataclasses.replace(REFERENCE, submissions=_Stuck, stream=_CountingStream)
    async with running(config_in(tmp_path), parts) as live:
        ann = live.shopper()
        stream, _ = await opened(ann)
        attempt = ann.add()
        attempt.operation.session_context.client_name = "x" * 1_000_000
        # Flow control stops the client long before all of it is written.
        assert await write_until_stopped(stream, submit_message(attempt), most=50) < 50
        # Hello, one being settled, the queue behind it, and one that waits to enter.
        assert made[0].read_count <= 1 + 1 + READ_AHEAD_COUNT + 1
        stream.cancel()


async def test_claims_stop_the_older_holder_and_outlive_its_return() -> None:
    claims = Claims()
    older = claims.take("ann", "q")
    newer = claims.take("ann", "q")
    assert await older.stopped() is StopReason.SUPERSEDED
    claims.give_back("ann", "q", older)
    newest = claims.take("ann", "q")
    assert newer.stop_reason is StopReason.SUPERSEDED
    claims.stop_all()
    assert newest.stop_reason is StopReason.SERVER_STOPPING
    assert claims.take("bob", "q").stop_reason is StopReason.SERVER_STOPPING
    assert older.stop_reason is StopReason.SUPERSEDED


async def test_a_transport_that_breaks_in_the_middle_ends_the_stream_with_its_error(live: Live) -> None:
    """The stream without a network: reading fails after two messages."""
    ann = live.shopper()
    _CURRENT.set(Call("Sync", "ann"))
    written: list[service_pb2.SyncResponse] = []

    async def messages() -> AsyncIterator[service_pb2.SyncRequest]:
        yield ann.hello()
        yield submit_message(ann.add())
        raise CallError(grpc.StatusCode.UNAVAILABLE, "cable cut")

    source = messages()

    async def read() -> service_pb2.SyncRequest | None:
        return await anext(source)

    async def write(message: service_pb2.SyncResponse) -> None:
        written.append(message)

    submissions = live.server.submissions
    with pytest.raises(CallError, match="cable cut"):
        await SyncStream(submissions, Claims(), "ann", read, write).run()
    assert [message.WhichOneof("message") for message in written] == ["welcome", "outcomes"]
