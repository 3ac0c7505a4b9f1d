"""Step 11 of chapter 3: which fields of an intent are missing or out of the range that their comments give.

Fields go by their path from the operation, for example "add_item.quantity" (spec: deciding/malformed).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from conformance.oracle.address_book import FIELDS
from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Money,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    RuledIntent,
    SavePaymentMethod,
    Set,
    Stock,
)

_CART_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REGION = re.compile(r"[A-Z]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_cart_id(text: str) -> bool:
    """1 to 64 characters out of A-Z a-z 0-9 . _ -; a provider's name too."""
    return _CART_ID.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """1 to 64 code points, none a control, no space at an end: a SKU, a coupon code."""
    return _is_text(text, 1, 64) and " " not in (text[0], text[-1])


def _is_text(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and all(unicodedata.category(character) != "Cc" for character in text)


def _is_visible_ascii(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and all("!" <= character <= "~" for character in text)


def _is_money(money: Money) -> bool:
    return bool(_CURRENCY.fullmatch(money.currency)) and money.minor >= 0


def _is_guard(revision: int | None) -> bool:
    return revision is None or revision >= 0


def _of_add(intent: Add) -> dict[str, bool]:
    return {
        "cart_id": is_cart_id(intent.cart),
        "sku": is_name(intent.sku),
        "quantity": intent.quantity >= 1,
        "observed_unit_price": intent.observed is not None and _is_money(intent.observed),
        "max_unit_price": intent.limit is None
        or (_is_money(intent.limit) and (intent.observed is None or intent.limit.currency == intent.observed.currency)),
        "quantity_policy": intent.stock is not Stock.UNSPECIFIED,
    }


def _of_change(intent: Adjust | Set | Remove) -> dict[str, bool]:
    fields = {
        "cart_id": is_cart_id(intent.cart),
        "sku": is_name(intent.sku),
        "unless_changed_since": _is_guard(intent.guard),
    }
    match intent:
        case Adjust():
            fields |= {"delta": intent.delta != 0, "quantity_policy": intent.stock is not Stock.UNSPECIFIED}
        case Set():
            fields |= {"quantity": intent.quantity >= 0, "quantity_policy": intent.stock is not Stock.UNSPECIFIED}
        case Remove():
            pass
    return fields


def _of_coupon(intent: ApplyCoupon | RemoveCoupon) -> dict[str, bool]:
    return {"cart_id": is_cart_id(intent.cart), "coupon_code": is_name(intent.code)}


def _of_wish(intent: AddToWishlist | RemoveFromWishlist) -> dict[str, bool]:
    return {"sku": is_name(intent.sku)}


def _of_put_address(intent: PutAddress) -> dict[str, bool]:
    fields = {
        "address_id": _UUID.fullmatch(intent.address_id) is not None,
        "base_revision": _is_guard(intent.base),
        "update_mask": bool(intent.mask) and intent.mask <= set(FIELDS),
        "address": intent.address is not None,
    }
    if intent.address is not None:
        right = _fields_of_address(intent.address)
        fields |= {f"address.{name}": right[name] for name in sorted(intent.mask & set(FIELDS))}
    return fields


def _fields_of_address(address: Address) -> dict[str, bool]:
    """spec: address/field-limits"""
    lines = address.address_lines
    return {
        "recipient": _is_text(address.recipient, 1, 200),
        "company": _is_text(address.company, 0, 200),
        "address_lines": 1 <= len(lines) <= 5 and all(_is_text(line, 1, 200) for line in lines),
        "locality": _is_text(address.locality, 0, 200),
        "administrative_area": _is_text(address.administrative_area, 0, 200),
        "postal_code": _is_text(address.postal_code, 0, 32),
        "region_code": _REGION.fullmatch(address.region_code) is not None,
        "delivery_instructions": _is_text(address.delivery_instructions, 0, 1_000),
        "label": _is_text(address.label, 0, 64),
    }


def _of_delete_address(intent: DeleteAddress) -> dict[str, bool]:
    return {"address_id": _UUID.fullmatch(intent.address_id) is not None, "base_revision": _is_guard(intent.base)}


def _of_save_payment_method(intent: SavePaymentMethod) -> dict[str, bool]:
    return {
        "payment_method_id": _UUID.fullmatch(intent.method_id) is not None,
        "provider": is_cart_id(intent.provider),
        "provider_token": _is_visible_ascii(intent.token, 512),
        "label": _is_text(intent.label, 0, 64),
    }


def _of_delete_payment_method(intent: DeletePaymentMethod) -> dict[str, bool]:
    return {"payment_method_id": _UUID.fullmatch(intent.method_id) is not None}


def _of_claim(intent: ClaimGuestCart) -> dict[str, bool]:
    return {
        "claim_token": _is_visible_ascii(intent.token, 1_024),
        "guest_cart_id": is_cart_id(intent.guest_cart),
        "cart_id": is_cart_id(intent.cart),
    }


_FIELDS: dict[type[RuledIntent], tuple[str, Callable[[Any], dict[str, bool]]]] = {
    Add: ("add_item", _of_add),
    Adjust: ("adjust_quantity", _of_change),
    Set: ("set_quantity", _of_change),
    Remove: ("remove_item", _of_change),
    ApplyCoupon: ("apply_coupon", _of_coupon),
    RemoveCoupon: ("remove_coupon", _of_coupon),
    AddToWishlist: ("add_to_wishlist", _of_wish),
    RemoveFromWishlist: ("remove_from_wishlist", _of_wish),
    PutAddress: ("put_address", _of_put_address),
    DeleteAddress: ("delete_address", _of_delete_address),
    SavePaymentMethod: ("save_payment_method", _of_save_payment_method),
    DeletePaymentMethod: ("delete_payment_method", _of_delete_payment_method),
    ClaimGuestCart: ("claim_guest_cart", _of_claim),
}


def wrong_fields(intent: RuledIntent) -> frozenset[str]:
    """The fields that are missing or out of range, by their path from the operation."""
    name, check = _FIELDS[type(intent)]
    return frozenset(f"{name}.{field}" for field, right in check(intent).items() if not right)
