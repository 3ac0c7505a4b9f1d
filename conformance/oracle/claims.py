"""Chapter 13: an account takes over the cart of a guest.

The guest is closed and the lines are added in one commit, so a claim is one step of a world that holds both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.oracle.carts import Cart
from conformance.oracle.revisions import Author
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import NO_DETAILS, ClaimedLine, ClaimGuestCart, Details, Limits, Line, Offer


@dataclass(frozen=True, slots=True)
class Bid:
    """A claim of `claimer`, whose cart takes the lines.

    `guest` is whom the token stands for, None for nobody; `claimed_by` the account that has claimed that guest before,
    and `claimed_carts` the carts it took over; `offers` finds the offer of a product.
    """

    intent: ClaimGuestCart
    claimer: str
    claimer_is_guest: bool
    cart: Cart
    guest: str | None
    guest_cart: Cart
    claimed_by: str | None
    claimed_carts: frozenset[str]
    offers: Callable[[str], Offer | None]
    limits: Limits


def cart_closed(bid: Bid) -> Details | None:
    """spec: claim/cart-closed"""
    return NO_DETAILS if bid.cart.closed else None


def token_invalid(bid: Bid) -> Details | None:
    """spec: claim/token-checked"""
    return NO_DETAILS if bid.guest is None or bid.claimer_is_guest else None


def already_claimed(bid: Bid) -> Details | None:
    """spec: claim/other-account"""
    return NO_DETAILS if bid.claimed_by not in (None, bid.claimer) else None


RULES: Rules[Bid] = (
    ("CART_CLOSED", "claim/cart-closed", cart_closed),
    ("CLAIM_TOKEN_INVALID", "claim/token-checked", token_invalid),
    ("GUEST_ALREADY_CLAIMED", "claim/other-account", already_claimed),
)


def effect(bid: Bid, author: Author) -> Effect[Cart]:
    """What a claim does to the account's cart; `deciding.py` closes the guest.

    spec: claim/adds-lines, claim/limits, claim/lines-reported, claim/idempotent, claim/nothing-to-take,
    claim/makes-cart
    """
    if bid.claimed_by is not None and bid.intent.guest_cart in bid.claimed_carts:
        return Effect("claim/idempotent")
    if bid.guest_cart.closed or not bid.guest_cart.lines:
        return Effect("claim/nothing-to-take")
    quantities = dict(bid.cart.lines)
    claimed = []
    for sku, quantity in bid.guest_cart.lines:
        line = _claimed(bid, quantities, sku, quantity)
        claimed.append(line)
        if line.after:
            quantities[sku] = line.after
    moved = [Line(line.sku, line.before, line.after) for line in claimed if line.after != line.before]
    cut = any(line.limit for line in claimed)
    return Effect(
        "claim/limits" if cut else "claim/adds-lines",
        bid.cart.changed(author, bid.guest_cart.currency, *moved) if moved else None,
        claimed=tuple(claimed),
    )


def _claimed(bid: Bid, quantities: dict[str, int], sku: str, quantity: int) -> ClaimedLine:
    """One line: the sum, cut by the first limit that cuts it, and never below what the account had."""
    before = quantities.get(sku, 0)
    total = before + quantity
    for reason, most in _limits(bid, quantities, sku):
        if total > most:
            return ClaimedLine(sku, quantity, before, max(before, most), reason)
    return ClaimedLine(sku, quantity, before, total)


def _limits(bid: Bid, quantities: dict[str, int], sku: str) -> list[tuple[str, int]]:
    """The limits of a line, in the order in which they cut: reason, and what the line may have at most."""
    had, offer = quantities.get(sku, 0), bid.offers(sku)
    if offer is None:
        return [("SKU_UNKNOWN", had)]
    limits = []
    if not offer.listed:
        limits.append(("SKU_UNLISTED", had))
    currencies = {offer.price.currency, bid.guest_cart.currency}
    if bid.cart.exists:
        currencies.add(bid.cart.currency)
    if len(currencies) > 1:
        limits.append(("CURRENCY_MISMATCH", had))
    if not had and len(quantities) >= bid.limits.max_line_count:
        limits.append(("LINE_LIMIT_EXCEEDED", 0))
    last_two = [("LINE_LIMIT_EXCEEDED", bid.limits.max_line_quantity)]
    if offer.available is not None:
        last_two.append(("INSUFFICIENT_INVENTORY", offer.available))
    return limits + sorted(last_two, key=lambda limit: limit[1])  # the lower one is named, the former when equal
