"""How coupons stand on a cart, told wrong."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from cartsync.v1 import cart_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.coupon_pricing import CouponPricing, CouponView, Discount, Standing
from reference_server.engine.offers import OfferLookup
from reference_server.engine.promotions import PromotionLookup, no_promotions
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
)
