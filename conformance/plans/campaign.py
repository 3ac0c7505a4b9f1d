"""A campaign: plans of one family are drawn, played and, when one fails, made smaller until time is up.

Hypothesis draws and shrinks. Against a live server it cannot be trusted to know when a failure is real: a race may not
come out the same twice, time runs out in the middle. So the smallest failure seen so far is kept beside it, whatever
Hypothesis thinks of it, and is what a campaign ends with.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from hypothesis import HealthCheck, Phase, given, seed, settings

from conformance.oracle import Refutation
from conformance.plans.stage import Means
from conformance.plans.steps import Plan
from conformance.plans.strategies import Family, plans

Player = Callable[[Plan], "Refutation | None"]
"""Plays one plan; gives what it found wrong, or None. Whatever else it raises ends the campaign."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a campaign may do."""

    plan_count: int
    seconds: float
    shrink_seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest plan that was seen to fail, and how."""

    plan: Plan
    refutation: Refutation


class _EnoughError(BaseException):
    """Time is up, or the campaign cannot go on because of `cause`. No Exception, so that Hypothesis lets it through."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__()
        self.cause = cause


class _FailedError(Exception):
    """A plan failed; always raised at one place, so that Hypothesis takes all failures for one."""


def campaign(
    family: Family,
    means: frozenset[Means],
    limit: Limit,
    campaign_seed: int,
    player: Player,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Failure | None:
    """Draw and play plans until one fails or the limit is reached; returns the smallest failure found."""
    watch = _Watch(limit, monotonic)

    @seed(campaign_seed)
    @settings(
        max_examples=limit.plan_count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(plan=plans(family, means))
    def every_plan_passes(plan: Plan) -> None:
        watch.check()
        try:
            refutation = player(plan)
        except Exception as error:
            raise _EnoughError(error) from error
        if refutation is not None:
            watch.failed(plan, refutation)

    try:
        every_plan_passes()
    except _EnoughError as enough:
        if enough.cause is not None and watch.smallest is None:
            raise enough.cause from None
    except Exception:
        if watch.smallest is None:
            raise
    return watch.smallest


class _Watch:
    """Keeps the time and the smallest failure."""

    def __init__(self, limit: Limit, monotonic: Callable[[], float]) -> None:
        self.smallest: Failure | None = None
        self._shrink_seconds = limit.shrink_seconds
        self._monotonic = monotonic
        self._end = monotonic() + limit.seconds

    def check(self) -> None:
        """Raise _EnoughError when time is up."""
        if self._monotonic() > self._end:
            raise _EnoughError

    def failed(self, plan: Plan, refutation: Refutation) -> NoReturn:
        """Note a failure, and tell Hypothesis of it."""
        if self.smallest is None:
            self._end = self._monotonic() + self._shrink_seconds
        if self.smallest is None or size_of(plan) <= size_of(self.smallest.plan):
            self.smallest = Failure(plan, refutation)
        raise _FailedError


def size_of(plan: Plan) -> tuple[int, int]:
    """What counts when plans are compared: fewer steps first, then what is written in them."""
    return (len(plan.steps), len(repr(plan.steps)))
