"""The judge keeps what is possible, and says no in a sentence when nothing is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.oracle import Judge, Refutation
from conformance.oracle.observations import (
    ObservedAnswer,
    ObservedCart,
    ObservedLine,
    ObservedLookup,
    ObservedOutcome,
    ObservedResult,
    ObservedStatus,
)
from conformance.oracle.values import NO_DETAILS, Add, Attempt, Line, Money, Offer, Operation, State, Submission

PRICE = Money("GBP", 100)


def attempt(sequence: int, quantity: int = 1) -> Attempt:
    previous = f"key-{sequence - 1}" if sequence > 1 else ""
    return Attempt(Operation(f"key-{sequence}", sequence, previous, Add("main", "tea", quantity, PRICE)))


def submission(*attempts: Attempt) -> Submission:
    return Submission("queue", attempts)


def added(sequence: int, before: int, after: int, revision: int = 0) -> ObservedOutcome:
    return ObservedOutcome(
        key=f"key-{sequence}",
        sequence=sequence,
        state=State.APPLIED,
        reason=None,
        disposition=None,
        revision=revision or sequence,
        changed=True,
        line=Line("tea", before, after),
        adjustments=(),
        details=NO_DETAILS,
        decided_at=sequence,
        has_retry_delay=False,
        verbatim=f"{sequence} {before} {after}".encode(),
    )


def answer(watermark: int, *outcomes: ObservedOutcome, replayed: bool = False) -> ObservedAnswer:
    return ObservedAnswer("queue", watermark, tuple(ObservedResult(outcome, replayed) for outcome in outcomes))


def cart(quantity: int, revision: int, watermark: int) -> ObservedCart:
    line = ObservedLine("tea", quantity, PRICE, Money("GBP", 100 * quantity), "AVAILABLE", None)
    lines = (line,) if quantity else ()
    total = lines[0].total if lines else None
    return ObservedCart("main", revision, False, lines, total, watermark, total=total)


@pytest.fixture
def judge() -> Judge:
    judge = Judge()
    judge.offer_put("tea", Offer(PRICE))
    return judge


def test_a_lost_answer_is_settled_by_a_look_at_the_cart(judge: Judge) -> None:
    judge.lost(submission(attempt(1, 2), attempt(2, 3)))
    assert judge.watermarks("queue") == {0, 1, 2}
    judge.cart_read(cart(2, 7, 1), "queue")
    judge.answered(submission(attempt(1, 2)), answer(1, added(1, 0, 2, 7), replayed=True))
    assert judge.watermarks("queue") == {1, 2}, "the second operation may still be on its way"


def test_a_wrong_answer_is_told_with_the_only_one_that_was_due(judge: Judge) -> None:
    with pytest.raises(Refutation) as found:
        judge.answered(submission(attempt(2)), answer(2, added(2, 0, 1, 1)))
    assert found.value.summary.startswith("operation 2 was answered APPLIED, tea 0 -> 1")
    assert found.value.summary.endswith(", where DEFERRED / SEQUENCE_GAP was due")


def test_a_wrong_answer_is_told_without_what_was_due_while_several_answers_are_possible(judge: Judge) -> None:
    judge.lost(submission(attempt(1)))
    refused = replace(added(2, 0, 1), state=State.REJECTED, reason="SKU_UNKNOWN", line=None, changed=False)
    with pytest.raises(Refutation) as found:
        judge.answered(submission(attempt(2)), answer(2, refused))
    assert found.value.summary.startswith("operation 2 was answered REJECTED / SKU_UNKNOWN")
    assert " was due" not in found.value.summary


def test_after_a_crash_what_was_not_there_stays_away(judge: Judge) -> None:
    judge.lost(submission(attempt(1)))
    judge.crashed()
    judge.cart_read(cart(0, 0, 0), "queue")
    assert judge.watermarks("queue") == {0}


def test_an_effect_without_its_watermark_is_not_atomic(judge: Judge) -> None:
    judge.lost(submission(attempt(1)))
    judge.crashed()
    with pytest.raises(Refutation, match="durability/atomic-commit"):
        judge.cart_read(cart(1, 1, 0), "queue")


def test_what_was_answered_and_is_gone_after_a_crash_was_not_durable(judge: Judge) -> None:
    judge.answered(submission(attempt(1)), answer(1, added(1, 0, 1)))
    judge.crashed()
    with pytest.raises(Refutation, match="durability/answer-after-commit"):
        judge.looked_up(ObservedLookup("queue", 0, (ObservedStatus(1, "UNDECIDED", None),)), 1, 1)


def test_a_duplicate_that_is_executed_again_is_no_replay(judge: Judge) -> None:
    judge.answered(submission(attempt(1)), answer(1, added(1, 0, 1)))
    with pytest.raises(Refutation, match="effects/exactly-once") as found:
        judge.answered(submission(attempt(1)), answer(1, added(1, 1, 2, 2)))
    assert "0 -> 1 (replayed)" in found.value.expected


def test_a_revision_may_be_any_that_is_greater_but_none_that_is_not(judge: Judge) -> None:
    judge.answered(submission(attempt(1)), answer(1, added(1, 0, 1, 40)))
    judge.answered(submission(attempt(2)), answer(2, added(2, 1, 2, 99)))
    with pytest.raises(Refutation, match="revision/increases"):
        judge.answered(submission(attempt(3)), answer(3, added(3, 2, 3, 99)))


def test_duplicates_that_race_carry_one_decision_in_either_order(judge: Judge) -> None:
    once = answer(1, added(1, 0, 1))
    again = answer(1, added(1, 0, 1), replayed=True)
    judge.raced((submission(attempt(1)), again), (submission(attempt(1)), once))
    assert judge.watermarks("queue") == {1}


def test_duplicates_that_race_and_are_both_executed_are_found_out(judge: Judge) -> None:
    with pytest.raises(Refutation, match="effects/concurrent-duplicates"):
        judge.raced(
            (submission(attempt(1)), answer(1, added(1, 0, 1))),
            (submission(attempt(1)), answer(1, added(1, 1, 2, 2))),
        )


def test_an_answer_with_a_result_too_few_is_refused(judge: Judge) -> None:
    with pytest.raises(Refutation, match="answers/one-per-attempt"):
        judge.answered(submission(attempt(1), attempt(2)), answer(1, added(1, 0, 1)))


def test_a_watermark_behind_its_own_answer_is_refused(judge: Judge) -> None:
    with pytest.raises(Refutation, match="answers/watermark"):
        judge.answered(submission(attempt(1)), answer(0, added(1, 0, 1)))


def test_a_final_outcome_needs_its_time_of_decision(judge: Judge) -> None:
    timeless = replace(added(1, 0, 1), decided_at=None)
    with pytest.raises(Refutation, match="answers/final-fields"):
        judge.answered(submission(attempt(1)), answer(1, timeless))


def test_a_submission_that_surely_commits_is_told_from_one_that_may_not(judge: Judge) -> None:
    assert judge.surely_commits(submission(attempt(1)))
    assert not judge.surely_commits(submission(attempt(2)))
    judge.lost(submission(attempt(1)))
    assert not judge.surely_commits(submission(attempt(1)))
