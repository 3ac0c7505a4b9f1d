"""Spec 7: submissions on a Sync stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import grpc
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, service_pb2

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_processed
from conformance.suite.marks import requirement
from conformance.suite.streams import STREAM_SECONDS, answers_in, hello_of, listen, submit_of
from conformance.suite.wrong import wrong_submissions
from conformance.wire.connection import RpcFailureError, Stream
from conformance.wire.device import Answer, Device
from conformance.wire.story import Story
from conformance.wire.wording import described

BURST = 20  # submissions sent at once
Send = Callable[..., Answer]


@requirement("sync/one-answer-each")
def test_each_submission_on_a_stream_has_its_answer(story: Story) -> None:
    """Sends batches with duplicates, gaps and conflicts one after another: one Outcomes each, with its results."""
    phone = story.device()
    tea = story.sku()
    ops = [phone.add(tea) for _ in range(6)]
    imposter = edited(ops[1], idempotency_key=phone.new_key())
    batches = [ops[:2], ops[1:3], [ops[5]], [imposter, ops[2]], ops[:1], ops[3:], ops]
    stream, _ = phone.stream()
    for batch in batches:
        stream.say(submit_of(*batch))
    stream.half_close()
    _expect_answers(story, batches, answers_in(listen(stream)))


@requirement("sync/one-answer-each")
def test_streams_of_several_queues_do_not_mix(story: Story) -> None:
    """Uses streams of two queues, and of the same queue id under another principal, in turns: each has its own."""
    phone, tablet = story.device("phone"), story.device("tablet")
    stranger = story.device("stranger", principal=f"{story.principal_name}-b")
    stranger.queue_id = phone.queue_id
    tea = story.sku()
    devices = (phone, tablet, stranger)
    streams = [device.stream()[0] for device in devices]
    for _ in range(3):
        batches = [[device.add(tea)] for device in devices]
        for stream, batch in zip(streams, batches, strict=True):
            stream.say(submit_of(*batch))
        for device, stream, batch in zip(reversed(devices), reversed(streams), reversed(batches), strict=True):
            answer = device.hear_outcomes(stream)
            _expect_answers(story, [batch], [answer])
            story.expect(
                answer.queue.queue_id == device.queue_id and answer.watermark == len(device.log),
                "an answer on one stream reports another queue",
                expected=f"watermark {len(device.log)} of queue {device.queue_id}",
                observed=answer.queue,
            )
    story.expect_lines(phone.cart(), {tea: 6})
    story.expect_lines(stranger.cart(), {tea: 3})


@requirement("sync/pipelining")
def test_submissions_may_be_sent_ahead_of_their_answers(story: Story) -> None:
    """Holds the first submission and sends more behind it: all are answered, in order, once it goes on."""
    phone = story.device()
    tea = story.sku()
    batches = [[phone.add(tea)] for _ in range(BURST)]
    stream, _ = phone.stream()
    story.shop.hold(control.FAIL_POINT_BEFORE_COMMIT)
    stream.say(submit_of(*batches[0]))
    story.shop.await_held()
    for batch in batches[1:]:
        stream.say(submit_of(*batch))
    story.shop.release()
    answers = [phone.hear_outcomes(stream) for _ in batches]
    _expect_answers(story, batches, answers)
    for answer in answers:
        story.expect_applied(answer.only)
    expect_processed(story, phone, phone.log, {tea: BURST})


@requirement("sync/pipelining")
def test_a_burst_is_answered_in_full(story: Story) -> None:
    """Sends 20 submissions of two operations in one go: all are answered in order, and none is lost."""
    phone = story.device()
    tea = story.sku()
    batches = [[phone.add(tea), phone.add(tea)] for _ in range(BURST)]
    stream, _ = phone.stream()
    stream.say(*(submit_of(*batch) for batch in batches))
    answers = [phone.hear_outcomes(stream) for _ in batches]
    _expect_answers(story, batches, answers)
    expect_processed(story, phone, phone.log, {tea: 2 * BURST})


@requirement("sync/same-meaning")
def test_a_stream_decides_as_a_unary_call_does(story: Story) -> None:
    """Tells one story over a stream and over unary calls: the outcomes are the same, step by step."""
    tea = story.sku(available=10)
    unary, streaming = story.device("unary", cart_id="unary"), story.device("streaming", cart_id="streaming")
    stream, _ = streaming.stream()
    expected = _tell(story, unary, tea, unary.submit)
    observed = _tell(story, streaming, tea, partial(streaming.submit_on, stream))
    for number, (one, other) in enumerate(zip(expected, observed, strict=True), start=1):
        story.expect(
            one == other,
            f"submission {number} is decided otherwise over a stream than in a unary call",
            expected=one,
            observed=other,
        )
    story.expect(
        [line.quantity for line in unary.cart().lines] == [line.quantity for line in streaming.cart().lines],
        "the same story leaves another cart over a stream than in unary calls",
        expected=unary.cart().lines,
        observed=streaming.cart().lines,
    )


@requirement("sync/same-meaning")
def test_duplicates_are_found_across_streams_and_unary_calls(story: Story) -> None:
    """Sends each operation over one of the two ways first and over both again: one decision, replayed verbatim."""
    phone = story.device()
    tea = story.sku()
    phone.add(tea, 2)
    phone.add(f"nothing-{story.tag}")
    phone.add(tea, 3)
    stream, _ = phone.stream()
    ways: tuple[Send, ...] = (phone.submit, partial(phone.submit_on, stream))
    for index, operation in enumerate(phone.log):
        first = ways[index % 2](operation).only
        story.expect(not first.replayed, "an operation that was not sent before is answered as decided")
        for way in ways:
            story.expect_replayed(way(operation).only, first.outcome)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("sync/half-close-drains")
def test_a_half_close_drains_what_was_sent(story: Story) -> None:
    """Sends 20 submissions and half-closes at once: all are answered, and then the stream ends with OK."""
    phone = story.device()
    tea = story.sku()
    batches = [[phone.add(tea)] for _ in range(BURST)]
    stream, _ = phone.stream()
    stream.say(*(submit_of(*batch) for batch in batches))
    stream.half_close()
    _expect_answers(story, batches, answers_in(_drained(story, stream)))
    expect_processed(story, phone, phone.log, {tea: BURST})


@requirement("sync/half-close-drains")
def test_a_half_close_while_a_submission_is_held_drains_too(story: Story) -> None:
    """Half-closes behind a held submission and one more, and behind Hello alone: answers first, then OK."""
    phone = story.device()
    tea = story.sku()
    batches = [[phone.add(tea)], [phone.add(tea)]]
    silent = phone.connection.stream(STREAM_SECONDS)
    silent.say(hello_of(phone))
    silent.half_close()
    heard = _drained(story, silent)
    story.expect(len(heard) == 1, "a half-close right behind Hello is not answered with Welcome alone", observed=heard)
    stream, _ = phone.stream()
    story.shop.hold(control.FAIL_POINT_BEFORE_COMMIT)
    stream.say(*(submit_of(*batch) for batch in batches))
    story.shop.await_held()
    stream.half_close()
    story.shop.release()
    _expect_answers(story, batches, answers_in(_drained(story, stream)))
    expect_processed(story, phone, phone.log, {tea: 2})


@requirement("sync/wrong-submit")
def test_a_wrong_submission_ends_the_stream(story: Story) -> None:
    """Sends each kind of wrong Submit behind a right one: the right one stands, the stream ends, nothing else."""
    tea = story.sku()
    for index in range(len(wrong_submissions(story.device("nobody"), tea))):
        phone = story.device(cart_id=f"cart-{index}")
        wrong = wrong_submissions(phone, tea)[index]
        first = phone.log[0]
        stream, _ = phone.stream()
        story.expect_applied(phone.submit_on(stream, first).only, slug="sync/same-meaning")
        stream.submit(wrong.attempts)
        stream.half_close()
        story.expect_status(
            partial(listen, stream), grpc.StatusCode.INVALID_ARGUMENT, reason="REQUEST_INVALID", what=wrong.name
        )
        expect_processed(story, phone, [first], {tea: 1})


@requirement("sync/wrong-submit")
def test_the_right_part_of_a_wrong_submission_is_not_processed(story: Story) -> None:
    """Sends a Submit whose first operation is next in line and whose second is wrong: neither is processed."""
    phone = story.device()
    tea = story.sku()
    first, second, third = phone.add(tea), phone.add(tea), phone.add(tea)
    stream, _ = phone.stream()
    story.expect_applied(phone.submit_on(stream, first).only, slug="sync/same-meaning")
    stream.say(submit_of(second, edited(third, idempotency_key="tea")))
    stream.half_close()
    story.expect_status(partial(listen, stream), grpc.StatusCode.INVALID_ARGUMENT, what="a Submit with a wrong key")
    expect_processed(story, phone, [first], {tea: 1})


def _tell(story: Story, device: Device, tea: str, send: Send) -> list[list[str]]:
    """A story with an outcome of most kinds; each submission as the words of its outcomes."""
    first, second, third = device.add(tea, 2), device.add(f"nothing-{story.tag}"), device.adjust(tea, -5)
    fourth, fifth, sixth = device.add(tea, 11), device.add(tea, 3, price=90), device.set(tea, 3)
    other = edited(first)
    other.add_item.quantity = 7
    told = []
    for batch in (
        [second],
        [first, second, third],
        [first, second],
        [other, second],
        [fourth, device.discard_of(fifth)],
        [edited(sixth, idempotency_key=device.new_key())],
        [fifth],
        [edited(sixth, previous_key=device.new_key())],
        [device.discard_of(sixth)],
    ):
        answer = send(*batch)
        words = [f"{described(result.outcome)}, replayed {result.replayed}" for result in answer.results]
        told.append([*words, f"watermark {answer.watermark}"])
    return told


def _drained(story: Story, stream: Stream) -> list[service_pb2.SyncResponse]:
    """Everything until the stream ends, which has to be with OK."""
    try:
        return listen(stream)
    except RpcFailureError as failure:
        story.expect(False, f"after a half-close the stream ended with {failure}", expected="OK", observed=failure)
        raise


def _expect_answers(story: Story, batches: list[list[operation_pb2.CartOperation]], answers: list[Answer]) -> None:
    """Expect one answer to each submission, with one result for each of its operations."""
    asked = [[(operation.idempotency_key, operation.sequence) for operation in batch] for batch in batches]
    answered = [[(outcome.idempotency_key, outcome.sequence) for outcome in answer.outcomes] for answer in answers]
    story.expect(
        answered == asked,
        f"{len(asked)} submissions on a stream were answered with {len(answered)} Outcomes, or not with their own",
        expected=asked,
        observed=answered,
    )
