"""Building the operations a shopper can ask for, checked before they are written down.

A server rejects a malformed operation for good, perhaps days later, when nobody remembers it. So what could
never be applied is refused here, at once, by the ranges in `cartsync/v1/operation.proto`. What depends on the
shop (is there such a product, is there enough of it) is never judged here: only the server knows.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from cartsync.v1 import money_pb2, operation_pb2

from reference_client.exceptions import InvalidIntentError

DEFAULT_CART = "main"

_CART_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?\s*([A-Za-z]{3})", re.ASCII)
_CLAIM_TOKEN = re.compile(r"[!-~]{1,1024}", re.ASCII)
_INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1

_MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217 currencies whose minor unit is not a hundredth."""

QuantityPolicy = operation_pb2.QuantityPolicy
EXACT = operation_pb2.QUANTITY_POLICY_EXACT
CLAMP = operation_pb2.QUANTITY_POLICY_CLAMP


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in whole minor units: `Price("GBP", 255)` is GBP 2.55."""

    currency_code: str
    minor_units: int

    def __post_init__(self) -> None:
        if not _CURRENCY.fullmatch(self.currency_code):
            raise InvalidIntentError("currency", "must be three capital letters, for example GBP")
        if not 0 <= self.minor_units <= _INT64_MAX:
            raise InvalidIntentError("price", "must be 0 or more minor units")

    @classmethod
    def parse(cls, text: str) -> Price:
        """Reads "2.55GBP" or "2.55 GBP". Raises `InvalidIntentError` when it is not exact to the minor unit."""
        match = _AMOUNT.fullmatch(text.strip())
        if match is None:
            raise InvalidIntentError("price", f"{text!r} is not an amount and a currency, for example 2.55GBP")
        whole, fraction, currency = match[1], match[2] or "", match[3].upper()
        digits = _MINOR_DIGITS.get(currency, 2)
        if len(fraction) > digits:
            raise InvalidIntentError("price", f"{currency} has {digits} decimal places, {text!r} has more")
        if len(whole) > 18:
            raise InvalidIntentError("price", f"{text!r} is too large")
        return cls(currency, int(whole + fraction.ljust(digits, "0")))

    def __str__(self) -> str:
        return format_money(self.as_message())

    def as_message(self) -> money_pb2.Money:
        """The protocol's form of it."""
        return money_pb2.Money(currency_code=self.currency_code, minor_units=self.minor_units)


def format_money(money: money_pb2.Money) -> str:
    """Writes an amount for people, for example "2.55 GBP"."""
    digits = _MINOR_DIGITS.get(money.currency_code, 2)
    if digits == 0:
        return f"{money.minor_units} {money.currency_code}"
    sign = "-" if money.minor_units < 0 else ""
    text = str(abs(money.minor_units)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]} {money.currency_code}"


