"""The coupon rules (step 14 of chapter 3; chapter 8): may this coupon go on the cart, or come off it.

The order is that of the table in section 8.1, and so is the order of `TABLE`. Each rule is one method that returns
a refusal or None. A variant of the server overrides exactly one of them.

Which carts of a principal a code is on is told by the collection `state.uses_of(code)`, one entry for each cart: its
count answers rule 9 without reading any of them, and the compare-and-set on its head lets one of two raced carts
win. It is kept for every code, for a promotion may become good once only after it was put on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartHead
from reference_server.ports import Promotion


@dataclass(slots=True, kw_only=True)
class CouponCase:
    """One coupon to be put on a cart or taken off it, and all that the rules judge it by.

    `applied` are the codes on the cart in the order they were applied; `other_use_count` is on how many other carts
    of the principal the code is. `promotions` holds what the code, and each one on the cart, stands for now; it is
    looked up only for a coupon that is to be put on, and None means unknown or withdrawn.
    """

    kind: str  # apply_coupon or remove_coupon
    coupon_code: str
    principal: str
    now_us: int
    cart: CartHead | None
    applied: tuple[str, ...]
    other_use_count: int = 0
    promotions: Mapping[str, Promotion | None] = field(default_factory=dict)

    @property
    def promotion(self) -> Promotion | None:
        """What the code stands for."""
        return self.promotions.get(self.coupon_code)

    @property
    def is_on_cart(self) -> bool:
        """Whether the code is on the cart, compared exactly."""
        return self.coupon_code in self.applied


@dataclass(frozen=True, slots=True)
class CouponOutcome:
    """A coupon is put on or taken off: whether the cart is different for it, and whether it is on the cart then."""

    changed: bool
    present: bool


class CouponRules:
    """Judges operations on coupons against the cart, the promotions and the policy. Keeps no state."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        # method, whether it applies only to a coupon that is to be put on
        ("cart_closed", False),
        ("cart_not_found", True),
        ("already_applied", True),
        ("unknown", True),
        ("not_started", True),
        ("expired", True),
        ("not_eligible", True),
        ("currency_mismatch", True),
        ("already_used", True),
        ("not_stackable", True),
        ("limit_exceeded", True),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, case: CouponCase) -> CouponOutcome | Refused:
        """The first rule that refuses, or what is applied (spec: deciding/refusal-order)."""
        for name, only_when_applying in self.TABLE:
            if only_when_applying and case.kind != "apply_coupon":
                continue
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        return self.apply(case) if case.kind == "apply_coupon" else self.remove(case)

    def needs_promotions(self, case: CouponCase) -> bool:
        """Whether the shop is asked what codes stand for (spec: coupons/backend, coupons/remove-free)."""
        return case.kind == "apply_coupon"

    # What an operation that no rule refuses comes to.

    def apply(self, case: CouponCase) -> CouponOutcome:  # noqa: ARG002 - the seam of variants
        """Spec: coupons/apply. That it is not there yet is rule 3."""
        return CouponOutcome(changed=True, present=True)

    def remove(self, case: CouponCase) -> CouponOutcome:
        """Spec: coupons/remove."""
        return CouponOutcome(changed=case.is_on_cart, present=False)

    # The rules, in the order of section 8.1.

    def cart_closed(self, case: CouponCase) -> Refused | None:
        """Rule 1 (spec: coupons/apply-cart)."""
        if case.cart is None or not case.cart.closed:
            return None
        return refuse(Reason.REASON_CART_CLOSED, "the cart is closed")

    def cart_not_found(self, case: CouponCase) -> Refused | None:
        """Rule 2 (spec: coupons/apply-cart)."""
        if case.cart is not None:
            return None
        return refuse(Reason.REASON_CART_NOT_FOUND, "no add has made this cart")

    def already_applied(self, case: CouponCase) -> Refused | None:
        """Rule 3 (spec: coupons/already-applied)."""
        if not case.is_on_cart:
            return None
        return refuse(Reason.REASON_COUPON_ALREADY_APPLIED, "the coupon is on this cart already")

    def unknown(self, case: CouponCase) -> Refused | None:
        """Rule 4 (spec: coupons/unknown)."""
        if case.promotion is not None:
            return None
        return refuse(Reason.REASON_COUPON_UNKNOWN, "the shop has no such coupon")

    def not_started(self, case: CouponCase) -> Refused | None:
        """Rule 5 (spec: coupons/start-and-end)."""
        if case.promotion is None or not is_before_start(case.promotion, case.now_us):
            return None
        return refuse(Reason.REASON_COUPON_NOT_STARTED, "the coupon is not good yet")

    def expired(self, case: CouponCase) -> Refused | None:
        """Rule 6 (spec: coupons/start-and-end)."""
        if case.promotion is None or not is_over(case.promotion, case.now_us):
            return None
        return refuse(Reason.REASON_COUPON_EXPIRED, "the coupon is no longer good")

    def not_eligible(self, case: CouponCase) -> Refused | None:
        """Rule 7 (spec: coupons/eligible-principals)."""
        if case.promotion is None or is_eligible(case.promotion, case.principal):
            return None
        return refuse(Reason.REASON_COUPON_NOT_ELIGIBLE, "the coupon is for others")

    def currency_mismatch(self, case: CouponCase) -> Refused | None:
        """Rule 8 (spec: coupons/currency)."""
        if case.promotion is None or case.cart is None:
            return None
        others = sorted(currencies(case.promotion) - {case.cart.currency_code})
        if not others:
            return None
        return refuse(
            Reason.REASON_CURRENCY_MISMATCH,
            f"the coupon is in {', '.join(others)} and the cart in {case.cart.currency_code}",
        )

    def already_used(self, case: CouponCase) -> Refused | None:
        """Rule 9 (spec: coupons/once-per-principal)."""
        if case.promotion is None or not case.promotion.one_per_principal or case.other_use_count == 0:
            return None
        return refuse(Reason.REASON_COUPON_ALREADY_USED, "the coupon is good once, and is on another cart")

    def not_stackable(self, case: CouponCase) -> Refused | None:
        """Rule 10 (spec: coupons/stackable). What has been withdrawn stands in nobody's way."""
        if case.promotion is None or not case.applied:
            return None
        if case.promotion.stackable and all(map(self.suffers_others, self._on_cart(case))):
            return None
        return refuse(Reason.REASON_COUPON_NOT_STACKABLE, "the coupon, or one on the cart, suffers no other beside it")

    def suffers_others(self, promotion: Promotion | None) -> bool:
        """Whether a coupon that is on the cart lets another one come beside it."""
        return promotion is None or promotion.stackable

    def limit_exceeded(self, case: CouponCase) -> Refused | None:
        """Rule 11 (spec: coupons/limit)."""
        if len(case.applied) < self.policy.max_coupon_count:
            return None
        return refuse(
            Reason.REASON_COUPON_LIMIT_EXCEEDED, f"the cart has {self.policy.max_coupon_count} coupons, its most"
        )

    def _on_cart(self, case: CouponCase) -> list[Promotion | None]:
        return [case.promotions.get(code) for code in case.applied]


# What a promotion says, as the rules above and the standing of coupons on a cart both read it.


def is_before_start(promotion: Promotion, now_us: int) -> bool:
    """Whether its time has not come."""
    return promotion.start_time_us is not None and now_us < promotion.start_time_us


def is_over(promotion: Promotion, now_us: int) -> bool:
    """Whether its time is over; the end itself is."""
    return promotion.end_time_us is not None and now_us >= promotion.end_time_us


def is_eligible(promotion: Promotion, principal: str) -> bool:
    """Whether it is for the principal; one that names nobody is for all."""
    return not promotion.eligible_principals or principal in promotion.eligible_principals


def currencies(promotion: Promotion) -> set[str]:
    """The currencies it speaks of: that of its amount and that of its minimum."""
    found = set()
    if promotion.amount_off_minor is not None:
        found.add(promotion.currency_code)
    if promotion.min_subtotal_minor is not None:
        found.add(promotion.min_subtotal_currency_code)
    return found
