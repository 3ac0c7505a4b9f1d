"""Checks of spec 3.6: cancelling an operation with a discard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import edited, padded
from conformance.suite.evidence import expect_effects, expect_line, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story


@requirement("discard/cancels-undecided")
def test_a_discard_next_in_line_is_applied_and_changes_nothing(story: Story) -> None:
    """Discards an operation that was never sent: applied, the cart as it was, the watermark moved."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    before = phone.cart()
    discard = phone.discard_of(phone.add(tea, 5))
    answer = phone.submit(discard)
    outcome = story.expect_applied(answer.only, changed=False)
    expect_watermark(story, answer, 2)
    story.expect(
        outcome.idempotency_key == discard.idempotency_key and not outcome.HasField("line_change"),
        "the outcome of a discard is not the discard's own, or tells of a line",
        expected=discard.idempotency_key,
        observed=outcome,
    )
    after = phone.cart()
    story.expect_lines(after, {tea: 2})
    story.expect(after.revision == before.revision, "a discard moved the cart's revision")
    expect_effects(story, phone, discard, 0)
    story.expect_replayed(phone.submit(discard).only, outcome, slug="deciding/replay-verbatim")


@requirement("discard/cancels-undecided")
def test_a_discard_may_be_the_first_operation_of_a_queue(story: Story) -> None:
    """Discards the very first operation: the watermark moves to 1, and no cart is made."""
    story.needs_unmade_cart()
    phone = story.device()
    answer = phone.submit(phone.discard_of(phone.add(story.sku())))
    story.expect_applied(answer.only, changed=False)
    expect_watermark(story, answer, 1)
    story.expect(phone.cart().revision == 0, "a discard made a cart", observed=phone.cart())


