"""The rules of lines, chapters 5 and 6, in the order of table 6.1."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.oracle.carts import Cart
from conformance.oracle.revisions import Author
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import (
    NO_DETAILS,
    Add,
    Adjust,
    Adjustment,
    Clamped,
    Details,
    Floored,
    Limits,
    Line,
    LineIntent,
    Offer,
    PriceChanged,
    Remove,
    Stock,
)


@dataclass(frozen=True, slots=True)
class Bid:
    """An intent of one queue against one cart and the offer of its product.

    `guard_trips` settles a guard that the bounds of revisions leave open.
    """

    intent: LineIntent
    queue: str
    cart: Cart
    offer: Offer | None
    limits: Limits
    guard_trips: bool

    @property
    def before(self) -> int:
        """The line's quantity now."""
        return self.cart.quantity(self.intent.sku)

    @property
    def wanted(self) -> int:
        """The quantity the line would have if all went as asked; may be below zero."""
        match self.intent:
            case Add(quantity=quantity):
                return self.before + quantity
            case Adjust(delta=delta):
                return self.before + delta
            case Remove():
                return 0
            case intent:
                return intent.quantity

    @property
    def raises(self) -> bool:
        """Whether it would leave the line with more than it has (chapter 6.1). Every add does."""
        return isinstance(self.intent, Add) or self.wanted > self.before

    @property
    def clamps(self) -> bool:
        """Whether it takes what there is."""
        return not isinstance(self.intent, Remove) and self.intent.stock is Stock.CLAMP


def cart_closed(bid: Bid) -> Details | None:
    """spec: cart/closed"""
    return NO_DETAILS if bid.cart.closed else None


def cart_not_found(bid: Bid) -> Details | None:
    """spec: cart/missing-cart"""
    missing = not bid.cart.exists and not isinstance(bid.intent, Add | Remove)
    return NO_DETAILS if missing else None


def line_changed(bid: Bid) -> Details | None:
    """spec: guard/refuses, guard/own-queue"""
    return NO_DETAILS if bid.guard_trips else None


def sku_unknown(bid: Bid) -> Details | None:
    """spec: stock/unknown-sku"""
    return NO_DETAILS if bid.raises and bid.offer is None else None


def sku_unlisted(bid: Bid) -> Details | None:
    """spec: stock/unlisted"""
    return NO_DETAILS if bid.raises and bid.offer is not None and not bid.offer.listed else None


def currency_mismatch(bid: Bid) -> Details | None:
    """spec: price/currency"""
    if not bid.raises or bid.offer is None:
        return None
    currencies = {bid.offer.price.currency}
    if bid.cart.exists:
        currencies.add(bid.cart.currency)
    if isinstance(bid.intent, Add) and bid.intent.observed is not None:
        currencies.add(bid.intent.observed.currency)
    return NO_DETAILS if len(currencies) > 1 else None


def price_above_limit(bid: Bid) -> Details | None:
    """spec: price/limit"""
    if not isinstance(bid.intent, Add) or bid.intent.limit is None or bid.offer is None:
        return None
    return Details(price=bid.offer.price) if bid.offer.price.minor > bid.intent.limit.minor else None


def line_limit_exceeded(bid: Bid) -> Details | None:
    """spec: limits/line-quantity"""
    if not bid.raises:
        return None
    too_many = bid.wanted > bid.limits.max_line_quantity
    one_line_too_many = bid.before == 0 and len(bid.cart.lines) >= bid.limits.max_line_count
    return NO_DETAILS if too_many or one_line_too_many else None


def not_enough(bid: Bid) -> Details | None:
    """spec: stock/exact"""
    available = _stock_below(bid)
    return Details(available=available) if available is not None and not bid.clamps else None


def nothing_to_grant(bid: Bid) -> Details | None:
    """spec: stock/clamp-to-nothing"""
    available = _stock_below(bid)
    stuck = available is not None and bid.clamps and available <= bid.before
    return Details(available=available) if stuck else None


def _stock_below(bid: Bid) -> int | None:
    """The stock, where it does not cover what a bid would raise its line to."""
    if not bid.raises or bid.offer is None or bid.offer.available is None:
        return None
    return bid.offer.available if bid.wanted > bid.offer.available else None


RULES: Rules[Bid] = (
    ("CART_CLOSED", "cart/closed", cart_closed),
    ("CART_NOT_FOUND", "cart/missing-cart", cart_not_found),
    ("LINE_CHANGED", "guard/refuses", line_changed),
    ("SKU_UNKNOWN", "stock/unknown-sku", sku_unknown),
    ("SKU_UNLISTED", "stock/unlisted", sku_unlisted),
    ("CURRENCY_MISMATCH", "price/currency", currency_mismatch),
    ("PRICE_ABOVE_LIMIT", "price/limit", price_above_limit),
    ("LINE_LIMIT_EXCEEDED", "limits/line-quantity", line_limit_exceeded),
    ("INSUFFICIENT_INVENTORY", "stock/exact", not_enough),
    ("INSUFFICIENT_INVENTORY", "stock/clamp-to-nothing", nothing_to_grant),
)


def effect(bid: Bid, author: Author) -> Effect[Cart]:
    """What an intent that no rule refuses does to the cart."""
    intent, before = bid.intent, bid.before
    after, adjustments = bid.wanted, set[Adjustment]()
    match intent:
        case Add(observed=observed):
            rule = "cart/add-adds"
            if observed is not None and bid.offer is not None and observed != bid.offer.price:
                adjustments.add(PriceChanged(observed, bid.offer.price))
        case Adjust(delta=delta):
            rule = "cart/adjust-moves"
            if after < 0:
                rule, after = "cart/adjust-floors", 0
                adjustments.add(Floored(delta, -before))
        case Remove():
            rule = "cart/remove-removes" if before else "cart/remove-missing"
        case _:
            rule = "cart/set-sets"
    if bid.raises and bid.offer is not None and bid.offer.available is not None and after > bid.offer.available:
        adjustments.add(Clamped(after, bid.offer.available))
        rule, after = "stock/clamp", bid.offer.available
    line = Line(intent.sku, before, after)
    currency = bid.offer.price.currency if bid.offer is not None else ""
    changed = bid.cart.changed(author, currency, line) if before != after else None
    return Effect(rule, changed, line, frozenset(adjustments))
