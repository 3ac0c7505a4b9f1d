"""A campaign: plans of one family are drawn and played until one fails; that one is made smaller until time is up.

Hypothesis draws. It does not shrink: it would have to be told apart which failures are real, because against a live
server a race may not come out the same twice. `shrinking` needs no such trust, and knows that any part of a plan is a
plan.

The search is targeted: a plan that reached a new triple of requirement, state and fault (`coverage.py`) goes into the
corpus, and every other plan is one of the corpus, varied (`variation.py`). Those that reached what few others did are
taken most. What is drawn depends on the seed, and on what the plans reached, alone.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conformance.oracle import Refutation
from conformance.plans.coverage import Coverage, Triple
from conformance.plans.family import Family
from conformance.plans.shrinking import Failure, Player, shrink
from conformance.plans.stage import Means
from conformance.plans.steps import Plan
from conformance.plans.strategies import plans
from conformance.plans.variation import varied

ROUND = 20
"""So many plans are drawn at a time. Hypothesis begins each drawing with the plainest plans, a tenth of it: of one long
drawing that is cut short by the clock, little else would be seen."""
VARIED_SHARE = 0.75
"""How many of the plans are varied ones in the long run; in the beginning drawn ones reach more."""
HALF_WAY = 100
"""After so many plans the share is half of that."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a campaign may do."""

    plan_count: int
    seconds: float
    shrink_seconds: float


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a plan: what was found wrong, and the triples that were reached by then."""

    refutation: Refutation | None = None
    triples: Counter[Triple] = field(default_factory=Counter)


Explorer = Callable[[Plan], Played]
"""Plays one plan."""


@dataclass(slots=True)
class _Kept:
    """A plan of the corpus."""

    plan: Plan
    triples: frozenset[Triple]
    taken_count: int = 0


class Search:
    """The search of one family. It can be gone on with: what it reached, and where it stands, stays."""

    def __init__(
        self,
        family: Family,
        means: frozenset[Means],
        campaign_seed: int,
        explorer: Explorer,
        *,
        targeted: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.coverage = Coverage()
        self.new_count = 0  # triples that were new in the last `go_on`
        self._explorer = explorer
        self._monotonic = monotonic
        self._rng = random.Random(campaign_seed)  # noqa: S311 - repeatable on purpose
        self._targeted = targeted
        self._plan_count = 0
        self._corpus: list[_Kept] = []
        self._drawn = _drawn_plans(plans(family, means), self._rng)

    def go_on(self, limit: Limit) -> Failure | None:
        """Play plans until one fails or the limit is reached; returns the smallest failure found.

        What the explorer raises comes out as it is.
        """
        self.new_count = 0
        end = self._monotonic() + limit.seconds
        for _ in range(limit.plan_count):
            plan = self._next_plan()
            if self._monotonic() > end:
                return None
            played = self._explorer(plan)
            new = self.coverage.add(played.triples)
            self.new_count += new
            if new:
                self._corpus.append(_Kept(plan, frozenset(played.triples)))
            if played.refutation is not None:
                failure = Failure(plan, played.refutation)
                shrink_end = self._monotonic() + limit.shrink_seconds
                return shrink(failure, self._player, end=shrink_end, monotonic=self._monotonic)
        return None

    def _player(self, plan: Plan) -> Refutation | None:
        return self._explorer(plan).refutation

    def _next_plan(self) -> Plan:
        self._plan_count += 1
        share = VARIED_SHARE * self._plan_count / (self._plan_count + HALF_WAY)
        if self._targeted and self._corpus and self._rng.random() < share:
            parent, donor = self._chosen(), self._chosen()
            parent.taken_count += 1
            return varied(parent.plan, donor.plan, self._rng)
        return next(self._drawn)

    def _chosen(self) -> _Kept:
        """A plan of the corpus: the rarer what it reached and the less it was taken, the likelier."""
        weights = [self.coverage.rarity(kept.triples) / (1 + kept.taken_count) for kept in self._corpus]
        return self._rng.choices(self._corpus, weights)[0]


def campaign(
    family: Family,
    means: frozenset[Means],
    limit: Limit,
    campaign_seed: int,
    player: Player,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Failure | None:
    """A search by a player that tells nothing of what it reached; returns the smallest failure found."""
    search = Search(family, means, campaign_seed, lambda plan: Played(player(plan)), monotonic=monotonic)
    return search.go_on(limit)


def _drawn_plans(strategy: st.SearchStrategy[Plan], rng: random.Random) -> Iterator[Plan]:
    """Plans without end."""
    return itertools.chain.from_iterable(_round(strategy, rng.getrandbits(64)) for _ in itertools.count())


def _round(strategy: st.SearchStrategy[Plan], round_seed: int) -> list[Plan]:
    """One round of plans, drawn."""
    found: list[Plan] = []

    @seed(round_seed)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(plan=strategy)
    def draw(plan: Plan) -> None:
        found.append(plan)

    draw()
    return found
