from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reference_server.clock import OffsetClock
from reference_server.config import RateLimit
from reference_server.rate_limits import MAX_TRACKED_PRINCIPALS, MIN_RETRY_DELAY, NoLimit, TokenBuckets


class StandingClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)


def buckets(count: int, period: timedelta = timedelta(minutes=1)) -> tuple[TokenBuckets, OffsetClock]:
    clock = OffsetClock(StandingClock())
    return TokenBuckets(RateLimit(count, period), clock), clock


def test_without_a_limit_everything_is_allowed() -> None:
    assert NoLimit().allowance("ann") is None


def test_a_bucket_empties_and_time_fills_it_again() -> None:
    limiter, clock = buckets(60)
    limiter.charge("ann", 60)
    assert limiter.allowance("ann") == 0
    assert limiter.retry_delay("ann") == timedelta(seconds=1)
    assert limiter.allowance("bob") == 60
    clock.advance(timedelta(seconds=10))
    assert limiter.allowance("ann") == 10
    clock.advance(timedelta(hours=1))
    assert limiter.allowance("ann") == 60


def test_an_overdrawn_bucket_waits_longer() -> None:
    limiter, _ = buckets(60)
    limiter.charge("ann", 65)
    assert limiter.allowance("ann") == 0
    assert limiter.retry_delay("ann") == timedelta(seconds=6)


def test_buckets_that_are_full_again_are_forgotten() -> None:
    limiter, clock = buckets(60)
    for number in range(MAX_TRACKED_PRINCIPALS):
        limiter.charge(f"guest-{number}", 1)
    clock.advance(timedelta(minutes=2))
    limiter.charge("ann", 1)
    assert limiter.allowance("ann") == 59
    assert len(limiter._buckets) == 1


def test_a_charge_costs_the_same_however_many_principals_are_busy() -> None:
    class CountingClock(StandingClock):
        reading_count = 0

        def now(self) -> datetime:
            self.reading_count += 1
            return super().now()

    clock = CountingClock()
    limiter = TokenBuckets(RateLimit(60, timedelta(minutes=1)), clock)
    for number in range(MAX_TRACKED_PRINCIPALS + 100):
        limiter.charge(f"guest-{number}", 1)
    assert clock.reading_count < 3 * MAX_TRACKED_PRINCIPALS


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 120)), max_size=30))
def test_never_more_is_allowed_than_capacity_and_time_give(steps: list[tuple[int, int]]) -> None:
    limiter, clock = buckets(60)
    charged, seconds = 0, 0
    for wanted, pause in steps:
        allowed = min(wanted, limiter.allowance("ann") or 0)
        limiter.charge("ann", allowed)
        charged += allowed
        assert charged <= 60 + seconds
        assert limiter.retry_delay("ann") >= MIN_RETRY_DELAY
        clock.advance(timedelta(seconds=pause))
        seconds += pause
