"""What went over the wire, in a few words, so that a story can be read without unfolding every message."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2, service_pb2
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
        case service_pb2.GetCartResponse():
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
