"""Checks of spec 6.4: backing services and rate limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_effects, expect_undecided, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import CLAMP

RAISES: dict[str, Callable[[Device, str], operation_pb2.CartOperation]] = {
    "an add": lambda phone, sku: phone.add(sku, 3),
    "a clamped add": lambda phone, sku: phone.add(sku, 3, policy=CLAMP),
    "an adjustment up": lambda phone, sku: phone.adjust(sku, 3),
    "a set to more": lambda phone, sku: phone.set(sku, 5),
}


@requirement("backend/deferred")
@pytest.mark.parametrize("build", RAISES.values(), ids=RAISES.keys())
def test_what_needs_backing_services_waits_for_them(
    story: Story, build: Callable[[Device, str], operation_pb2.CartOperation]
) -> None:
    """Raises a line while catalogue and stock are unreachable: deferred with a delay, applied when they are back."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    operation = build(phone, tea)
    story.shop.backend(available=False)
    for _ in range(2):
        answer = phone.submit(operation)
        _expect_delay(story, story.expect_refused(answer.only, reason_pb2.REASON_BACKEND_UNAVAILABLE))
        expect_watermark(story, answer, 1)
    story.shop.backend(available=True)
    expect_undecided(story, phone, operation)
    story.expect_applied(phone.submit(operation).only)
    story.expect_lines(phone.cart(), {tea: 5})
    expect_effects(story, phone, operation, 1)


@requirement("backend/deferred")
def test_the_first_add_of_a_cart_waits_for_backing_services_too(story: Story) -> None:
    """Makes a cart while catalogue and stock are unreachable, of a known product and of an unknown one."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    known, unknown = phone.add(tea, 2), tablet.add(f"unknown-{story.tag}")
    story.shop.backend(available=False)
    story.expect_refused(phone.submit(known).only, reason_pb2.REASON_BACKEND_UNAVAILABLE)
    story.expect_refused(tablet.submit(unknown).only, reason_pb2.REASON_BACKEND_UNAVAILABLE)
    story.shop.backend(available=True)
    story.expect_applied(phone.submit(known).only)
    story.expect_refused(tablet.submit(unknown).only, reason_pb2.REASON_SKU_UNKNOWN, slug="stock/unknown-sku")


@requirement("rate/deferred")
def test_operations_over_the_rate_limit_are_deferred(story: Story) -> None:
    """Lets two more operations be decided and sends four: the third waits, with a delay, and the fourth behind it."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, quantity) for quantity in (1, 2, 4, 8)]
    story.shop.rate_limit(2)
    answer = phone.submit(*batch)
    for result in answer.results[:2]:
        story.expect_applied(result)
    _expect_delay(story, story.expect_refused(answer.results[2], reason_pb2.REASON_RATE_LIMITED))
    story.expect_refused(
        answer.results[3], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED, slug="deciding/stop-after-deferral"
    )
    expect_watermark(story, answer, 2)
    story.expect_lines(phone.cart(), {tea: 3})
    expect_undecided(story, phone, batch[2])
    story.shop.rate_limit(None)
    for result in phone.submit(*batch[2:]).results:
        story.expect_applied(result)
    story.expect_lines(phone.cart(), {tea: 15})