@requirement("discard/cancels-undecided")
def test_a_deferred_operation_can_be_discarded(story: Story) -> None:
    """Discards an operation that was sent and deferred."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    story.shop.backend(available=False)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_BACKEND_UNAVAILABLE, slug="backend/deferred")
    story.shop.backend(available=True)
    story.expect_applied(phone.submit(phone.discard_of(operation)).only, changed=False)
    story.expect_lines(phone.cart(), {})


@requirement("discard/cancels-undecided")
def test_a_discard_waits_for_its_turn_as_any_operation(story: Story) -> None:
    """Sends a discard behind a gap, and one that does not continue the chain: neither moves the watermark."""
    phone = story.device()
    tea = story.sku()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    discard = phone.discard_of(second)
    story.expect_refused(phone.submit(discard).only, reason_pb2.REASON_SEQUENCE_GAP, slug="deciding/gap-deferred")
    story.expect_applied(phone.submit(first).only, slug="cart/add-adds")
    stray = edited(discard, idempotency_key=phone.new_key())
    stray.previous_key = phone.new_key()
    story.expect_refused(phone.submit(stray).only, reason_pb2.REASON_QUEUE_DIVERGED, slug="deciding/chain-checked")
    story.expect_applied(phone.submit(discard).only, changed=False)


@requirement("discard/late-original")
def test_the_original_behind_its_discard_is_a_conflict_without_effect(story: Story) -> None:
    """Sends the original after its discard, twice, alone and with the operation behind it."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    original = phone.add(tea, 2)
    discard = phone.discard_of(original)
    discarded = story.expect_applied(phone.submit(discard).only, changed=False, slug="discard/cancels-undecided")
    following = phone.add(tea, 4)
    for _ in range(2):
        answer = phone.submit(original, following)
        story.expect_refused(answer.results[0], reason_pb2.REASON_SEQUENCE_CONFLICT)
        story.expect_refused(
            answer.results[1], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED, slug="deciding/stop-after-conflict"
        )
        expect_watermark(story, answer, 2)
    story.expect_refused(phone.submit(original).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    expect_effects(story, phone, original, 0)
    story.expect_lines(phone.cart(), {tea: 1})
    story.expect_replayed(phone.submit(discard).only, discarded)


@requirement("discard/late-original")
def test_the_original_stays_cancelled_when_the_queue_has_moved_on(story: Story) -> None:
    """Sends the original when two more operations have been decided behind its discard."""
    tea = story.sku()
    phone = story.device()
    original = phone.add(tea, 2)
    story.expect_applied(phone.submit(phone.discard_of(original)).only, changed=False, slug="discard/cancels-undecided")
    for quantity in (4, 8):
        story.expect_applied(phone.submit(phone.add(tea, quantity)).only, slug="discard/chain-continues")
    story.expect_refused(phone.submit(original).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    story.expect_lines(phone.cart(), {tea: 12})


@requirement("discard/too-late")
def test_a_discard_of_an_applied_operation_is_a_conflict(story: Story) -> None:
    """Discards an operation that was applied: its outcome and its effect stand."""
    tea = story.sku()
    phone = story.device()
    original, outcome = put_in_cart(story, phone, tea, 2)
    answer = phone.submit(phone.discard_of(original))
    story.expect_refused(answer.only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    expect_watermark(story, answer, 1)
    story.expect_lines(phone.cart(), {tea: 2})
    expect_effects(story, phone, original, 1)
    story.expect_replayed(phone.submit(original).only, outcome)
    story.expect_applied(phone.submit(phone.add(tea, 1)).only, slug="deciding/conflict-unrecorded")


@requirement("discard/too-late")
def test_a_discard_of_a_rejected_operation_is_a_conflict(story: Story) -> None:
    """Discards an operation that was rejected: the rejection stands."""
    phone = story.device()
    original = phone.add(story.sku("gone", available=0))
    rejected = story.expect_refused(
        phone.submit(original).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact"
    )
    story.expect_refused(phone.submit(phone.discard_of(original)).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    story.expect_replayed(phone.submit(original).only, rejected)


@requirement("discard/too-late")
def test_a_second_discard_of_a_discarded_operation_is_a_conflict(story: Story) -> None:
    """Discards one operation under two keys: the first discard stands."""
    phone = story.device()
    original = phone.add(story.sku())
    first, second = phone.discard_of(original), phone.discard_of(original)
    applied = story.expect_applied(phone.submit(first).only, changed=False, slug="discard/cancels-undecided")
    story.expect_refused(phone.submit(second).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    story.expect_replayed(phone.submit(first).only, applied)


@requirement("discard/chain-continues")
def test_behind_a_discard_the_chain_goes_on_from_the_discarded_key(story: Story) -> None:
    """Sends the operation behind a discard with the discard's own key as previous key, then with the discarded one."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    original = phone.add(tea, 2)
    discard = phone.discard_of(original)
    story.expect_applied(phone.submit(discard).only, changed=False, slug="discard/cancels-undecided")
    following = phone.add(tea, 4)
    for key in (discard.idempotency_key, discard.previous_key):
        wrong = edited(following)
        wrong.previous_key = key
        story.expect_refused(phone.submit(wrong).only, reason_pb2.REASON_QUEUE_DIVERGED)
    expect_effects(story, phone, following, 0)
    story.expect_applied(phone.submit(following).only)
    expect_line(story, phone, tea, 5)


@requirement("discard/chain-continues")
def test_a_discard_stands_for_its_original_inside_a_submission(story: Story) -> None:
    """Sends four operations in one submission, the second and third of them discarded."""
    tea = story.sku()
    phone = story.device()
    first, second, third, fourth = (phone.add(tea, quantity) for quantity in (1, 2, 4, 8))
    answer = phone.submit(first, phone.discard_of(second), phone.discard_of(third), fourth)
    story.expect_applied(answer.results[0], slug="cart/add-adds")
    story.expect_applied(answer.results[1], changed=False, slug="discard/cancels-undecided")
    story.expect_applied(answer.results[2], changed=False)
    story.expect_applied(answer.results[3])
    expect_watermark(story, answer, 4)
    story.expect_lines(phone.cart(), {tea: 9})


@requirement("discard/chain-continues")
def test_a_discard_of_a_second_operation_in_a_row_names_the_discarded_key_before_it(story: Story) -> None:
    """Discards two operations in two submissions, and then goes on."""
    tea = story.sku()
    phone = story.device()
    for operation in (phone.add(tea, 1), phone.add(tea, 2)):
        story.expect_applied(phone.submit(phone.discard_of(operation)).only, changed=False)
    story.expect_applied(phone.submit(phone.add(tea, 4)).only)
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("discard/chain-continues")
def test_the_chain_goes_on_from_the_discarded_key_even_when_the_discard_was_rejected(story: Story) -> None:
    """Discards an operation under a key that was used before: rejected, and the next is in line all the same."""
    tea = story.sku()
    phone = story.device()
    first, _ = put_in_cart(story, phone, tea, 1)
    discard = edited(phone.discard_of(phone.add(tea, 2)), idempotency_key=first.idempotency_key)
    story.expect_refused(phone.submit(discard).only, reason_pb2.REASON_KEY_REUSED, slug="deciding/key-reused")
    story.expect_applied(phone.submit(phone.add(tea, 4)).only)
    story.expect_lines(phone.cart(), {tea: 5})


Hindrance = Callable[[Story, Device, operation_pb2.CartOperation], outcome_pb2.OperationResult]


def _rate_limited(story: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    story.shop.rate_limit(0)
    return phone.submit(discard).only


def _without_backend(story: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    story.shop.backend(available=False)
    return phone.submit(discard).only


def _too_old(story: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    return phone.submit(discard, age=story.policy.replay_window.ToTimedelta() + timedelta(days=1)).only


def _too_large(story: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    limit = story.policy.max_operation_bytes
    if limit + 1024 < story.policy.max_submission_bytes:
        discard = padded(discard, limit + 1)
    return phone.submit(discard).only


def _requiring_a_feature(_: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    discard.required_features.append("x-nobody-has-this")
    return phone.submit(discard).only


def _on_a_closed_cart(story: Story, phone: Device, discard: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    story.shop.close_cart(phone.cart_id)
    return phone.submit(discard).only


HINDRANCES: dict[str, Hindrance] = {
    "age": _too_old,
    "size": _too_large,
    "required features": _requiring_a_feature,
    "the rate limit": _rate_limited,
    "a backing service": _without_backend,
    "a closed cart": _on_a_closed_cart,
}


@requirement("discard/never-refused")
@pytest.mark.parametrize("hindrance", HINDRANCES.values(), ids=HINDRANCES.keys())
def test_a_discard_is_not_refused_for(story: Story, hindrance: Hindrance) -> None:
    """Sends a discard in circumstances in which its original would be refused."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    discard = phone.discard_of(phone.add(tea, 2))
    story.expect_applied(hindrance(story, phone, discard), changed=False)
