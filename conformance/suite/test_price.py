"""Checks of spec 6.2: the server's price, whatever the client says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import cart_pb2, money_pb2, operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import CLAMP


@requirement("price/current-wins")
@pytest.mark.parametrize("observed", [1, 900], ids=["too low", "too high"])
def test_an_observed_price_never_becomes_the_price(story: Story, observed: int) -> None:
    """Adds at a price that the shop never asked: applied, at the shop's price."""
    tea = story.sku("tea", 255)
    phone = story.device()
    story.expect_applied(phone.submit(phone.add(tea, 2, price=observed)).only)
    _expect_priced(story, phone.cart(), {tea: (2, 255)}, slug=None)


@requirement("price/current-wins")
def test_a_price_limit_never_becomes_the_price(story: Story) -> None:
    """Adds with a limit above the price: applied at the shop's price, not at the limit."""
    tea = story.sku("tea", 255)
    phone = story.device()
    story.expect_applied(phone.submit(phone.add(tea, 2, price=255, max_price=400)).only)
    _expect_priced(story, phone.cart(), {tea: (2, 255)}, slug=None)


@requirement("price/current-wins")
def test_no_price_is_kept_from_the_add(story: Story) -> None:
    """Adds twice at different prices of the shop: all of the line has the price of today."""
    tea = story.sku("tea", 100)
    phone = story.device()
    put_in_cart(story, phone, tea, 2, price=100)
    story.shop.offer(tea, 300)
    put_in_cart(story, phone, tea, 1, price=300)
    _expect_priced(story, phone.cart(), {tea: (3, 300)}, slug=None)


@requirement("price/changed-adjustment")
@pytest.mark.parametrize("observed", [200, 310], ids=["it rose", "it fell"])
def test_another_price_than_observed_is_reported(story: Story, observed: int) -> None:
    """Adds at another price than the current one: applied with one adjustment that names both."""
    tea = story.sku("tea", 255)
    phone = story.device()
    outcome = story.expect_applied(phone.submit(phone.add(tea, 2, price=observed)).only)
    _expect_adjustments(story, outcome, _price_changed(observed, 255))


@requirement("price/changed-adjustment")
def test_the_observed_price_is_not_reported_as_changed(story: Story) -> None:
    """Adds at just the current price, twice, the second time after it changed."""
    tea = story.sku("tea", 255)
    phone = story.device()
    first = story.expect_applied(phone.submit(phone.add(tea, 2, price=255)).only)
    story.shop.offer(tea, 310)
    second = story.expect_applied(phone.submit(phone.add(tea, 2, price=310, max_price=400)).only)
    for outcome in (first, second):
        _expect_adjustments(story, outcome)


@requirement("price/changed-adjustment")
def test_a_changed_price_is_reported_beside_a_clamped_quantity(story: Story) -> None:
    """Adds more than there is at another price than the current one: both are reported, each once."""
    tea = story.sku("tea", 255, available=3)
    phone = story.device()
    outcome = story.expect_applied(phone.submit(phone.add(tea, 9, price=200, policy=CLAMP)).only)
    prices = [a.price_changed for a in outcome.adjustments if a.HasField("price_changed")]
    story.expect(
        prices == [_price_changed(200, 255).price_changed] and len(outcome.adjustments) == 2,
        "a changed price is not reported once, beside the clamped quantity",
        observed=outcome.adjustments,
    )


@requirement("price/limit")
def test_a_price_above_the_limit_rejects_the_add(story: Story) -> None:
    """Adds with a limit just below the current price: rejected with the current price, and no line."""
    tea = story.sku("tea", 255)
    phone = story.device()
    answer = phone.submit(phone.add(tea, 2, price=200, max_price=254))
    outcome = story.expect_refused(answer.only, reason_pb2.REASON_PRICE_ABOVE_LIMIT)
    expect_watermark(story, answer, 1)
    story.expect(
        outcome.refusal.current_unit_price == money_pb2.Money(currency_code="GBP", minor_units=255),
        "the rejection does not say what the current price is",
        expected="GBP 255",
        observed=outcome.refusal,
        slug="answers/details",
    )
    story.expect_lines(phone.cart(), {})


@requirement("price/limit")
@pytest.mark.parametrize(
    ("price", "observed"), [(255, 200), (254, 254), (10, 300)], ids=["equal", "below", "far below"]
)
def test_a_price_within_the_limit_is_accepted(story: Story, price: int, observed: int) -> None:
    """Adds with a limit that the current price does not exceed, whatever the observed price was."""
    tea = story.sku("tea", price)
    phone = story.device()
    story.expect_applied(phone.submit(phone.add(tea, 2, price=observed, max_price=255)).only)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("price/limit")
def test_a_limit_of_nothing_is_a_limit(story: Story) -> None:
    """Adds with a limit of 0: rejected when the product costs anything, accepted when it is free."""
    tea = story.sku("tea", 1)
    phone = story.device()
    story.expect_refused(
        phone.submit(phone.add(tea, 1, price=0, max_price=0)).only, reason_pb2.REASON_PRICE_ABOVE_LIMIT
    )
    story.shop.offer(tea, 0)
    story.expect_applied(phone.submit(phone.add(tea, 1, price=0, max_price=0)).only)