@requirement("rate/deferred")
def test_a_limited_operation_is_not_charged_for_being_refused(story: Story) -> None:
    """Sends an operation over the limit three times, then allows one: that one is decided."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    story.shop.rate_limit(0)
    for _ in range(3):
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_RATE_LIMITED)
    story.shop.rate_limit(1)
    story.expect_applied(phone.submit(operation).only)
    story.expect_refused(phone.submit(phone.add(tea, 4)).only, reason_pb2.REASON_RATE_LIMITED)


@requirement("rate/per-principal")
def test_the_limit_of_one_principal_leaves_others_alone(story: Story) -> None:
    """Exhausts one principal's limit in both of its queues; another principal's operations are decided as ever."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    stranger = story.device("stranger", principal=f"{story.principal_name[:50]}-b")
    story.shop.rate_limit(0)
    for device in (phone, tablet):
        story.expect_refused(device.submit(device.add(tea)).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")
    for quantity in (1, 2, 3):
        story.expect_applied(stranger.submit(stranger.add(tea, quantity)).only)


@requirement("rate/per-principal")
def test_a_principal_is_limited_under_any_of_its_credentials(story: Story) -> None:
    """Exhausts the limit and comes again with another credential of the same principal."""
    tea = story.sku()
    phone = story.device("phone")
    story.shop.rate_limit(1)
    story.expect_applied(phone.submit(phone.add(tea)).only)
    phone.connection = story.connect("phone again")
    story.expect_refused(phone.submit(phone.add(tea)).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")


@requirement("rate/batch-order")
def test_a_batch_cut_by_the_limit_goes_on_in_order(story: Story) -> None:
    """Sends one batch again and again while the limit lets two through each time: every set lands in its turn."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    batch = [phone.set(tea, quantity) for quantity in (5, 3, 8, 2, 9)]
    for decided in (2, 4, 5):
        story.shop.rate_limit(2)
        answer = phone.submit(*batch)
        for result in answer.results[:decided]:
            story.expect_applied(result)
        for place, result in enumerate(answer.results[decided:]):
            reason = reason_pb2.REASON_PREDECESSOR_NOT_DECIDED if place else reason_pb2.REASON_RATE_LIMITED
            story.expect_refused(result, reason)
        expect_watermark(story, answer, 1 + decided)
        story.expect_lines(phone.cart(), {tea: (5, 3, 8, 2, 9)[decided - 1]})


@requirement("rate/deferred")
def test_the_limit_counts_all_queues_of_a_principal_and_no_others(story: Story) -> None:
    """Allows one operation: two devices share it, another principal is not concerned."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    stranger = story.device("stranger", principal=f"{story.principal_name[:50]}-b")
    story.shop.rate_limit(1)
    story.expect_applied(phone.submit(phone.add(tea, 1)).only)
    story.expect_refused(tablet.submit(tablet.add(tea, 1)).only, reason_pb2.REASON_RATE_LIMITED)
    story.expect_applied(stranger.submit(stranger.add(tea, 1)).only)


@requirement("rate/exempt")
def test_duplicates_lookups_and_discards_pass_when_nothing_else_does(story: Story) -> None:
    """Exhausts the limit, then sends duplicates, a look-up, a discard and the discard's duplicate."""
    tea = story.sku()
    phone = story.device()
    operation, first = put_in_cart(story, phone, tea, 2)
    story.shop.rate_limit(0)
    story.expect_replayed(phone.submit(operation).only, first, slug="rate/exempt")
    found = phone.lookup(1, 2)
    story.expect(found.queue.decided_through_sequence == 1, "a look-up was refused by the limit", observed=found)
    discard = phone.discard_of(phone.add(tea))
    outcome = story.expect_applied(phone.submit(discard).only, changed=False)
    story.expect_replayed(phone.submit(discard).only, outcome, slug="rate/exempt")
    story.expect_refused(phone.submit(phone.add(tea)).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")


@requirement("rate/exempt")
def test_duplicates_lookups_and_discards_are_not_charged(story: Story) -> None:
    """Allows one operation, then sends duplicates, look-ups, discards and conflicts before it: it is still decided."""
    tea = story.sku()
    phone = story.device()
    operation, first = put_in_cart(story, phone, tea, 2)
    story.shop.rate_limit(1)
    for _ in range(3):
        story.expect_replayed(phone.submit(operation).only, first, slug="rate/exempt")
        phone.lookup(1, 2)
        phone.cart()
    for _ in range(2):
        story.expect_applied(phone.submit(phone.discard_of(phone.add(tea))).only, changed=False)
    story.expect_refused(
        phone.submit(edited(operation, idempotency_key=phone.new_key())).only,
        reason_pb2.REASON_SEQUENCE_CONFLICT,
        slug="deciding/sequence-conflict",
    )
    story.expect_applied(phone.submit(phone.add(tea, 4)).only)
    story.expect_refused(phone.submit(phone.add(tea, 8)).only, reason_pb2.REASON_RATE_LIMITED, slug="rate/deferred")


@requirement("rate/exempt")
def test_duplicates_inside_a_submission_are_not_charged_either(story: Story) -> None:
    """Allows one operation and sends it behind two duplicates and a discard in one submission."""
    tea = story.sku()
    phone = story.device()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    for result in phone.submit(first, second).results:
        story.expect_applied(result, slug="cart/add-adds")
    story.shop.rate_limit(1)
    discard = phone.discard_of(phone.add(tea, 4))
    answer = phone.submit(first, second, discard, phone.add(tea, 8))
    story.expect_applied(answer.results[2], changed=False)
    story.expect_applied(answer.results[3])
    story.expect_lines(phone.cart(), {tea: 11})


def _expect_delay(story: Story, outcome: outcome_pb2.Outcome) -> None:
    story.expect(
        outcome.refusal.HasField("retry_delay"),
        "a deferral is answered without the delay after which to try again",
        expected="retry_delay",
        observed=outcome.refusal,
    )
