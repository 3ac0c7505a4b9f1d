"""Checks of spec 6.1 and 6.3: what may raise a line, and how far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_effects, expect_line, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import CLAMP, EXACT

MAX_INT32 = 2**31 - 1

Policy: TypeAlias = operation_pb2.QuantityPolicy.ValueType
# Builds an operation that should bring a line of 2 to so many.
Raise = Callable[[Device, str, int, Policy], operation_pb2.CartOperation]

RAISES: dict[str, Raise] = {
    "an add": lambda phone, sku, to, policy: phone.add(sku, to - 2, policy=policy),
    "an adjustment": lambda phone, sku, to, policy: phone.adjust(sku, to - 2, policy=policy),
    "a set": lambda phone, sku, to, policy: phone.set(sku, to, policy=policy),
}
each_raise = pytest.mark.parametrize("build", RAISES.values(), ids=RAISES.keys())

# Ways to lower a line of 5, one after the other, and what each leaves.
DECREASES: tuple[tuple[Callable[[Device, str], operation_pb2.CartOperation], int], ...] = (
    (lambda phone, sku: phone.adjust(sku, -1), 4),
    (lambda phone, sku: phone.adjust(sku, -1, policy=CLAMP), 3),
    (lambda phone, sku: phone.set(sku, 2), 2),
    (lambda phone, sku: phone.set(sku, 1, policy=CLAMP), 1),
    (lambda phone, sku: phone.remove(sku), 0),
)
HINDRANCES: dict[str, Callable[[Story, str], None]] = {
    "sold out": lambda story, sku: story.shop.offer(sku, 100, available=0),
    "short": lambda story, sku: story.shop.offer(sku, 100, available=2),
    "unlisted": lambda story, sku: story.shop.offer(sku, 100, listed=False),
    "in another currency": lambda story, sku: story.shop.offer(sku, 100, currency="EUR"),
    "out of reach": lambda story, _: story.shop.backend(available=False),
}
each_hindrance = pytest.mark.parametrize("hinder", HINDRANCES.values(), ids=HINDRANCES.keys())


@requirement("stock/decrease-free")
@each_hindrance
def test_lowering_a_line_needs_nothing_of_a_product_that_is(story: Story, hinder: Callable[[Story, str], None]) -> None:
    """Lowers a line step by step, in all ways, while raising it would be refused: each does as asked, no more."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    hinder(story, tea)
    before = 5
    for build, after in DECREASES:
        operation = build(phone, tea)
        outcome = story.expect_applied(phone.submit(operation).only)
        line = outcome.line_change
        story.expect(
            not outcome.adjustments and (line.quantity_before, line.quantity_after) == (before, after),
            "lowering a line did something else than asked",
            expected=f"{before} -> {after}",
            observed=outcome,
        )
        expect_effects(story, phone, operation, 1)
        before = after


