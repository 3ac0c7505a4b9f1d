"""Prices a cart from the catalogue as it is now. A cart locks no price; nothing here is kept."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import cart_pb2, money_pb2

from reference_server.engine import instants
from reference_server.engine.coupon_pricing import CouponPricing, CouponView, Discount
from reference_server.engine.offers import OfferLookup
from reference_server.engine.promotions import PromotionLookup, no_promotions
from reference_server.engine.state import CartContents
from reference_server.ports import Offer

_MAX_INT32 = 2**31 - 1


class CartPricing:
    """Makes the snapshot that readers see. Keeps no state."""

    def __init__(self, coupons: CouponPricing | None = None) -> None:
        self.coupons = coupons if coupons is not None else CouponPricing()

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
        """The cart with its coupons, as they stand now for `principal`. Raises BackendUnavailableError.

        spec: section 8.2, coupons/snapshot-shows-all, coupons/totals
        """
        cart = self.snapshot(cart_id, contents, offers, now_us)
        if contents.head is None:
            return cart
        currency_code = contents.head.currency_code
        view = CouponView(
            principal=principal,
            now_us=now_us,
            currency_code=currency_code,
            subtotal_minor=cart.subtotal.minor_units,
            coupon_count=len(contents.coupon_codes),
        )
        discounts = self.coupons.discounts([(code, promotions(code)) for code in contents.coupon_codes], view)
        has_subtotal = cart.HasField("subtotal")
        for discount in discounts:
            cart.coupons.append(self.coupon(discount, currency_code if has_subtotal else None))
        if has_subtotal:
            self.add_totals(cart, discounts)
        return cart

    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        """The cart, priced now (spec: section 5.4, price/*). Raises BackendUnavailableError."""
        head = contents.head
        if head is None:
            return cart_pb2.Cart(cart_id=cart_id, state=cart_pb2.CART_STATE_OPEN, price_time=instants.timestamp(now_us))
        lines = [
            self.line(sku, contents.quantities[sku], offers(sku), head.currency_code)
            for sku in sorted(contents.quantities)
        ]
        return cart_pb2.Cart(
            cart_id=cart_id,
            revision=head.revision,
            state=cart_pb2.CART_STATE_CLOSED if head.closed else cart_pb2.CART_STATE_OPEN,
            lines=lines,
            subtotal=self.subtotal(lines, head.currency_code),
            price_time=instants.timestamp(now_us),
            update_time=instants.timestamp(head.update_time_us),
        )

    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        """One line. An offer in another currency than the cart's is, for this cart, not for sale."""
        if offer is None or not offer.listed or offer.currency_code != currency_code:
            return cart_pb2.CartLine(sku=sku, quantity=quantity, availability=cart_pb2.LINE_AVAILABILITY_UNLISTED)
        available = offer.available_quantity
        short = available is not None and available < quantity
        return cart_pb2.CartLine(
            sku=sku,
            quantity=quantity,
            unit_price=money_pb2.Money(currency_code=currency_code, minor_units=offer.unit_price_minor),
            line_total=money_pb2.Money(currency_code=currency_code, minor_units=quantity * offer.unit_price_minor),
            availability=(cart_pb2.LINE_AVAILABILITY_INSUFFICIENT if short else cart_pb2.LINE_AVAILABILITY_AVAILABLE),
            available_quantity=None if available is None else min(available, _MAX_INT32),
        )

    def subtotal(self, lines: list[cart_pb2.CartLine], currency_code: str) -> money_pb2.Money | None:
        """Sum of the line totals; None when no line has one (spec: price/totals-exact)."""
        totals = [line.line_total.minor_units for line in lines if line.HasField("line_total")]
        return money_pb2.Money(currency_code=currency_code, minor_units=sum(totals)) if totals else None

    def coupon(self, discount: Discount, currency_code: str | None) -> cart_pb2.CartCoupon:
        """One coupon; None for a cart without a subtotal, of which nothing is taken off."""
        return cart_pb2.CartCoupon(
            coupon_code=discount.coupon_code,
            standing=discount.standing,
            discount=(
                None
                if currency_code is None
                else money_pb2.Money(currency_code=currency_code, minor_units=discount.minor_units)
            ),
        )

    def add_totals(self, cart: cart_pb2.Cart, discounts: Sequence[Discount]) -> None:
        """What the coupons take off together, and what is left of the subtotal (spec: coupons/totals)."""
        currency_code = cart.subtotal.currency_code
        taken = sum(discount.minor_units for discount in discounts)
        if discounts:
            cart.discount_total.CopyFrom(money_pb2.Money(currency_code=currency_code, minor_units=taken))
        cart.total.CopyFrom(money_pb2.Money(currency_code=currency_code, minor_units=cart.subtotal.minor_units - taken))
