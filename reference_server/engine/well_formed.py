"""Step 11 of chapter 3: a field of the intent that is missing or out of the range its comment gives.

One table, from the kind of intent to the checks of its fields; every wrong field is named, not just the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cartsync.v1 import money_pb2, operation_pb2
from cartsync.v1.outcome_pb2 import FieldViolation

from reference_server.engine import address_form
from reference_server.engine.identifiers import (
    CANONICAL_FORM,
    CART_ID_FORM,
    SKU_FORM,
    is_canonical_uuid,
    is_cart_id,
    is_sku,
)

_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
_PROVIDER_TOKEN = re.compile(r"[!-~]{1,512}")
_CLAIM_TOKEN = re.compile(r"[!-~]{1,1024}")
_MAX_LABEL_LENGTH = 64
_QUANTITY_POLICIES = (operation_pb2.QUANTITY_POLICY_EXACT, operation_pb2.QUANTITY_POLICY_CLAMP)

_Problem = tuple[str, str]  # field of the intent, what is wrong
_Check = Callable[[Any], Iterator[_Problem]]


def field_violations(operation: operation_pb2.CartOperation) -> list[FieldViolation]:
    """Every wrong field of the intent, by its path from the operation (spec: deciding/malformed)."""
    kind = operation.WhichOneof("intent")
    if kind is None:
        return []
    intent = getattr(operation, kind)
    return [
        FieldViolation(field=f"{kind}.{field}", description=description)
        for check in CHECKS[kind]
        for field, description in check(intent)
    ]


def _cart_id(intent: Any) -> Iterator[_Problem]:
    if not is_cart_id(intent.cart_id):
        yield "cart_id", CART_ID_FORM


def _sku(intent: Any) -> Iterator[_Problem]:
    if not is_sku(intent.sku):
        yield "sku", SKU_FORM


def _quantity_to_add(intent: operation_pb2.AddItem) -> Iterator[_Problem]:
    if intent.quantity < 1:
        yield "quantity", "must be 1 or more"


def _quantity_to_set(intent: operation_pb2.SetQuantity) -> Iterator[_Problem]:
    if intent.quantity < 0:
        yield "quantity", "must be 0 or more"


def _delta(intent: operation_pb2.AdjustQuantity) -> Iterator[_Problem]:
    if intent.delta == 0:
        yield "delta", "must not be 0"


def _quantity_policy(intent: Any) -> Iterator[_Problem]:
    if intent.quantity_policy not in _QUANTITY_POLICIES:
        yield "quantity_policy", "must be QUANTITY_POLICY_EXACT or QUANTITY_POLICY_CLAMP"


def _unless_changed_since(intent: Any) -> Iterator[_Problem]:
    if intent.unless_changed_since < 0:
        yield "unless_changed_since", "must be a cart revision, 0 or more"


def _prices(intent: operation_pb2.AddItem) -> Iterator[_Problem]:
    if not intent.HasField("observed_unit_price"):
        yield "observed_unit_price", "is missing; send the unit price the shopper saw"
    else:
        yield from _money(intent.observed_unit_price, "observed_unit_price")
    if intent.HasField("max_unit_price"):
        yield from _money(intent.max_unit_price, "max_unit_price")
        if (
            intent.HasField("observed_unit_price")
            and intent.max_unit_price.currency_code != intent.observed_unit_price.currency_code
        ):
            yield "max_unit_price.currency_code", "must be the currency of observed_unit_price"


def _money(money: money_pb2.Money, field: str) -> Iterator[_Problem]:
    if _CURRENCY_CODE.fullmatch(money.currency_code) is None:
        yield f"{field}.currency_code", "must be three letters A to Z"
    if money.minor_units < 0:
        yield f"{field}.minor_units", "must be 0 or more"


def _coupon_code(intent: Any) -> Iterator[_Problem]:
    if not is_sku(intent.coupon_code):  # one form for both
        yield "coupon_code", SKU_FORM


def _payment_method_id(intent: Any) -> Iterator[_Problem]:
    if not is_canonical_uuid(intent.payment_method_id):
        yield "payment_method_id", CANONICAL_FORM


def _payment_fields(intent: operation_pb2.SavePaymentMethod) -> Iterator[_Problem]:
    if not is_cart_id(intent.provider):  # one form for both
        yield "provider", CART_ID_FORM
    if _PROVIDER_TOKEN.fullmatch(intent.provider_token) is None:
        yield "provider_token", "must be 1 to 512 visible ASCII characters"
    if not address_form.is_text(intent.label, _MAX_LABEL_LENGTH):
        yield "label", f"must be at most {_MAX_LABEL_LENGTH} characters, none of them a control character"


def _claim_fields(intent: operation_pb2.ClaimGuestCart) -> Iterator[_Problem]:
    if _CLAIM_TOKEN.fullmatch(intent.claim_token) is None:
        yield "claim_token", "must be 1 to 1,024 visible ASCII characters"
    if not is_cart_id(intent.guest_cart_id):
        yield "guest_cart_id", CART_ID_FORM


CHECKS: dict[str, tuple[_Check, ...]] = {
    "add_item": (_cart_id, _sku, _quantity_to_add, _prices, _quantity_policy),
    "adjust_quantity": (_cart_id, _sku, _delta, _quantity_policy, _unless_changed_since),
    "set_quantity": (_cart_id, _sku, _quantity_to_set, _quantity_policy, _unless_changed_since),
    "remove_item": (_cart_id, _sku, _unless_changed_since),
    "discard": (),
    "apply_coupon": (_cart_id, _coupon_code),
    "remove_coupon": (_cart_id, _coupon_code),
    "add_to_wishlist": (_sku,),
    "remove_from_wishlist": (_sku,),
    "put_address": (
        address_form.address_id,
        address_form.base_revision,
        address_form.update_mask,
        address_form.masked_fields,
    ),
    "delete_address": (address_form.address_id, address_form.base_revision),
    "save_payment_method": (_payment_method_id, _payment_fields),
    "delete_payment_method": (_payment_method_id,),
    "claim_guest_cart": (_claim_fields, _cart_id),
}
