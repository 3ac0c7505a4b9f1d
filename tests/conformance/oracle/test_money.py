"""What coupons take off is right to the minor unit: two writings of section 8.2 against reckoning in fractions.

`--hypothesis-profile=deep` runs each of these on 10,000 examples.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from cartsync.v1 import cart_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.oracle import coupon_rules
from conformance.oracle.carts import Cart
from conformance.oracle.coupon_rules import Phase
from conformance.oracle.values import Money, Promotion
from reference_server import ports
from reference_server.engine.coupon_pricing import CouponPricing, CouponView

pytestmark = pytest.mark.timeout(1_800)  # the deep profile takes its time

MOST = 500 * 99_999 * 100_000_000_000  # 500 lines, as long and dear as they can be
_SMALL_OR_LARGE = st.one_of(st.integers(1, 50), st.integers(1, 100_000), st.integers(1, 100_000_000_000))
PROMOTIONS = st.one_of(
    st.builds(lambda minor: Promotion(amount=Money("GBP", minor), stackable=True), _SMALL_OR_LARGE),
    st.builds(lambda points: Promotion(basis_points=points, stackable=True), st.integers(1, 10_000)),
).flatmap(
    lambda promotion: st.builds(
        lambda minimum: replace(promotion, minimum=None if minimum is None else Money("GBP", minimum)),
        st.none() | _SMALL_OR_LARGE,
    )
)
SUBTOTALS = st.one_of(st.integers(0, 300), st.integers(0, 10_000_000), st.integers(0, MOST))


def in_fractions(subtotal: int, promotions: list[Promotion]) -> list[int]:
    """What each takes off: whole and exact, with a floor only where the spec has one."""
    left, taken = Fraction(subtotal), []
    for promotion in promotions:
        wanted = Fraction(0)
        if promotion.minimum is None or subtotal >= promotion.minimum.minor:
            if promotion.amount is not None:
                wanted = Fraction(promotion.amount.minor)
            else:
                wanted = Fraction(math.floor(Fraction(subtotal) * Fraction(promotion.basis_points, 10_000)))
        off = wanted if wanted < left else left
        left -= off
        taken.append(off)
    assert all(off.denominator == 1 for off in taken)
    return [off.numerator for off in taken]


def of_the_oracle(subtotal: int, promotions: list[Promotion]) -> list[int]:
    cart = Cart("GBP", coupons=tuple(f"C{n}" for n, _ in enumerate(promotions)))
    judged = [(promotion, Phase.DURING) for promotion in promotions]
    standings = coupon_rules.standings(cart, Money("GBP", subtotal), "", judged)
    assert all(standing.discount is not None and standing.discount.currency == "GBP" for standing in standings)
    return [standing.discount.minor for standing in standings if standing.discount is not None]


def of_the_server(subtotal: int, promotions: list[Promotion]) -> list[int]:
    coupons: list[tuple[str, ports.Promotion | None]] = [
        (
            f"C{number}",
            ports.Promotion(
                coupon_code=f"C{number}",
                amount_off_minor=promotion.amount.minor if promotion.amount is not None else None,
                currency_code="GBP" if promotion.amount is not None else "",
                basis_points_off=promotion.basis_points or None,
                min_subtotal_minor=promotion.minimum.minor if promotion.minimum is not None else None,
                min_subtotal_currency_code="GBP" if promotion.minimum is not None else "",
                stackable=True,
            ),
        )
        for number, promotion in enumerate(promotions)
    ]
    view = CouponView(
        principal="ada", now_us=0, currency_code="GBP", subtotal_minor=subtotal, coupon_count=len(coupons)
    )
    found = CouponPricing().discounts(coupons, view)
    known = {cart_pb2.COUPON_STANDING_QUALIFIES, cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET}
    assert {discount.standing for discount in found} <= known
    return [discount.minor_units for discount in found]


@settings(deadline=None)
@given(SUBTOTALS, st.lists(PROMOTIONS, max_size=5))
def test_discounts_are_never_off_by_a_minor_unit(subtotal: int, promotions: list[Promotion]) -> None:
    wanted = in_fractions(subtotal, promotions)
    assert of_the_oracle(subtotal, promotions) == wanted
    assert of_the_server(subtotal, promotions) == wanted
    assert 0 <= subtotal - sum(wanted) <= subtotal


@settings(deadline=None)
@given(SUBTOTALS, st.integers(1, 10_000))
def test_a_share_reckoned_within_64_bits_is_the_share(subtotal: int, basis_points: int) -> None:
    """The way that section 8.2 shows to writers without wide integers."""
    shown = subtotal // 10_000 * basis_points + subtotal % 10_000 * basis_points // 10_000
    assert in_fractions(subtotal, [Promotion(basis_points=basis_points)]) == [shown]
