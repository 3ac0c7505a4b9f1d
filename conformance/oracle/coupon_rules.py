"""Chapter 8: the rules for putting a coupon on a cart, and what coupons take off when a cart is read.

A promotion may begin and end, and an oracle knows the server's clock only roughly; so a bid says which phase of the
promotion it is decided in, and whoever makes bids tries each that is possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.oracle.carts import Cart
from conformance.oracle.revisions import Author
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import (
    NO_DETAILS,
    ApplyCoupon,
    CouponIntent,
    Details,
    Limits,
    Money,
    Promotion,
)

_WHOLE = 10_000  # basis points


class Phase(StrEnum):
    """Where the server's clock stands to a promotion."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


def phases(promotion: Promotion | None, now: float, slack: float) -> tuple[Phase, ...]:
    """The phases a promotion may be in while the clock stands somewhere from `now` to `slack` seconds later."""
    if promotion is None:
        return (Phase.DURING,)
    instants = {now, now + slack}
    instants |= {edge for edge in (promotion.start, promotion.end) if edge is not None and now <= edge <= now + slack}
    return tuple(phase for phase in Phase if any(_phase_at(promotion, instant) is phase for instant in instants))


def _phase_at(promotion: Promotion, instant: float) -> Phase:
    """Before the start wins over after the end (spec: section 8.1, rules 5 and 6)."""
    if promotion.start is not None and instant < promotion.start:
        return Phase.BEFORE
    return Phase.AFTER if promotion.end is not None and instant >= promotion.end else Phase.DURING


@dataclass(frozen=True, slots=True)
class Bid:
    """An intent against one cart.

    `promotion` is what the code stands for now, None when the shop does not know it; `others` what those on the cart
    stand for; `elsewhere` whether the coupon is on another cart of the principal.
    """

    intent: CouponIntent
    principal: str
    cart: Cart
    promotion: Promotion | None
    phase: Phase
    others: tuple[Promotion | None, ...]
    elsewhere: bool
    limits: Limits

    @property
    def applies(self) -> bool:
        """Whether it puts a coupon on; taking one off meets rule 1 alone."""
        return isinstance(self.intent, ApplyCoupon)

    @property
    def sought(self) -> Promotion | None:
        """The promotion that is to be put on."""
        return self.promotion if self.applies else None


def cart_closed(bid: Bid) -> Details | None:
    """spec: coupons/apply-cart"""
    return NO_DETAILS if bid.cart.closed else None


def cart_not_found(bid: Bid) -> Details | None:
    """spec: coupons/apply-cart"""
    return NO_DETAILS if bid.applies and not bid.cart.exists else None


def already_applied(bid: Bid) -> Details | None:
    """spec: coupons/already-applied"""
    return NO_DETAILS if bid.applies and bid.intent.code in bid.cart.coupons else None


def unknown(bid: Bid) -> Details | None:
    """spec: coupons/unknown"""
    return NO_DETAILS if bid.applies and bid.promotion is None else None


def not_started(bid: Bid) -> Details | None:
    """spec: coupons/start-and-end"""
    return NO_DETAILS if bid.sought is not None and bid.phase is Phase.BEFORE else None


def expired(bid: Bid) -> Details | None:
    """spec: coupons/start-and-end"""
    return NO_DETAILS if bid.sought is not None and bid.phase is Phase.AFTER else None


def not_eligible(bid: Bid) -> Details | None:
    """spec: coupons/eligible-principals"""
    return NO_DETAILS if bid.sought is not None and not _is_for(bid.sought, bid.principal) else None


def currency_mismatch(bid: Bid) -> Details | None:
    """spec: coupons/currency"""
    if bid.sought is None or not bid.cart.exists:
        return None
    return NO_DETAILS if _is_foreign(bid.sought, bid.cart.currency) else None


def already_used(bid: Bid) -> Details | None:
    """spec: coupons/once-per-principal"""
    return NO_DETAILS if bid.sought is not None and bid.sought.once_per_principal and bid.elsewhere else None


def not_stackable(bid: Bid) -> Details | None:
    """spec: coupons/stackable. One on the cart that was withdrawn counts as stackable."""
    if bid.sought is None or not bid.cart.coupons:
        return None
    refuses = any(other is not None and not other.stackable for other in bid.others)
    return NO_DETAILS if refuses or not bid.sought.stackable else None