@requirement("price/currency")
def test_an_add_in_another_currency_than_the_offers_is_rejected(story: Story) -> None:
    """Adds a product offered in pounds at a price in euros."""
    tea = story.sku("tea", 255)
    phone = story.device()
    answer = phone.submit(phone.add(tea, 2, price=255, currency="EUR"))
    story.expect_refused(answer.only, reason_pb2.REASON_CURRENCY_MISMATCH)
    expect_watermark(story, answer, 1)
    story.expect_lines(phone.cart(), {})
    story.expect_applied(phone.submit(phone.add(tea, 2, price=255)).only, slug="cart/add-adds")


@requirement("price/currency")
def test_a_second_currency_does_not_get_into_a_cart(story: Story) -> None:
    """Adds a product offered in euros, in euros, to a cart made in pounds, and to one that is new."""
    tea, cake = story.sku("tea"), story.sku("cake")
    story.shop.offer(cake, 300, currency="EUR")
    phone = story.device()
    put_in_cart(story, phone, tea)
    story.expect_refused(
        phone.submit(phone.add(cake, 1, price=300, currency="EUR")).only, reason_pb2.REASON_CURRENCY_MISMATCH
    )
    story.expect_applied(
        phone.submit(phone.add(cake, 1, price=300, currency="EUR", cart_id="euros")).only, slug="cart/add-adds"
    )


@requirement("price/currency")
def test_a_cart_keeps_its_currency_when_it_is_emptied(story: Story) -> None:
    """Empties a cart made in pounds and adds in euros."""
    tea, cake = story.sku("tea"), story.sku("cake")
    story.shop.offer(cake, 300, currency="EUR")
    phone = story.device()
    put_in_cart(story, phone, tea)
    story.expect_applied(phone.submit(phone.remove(tea)).only, slug="cart/remove-removes")
    operation = phone.add(cake, 1, price=300, currency="EUR")
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_CURRENCY_MISMATCH)


@requirement("price/currency")
@pytest.mark.parametrize("kind", ["an adjustment", "a set"])
def test_a_line_is_not_raised_when_its_offer_changed_currency_by(story: Story, kind: str) -> None:
    """Raises a line of a product that is offered in another currency than the cart's by then, without an add."""
    tea = story.sku("tea")
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    story.shop.offer(tea, 100, currency="EUR")
    operation = phone.adjust(tea, 1) if kind == "an adjustment" else phone.set(tea, 9)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_CURRENCY_MISMATCH)


@requirement("price/snapshot-current")
def test_every_snapshot_has_the_price_of_now(story: Story) -> None:
    """Changes the price three times and reads the cart after each, beside a replayed outcome with the old one."""
    tea, cake = story.sku("tea", 100), story.sku("cake", 40)
    phone = story.device()
    operation = phone.add(tea, 3, price=90)
    first = story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    put_in_cart(story, phone, cake, 1, price=40)
    for price in (101, 7, 2500):
        story.shop.offer(tea, price)
        story.expect_replayed(phone.submit(operation).only, first, slug="deciding/replay-verbatim")
        _expect_priced(story, phone.cart(), {tea: (3, price), cake: (1, 40)}, slug=None)


@requirement("price/snapshot-current")
def test_a_closed_cart_is_priced_from_the_catalogue_too(story: Story) -> None:
    """Changes the price after the cart's checkout and reads it."""
    tea = story.sku("tea", 100)
    phone = story.device()
    put_in_cart(story, phone, tea, 3)
    story.shop.close_cart(phone.cart_id)
    story.shop.offer(tea, 120)
    _expect_priced(story, phone.cart(), {tea: (3, 120)}, slug=None)


@requirement("price/totals-exact")
def test_totals_are_exact_to_the_minor_unit(story: Story) -> None:
    """Puts odd quantities of odd prices into a cart, one of them free, and adds up."""
    prices = {"tea": (3, 333), "cake": (7, 1), "jam": (1, 99_999_999), "bag": (5, 0), "milk": (13, 87)}
    phone = story.device()
    expected = {}
    for name, (quantity, price) in prices.items():
        sku = story.sku(name, price)
        put_in_cart(story, phone, sku, quantity, price=price)
        expected[sku] = (quantity, price)
    _expect_priced(story, phone.cart(), expected, slug=None)


@requirement("price/totals-exact")
def test_totals_too_large_for_floating_point_are_exact(story: Story) -> None:
    """Puts the largest line into a cart; its odd total is above 2 ** 53, from where on floats skip odd numbers."""
    quantity = min(story.policy.max_line_quantity, 99_999)
    price = 99_999_999_977
    tea, cake = story.sku("tea", price), story.sku("cake", 2)
    phone = story.device()
    put_in_cart(story, phone, tea, quantity, price=price)
    put_in_cart(story, phone, cake, 1, price=2)
    _expect_priced(story, phone.cart(), {tea: (quantity, price), cake: (1, 2)}, slug=None)


