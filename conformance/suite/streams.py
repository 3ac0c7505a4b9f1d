"""Listening to a Sync stream until it ends, and what it ended with."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import operation_pb2, service_pb2

from conformance.wire.connection import Stream
from conformance.wire.device import Answer, Device, attempts_of

STREAM_SECONDS = 5.0  # a stream that is to end has this long


def listen(stream: Stream) -> list[service_pb2.SyncResponse]:
    """Everything until the stream ends with OK; raises RpcFailureError when it ends otherwise."""
    heard = []
    while (message := stream.hear()) is not None:
        heard.append(message)
    return heard


def hello_of(
    device: Device, *, store_id: str | None = None, queue_id: str | None = None, principal: str | None = None
) -> service_pb2.SyncRequest:
    """The device's Hello, with what is given in place of its own."""
    return service_pb2.SyncRequest(
        hello=service_pb2.Hello(
            store_id=device.store_id if store_id is None else store_id,
            queue_id=device.queue_id if queue_id is None else queue_id,
            expected_principal=device.principal if principal is None else principal,
        )
    )


def submit_of(*operations: operation_pb2.CartOperation) -> service_pb2.SyncRequest:
    """A Submit of these operations."""
    return service_pb2.SyncRequest(submit=service_pb2.Submit(attempts=attempts_of(operations)))


def answers_in(messages: Sequence[service_pb2.SyncResponse]) -> list[Answer]:
    """The Outcomes among the messages, as answers."""
    return [
        Answer(tuple(message.outcomes.results), message.outcomes.queue, "")
        for message in messages
        if message.WhichOneof("message") == "outcomes"
    ]
