"""Campaigns end in time, draw the same plans for the same seed, and shrink what fails."""

from __future__ import annotations

import itertools

import pytest

from conformance.oracle import Refutation
from conformance.plans import steps, strategies
from conformance.plans.campaign import Limit, campaign
from conformance.plans.shrinking import Failure, shrink
from conformance.plans.stage import Means
from conformance.plans.steps import Plan, Send, Via

FOUND = Refutation("effects/exactly-once", "it went wrong")
NOTHING: frozenset[Means] = frozenset()


def seconds_per_look() -> itertools.count[int]:
    return itertools.count()


def drawn(seed: int, count: int = 20) -> list[Plan]:
    plans: list[Plan] = []

    def player(plan: Plan) -> None:
        plans.append(plan)

    campaign(strategies.DUPLICATES, NOTHING, Limit(count, 1e9, 1), seed, player)
    return plans


def test_the_same_seed_draws_the_same_plans() -> None:
    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_no_more_plans_are_drawn_than_asked_for() -> None:
    assert 0 < len(drawn(1, 7)) <= 7


def test_no_plan_is_drawn_when_time_is_up() -> None:
    ticks = seconds_per_look()
    played: list[Plan] = []
    campaign(
        strategies.DUPLICATES,
        NOTHING,
        Limit(1000, 10, 1),
        1,
        played.append,
        monotonic=lambda: float(next(ticks)),
    )
    assert len(played) == 10


def test_what_the_player_raises_ends_the_campaign_and_comes_out_as_it_is() -> None:
    def player(plan: Plan) -> None:
        raise ConnectionError("the server is gone")

    with pytest.raises(ConnectionError, match="the server is gone"):
        campaign(strategies.DUPLICATES, NOTHING, Limit(10, 1e9, 1), 1, player)


def test_steps_that_need_what_the_target_lacks_are_never_drawn() -> None:
    kinds = {type(step) for plan in drawn(1, 200) for step in plan.steps}
    assert steps.Send in kinds
    assert not kinds & {steps.Backend, steps.RateLimit, steps.SetOffer}


def fails_with_a_stream(plan: Plan) -> Refutation | None:
    return FOUND if any(isinstance(step, Send) and step.via is Via.STREAM for step in plan.steps) else None


def test_a_failing_plan_shrinks_to_the_one_step_that_matters() -> None:
    failure = campaign(strategies.STREAMS, frozenset({Means.STREAM}), Limit(500, 1e9, 1e9), 1, fails_with_a_stream)
    assert failure is not None
    (step,) = failure.plan.steps
    assert isinstance(step, Send)
    assert (step.first, step.last, step.batch, step.fate) == (0, 0, 10, steps.Fate.ANSWERED)


def test_shrinking_ends_in_time_with_a_plan_that_failed() -> None:
    sends = tuple(Send("A", first=number, via=Via.STREAM) for number in range(40))
    ticks = seconds_per_look()
    failure = shrink(Failure(Plan((), sends), FOUND), fails_with_a_stream, end=3, monotonic=lambda: float(next(ticks)))
    assert fails_with_a_stream(failure.plan)
    assert 1 < len(failure.plan.steps) < 40


def test_a_server_that_dies_while_shrinking_leaves_the_smallest_failure_so_far() -> None:
    calls = itertools.count()

    def player(plan: Plan) -> Refutation | None:
        if next(calls) == 2:
            raise ConnectionError
        return fails_with_a_stream(plan)

    sends = tuple(Send("A", first=number, via=Via.STREAM) for number in range(40))
    failure = shrink(Failure(Plan((), sends), FOUND), player, end=1e9, monotonic=lambda: 0.0)
    assert len(failure.plan.steps) == 20
