"""Checks of spec 5.1: what each operation does to a cart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_line, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story

Build = Callable[[Device, str], operation_pb2.CartOperation]

ON_A_MISSING_CART: dict[str, Build] = {
    "an adjustment up": lambda phone, sku: phone.adjust(sku, 2),
    "an adjustment down": lambda phone, sku: phone.adjust(sku, -2),
    "a set": lambda phone, sku: phone.set(sku, 2),
    "a set to nothing": lambda phone, sku: phone.set(sku, 0),
}


@requirement("cart/made-by-first-add")
def test_the_first_applied_add_makes_the_cart(story: Story) -> None:
    """Tries everything else on a cart id first; none of it makes the cart, and the add does."""
    story.needs_unmade_cart()
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    attempts = [phone.remove(tea), phone.set(tea, 1), phone.adjust(tea, 1), phone.add(gone), phone.add(tea, 0)]
    attempts.append(phone.discard_of(phone.add(tea)))
    expect_watermark(story, phone.submit(*attempts), 6, slug="deciding/rejection-advances")
    cart = phone.cart()
    story.expect(cart.revision == 0 and not cart.lines, "something else than an add made a cart", observed=cart)
    late = phone.set(tea, 3)
    story.expect_refused(phone.submit(late).only, reason_pb2.REASON_CART_NOT_FOUND)
    story.expect_applied(phone.submit(phone.add(tea, 2)).only)
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_applied(phone.submit(phone.set(tea, 3)).only)


@requirement("cart/made-by-first-add")
def test_an_emptied_cart_is_still_a_cart(story: Story) -> None:
    """Makes a cart, empties it and sets a line: the cart is there, so the set is applied."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    phone.submit(phone.remove(tea))
    story.expect_applied(phone.submit(phone.set(tea, 3)).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("cart/made-by-first-add")
def test_carts_with_different_ids_are_different_carts(story: Story) -> None:
    """Adds to two carts of one principal, whose ids differ by case only."""
    tea = story.sku()
    phone = story.device(cart_id="main")
    story.expect_applied(phone.submit(phone.add(tea, 1)).only)
    story.expect_applied(phone.submit(phone.add(tea, 2, cart_id="MAIN")).only)
    story.expect_lines(phone.cart(), {tea: 1})
    story.expect_lines(phone.cart("MAIN"), {tea: 2})


@requirement("cart/add-adds")
def test_two_equal_adds_are_two_adds(story: Story) -> None:
    """Adds the same quantity of the same product three times, in one submission and in another."""
    tea = story.sku()
    phone = story.device()
    for result in phone.submit(phone.add(tea, 2), phone.add(tea, 2)).results:
        story.expect_applied(result)
    story.expect_applied(phone.submit(phone.add(tea, 2)).only)
    story.expect_lines(phone.cart(), {tea: 6})


@requirement("cart/add-adds")
def test_two_equal_adds_of_two_queues_are_two_adds(story: Story) -> None:
    """Adds the same from two devices, each at its sequence 1."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    for device in (phone, tablet):
        story.expect_applied(device.submit(device.add(tea, 2)).only)
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("cart/add-adds")
def test_an_add_leaves_other_lines_alone(story: Story) -> None:
    """Adds two products in turn; SKUs that differ by case are different products."""
    tea = story.sku("tea")
    other = tea.upper()
    story.shop.offer(other, 100)
    phone = story.device()
    for sku, quantity in ((tea, 1), (other, 2), (tea, 4)):
        story.expect_applied(phone.submit(phone.add(sku, quantity)).only)
    story.expect_lines(phone.cart(), {tea: 5, other: 2})


@requirement("cart/adjust-moves")
def test_an_adjustment_moves_its_line(story: Story) -> None:
    """Moves a line up, down, to nothing and up from nothing."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    for delta, left in ((3, 8), (-6, 2), (-2, 0), (4, 4)):
        story.expect_applied(phone.submit(phone.adjust(tea, delta)).only)
        expect_line(story, phone, tea, left)


@requirement("cart/adjust-moves")
def test_an_adjustment_makes_a_line_that_was_never_there(story: Story) -> None:
    """Moves a line up that the cart never had."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    put_in_cart(story, phone, tea)
    outcome = story.expect_applied(phone.submit(phone.adjust(cake, 3)).only)
    story.expect(not outcome.adjustments, "an adjustment as asked carries adjustments", observed=outcome)
    story.expect_lines(phone.cart(), {tea: 1, cake: 3})


@requirement("cart/adjust-floors")
@pytest.mark.parametrize(("had", "delta"), [(3, -5), (3, -(2**31)), (0, -1)], ids=["a bit", "by far", "from nothing"])
def test_a_decrease_below_nothing_ends_at_nothing_and_says_so(story: Story, had: int, delta: int) -> None:
    """Moves a line down by more than it has."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, had or 1)
    if not had:
        story.expect_applied(phone.submit(phone.remove(tea)).only, slug="cart/remove-removes")
    outcome = story.expect_applied(phone.submit(phone.adjust(tea, delta)).only, changed=had > 0)
    expected = outcome_pb2.Adjustment(
        quantity_floored=outcome_pb2.QuantityFloored(requested_delta=delta, applied_delta=-had)
    )
    story.expect(
        list(outcome.adjustments) == [expected],
        "a decrease below nothing does not say what was asked and what was done",
        expected=expected,
        observed=outcome.adjustments,
    )
    expect_line(story, phone, tea, 0)


@requirement("cart/adjust-floors")
def test_a_decrease_to_nothing_exactly_is_as_asked(story: Story) -> None:
    """Moves a line down by just what it has: no adjustment."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 3)
    outcome = story.expect_applied(phone.submit(phone.adjust(tea, -3)).only)
    story.expect(not outcome.adjustments, "a decrease as asked carries adjustments", observed=outcome)
    story.expect_lines(phone.cart(), {})


@requirement("cart/set-sets")
def test_a_set_leaves_its_line_at_the_quantity(story: Story) -> None:
    """Sets a line up, down, to nothing, back again, and a line that was never there."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    for sku, quantity in ((tea, 9), (tea, 2), (tea, 0), (tea, 4), (cake, 3)):
        story.expect_applied(phone.submit(phone.set(sku, quantity)).only)
        expect_line(story, phone, sku, quantity)


@requirement("cart/set-sets")
def test_the_set_decided_last_wins(story: Story) -> None:
    """Sets one line from two devices in turn, the one decided last made first by its own clock."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    early = phone.set(tea, 7)
    early.enqueue_time.FromSeconds(1_000_000_000)
    late = tablet.set(tea, 4)
    late.enqueue_time.FromSeconds(1_700_000_000)
    story.expect_applied(tablet.submit(late).only)
    story.expect_applied(phone.submit(early).only)
    story.expect_lines(phone.cart(), {tea: 7})


@requirement("cart/remove-removes")
def test_a_removal_takes_out_all_that_the_line_has(story: Story) -> None:
    """Removes a line that two devices added to, reporting how much it was; a later add adds anew."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, tea, 4)
    put_in_cart(story, tablet, cake, 1)
    outcome = story.expect_applied(phone.submit(phone.remove(tea)).only)
    story.expect(
        outcome.line_change.quantity_before == 6,
        "a removal does not report how much it took out",
        expected=6,
        observed=outcome.line_change,
    )
    story.expect_lines(phone.cart(), {cake: 1})
    put_in_cart(story, tablet, tea, 3)
    story.expect_lines(phone.cart(), {tea: 3, cake: 1})


@requirement("cart/remove-removes")
def test_a_removal_takes_out_nothing_that_is_decided_later(story: Story) -> None:
    """Sends add, removal and add of one product in one submission, and duplicates of the removal afterwards."""
    tea = story.sku()
    phone = story.device()
    removal_and_around = [phone.add(tea, 2), phone.remove(tea), phone.add(tea, 4)]
    phone.submit(*removal_and_around)
    story.expect_lines(phone.cart(), {tea: 4})
    phone.submit(removal_and_around[1])
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("cart/remove-missing")
def test_removing_what_is_not_there_is_applied_and_changes_nothing(story: Story) -> None:
    """Removes from a missing cart, a line that was never there, and a line that was removed already."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    story.expect_applied(phone.submit(phone.remove(tea)).only, changed=False)
    put_in_cart(story, phone, cake)
    before = phone.cart()
    story.expect_applied(phone.submit(phone.remove(tea)).only, changed=False)
    story.expect_applied(phone.submit(phone.remove(f"unknown-{story.tag}")).only, changed=False)
    story.expect(phone.cart().revision == before.revision, "a removal of nothing moved the revision")
    story.expect_applied(phone.submit(phone.remove(cake)).only, slug="cart/remove-removes")
    story.expect_applied(phone.submit(phone.remove(cake)).only, changed=False)


@requirement("cart/missing-cart")
@pytest.mark.parametrize("build", ON_A_MISSING_CART.values(), ids=ON_A_MISSING_CART.keys())
def test_a_cart_that_no_add_has_made_is_not_found_by(story: Story, build: Build) -> None:
    """Adjusts or sets a line of a cart that does not exist, next to one that does."""
    tea = story.sku()
    phone = story.device(cart_id="here")
    put_in_cart(story, phone, tea, 2)
    phone.cart_id = "elsewhere"
    answer = phone.submit(build(phone, tea))
    story.expect_refused(answer.only, reason_pb2.REASON_CART_NOT_FOUND)
    expect_watermark(story, answer, 2)
    story.expect_lines(phone.cart("elsewhere"), {})
    story.expect_lines(phone.cart("here"), {tea: 2})


ON_A_CLOSED_CART: dict[str, Build] = {
    "an add": lambda phone, sku: phone.add(sku, 1),
    "an adjustment up": lambda phone, sku: phone.adjust(sku, 1),
    "an adjustment down": lambda phone, sku: phone.adjust(sku, -1),
    "a set": lambda phone, sku: phone.set(sku, 1),
    "a set to the same": lambda phone, sku: phone.set(sku, 2),
    "a removal": lambda phone, sku: phone.remove(sku),
    "a removal of nothing": lambda phone, sku: phone.remove(sku + "s"),
}


@requirement("cart/closed")
@pytest.mark.parametrize("build", ON_A_CLOSED_CART.values(), ids=ON_A_CLOSED_CART.keys())
def test_a_closed_cart_takes_no_more(story: Story, build: Build) -> None:
    """Sends an operation on a cart after its checkout: rejected and recorded, the lines stay."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    story.shop.close_cart(phone.cart_id)
    answer = phone.submit(build(phone, tea))
    story.expect_refused(answer.only, reason_pb2.REASON_CART_CLOSED)
    expect_watermark(story, answer, 2)
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_applied(phone.submit(phone.add(tea, 1, cart_id="next")).only, slug="cart/made-by-first-add")


@requirement("cart/line-change", "cart/changed-flag")
def test_every_applied_operation_reports_its_line_before_and_after(story: Story) -> None:
    """Sends one operation of every kind and direction, among them three that change nothing."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    moves = (
        (phone.add(tea, 5), tea, 0, 5),
        (phone.add(tea, 1), tea, 5, 6),
        (phone.adjust(tea, 2), tea, 6, 8),
        (phone.adjust(tea, -1), tea, 8, 7),
        (phone.set(tea, 7), tea, 7, 7),
        (phone.set(tea, 3), tea, 7, 3),
        (phone.set(cake, 0), cake, 0, 0),
        (phone.set(cake, 2), cake, 0, 2),
        (phone.remove(tea), tea, 3, 0),
        (phone.remove(tea), tea, 0, 0),
        (phone.adjust(tea, -1), tea, 0, 0),
        (phone.adjust(cake, -9), cake, 2, 0),
    )
    for operation, sku, before, after in moves:
        outcome = story.expect_applied(phone.submit(operation).only, changed=None)
        expected = outcome_pb2.LineChange(sku=sku, quantity_before=before, quantity_after=after)
        story.expect(
            outcome.HasField("line_change") and outcome.line_change == expected,
            "an applied operation does not report its line before and after",
            expected=expected,
            observed=outcome,
        )
        story.expect(
            outcome.changed == (before != after),
            f"changed is {outcome.changed} for a line that went from {before} to {after}",
            expected=before != after,
            observed=outcome.changed,
            slug="cart/changed-flag",
        )


@requirement("cart/changed-flag")
def test_what_is_rejected_changed_nothing(story: Story) -> None:
    """Sends a rejected operation: changed is unset."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    put_in_cart(story, phone, tea)
    outcome = phone.submit(phone.add(gone)).only.outcome
    story.expect(not outcome.changed, "a rejected operation claims to have changed the cart", observed=outcome)


@requirement("cart/shared")
def test_devices_of_one_principal_share_a_cart_by_its_id(story: Story) -> None:
    """Lets three devices work on one cart id in turn, and another cart id beside it."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet, laptop = (story.device(name) for name in ("phone", "tablet", "laptop"))
    steps = (
        (phone, phone.add(tea, 2)),
        (tablet, tablet.add(cake, 3)),
        (laptop, laptop.adjust(tea, 4)),
        (tablet, tablet.set(tea, 1)),
        (phone, phone.remove(cake)),
    )
    for device, operation in steps:
        story.expect_applied(device.submit(operation).only)
    for device in (phone, tablet, laptop):
        story.expect_lines(device.cart(), {tea: 1})
        story.expect_lines(device.cart("other"), {})
