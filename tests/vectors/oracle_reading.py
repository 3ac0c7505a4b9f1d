"""Recorded requests in the words of the oracle: the way back from the wire, which the suite itself never needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cartsync.v1 import money_pb2, operation_pb2

from conformance.oracle import values
from conformance.oracle.translation import address
from conformance.oracle.values import Attempt, Intent, Money, Operation, Stock, Submission

_STOCK = {
    operation_pb2.QUANTITY_POLICY_EXACT: Stock.EXACT,
    operation_pb2.QUANTITY_POLICY_CLAMP: Stock.CLAMP,
}


def submission(queue_id: str, attempts: Iterable[operation_pb2.OperationAttempt]) -> Submission:
    """A submission."""
    return Submission(queue_id, tuple(map(attempt, attempts)))


def attempt(message: operation_pb2.OperationAttempt) -> Attempt:
    """An attempt."""
    operation = message.operation
    age = message.age.ToTimedelta().total_seconds() if message.HasField("age") else None
    return Attempt(
        Operation(
            operation.idempotency_key,
            operation.sequence,
            operation.previous_key,
            intent(operation),
            frozenset(operation.required_features),
        ),
        age,
    )


def intent(operation: operation_pb2.CartOperation) -> Intent:
    """The intent; None for one that this version does not know."""
    kind = operation.WhichOneof("intent")
    return None if kind is None else _READERS[kind](getattr(operation, kind))


def money(message: Any, field: str) -> Money | None:
    """An amount that may be absent."""
    if not message.HasField(field):
        return None
    amount: money_pb2.Money = getattr(message, field)
    return Money(amount.currency_code, amount.minor_units)


def _stock(number: int) -> Stock:
    return _STOCK.get(number, Stock.UNSPECIFIED)  # type: ignore[call-overload, no-any-return]  # any number


def _optional(message: Any, field: str) -> int | None:
    return getattr(message, field) if message.HasField(field) else None


def _put_address(m: operation_pb2.PutAddress) -> Intent:
    written = address(m.address) if m.HasField("address") else None
    return values.PutAddress(m.address_id, frozenset(m.update_mask.paths), written, _optional(m, "base_revision"))


_READERS: Mapping[str, Callable[[Any], Intent]] = {
    "add_item": lambda m: values.Add(
        m.cart_id,
        m.sku,
        m.quantity,
        money(m, "observed_unit_price"),
        money(m, "max_unit_price"),
        _stock(m.quantity_policy),
    ),
    "adjust_quantity": lambda m: values.Adjust(
        m.cart_id, m.sku, m.delta, _stock(m.quantity_policy), _optional(m, "unless_changed_since")
    ),
    "set_quantity": lambda m: values.Set(
        m.cart_id, m.sku, m.quantity, _stock(m.quantity_policy), _optional(m, "unless_changed_since")
    ),
    "remove_item": lambda m: values.Remove(m.cart_id, m.sku, _optional(m, "unless_changed_since")),
    "discard": lambda m: values.Discard(m.discarded_key),
    "apply_coupon": lambda m: values.ApplyCoupon(m.cart_id, m.coupon_code),
    "remove_coupon": lambda m: values.RemoveCoupon(m.cart_id, m.coupon_code),
    "add_to_wishlist": lambda m: values.AddToWishlist(m.sku),
    "remove_from_wishlist": lambda m: values.RemoveFromWishlist(m.sku),
    "put_address": _put_address,
    "delete_address": lambda m: values.DeleteAddress(m.address_id, _optional(m, "base_revision")),
    "save_payment_method": lambda m: values.SavePaymentMethod(
        m.payment_method_id, m.provider, m.provider_token, m.label
    ),
    "delete_payment_method": lambda m: values.DeletePaymentMethod(m.payment_method_id),
    "claim_guest_cart": lambda m: values.ClaimGuestCart(m.claim_token, m.guest_cart_id, m.cart_id),
}
