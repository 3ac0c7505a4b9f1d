"""The families of the further profiles, played on the reference server's settlement: right and wrong in one rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from cartsync.v1.cart_pb2 import COUPON_STANDING_QUALIFIES
from memory_stage import MEANS, memory_stage

from conformance.oracle import Refutation, TooManyWorldsError
from conformance.plans.account_families import ADDRESSES, CLAIMS, COUPONS, EVERYTHING, PAYMENTS, WISHES
from conformance.plans.campaign import Limit, campaign
from conformance.plans.execute import execute
from conformance.plans.family import Family
from conformance.plans.shrinking import Failure
from conformance.plans.steps import Plan
from reference_server.engine.address_rules import AddressRules
from reference_server.engine.claim_rules import ClaimRules
from reference_server.engine.coupon_pricing import CouponPricing
from reference_server.engine.coupon_rules import CouponRules
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.payment_rules import PaymentRules
from reference_server.engine.wishlist_rules import WishlistRules

FAMILIES = (
    COUPONS,
    WISHES,
    ADDRESSES,
    PAYMENTS,
    CLAIMS,
    EVERYTHING,
)


def found_in(family: Family, plan_count: int, drawn_with: int) -> Failure | None:
    """What a campaign finds. Time stands still until the plans are played; then it is counted in looks at it."""

    def player(plan: Plan) -> Refutation | None:
        with memory_stage(drawn_with) as stage:
            try:
                execute(plan, stage)
            except Refutation as refutation:
                return refutation
            except TooManyWorldsError:
                return None
        return None

    ticks = itertools.count()
    limit = Limit(plan_count, seconds=10_000, shrink_seconds=40)
    return campaign(family, MEANS, limit, drawn_with, player, monotonic=lambda: float(next(ticks)))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_reference_server_passes_every_plan(family: Family) -> None:
    failure = found_in(family, 25, 11)
    assert failure is None, str(failure)


def _nothing(*_: Any) -> None:
    """A rule that never refuses."""


def _share_of_what_is_left(rules: Any, promotion: Any, standing: int, view: Any, left: int) -> int:
    if promotion is None or standing != COUPON_STANDING_QUALIFIES:
        return 0
    wanted = promotion.amount_off_minor
    taken: int = rules.capped(rules.share(left, promotion.basis_points_off) if wanted is None else wanted, left)
    return taken


def _first_stays(rules: Any, case: Any) -> EntryOutcome:
    return EntryOutcome(case.value or rules.kept(case).encoded(), changed=case.value is None)


WRONG: dict[str, tuple[Family, type[Any], str, Callable[..., Any], str]] = {
    "share of what is left": (
        COUPONS,
        CouponPricing,
        "taken",
        _share_of_what_is_left,
        "coupons/share-off",
    ),
    "coupon good more than once": (
        COUPONS,
        CouponRules,
        "already_used",
        _nothing,
        "coupons/once-per-principal",
    ),
    "coupon never ends": (COUPONS, CouponRules, "expired", _nothing, "coupons/start-and-end"),
    "removal of a wish ignored": (
        WISHES,
        WishlistRules,
        "remove",
        lambda _, case: EntryOutcome(case.value, changed=False),
        "wishlist/remove",
    ),
    "every edit written": (ADDRESSES, AddressRules, "is_kept", lambda *_: False, "address/merge-keeps"),
    "kept in silence": (ADDRESSES, AddressRules, "field_kept", _nothing, "address/kept-reported"),
    "deleted over an edit": (
        ADDRESSES,
        AddressRules,
        "address_changed",
        _nothing,
        "address/delete-changed",
    ),
    "token unchecked": (PAYMENTS, PaymentRules, "token_invalid", _nothing, "payment/token-checked"),
    "first method stays": (PAYMENTS, PaymentRules, "save", _first_stays, "payment/save"),
    "greater of both carts": (
        CLAIMS,
        ClaimRules,
        "whole",
        lambda _, mine, theirs: max(mine, theirs),
        "claim/adds-lines",
    ),
    "guest goes on": (CLAIMS, Decider, "principal_claimed", _nothing, "claim/guest-closed"),
    "limits ignored": (CLAIMS, ClaimRules, "most_in_stock", _nothing, "claim/limits"),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_a_server_wrong_in_one_rule_is_blamed_for_it(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family, rules, name, instead, slug = WRONG[wrong]
    monkeypatch.setattr(rules, name, instead)
    failure = found_in(family, 240, 11)
    assert failure is not None, "fuzzing did not find it"
    assert failure.refutation.slug == slug, str(failure.refutation)
