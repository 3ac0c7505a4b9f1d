"""A Cartsync server in memory, in two hundred lines, and the many ways of getting it wrong.

It shares nothing with the oracle but the words of `values`, so that the two can disagree. `faults` names what is wrong
with it; with none it is correct, however its `rng` lets submissions overlap, get lost, arrive late or stop half-way.
"""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.oracle.observations import (
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedEffect,
    ObservedLine,
    ObservedLookup,
    ObservedOutcome,
    ObservedPaymentMethods,
    ObservedResult,
    ObservedStatus,
    ObservedWishlist,
)
from conformance.oracle.reasons import REASONS
from conformance.oracle.values import (
    NO_DETAILS,
    Add,
    Adjust,
    Adjustment,
    Attempt,
    CardDetails,
    Clamped,
    Details,
    Discard,
    Floored,
    Limits,
    Line,
    Money,
    Offer,
    PriceChanged,
    Promotion,
    Remove,
    Set,
    State,
    Stock,
    Submission,
)
from conformance.oracle.world import SOLE, Scope
from conformance.plans.stage import Means

DAY = 86_400.0
EVERYTHING = frozenset(Means) - {
    Means.COUPONS,
    Means.WISHLIST,
    Means.ADDRESS_BOOK,
    Means.PAYMENT_METHODS,
    Means.PAYMENT_RATE_LIMIT,
    Means.GUEST_CLAIM,
}
"""All that a server of the core and the streams can be put through."""


@dataclass
class ToyCart:
    currency: str
    revision: int = 0
    closed: bool = False
    lines: dict[str, int] = field(default_factory=dict)
    touched: dict[tuple[str, str], int] = field(default_factory=dict)  # (sku, queue) -> revision


@dataclass
class ToyRecord:
    attempt: Attempt
    outcome: ObservedOutcome
    decided_at: float


@dataclass
class Tables:
    """What is durable."""

    watermarks: dict[str, int] = field(default_factory=dict)
    last_keys: dict[str, str] = field(default_factory=dict)
    records: dict[tuple[str, int], ToyRecord] = field(default_factory=dict)
    carts: dict[str, ToyCart] = field(default_factory=dict)
    effects: list[ObservedEffect] = field(default_factory=list)


