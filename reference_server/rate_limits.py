"""How many operations of a principal may be newly decided (spec: rate/deferred, rate/exempt)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reference_server.config import RateLimit
from reference_server.ports import Clock

MIN_RETRY_DELAY = timedelta(milliseconds=100)
MAX_TRACKED_PRINCIPALS = 10_000


class NoLimit:
    """Lets everything pass."""

    def allowance(self, principal: str) -> int | None:  # noqa: ARG002 - all principals are alike
        """None: no limit."""
        return None

    def retry_delay(self, principal: str) -> timedelta:  # noqa: ARG002 - all principals are alike
        """Nobody is refused, so nobody waits longer than the least."""
        return MIN_RETRY_DELAY

    def charge(self, principal: str, operation_count: int) -> None:
        """Count nothing."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: datetime


class TokenBuckets:
    """A bucket for each principal: full at first, an operation takes one token, time puts them back."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self._capacity = limit.operation_count
        self._per_second = limit.operation_count / limit.period.total_seconds()
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._look_above = MAX_TRACKED_PRINCIPALS

    def allowance(self, principal: str) -> int | None:
        """Whole tokens in the bucket."""
        bucket = self._buckets.get(principal)
        return self._capacity if bucket is None else max(0, int(self._tokens(bucket)))

    def retry_delay(self, principal: str) -> timedelta:
        """Time until the next whole token is there, at least `MIN_RETRY_DELAY`."""
        bucket = self._buckets.get(principal)
        missing = 0.0 if bucket is None else max(0.0, 1 - self._tokens(bucket))
        return max(MIN_RETRY_DELAY, timedelta(seconds=missing / self._per_second))

    def charge(self, principal: str, operation_count: int) -> None:
        """Take tokens out; concurrent submissions may overdraw, and then wait longer."""
        now = self._clock.now()
        bucket = self._buckets.get(principal)
        tokens = float(self._capacity) if bucket is None else self._tokens(bucket)
        self._buckets[principal] = _Bucket(tokens - operation_count, now)
        if len(self._buckets) > self._look_above:
            self._forget_full()

    def _tokens(self, bucket: _Bucket) -> float:
        seconds = max(0.0, (self._clock.now() - bucket.filled).total_seconds())
        return min(float(self._capacity), bucket.tokens + seconds * self._per_second)

    def _forget_full(self) -> None:
        # A full bucket is the same as none.
        self._buckets = {
            principal: bucket for principal, bucket in self._buckets.items() if self._tokens(bucket) < self._capacity
        }
        # Looked at again when they have doubled, so that a charge costs the same however many are busy.
        self._look_above = max(MAX_TRACKED_PRINCIPALS, 2 * len(self._buckets))
