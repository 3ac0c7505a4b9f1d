"""Step 14 of chapter 3: which rules an intent meets, and what it does when none of them refuses."""

from __future__ import annotations

from typing import Any, cast

from conformance.oracle import address_book, cart_rules, claims, coupon_rules, payment_methods, wishlist
from conformance.oracle.cases import Case
from conformance.oracle.rulings import Effect, Refused, refusals_by
from conformance.oracle.values import (
    Add,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Intent,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
)
from conformance.oracle.world import Resource


def refusals_of(case: Case) -> list[Refused]:
    """Every refusal by the rules of the intent, in their order."""
    bid = bid_of(case)
    rules = rules_of(case.operation.intent)
    return refusals_by(cast(Any, rules), bid) if bid is not None else []


def effect_of(case: Case) -> Effect[Resource]:
    """What an attempt does that nothing refuses; of a discard, nothing."""
    match bid_of(case):
        case cart_rules.Bid() as line:
            return cart_rules.effect(line, case.author)
        case coupon_rules.Bid() as coupon:
            return coupon_rules.effect(coupon, case.author)
        case wishlist.Bid() as wish:
            return wishlist.effect(wish, case.author)
        case address_book.Bid() as address:
            return address_book.effect(address, case.author)
        case payment_methods.Bid() as payment:
            return payment_methods.effect(payment, case.author)
        case claims.Bid() as claim:
            return claims.effect(claim, case.author)
        case _:
            return Effect("discard/cancels-undecided")


def rules_of(intent: Intent) -> tuple[tuple[str, str, object], ...]:
    """The rules an intent meets: reason, requirement, rule."""
    match intent:
        case Add() | Adjust() | Set() | Remove():
            return cart_rules.RULES
        case ApplyCoupon() | RemoveCoupon():
            return coupon_rules.RULES
        case AddToWishlist() | RemoveFromWishlist():
            return wishlist.RULES
        case PutAddress() | DeleteAddress():
            return address_book.RULES
        case SavePaymentMethod() | DeletePaymentMethod():
            return payment_methods.RULES
        case ClaimGuestCart():
            return claims.RULES
        case _:
            return ()


def needs_backend(case: Case) -> str:
    """The requirement by which the attempt waits for a backing service; empty when it needs none (step 13)."""
    match bid_of(case):
        case cart_rules.Bid() as bid:
            return "backend/deferred" if bid.raises else ""
        case coupon_rules.Bid() as coupon:
            return "coupons/backend" if coupon.applies else ""
        case payment_methods.Bid(intent=SavePaymentMethod()):
            return "payment/backend"
        case claims.Bid():
            return "claim/backend"
        case _:
            return ""


Bid = cart_rules.Bid | coupon_rules.Bid | wishlist.Bid | address_book.Bid | payment_methods.Bid | claims.Bid


def bid_of(case: Case) -> Bid | None:
    """The intent beside what its rules look at; None for one that has no rules."""
    world, shop, principal, intent = case.world, case.shop, case.principal, case.operation.intent
    match intent:
        case Add() | Adjust() | Set() | Remove():
            cart = world.cart(intent.cart, principal)
            number = cart.last_foreign_change(intent.sku, case.queue_id)
            guarded = not isinstance(intent, Add) and intent.guard is not None
            trips = guarded and number is not None and number > case.covered
            return cart_rules.Bid(intent, case.queue_id, cart, shop.offer(intent.sku), shop.limits, trips)
        case ApplyCoupon() | RemoveCoupon():
            carts = world.carts_of(principal)
            cart = world.cart(intent.cart, principal)
            return coupon_rules.Bid(
                intent,
                principal,
                cart,
                shop.promotion(intent.code),
                case.phase,
                tuple(shop.promotion(code) for code in cart.coupons),
                any(intent.code in other.coupons for cart_id, other in carts if cart_id != intent.cart),
                shop.limits,
            )
        case AddToWishlist() | RemoveFromWishlist():
            return wishlist.Bid(intent, world.wishlist(principal), shop.limits)
        case PutAddress() | DeleteAddress():
            book = world.address_book(principal)
            return address_book.Bid(intent, case.queue_id, book, shop.limits, case.covered)
        case SavePaymentMethod() | DeletePaymentMethod():
            card = shop.card(intent.provider, intent.token) if isinstance(intent, SavePaymentMethod) else None
            return payment_methods.Bid(intent, world.payment_methods(principal), card, shop.limits)
        case ClaimGuestCart():
            return _claim(case, intent)
        case _:
            return None


def _claim(case: Case, intent: ClaimGuestCart) -> claims.Bid:
    world, shop, principal = case.world, case.shop, case.principal
    guest = shop.guest_of(intent.token)
    claim = world.claim(guest) if guest is not None else None
    return claims.Bid(
        intent,
        principal,
        principal in shop.guests,
        world.cart(intent.cart, principal),
        guest,
        world.cart(intent.guest_cart, guest or ""),
        claim.account if claim is not None else None,
        claim.carts if claim is not None else frozenset(),
        shop.offer,
        shop.limits,
    )
