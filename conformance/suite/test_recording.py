"""Checks of spec 3.3: what is recorded, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cartsync.v1 import reason_pb2

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_effects, expect_undecided, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Story


@requirement("deciding/rejection-recorded")
def test_a_rejection_is_replayed_even_when_the_operation_would_be_accepted_by_then(story: Story) -> None:
    """Sends an add that stock does not cover, restocks, and sends it again: still the recorded rejection."""
    tea = story.sku("tea", available=1)
    phone = story.device()
    operation = phone.add(tea, 3)
    first = story.expect_refused(
        phone.submit(operation).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact"
    )
    story.shop.offer(tea, 100, available=50)
    story.expect_replayed(phone.submit(operation).only, first)
    expect_effects(story, phone, operation, 0)
    story.expect_lines(phone.cart(), {})


@requirement("deciding/rejection-recorded")
def test_a_rejection_before_the_cart_rules_is_recorded_too(story: Story) -> None:
    """Sends a malformed operation twice, and then its key with a payload that would be fine."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 0)
    first = story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_MALFORMED, slug="deciding/malformed")
    story.expect_replayed(phone.submit(operation).only, first)
    mended = edited(operation)
    mended.add_item.quantity = 1
    story.expect_refused(
        phone.submit(mended).only, reason_pb2.REASON_PAYLOAD_MISMATCH, slug="deciding/payload-mismatch"
    )
    story.expect_lines(phone.cart(), {})


@requirement("deciding/rejection-advances")
def test_the_operation_behind_a_rejected_one_is_decided(story: Story) -> None:
    """Sends a rejected operation alone, and the one behind it in the next submission."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    answer = phone.submit(phone.add(gone))
    story.expect_refused(answer.only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact")
    expect_watermark(story, answer, 1)
    following = phone.submit(phone.add(tea, 2))
    story.expect_applied(following.only)
    expect_watermark(story, following, 2)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("deciding/rejection-advances")
def test_a_rejection_does_not_stop_a_submission(story: Story) -> None:
    """Sends five operations in one submission, two of them rejected for different reasons."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    answer = phone.submit(
        phone.add(tea, 2), phone.add(gone), phone.add(tea, 1), phone.set(tea, -1), phone.adjust(tea, 4)
    )
    story.expect_applied(answer.results[0], slug="cart/add-adds")
    story.expect_refused(answer.results[1], reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact")
    story.expect_applied(answer.results[2])
    story.expect_refused(answer.results[3], reason_pb2.REASON_MALFORMED, slug="deciding/malformed")
    story.expect_applied(answer.results[4])
    expect_watermark(story, answer, 5)
    story.expect_lines(phone.cart(), {tea: 7})


@dataclass(frozen=True)
class Trouble:
    """Something that defers operations for a while."""

    slug: str  # of the requirement that says so
    reason: reason_pb2.Reason.ValueType
    begin: Callable[[Story], None]
    end: Callable[[Story], None]


TROUBLES = {
    "rate limited": Trouble(
        "rate/deferred",
        reason_pb2.REASON_RATE_LIMITED,
        lambda story: story.shop.rate_limit(0),
        lambda story: story.shop.rate_limit(None),
    ),
    "backend unavailable": Trouble(
        "backend/deferred",
        reason_pb2.REASON_BACKEND_UNAVAILABLE,
        lambda story: story.shop.backend(available=False),
        lambda story: story.shop.backend(available=True),
    ),
    "failing": Trouble(
        "poison/internal-deferred",
        reason_pb2.REASON_INTERNAL,
        lambda story: story.shop.throw(2),
        lambda story: story.shop.release(),
    ),
}


@requirement("deciding/deferral-unrecorded")
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_a_deferred_operation_is_decided_afresh(story: Story, trouble: Trouble) -> None:
    """Defers an operation, ends the trouble and sends the same again: decided by then, and not as a replay."""
    if trouble.reason == reason_pb2.REASON_INTERNAL and story.policy.quarantine_attempt_count == 1:
        return  # such a server may record the first failure already: poison/quarantined
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    operation = phone.add(tea, 2)
    trouble.begin(story)
    answer = phone.submit(operation)
    story.expect_refused(answer.only, trouble.reason, slug=trouble.slug)
    expect_watermark(story, answer, 1)
    trouble.end(story)
    expect_undecided(story, phone, operation)
    result = phone.submit(operation).only
    story.expect_applied(result)
    story.expect(not result.replayed, "an operation that had only been deferred is flagged as replayed")
    expect_effects(story, phone, operation, 1)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/deferral-unrecorded")
def test_a_deferred_operation_is_decided_by_the_state_at_its_decision(story: Story) -> None:
    """Defers an operation that would have been applied, and sells the product out before it comes again."""
    tea = story.sku("tea", available=5)
    phone = story.device()
    operation = phone.add(tea, 2)
    story.shop.rate_limit(0)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")
    story.shop.offer(tea, 100, available=1)
    story.shop.rate_limit(None)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY)