def too_many(bid: Bid) -> Details | None:
    """spec: coupons/limit"""
    return NO_DETAILS if bid.applies and len(bid.cart.coupons) >= bid.limits.max_coupon_count else None


RULES: Rules[Bid] = (
    ("CART_CLOSED", "coupons/apply-cart", cart_closed),
    ("CART_NOT_FOUND", "coupons/apply-cart", cart_not_found),
    ("COUPON_ALREADY_APPLIED", "coupons/already-applied", already_applied),
    ("COUPON_UNKNOWN", "coupons/unknown", unknown),
    ("COUPON_NOT_STARTED", "coupons/start-and-end", not_started),
    ("COUPON_EXPIRED", "coupons/start-and-end", expired),
    ("COUPON_NOT_ELIGIBLE", "coupons/eligible-principals", not_eligible),
    ("CURRENCY_MISMATCH", "coupons/currency", currency_mismatch),
    ("COUPON_ALREADY_USED", "coupons/once-per-principal", already_used),
    ("COUPON_NOT_STACKABLE", "coupons/stackable", not_stackable),
    ("COUPON_LIMIT_EXCEEDED", "coupons/limit", too_many),
)


def effect(bid: Bid, author: Author) -> Effect[Cart]:
    """spec: coupons/apply, coupons/remove"""
    code, coupons = bid.intent.code, bid.cart.coupons
    if bid.applies:
        return Effect("coupons/apply", bid.cart.with_coupons(author, (*coupons, code), code))
    if code not in coupons:
        return Effect("coupons/remove")
    left = tuple(other for other in coupons if other != code)
    return Effect("coupons/remove", bid.cart.with_coupons(author, left, code))


def _is_for(promotion: Promotion, principal: str) -> bool:
    return promotion.eligible is None or principal in promotion.eligible


def _is_foreign(promotion: Promotion, currency: str) -> bool:
    amounts = (promotion.amount, promotion.minimum)
    return any(amount is not None and amount.currency != currency for amount in amounts)


# What coupons take off (spec: section 8.2).


@dataclass(frozen=True, slots=True)
class Standing:
    """How one coupon on a cart stands, and what it takes off; None when the cart has no subtotal."""

    code: str
    standing: str
    discount: Money | None

    def __str__(self) -> str:
        return f"{self.code} {self.standing}, {self.discount or 'no discount'}"


def standings(
    cart: Cart, subtotal: Money | None, principal: str, promotions: Sequence[tuple[Promotion | None, Phase]]
) -> tuple[Standing, ...]:
    """The coupons of a cart as they stand, `promotions` beside them in their order.

    spec: coupons/standing-current, coupons/amount-off, coupons/share-off, coupons/minimum
    """
    left = subtotal.minor if subtotal is not None else 0
    whole = left
    shown = []
    for code, (promotion, phase) in zip(cart.coupons, promotions, strict=True):
        standing = _standing(cart, whole, principal, promotion, phase)
        taken = 0
        if promotion is not None and standing == "QUALIFIES":
            share = whole * promotion.basis_points // _WHOLE
            taken = min(share if promotion.amount is None else promotion.amount.minor, left)
        left -= taken
        shown.append(Standing(code, standing, Money(subtotal.currency, taken) if subtotal is not None else None))
    return tuple(shown)


def _standing(cart: Cart, subtotal: int, principal: str, promotion: Promotion | None, phase: Phase) -> str:
    """The first reason why a coupon takes nothing off, in the order of `CouponStanding`."""
    if promotion is None:
        return "WITHDRAWN"
    reasons = (
        ("NOT_STARTED", phase is Phase.BEFORE),
        ("EXPIRED", phase is Phase.AFTER),
        ("NOT_ELIGIBLE", not _is_for(promotion, principal)),
        ("CURRENCY_MISMATCH", _is_foreign(promotion, cart.currency)),
        ("MINIMUM_NOT_MET", promotion.minimum is not None and subtotal < promotion.minimum.minor),
        ("NOT_STACKABLE", not promotion.stackable and len(cart.coupons) > 1),
    )
    return next((name for name, holds in reasons if holds), "QUALIFIES")
