"""Which coupon may go on which cart: every rule of section 8.1 at its boundary, and the order among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cartsync.v1 import reason_pb2

from reference_server.engine.coupon_rules import CouponCase, CouponOutcome, CouponRules
from reference_server.engine.policy import Policy
from reference_server.engine.promotions import promotions_for
from reference_server.engine.refusals import Refused
from reference_server.engine.state import CartHead
from reference_server.ports import MAX_UNIT_PRICE_MINOR, BackendUnavailableError, Promotion

RULES = CouponRules(Policy(max_coupon_count=2))
OPEN = CartHead(revision=3, currency_code="GBP", update_time_us=0, line_count=1)
CLOSED = replace(OPEN, closed=True)
TENTH = Promotion(coupon_code="TENTH", basis_points_off=1_000, stackable=True)
POUND = Promotion(coupon_code="POUND", amount_off_minor=100, currency_code="GBP", stackable=True)


def case(promotion: Promotion | None = TENTH, **fields: Any) -> CouponCase:
    others = fields.pop("beside", {})
    settings: dict[str, Any] = {
        "kind": "apply_coupon",
        "coupon_code": "TENTH",
        "principal": "ada",
        "now_us": 1_000,
        "cart": OPEN,
        "applied": tuple(others),
        "promotions": {**others, "TENTH": promotion},
        **fields,
    }
    return CouponCase(**settings)


def told(judged: CouponCase, rules: CouponRules = RULES) -> str:
    answer = rules.judge(judged)
    if isinstance(answer, Refused):
        return reason_pb2.Reason.Name(answer.refusal.reason).removeprefix("REASON_")
    return "APPLIED"


def test_a_coupon_that_no_rule_refuses_goes_on_the_cart() -> None:
    assert RULES.judge(case()) == CouponOutcome(changed=True, present=True)


def test_a_closed_cart_takes_and_gives_back_no_coupon() -> None:
    assert told(case(cart=CLOSED)) == "CART_CLOSED"
    assert told(case(kind="remove_coupon", cart=CLOSED, applied=("TENTH",))) == "CART_CLOSED"


def test_a_coupon_makes_no_cart() -> None:
    assert told(case(cart=None)) == "CART_NOT_FOUND"


def test_a_coupon_that_is_on_the_cart_is_not_put_on_again() -> None:
    assert told(case(applied=("TENTH",))) == "COUPON_ALREADY_APPLIED"


def test_codes_are_compared_exactly() -> None:
    assert told(case(beside={"tenth": TENTH})) == "APPLIED"


def test_a_code_without_a_promotion_is_unknown() -> None:
    assert told(case(None)) == "COUPON_UNKNOWN"


@pytest.mark.parametrize(
    ("now_us", "reason"),
    [(99, "COUPON_NOT_STARTED"), (100, "APPLIED"), (199, "APPLIED"), (200, "COUPON_EXPIRED")],
)
def test_a_coupon_is_taken_from_its_start_up_to_its_end(now_us: int, reason: str) -> None:
    assert told(case(replace(TENTH, start_time_us=100, end_time_us=200), now_us=now_us)) == reason


@pytest.mark.parametrize(("principal", "reason"), [("ada", "APPLIED"), ("eve", "COUPON_NOT_ELIGIBLE")])
def test_a_coupon_that_names_principals_is_for_them_alone(principal: str, reason: str) -> None:
    assert told(case(replace(TENTH, eligible_principals=frozenset({"ada"})), principal=principal)) == reason


@pytest.mark.parametrize(
    ("promotion", "reason"),
    [
        (POUND, "APPLIED"),
        (replace(POUND, currency_code="EUR"), "CURRENCY_MISMATCH"),
        (replace(TENTH, min_subtotal_minor=1, min_subtotal_currency_code="EUR"), "CURRENCY_MISMATCH"),
        (replace(POUND, min_subtotal_minor=1, min_subtotal_currency_code="EUR"), "CURRENCY_MISMATCH"),
        (replace(TENTH, min_subtotal_minor=1, min_subtotal_currency_code="GBP"), "APPLIED"),
        (TENTH, "APPLIED"),
    ],
)
def test_amount_and_minimum_are_in_the_currency_of_the_cart(promotion: Promotion, reason: str) -> None:
    assert told(case(promotion)) == reason


@pytest.mark.parametrize(
    ("one_per_principal", "other_use_count", "reason"),
    [(True, 0, "APPLIED"), (True, 1, "COUPON_ALREADY_USED"), (False, 1, "APPLIED")],
)
def test_a_coupon_good_once_is_on_no_other_cart(one_per_principal: bool, other_use_count: int, reason: str) -> None:
    promotion = replace(TENTH, one_per_principal=one_per_principal)
    assert told(case(promotion, other_use_count=other_use_count)) == reason


ALONE = replace(POUND, stackable=False)


@pytest.mark.parametrize(
    ("promotion", "beside", "reason"),
    [
        (TENTH, {"POUND": POUND}, "APPLIED"),
        (replace(TENTH, stackable=False), {"POUND": POUND}, "COUPON_NOT_STACKABLE"),
        (TENTH, {"POUND": ALONE}, "COUPON_NOT_STACKABLE"),
        (replace(TENTH, stackable=False), {}, "APPLIED"),
        (TENTH, {"POUND": None}, "APPLIED"),
        (replace(TENTH, stackable=False), {"POUND": None}, "COUPON_NOT_STACKABLE"),
    ],
)
def test_coupons_stand_together_only_when_all_of_them_suffer_it(
    promotion: Promotion, beside: dict[str, Promotion | None], reason: str
) -> None:
    assert told(case(promotion, beside=beside)) == reason


def test_a_cart_has_the_most_coupons_that_the_policy_says_and_no_more() -> None:
    assert told(case(beside={"A": POUND})) == "APPLIED"
    assert told(case(beside={"A": POUND, "B": None})) == "COUPON_LIMIT_EXCEEDED"


def test_a_minimum_that_is_not_met_does_not_keep_a_coupon_off_the_cart() -> None:
    promotion = replace(TENTH, min_subtotal_minor=10**9, min_subtotal_currency_code="GBP")
    assert told(case(promotion)) == "APPLIED"


def test_of_several_rules_the_first_in_the_table_is_told() -> None:
    wrong_in_all = replace(
        ALONE,
        start_time_us=1_001,
        end_time_us=1_000,
        eligible_principals=frozenset({"bob"}),
        currency_code="EUR",
        one_per_principal=True,
    )
    judged = case(None, cart=CLOSED, other_use_count=1, beside={"A": POUND, "TENTH": POUND})
    seen = [told(judged)]
    promotion = wrong_in_all
    mends: list[dict[str, Any]] = [
        {"cart": None},
        {"cart": OPEN},
        {"applied": ("A", "B")},
        {"promotion": {}},
        {"promotion": {"start_time_us": None}},
        {"promotion": {"end_time_us": None}},
        {"promotion": {"eligible_principals": frozenset()}},
        {"promotion": {"currency_code": "GBP"}},
        {"promotion": {"one_per_principal": False}},
        {"promotion": {"stackable": True}},
        {"applied": ("A",)},
    ]
    for mend in mends:
        if "promotion" in mend:
            promotion = replace(promotion, **mend["promotion"])
            judged = replace(judged, promotions={"A": POUND, "B": POUND, "TENTH": promotion})
        else:
            judged = replace(judged, **mend)
        seen.append(told(judged))
    assert seen == [
        "CART_CLOSED",
        "CART_NOT_FOUND",
        "COUPON_ALREADY_APPLIED",
        "COUPON_UNKNOWN",
        "COUPON_NOT_STARTED",
        "COUPON_EXPIRED",
        "COUPON_NOT_ELIGIBLE",
        "CURRENCY_MISMATCH",
        "COUPON_ALREADY_USED",
        "COUPON_NOT_STACKABLE",
        "COUPON_LIMIT_EXCEEDED",
        "APPLIED",
    ]


# Taking one off


def test_taking_a_coupon_off_asks_nobody_and_looks_at_no_promotion() -> None:
    judged = case(None, kind="remove_coupon", applied=("TENTH",), other_use_count=1)
    assert not RULES.needs_promotions(judged)
    assert RULES.judge(judged) == CouponOutcome(changed=True, present=False)


@pytest.mark.parametrize("cart", [OPEN, None])
def test_taking_off_a_coupon_that_is_not_there_changes_nothing(cart: CartHead | None) -> None:
    assert RULES.judge(case(kind="remove_coupon", cart=cart)) == CouponOutcome(changed=False, present=False)


# Promotions that cannot be right


@pytest.mark.parametrize(
    "figures",
    [
        {"amount_off_minor": 0, "currency_code": "GBP"},
        {"amount_off_minor": MAX_UNIT_PRICE_MINOR + 1, "currency_code": "GBP"},
        {"amount_off_minor": 1},
        {"basis_points_off": 0},
        {"basis_points_off": 10_001},
        {"basis_points_off": 1, "min_subtotal_minor": -1, "min_subtotal_currency_code": "GBP"},
        {"basis_points_off": 1, "min_subtotal_minor": 1},
    ],
)
def test_a_promotion_with_impossible_figures_counts_as_no_answer(figures: dict[str, Any]) -> None:
    class Wrong:
        def promotion(self, principal: str, coupon_code: str) -> Promotion | None:
            return Promotion(coupon_code=coupon_code, **figures)

    with pytest.raises(BackendUnavailableError, match="impossible figures"):
        promotions_for(Wrong(), "ada")("TENTH")
