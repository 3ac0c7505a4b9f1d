"""What coupons take off, reckoned wrong."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from cartsync.v1 import cart_pb2, money_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.coupon_pricing import CouponPricing, CouponView, Discount, Standing
from reference_server.engine.offers import OfferLookup
from reference_server.engine.promotions import WHOLE_BASIS_POINTS, PromotionLookup, no_promotions
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CartContents
from reference_server.ports import Promotion

_Coupons = Sequence[tuple[str, Promotion | None]]


class _HidesWhatTakesNothing(CouponPricing):
    """Shows only coupons that take something off."""

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        return [found for found in super().discounts(coupons, view) if found.minor_units]


class _HidesWithdrawn(CouponPricing):
    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        return super().discounts([coupon for coupon in coupons if coupon[1] is not None], view)


class _ByCode(CouponPricing):
    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        return sorted(super().discounts(coupons, view), key=lambda discount: discount.coupon_code)


class _OncePerRead(CartPricing):
    """Shows the coupons to the first who reads the cart at a revision."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[tuple[str, str, int]] = set()

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
        name = principal, cart_id, cart.revision
        if name in self._shown:
            del cart.coupons[:]
        elif cart.coupons:
            self._shown.add(name)
        return cart


class _StandsAsItDid(CouponPricing):
    """A coupon stands as it did when it was first looked at."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], cart_pb2.CouponStanding.ValueType] = {}

    def standing(self, promotion: Promotion | None, view: CouponView) -> cart_pb2.CouponStanding.ValueType:
        standing = super().standing(promotion, view)
        if promotion is None:
            return standing
        return self._first.setdefault((view.principal, promotion.coupon_code), standing)


class _TakesWhatItTook(CouponPricing):
    """A coupon takes off what the shop promised when it was first looked at."""

    def __init__(self) -> None:
        self._promised: dict[str, Promotion] = {}

    def wanted(self, promotion: Promotion, view: CouponView) -> int:
        return super().wanted(self._promised.setdefault(promotion.coupon_code, promotion), view)


class _NeverOver(CouponPricing):
    def expired(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _BeforeItsTime(CouponPricing):
    def not_started(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _ForAnybody(CouponPricing):
    def not_eligible(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _AnyCurrency(CouponPricing):
    def currency_mismatch(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _WithdrawnIsExpired(CouponPricing):
    def standing(self, promotion: Promotion | None, view: CouponView) -> cart_pb2.CouponStanding.ValueType:
        return Standing.COUPON_STANDING_EXPIRED if promotion is None else super().standing(promotion, view)


class _LastReason(CouponPricing):
    """Of several reasons why a coupon takes nothing it tells the last."""

    STANDINGS: ClassVar[tuple[tuple[str, cart_pb2.CouponStanding.ValueType], ...]] = CouponPricing.STANDINGS[::-1]


class _MinimumFirst(CouponPricing):
    """Looks at the minimum before time, principal and currency."""

    STANDINGS: ClassVar[tuple[tuple[str, cart_pb2.CouponStanding.ValueType], ...]] = tuple(
        sorted(CouponPricing.STANDINGS, key=lambda standing: standing[0] != "minimum_not_met")
    )


class _AlwaysStackable(CouponPricing):
    def not_stackable(self, promotion: Promotion, view: CouponView) -> bool:
        return False


class _NobodyBesideIt(CouponPricing):
    """One coupon that suffers no other takes the good out of the others."""

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        if len(coupons) > 1 and any(promotion is not None and not promotion.stackable for _, promotion in coupons):
            coupons = [(code, promotion and replace(promotion, stackable=False)) for code, promotion in coupons]
        return super().discounts(coupons, view)


class _AloneIsAlone(CouponPricing):
    """A coupon that suffers no other takes nothing, were it alone on the cart."""

    def not_stackable(self, promotion: Promotion, view: CouponView) -> bool:
        return not promotion.stackable


class _IgnoresWhatTakesNothing(CouponPricing):
    """A coupon that suffers no other is good beside those that take nothing off themselves."""

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        alone = replace(view, coupon_count=1)
        good = sum(self.standing(promotion, alone) == Standing.COUPON_STANDING_QUALIFIES for _, promotion in coupons)
        return super().discounts(coupons, replace(view, coupon_count=good))


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


class _TakesAllTheSame(CouponPricing):
    """Shows that a coupon does not qualify, and takes it off."""

    def taken(
        self, promotion: Promotion | None, standing: cart_pb2.CouponStanding.ValueType, view: CouponView, left: int
    ) -> int:
        return super().taken(promotion, Standing.COUPON_STANDING_QUALIFIES, view, left)


class _KeepsItsShare(CouponPricing):
    """What a coupon would take that does not qualify is taken by no other."""

    def __init__(self) -> None:
        self._took: dict[tuple[str, str], int] = {}

    def discounts(self, coupons: _Coupons, view: CouponView) -> list[Discount]:
        found: list[Discount] = []
        left = view.subtotal_minor
        for code, promotion in coupons:
            standing = self.standing(promotion, view)
            taken = self.taken(promotion, standing, view, left)
            name = view.principal, code
            if standing == Standing.COUPON_STANDING_QUALIFIES:
                self._took[name] = taken
            left -= self._took.get(name, 0)
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
        "hides-idle-coupons",
        "Shows only those coupons that take something off.",
        (
            "coupons/snapshot-shows-all",
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
            "coupons/minimum",
            "coupons/share-off",
        ),
        "pricing",
        _reckoned(_HidesWhatTakesNothing),
    ),
    Mutant(
        "hides-withdrawn-coupons",
        "Does not show coupons that were withdrawn.",
        (
            "coupons/snapshot-shows-all",
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
        ),
        "pricing",
        _reckoned(_HidesWithdrawn),
    ),
    Mutant(
        "coupons-by-code",
        "Shows coupons in order of their codes.",
        (
            "coupons/snapshot-shows-all",
            "coupons/apply",
        ),
        "pricing",
        _reckoned(_ByCode),
    ),
    Mutant(
        "shows-coupons-once",
        "Shows the coupons of a cart once for each of its revisions.",
        (
            "coupons/snapshot-shows-all",
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
            "coupons/minimum",
            "coupons/totals",
        ),
        "pricing",
        _OncePerRead,
    ),
    Mutant(
        "coupon-stands-as-it-did",
        "Shows the standing that a coupon had when the cart was first read.",
        (
            "coupons/standing-current",
            "coupons/minimum",
        ),
        "pricing",
        _reckoned(_StandsAsItDid),
    ),
    Mutant(
        "coupon-takes-what-it-took",
        "Takes off what the shop promised when the cart was first read.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_TakesWhatItTook),
    ),
    Mutant(
        "coupon-never-expires-on-a-cart",
        "Takes a coupon off that has expired since it was applied.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_NeverOver),
    ),
    Mutant(
        "coupon-takes-before-its-start",
        "Takes a coupon off whose start was moved behind now.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_BeforeItsTime),
    ),
    Mutant(
        "coupon-takes-for-anybody",
        "Takes a coupon off that is for other principals by now.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_ForAnybody),
    ),
    Mutant(
        "coupon-takes-in-any-currency",
        "Takes an amount of another currency off.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_AnyCurrency),
    ),
    Mutant(
        "withdrawn-stands-as-expired",
        "Shows a coupon that was withdrawn as expired.",
        (
            "coupons/standing-current",
            "coupons/ineligible-takes-nothing",
        ),
        "pricing",
        _reckoned(_WithdrawnIsExpired),
    ),
    Mutant(
        "last-standing-told",
        "Tells the last of several reasons why a coupon takes nothing.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_LastReason),
    ),
    Mutant(
        "minimum-before-time",
        "Looks at the minimum before anything else.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_MinimumFirst),
    ),
    Mutant(
        "coupons-take-beside-any",
        "Takes a coupon off beside others although it suffers none by now.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_AlwaysStackable),
    ),
    Mutant(
        "lone-coupon-spoils-others",
        "Lets no coupon take anything beside one that suffers no other.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_NobodyBesideIt),
    ),
    Mutant(
        "lone-coupon-takes-nothing",
        "Lets a coupon that suffers no other take nothing, were it alone.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_AloneIsAlone),
    ),
    Mutant(
        "idle-coupons-are-not-there",
        "Takes a coupon that suffers no other off beside coupons that take nothing.",
        ("coupons/standing-current",),
        "pricing",
        _reckoned(_IgnoresWhatTakesNothing),
    ),
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
        "unqualified-takes-all-the-same",
        "Takes a coupon off that it shows as not qualifying.",
        (
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
            "coupons/minimum",
        ),
        "pricing",
        _reckoned(_TakesAllTheSame),
    ),
    Mutant(
        "unqualified-keeps-its-share",
        "Keeps what a coupon took, while it does not qualify, from the others.",
        (
            "coupons/ineligible-takes-nothing",
            "coupons/standing-current",
            "coupons/totals",
        ),
        "pricing",
        _reckoned(_KeepsItsShare),
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
