"""What each kind of intent touches: the table by which a submission's state is read before it is decided.

Nothing is checked here: whatever a client put into the fields is looked up as it is, and found not to be there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cartsync.v1 import operation_pb2

from reference_server.engine import claim_tokens
from reference_server.engine.state import (
    ADDRESS_BOOK,
    PAYMENT_METHODS,
    WISHLIST,
    EntryName,
    GuestName,
    coupons_of,
    uses_of,
)


@dataclass(frozen=True, slots=True)
class Operand:
    """What one operation of a submission touches; `cart_id` and `sku` are empty when it names none.

    Of `entries` each is read with its collection's head; of `whole_collections` every entry is. Of a `guest` the
    cart is read, and of the cart `cart_id` every line whose SKU is in it.
    """

    sequence: int
    idempotency_key: str
    cart_id: str = ""
    sku: str = ""
    entries: tuple[EntryName, ...] = ()
    whole_collections: tuple[str, ...] = ()
    guest: GuestName | None = None


def operand(operation: operation_pb2.CartOperation) -> Operand:
    """What an operation touches; of a discard or an unknown intent nothing but its queue."""
    kind = operation.WhichOneof("intent") or ""
    touched = _TOUCHED[kind](getattr(operation, kind)) if kind in _TOUCHED else {}
    return Operand(operation.sequence, operation.idempotency_key, **touched)


def _line(intent: Any) -> dict[str, Any]:
    return {"cart_id": intent.cart_id, "sku": intent.sku}


def _coupon(intent: Any) -> dict[str, Any]:
    return {
        "cart_id": intent.cart_id,
        "entries": ((uses_of(intent.coupon_code), intent.cart_id),),
        "whole_collections": (coupons_of(intent.cart_id),),
    }


def _wish(intent: Any) -> dict[str, Any]:
    return {"entries": ((WISHLIST, intent.sku),)}


def _address(intent: Any) -> dict[str, Any]:
    return {"entries": ((ADDRESS_BOOK, intent.address_id),)}


def _payment_method(intent: Any) -> dict[str, Any]:
    return {"entries": ((PAYMENT_METHODS, intent.payment_method_id),)}


def _claim(intent: Any) -> dict[str, Any]:
    guest = claim_tokens.guest_of(intent.claim_token)
    return {"cart_id": intent.cart_id, "guest": None if guest is None else (guest, intent.guest_cart_id)}


_TOUCHED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "add_item": _line,
    "adjust_quantity": _line,
    "set_quantity": _line,
    "remove_item": _line,
    "apply_coupon": _coupon,
    "remove_coupon": _coupon,
    "add_to_wishlist": _wish,
    "remove_from_wishlist": _wish,
    "put_address": _address,
    "delete_address": _address,
    "save_payment_method": _payment_method,
    "delete_payment_method": _payment_method,
    "claim_guest_cart": _claim,
}
