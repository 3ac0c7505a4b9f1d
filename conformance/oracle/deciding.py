"""Chapter 3 as code: what may be answered to one attempt, and the world after it.

`step` walks the table of chapter 3 from the top. Behind the watermark the record answers (step 1); above the next
sequence there is a gap (step 2); what is next in line meets `LADDER`, steps 3 to 13, and then the rules of its intent
(`ruling.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from conformance.oracle.card_numbers import fields_with_card_number, payload
from conformance.oracle.cases import Case, cases
from conformance.oracle.ranges import wrong_fields
from conformance.oracle.resources import profile_of
from conformance.oracle.rules import effect_of, needs_backend, refusals_of
from conformance.oracle.values import (
    NO_DETAILS,
    Attempt,
    ClaimGuestCart,
    Details,
    Discard,
    SavePaymentMethod,
    State,
)
from conformance.oracle.world import Answer, Claim, Kind, Outcome, Place, Queue, Record, Scope, Shop, World

Branch = tuple[Answer, World]


def step(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> tuple[Branch, ...]:
    """Every right answer to `attempt`, each with the world after it. Several only where the spec leaves a choice."""
    queue = world.queue(queue_id)
    sequence = attempt.operation.sequence
    if sequence <= queue.watermark:
        return tuple(_decided_already(world, shop, queue_id, attempt))
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


def _decided_already(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> Iterator[Branch]:
    """Step 1: duplicates first, before anything that could refuse (spec: deciding/duplicates-first)."""
    queue = world.queue(queue_id)
    operation = attempt.operation
    record = queue.records[operation.sequence - 1]
    if not record.pruned:
        yield _from_record(shop, record, attempt), world
    if shop.may_be_pruned(record):
        records = list(queue.records)
        records[operation.sequence - 1] = replace(record, pruned=True)
        purged = Outcome(State.PURGED, "retention/purged-not-executed", "OUTCOME_PURGED")
        after = world.with_queue(queue_id, replace(queue, records=tuple(records)))
        yield Answer(purged, record=operation.sequence), after


def _from_record(shop: Shop, record: Record, attempt: Attempt) -> Answer:
    recorded, operation = record.operation, attempt.operation
    if recorded.key == operation.key:
        if record.payload == payload(shop.limits, attempt):
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
    if case.is_discard or case.world.allowance(case.principal, Scope.ALL) != 0:
        return None
    return (State.DEFERRED, "RATE_LIMITED", "rate/deferred", NO_DETAILS)


def saving_limited(case: Case) -> Refusal | None:
    """spec: payment/rate-limited"""
    saves = isinstance(case.operation.intent, SavePaymentMethod) and knows(case)
    if not saves or case.world.allowance(case.principal, Scope.PAYMENT_METHODS) != 0:
        return None
    return (State.DEFERRED, "RATE_LIMITED", "payment/rate-limited", NO_DETAILS)


def key_reused(case: Case) -> Refusal | None:
    """spec: deciding/key-reused"""
    return (State.REJECTED, "KEY_REUSED", "deciding/key-reused", NO_DETAILS) if case.reused else None


def card_number(case: Case) -> Refusal | None:
    """spec: security/card-number-refused, address/card-number, payment/card-number"""
    fields = fields_with_card_number(case.shop.limits, case.attempt)
    if not fields:
        return None
    slugs = {"put_address": "address/card-number", "save_payment_method": "payment/card-number"}
    slug = slugs.get(min(fields).split(".")[0], "security/card-number-refused")
    return (State.REJECTED, "CARD_NUMBER_REFUSED", slug, Details(wrong_fields=fields))


def guest_claimed(case: Case) -> Refusal | None:
    """spec: claim/guest-closed"""
    if case.is_discard or case.world.claim(case.principal) is None:
        return None
    return (State.REJECTED, "PRINCIPAL_CLAIMED", "claim/guest-closed", NO_DETAILS)


def feature_missing(case: Case) -> Refusal | None:
    """spec: deciding/unsupported-feature"""
    missing = case.operation.features - case.shop.limits.features
    if case.is_discard or not missing:
        return None
    details = Details(missing_features=missing)
    return (State.REJECTED, "UNSUPPORTED_FEATURE", "deciding/unsupported-feature", details)


def knows(case: Case) -> bool:
    """Whether the server knows the intent: there is one, of a profile that it lists."""
    profile = profile_of(case.operation.intent)
    return profile == "core" or profile in case.shop.limits.profiles


def intent_unknown(case: Case) -> Refusal | None:
    """spec: deciding/unsupported-intent, compat/unlisted-profile"""
    if knows(case):
        return None
    slug = "deciding/unsupported-intent" if case.operation.intent is None else "compat/unlisted-profile"
    return (State.REJECTED, "UNSUPPORTED_INTENT", slug, NO_DETAILS)


def too_large(case: Case) -> Refusal | None:
    """spec: deciding/too-large"""
    if case.is_discard or not case.attempt.oversized:
        return None
    return (State.REJECTED, "OPERATION_TOO_LARGE", "deciding/too-large", NO_DETAILS)


_SLUGS_OF_MALFORMED = {"address_book": "address/field-limits", "payment_methods": "payment/fields"}


def malformed(case: Case) -> Refusal | None:
    """spec: deciding/malformed, address/field-limits, address/mask-checked, payment/fields"""
    intent = case.operation.intent
    if intent is None or isinstance(intent, Discard):
        return None
    wrong = wrong_fields(intent)
    if not wrong:
        return None
    slug = _SLUGS_OF_MALFORMED.get(profile_of(intent), "deciding/malformed")
    slug = "address/mask-checked" if "put_address.update_mask" in wrong else slug
    return (State.REJECTED, "MALFORMED", slug, Details(wrong_fields=wrong))


def expired(case: Case) -> Refusal | None:
    """spec: retention/window-enforced, retention/unknown-age, retention/negative-age"""
    age = case.attempt.age
    if case.is_discard or age is None or age <= case.shop.limits.replay_window:
        return None
    answers = case.shop.answers(case.principal)
    slug = "retention/window-enforced" if answers else "retention/window-before-backend"
    return (State.REJECTED, "REPLAY_WINDOW_EXPIRED", slug, NO_DETAILS)


def backend_away(case: Case) -> Refusal | None:
    """spec: backend/deferred, coupons/backend, payment/backend, claim/backend, stock/decrease-free"""
    if case.shop.answers(case.principal):
        return None
    slug = needs_backend(case)
    return (State.DEFERRED, "BACKEND_UNAVAILABLE", slug, NO_DETAILS) if slug else None


LADDER: tuple[Callable[[Case], Refusal | None], ...] = (
    chain_broken,  # 3
    rate_limited,  # 4
    saving_limited,  # 4
    key_reused,  # 5
    card_number,  # 6
    guest_claimed,  # 7
    feature_missing,  # 8
    intent_unknown,  # 9
    too_large,  # 10
    malformed,  # 11
    expired,  # 12
    backend_away,  # 13
)


def _next_in_line(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> Iterator[Branch]:
    branches: dict[Branch, None] = {}  # several cases may come out the same
    for case in cases(world, shop, queue_id, attempt):
        branches[_branch(case)] = None
    yield from branches


def _branch(case: Case) -> Branch:
    """The outcome of an attempt next in line, and the world after it: the first refusal there is, or its effect."""
    refused = [refusal for rule in LADDER if (refusal := rule(case)) is not None]
    refused += [(State.REJECTED, reason, slug, details) for reason, slug, details in refusals_of(case)]
    place = case.place if knows(case) else None
    number = case.world.resource(place).past.number if place is not None else 0
    if refused:
        (state, reason, slug, details), *later = refused
        final = state is State.REJECTED
        outcome = Outcome(
            state,
            slug,
            reason,
            place=place if final else None,
            number=number if final else 0,
            details=details,
            also_refused_by=frozenset(reason for _, reason, _, _ in later),
            any_revision=final and not knows(case) and case.operation.intent is not None,
        )
        return Answer(outcome), _recorded(case, outcome) if final else case.world
    effect = effect_of(case)
    changed = effect.resource is not None
    outcome = Outcome(
        State.APPLIED,
        effect.rule,
        place=place,
        number=number + 1 if changed else number,
        changed=changed,
        line=effect.line,
        adjustments=effect.adjustments,
        claimed=effect.claimed,
    )
    world = _recorded(case, outcome)
    if place is not None and effect.resource is not None:
        world = world.with_resource(place, effect.resource)
    if isinstance(case.operation.intent, ClaimGuestCart):
        world = _guest_closed(case, case.operation.intent, world)
    return Answer(outcome), world


def _recorded(case: Case, outcome: Outcome) -> World:
    """The world with a final outcome recorded, the watermark moved and the rate limits charged."""
    operation, world, shop = case.operation, case.world, case.shop
    queue = world.queue(case.queue_id)
    record = Record(operation, payload(shop.limits, case.attempt), outcome, shop.now, shop.crash_count)
    intent = operation.intent
    last_key = intent.discarded_key if isinstance(intent, Discard) else operation.key
    world = world.with_queue(case.queue_id, Queue((*queue.records, record), last_key))
    if case.is_discard:
        return world
    saves = isinstance(intent, SavePaymentMethod) and knows(case)
    for scope in (Scope.ALL, Scope.PAYMENT_METHODS) if saves else (Scope.ALL,):
        allowance = world.allowance(case.principal, scope)
        if allowance is not None:
            world = world.with_allowance(case.principal, scope, max(0, allowance - 1))
    return world


def _guest_closed(case: Case, intent: ClaimGuestCart, world: World) -> World:
    """The world after a claim: the guest takes no new operation, and its cart is closed (spec: claim/guest-closed)."""
    guest = case.shop.guest_of(intent.token)
    if guest is None:
        return world
    before = world.claim(guest)
    carts = (before.carts if before is not None else frozenset()) | {intent.guest_cart}
    world = world.with_claim(guest, Claim(case.principal, carts))
    place = Place(guest, Kind.CART, intent.guest_cart)
    cart = world.cart(intent.guest_cart, guest)
    return world.with_resource(place, cart.after_closing()) if cart.exists else world
