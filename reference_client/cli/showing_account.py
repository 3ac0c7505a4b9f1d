"""What the shopper sees of coupons, wishlist, addresses and payment methods."""

from __future__ import annotations

from typing import Any

import click
from cartsync.v1 import address_pb2, cart_pb2, money_pb2

from reference_client.account_intents import ADDRESS_FIELDS
from reference_client.account_projection import AddressView, PaymentMethodView, Standing, WishView
from reference_client.cli.times import when
from reference_client.intents import format_money
from reference_client.projection import CartView, CouponView

STANDINGS = {
    Standing.CONFIRMED: "",
    Standing.ADDED: "not settled yet",
    Standing.CHANGED: "change not settled yet",
    Standing.REMOVED: "to be deleted",
}
"""How an entry stands between this device and the server, in words."""

_COUPONS = {
    cart_pb2.COUPON_STANDING_WITHDRAWN: "withdrawn by the shop",
    cart_pb2.COUPON_STANDING_NOT_STARTED: "not good yet",
    cart_pb2.COUPON_STANDING_EXPIRED: "no longer good",
    cart_pb2.COUPON_STANDING_NOT_ELIGIBLE: "not for this account",
    cart_pb2.COUPON_STANDING_CURRENCY_MISMATCH: "in another currency than the cart",
    cart_pb2.COUPON_STANDING_MINIMUM_NOT_MET: "the cart is below its minimum",
    cart_pb2.COUPON_STANDING_NOT_STACKABLE: "not together with another",
}


def say_as_of(wall_ns: int | None) -> None:
    """Says of when it is what was shown."""
    click.echo("Never synchronised." if wall_ns is None else f"As of {when(wall_ns)}.", err=True)


# ---- coupons -------------------------------------------------------------------------------------------------


def coupon_rows(view: CartView) -> list[tuple[str, str, str]]:
    """Code, what it takes off, and how it stands, of each coupon of a cart."""
    return [
        (c.coupon_code, f"-{format_money(c.discount)}" if c.discount is not None else "", _coupon_note(c))
        for c in view.coupons
    ]


def _coupon_note(coupon: CouponView) -> str:
    if coupon.is_pending:
        return "not settled yet" if coupon.wanted else "to be taken off"
    return _COUPONS.get(coupon.standing, "")  # of a standing that this client does not know it says nothing


def coupon_json(coupon: CouponView) -> dict[str, Any]:
    """A coupon for programs."""
    return {
        "coupon_code": coupon.coupon_code,
        "on_cart": coupon.on_cart,
        "wanted": coupon.wanted,
        "standing": enum_name(cart_pb2.CouponStanding, coupon.standing, "COUPON_STANDING_"),
        "discount": money_json(coupon.discount),
    }


def money_json(money: money_pb2.Money | None) -> dict[str, Any] | None:
    """An amount for programs."""
    return None if money is None else {"currency_code": money.currency_code, "minor_units": money.minor_units}


def enum_name(kind: Any, value: int, prefix: str) -> str:
    """The name of an enum's value without its prefix; of one from a newer server its number."""
    try:
        return str(kind.Name(value)).removeprefix(prefix)
    except ValueError:
        return str(value)


# ---- wishlist, addresses, payment methods ----------------------------------------------------------------------


def wish_json(wish: WishView) -> dict[str, Any]:
    """An entry of the wishlist for programs."""
    return {"sku": wish.sku, "standing": wish.standing.value}


def address_line(address: address_pb2.Address) -> str:
    """An address on one line, for people who know it."""
    place = " ".join(part for part in (address.postal_code, address.locality) if part)
    parts = [address.recipient, address.company, *address.address_lines, place, address.administrative_area]
    return ", ".join(part for part in (*parts, address.region_code) if part)


def address_json(view: AddressView) -> dict[str, Any]:
    """An address for programs."""
    fields = {
        field: list(value) if not isinstance(value := getattr(view.address, field), str) else value
        for field in ADDRESS_FIELDS
    }
    return {"address_id": view.address_id, "standing": view.standing.value, **fields}


def card(method: PaymentMethodView) -> str:
    """A means of payment as its provider described it, for people; empty when nothing is known yet."""
    parts = [method.brand]
    if method.last_four:
        parts.append(f"…{method.last_four}")
    if method.expiry_month and method.expiry_year:
        parts.append(f"until {method.expiry_month:02}/{method.expiry_year}")
    return " ".join(part for part in parts if part)


def payment_json(method: PaymentMethodView) -> dict[str, Any]:
    """A means of payment for programs."""
    return {
        "payment_method_id": method.payment_method_id,
        "standing": method.standing.value,
        "provider": method.provider,
        "label": method.label,
        "brand": method.brand,
        "last_four": method.last_four,
        "expiry_month": method.expiry_month,
        "expiry_year": method.expiry_year,
    }
