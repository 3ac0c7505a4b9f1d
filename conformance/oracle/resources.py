"""Which profile an intent belongs to, and which resource it acts on."""

from __future__ import annotations

from conformance.oracle.ranges import is_cart_id
from conformance.oracle.values import (
    Add,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Discard,
    Intent,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
)
from conformance.oracle.world import Kind, Place


def profile_of(intent: Intent) -> str:
    """The profile whose servers know an intent; empty for no intent."""
    match intent:
        case None:
            return ""
        case Add() | Adjust() | Set() | Remove() | Discard():
            return "core"
        case ApplyCoupon() | RemoveCoupon():
            return "coupons"
        case AddToWishlist() | RemoveFromWishlist():
            return "wishlist"
        case PutAddress() | DeleteAddress():
            return "address_book"
        case SavePaymentMethod() | DeletePaymentMethod():
            return "payment_methods"
        case ClaimGuestCart():
            return "guest_claim"


def place_of(intent: Intent, principal: str) -> Place | None:
    """The resource an intent of a principal acts on; None for none, and for a cart that cannot be.

    spec: revision/judged-at, wishlist/revision, address/revision, payment/revision
    """
    match intent:
        case None | Discard():
            return None
        case AddToWishlist() | RemoveFromWishlist():
            return Place(principal, Kind.WISHLIST)
        case PutAddress() | DeleteAddress():
            return Place(principal, Kind.ADDRESS_BOOK)
        case SavePaymentMethod() | DeletePaymentMethod():
            return Place(principal, Kind.PAYMENT_METHODS)
        case _:
            return Place(principal, Kind.CART, intent.cart) if is_cart_id(intent.cart) else None
