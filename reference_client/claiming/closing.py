"""What becomes of a claimed guest's queue (spec: client/claim-settles-first). Pure.

The claim closes the guest in the commit that takes its cart over. What a look-up of the guest's queue shows decided
afterwards is in the cart that was taken over, or was refused; what it shows undecided will never be applied there,
however late a copy of it arrives, and so may be asked for in a queue of the account, under a new key. That holds for
answers of the store that the claim was applied in, and of no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2, service_pb2

from reference_client.intents import describe, guard_of
from reference_client.machine import notices
from reference_client.machine.recovery import settlement_of
from reference_client.machine.values import Notice, PendingOperation, Settlement


@dataclass(frozen=True, slots=True)
class ClosingPlan:
    """What to write down about the guest's queue, in one transaction. What it does not name is to be taken over."""

    settlements: tuple[Settlement, ...]
    notices: tuple[Notice, ...]
    cancelled: tuple[int, ...]
    """Sequences that the shopper had discarded: undecided for good."""
    left: tuple[int, ...]
    """Sequences whose guard is a revision of the guest's cart, which says nothing about the account's."""
    conflict: bool
    """Another copy of this queue is alive, and may take the same over: nothing of it is taken over from here."""


def plan_closing(
    pending: Sequence[PendingOperation], watermark: int, statuses: Iterable[service_pb2.SequenceStatus]
) -> ClosingPlan:
    """Plans the end of a queue of which `watermark` and `statuses` were looked up after the claim."""
    known: Mapping[int, service_pb2.SequenceStatus] = {s.sequence: s for s in statuses}
    settlements: list[Settlement] = []
    told: list[Notice] = []
    cancelled: list[int] = []
    left: list[int] = []
    for operation in pending:
        if operation.sequence <= watermark:
            settlement = settlement_of(operation, known.get(operation.sequence))
            if settlement is None:
                return ClosingPlan((), (_COPIED,), (), (), conflict=True)
            settlements.append(settlement)
            if not refused_as_claimed(settlement.outcome):
                told.extend(notices.about(operation, settlement.fate, settlement.outcome))
        elif operation.discard is not None:
            cancelled.append(operation.sequence)
        elif guard_of(notices.decode(operation)) is not None:
            left.append(operation.sequence)
            told.append(unguarded(operation.sequence, notices.decode(operation)))
    return ClosingPlan(tuple(settlements), tuple(told), tuple(cancelled), tuple(left), conflict=False)


def refused_as_claimed(outcome: outcome_pb2.Outcome | None) -> bool:
    """Whether the server refused an operation only because its guest was claimed: it belongs in the account's queue."""
    return (
        outcome is not None
        and outcome.state == reason_pb2.OUTCOME_STATE_REJECTED
        and outcome.refusal.reason == reason_pb2.REASON_PRINCIPAL_CLAIMED
    )


def unguarded(sequence: int, operation: operation_pb2.CartOperation) -> Notice:
    """Says that a guarded intent was not taken over, and what to do."""
    text = (
        f"{describe(operation)}: not taken over, for it was to be checked against a revision of the guest's. Look at "
        "the account's cart, and ask again if you still want it"
    )
    return Notice("guard_lost", text, sequence, needs_action=True)


def for_account(operation: operation_pb2.CartOperation, carts: Mapping[str, str]) -> operation_pb2.CartOperation:
    """The same intent in the account's cart: `carts` says which cart of the account takes which of the guest's."""
    moved = operation_pb2.CartOperation()
    moved.CopyFrom(operation)
    intent = getattr(moved, moved.WhichOneof("intent") or "", None)
    cart_id = getattr(intent, "cart_id", "")
    if intent is not None and cart_id in carts:
        intent.cart_id = carts[cart_id]
    return moved


_COPIED = Notice(
    "conflict",
    "Another copy of this guest's queue was in use. What was not settled in it is not taken over; it waits for your "
    "decision (`cartsync queue resolve`)",
    needs_action=True,
)
