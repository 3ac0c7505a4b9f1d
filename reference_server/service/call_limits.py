"""How much of the server one principal may keep busy at a time (spec: security/flood).

A principal's calls in work are counted, and the streams among them. What is beyond is refused at once, before its
request is decoded, so that a flood of one costs the others no more than its refusals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from reference_server.service.errors import too_many_calls

RETRY_DELAY = timedelta(seconds=1)


class CallLimits:
    """Counts calls in work by principal."""

    def __init__(self, max_calls: int, max_streams: int) -> None:
        """Allow each principal `max_calls` calls at a time, `max_streams` of them streams; both 1 or more."""
        self._max_calls = max_calls
        self._max_streams = max_streams
        self._calls: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()

    @contextmanager
    def holding(self, principal: str, *, is_stream: bool) -> Iterator[None]:
        """Count one call while the block runs; raises CallError (RESOURCE_EXHAUSTED) when there are too many."""
        name = self.counted_as(principal)
        if self._calls[name] >= self._max_calls or (is_stream and self._streams[name] >= self._max_streams):
            self._forget_idle(name)
            raise too_many_calls(RETRY_DELAY)
        self._calls[name] += 1
        self._streams[name] += is_stream
        try:
            yield
        finally:
            self._calls[name] -= 1
            self._streams[name] -= is_stream
            self._forget_idle(name)

    def counted_as(self, principal: str) -> str:
        """Under whose name a call counts: each principal under its own."""
        return principal

    def _forget_idle(self, name: str) -> None:
        # A Counter keeps names whose count is back at nothing.
        for counter in (self._calls, self._streams):
            if not counter[name]:
                del counter[name]
