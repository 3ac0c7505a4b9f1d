"""Chapter 9: the wishlist, a set of SKUs in the order they were added, and its one rule."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.oracle.revisions import NO_PAST, Author, Past
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import NO_DETAILS, AddToWishlist, Details, Entry, Limits, WishlistIntent


@dataclass(frozen=True, slots=True)
class Wishlist:
    """The wishlist of one principal."""

    skus: tuple[str, ...] = ()
    past: Past = NO_PAST

    def changed(self, author: Author, skus: tuple[str, ...], sku: str) -> Wishlist:
        """The wishlist after `sku` was put on or taken off."""
        return Wishlist(skus, self.past.and_then(author, Entry("wishlist", sku, sku in skus)))

    def change_of(self, sku: str) -> int | None:
        """The number of the last change of an entry: of one that is there, the change that put it there."""
        return self.past.last(lambda change: change.entry("wishlist", sku) is not None)


@dataclass(frozen=True, slots=True)
class Bid:
    """An intent against the wishlist. No catalogue is asked (spec: wishlist/any-product)."""

    intent: WishlistIntent
    wishlist: Wishlist
    limits: Limits


def full(bid: Bid) -> Details | None:
    """spec: wishlist/full"""
    new = isinstance(bid.intent, AddToWishlist) and bid.intent.sku not in bid.wishlist.skus
    return NO_DETAILS if new and len(bid.wishlist.skus) >= bid.limits.max_wishlist_entry_count else None


RULES: Rules[Bid] = (("WISHLIST_FULL", "wishlist/full", full),)


def effect(bid: Bid, author: Author) -> Effect[Wishlist]:
    """spec: wishlist/add, wishlist/add-again, wishlist/remove"""
    sku, skus = bid.intent.sku, bid.wishlist.skus
    if isinstance(bid.intent, AddToWishlist):
        if sku in skus:
            return Effect("wishlist/add-again")
        return Effect("wishlist/add", bid.wishlist.changed(author, (*skus, sku), sku))
    if sku not in skus:
        return Effect("wishlist/remove")
    left = tuple(entry for entry in skus if entry != sku)
    return Effect("wishlist/remove", bid.wishlist.changed(author, left, sku))
