"""Calls as no gRPC library would make them: HTTP/2 frames written byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from reference_server.config import Address

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
MAX_FRAME_BYTES = 16_384
END_STREAM, END_HEADERS = 1, 4
SECONDS = 10.0

Header = tuple[bytes, bytes]


async def called(
    address: Address, path: str, authorization: Iterable[bytes], body: bytes, more: Sequence[Header] = ()
) -> bytes:
    """Make one call and give back the bytes of what was answered, until its stream has ended.

    Raises TimeoutError when the server leaves the call open.
    """
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"shop"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *((b"authorization", value) for value in authorization),
        *more,
    ]
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)
        writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
        writer.write(_header_frames(block) + _frame(DATA, END_STREAM, 1, body))
        return await asyncio.wait_for(_answer(reader), SECONDS)
    finally:
        writer.close()


def message(body: bytes) -> bytes:
    """A gRPC message with its prefix, as one goes into a DATA frame."""
    return b"\0" + len(body).to_bytes(4, "big") + body


def has_status(answer: bytes, code: int) -> bool:
    """Whether the trailers name this gRPC status. The server writes its headers as plain literals."""
    return b"grpc-status" + _text(str(code).encode()) in answer


async def _answer(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    try:
        while True:
            head = await reader.readexactly(9)
            answer += await reader.readexactly(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if (kind == HEADERS and flags & END_STREAM) or kind in (RESET, GOAWAY):
                return answer
    except asyncio.IncompleteReadError:
        return answer  # the server closed the connection


def _header_frames(block: bytes) -> bytes:
    pieces = [block[start : start + MAX_FRAME_BYTES] for start in range(0, len(block), MAX_FRAME_BYTES)]
    return b"".join(
        _frame(CONTINUATION if index else HEADERS, END_HEADERS if index == len(pieces) - 1 else 0, 1, piece)
        for index, piece in enumerate(pieces)
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _text(value: bytes) -> bytes:
    """An HPACK string, not compressed."""
    length = len(value)
    if length < 127:
        return bytes([length]) + value
    rest, prefix = length - 127, bytearray([127])
    while rest >= 128:
        prefix.append(rest % 128 + 128)
        rest //= 128
    return bytes([*prefix, rest]) + value