def cart_name(cart_id: str) -> str:
    """The cart's name itself. Raises `InvalidIntentError` when it is none."""
    if not _CART_ID.fullmatch(cart_id):
        raise InvalidIntentError("cart", "must be 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    return cart_id


def _code(field: str, text: str) -> str:
    if not 1 <= len(text) <= 64:
        raise InvalidIntentError(field, "must be 1 to 64 characters long")
    if text != text.strip(" ") or holds_control(text):
        raise InvalidIntentError(field, "must have no control character and no space at either end")
    return text


def holds_control(text: str) -> bool:
    """Whether a text has a control character, or half of a surrogate pair, which is no character at all."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def product(sku: str) -> str:
    """The SKU itself. Raises `InvalidIntentError` when no server could take it."""
    return _code("sku", sku)


def _whole(field: str, value: int, *, low: int) -> int:
    if not low <= value <= _INT32_MAX:
        raise InvalidIntentError(field, f"must be a whole number from {low} to {_INT32_MAX}")
    return value


def _guarded(intent: operation_pb2.CartOperation, guard: int | None) -> operation_pb2.CartOperation:
    if guard is not None:
        if not 0 <= guard <= _INT64_MAX:
            raise InvalidIntentError("unless-changed-since", "must be a cart revision, 0 or more")
        line = getattr(intent, intent.WhichOneof("intent") or "")
        line.unless_changed_since = guard
    return intent


def add_item(
    sku: str,
    *,
    quantity: int,
    price: Price,
    cart_id: str = DEFAULT_CART,
    max_price: Price | None = None,
    policy: QuantityPolicy.ValueType = EXACT,
) -> operation_pb2.CartOperation:
    """Puts `quantity` (1 or more) of a product into the cart. `price` is the unit price the shopper saw."""
    if max_price is not None and max_price.currency_code != price.currency_code:
        raise InvalidIntentError("max-price", f"must be in {price.currency_code}, as the price")
    return operation_pb2.CartOperation(
        add_item=operation_pb2.AddItem(
            cart_id=cart_name(cart_id),
            sku=product(sku),
            quantity=_whole("quantity", quantity, low=1),
            observed_unit_price=price.as_message(),
            max_unit_price=max_price.as_message() if max_price else None,
            quantity_policy=policy,
        )
    )


def set_quantity(
    sku: str,
    quantity: int,
    *,
    cart_id: str = DEFAULT_CART,
    policy: QuantityPolicy.ValueType = EXACT,
    unless_changed_since: int | None = None,
) -> operation_pb2.CartOperation:
    """Sets the quantity of a line, 0 or more."""
    line = operation_pb2.SetQuantity(
        cart_id=cart_name(cart_id),
        sku=product(sku),
        quantity=_whole("quantity", quantity, low=0),
        quantity_policy=policy,
    )
    return _guarded(operation_pb2.CartOperation(set_quantity=line), unless_changed_since)


def adjust_quantity(
    sku: str,
    delta: int,
    *,
    cart_id: str = DEFAULT_CART,
    policy: QuantityPolicy.ValueType = EXACT,
    unless_changed_since: int | None = None,
) -> operation_pb2.CartOperation:
    """Moves the quantity of a line by `delta`, not 0."""
    if delta == 0:
        raise InvalidIntentError("delta", "must not be 0")
    line = operation_pb2.AdjustQuantity(
        cart_id=cart_name(cart_id),
        sku=product(sku),
        delta=_whole("delta", delta, low=-(2**31)),
        quantity_policy=policy,
    )
    return _guarded(operation_pb2.CartOperation(adjust_quantity=line), unless_changed_since)


def remove_item(
    sku: str, *, cart_id: str = DEFAULT_CART, unless_changed_since: int | None = None
) -> operation_pb2.CartOperation:
    """Takes a line out of the cart, whatever it has by then."""
    line = operation_pb2.RemoveItem(cart_id=cart_name(cart_id), sku=product(sku))
    return _guarded(operation_pb2.CartOperation(remove_item=line), unless_changed_since)


def apply_coupon(code: str, *, cart_id: str = DEFAULT_CART) -> operation_pb2.CartOperation:
    """Puts a coupon on the cart."""
    return operation_pb2.CartOperation(
        apply_coupon=operation_pb2.ApplyCoupon(cart_id=cart_name(cart_id), coupon_code=_code("coupon", code))
    )


def remove_coupon(code: str, *, cart_id: str = DEFAULT_CART) -> operation_pb2.CartOperation:
    """Takes a coupon off the cart."""
    return operation_pb2.CartOperation(
        remove_coupon=operation_pb2.RemoveCoupon(cart_id=cart_name(cart_id), coupon_code=_code("coupon", code))
    )


def claim_guest_cart(
    claim_token: str, *, guest_cart_id: str = DEFAULT_CART, cart_id: str = DEFAULT_CART
) -> operation_pb2.CartOperation:
    """Takes a guest's cart over into `cart_id`. `claim_token` is a secret that the guest's credential was given."""
    if not _CLAIM_TOKEN.fullmatch(claim_token):
        raise InvalidIntentError("claim-token", "must be 1 to 1,024 visible ASCII characters, as the server gave it")
    return operation_pb2.CartOperation(
        claim_guest_cart=operation_pb2.ClaimGuestCart(
            claim_token=claim_token, guest_cart_id=cart_name(guest_cart_id), cart_id=cart_name(cart_id)
        )
    )


def requiring(operation: operation_pb2.CartOperation, *features: str) -> operation_pb2.CartOperation:
    """The same intent, to be applied only by a server that has all these features (spec: section 2.6)."""
    copy = operation_pb2.CartOperation()
    copy.CopyFrom(operation)
    copy.required_features.extend(sorted(set(features) - set(operation.required_features)))
    return copy


def guard_of(operation: operation_pb2.CartOperation) -> int | None:
    """The revision the operation is guarded by, which means something in one store only; None: by none.

    The base revision 0 of an address says that there was none, which means the same in every store.
    """
    match operation.WhichOneof("intent"):
        case "adjust_quantity" | "set_quantity" | "remove_item" as kind:
            line = getattr(operation, kind)
            return int(line.unless_changed_since) if line.HasField("unless_changed_since") else None
        case "put_address":
            return operation.put_address.base_revision or None
        case "delete_address":
            return operation.delete_address.base_revision or None
        case _:
            return None


def cart_of(operation: operation_pb2.CartOperation) -> str:
    """The cart that the operation changes, or "" when it is about none."""
    kind = operation.WhichOneof("intent")
    return str(getattr(getattr(operation, kind), "cart_id", "")) if kind is not None else ""


def line_of(operation: operation_pb2.CartOperation) -> tuple[str, str]:
    """The cart and product of an operation on a line: `(cart_id, sku)`, each empty where it names none."""
    kind = operation.WhichOneof("intent")
    if kind is None:
        return ("", "")
    return (cart_of(operation), str(getattr(getattr(operation, kind), "sku", "")))


_PROFILES = {
    "apply_coupon": "coupons",
    "remove_coupon": "coupons",
    "add_to_wishlist": "wishlist",
    "remove_from_wishlist": "wishlist",
    "put_address": "address_book",
    "delete_address": "address_book",
    "save_payment_method": "payment_methods",
    "delete_payment_method": "payment_methods",
    "claim_guest_cart": "guest_claim",
}
"""The profile that a kind of intent belongs to; the others belong to `core`."""


def profile_of(operation: operation_pb2.CartOperation) -> str:
    """The profile that a server must list for the intent to be sent to it."""
    return _PROFILES.get(operation.WhichOneof("intent") or "", "core")


ACCOUNT_PARTS = ("address_book", "payment_methods", "wishlist")
"""What a shopper keeps beside carts, named like the profiles."""


def account_part_of(operation: operation_pb2.CartOperation) -> str:
    """Which of `ACCOUNT_PARTS` the operation changes, or "" when it is about none."""
    profile = profile_of(operation)
    return profile if profile in ACCOUNT_PARTS else ""


def describe(operation: operation_pb2.CartOperation) -> str:
    """Says an intent in a few words for the shopper, for example "add 2 × TEAPOT". Never a secret."""
    match operation.WhichOneof("intent"):
        case "add_item":
            return f"add {operation.add_item.quantity} × {operation.add_item.sku}"
        case "adjust_quantity":
            return f"move {operation.adjust_quantity.sku} by {operation.adjust_quantity.delta:+d}"
        case "set_quantity":
            return f"set {operation.set_quantity.sku} to {operation.set_quantity.quantity}"
        case "remove_item":
            return f"remove {operation.remove_item.sku}"
        case "discard":
            return "discard"
        case "apply_coupon":
            return f"apply coupon {operation.apply_coupon.coupon_code}"
        case "remove_coupon":
            return f"remove coupon {operation.remove_coupon.coupon_code}"
        case "add_to_wishlist":
            return f"wish for {operation.add_to_wishlist.sku}"
        case "remove_from_wishlist":
            return f"no longer wish for {operation.remove_from_wishlist.sku}"
        case "put_address":
            return f"write {', '.join(operation.put_address.update_mask.paths)} of address {_short(operation)}"
        case "delete_address":
            return f"delete address {_short(operation)}"
        case "save_payment_method":
            method = operation.save_payment_method
            return f"keep payment method {method.label or _short(operation)} of {method.provider}"
        case "delete_payment_method":
            return f"delete payment method {_short(operation)}"
        case "claim_guest_cart":
            return "take over a guest's cart"
        case _:
            return "an intent this version does not know"


def _short(operation: operation_pb2.CartOperation) -> str:
    """The beginning of the identifier, enough for a person who looks at a list of them."""
    intent = getattr(operation, operation.WhichOneof("intent") or "")
    return str(getattr(intent, "address_id", "") or getattr(intent, "payment_method_id", ""))[:8]
