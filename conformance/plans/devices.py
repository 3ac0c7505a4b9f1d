"""The devices of a plan: what each has written down, and what it knows of what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from conformance.oracle.observations import ObservedAnswer
from conformance.oracle.values import (
    Add,
    Adjust,
    Attempt,
    Discard,
    Intent,
    Limits,
    Money,
    Offer,
    Operation,
    Remove,
    Set,
    State,
    Stock,
    Submission,
)
from conformance.oracle.world import Place, cart_place
from conformance.plans.steps import Age, Consent, Enqueue, Guard, Kind, Seen, Send, Twist

FRESH_SECONDS = 60.0
UNHEARD_OF_FEATURE = "x-conformance-never-implemented"


@dataclass
class Device:
    """One device. `operations` is its durable log; `discards` what it sends instead at some sequences."""

    name: str
    queue_id: str
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
            list(self.operations),
            list(self.ages),
            dict(self.discards),
            self.confirmed,
            dict(self.revisions),
        )

    def enqueue(self, step: Enqueue, sku: str, offer: Offer | None, key: str) -> Operation:
        """Write down an intent under `key`."""
        operation = Operation(
            key=key,
            sequence=len(self.operations) + 1,
            previous_key=self.operations[-1].key if self.operations else "",
            intent=self._intent(step, sku, offer),
            features=frozenset({UNHEARD_OF_FEATURE}) if step.feature else frozenset(),
        )
        self.operations.append(operation)
        self.ages.append(step.age)
        return operation

    def _intent(self, step: Enqueue, sku: str, offer: Offer | None) -> Intent:
        stock = Stock.CLAMP if step.clamp else Stock.EXACT
        guards = {Guard.NONE: None, Guard.ZERO: 0, Guard.SEEN: self.revisions.get(cart_place(step.cart))}
        guard = guards[step.guard]
        match step.kind:
            case Kind.ADD:
                price = _price_seen(step.seen, offer)
                limit = price if price is not None and step.consent is not Consent.ANY else None
                if limit is not None and step.consent is Consent.BELOW:
                    limit = Money(limit.currency, max(0, limit.minor - 1))
                return Add(step.cart, sku, step.quantity, price, limit, stock)
            case Kind.ADJUST:
                return Adjust(step.cart, sku, step.quantity, stock, guard)
            case Kind.SET:
                return Set(step.cart, sku, step.quantity, stock, guard)
            case Kind.REMOVE:
                return Remove(step.cart, sku, guard)
            case Kind.UNKNOWN:
                return None

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


def _price_seen(seen: Seen, offer: Offer | None) -> Money | None:
    price = offer.price if offer is not None else Money("GBP", 100)
    match seen:
        case Seen.CURRENT:
            return price
        case Seen.OTHER:
            return Money(price.currency, price.minor + 7)
        case Seen.FOREIGN:
            return Money("EUR" if price.currency == "GBP" else "GBP", price.minor)
        case Seen.NONE:
            return None


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
        case _:
            return Remove("cart-1", "sku-1")
