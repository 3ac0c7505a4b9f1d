"""What the coupons on a cart take off, reckoned anew at every snapshot (section 8.2). All figures are minor units.

The coupons are gone through in the order in which they were applied. Each has a standing, the first of `STANDINGS`
that holds or QUALIFIES; one that qualifies takes its amount, or its share of the whole subtotal, but never more
than those before it have left. Every rule is one small method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cartsync.v1 import cart_pb2

from reference_server.engine.coupon_rules import currencies, is_before_start, is_eligible, is_over
from reference_server.engine.promotions import WHOLE_BASIS_POINTS
from reference_server.ports import Promotion

Standing = cart_pb2.CouponStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponView:
    """What coupons are judged by at a snapshot, apart from their promotions.

    `subtotal_minor` is 0 for a cart without a line that has a price.
    """

    principal: str
    now_us: int
    currency_code: str
    subtotal_minor: int
    coupon_count: int


@dataclass(frozen=True, slots=True)
class Discount:
    """One coupon as it stands, and what it takes off (0 unless it qualifies)."""

    coupon_code: str
    standing: cart_pb2.CouponStanding.ValueType
    minor_units: int


class CouponPricing:
    """Reckons what coupons take off. Keeps no state."""

    STANDINGS: ClassVar[tuple[tuple[str, cart_pb2.CouponStanding.ValueType], ...]] = (
        # method that tells whether it holds, in the order in which they are looked at
        ("not_started", Standing.COUPON_STANDING_NOT_STARTED),
        ("expired", Standing.COUPON_STANDING_EXPIRED),
        ("not_eligible", Standing.COUPON_STANDING_NOT_ELIGIBLE),
        ("currency_mismatch", Standing.COUPON_STANDING_CURRENCY_MISMATCH),
        ("minimum_not_met", Standing.COUPON_STANDING_MINIMUM_NOT_MET),
        ("not_stackable", Standing.COUPON_STANDING_NOT_STACKABLE),
    )

    def discounts(self, coupons: Sequence[tuple[str, Promotion | None]], view: CouponView) -> list[Discount]:
        """Each coupon with what it takes off; `coupons` are in the order they were applied.

        A promotion that is None was withdrawn. spec: coupons/snapshot-shows-all, coupons/ineligible-takes-nothing
        """
        found: list[Discount] = []
        left = view.subtotal_minor
        for coupon_code, promotion in coupons:
            standing = self.standing(promotion, view)
            taken = self.taken(promotion, standing, view, left)
            left -= taken
            found.append(Discount(coupon_code, standing, taken))
        return found

    def standing(self, promotion: Promotion | None, view: CouponView) -> cart_pb2.CouponStanding.ValueType:
        """Whether a coupon takes something off now, and if not, why (spec: coupons/standing-current)."""
        if promotion is None:
            return Standing.COUPON_STANDING_WITHDRAWN
        for name, standing in self.STANDINGS:
            if getattr(self, name)(promotion, view):
                return standing
        return Standing.COUPON_STANDING_QUALIFIES

    def taken(
        self, promotion: Promotion | None, standing: cart_pb2.CouponStanding.ValueType, view: CouponView, left: int
    ) -> int:
        """What a coupon takes off when those before it have left so much (spec: coupons/amount-off)."""
        if promotion is None or standing != Standing.COUPON_STANDING_QUALIFIES:
            return 0
        return self.capped(self.wanted(promotion, view), left)

    def wanted(self, promotion: Promotion, view: CouponView) -> int:
        """What a coupon would take off if it were alone."""
        if promotion.amount_off_minor is not None:
            return promotion.amount_off_minor
        return self.share(view.subtotal_minor, promotion.basis_points_off or 0)

    def share(self, subtotal_minor: int, basis_points: int) -> int:
        """A share of the whole subtotal, rounded down to the minor unit (spec: coupons/share-off)."""
        return subtotal_minor * basis_points // WHOLE_BASIS_POINTS

    def capped(self, wanted: int, left: int) -> int:
        """Never more than is left."""
        return min(wanted, left)

    # Standings, in the order of `CouponStanding`.

    def not_started(self, promotion: Promotion, view: CouponView) -> bool:
        """Its time has not come."""
        return is_before_start(promotion, view.now_us)

    def expired(self, promotion: Promotion, view: CouponView) -> bool:
        """Its time is over."""
        return is_over(promotion, view.now_us)

    def not_eligible(self, promotion: Promotion, view: CouponView) -> bool:
        """It is for other principals."""
        return not is_eligible(promotion, view.principal)

    def currency_mismatch(self, promotion: Promotion, view: CouponView) -> bool:
        """It is in another currency than the cart."""
        return bool(currencies(promotion) - {view.currency_code})

    def minimum_not_met(self, promotion: Promotion, view: CouponView) -> bool:
        """The subtotal is below its minimum (spec: coupons/minimum)."""
        return promotion.min_subtotal_minor is not None and view.subtotal_minor < promotion.min_subtotal_minor

    def not_stackable(self, promotion: Promotion, view: CouponView) -> bool:
        """It suffers no other beside it, and another is on the cart, whatever that one's standing is."""
        return not promotion.stackable and view.coupon_count > 1
