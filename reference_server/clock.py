"""The time of day, and a clock that conformance runs move forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reference_server.ports import Clock


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time with zone, in UTC; None when `text` is none."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class OffsetClock:
    """Another clock, moved forward by an amount that only grows."""

    def __init__(self, base: Clock, offset: timedelta = timedelta(0)) -> None:
        self._base = base
        self._offset = offset

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of the one below it."""
        return self._offset

    def now(self) -> datetime:
        """The time of the clock below plus the offset."""
        return self._base.now() + self._offset

    def advance(self, duration: timedelta) -> None:
        """Move forward by `duration`, which is not negative; raises ValueError when it is."""
        if duration < timedelta(0):
            raise ValueError("a clock only moves forward")
        self._offset += duration
