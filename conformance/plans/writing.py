"""What a device writes down: the intents of a plan's steps, with the names, prices and revisions of this playing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from conformance.oracle.resources import place_of
from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Intent,
    Money,
    Offer,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
    Stock,
)
from conformance.plans import steps
from conformance.plans.devices import Device
from conformance.plans.stage import Stage
from conformance.plans.steps import Consent, Edge, Fields, Guard, Kind, Seen

CARD_NUMBER = "4111 1111 1111 1111"  # the well-known one for tests
FORGED_TOKEN = "x-conformance-never-issued"  # noqa: S105 - no token at all
PROVIDER = "acme"

_MASKS = {
    Fields.ALL: frozenset({"recipient", "address_lines", "region_code", "label"}),
    Fields.LABEL: frozenset({"label"}),
    Fields.RECIPIENT: frozenset({"recipient"}),
    Fields.LABEL_AND_RECIPIENT: frozenset({"label", "recipient"}),
    Fields.LINES_AND_LABEL: frozenset({"address_lines", "label"}),
    Fields.UNKNOWN: frozenset({"telephone"}),
    Fields.NONE: frozenset[str](),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What intents are written with: the stage for its names, the offers a device can know, the guest's token."""

    stage: Stage
    offer: Offer | None = None
    claim_token: str = ""

    def intent(self, device: Device, step: steps.Enqueueing) -> Intent:
        """The intent of a step."""
        match step:
            case steps.Enqueue():
                return self._line(device, step)
            case steps.EnqueueCoupon():
                code = CARD_NUMBER if step.card else self.stage.own_name(step.code)
                kind = RemoveCoupon if step.remove else ApplyCoupon
                return kind(self.stage.own_name(step.cart), code)
            case steps.EnqueueWish():
                sku = self.stage.own_name(step.sku)
                return RemoveFromWishlist(sku) if step.remove else AddToWishlist(sku)
            case steps.EnqueueAddress():
                return self._address(device, step)
            case steps.EnqueueAddressDeletion():
                unguarded = DeleteAddress(self.own_id(step.address))
                return DeleteAddress(unguarded.address_id, _revision(device, unguarded, step.guard))
            case steps.EnqueuePayment():
                method = self.own_id(step.method)
                label = CARD_NUMBER if step.card else f"Mine {step.value}"
                if step.remove:
                    return DeletePaymentMethod(method)
                return SavePaymentMethod(method, PROVIDER, self.stage.own_name(step.token), label)
            case steps.EnqueueClaim():
                carts = self.stage.own_name(step.guest_cart), self.stage.own_name(step.cart)
                return ClaimGuestCart(FORGED_TOKEN if step.forged else self.claim_token, *carts)

    def own_id(self, name: str) -> str:
        """A canonical UUID for a name of the plan, the same all through this playing and in no other."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.stage.own_name(name)))

    def _address(self, device: Device, step: steps.EnqueueAddress) -> Intent:
        address = Address(
            recipient=f"Shopper {step.value}",
            address_lines=(f"{step.value} High Street",),
            postal_code=CARD_NUMBER if step.card else "",
            region_code="GB",
            label=f"Place {step.value}",
        )
        unguarded = PutAddress(self.own_id(step.address), _MASKS[step.fields], address)
        return PutAddress(unguarded.address_id, unguarded.mask, address, _revision(device, unguarded, step.guard))

    def _line(self, device: Device, step: steps.Enqueue) -> Intent:
        cart, sku = self.stage.own_name(step.cart), self.stage.own_name(step.sku)
        stock = Stock.CLAMP if step.clamp else Stock.EXACT
        guard = _revision(device, Remove(cart, sku), step.guard)
        quantity = self._quantity(step)
        match step.kind:
            case Kind.ADD:
                price = _price_seen(step.seen, self.offer)
                limit = price if price is not None and step.consent is not Consent.ANY else None
                if limit is not None and step.consent is Consent.BELOW:
                    limit = Money(limit.currency, max(0, limit.minor - 1))
                return Add(cart, sku, quantity, price, limit, stock)
            case Kind.ADJUST:
                return Adjust(cart, sku, quantity, stock, guard)
            case Kind.SET:
                return Set(cart, sku, quantity, stock, guard)
            case Kind.REMOVE:
                return Remove(cart, sku, guard)
            case Kind.UNKNOWN:
                return None

    def _quantity(self, step: steps.Enqueue) -> int:
        """The quantity of a step, or the limit of the server that it stands for."""
        available = self.offer.available if self.offer is not None else None
        most = self.stage.limits.max_line_quantity
        match step.edge:
            case Edge.LINE_LIMIT:
                return most
            case Edge.BEYOND_LINE_LIMIT:
                return most + 1
            case Edge.STOCK if available is not None:
                return available
            case Edge.BEYOND_STOCK if available is not None:
                return available + 1
            case _:
                return step.quantity


def _revision(device: Device, intent: Intent, guard: Guard) -> int | None:
    """The revision that an intent is guarded by."""
    place = place_of(intent, device.principal)
    seen = device.revisions.get(place) if place is not None else None
    return {Guard.NONE: None, Guard.ZERO: 0, Guard.SEEN: seen}[guard]


def _price_seen(seen: Seen, offer: Offer | None) -> Money | None:
    price = offer.price if offer is not None else Money("GBP", 100)
    match seen:
        case Seen.CURRENT:
            return price
        case Seen.OTHER:
            return Money(price.currency, price.minor + 7)
        case Seen.FOREIGN:
            return Money("EUR" if price.currency == "GBP" else "GBP", price.minor)
        case Seen.NONE:
            return None
