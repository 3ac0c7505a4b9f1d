"""Spec 7: how a Sync stream begins, and how it ends at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import grpc
from cartsync.v1 import service_pb2

from conformance.suite.evidence import expect_processed, expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.streams import STREAM_SECONDS, hello_of, listen, submit_of
from conformance.suite.wrong import near_canonical
from conformance.wire.connection import Connection
from conformance.wire.story import Story

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@requirement("sync/welcome")
def test_hello_is_answered_with_welcome(story: Story) -> None:
    """Opens streams of a new queue and of one at work: store id, watermark and policy come first, and once."""
    phone = story.device()
    contract = story.contract()
    for watermark in (0, 1, 2):
        stream, welcome = phone.stream()
        story.expect(
            welcome.store_id == contract.store_id,
            "Welcome names another store than GetSyncPolicy",
            expected=contract.store_id,
            observed=welcome.store_id,
        )
        story.expect(
            welcome.queue.queue_id == phone.queue_id and welcome.queue.decided_through_sequence == watermark,
            f"Welcome to a queue with watermark {watermark} says something else",
            expected=f"watermark {watermark} of queue {phone.queue_id}",
            observed=welcome.queue,
        )
        story.expect(
            welcome.policy == contract.policy,
            "Welcome carries another policy than GetSyncPolicy",
            expected=contract.policy,
            observed=welcome.policy,
        )
        phone.submit_on(stream, phone.add(story.sku()))
        stream.half_close()
        rest = listen(stream)
        story.expect(not rest, "the stream goes on after its last answer", expected="its end", observed=rest)


@requirement("sync/hello-first")
def test_a_stream_begins_with_hello(story: Story) -> None:
    """Begins streams with a Submit, with an empty message, and with both: INVALID_ARGUMENT, nothing done."""
    phone = story.device()
    operation = phone.add(story.sku())
    empty = service_pb2.SyncRequest()
    for name, messages in {
        "a stream that begins with Submit": (submit_of(operation),),
        "a stream that begins with Submit and then says Hello": (submit_of(operation), hello_of(phone)),
        "a stream that begins with an empty message": (empty, hello_of(phone), submit_of(operation)),
    }.items():
        story.expect_status(_said(phone.connection, *messages), INVALID, reason="REQUEST_INVALID", what=name)
    expect_untouched(story, phone)


@requirement("sync/hello-first")
def test_hello_is_said_once(story: Story) -> None:
    """Says Hello again, at once and behind a submission: INVALID_ARGUMENT; what was answered before it stands."""
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea)
    for message in (hello_of(phone), service_pb2.SyncRequest()):
        stream = phone.connection.stream(STREAM_SECONDS)
        stream.say(hello_of(phone))
        stream.hear()
        stream.say(message)
        stream.half_close()
        story.expect_status(partial(listen, stream), INVALID, what="a stream with a second Hello or an empty message")
    expect_untouched(story, phone)
    stream, _ = phone.stream()
    story.expect_applied(phone.submit_on(stream, operation).only, slug="sync/same-meaning")
    stream.say(hello_of(phone))
    stream.half_close()
    story.expect_status(partial(listen, stream), INVALID, what="a stream with Hello behind a submission")
    expect_processed(story, phone, [operation], {tea: 1})


@requirement("sync/hello-checked")
def test_hello_is_checked_as_a_submission_is(story: Story) -> None:
    """Says Hello for another store, principal and queue, and without credential: the errors of a submission."""
    phone = story.device()
    operation = phone.add(story.sku())
    current = phone.connection.policy().store_id
    failed = grpc.StatusCode.FAILED_PRECONDITION
    changed = story.expect_status(
        _said(phone.connection, hello_of(phone, store_id=f"{current}x"), submit_of(operation)),
        failed,
        reason="STORE_CHANGED",
        what="Hello for another store",
    )
    named = changed.metadata.get("store_id", "")
    story.expect(
        named == current,
        "STORE_CHANGED of a stream names another store than the current",
        expected=current,
        observed=named,
    )
    story.expect_status(
        _said(phone.connection, hello_of(phone, principal=f"{phone.principal}x"), submit_of(operation)),
        failed,
        reason="PRINCIPAL_MISMATCH",
        what="Hello that expects another principal",
    )
    story.expect_status(
        _said(phone.connection, hello_of(phone, principal=""), submit_of(operation)),
        INVALID,
        reason="REQUEST_INVALID",
        what="Hello without expected principal",
    )
    for words, queue_id in {**near_canonical(phone.queue_id), "that is empty": ""}.items():
        story.expect_status(
            _said(phone.connection, hello_of(phone, queue_id=queue_id), submit_of(operation)),
            INVALID,
            reason="REQUEST_INVALID",
            what=f"Hello for a queue id {words}",
        )
    for authorization in ("", "Bearer nobody-was-ever-given-this-token"):
        story.expect_status(
            _said(story.connect_with(authorization), hello_of(phone), submit_of(operation)),
            grpc.StatusCode.UNAUTHENTICATED,
            reason="CREDENTIAL_INVALID",
            what="a stream without a known credential",
        )
    expect_untouched(story, phone)
    phone.store_id = current
    stream, _ = phone.stream()
    story.expect_applied(phone.submit_on(stream, operation).only)


@requirement("sync/superseded")
def test_a_newer_stream_of_a_queue_ends_the_older(story: Story) -> None:
    """Opens a second stream of one queue: the first ends with ABORTED / STREAM_SUPERSEDED, the second works."""
    phone = story.device()
    older = phone.connection.stream(2.0)
    older.say(hello_of(phone))
    older.hear()
    newer, _ = phone.over(story.connect("tablet")).stream()
    story.expect_status(
        partial(listen, older),
        grpc.StatusCode.ABORTED,
        reason="STREAM_SUPERSEDED",
        what="the older of two streams of one queue",
    )
    story.expect_applied(phone.submit_on(newer, phone.add(story.sku())).only, slug="sync/same-meaning")


def _said(connection: Connection, *messages: service_pb2.SyncRequest) -> Callable[[], object]:
    """Says all of this on a new stream, half-closes, and listens to the end."""

    def call() -> object:
        stream = connection.stream(STREAM_SECONDS)
        stream.say(*messages)
        stream.half_close()
        return listen(stream)

    return call
