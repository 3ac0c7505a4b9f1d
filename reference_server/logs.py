"""Structured logs: one JSON object a line, on stdout.

Nothing that a client sent is logged but names and counts: no credential, no payload text. Whoever writes an
event names its fields; there is no free text to slip something into.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

SERVER_LOG = logging.getLogger("cartsync.server")


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON; falls silent when nobody reads them any more."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; never raises."""
        if self._broken:
            return
        try:
            self._stream.write(as_line(record))
            self._stream.flush()
        except (OSError, ValueError):
            # The reader of the pipe has gone. Serving carts matters more than telling about it.
            self._broken = True


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
    """Send every log of the process to `stream` (stdout when None) as JSON lines.

    `level` is one of the names in `LEVELS`.
    """
    root = logging.getLogger()
    root.handlers[:] = [JsonLines(sys.stdout if stream is None else stream)]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    SERVER_LOG.setLevel(LEVELS[level])


def log_event(level: int, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
    """Log `event`, a stable name in snake case, with its fields."""
    if SERVER_LOG.isEnabledFor(level):
        SERVER_LOG.log(level, event, exc_info=exc_info, extra={"fields": fields})
