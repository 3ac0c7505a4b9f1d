"""Instants as whole microseconds since 1970-01-01T00:00:00Z: what the engine compares and the store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch; raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a clock must tell aware times; this one has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def span_us(span: timedelta) -> int:
    """Length of a span in microseconds."""
    return span // _MICROSECOND


def timestamp(instant_us: int) -> Timestamp:
    """The instant as it goes on the wire."""
    seconds, rest_us = divmod(instant_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest_us * 1000)


def duration(span: timedelta) -> Duration:
    """The span as it goes on the wire."""
    message = Duration()
    message.FromTimedelta(span)
    return message


def duration_ns(message: Duration) -> int:
    """Length in nanoseconds. Any wire value is accepted: nothing a client sends can overflow or raise."""
    return message.seconds * 1_000_000_000 + message.nanos
