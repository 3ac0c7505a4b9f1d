"""Keeping the books of a day, apart from client and server, and comparing all accounts in the end.

For each customer there are five accounts of what happened: the intents as they were written down, what the device was
told, what the server has recorded, the server's ledger of effects, and the final cart. The oracle, which shares no
code with the server, replays the intents in the order of their queue and says what each of the others must be.

The one thing the oracle is told is the price at which an add was decided, as the outcome reveals it. That this is a
price the shop charged at that time is checked against the price feed, which is nobody's answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import outcome_pb2, policy_pb2, reason_pb2, service_pb2

from benchmarks.real_orders.feed import PriceFeed
from benchmarks.real_orders.playing import CURRENCY, Captured
from conformance.oracle import Judge, Refutation, translation
from conformance.oracle.observations import ObservedAnswer, ObservedOutcome, ObservedResult
from conformance.oracle.values import (
    Add,
    Attempt,
    Limits,
    LineIntent,
    Money,
    Offer,
    Operation,
    PriceChanged,
    Submission,
)
from reference_client.queue.rows import OperationRecord

CLOCK_SLACK_NS = 2_000_000_000
"""How far the time an outcome gives for its decision may be from when the price was looked at."""


@dataclass(frozen=True)
class Accounts:
    """What there is to know of one customer when the day is over."""

    queue_ids: Sequence[str]
    captured: Sequence[Captured]
    device: Sequence[OperationRecord]
    """What the device knows of its operations."""
    device_cart: dict[str, int]
    """The cart as the device shows it: quantity by SKU."""
    price_notices: int
    """How many price changes the device has told the shopper of."""
    server: Sequence[service_pb2.LookupOutcomesResponse]
    """What the server has recorded, in ranges that ascend from 1."""
    cart: service_pb2.GetCartResponse
    effects: Sequence[control_pb2.Effect]


@dataclass
class Books:
    """The sums of all customers, and everything in which accounts differ."""

    intents: Counter[str] = field(default_factory=Counter)
    captured_while_down: int = 0
    applied: int = 0
    applied_changed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    price_changes: int = 0
    effects: int = 0
    carts: int = 0
    equal_carts: int = 0
    cart_lines: int = 0
    units: int = 0
    total_minor: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def captured(self) -> int:
        """How many intents were written down."""
        return self.intents.total()

    def enter(self, customer: str, accounts: Accounts, limits: Limits, feed: PriceFeed) -> None:
        """Adds one customer, and compares the accounts."""
        outcomes = [status.outcome for part in accounts.server for status in part.statuses]
        for captured in accounts.captured:
            self.intents[type(captured.intent).__name__] += 1
            self.captured_while_down += captured.while_down
        for outcome in outcomes:
            if outcome.state == reason_pb2.OUTCOME_STATE_APPLIED:
                self.applied += 1
                self.applied_changed += outcome.changed
            elif outcome.state == reason_pb2.OUTCOME_STATE_REJECTED:
                self.rejected[reason_pb2.Reason.Name(outcome.refusal.reason).removeprefix("REASON_")] += 1
        self.price_changes += price_changes(outcomes)
        self.effects += len(accounts.effects)
        self.carts += 1
        self.cart_lines += len(accounts.cart.cart.lines)
        self.units += sum(line.quantity for line in accounts.cart.cart.lines)
        self.total_minor += accounts.cart.cart.subtotal.minor_units
        found = list(differences(accounts, limits, feed))
        self.equal_carts += not found
        self.differences += [f"customer {customer}: {text}" for text in found]


def limits_of(policy: policy_pb2.SyncPolicy) -> Limits:
    """What the oracle needs to know of a server's policy."""
    return translation.limits(policy)


def price_changes(outcomes: Iterable[outcome_pb2.Outcome]) -> int:
    """How many adds were applied at another price than the shopper saw."""
    return sum(a.HasField("price_changed") for outcome in outcomes for a in outcome.adjustments)


def differences(accounts: Accounts, limits: Limits, feed: PriceFeed) -> Iterator[str]:
    """Everything in which the accounts of one customer differ; nothing when all is well."""
    yield from _one_outcome_each(accounts)
    yield from _told_as_recorded(accounts)
    try:
        yield from _oracle_agrees(accounts, limits, feed)
    except Refutation as refutation:
        yield f"the oracle disagrees: {refutation}"
    shown = {line.sku: line.quantity for line in accounts.cart.cart.lines}
    if accounts.device_cart != shown:
        yield f"the device shows another cart than the server: {_differing(accounts.device_cart, shown)}"


