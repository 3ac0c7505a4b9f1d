"""Copies of operations with something changed: what a client that breaks a rule would send."""

from __future__ import annotations

from typing import TypeVar

from cartsync.v1 import operation_pb2
from google.protobuf.message import Message

_Message = TypeVar("_Message", bound=Message)
# Field 19,999 with the text "from-the-future": far above anything the protocol will soon define.
_UNKNOWN_FIELD = bytes([0xFA, 0xE1, 0x09, 15]) + b"from-the-future"


def edited(
    operation: operation_pb2.CartOperation,
    *,
    idempotency_key: str | None = None,
    sequence: int | None = None,
    previous_key: str | None = None,
) -> operation_pb2.CartOperation:
    """A copy of the operation with what is given changed; with nothing given, a copy to be changed."""
    copy = operation_pb2.CartOperation()
    copy.CopyFrom(operation)
    if idempotency_key is not None:
        copy.idempotency_key = idempotency_key
    if sequence is not None:
        copy.sequence = sequence
    if previous_key is not None:
        copy.previous_key = previous_key
    return copy


def discarding(discard: operation_pb2.CartOperation, key: str) -> operation_pb2.CartOperation:
    """A copy of the discard that names another key."""
    copy = edited(discard)
    copy.discard.discarded_key = key
    return copy


def padded(operation: operation_pb2.CartOperation, byte_count: int) -> operation_pb2.CartOperation:
    """A copy of the operation whose encoding has exactly this many bytes, by a long name of the application.

    Raises ValueError when the operation is too large for that already.
    """
    copy = edited(operation)
    for seconds in (0, 1, 1 << 7, 1 << 14):  # a name alone misses sizes at which a length prefix grows; times vary it
        if seconds:
            copy.enqueue_time.seconds = seconds
        copy.session_context.client_name = ""
        missing = byte_count - copy.ByteSize()
        for length in range(max(missing - 8, 0), missing + 1):
            copy.session_context.client_name = "n" * length
            if copy.ByteSize() == byte_count:
                return copy
    raise ValueError(f"the operation cannot be made {byte_count} bytes long")


def from_the_future(message: _Message) -> _Message:
    """A copy of the message with a field that no edition knows in it and in every message inside it."""
    copy = type(message)()
    copy.CopyFrom(message)
    for field, value in copy.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else [value]:
            part.CopyFrom(from_the_future(part))
    copy.MergeFromString(_UNKNOWN_FIELD)
    return copy
