"""Servers in memory, each wrong in one way: fuzzing finds it, makes it small and blames the right requirement."""

from __future__ import annotations

import functools
import itertools

import pytest
from toy_server import EVERYTHING, ToyStage

from conformance.oracle import Refutation, TooManyWorldsError
from conformance.plans import strategies
from conformance.plans.campaign import Limit, campaign
from conformance.plans.execute import execute
from conformance.plans.family import Family
from conformance.plans.shrinking import Failure
from conformance.plans.steps import Plan
from conformance.requirements import load

WRONG = {
    "answers-before-commit": (strategies.CRASHES, "durability/answer-after-commit"),
    "backend-before-duplicates": (strategies.DUPLICATES, "deciding/duplicates-first"),
    "backend-before-window": (strategies.RETENTION, "retention/window-before-backend"),
    "chain-follows-discard": (strategies.COPIES, "discard/chain-continues"),
    "check-then-insert": (strategies.RACES, "effects/concurrent-duplicates"),
    "collapses-adds": (strategies.DUPLICATES, "cart/add-adds"),
    "conflict-overwrites": (strategies.COPIES, "deciding/conflict-unrecorded"),
    "digests-the-context": (strategies.DUPLICATES, "deciding/payload-by-meaning"),
    "discards-the-decided": (strategies.COPIES, "discard/too-late"),
    "effect-without-record": (strategies.CRASHES, "durability/atomic-commit"),
    "executes-duplicates": (strategies.DUPLICATES, "effects/exactly-once"),
    "forgets-keys-on-restart": (strategies.CRASHES, "durability/restart-keeps-records"),
    "forgets-rejections": (strategies.DUPLICATES, "deciding/rejection-recorded"),
    "gap-accepted": (strategies.DUPLICATES, "deciding/gap-deferred"),
    "goes-on-after-conflict": (strategies.COPIES, "deciding/stop-after-conflict"),
    "guards-own-changes": (strategies.PRICES, "guard/own-queue"),
    "honours-observed-price": (strategies.PRICES, "price/current-wins"),
    "ignores-chain": (strategies.COPIES, "deciding/chain-checked"),
    "ignores-limit": (strategies.PRICES, "price/limit"),
    "keys-are-global": (strategies.DUPLICATES, "deciding/key-scope"),
    "limits-duplicates": (strategies.DUPLICATES, "rate/exempt"),
    "loses-last-of-batch": (strategies.DUPLICATES, "durability/answer-after-commit"),
    "lost-update": (strategies.RACES, "effects/concurrent-queues"),
    "no-key-check": (strategies.DUPLICATES, "deciding/sequence-conflict"),
    "no-payload-check": (strategies.DUPLICATES, "deciding/payload-mismatch"),
    "pruned-is-fresh": (strategies.RETENTION, "retention/purged-not-executed"),
    "pruned-is-rejected": (strategies.RETENTION, "retention/purged-not-executed"),
    "prunes-early": (strategies.RETENTION, "retention/records-kept"),
    "records-deferrals": (strategies.DUPLICATES, "deciding/deferral-unrecorded"),
    "replay-recomputed": (strategies.DUPLICATES, "deciding/replay-verbatim"),
    "reuses-keys": (strategies.DUPLICATES, "deciding/key-reused"),
    "shop-before-duplicates": (strategies.PRICES, "deciding/duplicates-first"),
    "sticks-on-rejection": (strategies.DUPLICATES, "deciding/rejection-advances"),
    "stock-for-decreases": (strategies.PRICES, "stock/decrease-free"),
}


@functools.cache
def found_by(family: Family, fault: str) -> Failure | None:
    """What a campaign finds; its time is counted in looks at the clock, so that it always finds the same."""

    def player(plan: Plan) -> Refutation | None:
        try:
            execute(plan, ToyStage(7, frozenset({fault})))
        except Refutation as refutation:
            return refutation
        except TooManyWorldsError:
            return None
        return None

    ticks = itertools.count()
    limit = Limit(plan_count=600, seconds=2_000, shrink_seconds=200)
    return campaign(family, EVERYTHING, limit, 6, player, monotonic=lambda: float(next(ticks)))


@pytest.mark.parametrize("fault", sorted(WRONG))
def test_a_wrong_server_is_blamed_for_what_it_breaks(fault: str) -> None:
    family, slug = WRONG[fault]
    failure = found_by(family, fault)
    assert failure is not None, "fuzzing did not find it"
    assert failure.refutation.slug == slug, str(failure.refutation)
    assert len(failure.plan.steps) <= 10, failure.plan


@pytest.mark.parametrize("fault", sorted(WRONG))
def test_a_finding_names_a_requirement_of_the_spec_in_one_plain_sentence(fault: str) -> None:
    family, _ = WRONG[fault]
    failure = found_by(family, fault)
    assert failure is not None
    assert failure.refutation.slug in load().by_slug
    assert failure.refutation.summary
    assert "\n" not in failure.refutation.summary


def test_the_smallest_plan_fails_again_and_again() -> None:
    failure = found_by(strategies.DUPLICATES, "executes-duplicates")
    assert failure is not None
    for _ in range(10):
        with pytest.raises(Refutation) as again:
            execute(failure.plan, ToyStage(7, frozenset({"executes-duplicates"})))
        assert again.value.slug == failure.refutation.slug


def test_the_smallest_plan_passes_on_a_correct_server() -> None:
    for fault, (family, _) in sorted(WRONG.items())[:12]:
        failure = found_by(family, fault)
        assert failure is not None
        assert execute(failure.plan, ToyStage(7)).judged_count > 0
