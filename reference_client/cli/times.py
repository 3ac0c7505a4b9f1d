"""Times for people."""

from __future__ import annotations

import datetime


def when(wall_ns: int | None) -> str:
    """A time by the device's clock and zone."""
    if wall_ns is None:
        return "never"
    return datetime.datetime.fromtimestamp(wall_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
