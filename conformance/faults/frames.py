"""HTTP/2 frames in a stream of bytes: as much of RFC 9113 as it takes to find where messages begin and end."""

from __future__ import annotations

from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9
DATA, HEADERS = 0x0, 0x1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came; `kind` is None for the preface that a client begins with."""

    encoded: bytes
    kind: int | None = None

    @property
    def content_count(self) -> int:
        """How many bytes of messages it carries."""
        return len(self.encoded) - HEADER_BYTES if self.kind == DATA else 0


class FrameReader:
    """Cuts bytes into frames, however they arrive."""

    def __init__(self, *, from_client: bool) -> None:
        self._pending = b""
        self._preface_due = from_client

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete by now."""
        self._pending += chunk
        frames = []
        if self._preface_due and len(self._pending) >= len(PREFACE):
            frames.append(Frame(self._pending[: len(PREFACE)]))
            self._pending = self._pending[len(PREFACE) :]
            self._preface_due = False
        while not self._preface_due and len(self._pending) >= HEADER_BYTES:
            size = HEADER_BYTES + int.from_bytes(self._pending[:3], "big")
            if len(self._pending) < size:
                break
            frames.append(Frame(self._pending[:size], self._pending[3]))
            self._pending = self._pending[size:]
        return frames
