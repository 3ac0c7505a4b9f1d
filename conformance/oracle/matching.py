"""Comparing what one world calls for with what was observed, field by field.

Each function gives back the world with what the observation told about it (revisions, decide times, records seen), or
a `Mismatch` that names the requirement broken if this was the true world. `stage` counts what agreed first.
"""

from __future__ import annotations

from dataclasses import replace

from conformance.oracle.attribution import Context, Miss, slug_of, slug_of_other_key
from conformance.oracle.observations import ObservedOutcome
from conformance.oracle.reasons import REASONS
from conformance.oracle.values import Adjustment, ClaimedLine, Clamped, Details, FieldKept, Floored, PriceChanged, State
from conformance.oracle.world import Kind, Outcome, Shop, World
from conformance.oracle.worlds import Mismatch, Moment


def result(shop: Shop, context: Context, moment: Moment) -> World | Mismatch:
    """Compare one result of an answer with the right one."""
    before, after, answer, observed = moment.before, moment.after, moment.answer, moment.observed
    queue_id, attempt = moment.queue_id, moment.attempt
    operation, seen = attempt.operation, observed.outcome
    if (seen.key, seen.sequence) != (operation.key, operation.sequence):
        return Mismatch(
            slug_of_other_key(Miss(before, shop, queue_id, attempt, answer, observed, context)),
            f"the result for operation {operation.sequence} carries another key or sequence",
            f"key {operation.key}, sequence {operation.sequence}",
            f"key {seen.key}, sequence {seen.sequence}",
        )
    expected = answer.outcome
    alike = (
        seen.state is expected.state and (seen.reason or "") == expected.reason and observed.replayed == answer.replayed
    )
    if not alike:
        slug = slug_of(Miss(before, shop, queue_id, attempt, answer, observed, context))
        half = int(seen.state is expected.state) + int((seen.reason or "") == expected.reason)
        half += int(observed.replayed == answer.replayed)
        return Mismatch(
            slug,
            f"operation {operation.sequence} was answered {observed}",
            str(answer),
            str(observed),
            half,
            kind_of(expected),
            due=str(answer),
        )
    if answer.replayed:
        record = before.queue(queue_id).records[answer.record - 1]
        if record.seen is not None:
            if record.seen == seen.verbatim:
                return after
            return Mismatch(
                "deciding/replay-verbatim",
                f"the duplicate of operation {operation.sequence} was answered with other fields than recorded",
                "the recorded outcome field for field",
                str(observed),
                5,
            )
    if not expected.state.final:
        return _unrecorded(expected, seen) or after
    sequence = answer.record or operation.sequence
    return final_outcome(after, context, queue_id, sequence, expected, seen)


def final_outcome(
    world: World, context: Context, queue_id: str, sequence: int, expected: Outcome, seen: ObservedOutcome
) -> World | Mismatch:
    """Compare a final outcome with the one recorded at `sequence`, and note in the record that it was seen."""
    wrong = _refusal(expected, seen) or _effect(world, context, expected, seen)
    if wrong is not None:
        return replace(wrong, kind=kind_of(expected))
    if seen.decided_at is None:
        return _field("answers/final-fields", sequence, "has no decide_time", "decide_time set", "absent", 15)
    place = expected.place
    if place is not None:
        resource = world.resource(place)
        past = resource.past.with_revision(expected.number, seen.revision)
        if past is None:
            return _wrong_revision(world, context, sequence, expected, seen)
        if expected.changed:
            of_cart = place.kind is Kind.CART
            past = past.with_decide_time(expected.number, seen.decided_at, ordered=of_cart)
            if past is None:
                slug = "revision/decide-time" if of_cart else "wishlist/add"
                summary = "was decided at another time than what is known of its change allows"
                return _field(slug, sequence, summary, "decide_time not decreasing", str(seen.decided_at), 19)
        if expected.number:
            world = world.with_resource(place, replace(resource, past=past))
    elif seen.revision and not expected.any_revision:
        return _field(
            "revision/judged-at", sequence, "acts on no resource but carries a revision", "0", str(seen.revision), 16
        )
    queue = world.queue(queue_id)
    records = list(queue.records)
    records[sequence - 1] = replace(records[sequence - 1], seen=seen.verbatim)
    return world.with_queue(queue_id, replace(queue, records=tuple(records)))


