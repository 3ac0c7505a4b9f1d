"""What a device can be asked to want: each method writes one operation into the device's log; nothing is sent."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence

from cartsync.v1 import address_pb2, money_pb2, operation_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from conformance.wire.venue import ANY_VENUE, Venue

EXACT = operation_pb2.QUANTITY_POLICY_EXACT
CLAMP = operation_pb2.QUANTITY_POLICY_CLAMP


class Enqueueing:
    """The durable log of a queue: sequences without gaps, keys of its own, each linked to the one before."""

    def __init__(
        self,
        cart_id: str,
        rng: random.Random,
        log: Sequence[operation_pb2.CartOperation] = (),
        venue: Venue = ANY_VENUE,
    ) -> None:
        self.venue = venue
        self.cart_id = venue.cart_id(cart_id)
        self.log = list(log)
        self.rng = rng

    def new_key(self) -> str:
        """A fresh canonical UUID, from the run's seed."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def enqueue(self, operation: operation_pb2.CartOperation) -> operation_pb2.CartOperation:
        """Give an operation (its intent set, perhaps features) key, sequence and link, and append it to the log."""
        operation.idempotency_key = operation.idempotency_key or self.new_key()
        operation.sequence = len(self.log) + 1
        operation.previous_key = self.log[-1].idempotency_key if self.log else ""
        self.log.append(operation)
        return operation

    def cart_named(self, name: str | None) -> str:
        """The id of a cart that a check names; None is the device's own."""
        return self.cart_id if name is None else self.venue.cart_id(name)

    # Lines of a cart.

    def add(
        self,
        sku: str,
        quantity: int = 1,
        *,
        price: int | None = None,
        currency: str | None = None,
        max_price: int | None = None,
        headroom: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        cart_id: str | None = None,
    ) -> operation_pb2.CartOperation:
        """AddItem; prices in minor units. The price seen is what a product costs that nobody gave a price.

        The highest price agreed to is `max_price`, or `headroom` more than the price seen.
        """
        usual = self.venue.price_seen(sku)
        currency = currency or usual.currency
        seen = usual.minor if price is None else price
        if headroom is not None:
            max_price = seen + headroom
        limit = None if max_price is None else money_pb2.Money(currency_code=currency, minor_units=max_price)
        intent = operation_pb2.AddItem(
            cart_id=self.cart_named(cart_id),
            sku=sku,
            quantity=quantity,
            observed_unit_price=money_pb2.Money(currency_code=currency, minor_units=seen),
            max_unit_price=limit,
            quantity_policy=policy,
        )
        return self.enqueue(operation_pb2.CartOperation(add_item=intent))

    def adjust(
        self,
        sku: str,
        delta: int,
        *,
        guard: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        cart_id: str | None = None,
    ) -> operation_pb2.CartOperation:
        """AdjustQuantity."""
        intent = operation_pb2.AdjustQuantity(
            cart_id=self.cart_named(cart_id),
            sku=sku,
            delta=delta,
            quantity_policy=policy,
            unless_changed_since=guard,
        )
        return self.enqueue(operation_pb2.CartOperation(adjust_quantity=intent))

    def set(
        self,
        sku: str,
        quantity: int,
        *,
        guard: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        cart_id: str | None = None,
    ) -> operation_pb2.CartOperation:
        """SetQuantity."""
        intent = operation_pb2.SetQuantity(
            cart_id=self.cart_named(cart_id),
            sku=sku,
            quantity=quantity,
            quantity_policy=policy,
            unless_changed_since=guard,
        )
        return self.enqueue(operation_pb2.CartOperation(set_quantity=intent))

    def remove(self, sku: str, *, guard: int | None = None, cart_id: str | None = None) -> operation_pb2.CartOperation:
        """RemoveItem."""
        intent = operation_pb2.RemoveItem(cart_id=self.cart_named(cart_id), sku=sku, unless_changed_since=guard)
        return self.enqueue(operation_pb2.CartOperation(remove_item=intent))

    # Coupons.

    def apply_coupon(self, code: str, *, cart_id: str | None = None) -> operation_pb2.CartOperation:
        """ApplyCoupon."""
        intent = operation_pb2.ApplyCoupon(cart_id=self.cart_named(cart_id), coupon_code=code)
        return self.enqueue(operation_pb2.CartOperation(apply_coupon=intent))

    def remove_coupon(self, code: str, *, cart_id: str | None = None) -> operation_pb2.CartOperation:
        """RemoveCoupon."""
        intent = operation_pb2.RemoveCoupon(cart_id=self.cart_named(cart_id), coupon_code=code)
        return self.enqueue(operation_pb2.CartOperation(remove_coupon=intent))

    # Wishlist.

    def wish(self, sku: str) -> operation_pb2.CartOperation:
        """AddToWishlist."""
        self.venue.needs_fresh_account()
        return self.enqueue(operation_pb2.CartOperation(add_to_wishlist=operation_pb2.AddToWishlist(sku=sku)))

    def unwish(self, sku: str) -> operation_pb2.CartOperation:
        """RemoveFromWishlist."""
        self.venue.needs_fresh_account()
        return self.enqueue(operation_pb2.CartOperation(remove_from_wishlist=operation_pb2.RemoveFromWishlist(sku=sku)))

    # Address book.

    def put_address(
        self,
        address_id: str,
        address: address_pb2.Address,
        *,
        mask: Iterable[str] | None = None,
        base: int | None = None,
    ) -> operation_pb2.CartOperation:
        """PutAddress; without a mask it names every field that is set in `address`."""
        self.venue.needs_fresh_account()
        paths = [field.name for field, _ in address.ListFields()] if mask is None else list(mask)
        intent = operation_pb2.PutAddress(
            address_id=address_id, base_revision=base, update_mask=FieldMask(paths=paths), address=address
        )
        return self.enqueue(operation_pb2.CartOperation(put_address=intent))

    def delete_address(self, address_id: str, *, base: int | None = None) -> operation_pb2.CartOperation:
        """DeleteAddress."""
        self.venue.needs_fresh_account()
        intent = operation_pb2.DeleteAddress(address_id=address_id, base_revision=base)
        return self.enqueue(operation_pb2.CartOperation(delete_address=intent))

    # Payment methods.

    def save_payment_method(
        self, payment_method_id: str, token: str, *, provider: str = "acme", label: str = ""
    ) -> operation_pb2.CartOperation:
        """SavePaymentMethod."""
        self.venue.needs_fresh_account()
        intent = operation_pb2.SavePaymentMethod(
            payment_method_id=payment_method_id, provider=provider, provider_token=token, label=label
        )
        return self.enqueue(operation_pb2.CartOperation(save_payment_method=intent))

    def delete_payment_method(self, payment_method_id: str) -> operation_pb2.CartOperation:
        """DeletePaymentMethod."""
        self.venue.needs_fresh_account()
        intent = operation_pb2.DeletePaymentMethod(payment_method_id=payment_method_id)
        return self.enqueue(operation_pb2.CartOperation(delete_payment_method=intent))

    # Claiming a guest's cart.

    def claim(
        self, claim_token: str, *, guest_cart_id: str = "main", cart_id: str | None = None
    ) -> operation_pb2.CartOperation:
        """ClaimGuestCart."""
        self.venue.needs_fresh_account()
        intent = operation_pb2.ClaimGuestCart(
            claim_token=claim_token, guest_cart_id=self.cart_named(guest_cart_id), cart_id=self.cart_named(cart_id)
        )
        return self.enqueue(operation_pb2.CartOperation(claim_guest_cart=intent))
