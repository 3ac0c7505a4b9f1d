"""Checks of spec 5.2: guards refuse what another queue changed since, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.evidence import expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story

Guarded = Callable[[Device, str, int], operation_pb2.CartOperation]

GUARDED: dict[str, Guarded] = {
    "an adjustment up": lambda phone, sku, guard: phone.adjust(sku, 1, guard=guard),
    "an adjustment down": lambda phone, sku, guard: phone.adjust(sku, -1, guard=guard),
    "a set": lambda phone, sku, guard: phone.set(sku, 9, guard=guard),
    "a removal": lambda phone, sku, guard: phone.remove(sku, guard=guard),
}
each_guarded = pytest.mark.parametrize("guarded", GUARDED.values(), ids=GUARDED.keys())


@requirement("guard/refuses")
@each_guarded
def test_a_change_of_another_queue_after_the_guard_refuses(story: Story, guarded: Guarded) -> None:
    """Lets another device change the line after the revision that the guard names."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, tea, 3)
    answer = phone.submit(guarded(phone, tea, seen.revision))
    story.expect_refused(answer.only, reason_pb2.REASON_LINE_CHANGED)
    expect_watermark(story, answer, 2)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("guard/refuses")
@each_guarded
def test_a_guard_of_nothing_refuses_any_change_of_another_queue(story: Story, guarded: Guarded) -> None:
    """Uses guard 0, which is not the same as none, on a line that another device made."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, tablet, tea, 3)
    story.expect_refused(phone.submit(guarded(phone, tea, 0)).only, reason_pb2.REASON_LINE_CHANGED)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("guard/refuses")
@each_guarded
def test_a_line_that_another_queue_took_out_counts_as_changed(story: Story, guarded: Guarded) -> None:
    """Lets another device remove the line after the guard; there is no line any more, but it was changed."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    story.expect_applied(tablet.submit(tablet.remove(tea)).only, slug="cart/remove-removes")
    story.expect_refused(phone.submit(guarded(phone, tea, seen.revision)).only, reason_pb2.REASON_LINE_CHANGED)
    story.expect_lines(phone.cart(), {})


@requirement("guard/refuses")
def test_an_own_change_does_not_hide_another_queues_change(story: Story) -> None:
    """Lets another device change the line, then the phone itself: the other change is still after the guard."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, tea, 3)
    put_in_cart(story, phone, tea, 4)
    story.expect_refused(phone.submit(phone.set(tea, 1, guard=seen.revision)).only, reason_pb2.REASON_LINE_CHANGED)
    story.expect_lines(phone.cart(), {tea: 9})


@requirement("guard/refuses")
def test_a_change_of_a_third_queue_refuses_too(story: Story) -> None:
    """Has the guard name the change of one device, after which another one changed the line."""
    tea = story.sku()
    phone, tablet, laptop = (story.device(name) for name in ("phone", "tablet", "laptop"))
    put_in_cart(story, phone, tea, 1)
    _, seen = put_in_cart(story, tablet, tea, 2)
    put_in_cart(story, laptop, tea, 4)
    operation = phone.adjust(tea, -1, guard=seen.revision)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_LINE_CHANGED)


@requirement("guard/own-queue")
@each_guarded
def test_a_guard_at_the_last_change_lets_pass(story: Story, guarded: Guarded) -> None:
    """Has the guard name the very change that another device made."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    _, seen = put_in_cart(story, tablet, tea, 3)
    story.expect_applied(phone.submit(guarded(phone, tea, seen.revision)).only)


@requirement("guard/own-queue")
def test_a_chain_of_own_changes_does_not_trip(story: Story) -> None:
    """Sends five guarded changes, all guarded by the revision the phone saw before going offline."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, tablet, tea, 3)
    chain = [
        phone.adjust(tea, 1, guard=seen.revision),
        phone.set(tea, 7, guard=seen.revision),
        phone.adjust(tea, -2, guard=seen.revision),
        phone.remove(tea, guard=seen.revision),
        phone.set(tea, 2, guard=seen.revision),
    ]
    for result in phone.submit(*chain).results:
        story.expect_applied(result)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("guard/own-queue")
def test_changes_of_other_lines_do_not_trip(story: Story) -> None:
    """Lets another device change another line after the guard."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, cake, 3)
    story.expect_applied(phone.submit(phone.set(tea, 5, guard=seen.revision)).only)
    story.expect_lines(phone.cart(), {tea: 5, cake: 3})


@requirement("guard/own-queue")
def test_what_changed_nothing_does_not_trip(story: Story) -> None:
    """Lets another device set the line to what it is, and be rejected, after the guard."""
    tea = story.sku("tea", available=5)
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    tablet.submit(tablet.set(tea, 2), tablet.add(tea, 50))
    story.expect_applied(phone.submit(phone.set(tea, 5, guard=seen.revision)).only)


@requirement("guard/own-queue")
def test_the_same_product_in_another_cart_does_not_trip(story: Story) -> None:
    """Lets another device change the same product in another cart after the guard."""
    tea = story.sku()
    phone = story.device("phone")
    tablet = story.device("tablet", cart_id="other")
    _, seen = put_in_cart(story, phone, tea, 2)
    for _ in range(2):
        put_in_cart(story, tablet, tea, 3)
    story.expect_applied(phone.submit(phone.set(tea, 5, guard=seen.revision)).only)