@requirement("stock/decrease-free")
@each_hindrance
def test_leaving_a_line_as_it_is_needs_nothing_of_a_product_that_is(
    story: Story, hinder: Callable[[Story, str], None]
) -> None:
    """Sets a line to what it has while raising it would be refused: applied, nothing changed."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    hinder(story, tea)
    for policy in (EXACT, CLAMP):
        outcome = story.expect_applied(phone.submit(phone.set(tea, 5, policy=policy)).only, changed=False)
        story.expect(not outcome.adjustments, "leaving a line as it is was adjusted", observed=outcome)


@requirement("stock/decrease-free")
def test_lowering_a_line_of_an_unknown_product_is_no_matter_for_the_catalogue(story: Story) -> None:
    """Lowers and sets to nothing what was never in the cart, of a product that never was."""
    phone = story.device()
    put_in_cart(story, phone, story.sku())
    unknown = f"unknown-{story.tag}"
    for operation in (phone.adjust(unknown, -1), phone.set(unknown, 0), phone.remove(unknown)):
        story.expect_applied(phone.submit(operation).only, changed=False)


@requirement("stock/unknown-sku")
def test_nothing_is_added_of_a_product_unknown_to_the_catalogue(story: Story) -> None:
    """Adds, adjusts and sets a line of an unknown product; SKUs are compared exactly."""
    tea = story.sku("tea")
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    for unknown in {f"unknown-{story.tag}", tea.swapcase(), tea + "s", tea[:-1]} - {tea}:
        for build in RAISES.values():
            story.expect_refused(phone.submit(build(phone, unknown, 5, EXACT)).only, reason_pb2.REASON_SKU_UNKNOWN)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("stock/unlisted")
@each_raise
@pytest.mark.parametrize("policy", [EXACT, CLAMP], ids=["exact", "clamp"])
def test_an_unlisted_product_is_not_added_to(story: Story, build: Raise, policy: Policy) -> None:
    """Takes a product off the shop and raises its line: rejected until it is listed again."""
    tea = story.sku(available=50)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    story.shop.offer(tea, 100, listed=False, available=50)
    answer = phone.submit(build(phone, tea, 3, policy))
    story.expect_refused(answer.only, reason_pb2.REASON_SKU_UNLISTED)
    expect_watermark(story, answer, 2)
    story.shop.offer(tea, 100)
    story.expect_applied(phone.submit(build(phone, tea, 3, policy)).only)


@requirement("stock/exact")
@each_raise
def test_exactly_what_there_is_can_be_had_and_not_one_more(story: Story, build: Raise) -> None:
    """Raises a line of two, of which the shop has five, to six, to five, and asks for one more."""
    tea = story.sku(available=5)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    refused = story.expect_refused(
        phone.submit(build(phone, tea, 6, EXACT)).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY
    )
    _expect_available(story, refused, 5)
    expect_line(story, phone, tea, 2)
    outcome = story.expect_applied(phone.submit(build(phone, tea, 5, EXACT)).only)
    story.expect(not outcome.adjustments, "an operation applied in full carries adjustments", observed=outcome)
    expect_line(story, phone, tea, 5)
    story.expect_refused(phone.submit(phone.add(tea, 1)).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY)
    expect_line(story, phone, tea, 5)


@requirement("stock/exact")
def test_a_cart_reserves_nothing(story: Story) -> None:
    """Puts all there is into two carts of one principal, and into one of another."""
    tea = story.sku(available=5)
    phone, stranger = story.device("phone"), story.device("stranger", principal=f"{story.principal_name[:50]}-b")
    story.expect_applied(phone.submit(phone.add(tea, 5)).only)
    story.expect_applied(phone.submit(phone.add(tea, 5, cart_id="other")).only)
    story.expect_applied(stranger.submit(stranger.add(tea, 5)).only)


@requirement("stock/exact")
def test_stock_that_is_not_counted_never_runs_out(story: Story) -> None:
    """Adds as many as a line may have of a product whose stock is not counted."""
    tea = story.sku()
    phone = story.device()
    story.expect_applied(phone.submit(phone.add(tea, story.policy.max_line_quantity)).only)


@requirement("stock/clamp")
@each_raise
def test_as_much_as_there_is_is_granted_and_said(story: Story, build: Raise) -> None:
    """Raises a line of two, of which the shop has five, to nine: five are granted."""
    tea = story.sku(available=5)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    outcome = story.expect_applied(phone.submit(build(phone, tea, 9, CLAMP)).only)
    expected = outcome_pb2.Adjustment(
        quantity_clamped=outcome_pb2.QuantityClamped(requested_quantity=9, granted_quantity=5)
    )
    story.expect(
        list(outcome.adjustments) == [expected],
        "a clamped operation does not say what was asked and what was granted",
        expected=expected,
        observed=outcome.adjustments,
    )
    story.expect(
        (outcome.line_change.quantity_before, outcome.line_change.quantity_after) == (2, 5),
        "a clamped operation does not report its line as it became",
        expected="2 -> 5",
        observed=outcome.line_change,
    )
    expect_line(story, phone, tea, 5)


@requirement("stock/clamp")
@each_raise
@pytest.mark.parametrize("available", [5, 6, None], ids=["just enough", "more than enough", "not counted"])
def test_nothing_is_cut_when_there_is_enough(story: Story, build: Raise, available: int | None) -> None:
    """Raises a line with CLAMP to no more than there is: granted in full, without an adjustment."""
    tea = story.sku(available=available)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    outcome = story.expect_applied(phone.submit(build(phone, tea, 5, CLAMP)).only)
    story.expect(not outcome.adjustments, "an operation applied in full carries adjustments", observed=outcome)
    expect_line(story, phone, tea, 5)


@requirement("stock/clamp-to-nothing")
@each_raise
@pytest.mark.parametrize("available", [2, 1, 0], ids=["as much as the line has", "less than it has", "nothing"])
def test_a_line_that_cannot_grow_is_neither_raised_nor_shrunk(story: Story, build: Raise, available: int) -> None:
    """Raises a line of two with CLAMP when the shop has no more than that: rejected, the line keeps its two."""
    tea = story.sku(available=50)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    story.shop.offer(tea, 100, available=available)
    answer = phone.submit(build(phone, tea, 7, CLAMP))
    outcome = story.expect_refused(answer.only, reason_pb2.REASON_INSUFFICIENT_INVENTORY)
    expect_watermark(story, answer, 2)
    _expect_available(story, outcome, available)
    expect_line(story, phone, tea, 2)


@requirement("stock/clamp-to-nothing")
def test_a_clamped_add_of_a_sold_out_product_makes_no_line(story: Story) -> None:
    """Adds a sold out product with CLAMP to a cart that is not there yet."""
    story.needs_unmade_cart()
    phone = story.device()
    operation = phone.add(story.sku(available=0), 3, policy=CLAMP)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY)
    story.expect(phone.cart().revision == 0, "a rejected add made a cart", slug="cart/made-by-first-add")


@requirement("stock/availability-shown")
def test_a_line_above_the_stock_is_shown_as_such_and_keeps_its_quantity(story: Story) -> None:
    """Lets the stock change around a line of five and reads the cart each time."""
    tea = story.sku(available=50)
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    enough, short = cart_pb2.LINE_AVAILABILITY_AVAILABLE, cart_pb2.LINE_AVAILABILITY_INSUFFICIENT
    for available, availability in ((4, short), (0, short), (5, enough), (6, enough), (None, enough)):
        story.shop.offer(tea, 100, available=available)
        line = phone.cart().lines[0]
        shown = line.available_quantity if line.HasField("available_quantity") else None
        story.expect(
            (line.quantity, line.availability, shown) == (5, availability, available),
            f"a line of 5 with {available} in stock is not shown as it is",
            expected=f"5, {cart_pb2.LineAvailability.Name(availability)}, {available} available",
            observed=line,
        )
        story.expect(
            line.unit_price.minor_units == 100 and line.line_total.minor_units == 500,
            "a line above the stock has another price or total",
            observed=line,
            slug="price/totals-exact",
        )


@requirement("limits/line-quantity")
@pytest.mark.parametrize("policy", [EXACT, CLAMP], ids=["exact", "clamp"])
def test_a_line_is_not_raised_above_the_largest_quantity(story: Story, policy: Policy) -> None:
    """Fills a line, and asks for one more in every way: rejected, and never cut down to what fits."""
    limit = story.policy.max_line_quantity
    tea = story.sku()
    phone = story.device()
    story.expect_applied(phone.submit(phone.add(tea, limit, policy=policy)).only)
    more = [phone.add(tea, 1, policy=policy), phone.adjust(tea, 1, policy=policy)]
    if limit < MAX_INT32:
        more.append(phone.set(tea, limit + 1, policy=policy))
    for result in phone.submit(*more).results:
        story.expect_refused(result, reason_pb2.REASON_LINE_LIMIT_EXCEEDED)
    expect_line(story, phone, tea, limit)


@requirement("limits/line-quantity")
def test_the_limit_is_judged_by_what_was_asked_for(story: Story) -> None:
    """Asks with CLAMP for more than a line may have of a product that is short: rejected, not cut down to stock."""
    limit = story.policy.max_line_quantity
    tea = story.sku(available=5)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    operation = phone.add(tea, min(limit, MAX_INT32 - 2), policy=CLAMP)
    if operation.add_item.quantity + 2 > limit:
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_LINE_LIMIT_EXCEEDED)
        expect_line(story, phone, tea, 2)


@requirement("limits/line-quantity")
@pytest.mark.parametrize("policy", [EXACT, CLAMP], ids=["exact", "clamp"])
def test_a_quantity_that_overflows_is_above_the_limit(story: Story, policy: Policy) -> None:
    """Adds and adjusts by the largest number there is, on top of two."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    for operation in (phone.add(tea, MAX_INT32, policy=policy), phone.adjust(tea, MAX_INT32, policy=policy)):
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_LINE_LIMIT_EXCEEDED)
    story.expect_lines(phone.cart(), {tea: 2})


def _expect_available(story: Story, outcome: outcome_pb2.Outcome, available: int) -> None:
    refusal = outcome.refusal
    story.expect(
        refusal.HasField("available_quantity") and refusal.available_quantity == available,
        "the rejection does not say how much there is",
        expected=available,
        observed=refusal,
        slug="answers/details",
    )