class ToyServer:
    """Decides one attempt at a time against its tables."""

    def __init__(self, rng: random.Random, faults: frozenset[str] = frozenset(), limits: Limits | None = None) -> None:
        self.rng = rng
        self.faults = faults
        self.limits = limits or Limits(profiles=frozenset({"core", "streaming"}))
        self.tables = Tables()
        self.offers: dict[str, Offer] = {}
        self.backend = True
        self.allowance: int | None = None
        self.now = 0.0
        self.ticks = 1_700_000_000_000_000_000

    def answer(self, submission: Submission) -> ObservedAnswer:
        results: list[ObservedResult] = []
        stopped = False
        for attempt in submission.attempts:
            result = self.after_stop(attempt) if stopped else self.decide(submission.queue, attempt)
            results.append(result)
            state = result.outcome.state
            if state is State.DEFERRED or (state is State.CONFLICT and "goes-on-after-conflict" not in self.faults):
                stopped = True
        return ObservedAnswer(submission.queue, self.tables.watermarks.get(submission.queue, 0), tuple(results))

    def after_stop(self, attempt: Attempt) -> ObservedResult:
        return ObservedResult(self.refused(attempt, "PREDECESSOR_NOT_DECIDED"), False)

    # Chapter 3.

    def decide(self, queue: str, attempt: Attempt) -> ObservedResult:
        operation, tables = attempt.operation, self.tables
        watermark = tables.watermarks.get(queue, 0)
        if operation.sequence <= watermark:
            if "limits-duplicates" in self.faults and self.allowance == 0:
                return ObservedResult(self.refused(attempt, "RATE_LIMITED"), False)
            if "backend-before-duplicates" in self.faults and not self.backend:
                return ObservedResult(self.refused(attempt, "BACKEND_UNAVAILABLE"), False)
            if "shop-before-duplicates" in self.faults and self.unlisted(attempt):
                return ObservedResult(self.refused(attempt, "SKU_UNLISTED", final=True), False)
            return self.behind(queue, attempt)
        if operation.sequence > watermark + 1 and "gap-accepted" not in self.faults:
            details = Details(expected_sequence=watermark + 1)
            return ObservedResult(self.refused(attempt, "SEQUENCE_GAP", details), False)
        if "keys-are-global" in self.faults:
            for (other, _), record in tables.records.items():
                if other != queue and record.attempt.operation.key == operation.key:
                    return ObservedResult(record.outcome, True)
        if (queue, operation.sequence) in tables.records:  # a record above the watermark, by some fault
            return ObservedResult(tables.records[queue, operation.sequence].outcome, True)
        return ObservedResult(self.next_in_line(queue, attempt), False)

    def unlisted(self, attempt: Attempt) -> bool:
        offer = self.offers.get(getattr(attempt.operation.intent, "sku", ""))
        return offer is not None and not offer.listed

    def behind(self, queue: str, attempt: Attempt) -> ObservedResult:
        operation = attempt.operation
        record = self.tables.records.get((queue, operation.sequence))
        if record is None or self.is_pruned(record):
            if "pruned-is-fresh" in self.faults and isinstance(operation.intent, Add):
                return ObservedResult(self.judged(queue, attempt), False)
            if "pruned-is-rejected" in self.faults:
                return ObservedResult(self.refused(attempt, "REPLAY_WINDOW_EXPIRED", final=True), False)
            return ObservedResult(self.refused(attempt, "OUTCOME_PURGED"), False)
        recorded = record.attempt.operation
        if recorded.key != operation.key and "no-key-check" not in self.faults:
            if isinstance(operation.intent, Discard) and "discards-the-decided" in self.faults:
                return ObservedResult(self.made(attempt, State.APPLIED), False)
            if "conflict-overwrites" in self.faults:
                self.tables.records[queue, operation.sequence] = ToyRecord(attempt, record.outcome, record.decided_at)
            return ObservedResult(self.refused(attempt, "SEQUENCE_CONFLICT"), False)
        same = recorded.payload == operation.payload
        if "digests-the-context" in self.faults:
            same = same and record.attempt.retouched == attempt.retouched
        if not same and "no-payload-check" not in self.faults:
            return ObservedResult(self.refused(attempt, "PAYLOAD_MISMATCH"), False)
        if "executes-duplicates" in self.faults and isinstance(operation.intent, Add):
            return ObservedResult(self.judged(queue, attempt), False)
        outcome = record.outcome
        if "replay-recomputed" in self.faults and outcome.line is not None:
            cart = self.tables.carts.get(getattr(operation.intent, "cart", ""))
            outcome = self.remade(outcome, revision=cart.revision if cart else 0)
        return ObservedResult(outcome, True)

    def is_pruned(self, record: ToyRecord) -> bool:
        kept = self.limits.outcome_retention - (5 * DAY if "prunes-early" in self.faults else 0.0)
        return self.now - record.decided_at > kept

    def next_in_line(self, queue: str, attempt: Attempt) -> ObservedOutcome:
        operation, tables = attempt.operation, self.tables
        discard = isinstance(operation.intent, Discard)
        if operation.previous_key != tables.last_keys.get(queue, "") and "ignores-chain" not in self.faults:
            return self.refused(attempt, "QUEUE_DIVERGED")
        if not discard and self.allowance == 0:
            return self.refused(attempt, "RATE_LIMITED")
        if (outcome := self.backend_first(attempt)) is not None:
            return outcome
        outcome = self.before_cart(queue, attempt) or self.judged(queue, attempt)
        if not (outcome.state and outcome.state.final):
            if "records-deferrals" in self.faults:
                tables.records[queue, operation.sequence] = ToyRecord(attempt, outcome, self.now)
            return outcome
        rejected = outcome.state is State.REJECTED
        if not (rejected and "forgets-rejections" in self.faults):
            tables.records[queue, operation.sequence] = ToyRecord(attempt, outcome, self.now)
        if not (rejected and "sticks-on-rejection" in self.faults):
            tables.watermarks[queue] = operation.sequence
            tables.last_keys[queue] = operation.key
            if isinstance(operation.intent, Discard) and "chain-follows-discard" not in self.faults:
                tables.last_keys[queue] = operation.intent.discarded_key
        if self.allowance is not None and not discard:
            self.allowance = max(0, self.allowance - 1)
        return outcome

    def backend_first(self, attempt: Attempt) -> ObservedOutcome | None:
        if "backend-before-window" in self.faults and not self.backend and isinstance(attempt.operation.intent, Add):
            return self.refused(attempt, "BACKEND_UNAVAILABLE")
        return None

    def before_cart(self, queue: str, attempt: Attempt) -> ObservedOutcome | None:
        operation, intent = attempt.operation, attempt.operation.intent
        for (other, sequence), record in self.tables.records.items():
            here = other == queue and sequence != operation.sequence and not self.is_pruned(record)
            if here and record.attempt.operation.key == operation.key and "reuses-keys" not in self.faults:
                return self.refused(attempt, "KEY_REUSED", final=True)
        if isinstance(intent, Discard):
            return self.made(attempt, State.APPLIED)
        missing = operation.features - self.limits.features
        if missing:
            return self.refused(attempt, "UNSUPPORTED_FEATURE", Details(missing_features=missing), final=True)
        if not isinstance(intent, Add | Adjust | Set | Remove):
            return self.refused(attempt, "UNSUPPORTED_INTENT", final=True)
        wrong = self.wrong(intent)
        if wrong:
            return self.refused(attempt, "MALFORMED", Details(wrong_fields=frozenset(wrong)), final=True)
        if attempt.age is not None and attempt.age > self.limits.replay_window:
            return self.refused(attempt, "REPLAY_WINDOW_EXPIRED", final=True)
        return None

    def wrong(self, intent: Add | Adjust | Set | Remove) -> set[str]:
        match intent:
            case Add() if intent.quantity < 1:
                return {"add_item.quantity"}
            case Add() if intent.observed is None:
                return {"add_item.observed_unit_price"}
            case Adjust() if intent.delta == 0:
                return {"adjust_quantity.delta"}
            case Set() if intent.quantity < 0:
                return {"set_quantity.quantity"}
        return set()

    # Chapters 5 and 6.

    def judged(self, queue: str, attempt: Attempt) -> ObservedOutcome:
        intent = attempt.operation.intent
        assert isinstance(intent, Add | Adjust | Set | Remove)
        cart = self.tables.carts.get(intent.cart)
        before = cart.lines.get(intent.sku, 0) if cart else 0
        match intent:
            case Add():
                wanted = before + intent.quantity
            case Adjust():
                wanted = before + intent.delta
            case Set():
                wanted = intent.quantity
            case Remove():
                wanted = 0
        raises = isinstance(intent, Add) or wanted > before
        offer = self.offers.get(intent.sku)
        if (raises or "stock-for-decreases" in self.faults) and not self.backend:
            return self.refused(attempt, "BACKEND_UNAVAILABLE")
        if cart and cart.closed:
            return self.refused(attempt, "CART_CLOSED", final=True)
        if cart is None and not isinstance(intent, Add | Remove):
            return self.refused(attempt, "CART_NOT_FOUND", final=True)
        guard = getattr(intent, "guard", None)
        if guard is not None and cart:
            changes = [r for (sku, q), r in cart.touched.items() if sku == intent.sku and self.foreign(q, queue)]
            if any(revision > guard for revision in changes):
                return self.refused(attempt, "LINE_CHANGED", final=True)
        if raises:
            refusal = self.catalogue_refusal(intent, cart, offer, before, wanted)
            if refusal:
                return self.refused(attempt, refusal[0], refusal[1], final=True)
        adjustments: list[Adjustment] = []
        if isinstance(intent, Add) and offer and intent.observed and intent.observed != offer.price:
            adjustments.append(PriceChanged(intent.observed, offer.price))
        after = max(0, wanted)
        if wanted < 0:
            assert isinstance(intent, Adjust)
            adjustments.append(Floored(intent.delta, -before))
        if raises and offer and offer.available is not None and after > offer.available:
            adjustments.append(Clamped(after, offer.available))
            after = offer.available
        if "collapses-adds" in self.faults and isinstance(intent, Add) and before:
            after = before
        return self.changed(queue, attempt, Line(intent.sku, before, after), adjustments)

    def foreign(self, other: str, queue: str) -> bool:
        return other != queue or "guards-own-changes" in self.faults

    def catalogue_refusal(
        self, intent: Any, cart: ToyCart | None, offer: Offer | None, before: int, wanted: int
    ) -> tuple[str, Details] | None:
        if offer is None:
            return "SKU_UNKNOWN", Details()
        if not offer.listed:
            return "SKU_UNLISTED", Details()
        currencies = {offer.price.currency} | ({cart.currency} if cart else set())
        if isinstance(intent, Add) and intent.observed:
            currencies.add(intent.observed.currency)
        if len(currencies) > 1:
            return "CURRENCY_MISMATCH", Details()
        limit = getattr(intent, "limit", None)
        if limit is not None and "ignores-limit" not in self.faults and offer.price.minor > limit.minor:
            return "PRICE_ABOVE_LIMIT", Details(price=offer.price)
        if wanted > self.limits.max_line_quantity:
            return "LINE_LIMIT_EXCEEDED", Details()
        available = offer.available
        if available is not None and wanted > available and (intent.stock is Stock.EXACT or available <= before):
            return "INSUFFICIENT_INVENTORY", Details(available=available)
        return None

    def changed(self, queue: str, attempt: Attempt, line: Line, adjustments: Sequence[Adjustment]) -> ObservedOutcome:
        operation = attempt.operation
        cart_id: str = getattr(operation.intent, "cart", "")
        if line.before == line.after and not isinstance(operation.intent, Add):
            return self.made(attempt, State.APPLIED, line=line, adjustments=tuple(adjustments))
        offer = self.offers[line.sku]
        cart = self.tables.carts.setdefault(cart_id, ToyCart(offer.price.currency))
        cart.revision += self.rng.choice((1, 1, 3))
        cart.lines = {s: q for s, q in {**cart.lines, line.sku: line.after}.items() if q}
        cart.touched[line.sku, queue] = cart.revision
        self.tables.effects.append(
            ObservedEffect(queue, operation.sequence, operation.key, cart_id, cart.revision, line)
        )
        return self.made(
            attempt, State.APPLIED, line=line, adjustments=tuple(adjustments), changed=line.before != line.after
        )

    # Outcomes.

    def refused(
        self, attempt: Attempt, reason: str, details: Details | None = None, *, final: bool = False
    ) -> ObservedOutcome:
        return self.made(attempt, REASONS[reason].state if not final else State.REJECTED, reason, details or Details())

    def made(
        self,
        attempt: Attempt,
        state: State,
        reason: str | None = None,
        details: Details = NO_DETAILS,
        *,
        line: Line | None = None,
        adjustments: tuple[Adjustment, ...] = (),
        changed: bool = False,
    ) -> ObservedOutcome:
        self.ticks += 1
        cart = self.tables.carts.get(getattr(attempt.operation.intent, "cart", ""))
        outcome = ObservedOutcome(
            key=attempt.operation.key,
            sequence=attempt.operation.sequence,
            state=state,
            reason=reason,
            disposition=REASONS[reason].disposition if reason else None,
            revision=cart.revision if cart and state.final else 0,
            changed=changed,
            line=line,
            adjustments=adjustments,
            details=details,
            decided_at=self.ticks if state.final else None,
            has_retry_delay=bool(reason and REASONS[reason].has_delay),
            verbatim=b"",
        )
        return self.remade(outcome)

    def remade(self, outcome: ObservedOutcome, **changes: object) -> ObservedOutcome:
        values = {name: getattr(outcome, name) for name in outcome.__slots__} | changes | {"verbatim": b""}
        return ObservedOutcome(**(values | {"verbatim": repr(values).encode()}))


