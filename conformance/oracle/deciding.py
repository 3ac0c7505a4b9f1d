"""Chapter 3 as code: what may be answered to one attempt, and the world after it.

`step` walks the table of chapter 3 from the top. Behind the watermark the record answers (step 1); above the next
sequence there is a gap (step 2); what is next in line meets `LADDER`, steps 3 to 11, and then the cart rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from conformance.oracle import cart_rules
from conformance.oracle.values import (
    NO_DETAILS,
    Add,
    Adjust,
    Attempt,
    CartIntent,
    Details,
    Discard,
    Money,
    Operation,
    Remove,
    Set,
    State,
    Stock,
)
from conformance.oracle.world import Answer, Outcome, Queue, Record, Shop, World

Branch = tuple[Answer, World]


def step(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> tuple[Branch, ...]:
    """Every right answer to `attempt`, each with the world after it. Several only where the spec leaves a choice."""
    queue = world.queue(queue_id)
    sequence = attempt.operation.sequence
    if sequence <= queue.watermark:
        return tuple(_decided_already(world, shop, queue_id, attempt.operation))
    if sequence > queue.watermark + 1:
        return ((Answer(gap(queue)), world),)
    return tuple(_next_in_line(world, shop, queue_id, attempt))


def gap(queue: Queue) -> Outcome:
    """spec: deciding/gap-deferred"""
    details = Details(expected_sequence=queue.watermark + 1)
    return Outcome(State.DEFERRED, "deciding/gap-deferred", "SEQUENCE_GAP", details=details)


def not_looked_at(stopper: Answer) -> Answer:
    """What stands behind a deferral or a conflict (spec: deciding/stop-after-deferral, -conflict)."""
    conflict = stopper.outcome.state is State.CONFLICT
    slug = "deciding/stop-after-conflict" if conflict else "deciding/stop-after-deferral"
    return Answer(Outcome(State.DEFERRED, slug, "PREDECESSOR_NOT_DECIDED"))


def _decided_already(world: World, shop: Shop, queue_id: str, operation: Operation) -> Iterator[Branch]:
    """Step 1: duplicates first, before anything that could refuse (spec: deciding/duplicates-first)."""
    queue = world.queue(queue_id)
    record = queue.records[operation.sequence - 1]
    if not record.pruned:
        yield _from_record(record, operation), world
    if shop.may_be_pruned(record):
        records = list(queue.records)
        records[operation.sequence - 1] = replace(record, pruned=True)
        purged = Outcome(State.PURGED, "retention/purged-not-executed", "OUTCOME_PURGED")
        after = world.with_queue(queue_id, replace(queue, records=tuple(records)))
        yield Answer(purged, record=operation.sequence), after


def _from_record(record: Record, operation: Operation) -> Answer:
    recorded = record.operation
    if recorded.key == operation.key:
        if recorded.payload == operation.payload:
            return Answer(record.outcome, replayed=True, record=operation.sequence)
        mismatch = Outcome(State.CONFLICT, "deciding/payload-mismatch", "PAYLOAD_MISMATCH")
        return Answer(mismatch, record=operation.sequence)
    if isinstance(operation.intent, Discard):
        slug = "discard/too-late"
    elif isinstance(recorded.intent, Discard) and recorded.intent.discarded_key == operation.key:
        slug = "discard/late-original"
    else:
        slug = "deciding/sequence-conflict"
    return Answer(Outcome(State.CONFLICT, slug, "SEQUENCE_CONFLICT"), record=operation.sequence)


@dataclass(frozen=True, slots=True)
class Case:
    """An attempt that is next in line. `reused` and `guard_trips` settle what the world leaves open."""

    world: World
    shop: Shop
    queue_id: str
    attempt: Attempt
    reused: bool
    guard_trips: bool

    @property
    def operation(self) -> Operation:
        """The operation attempted."""
        return self.attempt.operation

    @property
    def is_discard(self) -> bool:
        """A discard takes steps 3 and 5 only."""
        return isinstance(self.operation.intent, Discard)

    @property
    def bid(self) -> cart_rules.Bid | None:
        """The intent against its cart; None when it is on no cart."""
        intent = self.operation.intent
        if intent is None or isinstance(intent, Discard):
            return None
        cart, offer = self.world.cart(intent.cart), self.shop.offer(intent.sku)
        return cart_rules.Bid(intent, self.queue_id, cart, offer, self.shop.limits, self.guard_trips)


Refusal = tuple[State, str, str, Details]
"""State, reason, requirement, details."""


def chain_broken(case: Case) -> Refusal | None:
    """spec: deciding/chain-checked, discard/chain-continues"""
    queue = case.world.queue(case.queue_id)
    if case.operation.previous_key == queue.last_key:
        return None
    behind_discard = bool(queue.records) and isinstance(queue.records[-1].operation.intent, Discard)
    slug = "discard/chain-continues" if behind_discard else "deciding/chain-checked"
    return (State.CONFLICT, "QUEUE_DIVERGED", slug, NO_DETAILS)


def rate_limited(case: Case) -> Refusal | None:
    """spec: rate/deferred, rate/exempt"""
    if case.is_discard or case.world.allowance is None or case.world.allowance > 0:
        return None
    return (State.DEFERRED, "RATE_LIMITED", "rate/deferred", NO_DETAILS)


def key_reused(case: Case) -> Refusal | None:
    """spec: deciding/key-reused"""
    return (State.REJECTED, "KEY_REUSED", "deciding/key-reused", NO_DETAILS) if case.reused else None


def feature_missing(case: Case) -> Refusal | None:
    """spec: deciding/unsupported-feature"""
    missing = case.operation.features - case.shop.limits.features
    if case.is_discard or not missing:
        return None
    details = Details(missing_features=missing)
    return (State.REJECTED, "UNSUPPORTED_FEATURE", "deciding/unsupported-feature", details)


def intent_unknown(case: Case) -> Refusal | None:
    """spec: deciding/unsupported-intent"""
    if case.operation.intent is not None:
        return None
    return (State.REJECTED, "UNSUPPORTED_INTENT", "deciding/unsupported-intent", NO_DETAILS)


def too_large(case: Case) -> Refusal | None:
    """spec: deciding/too-large"""
    if case.is_discard or not case.attempt.oversized:
        return None
    return (State.REJECTED, "OPERATION_TOO_LARGE", "deciding/too-large", NO_DETAILS)


def malformed(case: Case) -> Refusal | None:
    """spec: deciding/malformed"""
    intent = case.operation.intent
    if intent is None or isinstance(intent, Discard):
        return None
    wrong = wrong_fields(intent)
    if not wrong:
        return None
    return (State.REJECTED, "MALFORMED", "deciding/malformed", Details(wrong_fields=wrong))


def expired(case: Case) -> Refusal | None:
    """spec: retention/window-enforced, retention/unknown-age, retention/negative-age"""
    age = case.attempt.age
    if case.is_discard or age is None or age <= case.shop.limits.replay_window:
        return None
    slug = "retention/window-enforced" if case.shop.backend_available else "retention/window-before-backend"
    return (State.REJECTED, "REPLAY_WINDOW_EXPIRED", slug, NO_DETAILS)


def backend_away(case: Case) -> Refusal | None:
    """spec: backend/deferred, stock/decrease-free"""
    bid = case.bid
    if bid is None or case.shop.backend_available or not bid.raises:
        return None
    return (State.DEFERRED, "BACKEND_UNAVAILABLE", "backend/deferred", NO_DETAILS)


LADDER: tuple[Callable[[Case], Refusal | None], ...] = (
    chain_broken,  # 3
    rate_limited,  # 4
    key_reused,  # 5
    feature_missing,  # 6
    intent_unknown,  # 7
    too_large,  # 8
    malformed,  # 9
    expired,  # 10
    backend_away,  # 11
)

_CART_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_FIELD_NAMES = {Add: "add_item", Adjust: "adjust_quantity", Set: "set_quantity", Remove: "remove_item"}


def wrong_fields(intent: CartIntent) -> frozenset[str]:
    """The fields that are missing or out of the range their comments give, by their path from the operation."""
    wrong: set[str] = set()
    if not _CART_ID.fullmatch(intent.cart):
        wrong.add("cart_id")
    if not _is_sku(intent.sku):
        wrong.add("sku")
    match intent:
        case Add(quantity=quantity, observed=observed, limit=limit):
            wrong |= {"quantity"} if quantity < 1 else set()
            wrong |= {"observed_unit_price"} if observed is None or not _is_money(observed) else set()
            wrong |= {"max_unit_price"} if limit is not None and not _is_money(limit) else set()
        case Adjust(delta=delta):
            wrong |= {"delta"} if delta == 0 else set()
        case Set(quantity=quantity):
            wrong |= {"quantity"} if quantity < 0 else set()
        case Remove():
            pass
    if not isinstance(intent, Remove) and intent.stock is Stock.UNSPECIFIED:
        wrong.add("quantity_policy")
    if not isinstance(intent, Add) and intent.guard is not None and intent.guard < 0:
        wrong.add("unless_changed_since")
    return frozenset(f"{_FIELD_NAMES[type(intent)]}.{field}" for field in wrong)


def _is_sku(text: str) -> bool:
    inner = 1 <= len(text) <= 64 and " " not in (text[0], text[-1])
    return inner and all(unicodedata.category(character) != "Cc" for character in text)


def _is_money(money: Money) -> bool:
    return bool(_CURRENCY.fullmatch(money.currency)) and money.minor >= 0


def _next_in_line(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> Iterator[Branch]:
    for reused in _reuse(world.queue(queue_id), shop, attempt.operation):
        for trips in _guard(world, queue_id, attempt.operation):
            case = Case(world, shop, queue_id, attempt, reused, trips)
            outcome = _outcome(case)
            yield Answer(outcome), _after(case, outcome)


def _reuse(queue: Queue, shop: Shop, operation: Operation) -> tuple[bool, ...]:
    """Whether the key counts as recorded under another sequence; both where its record is or may be pruned."""
    holders = [record for record in queue.records if record.operation.key == operation.key]
    if any(not shop.may_be_pruned(record) for record in holders):
        return (True,)
    discarded = any(
        isinstance(record.operation.intent, Discard) and record.operation.intent.discarded_key == operation.key
        for record in queue.records
    )
    return (False, True) if holders or discarded else (False,)


def _guard(world: World, queue_id: str, operation: Operation) -> tuple[bool, ...]:
    """Whether the guard trips; both while the revision of the change in question is not known closely enough."""
    intent = operation.intent
    if not isinstance(intent, Adjust | Set | Remove) or intent.guard is None:
        return (False,)
    cart = world.cart(intent.cart)
    number = cart.last_foreign_change(intent.sku, queue_id)
    if number is None:
        return (False,)
    low, high = cart.bounds(number)
    if low > intent.guard:
        return (True,)
    return (False,) if high is not None and high <= intent.guard else (True, False)


def _outcome(case: Case) -> Outcome:
    """The outcome of an attempt next in line: the first refusal there is, or what the operation does."""
    refused = [refusal for rule in LADDER if (refusal := rule(case)) is not None]
    bid = case.bid
    in_cart = cart_rules.refusals(bid) if bid is not None else []
    refused += [(State.REJECTED, reason, slug, details) for reason, slug, details in in_cart]
    cart_id, number = _judged_at(case)
    if refused:
        (state, reason, slug, details), *later = refused
        final = state is State.REJECTED
        return Outcome(
            state,
            slug,
            reason,
            cart=cart_id if final else "",
            number=number if final else 0,
            details=details,
            also_refused_by=frozenset(reason for _, reason, _, _ in later),
        )
    if bid is None:
        return Outcome(State.APPLIED, "discard/cancels-undecided")  # no other intent is on no cart and unrefused
    line, adjustments, slug = cart_rules.effect(bid)
    changed = line.before != line.after
    return Outcome(
        State.APPLIED,
        slug,
        cart=cart_id,
        number=number + 1 if changed else number,
        changed=changed,
        line=line,
        adjustments=adjustments,
    )


def _judged_at(case: Case) -> tuple[str, int]:
    """The cart an operation names, and the number of its last change (spec: revision/judged-at)."""
    bid = case.bid
    if bid is None or not _CART_ID.fullmatch(bid.intent.cart):
        return "", 0
    return bid.intent.cart, bid.cart.change_number


def _after(case: Case, outcome: Outcome) -> World:
    """The world after an outcome: record, effect and watermark together, or nothing at all."""
    if not outcome.state.final:
        return case.world
    operation, world, shop = case.operation, case.world, case.shop
    queue = world.queue(case.queue_id)
    record = Record(operation, outcome, shop.now, shop.crash_count)
    intent = operation.intent
    last_key = intent.discarded_key if isinstance(intent, Discard) else operation.key
    world = world.with_queue(case.queue_id, Queue((*queue.records, record), last_key))
    if world.allowance is not None and not case.is_discard:
        world = replace(world, allowance=max(0, world.allowance - 1))
    if outcome.changed and outcome.line is not None:
        cart = world.cart(outcome.cart)
        offer = shop.offer(outcome.line.sku)
        currency = offer.price.currency if offer is not None else ""
        world = world.with_cart(
            outcome.cart, cart.changed(case.queue_id, operation.sequence, operation.key, outcome.line, currency)
        )
    return world
