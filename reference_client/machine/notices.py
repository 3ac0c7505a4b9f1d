"""What the shopper is told about an outcome, in words. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterator

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from reference_client.intents import describe, format_money
from reference_client.machine.values import Fate, Notice, PendingOperation


def reason_name(reason: int) -> str:
    """The short name of a reason; one that this client is too old to know is given by its number."""
    try:
        return reason_pb2.Reason.Name(reason_pb2.Reason.ValueType(reason)).removeprefix("REASON_")
    except ValueError:
        return f"REASON {reason}"


def decode(operation: PendingOperation) -> operation_pb2.CartOperation:
    """The operation itself, never its discard."""
    return operation_pb2.CartOperation.FromString(operation.payload)


def needs_action(refusal: outcome_pb2.Refusal) -> bool:
    """Whether the shopper can do something about it (an absent disposition counts as yes)."""
    return refusal.disposition not in {reason_pb2.DISPOSITION_TERMINAL, reason_pb2.DISPOSITION_RETRY}


def refusal_text(refusal: outcome_pb2.Refusal) -> str:
    """The reason and its typed details, for people."""
    text = reason_name(refusal.reason)
    details = []
    if refusal.HasField("current_unit_price"):
        details.append(f"the price is now {format_money(refusal.current_unit_price)}")
    if refusal.HasField("available_quantity"):
        details.append(f"{refusal.available_quantity} available")
    details += [f"{v.field}: {v.description}" for v in refusal.field_violations]
    if refusal.unsupported_features:
        details.append("the server lacks " + ", ".join(refusal.unsupported_features))
    if not details and refusal.message:
        details.append(refusal.message)
    return f"{text} ({'; '.join(details)})" if details else text


def about(operation: PendingOperation, fate: Fate, outcome: outcome_pb2.Outcome) -> Iterator[Notice]:
    """Everything the shopper should be told about one settled operation. Often nothing."""
    sequence = operation.sequence
    what = describe(decode(operation))
    match fate:
        case Fate.APPLIED:
            kept = [a.field_kept for a in outcome.adjustments if a.WhichOneof("adjustment") == "field_kept"]
            if kept:
                fields = "; ".join(f"{one.field} stays {_kept_value(one)}" for one in kept)
                yield Notice("field_kept", f"{what}: another device was there first: {fields}", sequence)
            for adjustment in outcome.adjustments:
                yield from _adjusted(what, sequence, adjustment)
            yield from _cut_down(what, sequence, outcome)
        case Fate.REJECTED:
            refusal = outcome.refusal
            message = f"{what}: rejected, {refusal_text(refusal)}"
            if refusal.reason == reason_pb2.REASON_PRINCIPAL_CLAIMED:
                message = f"{what}: an account has taken this guest over; `cartsync claim` asks for it there"
            yield Notice("rejected", message, sequence, needs_action=needs_action(refusal))
        case Fate.UNKNOWN:
            message = (
                f"{what}: it is not known whether this was applied; the server decided about it too long ago. "
                "Look at the cart, and ask again if it is missing"
            )
            yield Notice("outcome_unknown", message, sequence, needs_action=True)
        case Fate.DISCARDED | Fate.DISCARD_TOO_LATE:
            pass


def _adjusted(what: str, sequence: int, adjustment: outcome_pb2.Adjustment) -> Iterator[Notice]:
    match adjustment.WhichOneof("adjustment"):
        case "price_changed":
            seen = format_money(adjustment.price_changed.observed_unit_price)
            now = format_money(adjustment.price_changed.current_unit_price)
            yield Notice("price_changed", f"{what}: the price was {seen} and is now {now}", sequence)
        case "quantity_clamped":
            clamped = adjustment.quantity_clamped
            text = f"stock covers only {clamped.granted_quantity} of {clamped.requested_quantity}"
            yield Notice("quantity_clamped", f"{what}: {text}", sequence)
        case "quantity_floored":
            floored = adjustment.quantity_floored
            text = f"only {-floored.applied_delta} of {-floored.requested_delta} could be taken out"
            yield Notice("quantity_floored", f"{what}: {text}", sequence)
        case "field_kept":
            return  # all of them are told together
        case _:
            yield Notice("adjusted", f"{what}: the server adjusted it; see the cart", sequence)


def _cut_down(what: str, sequence: int, outcome: outcome_pb2.Outcome) -> Iterator[Notice]:
    """What of a guest's cart the account's cart could not take."""
    cut = [line for line in outcome.claimed_lines if line.limit_reason != reason_pb2.REASON_UNSPECIFIED]
    if cut:
        lines = "; ".join(
            f"{line.sku} is {line.quantity_after}, not {line.quantity_before + line.guest_quantity} "
            f"({reason_name(line.limit_reason)})"
            for line in cut
        )
        yield Notice("claim_cut", f"{what}: {lines}", sequence)


def _kept_value(kept: outcome_pb2.FieldKept) -> str:
    """The value that was kept; of a field that this client is too old to know only that there is one."""
    if kept.field not in kept.kept.DESCRIPTOR.fields_by_name:
        return "as it was"
    value = getattr(kept.kept, kept.field)
    text = value if isinstance(value, str) else ", ".join(value)
    return repr(text) if text else "empty"


def late_discard(sequence: int, payload: bytes) -> Notice:
    """Says that a discard came too late; `payload` is the encoded original."""
    what = describe(operation_pb2.CartOperation.FromString(payload))
    return Notice("discard_too_late", f"{what}: too late to discard, it is applied", sequence)


def conflict(operation: PendingOperation, refusal: outcome_pb2.Refusal) -> Notice:
    """Says that the queue is halted, and why."""
    message = (
        f"{describe(decode(operation))}: {reason_name(refusal.reason)}. Another copy of this queue seems to be in "
        "use. Nothing more of it is sent; what remains waits for your decision (`cartsync queue resolve`)"
    )
    return Notice("conflict", message, operation.sequence, needs_action=True)


def blocked(operation: PendingOperation, refusal: outcome_pb2.Refusal) -> Notice:
    """Says that the head of the queue waits for somebody to act."""
    message = (
        f"{describe(decode(operation))}: held up, {refusal_text(refusal)}. It is tried again; "
        f"`cartsync discard {operation.sequence}` gives it up"
    )
    return Notice("held_up", message, operation.sequence, needs_action=True)


ROLLED_BACK = Notice(
    "conflict",
    "The server has decided more operations of this queue than this device ever enqueued: the queue here is an "
    "older copy. Nothing more of it is sent; new intents go into a new queue",
    needs_action=True,
)
