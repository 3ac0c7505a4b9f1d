"""What coupons take off, reckoned wrong."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cartsync.v1 import cart_pb2, money_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.coupon_pricing import CouponPricing, CouponView, Discount
from reference_server.engine.offers import OfferLookup
from reference_server.engine.promotions import WHOLE_BASIS_POINTS, PromotionLookup, no_promotions
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CartContents
from reference_server.ports import Promotion

_Coupons = Sequence[tuple[str, Promotion | None]]


class _TakesMoreThanThereIs(CouponPricing):
    def capped(self, wanted: int, left: int) -> int:
        return wanted


class _AllOrNothing(CouponPricing):
    """An amount above what is left takes nothing off."""

    def capped(self, wanted: int, left: int) -> int:
        return wanted if wanted <= left else 0


class _AmountInMajorUnits(CouponPricing):
    """Takes an amount for one in whole units of the currency."""

    def wanted(self, promotion: Promotion, view: CouponView) -> int:
        if promotion.amount_off_minor is not None:
            return promotion.amount_off_minor * 100
        return super().wanted(promotion, view)


class _LeavesOne(CouponPricing):
    """An amount leaves one minor unit to pay."""

    def wanted(self, promotion: Promotion, view: CouponView) -> int:
        wanted = super().wanted(promotion, view)
        return min(wanted, view.subtotal_minor - 1) if promotion.amount_off_minor is not None else wanted


class _RoundsHalfUp(CouponPricing):
    def share(self, subtotal_minor: int, basis_points: int) -> int:
        return (subtotal_minor * basis_points + WHOLE_BASIS_POINTS // 2) // WHOLE_BASIS_POINTS


class _RoundsUp(CouponPricing):
    def share(self, subtotal_minor: int, basis_points: int) -> int:
        return -(-subtotal_minor * basis_points // WHOLE_BASIS_POINTS)


class _FloatingShare(CouponPricing):
    """Multiplies by a fraction in floating point, and rounds down."""

    def share(self, subtotal_minor: int, basis_points: int) -> int:
        return int(subtotal_minor * (basis_points / WHOLE_BASIS_POINTS))


class _FloatingQuotient(CouponPricing):
    """Multiplies in whole numbers, and divides in floating point."""

    def share(self, subtotal_minor: int, basis_points: int) -> int:
        return int(subtotal_minor * basis_points / WHOLE_BASIS_POINTS)


class _Overflows(CouponPricing):
    """Multiplies in 64 bits."""

    def share(self, subtotal_minor: int, basis_points: int) -> int:
        product = (subtotal_minor * basis_points + 2**63) % 2**64 - 2**63
        return max(0, product // WHOLE_BASIS_POINTS)


class _WholePercents(CouponPricing):
    def share(self, subtotal_minor: int, basis_points: int) -> int:
        return subtotal_minor * (basis_points // 100) // 100


class _ShareOfWhatIsLeft(CouponPricing):
    """A share is one of what the coupons before it have left."""

    def taken(
        self, promotion: Promotion | None, standing: cart_pb2.CouponStanding.ValueType, view: CouponView, left: int
    ) -> int:
        return super().taken(promotion, standing, replace(view, subtotal_minor=left), left)


class _AmountsFirst(CouponPricing):
    """Takes amounts off before shares, in whatever order they were applied."""

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        codes = [code for code, _ in coupons]
        amounts_first = sorted(coupons, key=lambda coupon: coupon[1] is None or coupon[1].amount_off_minor is None)
        found = super().discounts(amounts_first, view)
        return sorted(found, key=lambda discount: codes.index(discount.coupon_code))


class _AboveTheMinimum(CouponPricing):
    def minimum_not_met(self, promotion: Promotion, view: CouponView) -> bool:
        return promotion.min_subtotal_minor is not None and view.subtotal_minor <= promotion.min_subtotal_minor


class _NoMinimum(CouponPricing):
    def minimum_not_met(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _MinimumOfWhatIsLeft(CouponPricing):
    """Compares a minimum with what the coupons before have left of the subtotal."""

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        found: list[Discount] = []
        left = view.subtotal_minor
        for code, promotion in coupons:
            standing = self.standing(promotion, replace(view, subtotal_minor=left))
            taken = self.taken(promotion, standing, view, left)
            left -= taken
            found.append(Discount(code, standing, taken))
        return found


class _TotalBeforeCoupons(CartPricing):
    """The total is the subtotal, whatever coupons take."""

    def add_totals(self, cart: cart_pb2.Cart, discounts: Sequence[Discount]) -> None:
        super().add_totals(cart, discounts)
        cart.total.CopyFrom(cart.subtotal)


class _TotalWithCouponsOnly(CartPricing):
    """A cart without coupons has no total."""

    def add_totals(self, cart: cart_pb2.Cart, discounts: Sequence[Discount]) -> None:
        if discounts:
            super().add_totals(cart, discounts)


class _ZeroDiscount(CartPricing):
    """A cart without coupons has a discount total of 0."""

    def add_totals(self, cart: cart_pb2.Cart, discounts: Sequence[Discount]) -> None:
        super().add_totals(cart, discounts)
        cart.discount_total.currency_code = cart.subtotal.currency_code


class _LargestDiscountOnly(CartPricing):
    """The total lacks the largest discount, and not the others."""

    def add_totals(self, cart: cart_pb2.Cart, discounts: Sequence[Discount]) -> None:
        super().add_totals(cart, sorted(discounts, key=lambda discount: discount.minor_units)[-1:])


class _TotalOfNothing(CartPricing):
    """A cart without a subtotal has a total of 0."""

    def priced(
        self,
        cart_id: str,
        contents: CartContents,
        offers: OfferLookup,
        now_us: int,
        *,
        principal: str = "",
        promotions: PromotionLookup = no_promotions,
    ) -> cart_pb2.Cart:
        cart = super().priced(cart_id, contents, offers, now_us, principal=principal, promotions=promotions)
        if contents.head is not None and not cart.HasField("total"):
            cart.total.CopyFrom(money_pb2.Money(currency_code=contents.head.currency_code))
        return cart


def _reckoned(coupons: type[CouponPricing]) -> Callable[[], CartPricing]:
    """Prices that reckon coupons so."""
    return lambda: CartPricing(coupons())


MUTANTS = (
    Mutant(
        "coupons-take-more-than-there-is",
        "Takes more off than the subtotal.",
        (
            "coupons/amount-off",
            "coupons/totals",
            "coupons/share-off",
            "coupons/ineligible-takes-nothing",
        ),
        "pricing",
        _reckoned(_TakesMoreThanThereIs),
    ),
    Mutant(
        "amount-all-or-nothing",
        "Takes nothing off when the amount is above what is left.",
        (
            "coupons/amount-off",
            "coupons/totals",
            "coupons/share-off",
            "coupons/ineligible-takes-nothing",
        ),
        "pricing",
        _reckoned(_AllOrNothing),
    ),
    Mutant(
        "amount-in-major-units",
        "Takes a hundred times the amount off.",
        (
            "coupons/amount-off",
            "coupons/totals",
            "coupons/share-off",
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
            "coupons/minimum",
        ),
        "pricing",
        _reckoned(_AmountInMajorUnits),
    ),
    Mutant(
        "amount-leaves-one",
        "Leaves one minor unit to pay when an amount takes all.",
        ("coupons/amount-off",),
        "pricing",
        _reckoned(_LeavesOne),
    ),
    Mutant(
        "share-rounded-half-up",
        "Rounds a share to the nearest minor unit.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_RoundsHalfUp),
    ),
    Mutant(
        "share-rounded-up",
        "Rounds a share up.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_RoundsUp),
    ),
    Mutant(
        "share-by-a-fraction",
        "Multiplies the subtotal by a fraction in floating point.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_FloatingShare),
    ),
    Mutant(
        "share-by-a-quotient",
        "Divides by 10,000 in floating point.",
        ("coupons/share-off",),
        "pricing",
        _reckoned(_FloatingQuotient),
    ),
    Mutant(
        "share-overflows",
        "Multiplies subtotal and basis points in 64 bits.",
        ("coupons/share-off",),
        "pricing",
        _reckoned(_Overflows),
    ),
    Mutant(
        "share-in-whole-percents",
        "Cuts a share down to whole percents.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_WholePercents),
    ),
    Mutant(
        "share-of-what-is-left",
        "Takes a share of what the coupons before it have left.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_ShareOfWhatIsLeft),
    ),
    Mutant(
        "amounts-before-shares",
        "Takes amounts off before shares.",
        (
            "coupons/share-off",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_AmountsFirst),
    ),
    Mutant(
        "minimum-must-be-passed",
        "Lets a coupon take nothing while the subtotal is equal to its minimum.",
        ("coupons/minimum",),
        "pricing",
        _reckoned(_AboveTheMinimum),
    ),
    Mutant(
        "no-coupon-minimum",
        "Takes a coupon off below its minimum.",
        (
            "coupons/minimum",
            "coupons/standing-current",
        ),
        "pricing",
        _reckoned(_NoMinimum),
    ),
    Mutant(
        "minimum-of-what-is-left",
        "Compares a minimum with what the coupons before it have left.",
        ("coupons/minimum",),
        "pricing",
        _reckoned(_MinimumOfWhatIsLeft),
    ),
    Mutant(
        "total-before-coupons",
        "Shows the subtotal as the total.",
        ("coupons/totals",),
        "pricing",
        _TotalBeforeCoupons,
    ),
    Mutant(
        "total-with-coupons-only",
        "Shows no total of a cart without coupons.",
        ("coupons/totals",),
        "pricing",
        _TotalWithCouponsOnly,
    ),
    Mutant(
        "discount-total-of-no-coupons",
        "Shows a discount total of a cart without coupons.",
        ("coupons/totals",),
        "pricing",
        _ZeroDiscount,
    ),
    Mutant(
        "largest-discount-only",
        "Takes only the largest of several discounts off the total.",
        (
            "coupons/totals",
            "coupons/ineligible-takes-nothing",
        ),
        "pricing",
        _LargestDiscountOnly,
    ),
    Mutant(
        "total-of-nothing",
        "Shows a total of a cart without a subtotal.",
        ("coupons/totals",),
        "pricing",
        _TotalOfNothing,
    ),
)