@requirement("deciding/deferral-unrecorded")
def test_another_operation_may_take_the_place_of_a_deferred_one(story: Story) -> None:
    """Defers an operation, then discards it: nothing of the deferral stands in the way."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea)
    story.shop.rate_limit(0)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")
    story.shop.rate_limit(None)
    story.expect_applied(phone.submit(phone.discard_of(operation)).only, changed=False)


@requirement("deciding/conflict-unrecorded")
def test_the_rightful_operation_is_decided_after_a_divergence(story: Story) -> None:
    """Sends an operation that does not continue the chain, and then the one that does, at the same sequence."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    rightful = phone.add(tea, 2)
    intruder = edited(rightful, idempotency_key=phone.new_key())
    intruder.previous_key = phone.new_key()
    intruder.add_item.quantity = 50
    answer = phone.submit(intruder)
    story.expect_refused(answer.only, reason_pb2.REASON_QUEUE_DIVERGED, slug="deciding/chain-checked")
    expect_watermark(story, answer, 1)
    result = phone.submit(rightful).only
    story.expect_applied(result)
    story.expect(not result.replayed, "the rightful operation is answered as a duplicate of what conflicted")
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/conflict-unrecorded")
def test_the_same_operation_is_decided_once_its_chain_is_right(story: Story) -> None:
    """Sends an operation with a wrong previous key, and again with the right one: no trace of the conflict."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    operation = phone.add(tea, 2)
    wrong = edited(operation)
    wrong.previous_key = phone.new_key()
    story.expect_refused(phone.submit(wrong).only, reason_pb2.REASON_QUEUE_DIVERGED, slug="deciding/chain-checked")
    story.expect_applied(phone.submit(operation).only)


@requirement("deciding/conflict-unrecorded")
def test_conflicts_behind_the_watermark_leave_no_trace(story: Story) -> None:
    """Sends another key and another payload at a decided sequence; duplicate and successor come as ever."""
    tea = story.sku()
    phone = story.device()
    operation, first = put_in_cart(story, phone, tea, 1)
    other_payload = edited(operation)
    other_payload.add_item.quantity = 7
    for intruder, reason, slug in (
        (
            edited(operation, idempotency_key=phone.new_key()),
            reason_pb2.REASON_SEQUENCE_CONFLICT,
            "deciding/sequence-conflict",
        ),
        (other_payload, reason_pb2.REASON_PAYLOAD_MISMATCH, "deciding/payload-mismatch"),
    ):
        answer = phone.submit(intruder)
        story.expect_refused(answer.only, reason, slug=slug)
        expect_watermark(story, answer, 1)
        story.expect_replayed(phone.submit(operation).only, first)
    story.expect_applied(phone.submit(phone.add(tea, 2)).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/stop-after-deferral")
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_what_follows_a_deferred_operation_is_not_looked_at(story: Story, trouble: Trouble) -> None:
    """Sends four operations whose second is deferred, the third one of a kind that would be decided."""
    if trouble.reason == reason_pb2.REASON_INTERNAL and story.policy.quarantine_attempt_count == 1:
        return  # such a server may record the first failure already: poison/quarantined
    tea = story.sku()
    phone = story.device()
    first = phone.add(tea, 3)
    story.expect_applied(phone.submit(first).only, slug="cart/add-adds")
    batch = [first, phone.add(tea, 1), phone.adjust(tea, -1), phone.add(tea, 5)]
    trouble.begin(story)
    answer = phone.submit(*batch)
    story.expect_refused(answer.results[1], trouble.reason, slug=trouble.slug)
    for result in answer.results[2:]:
        story.expect_refused(result, reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)
    expect_watermark(story, answer, 1)
    trouble.end(story)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/stop-after-deferral")
def test_what_follows_a_gap_is_not_looked_at(story: Story) -> None:
    """Sends sequences 2 and 3 of a new queue: a gap, and behind it a predecessor that is not decided."""
    tea = story.sku()
    phone = story.device()
    phone.add(tea)
    answer = phone.submit(phone.add(tea), phone.add(tea))
    story.expect_refused(answer.results[0], reason_pb2.REASON_SEQUENCE_GAP, slug="deciding/gap-deferred")
    story.expect_refused(answer.results[1], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)


@requirement("deciding/stop-after-conflict")
def test_what_follows_a_conflict_is_not_decided(story: Story) -> None:
    """Sends a decided operation with another payload, and behind it a new one that continues the chain."""
    tea = story.sku()
    phone = story.device()
    operation, _ = put_in_cart(story, phone, tea, 1)
    tampered = edited(operation)
    tampered.add_item.quantity = 7
    following = [phone.add(tea, 2), phone.add(tea, 4)]
    answer = phone.submit(tampered, *following)
    story.expect_refused(answer.results[0], reason_pb2.REASON_PAYLOAD_MISMATCH, slug="deciding/payload-mismatch")
    for result in answer.results[1:]:
        story.expect_refused(result, reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)
    expect_watermark(story, answer, 1)
    expect_undecided(story, phone, following[0])
    story.expect_lines(phone.cart(), {tea: 1})


@requirement("deciding/stop-after-conflict")
def test_a_duplicate_behind_a_conflict_is_not_looked_at_either(story: Story) -> None:
    """Sends a wrong key at sequence 1 and the rightful, decided operation at sequence 2 in one submission."""
    tea = story.sku()
    phone = story.device()
    first, _ = put_in_cart(story, phone, tea, 1)
    second, outcome = put_in_cart(story, phone, tea, 2)
    answer = phone.submit(edited(first, idempotency_key=phone.new_key()), second)
    story.expect_refused(answer.results[0], reason_pb2.REASON_SEQUENCE_CONFLICT, slug="deciding/sequence-conflict")
    story.expect_refused(answer.results[1], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)
    story.expect_replayed(phone.submit(second).only, outcome)


@requirement("deciding/stop-after-conflict")
def test_what_follows_a_divergence_is_not_decided(story: Story) -> None:
    """Sends two chained operations of a copied queue whose first diverges."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    copy = phone.copy("copy")
    put_in_cart(story, phone, tea)
    copy.add(tea, 10)
    answer = copy.submit(copy.add(tea, 10), copy.add(tea, 10))
    story.expect_refused(answer.results[0], reason_pb2.REASON_QUEUE_DIVERGED, slug="deciding/chain-checked")
    story.expect_refused(answer.results[1], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)
    story.expect_lines(phone.cart(), {tea: 2})
