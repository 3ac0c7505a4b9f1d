"""Checks of spec 3.2: next in line, or not."""

from __future__ import annotations

from cartsync.v1 import reason_pb2

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_effects, expect_undecided, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Answer, Story


@requirement("deciding/gap-deferred")
def test_an_operation_before_its_turn_is_deferred(story: Story) -> None:
    """Sends sequence 2 of a new queue first: deferred with expected sequence 1, and decided when 1 has come."""
    tea = story.sku()
    phone = story.device()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    early = phone.submit(second)
    _expect_gap(story, early, 1)
    expect_watermark(story, early, 0)
    expect_undecided(story, phone, second)
    story.expect_lines(phone.cart(), {})
    story.expect_applied(phone.submit(first).only, slug="cart/add-adds")
    story.expect_applied(phone.submit(second).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/gap-deferred")
def test_a_gap_behind_a_watermark_names_the_expected_sequence(story: Story) -> None:
    """Skips one, and then several, operations of a queue that has come to sequence 2."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    put_in_cart(story, phone, tea)
    skipped = [phone.add(tea) for _ in range(4)]
    for operation in (skipped[1], skipped[3]):
        answer = phone.submit(operation)
        _expect_gap(story, answer, 3)
        expect_watermark(story, answer, 2)
        expect_undecided(story, phone, operation)


@requirement("deciding/gap-deferred")
def test_a_gap_answer_does_not_become_the_operations_outcome(story: Story) -> None:
    """Sends an operation early, then the one before it, and reads the watermark: still only one is decided."""
    tea = story.sku()
    phone = story.device()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    _expect_gap(story, phone.submit(second), 1)
    answer = phone.submit(first)
    story.expect_applied(answer.only, slug="cart/add-adds")
    expect_watermark(story, answer, 1)
    story.expect_lines(phone.cart(), {tea: 1})


@requirement("deciding/chain-checked")
def test_a_copied_queue_does_not_go_on_behind_the_queue_it_was_copied_from(story: Story) -> None:
    """Copies a queue after sequence 1, lets phone and copy each go on: the copy's sequence 3 is a divergence."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    put_in_cart(story, phone, tea)
    copy = phone.copy("copy")
    put_in_cart(story, phone, tea)
    copy.add(cake, 5)
    intruder = copy.add(cake, 7)
    answer = copy.submit(intruder)
    story.expect_refused(answer.only, reason_pb2.REASON_QUEUE_DIVERGED)
    expect_watermark(story, answer, 2)
    expect_undecided(story, copy, intruder)
    story.expect_lines(phone.cart(), {tea: 2})
    rightful = phone.add(tea)
    story.expect_applied(phone.submit(rightful).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("deciding/chain-checked")
def test_only_the_key_decided_last_continues_the_chain(story: Story) -> None:
    """Tries an older key of the queue, the operation's own and another queue's last key as previous key."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    oldest, _ = put_in_cart(story, phone, tea)
    put_in_cart(story, phone, tea)
    foreign, _ = put_in_cart(story, tablet, tea)
    operation = phone.add(tea, 4)
    for previous in (oldest.idempotency_key, foreign.idempotency_key, operation.idempotency_key):
        forged = edited(operation)
        forged.previous_key = previous
        story.expect_refused(phone.submit(forged).only, reason_pb2.REASON_QUEUE_DIVERGED)
    expect_undecided(story, phone, operation)
    story.expect_applied(phone.submit(operation).only)


@requirement("deciding/chain-checked")
def test_the_chain_goes_on_from_a_rejected_operation(story: Story) -> None:
    """Behind a rejection the previous key is the rejected operation's key, not the one applied before it."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    applied, _ = put_in_cart(story, phone, tea)
    rejected = phone.add(gone)
    story.expect_refused(phone.submit(rejected).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact")
    operation = phone.add(tea)
    skipping = edited(operation)
    skipping.previous_key = applied.idempotency_key
    story.expect_refused(phone.submit(skipping).only, reason_pb2.REASON_QUEUE_DIVERGED)
    story.expect_applied(phone.submit(operation).only)


@requirement("deciding/chain-checked")
def test_the_chain_is_checked_inside_a_submission_too(story: Story) -> None:
    """Sends two operations whose second does not name the first."""
    tea = story.sku()
    phone = story.device()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    second.previous_key = phone.new_key()
    answer = phone.submit(first, second)
    story.expect_applied(answer.results[0], slug="cart/add-adds")
    story.expect_refused(answer.results[1], reason_pb2.REASON_QUEUE_DIVERGED)
    story.expect_lines(phone.cart(), {tea: 1})


@requirement("deciding/key-reused")
def test_a_key_used_twice_in_a_queue_is_rejected(story: Story) -> None:
    """Uses the key of sequence 1 again at sequence 2: rejected and recorded, and the record of sequence 1 stays."""
    tea = story.sku()
    phone = story.device()
    first, applied = put_in_cart(story, phone, tea, 2)
    reused = phone.add(tea, 2)
    reused.idempotency_key = first.idempotency_key
    answer = phone.submit(reused)
    rejected = story.expect_refused(answer.only, reason_pb2.REASON_KEY_REUSED)
    expect_watermark(story, answer, 2)
    expect_effects(story, phone, reused, 0)
    story.expect_replayed(phone.submit(reused).only, rejected)
    story.expect_replayed(phone.submit(first).only, applied)
    story.expect_lines(phone.cart(), {tea: 2})
    put_in_cart(story, phone, tea)


@requirement("deciding/key-reused")
def test_a_key_is_used_up_by_a_rejection_too(story: Story) -> None:
    """Uses the key of a rejected operation again, two sequences later and with another intent."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    rejected = phone.add(gone)
    story.expect_refused(phone.submit(rejected).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact")
    put_in_cart(story, phone, tea)
    reused = phone.set(tea, 9)
    reused.idempotency_key = rejected.idempotency_key
    story.expect_refused(phone.submit(reused).only, reason_pb2.REASON_KEY_REUSED)
    story.expect_lines(phone.cart(), {tea: 1})


@requirement("deciding/key-scope")
def test_the_same_key_in_two_queues_is_two_operations(story: Story) -> None:
    """Uses one key in two queues of one principal, at the same sequence and at another."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    mine, _ = put_in_cart(story, phone, tea, 1)
    for quantity in (2, 4):
        shared = tablet.add(tea, quantity)
        shared.idempotency_key = mine.idempotency_key if quantity == 2 else phone.new_key()
        outcome = story.expect_applied(tablet.submit(shared).only)
        story.expect_replayed(tablet.submit(shared).only, outcome)
        expect_effects(story, tablet, shared, 1)
    later = phone.add(tea, 8)
    later.idempotency_key = tablet.log[1].idempotency_key
    story.expect_applied(phone.submit(later).only)
    story.expect_lines(phone.cart(), {tea: 15})


def _expect_gap(story: Story, answer: Answer, expected_sequence: int) -> None:
    outcome = story.expect_refused(answer.only, reason_pb2.REASON_SEQUENCE_GAP)
    story.expect(
        outcome.refusal.HasField("expected_sequence") and outcome.refusal.expected_sequence == expected_sequence,
        "a gap is not answered with the sequence that the server expects",
        expected=expected_sequence,
        observed=outcome.refusal,
    )