class ToyStage:
    """The stage around a toy server: a network that loses, delays and overlaps as its rng likes."""

    def __init__(
        self,
        seed: int = 0,
        faults: frozenset[str] = frozenset(),
        means: frozenset[Means] = EVERYTHING,
    ) -> None:
        self.rng = random.Random(seed)
        self.server = ToyServer(self.rng, faults)
        self.faults = faults
        self.means = means
        self.limits = self.server.limits
        self.stragglers: list[Submission] = []
        self.saved: Tables | None = None
        self.uncommitted: Tables | None = None  # what a server that answers too early would fall back to

    def own_name(self, name: str) -> str:
        return name

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    # The shop.

    def put_offer(self, sku: str, offer: Offer) -> Offer:
        self.server.offers[sku] = offer
        return offer

    def close_cart(self, cart_id: str) -> bool:
        cart = self.server.tables.carts.get(cart_id)
        if cart is not None:
            cart.closed = True
            cart.revision += self.rng.choice((0, 1))
        return cart is not None

    def set_rate_limit(self, remaining: int | None, scope: Scope = Scope.ALL) -> None:
        if scope is Scope.ALL:
            self.server.allowance = remaining

    # What a server of the core is never asked for.

    def put_promotion(self, code: str, promotion: Promotion | None) -> None:
        raise AssertionError(f"told of {code}, which is {promotion}")

    def put_token(self, provider: str, token: str, card: CardDetails | None) -> None:
        raise AssertionError(f"told of {provider}'s {token}, which is {card}")

    def claim_token(self) -> str | None:
        raise AssertionError("asked for a claim token")

    def wishlist(self, device: str, queue_id: str) -> ObservedWishlist | None:
        raise AssertionError(f"asked for the wishlist by {device} with {queue_id}")

    def addresses(self, device: str, queue_id: str) -> ObservedAddressBook | None:
        raise AssertionError(f"asked for the addresses by {device} with {queue_id}")

    def payment_methods(self, device: str, queue_id: str) -> ObservedPaymentMethods | None:
        raise AssertionError(f"asked for the payment methods by {device} with {queue_id}")

    def set_backend(self, available: bool) -> None:
        self.server.backend = available

    def advance(self, seconds: float) -> None:
        self.server.now += seconds

    def save(self) -> None:
        self.saved = copy.deepcopy(self.server.tables)

    def restore(self) -> None:
        assert self.saved is not None
        self.server.tables = copy.deepcopy(self.saved)
        self.stragglers.clear()

    def restart(self) -> None:
        self.stragglers.clear()
        if "forgets-keys-on-restart" in self.faults:
            self.server.tables.records.clear()

    def kill(self) -> None:
        self.restart()
        if "answers-before-commit" in self.faults and self.uncommitted is not None:
            self.server.tables = self.uncommitted
            self.uncommitted = None

    # The network.

    def submit(self, device: str, submission: Submission) -> ObservedAnswer | None:
        self.arrive()
        if "answers-before-commit" in self.faults:
            self.uncommitted = copy.deepcopy(self.server.tables)
        if "loses-last-of-batch" in self.faults and len(submission.attempts) > 1:
            return self.losing_last(submission)
        return self.server.answer(submission)

    def losing_last(self, submission: Submission) -> ObservedAnswer:
        answer = self.server.answer(Submission(submission.queue, submission.attempts[:-1]))
        kept = copy.deepcopy(self.server.tables)
        last = self.server.answer(Submission(submission.queue, submission.attempts[-1:]))
        self.server.tables = kept
        return ObservedAnswer(submission.queue, last.watermark, (*answer.results, *last.results))

    def stream(self, device: str, submissions: Sequence[Submission], *, cut: bool) -> Sequence[ObservedAnswer]:
        answers = [answer for submission in submissions if (answer := self.submit(device, submission)) is not None]
        return answers[:-1] if cut else answers

    def cut(self, device: str, submission: Submission) -> None:
        self.stragglers.append(submission)

    def hold_and_cut(self, device: str, submission: Submission, *, committed: bool) -> bool:
        if committed:
            self.server.answer(submission)
        else:
            self.stragglers.append(submission)
        return True

    def crash_at_commit(self, device: str, submission: Submission, *, committed: bool) -> bool:
        if "effect-without-record" in self.faults and not committed:
            before = copy.deepcopy(self.server.tables)
            self.server.answer(submission)
            before.carts, before.effects = self.server.tables.carts, self.server.tables.effects
            self.server.tables = before
        elif committed:
            self.server.answer(submission)
        self.kill()
        return True

    def kill_during(self, device: str, submission: Submission) -> None:
        cut = self.rng.randint(0, len(submission.attempts))
        self.server.answer(Submission(submission.queue, submission.attempts[:cut]))
        self.kill()

    def race(
        self, left: tuple[str, Submission], right: tuple[str, Submission], *, held: bool
    ) -> tuple[ObservedAnswer | None, ObservedAnswer | None]:
        self.arrive()
        first, second = left[1], right[1]
        if "check-then-insert" in self.faults and first.queue == second.queue:
            before = copy.deepcopy(self.server.tables)
            one = self.server.answer(first)
            carts, effects = self.server.tables.carts, self.server.tables.effects
            self.server.tables.watermarks, self.server.tables.records = before.watermarks, before.records
            self.server.tables.last_keys = before.last_keys
            two = self.server.answer(second)
            del carts, effects
            return one, two
        if "lost-update" in self.faults and first.queue != second.queue:
            carts = copy.deepcopy(self.server.tables.carts)
            one = self.server.answer(first)
            self.server.tables.carts = carts
            return one, self.server.answer(second)
        return self.interleaved(first, second)

    def interleaved(self, *submissions: Submission) -> tuple[ObservedAnswer, ObservedAnswer]:
        results: list[list[ObservedResult]] = [[], []]
        while any(len(r) < len(s.attempts) for r, s in zip(results, submissions, strict=True)):
            side = self.rng.choice([i for i in (0, 1) if len(results[i]) < len(submissions[i].attempts)])
            submission, done = submissions[side], results[side]
            attempt = submission.attempts[len(done)]
            stopped = any(result.outcome.state in (State.DEFERRED, State.CONFLICT) for result in done)
            done.append(self.server.after_stop(attempt) if stopped else self.server.decide(submission.queue, attempt))
        marks = self.server.tables.watermarks
        left, right = (
            ObservedAnswer(s.queue, marks.get(s.queue, 0), tuple(r)) for r, s in zip(results, submissions, strict=True)
        )
        return left, right

    def arrive(self) -> None:
        """Let some of what is on its way arrive, whole or in part."""
        for straggler in list(self.stragglers):
            if self.rng.random() < 0.5:
                self.stragglers.remove(straggler)
                size = self.rng.randint(0, len(straggler.attempts))
                self.server.answer(Submission(straggler.queue, straggler.attempts[:size]))
                if size < len(straggler.attempts):
                    self.stragglers.append(Submission(straggler.queue, straggler.attempts[size:]))

    # Reading.

    def cart(self, device: str, cart_id: str, queue_id: str) -> ObservedCart | None:
        self.arrive()
        cart = self.server.tables.carts.get(cart_id, ToyCart("GBP"))
        lines = tuple(self.line(sku, quantity) for sku, quantity in sorted(cart.lines.items()))
        totals = [line.total for line in lines if line.total is not None]
        subtotal = Money(totals[0].currency, sum(total.minor for total in totals)) if totals else None
        watermark = self.server.tables.watermarks.get(queue_id, 0) if queue_id else None
        return ObservedCart(cart_id, cart.revision, cart.closed, lines, subtotal, watermark)

    def line(self, sku: str, quantity: int) -> ObservedLine:
        offer = self.server.offers[sku]
        if not offer.listed:
            return ObservedLine(sku, quantity, None, None, "UNLISTED", None)
        price = offer.price
        if "honours-observed-price" in self.faults:
            price = next(
                (
                    record.attempt.operation.intent.observed
                    for record in self.server.tables.records.values()
                    if isinstance(record.attempt.operation.intent, Add)
                    and record.attempt.operation.intent.sku == sku
                    and record.attempt.operation.intent.observed
                ),
                price,
            )
        short = offer.available is not None and quantity > offer.available
        total = Money(price.currency, price.minor * quantity)
        return ObservedLine(sku, quantity, price, total, "INSUFFICIENT" if short else "AVAILABLE", offer.available)

    def look_up(self, device: str, queue_id: str, first: int, last: int) -> ObservedLookup | None:
        self.arrive()
        tables = self.server.tables
        watermark = tables.watermarks.get(queue_id, 0)
        statuses = []
        for sequence in range(first, last + 1):
            record = tables.records.get((queue_id, sequence))
            if sequence > watermark:
                statuses.append(ObservedStatus(sequence, "UNDECIDED", None))
            elif record is None or self.server.is_pruned(record):
                statuses.append(ObservedStatus(sequence, "PURGED", None))
            else:
                statuses.append(ObservedStatus(sequence, "DECIDED", record.outcome))
        return ObservedLookup(queue_id, watermark, tuple(statuses))

    def effects(self, principal: str = SOLE) -> Sequence[ObservedEffect]:
        assert principal == SOLE
        return list(self.server.tables.effects)
