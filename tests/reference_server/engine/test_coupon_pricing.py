"""What coupons take off: to the minor unit, in the order applied, never more than there is."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from cartsync.v1 import cart_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_server.engine.coupon_pricing import CouponPricing, CouponView, Discount
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Promotion

NOW_US = 1_000_000
MAX_SUBTOTAL = 500 * 99_999 * MAX_UNIT_PRICE_MINOR

Coupons = list[tuple[str, Promotion | None]]


def amount(minor_units: int, currency: str = "GBP", *, stackable: bool = True, code: str = "A") -> Promotion:
    return Promotion(coupon_code=code, amount_off_minor=minor_units, currency_code=currency, stackable=stackable)


def share(basis_points: int, *, stackable: bool = True, code: str = "S") -> Promotion:
    return Promotion(coupon_code=code, basis_points_off=basis_points, stackable=stackable)


def view(subtotal_minor: int, coupon_count: int = 1, principal: str = "ada", now_us: int = NOW_US) -> CouponView:
    return CouponView(
        principal=principal,
        now_us=now_us,
        currency_code="GBP",
        subtotal_minor=subtotal_minor,
        coupon_count=coupon_count,
    )


def off(subtotal_minor: int, *promotions: Promotion | None) -> list[int]:
    coupons = [(f"C{index}", promotion) for index, promotion in enumerate(promotions)]
    found = CouponPricing().discounts(coupons, view(subtotal_minor, len(coupons)))
    return [discount.minor_units for discount in found]


def standing(promotion: Promotion | None, seen: CouponView) -> str:
    name = cart_pb2.CouponStanding.Name(CouponPricing().standing(promotion, seen))
    return name.removeprefix("COUPON_STANDING_")


# Amounts and shares


@pytest.mark.parametrize(
    ("subtotal", "basis_points", "taken"),
    [
        (999, 1_000, 99),
        (9_999, 1, 0),
        (10_000, 1, 1),
        (1, 9_999, 0),
        (1, 10_000, 1),
        (333, 3_333, 110),
        (0, 10_000, 0),
        (MAX_SUBTOTAL, 9_999, MAX_SUBTOTAL * 9_999 // 10_000),
    ],
)
def test_a_share_is_rounded_down_to_the_minor_unit(subtotal: int, basis_points: int, taken: int) -> None:
    assert off(subtotal, share(basis_points)) == [taken]


@pytest.mark.parametrize(("subtotal", "taken"), [(501, 500), (500, 500), (499, 499), (0, 0)])
def test_an_amount_takes_its_amount_or_what_there_is(subtotal: int, taken: int) -> None:
    assert off(subtotal, amount(500)) == [taken]


def test_a_share_is_of_the_whole_subtotal_whatever_those_before_it_took() -> None:
    assert off(1_000, amount(300), share(5_000)) == [300, 500]


def test_each_takes_at_most_what_those_before_it_have_left() -> None:
    assert off(1_000, share(8_000), amount(300), amount(1), share(10_000)) == [800, 200, 0, 0]


def test_the_order_applied_decides_who_is_cut() -> None:
    assert off(1_000, amount(900), share(2_000)) == [900, 100]
    assert off(1_000, share(2_000), amount(900)) == [200, 800]


def test_one_that_does_not_qualify_leaves_its_part_to_the_next() -> None:
    assert off(1_000, None, amount(900), amount(900, "EUR"), amount(900)) == [0, 900, 0, 100]


# Standings


def test_a_coupon_qualifies_though_nothing_is_left_for_it() -> None:
    found = CouponPricing().discounts([("A", amount(1_000)), ("B", amount(1))], view(1_000, 2))
    assert [discount.standing for discount in found] == [cart_pb2.COUPON_STANDING_QUALIFIES] * 2


def test_a_coupon_that_the_shop_no_longer_knows_is_withdrawn() -> None:
    assert standing(None, view(1_000)) == "WITHDRAWN"


@pytest.mark.parametrize(
    ("now_us", "told"), [(99, "NOT_STARTED"), (100, "QUALIFIES"), (199, "QUALIFIES"), (200, "EXPIRED")]
)
def test_a_coupon_is_good_from_its_start_up_to_its_end(now_us: int, told: str) -> None:
    promotion = Promotion(coupon_code="A", basis_points_off=1, start_time_us=100, end_time_us=200)
    assert standing(promotion, view(1_000, now_us=now_us)) == told


@pytest.mark.parametrize(("subtotal", "told"), [(4_999, "MINIMUM_NOT_MET"), (5_000, "QUALIFIES"), (5_001, "QUALIFIES")])
def test_the_minimum_is_met_by_what_is_equal_to_it(subtotal: int, told: str) -> None:
    promotion = Promotion(
        coupon_code="A", basis_points_off=1, min_subtotal_minor=5_000, min_subtotal_currency_code="GBP"
    )
    assert standing(promotion, view(subtotal)) == told


@pytest.mark.parametrize(
    ("principal", "told"), [("ada", "QUALIFIES"), ("bob", "QUALIFIES"), ("eve", "NOT_ELIGIBLE"), ("AD", "NOT_ELIGIBLE")]
)
def test_a_coupon_that_names_principals_is_for_them_alone(principal: str, told: str) -> None:
    promotion = Promotion(coupon_code="A", basis_points_off=1, eligible_principals=frozenset({"ada", "bob"}))
    assert standing(promotion, view(1_000, principal=principal)) == told


@pytest.mark.parametrize("stackable", [True, False])
def test_only_a_coupon_beside_others_can_be_in_their_way(stackable: bool) -> None:
    assert standing(share(1, stackable=stackable), view(1_000)) == "QUALIFIES"
    beside = standing(share(1, stackable=stackable), view(1_000, coupon_count=2))
    assert beside == ("QUALIFIES" if stackable else "NOT_STACKABLE")


def test_of_several_reasons_the_first_in_the_order_of_the_standings_is_told() -> None:
    wrong_in_all = {
        "start_time_us": NOW_US + 1,
        "end_time_us": NOW_US,
        "eligible_principals": frozenset({"bob"}),
        "currency_code": "EUR",
        "min_subtotal_minor": 2_000,
        "stackable": False,
    }
    right = {
        "start_time_us": None,
        "end_time_us": None,
        "eligible_principals": frozenset[str](),
        "currency_code": "GBP",
        "min_subtotal_minor": None,
        "stackable": True,
    }
    told = []
    for count in range(len(wrong_in_all) + 1):
        mended = {name: right[name] for name in list(right)[:count]}
        fields: dict[str, object] = {
            "coupon_code": "A",
            "amount_off_minor": 1,
            "min_subtotal_currency_code": "GBP",
            **wrong_in_all,
            **mended,
        }
        told.append(standing(Promotion(**fields), view(1_000, coupon_count=2)))  # type: ignore[arg-type]
    assert told == [
        "NOT_STARTED",
        "EXPIRED",
        "NOT_ELIGIBLE",
        "CURRENCY_MISMATCH",
        "MINIMUM_NOT_MET",
        "NOT_STACKABLE",
        "QUALIFIES",
    ]


# Whatever the figures

SUBTOTALS = st.one_of(st.integers(0, 20_000), st.integers(0, MAX_SUBTOTAL))
AMOUNTS = st.one_of(st.integers(1, 10_000), st.integers(1, MAX_UNIT_PRICE_MINOR))
SHARES = st.one_of(st.sampled_from([1, 9_999, 10_000]), st.integers(1, 10_000))


@st.composite
def promotions(draw: st.DrawFn) -> Promotion:
    by_amount = draw(st.booleans())
    return Promotion(
        coupon_code="C",
        amount_off_minor=draw(AMOUNTS) if by_amount else None,
        basis_points_off=None if by_amount else draw(SHARES),
        currency_code=draw(st.sampled_from(["GBP", "GBP", "GBP", "EUR"])) if by_amount else "",
        min_subtotal_minor=draw(st.none() | SUBTOTALS),
        min_subtotal_currency_code="GBP",
        start_time_us=draw(st.sampled_from([None, None, NOW_US, NOW_US + 1])),
        end_time_us=draw(st.sampled_from([None, None, NOW_US, NOW_US + 1])),
        eligible_principals=draw(st.sampled_from([frozenset(), frozenset({"ada"}), frozenset({"bob"})])),
        stackable=draw(st.booleans()),
    )


COUPONS = st.lists(st.none() | promotions(), max_size=20).map(
    lambda found: [(f"C{index}", promotion) for index, promotion in enumerate(found)]
)


def reckoned_in_fractions(coupons: Coupons, discounts: list[Discount], subtotal: int) -> list[Fraction]:
    """The same sum by exact fractions, given who qualifies: rounded at the one place where the spec rounds."""
    left, taken = Fraction(subtotal), []
    for (_, promotion), discount in zip(coupons, discounts, strict=True):
        wanted = Fraction(0)
        if promotion is not None and discount.standing == cart_pb2.COUPON_STANDING_QUALIFIES:
            if promotion.basis_points_off is not None:
                wanted = Fraction(floor(Fraction(subtotal) * Fraction(promotion.basis_points_off, 10_000)))
            else:
                wanted = Fraction(promotion.amount_off_minor or 0)
        taken.append(left if wanted > left else wanted)
        left -= taken[-1]
    return taken


@settings(deadline=None)
@given(coupons=COUPONS, subtotal=SUBTOTALS)
def test_discounts_are_exact_and_never_more_than_the_subtotal(coupons: Coupons, subtotal: int) -> None:
    found = CouponPricing().discounts(coupons, view(subtotal, len(coupons)))
    assert [discount.coupon_code for discount in found] == [code for code, _ in coupons]
    left = subtotal
    for discount in found:
        assert 0 <= discount.minor_units <= left
        assert discount.minor_units == 0 or discount.standing == cart_pb2.COUPON_STANDING_QUALIFIES
        left -= discount.minor_units
    assert [discount.minor_units for discount in found] == reckoned_in_fractions(coupons, found, subtotal)


@settings(deadline=None)
@given(subtotal=SUBTOTALS, basis_points=SHARES)
def test_a_share_is_the_floor_of_the_exact_share_however_it_is_reckoned(subtotal: int, basis_points: int) -> None:
    (taken,) = off(subtotal, share(basis_points))
    assert taken == floor(Fraction(subtotal * basis_points, 10_000))
    assert taken == subtotal // 10_000 * basis_points + subtotal % 10_000 * basis_points // 10_000


@settings(deadline=None)
@given(coupons=COUPONS, subtotal=SUBTOTALS, data=st.data())
def test_a_coupon_never_changes_what_those_applied_before_it_take(
    coupons: Coupons, subtotal: int, data: st.DataObject
) -> None:
    seen = view(subtotal, len(coupons))  # as many as there are, so that stacking is judged alike
    kept = data.draw(st.integers(0, len(coupons)))
    whole = CouponPricing().discounts(coupons, seen)
    assert CouponPricing().discounts(coupons[:kept], seen) == whole[:kept]
