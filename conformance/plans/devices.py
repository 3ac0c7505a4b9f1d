"""The devices of a plan: what each has written down, and what it knows of what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from conformance.oracle.observations import ObservedAnswer
from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    Attempt,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Discard,
    Intent,
    Limits,
    Operation,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
    State,
    Submission,
)
from conformance.oracle.world import SOLE, Place
from conformance.plans.steps import Age, Send, Twist

FRESH_SECONDS = 60.0
UNHEARD_OF_FEATURE = "x-conformance-never-implemented"


@dataclass
class Device:
    """One device. `operations` is its durable log; `discards` what it sends instead at some sequences."""

    name: str
    queue_id: str
    principal: str = SOLE
    operations: list[Operation] = field(default_factory=list)
    ages: list[Age] = field(default_factory=list)
    discards: dict[int, Operation] = field(default_factory=dict)
    confirmed: int = 0  # everything up to here was answered for good
    revisions: dict[Place, int] = field(default_factory=dict)  # of the resources it saw

    def copy(self, name: str) -> Device:
        """The same queue on another device, as it is now."""
        return Device(
            name,
            self.queue_id,
            self.principal,
            list(self.operations),
            list(self.ages),
            dict(self.discards),
            self.confirmed,
            dict(self.revisions),
        )

    def enqueue(self, intent: Intent, key: str, *, age: Age = Age.FRESH, feature: bool = False) -> Operation:
        """Write down an intent under `key`."""
        operation = Operation(
            key=key,
            sequence=len(self.operations) + 1,
            previous_key=self.operations[-1].key if self.operations else "",
            intent=intent,
            features=frozenset({UNHEARD_OF_FEATURE}) if feature else frozenset(),
        )
        self.operations.append(operation)
        self.ages.append(age)
        return operation

    def discard(self, sequence: int, new_id: Callable[[], str]) -> None:
        """Cancel an operation: from now on the discard is sent in its place."""
        if not 1 <= sequence <= len(self.operations) or sequence in self.discards:
            return
        original = self.operations[sequence - 1]
        self.discards[sequence] = Operation(
            new_id(), sequence, original.previous_key, Discard(original.key), frozenset()
        )

    def submissions(self, send: Send, limits: Limits, new_id: Callable[[], str]) -> list[Submission]:
        """What a sending consists of; empty when there is nothing to send."""
        first = send.first or self.confirmed + 1
        last = min(send.last or len(self.operations), len(self.operations))
        size = max(1, min(send.batch, limits.max_submission_operation_count))
        attempts = [self._attempt(sequence, limits) for sequence in range(first, last + 1)]
        if attempts:
            attempts[0] = self._twisted(attempts[0], send.twist, new_id)
        return [
            Submission(self.queue_id, tuple(attempts[start : start + size])) for start in range(0, len(attempts), size)
        ]

    def heard(self, answer: ObservedAnswer) -> None:
        """Learn from an answer."""
        for result in answer.results:
            outcome = result.outcome
            if outcome.sequence == self.confirmed + 1 and (
                outcome.state is State.PURGED or (outcome.state is not None and outcome.state.final)
            ):
                self.confirmed += 1

    def _attempt(self, sequence: int, limits: Limits) -> Attempt:
        ages = {
            Age.FRESH: FRESH_SECONDS,
            Age.UNKNOWN: None,
            Age.NEGATIVE: -FRESH_SECONDS,
            Age.AT_WINDOW: limits.replay_window,
            Age.BEYOND_WINDOW: limits.replay_window + 1.0,
        }
        operation = self.discards.get(sequence, self.operations[sequence - 1])
        return Attempt(operation, ages[self.ages[sequence - 1]])

    def _twisted(self, attempt: Attempt, twist: Twist, new_id: Callable[[], str]) -> Attempt:
        operation = attempt.operation
        match twist:
            case Twist.RETOUCHED:
                return replace(attempt, retouched=True)
            case Twist.AGELESS:
                return replace(attempt, age=None)
            case Twist.PAYLOAD:
                return replace(attempt, operation=replace(operation, intent=_another(operation.intent, new_id)))
            case Twist.KEY:
                return replace(attempt, operation=replace(operation, key=new_id()))
            case Twist.LINK if operation.sequence > 1:
                return replace(attempt, operation=replace(operation, previous_key=new_id()))
            case Twist.ORIGINAL:
                return replace(attempt, operation=self.operations[operation.sequence - 1])
            case _:
                return attempt


def _another(intent: Intent, new_id: Callable[[], str]) -> Intent:
    """An intent that differs in meaning."""
    match intent:
        case Add(quantity=quantity) | Set(quantity=quantity):
            return replace(intent, quantity=quantity + 1)
        case Adjust(delta=delta):
            return replace(intent, delta=delta + 1 if delta != -1 else 1)
        case Remove():
            return Set(intent.cart, intent.sku, 1)
        case Discard():
            return Discard(new_id())
        case ApplyCoupon() | RemoveCoupon():
            return replace(intent, code=f"{intent.code}-2")
        case AddToWishlist() | RemoveFromWishlist():
            return replace(intent, sku=f"{intent.sku}-2")
        case PutAddress(address=Address() as address):
            return replace(intent, address=replace(address, company="Another"))  # a field that no mask of a plan names
        case PutAddress() | DeleteAddress():
            return replace(intent, base=0 if intent.base is None else None)
        case SavePaymentMethod():
            return replace(intent, label=f"{intent.label}-2")
        case DeletePaymentMethod():
            return replace(intent, method_id=new_id())
        case ClaimGuestCart():
            return replace(intent, cart=f"{intent.cart}-2")
        case None:
            return Remove("cart-1", "sku-1")
