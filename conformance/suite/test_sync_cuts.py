"""Spec 7: streams that are cut, and several streams of one queue."""

from __future__ import annotations

import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, outcome_pb2

from conformance.suite.evidence import expect_processed, expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.streams import answers_in, hello_of, submit_of
from conformance.wire.connection import RpcFailureError, Stream
from conformance.wire.device import Device
from conformance.wire.story import Story

LENGTH = 24  # operations that a stream is cut in the middle of


@requirement("sync/cut")
@pytest.mark.parametrize("heard_count", [0, 1, 5])
def test_a_cut_stream_is_resumed_above_the_watermark(story: Story, heard_count: int) -> None:
    """Cuts a stream in the middle of a burst and resumes with what Welcome says: each operation once."""
    phone = story.device()
    tea = story.sku()
    for _ in range(LENGTH):
        phone.add(tea)
    stream, _ = phone.stream()
    stream.say(*(submit_of(operation) for operation in phone.log))
    heard = [phone.hear_outcomes(stream).only.outcome for _ in range(heard_count)]
    stream.cut()
    phone.connection.close()
    story.reconnect(phone)
    watermark = _resume(story, phone)
    story.expect(
        watermark >= heard_count,
        "Welcome reports a watermark below what had been answered",
        expected=f"{heard_count} or more",
        observed=watermark,
    )
    for outcome in heard:
        story.expect_replayed(phone.submit(phone.log[outcome.sequence - 1]).only, outcome)
    expect_processed(story, phone, phone.log, {tea: LENGTH})


@requirement("sync/cut")
@pytest.mark.parametrize(
    "point",
    [control.FAIL_POINT_BEFORE_COMMIT, control.FAIL_POINT_AFTER_COMMIT],
    ids=["before-commit", "after-commit"],
)
def test_a_stream_cut_around_a_commit_is_resumed(story: Story, point: control.FailPoint.ValueType) -> None:
    """Cuts a stream while its submission is held beside the commit: decided once or not at all, then completed."""
    phone = story.device()
    tea = story.sku()
    phone.add(tea, 2)
    phone.add(tea, 3)
    stream, _ = phone.stream()
    story.shop.hold(point)
    stream.say(submit_of(*phone.log))
    story.shop.await_held()
    stream.cut()
    phone.connection.close()
    story.shop.release()
    story.reconnect(phone)
    _resume(story, phone)
    expect_processed(story, phone, phone.log, {tea: 5})


@requirement("sync/concurrent-safe")
def test_two_streams_of_a_queue_decide_each_operation_once(story: Story) -> None:
    """Sends the same operations over two streams of one queue at once: one decision each, whichever is ended."""
    phone = story.device()
    tea = story.sku()
    for _ in range(LENGTH):
        phone.add(tea)
    streams = [_opened(phone), _opened(phone.over(story.connect("tablet")))]
    for operation in phone.log:
        for stream in streams:
            stream.say(submit_of(operation))
    for stream in streams:
        stream.half_close()
    _expect_one_decision(story, phone, streams)
    expect_processed(story, phone, phone.log, {tea: LENGTH})


@requirement("sync/concurrent-safe")
@pytest.mark.parametrize(
    "point",
    [control.FAIL_POINT_BEFORE_COMMIT, control.FAIL_POINT_AFTER_COMMIT],
    ids=["before-commit", "after-commit"],
)
def test_a_held_stream_and_a_newer_one_decide_once(story: Story, point: control.FailPoint.ValueType) -> None:
    """Holds a submission beside its commit and sends it over a newer stream: one decision in the answers of both."""
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea, 2)
    older = _opened(phone)
    story.shop.hold(point)
    older.say(submit_of(operation))
    story.shop.await_held()
    tablet = story.connect("tablet")
    newer = tablet.stream()
    newer.say(hello_of(phone), submit_of(operation))
    tablet.policy()  # gives the newer stream time to arrive; it may have to wait for the older one
    story.shop.release()
    older.half_close()
    newer.half_close()
    _expect_one_decision(story, phone, [older, newer])
    expect_processed(story, phone, [operation], {tea: 2})


@requirement("sync/same-meaning")
def test_a_stream_of_before_a_restore_decides_nothing_after_it(story: Story) -> None:
    """Opens a stream that names its store, restores a backup, and submits: as refused as a unary call would be."""
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea)
    phone.store_id = phone.connection.policy().store_id
    stream, _ = phone.stream()
    story.shop.save(story.tag)
    phone.store_id = story.shop.restore(story.tag)
    stream.say(submit_of(operation))
    stream.half_close()
    heard = _heard_out(stream)
    story.expect(
        not any(result.outcome.HasField("decide_time") for result in heard),
        "a stream opened for another store had its operation decided by the restored one",
        expected="the stream ends, nothing decided",
        observed=heard,
    )
    expect_untouched(story, phone)
    story.expect_applied(phone.submit(operation).only)


def _opened(device: Device) -> Stream:
    stream = device.connection.stream()
    stream.say(hello_of(device))
    return stream


def _expect_one_decision(story: Story, device: Device, streams: list[Stream]) -> None:
    """Hear the streams out, send everything again, and expect one decision in all answers to each operation."""
    final: dict[int, outcome_pb2.Outcome] = {}
    fresh: dict[int, int] = {}
    results = [result for stream in streams for result in _heard_out(stream)]
    results += device.submit(*device.log).results
    for result in results:
        outcome = result.outcome
        if not outcome.HasField("decide_time"):
            continue
        fresh[outcome.sequence] = fresh.get(outcome.sequence, 0) + (not result.replayed)
        known = final.setdefault(outcome.sequence, outcome)
        story.expect(
            outcome == known and fresh[outcome.sequence] <= 1,
            f"operation {outcome.sequence} was decided twice over two streams of its queue",
            expected=known,
            observed=outcome,
        )
    for operation in device.log:
        story.expect(
            operation.sequence in final and final[operation.sequence].changed,
            f"operation {operation.sequence} is not applied after all that",
            observed=final.get(operation.sequence),
        )


def _heard_out(stream: Stream) -> list[outcome_pb2.OperationResult]:
    """All results of a stream until it ends, however it does."""
    messages = []
    try:
        while (message := stream.hear()) is not None:
            messages.append(message)
    except RpcFailureError:
        pass  # one of two streams may be ended
    return [result for answer in answers_in(messages) for result in answer.results]


def _resume(story: Story, device: Device) -> int:
    """Send what Welcome says is undecided, over a new stream; returns the watermark it said."""
    stream, welcome = device.stream()
    watermark = welcome.queue.decided_through_sequence
    rest: list[operation_pb2.CartOperation] = device.log[watermark:]
    found = device.lookup(1, max(watermark, 1)).queue.decided_through_sequence
    story.expect(found >= watermark, "the watermark falls after Welcome", expected=watermark, observed=found)
    if rest:
        for result in device.submit_on(stream, *rest).results:
            story.expect_applied(result)
    stream.half_close()
    _heard_out(stream)
    return watermark
