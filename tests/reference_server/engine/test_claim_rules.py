"""Which claim is taken, and what becomes of each line: the tables of section 13.1 at their boundaries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cartsync.v1 import reason_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_server.engine.claim_rules import ClaimCase, ClaimOutcome, ClaimRules, LineClaim
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.state import CartHead
from reference_server.ports import Offer

POLICY = Policy(max_line_quantity=99, max_line_count=100)
RULES = ClaimRules(POLICY)


def head(line_count: int = 1, currency: str = "GBP", *, closed: bool = False) -> CartHead:
    return CartHead(revision=1, currency_code=currency, update_time_us=0, line_count=line_count, closed=closed)


def offer(sku: str = "apple", stock: int | None = None, *, listed: bool = True, currency: str = "GBP") -> Offer:
    return Offer(sku, currency, 255, listed, stock)


def case(**fields: Any) -> ClaimCase:
    """A guest with two apples claimed by ada, whose cart is not there yet."""
    settings: dict[str, Any] = {
        "account": "ada",
        "by_guest": False,
        "cart": None,
        "guest": "visitor",
        "guest_cart_id": "basket",
        "guest_cart": head(),
        "guest_quantities": {"apple": 2},
        "offers": {"apple": offer()},
        **fields,
    }
    return ClaimCase(**settings)


def told(judged: ClaimCase) -> str:
    answer = RULES.judge(judged)
    if isinstance(answer, Refused):
        return name(answer.refusal.reason)
    return "APPLIED" if answer.first else "APPLIED BEFORE"


def name(reason: reason_pb2.Reason.ValueType) -> str:
    return reason_pb2.Reason.Name(reason).removeprefix("REASON_")


def lines(judged: ClaimCase) -> tuple[LineClaim, ...]:
    answer = RULES.judge(judged)
    assert isinstance(answer, ClaimOutcome)
    return answer.lines


def cut(judged: ClaimCase) -> tuple[int, int, str]:
    (line,) = lines(judged)
    return line.quantity_before, line.quantity_after, name(line.limit_reason)


# The claim as a whole


def test_a_claim_takes_the_lines_in_the_currency_of_the_guests_cart() -> None:
    assert RULES.judge(case()) == ClaimOutcome((LineClaim("apple", 2, 0, 2),), "GBP", first=True)


def test_a_closed_cart_takes_nothing() -> None:
    assert told(case(cart=head(closed=True))) == "CART_CLOSED"


def test_a_token_that_is_none_of_this_servers_claims_nobody() -> None:
    assert told(case(guest=None)) == "CLAIM_TOKEN_INVALID"


def test_a_guest_claims_nobody() -> None:
    assert told(case(by_guest=True)) == "CLAIM_TOKEN_INVALID"


def test_a_guest_belongs_to_the_first_account_that_claimed_it() -> None:
    assert told(case(claimed_by="bob", claimed_cart_ids=frozenset({"basket"}))) == "GUEST_ALREADY_CLAIMED"


def test_a_second_claim_of_one_cart_by_the_same_account_changes_nothing() -> None:
    judged = case(claimed_by="ada", claimed_cart_ids=frozenset({"basket"}), guest_cart=head(closed=True))
    assert RULES.judge(judged) == ClaimOutcome(first=False)
    assert not ClaimOutcome(first=False).changed


def test_another_cart_of_the_same_guest_is_claimed_as_well() -> None:
    assert told(case(claimed_by="ada", claimed_cart_ids=frozenset({"other"}))) == "APPLIED"
    assert lines(case(claimed_by="ada", claimed_cart_ids=frozenset({"other"}))) == (LineClaim("apple", 2, 0, 2),)


@pytest.mark.parametrize(
    "nothing",
    [
        {"guest_cart": None, "guest_quantities": {}},
        {"guest_cart": head(closed=True)},
        {"guest_quantities": {}},
    ],
)
def test_a_guests_cart_that_is_not_there_closed_or_empty_gives_nothing_and_is_claimed(nothing: dict[str, Any]) -> None:
    answer = RULES.judge(case(**nothing))
    assert isinstance(answer, ClaimOutcome)
    assert (answer.lines, answer.first, answer.changed) == ((), True, False)


def test_of_several_rules_the_first_in_the_table_is_told() -> None:
    judged = case(cart=head(closed=True), guest=None, by_guest=True, claimed_by="bob")
    seen = [told(judged)]
    for mend in (
        {"cart": None},
        {"guest": "visitor"},
        {"by_guest": False},
        {"claimed_by": "ada", "claimed_cart_ids": frozenset({"basket"})},
        {"claimed_cart_ids": frozenset[str]()},
    ):
        judged = replace(judged, **mend)
        seen.append(told(judged))
    assert seen == [
        "CART_CLOSED",
        "CLAIM_TOKEN_INVALID",
        "CLAIM_TOKEN_INVALID",
        "GUEST_ALREADY_CLAIMED",
        "APPLIED BEFORE",
        "APPLIED",
    ]


# Line by line


def test_the_line_of_the_account_becomes_the_sum_of_both() -> None:
    assert cut(case(cart=head(), quantities={"apple": 5})) == (5, 7, "UNSPECIFIED")


def test_lines_are_gone_through_in_the_order_of_code_points() -> None:
    skus = ["Äpfel", "apple", "Zebra", "\U0001f34e", "\uffee"]
    judged = case(guest_quantities=dict.fromkeys(skus, 1), offers={sku: offer(sku) for sku in skus})
    assert [line.sku for line in lines(judged)] == ["Zebra", "apple", "Äpfel", "\uffee", "\U0001f34e"]


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"offers": {"apple": None}}, "SKU_UNKNOWN"),
        ({"offers": {"apple": offer(listed=False)}}, "SKU_UNLISTED"),
        ({"offers": {"apple": offer(currency="EUR")}}, "CURRENCY_MISMATCH"),
        ({"guest_cart": head(currency="EUR")}, "CURRENCY_MISMATCH"),
        ({"cart": head(currency="EUR")}, "CURRENCY_MISMATCH"),
    ],
)
@pytest.mark.parametrize("before", [0, 4])
def test_what_is_not_for_sale_in_this_cart_leaves_the_line_as_it_was(
    what: dict[str, Any], reason: str, before: int
) -> None:
    assert cut(case(**{"cart": head(), "quantities": {"apple": before}, **what})) == (before, before, reason)


@pytest.mark.parametrize(
    ("line_count", "before", "after", "reason"),
    [(99, 0, 2, "UNSPECIFIED"), (100, 0, 0, "LINE_LIMIT_EXCEEDED"), (100, 1, 3, "UNSPECIFIED")],
)
def test_only_a_new_line_meets_the_limit_of_lines(line_count: int, before: int, after: int, reason: str) -> None:
    assert cut(case(cart=head(line_count), quantities={"apple": before})) == (before, after, reason)


def test_lines_that_the_claim_itself_makes_count_and_those_that_come_to_nothing_do_not() -> None:
    skus = ["a", "b", "c", "d"]
    offers: dict[str, Offer] = {sku: offer(sku) for sku in skus} | {"a": offer("a", stock=0)}
    judged = case(cart=head(98), guest_quantities=dict.fromkeys(skus, 1), offers=offers)
    assert [(line.quantity_after, name(line.limit_reason)) for line in lines(judged)] == [
        (0, "INSUFFICIENT_INVENTORY"),
        (1, "UNSPECIFIED"),
        (1, "UNSPECIFIED"),
        (0, "LINE_LIMIT_EXCEEDED"),
    ]


@pytest.mark.parametrize(
    ("before", "guest", "stock", "after", "reason"),
    [
        (97, 2, None, 99, "UNSPECIFIED"),
        (97, 3, None, 99, "LINE_LIMIT_EXCEEDED"),
        (5, 5, 10, 10, "UNSPECIFIED"),
        (5, 5, 9, 9, "INSUFFICIENT_INVENTORY"),
        (5, 5, 3, 5, "INSUFFICIENT_INVENTORY"),
        (0, 5, 0, 0, "INSUFFICIENT_INVENTORY"),
        (90, 20, 98, 98, "INSUFFICIENT_INVENTORY"),
        (90, 20, 99, 99, "LINE_LIMIT_EXCEEDED"),
        (90, 20, 100, 99, "LINE_LIMIT_EXCEEDED"),
        (120, 20, None, 120, "LINE_LIMIT_EXCEEDED"),
    ],
)
def test_the_lower_of_line_limit_and_stock_cuts_and_is_named(
    before: int, guest: int, stock: int | None, after: int, reason: str
) -> None:
    judged = case(
        cart=head(),
        quantities={"apple": before},
        guest_quantities={"apple": guest},
        offers={"apple": offer(stock=stock)},
    )
    assert cut(judged) == (before, after, reason)


def test_of_several_limits_the_first_in_the_table_is_named() -> None:
    full = head(100, "EUR")
    judged = case(cart=full, offers={"apple": None})
    seen = [cut(judged)[2]]
    for mend in (
        {"offers": {"apple": offer(stock=1, listed=False)}},
        {"offers": {"apple": offer(stock=1)}},
        {"cart": head(100)},
        {"cart": head(99)},
    ):
        judged = replace(judged, **mend)
        seen.append(cut(judged)[2])
    assert seen == ["SKU_UNKNOWN", "SKU_UNLISTED", "CURRENCY_MISMATCH", "LINE_LIMIT_EXCEEDED", "INSUFFICIENT_INVENTORY"]


# Whatever the figures

SKUS = st.text("ab\u00e4\uffee\U0001f34e", min_size=1, max_size=2)
OFFERS = st.none() | st.builds(
    Offer,
    sku=st.just("any"),
    currency_code=st.sampled_from(["GBP", "GBP", "GBP", "EUR"]),
    unit_price_minor=st.just(1),
    listed=st.sampled_from([True, True, True, False]),
    available_quantity=st.none() | st.integers(0, 250),
)


@st.composite
def claims(draw: st.DrawFn) -> ClaimCase:
    guest_quantities = draw(st.dictionaries(SKUS, st.integers(1, 99), max_size=8))
    quantities = draw(st.dictionaries(SKUS, st.integers(1, 120), max_size=8))
    others = draw(st.sampled_from([0, 0, 90, 97, 99]))
    cart = (
        None if not quantities else head(len(quantities) + others, draw(st.sampled_from(["GBP", "GBP", "GBP", "EUR"])))
    )
    return case(
        cart=cart,
        quantities=quantities,
        guest_quantities=guest_quantities,
        offers={sku: draw(OFFERS) for sku in guest_quantities},
    )


@settings(deadline=None)
@given(judged=claims())
def test_no_line_loses_or_gets_more_than_the_sum_and_whatever_is_cut_is_told(judged: ClaimCase) -> None:
    found = lines(judged)
    assert [line.sku for line in found] == sorted(judged.guest_quantities)
    new_lines = 0
    for line in found:
        before, guest = judged.quantities.get(line.sku, 0), judged.guest_quantities[line.sku]
        assert (line.quantity_before, line.guest_quantity) == (before, guest)
        assert before <= line.quantity_after <= before + guest
        whole = line.quantity_after == before + guest
        assert whole == (line.limit_reason == reason_pb2.REASON_UNSPECIFIED)
        wanted = judged.offers[line.sku]
        if line.changed:
            assert wanted is not None
            assert wanted.listed
            assert wanted.currency_code == "GBP"
            assert line.quantity_after <= POLICY.max_line_quantity
            assert wanted.available_quantity is None or line.quantity_after <= wanted.available_quantity
        if line.limit_reason == reason_pb2.REASON_INSUFFICIENT_INVENTORY:
            assert wanted is not None
            assert wanted.available_quantity is not None
            assert line.quantity_after == max(before, wanted.available_quantity)
        new_lines += before == 0 and line.changed
    had = 0 if judged.cart is None else judged.cart.line_count
    assert had + new_lines <= max(had, POLICY.max_line_count)


@settings(deadline=None)
@given(judged=claims())
def test_a_claim_again_into_what_it_left_never_takes_a_line_back(judged: ClaimCase) -> None:
    left = {**judged.quantities, **{line.sku: line.quantity_after for line in lines(judged)}}
    again = replace(judged, quantities=left, cart=judged.cart or head(len(left)))
    assert all(line.quantity_after >= left.get(line.sku, 0) for line in lines(again))