@requirement("price/unlisted-shown")
def test_a_line_no_longer_listed_stays_without_a_price(story: Story) -> None:
    """Takes a product off the shop while it is in a cart: its line stays, outside the subtotal."""
    tea, cake = story.sku("tea", 255, available=9), story.sku("cake", 40)
    phone = story.device()
    put_in_cart(story, phone, tea, 2, price=255)
    put_in_cart(story, phone, cake, 3, price=40)
    story.shop.offer(tea, 255, listed=False, available=9)
    cart = phone.cart()
    story.expect_lines(cart, {tea: 2, cake: 3})
    line = next(line for line in cart.lines if line.sku == tea)
    story.expect(
        line.availability == cart_pb2.LINE_AVAILABILITY_UNLISTED
        and not line.HasField("unit_price")
        and not line.HasField("line_total")
        and not line.HasField("available_quantity"),
        "a line whose offer is no longer listed is not shown as such, or still has a price or a stock",
        expected="UNLISTED, without price, total and stock",
        observed=line,
    )
    story.expect(
        cart.subtotal == money_pb2.Money(currency_code="GBP", minor_units=120),
        "the subtotal counts a line that is no longer listed",
        expected="GBP 120",
        observed=cart.subtotal,
    )


@requirement("price/unlisted-shown")
def test_a_cart_of_unlisted_lines_has_no_subtotal_until_they_are_back(story: Story) -> None:
    """Takes the only product of a cart off the shop, and puts it back at another price."""
    tea = story.sku("tea", 255)
    phone = story.device()
    put_in_cart(story, phone, tea, 2, price=255)
    story.shop.offer(tea, 255, listed=False)
    cart = phone.cart()
    story.expect(
        not cart.HasField("subtotal") and len(cart.lines) == 1,
        "a cart none of whose lines has a price has a subtotal, or lost its line",
        observed=cart,
    )
    story.shop.offer(tea, 260)
    _expect_priced(story, phone.cart(), {tea: (2, 260)}, slug="price/snapshot-current")


RAISES: dict[str, Callable[[Device, str], operation_pb2.CartOperation]] = {
    "an adjustment": lambda phone, sku: phone.adjust(sku, 1),
    "a set": lambda phone, sku: phone.set(sku, 9),
}


@requirement("price/changed-adjustment")
@pytest.mark.parametrize("build", RAISES.values(), ids=RAISES.keys())
def test_what_observes_no_price_is_told_of_no_change(
    story: Story, build: Callable[[Device, str], operation_pb2.CartOperation]
) -> None:
    """Raises a line without an add after its price changed: no adjustment, for no price was observed."""
    tea = story.sku("tea", 100)
    phone = story.device()
    put_in_cart(story, phone, tea)
    story.shop.offer(tea, 300)
    _expect_adjustments(story, story.expect_applied(phone.submit(build(phone, tea)).only))


def _price_changed(observed: int, current: int) -> outcome_pb2.Adjustment:
    return outcome_pb2.Adjustment(
        price_changed=outcome_pb2.PriceChanged(
            observed_unit_price=money_pb2.Money(currency_code="GBP", minor_units=observed),
            current_unit_price=money_pb2.Money(currency_code="GBP", minor_units=current),
        )
    )


def _expect_adjustments(story: Story, outcome: outcome_pb2.Outcome, *expected: outcome_pb2.Adjustment) -> None:
    story.expect(
        list(outcome.adjustments) == list(expected),
        f"operation {outcome.sequence} was applied with other adjustments than it should have",
        expected=list(expected),
        observed=list(outcome.adjustments),
    )


def _expect_priced(story: Story, cart: cart_pb2.Cart, lines: dict[str, tuple[int, int]], *, slug: str | None) -> None:
    """Expect these lines, each with quantity and unit price, with exact totals; totals count as price/totals-exact."""
    story.expect_lines(cart, {sku: quantity for sku, (quantity, _) in lines.items()}, slug="snapshot/content")
    observed = {line.sku: (line.quantity, line.unit_price.minor_units) for line in cart.lines}
    currencies = {line.unit_price.currency_code for line in cart.lines}
    story.expect(
        observed == lines and currencies <= {"GBP"},
        "a snapshot shows another price than the catalogue's",
        expected=lines,
        observed=observed,
        slug=slug,
    )
    totals = {line.sku: line.line_total.minor_units for line in cart.lines}
    expected = {sku: quantity * price for sku, (quantity, price) in lines.items()}
    subtotal = money_pb2.Money(currency_code="GBP", minor_units=sum(expected.values()))
    story.expect(
        totals == expected and all(line.line_total.currency_code == "GBP" for line in cart.lines),
        "a line total is not quantity times unit price",
        expected=expected,
        observed=totals,
        slug="price/totals-exact",
    )
    story.expect(
        cart.subtotal == subtotal,
        "the subtotal is not the sum of the line totals",
        expected=subtotal,
        observed=cart.subtotal,
        slug="price/totals-exact",
    )
