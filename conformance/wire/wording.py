"""What went over the wire, in a few words, so that a story can be read without unfolding every message."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import (
    address_book_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.message import Message

_SHOWN_COUNT = 4  # operations or outcomes named before the rest is counted


def described(outcome: outcome_pb2.Outcome) -> str:
    """An outcome in a few words: state, reason, whether it changed anything."""
    if outcome.state not in reason_pb2.OutcomeState.values():
        return f"an unknown state {outcome.state}"
    state = _short(reason_pb2.OutcomeState.Name(outcome.state))
    if outcome.HasField("refusal"):
        known = outcome.refusal.reason in reason_pb2.Reason.values()
        name = _short(reason_pb2.Reason.Name(outcome.refusal.reason)) if known else str(outcome.refusal.reason)
        return f"{state} / {name}"
    if outcome.state == reason_pb2.OUTCOME_STATE_APPLIED:
        return f"{state}, changed" if outcome.changed else f"{state}, nothing changed"
    return state


def intent_in_words(operation: operation_pb2.CartOperation) -> str:
    """An operation in a few words, such as "2: add 3 × tea"."""
    match operation.WhichOneof("intent"):
        case "add_item":
            intent = f"add {operation.add_item.quantity} × {operation.add_item.sku}"
        case "adjust_quantity":
            intent = f"adjust {operation.adjust_quantity.sku} by {operation.adjust_quantity.delta:+}"
        case "set_quantity":
            intent = f"set {operation.set_quantity.sku} to {operation.set_quantity.quantity}"
        case "remove_item":
            intent = f"remove {operation.remove_item.sku}"
        case "discard":
            intent = f"discard {operation.discard.discarded_key[:8]}"
        case "apply_coupon":
            intent = f"apply coupon {operation.apply_coupon.coupon_code}"
        case "remove_coupon":
            intent = f"remove coupon {operation.remove_coupon.coupon_code}"
        case "add_to_wishlist":
            intent = f"wish for {operation.add_to_wishlist.sku}"
        case "remove_from_wishlist":
            intent = f"wish no more for {operation.remove_from_wishlist.sku}"
        case "put_address":
            put = operation.put_address
            intent = f"put {', '.join(put.update_mask.paths) or 'nothing'} of address {put.address_id[:8]}"
        case "delete_address":
            intent = f"delete address {operation.delete_address.address_id[:8]}"
        case "save_payment_method":
            intent = f"save payment method {operation.save_payment_method.payment_method_id[:8]}"
        case "delete_payment_method":
            intent = f"delete payment method {operation.delete_payment_method.payment_method_id[:8]}"
        case "claim_guest_cart":
            claim = operation.claim_guest_cart
            intent = f"claim a guest's cart {claim.guest_cart_id} into {claim.cart_id}"
        case _:
            intent = "no known intent"
    return f"{operation.sequence}: {intent}"


def in_words(message: Message) -> str:
    """What a request or an answer says; empty when its name says it all."""
    match message:
        case service_pb2.SubmitOperationsRequest() | service_pb2.Submit():
            return _listed([intent_in_words(attempt.operation) for attempt in message.attempts])
        case service_pb2.SubmitOperationsResponse() | service_pb2.Outcomes():
            return _listed([_result_in_words(result) for result in message.results])
        case service_pb2.SyncRequest() | service_pb2.SyncResponse():
            said = message.WhichOneof("message")
            return in_words(getattr(message, said)) if said else ""
        case service_pb2.Welcome():
            return f"watermark {message.queue.decided_through_sequence}"
        case service_pb2.GetCartRequest():
            return f"cart {message.cart_id}"
        case service_pb2.WatchCartRequest():
            return f"cart {message.cart_id}"
        case wishlist_pb2.ListWishlistResponse():
            return f"revision {message.revision}: {_listed([entry.sku for entry in message.entries]) or 'empty'}"
        case address_book_pb2.ListAddressesResponse():
            named = [entry.address_id[:8] for entry in message.addresses]
            return f"revision {message.revision}: {_listed(named) or 'empty'}"
        case payment_methods_pb2.ListPaymentMethodsResponse():
            kept = [f"{method.brand} {method.last_four}" for method in message.payment_methods]
            return f"revision {message.revision}: {_listed(kept) or 'empty'}"
        case service_pb2.GetCartResponse() | service_pb2.WatchCartResponse():
            lines = _listed([f"{line.quantity} × {line.sku}" for line in message.cart.lines]) or "empty"
            return f"revision {message.cart.revision}: {lines}"
        case service_pb2.LookupOutcomesRequest():
            return f"sequences {message.first_sequence} to {message.last_sequence}"
        case service_pb2.LookupOutcomesResponse():
            found = [
                f"{status.sequence} {service_pb2.Decidedness.Name(status.decidedness).removeprefix('DECIDEDNESS_')}"
                for status in message.statuses
                if status.decidedness in service_pb2.Decidedness.values()
            ]
            return f"watermark {message.queue.decided_through_sequence}; {_listed(found)}"
        case _:
            return ""


def _result_in_words(result: outcome_pb2.OperationResult) -> str:
    again = " (replayed)" if result.replayed else ""
    return f"{result.outcome.sequence}: {described(result.outcome)}{again}"


def _listed(parts: Sequence[str]) -> str:
    rest = f", and {len(parts) - _SHOWN_COUNT} more" if len(parts) > _SHOWN_COUNT else ""
    return ", ".join(parts[:_SHOWN_COUNT]) + rest


def _short(name: str) -> str:
    return name.removeprefix("OUTCOME_STATE_").removeprefix("REASON_")