def _unrecorded(expected: Outcome, seen: ObservedOutcome) -> Mismatch | None:
    """spec: answers/final-fields, for what is not final, then the refusal itself."""
    if seen.decided_at is not None or seen.revision or seen.changed:
        return _field(
            "answers/final-fields",
            seen.sequence,
            f"is {seen.state} and carries decide_time, revision or changed",
            "none of them",
            str(seen),
            6,
        )
    return _refusal(expected, seen)


def _refusal(expected: Outcome, seen: ObservedOutcome) -> Mismatch | None:
    """spec: answers/reason-policy, answers/details"""
    sequence = seen.sequence
    if not expected.reason:
        if seen.details != Details() or seen.has_retry_delay:
            return _field("answers/details", sequence, "is applied and carries a refusal", "none", str(seen.details), 7)
        return None
    policy = REASONS[expected.reason]
    if seen.disposition != policy.disposition:
        return _field(
            "answers/reason-policy",
            sequence,
            f"is refused with {expected.reason} and disposition {seen.disposition}",
            policy.disposition,
            str(seen.disposition),
            7,
        )
    if seen.has_retry_delay is not policy.has_delay:
        wanted = "a retry delay" if policy.has_delay else "no retry delay"
        return _field("answers/details", sequence, f"is refused with {expected.reason} without {wanted}", wanted, "", 8)
    wanted_details, details = expected.details, seen.details
    if wanted_details.wrong_fields:
        wrong = _wrongly_named(expected, details.wrong_fields)
        if wrong is not None:
            return replace(wrong, summary=wrong.summary.replace("the outcome", f"the outcome of operation {sequence}"))
        details = replace(details, wrong_fields=wanted_details.wrong_fields)
    if details != wanted_details:
        return _field(
            "answers/details",
            sequence,
            f"is refused with {expected.reason} and other details than are true",
            _described(wanted_details),
            _described(details),
            8,
        )
    return None


def _wrongly_named(expected: Outcome, named: frozenset[str]) -> Mismatch | None:
    """Whether the fields named are not those that are wrong: one of them at least, of an incomplete address all."""
    wrong = expected.details.wrong_fields
    met = {name for name in wrong if any(_is_within(field, name) for field in named)}
    if met == wrong or (met and expected.reason != "ADDRESS_INCOMPLETE"):
        return None
    return Mismatch(
        expected.rule if expected.reason != "CARD_NUMBER_REFUSED" else "answers/details",
        f"the outcome is refused with {expected.reason} without naming what is wrong",
        " or ".join(sorted(wrong)) if expected.reason != "ADDRESS_INCOMPLETE" else " and ".join(sorted(wrong)),
        ", ".join(sorted(named)) or "no field",
        8,
    )


def _is_within(field: str, name: str) -> bool:
    return field == name or field.startswith((name + ".", name + "["))


def _effect(world: World, context: Context, expected: Outcome, seen: ObservedOutcome) -> Mismatch | None:
    """spec: cart/line-change, cart/changed-flag, and the rule of the operation"""
    sequence = seen.sequence
    if seen.line != expected.line:
        wanted, got = str(expected.line or "no line_change"), str(seen.line or "no line_change")
        if expected.line is None or seen.line is None:
            return _field("cart/line-change", sequence, f"reports {got}", wanted, got, 9)
        if seen.line.sku != expected.line.sku:
            return _field("cart/line-change", sequence, "reports another product", wanted, got, 9)
        if seen.line.before != expected.line.before:
            slug = _wrong_state_slug(world, context, expected)
            return _field(slug, sequence, f"found {seen.line.before} of {seen.line.sku} in the cart", wanted, got, 10)
        return _field(_rule_of_quantity(expected, seen), sequence, f"moved the line {got}", wanted, got, 11)
    if seen.claimed != expected.claimed:
        wanted, got = _claimed(expected.claimed), _claimed(seen.claimed)
        return _field(_rule_of_claim(context, expected, seen), sequence, f"reports {got}", wanted, got, 11)
    if seen.changed is not expected.changed:
        summary = f"reports changed = {str(seen.changed).lower()}"
        slug = _rule_of_changed(expected)
        return _field(slug, sequence, summary, str(expected.changed).lower(), str(seen.changed).lower(), 12)
    if frozenset(seen.adjustments) != expected.adjustments or len(seen.adjustments) != len(expected.adjustments):
        difference = frozenset(seen.adjustments) ^ expected.adjustments
        return _field(
            _rule_of_adjustments(difference or expected.adjustments),
            sequence,
            "reports other adjustments than were made",
            _listed(expected.adjustments),
            _listed(frozenset(seen.adjustments)),
            13,
        )
    return None


