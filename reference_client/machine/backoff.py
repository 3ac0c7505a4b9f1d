"""How long to wait before trying again: full jitter over an exponential window, on top of what the server asks.

Full jitter because many devices lose the same server at the same moment, and must not all come back at
the same moment. The server's delay is a floor, and the jitter is added to it: otherwise all that were deferred
together would return together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Random = Callable[[], float]
"""Draws a number from 0 (included) to 1 (excluded). Passed in."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The shape of the waiting. All times in seconds."""

    base: float = 0.25
    cap: float = 60.0

    def window(self, failures: int) -> float:
        """The widest jitter after so many failures in a row (1 or more): doubles each time, up to the cap."""
        return float(min(self.cap, self.base * 2 ** min(failures - 1, 32)))

    def delay(self, failures: int, floor: float, random: Random) -> float:
        """Seconds to wait: never below `floor`, below `floor` + the window."""
        return max(0.0, floor) + random() * self.window(failures)
