"""A campaign: plans of one family are drawn and played until one fails; that one is made smaller until time is up.

Hypothesis draws. It does not shrink: it would have to be told apart which failures are real, because against a live
server a race may not come out the same twice. `shrinking` needs no such trust, and knows that any part of a plan is a
plan.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conformance.plans.family import Family
from conformance.plans.shrinking import Failure, Player, shrink
from conformance.plans.stage import Means
from conformance.plans.steps import Plan
from conformance.plans.strategies import plans

ROUND = 60
"""So many plans are drawn at a time. Hypothesis begins each drawing with the plainest plans, a tenth of it: of one long
drawing that is cut short by the clock, little else would be seen."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a campaign may do."""

    plan_count: int
    seconds: float
    shrink_seconds: float


class _EndError(BaseException):
    """Ends the drawing: time is up, or the player raised `cause`. No Exception, so that Hypothesis lets it through."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__()
        self.cause = cause


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
    found: list[Failure] = []
    end = monotonic() + limit.seconds

    def play(plan: Plan) -> None:
        if monotonic() > end:
            raise _EndError
        try:
            refutation = player(plan)
        except Exception as error:
            raise _EndError(error) from error
        if refutation is not None:
            found.append(Failure(plan, refutation))
            raise _EndError

    rounds = random.Random(campaign_seed)  # noqa: S311 - repeatable on purpose
    try:
        for begun in range(0, limit.plan_count, ROUND):
            _draw(plans(family, means), play, rounds.getrandbits(64), min(ROUND, limit.plan_count - begun))
    except _EndError as ended:
        if ended.cause is not None:
            raise ended.cause from None
    if not found:
        return None
    return shrink(found[0], player, end=monotonic() + limit.shrink_seconds, monotonic=monotonic)


def _draw(drawn: st.SearchStrategy[Plan], play: Callable[[Plan], None], round_seed: int, count: int) -> None:
    """One round: so many plans, drawn and played."""

    @seed(round_seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(plan=drawn)
    def run(plan: Plan) -> None:
        play(plan)

    run()