def _rule_of_changed(expected: Outcome) -> str:
    if expected.line is not None:
        return "cart/changed-flag"
    if kind_of(expected) is not Kind.ADDRESS_BOOK:
        return expected.rule
    kept = any(isinstance(adjustment, FieldKept) for adjustment in expected.adjustments)
    return "address/merge-keeps" if kept and not expected.changed else "address/changed-flag"


def _rule_of_claim(context: Context, expected: Outcome, seen: ObservedOutcome) -> str:
    """A claim that found another state is blamed on what happened before, one that adds up wrongly on its own rule."""
    found = [(line.sku, line.guest_quantity, line.before) for line in seen.claimed]
    if found != [(line.sku, line.guest_quantity, line.before) for line in expected.claimed]:
        return context.trouble or ("claim/lines-reported" if seen.claimed else expected.rule)
    for due, line in zip(expected.claimed, seen.claimed, strict=True):
        if due.after != line.after:
            return "claim/limits" if due.limit or line.limit else "claim/adds-lines"
    return "claim/lines-reported"


def _wrong_state_slug(world: World, context: Context, expected: Outcome) -> str:
    if context.trouble or expected.place is None or expected.line is None:
        return context.trouble or "effects/exactly-once"
    changes = world.resource(expected.place).past.changes[: expected.number - int(expected.changed)]
    touching = any(change.line(expected.line.sku) is not None for change in changes)
    return "durability/lost-answer" if context.lost and not touching else "effects/exactly-once"


def _rule_of_quantity(expected: Outcome, seen: ObservedOutcome) -> str:
    clamps = [a for a in (*expected.adjustments, *seen.adjustments) if isinstance(a, Clamped)]
    return "stock/clamp" if clamps else expected.rule


def _rule_of_adjustments(adjustments: frozenset[Adjustment]) -> str:
    kinds = {type(adjustment) for adjustment in adjustments}
    if FieldKept in kinds:
        return "address/kept-reported"
    if PriceChanged in kinds:
        return "price/changed-adjustment"
    return "stock/clamp" if Clamped in kinds or Floored not in kinds else "cart/adjust-floors"


def _wrong_revision(
    world: World, context: Context, sequence: int, expected: Outcome, seen: ObservedOutcome
) -> Mismatch:
    kind = kind_of(expected)
    low, high = world.resource(expected.place).past.bounds(expected.number) if expected.place else (0, 0)
    if expected.changed:
        wanted = f"above {low - 1}" if high is None else f"between {low} and {high}"
        slug = context.trouble if context.restored else revision_slug(kind, "revision/increases")
        summary = f"changed {expected.place} and carries revision {seen.revision}"
        return replace(_field(slug, sequence, summary, wanted, str(seen.revision), 17), kind=kind)
    wanted = str(low) if low == high else f"at least {low}"
    slug = revision_slug(kind, "revision/judged-at")
    summary = f"changed nothing and carries revision {seen.revision}"
    return replace(_field(slug, sequence, summary, wanted, str(seen.revision), 18), kind=kind)


_REVISION_SLUGS = {
    Kind.WISHLIST: "wishlist/revision",
    Kind.ADDRESS_BOOK: "address/revision",
    Kind.PAYMENT_METHODS: "payment/revision",
}


def revision_slug(kind: Kind, of_cart: str) -> str:
    """The requirement on revisions of a kind of resource; carts have several."""
    return _REVISION_SLUGS.get(kind, of_cart)


def kind_of(expected: Outcome) -> Kind:
    """The kind of resource an outcome is about."""
    return expected.place.kind if expected.place is not None else Kind.CART


def _claimed(lines: tuple[ClaimedLine, ...]) -> str:
    return "; ".join(str(line) for line in lines) or "no claimed lines"


def _described(details: Details) -> str:
    parts = {
        "expected_sequence": details.expected_sequence,
        "available_quantity": details.available,
        "current_unit_price": details.price,
        "unsupported_features": ", ".join(sorted(details.missing_features)) or None,
        "field_violations": ", ".join(sorted(details.wrong_fields)) or None,
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None) or "no details"


def _listed(adjustments: frozenset[Adjustment]) -> str:
    return "; ".join(sorted(str(adjustment) for adjustment in adjustments)) or "none"


def _field(slug: str, sequence: int, summary: str, expected: str, observed: str, stage: int) -> Mismatch:
    return Mismatch(slug, f"the outcome of operation {sequence} {summary}", expected, observed, stage)


def is_final(state: State | None) -> bool:
    """Whether an observed state is final."""
    return state is not None and state.final
