"""Whatever a network does to what was written down, the state in the end is that of the in-order run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from stories import (
    CARDS,
    DEVICES,
    GUEST,
    OFFERS,
    PROMOTIONS,
    TOKEN,
    Piece,
    Story,
    attempts,
    counted,
    queue_id,
    stories,
    submission,
)

from conformance.oracle.deciding import not_looked_at, step
from conformance.oracle.values import Attempt, Limits, Submission
from conformance.oracle.world import Answer, Outcome, Shop, World, initial

LIMITS = Limits(max_coupon_count=2, max_wishlist_entry_count=2, max_address_count=1, max_payment_method_count=2)


def full_shop() -> Shop:
    """A shop with everything that stories ask for, and a clock that stands still."""
    shop = replace(Shop(LIMITS, slack=0.0), owners=tuple(sorted((queue_id(d), owner) for d, owner in DEVICES.items())))
    for sku, offer in OFFERS.items():
        shop = shop.with_offer(sku, offer)
    for code, promotion in PROMOTIONS.items():
        shop = shop.with_promotion(code, promotion)
    for (provider, token), card in CARDS.items():
        shop = shop.with_card(provider, token, card)
    return shop.with_claim_token(TOKEN, GUEST)


pytestmark = pytest.mark.timeout(7_200)  # the deep profile takes its time


@dataclass
class Run:
    """One run of the oracle: its world, and in which order what was decided."""

    world: World
    decided: list[tuple[str, Attempt, Outcome]]

    def arrive(self, arriving: Submission, shop: Shop) -> list[Answer]:
        """Everything of a submission is decided, or what stands behind a stop is not looked at."""
        answers: list[Answer] = []
        stopper: Answer | None = None
        for attempt in arriving.attempts:
            if stopper is not None:
                answers.append(not_looked_at(stopper))
                continue
            ((answer, self.world),) = step(self.world, shop, arriving.queue, attempt)
            answers.append(answer)
            if answer.outcome.state.final and not answer.replayed:
                self.world = counted(self.world, answer.outcome)
                self.decided.append((arriving.queue, attempt, answer.outcome))
            stopper = answer if answer.stops else None
        return answers


def played(story: Story, shop: Shop) -> Run:
    """The story with all its noise, and everything once more in the end, each operation alone."""
    run = Run(initial(), [])
    for piece in story.pieces:
        arriving = submission(story, piece)
        if arriving is not None:
            run.arrive(arriving, shop)
    for device in DEVICES:
        for attempt in attempts(story, device):
            run.arrive(Submission(queue_id(device), (attempt,)), shop)
    return run


def state(world: World) -> dict[str, Any]:
    """What shoppers have in the end."""
    held: dict[str, Any] = {str(place): replace(resource, past=None) for place, resource in world.resources}  # type: ignore[arg-type]
    return held | {f"claim of {guest}": claim for guest, claim in world.claims}


@settings(deadline=None)
@given(stories())
def test_the_state_is_that_of_the_in_order_run(story: Story) -> None:
    shop = full_shop()
    noisy = played(story, shop)
    orderly = Run(initial(), [])
    for queue, attempt, _ in noisy.decided:
        orderly.arrive(Submission(queue, (attempt,)), shop)
    assert state(orderly.world) == state(noisy.world)
    assert orderly.decided == noisy.decided


@settings(deadline=None)
@given(stories())
def test_every_operation_that_arrived_in_good_order_is_decided_once(story: Story) -> None:
    noisy = played(story, full_shop())
    for device in DEVICES:
        places = [attempt.operation.sequence for queue, attempt, _ in noisy.decided if queue == queue_id(device)]
        assert places == list(range(1, len(attempts(story, device)) + 1))


@settings(deadline=None)
@given(stories())
def test_what_arrives_again_gets_the_answer_it_had_and_changes_nothing(story: Story) -> None:
    shop = full_shop()
    noisy = played(story, shop)
    before = noisy.world
    for queue, attempt, outcome in list(noisy.decided):
        (answer,) = noisy.arrive(Submission(queue, (attempt,)), shop)
        assert (answer.replayed, answer.outcome) == (True, outcome)
    assert noisy.world == before


def test_stories_are_told_of_every_kind_of_piece() -> None:
    story = Story((), (Piece("A", 0, 1),))
    assert submission(story, story.pieces[0]) is None