def _one_outcome_each(accounts: Accounts) -> Iterator[str]:
    count = len(accounts.captured)
    if len(accounts.queue_ids) != 1:
        yield f"the device has {len(accounts.queue_ids)} queues, not one"
    sequences = [captured.sequence for captured in accounts.captured]
    if sequences != list(range(1, count + 1)):
        yield f"the intents were written down under the sequences {sequences}"
    for part in accounts.server:
        if part.queue.decided_through_sequence != count:
            yield f"{count} intents were captured, the watermark is {part.queue.decided_through_sequence}"
    decided = [
        s.sequence for p in accounts.server for s in p.statuses if s.decidedness == service_pb2.DECIDEDNESS_DECIDED
    ]
    if decided != sequences:
        yield f"{count} intents were captured, {len(decided)} have an outcome"
    changed = [s.sequence for p in accounts.server for s in p.statuses if s.outcome.changed]
    listed = [effect.sequence for effect in accounts.effects]
    if changed != listed:
        yield f"{len(changed)} outcomes say that they changed the cart, the ledger lists {len(listed)} effects"


def _told_as_recorded(accounts: Accounts) -> Iterator[str]:
    if [operation.key for operation in accounts.device] != [captured.key for captured in accounts.captured]:
        yield "the device lists other operations than were captured"
    recorded = {status.sequence: status.outcome for part in accounts.server for status in part.statuses}
    for operation in accounts.device:
        if operation.outcome is None:
            yield f"operation {operation.sequence}: the device does not know the outcome"
        elif operation.outcome != recorded.get(operation.sequence):
            yield f"operation {operation.sequence}: the device was told otherwise than the server has recorded"
    reported = price_changes(recorded.values())
    if reported != accounts.price_notices:
        yield f"{reported} prices changed, the shopper was told of {accounts.price_notices}"


def _oracle_agrees(accounts: Accounts, limits: Limits, feed: PriceFeed) -> Iterator[str]:
    """Raises Refutation when the oracle does not agree."""
    judge = Judge(limits)
    queue_id = accounts.queue_ids[0] if accounts.queue_ids else ""
    skus = sorted({captured.intent.sku for captured in accounts.captured if feed.knows(captured.intent.sku)})
    for sku in skus:
        judge.offer_put(sku, _offer(feed.now(sku)))
    observed = [translation.outcome(status.outcome) for part in accounts.server for status in part.statuses]
    previous_key = ""
    for captured, seen in zip(accounts.captured, observed, strict=False):
        revealed = _revealed_price(captured.intent, seen)
        if revealed is not None and feed.knows(captured.intent.sku):
            judge.offer_put(captured.intent.sku, Offer(revealed))
            yield from _price_was_charged(captured, seen, revealed, feed)
        operation = Operation(captured.key, captured.sequence, previous_key, captured.intent)
        result = ObservedResult(seen, replayed=False)
        answer = ObservedAnswer(queue_id, captured.sequence, (result,))
        judge.answered(Submission(queue_id, (Attempt(operation),)), answer)
        previous_key = captured.key
    for sku in skus:
        judge.offer_put(sku, _offer(feed.now(sku)))
    judge.ledger_read([translation.effect(effect) for effect in accounts.effects])
    judge.cart_read(translation.snapshot(accounts.cart), queue_id)


def _offer(price: int) -> Offer:
    return Offer(Money(CURRENCY, price))


def _revealed_price(intent: LineIntent, seen: ObservedOutcome) -> Money | None:
    """The price an add was decided at, as its outcome says; None where no price mattered."""
    if not isinstance(intent, Add) or seen.line is None:
        return seen.details.price
    return next((a.current for a in seen.adjustments if isinstance(a, PriceChanged)), intent.observed)


def _price_was_charged(captured: Captured, seen: ObservedOutcome, revealed: Money, feed: PriceFeed) -> Iterator[str]:
    decided_at = seen.decided_at or 0
    charged = feed.charged(captured.intent.sku, decided_at - CLOCK_SLACK_NS, decided_at + CLOCK_SLACK_NS)
    if revealed.currency != CURRENCY or revealed.minor not in charged:
        prices = ", ".join(map(str, sorted(charged)))
        yield f"operation {captured.sequence} was decided at {revealed}; the shop charged {prices} then"


def _differing(left: dict[str, int], right: dict[str, int]) -> str:
    skus = sorted(sku for sku in left.keys() | right.keys() if left.get(sku) != right.get(sku))
    return ", ".join(f"{sku} {left.get(sku, 0)} and {right.get(sku, 0)}" for sku in skus)
