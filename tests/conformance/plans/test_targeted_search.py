"""A search goes on from the plans that reached something new: it reaches more than drawing alone, in as many plans."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from toy_server import EVERYTHING, ToyStage

from conformance.oracle import Refutation, TooManyWorldsError
from conformance.plans import strategies
from conformance.plans.campaign import Limit, Played, Search
from conformance.plans.coverage import NO_FAULT, Triple
from conformance.plans.execute import Play
from conformance.plans.files import from_json, to_json
from conformance.plans.steps import Kill, Plan, Product, Restart, Send
from conformance.plans.variation import MOST_COSTLY, MOST_STEPS, varied

UNBOUNDED = 1e9


def played_on_the_toy(plan: Plan) -> Played:
    play = Play(plan, ToyStage(7))
    try:
        play.run()
    except Refutation as refutation:
        return Played(refutation, play.lookout.triples)
    except TooManyWorldsError:
        pass
    return Played(None, play.lookout.triples)


def reached(plan_count: int, seed: int, *, targeted: bool) -> int:
    search = Search(strategies.DUPLICATES, EVERYTHING, seed, played_on_the_toy, targeted=targeted)
    assert search.go_on(Limit(plan_count, UNBOUNDED, 0)) is None
    return len(search.coverage.counts)


def test_targeted_search_reaches_more_triples_than_drawing_alone() -> None:
    by_target, by_luck = (sum(reached(400, seed, targeted=targeted) for seed in (1, 2)) for targeted in (True, False))
    assert by_target > 1.1 * by_luck


def test_the_same_seed_plays_the_same_plans() -> None:
    stories: list[list[Plan]] = []
    for _ in range(2):
        told: list[Plan] = []

        def explorer(plan: Plan, told: list[Plan] = told) -> Played:
            told.append(plan)
            return played_on_the_toy(plan)

        Search(strategies.LOST, EVERYTHING, 5, explorer).go_on(Limit(80, UNBOUNDED, 0))
        stories.append(told)
    assert stories[0] == stories[1]


def test_a_search_goes_on_where_it_stood() -> None:
    plans: list[Plan] = []

    def explorer(plan: Plan) -> Played:
        plans.append(plan)
        return Played(None, Counter({Triple("a/b", f"state {len(plans)}", NO_FAULT): 1}))

    search = Search(strategies.DUPLICATES, EVERYTHING, 4, explorer)
    for turn in range(3):
        search.go_on(Limit(10, UNBOUNDED, 0))
        assert search.new_count == 10, f"turn {turn}"
    assert len(search.coverage.counts) == 30
    in_turns, plans = plans, []
    Search(strategies.DUPLICATES, EVERYTHING, 4, explorer).go_on(Limit(30, UNBOUNDED, 0))
    assert plans == in_turns


@pytest.mark.parametrize("seed", range(20))
def test_a_varied_plan_is_a_plan_that_can_be_written_down_and_is_neither_long_nor_costly(seed: int) -> None:
    rng = random.Random(seed)
    products = (Product("sku-1", 100),)
    left = Plan(products, tuple(Send("A", first=number) for number in range(30)))
    right = Plan(products, (*(Kill() for _ in range(20)), *(Restart() for _ in range(20))))
    for _ in range(20):
        left = varied(left, right, rng)
        assert from_json(to_json(left)) == left
        assert len(left.steps) <= MOST_STEPS
        assert sum(isinstance(step, Kill | Restart) for step in left.steps) <= MOST_COSTLY


def test_a_correct_server_passes_every_varied_plan() -> None:
    for family in (strategies.COPIES, strategies.RETENTION, strategies.CRASHES, strategies.RESTORES):
        search = Search(family, EVERYTHING, 11, played_on_the_toy)
        assert search.go_on(Limit(120, UNBOUNDED, 0)) is None
