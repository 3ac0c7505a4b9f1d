"""Structured logs: one JSON object a line, on stdout.

Nothing that a client sent is logged but names and counts: no credential, no payload text. Whoever writes an
event names its fields; there is no free text to slip something into. What gRPC logs of metadata is dropped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TextIO

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

MAX_WAITING_RECORDS = 10_000
MAX_FLUSH_SECONDS = 2.0

SERVER_LOG = logging.getLogger("cartsync.server")


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON; falls silent when nobody reads them any more."""

    def __init__(self, stream: TextIO | Unbuffered) -> None:
        super().__init__()
        self._stream = stream
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; never raises."""
        if self._broken:
            return
        try:
            line = as_line(record)
        except Exception:
            # A library's mistake in its own message (wrong arguments, a repr that raises) costs that one record.
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            # The reader of the pipe has gone. Serving carts matters more than telling about it.
            self._broken = True


class Unbuffered:
    """Text straight to a file descriptor.

    A thread that is stuck in a buffered write holds the buffer's lock, and the interpreter dies on that at exit.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Write all of `text`; raises OSError."""
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is ever held back."""


class InBackground(logging.Handler):
    """Hands records to another handler on a thread of its own.

    A full pipe that nobody reads blocks whoever writes to it; that must not be the event loop. When too many
    records wait, further ones are dropped.
    """

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target
        self._waiting: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING_RECORDS)
        threading.Thread(target=self._hand_over, name="cartsync-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record, or drop it; never blocks, never raises."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(record)

    def flush(self) -> None:
        """Wait until all that was taken has been handed over, but not for ever: the reader may be gone."""
        deadline = time.monotonic() + MAX_FLUSH_SECONDS
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    def _hand_over(self) -> None:
        while True:
            record = self._waiting.get()
            # Not `handle`: only this thread writes, and at exit logging waits for every handler's lock.
            self._target.emit(record)
            self._waiting.task_done()


class WithoutMetadata(logging.Filter):
    """Drops gRPC's complaint about metadata that is no text: it repeats the value, which may be a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be logged."""
        return not str(record.msg).startswith("Invalid encoding")


def as_line(record: logging.LogRecord) -> str:
    """The record as one line of JSON, with its newline."""
    entry: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    if record.name != SERVER_LOG.name:
        entry["logger"] = record.name
    entry.update(getattr(record, "fields", {}))
    if record.exc_info and record.exc_info[0] is not None:
        entry["traceback"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(entry, ensure_ascii=False, default=str, separators=(",", ":")) + "\n"


def start_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every log of the process to the file behind `stream` (stdout when None) as JSON lines.

    `level` is one of the names in `LEVELS`.
    """
    root = logging.getLogger()
    root.handlers[:] = [InBackground(JsonLines(Unbuffered((stream or sys.stdout).fileno())))]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    for handler in root.handlers:
        handler.addFilter(WithoutMetadata())
    SERVER_LOG.setLevel(LEVELS[level])


def log_event(level: int, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
    """Log `event`, a stable name in snake case, with its fields."""
    if SERVER_LOG.isEnabledFor(level):
        SERVER_LOG.log(level, event, exc_info=exc_info, extra={"fields": fields})
