"""The executable spec against stories written by hand: the ladder, the cart rules, unknown outcomes, revisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cartsync.v1 import reason_pb2

from conformance.oracle.deciding import step
from conformance.oracle.reasons import REASONS
from conformance.oracle.revisions import Author, Past
from conformance.oracle.values import (
    Add,
    Adjust,
    Attempt,
    Clamped,
    Discard,
    Floored,
    Intent,
    Limits,
    Line,
    Money,
    Offer,
    Operation,
    PriceChanged,
    Remove,
    Set,
    State,
    Stock,
    Submission,
)
from conformance.oracle.world import SOLE, Outcome, Shop, World, initial
from conformance.oracle.worlds import closure, grounded, launched
from conformance.requirements import load

PRICE = Money("GBP", 100)
SHOP = Shop(Limits(features=frozenset({"gift-wrap"}))).with_offer("tea", Offer(PRICE, available=5))


def operation(sequence: int, intent: Intent, *, key: str = "", previous: str | None = None) -> Operation:
    link = (f"key-{sequence - 1}" if sequence > 1 else "") if previous is None else previous
    return Operation(key or f"key-{sequence}", sequence, link, intent)


def add(quantity: int = 1, **changes: object) -> Add:
    return replace(Add("main", "tea", quantity, PRICE), **changes)  # type: ignore[arg-type]


def decide(
    world: World, *operations: Operation, shop: Shop = SHOP, queue: str = "queue"
) -> tuple[World, list[Outcome]]:
    outcomes = []
    for each in operations:
        ((answer, world),) = step(world, shop, queue, Attempt(each))
        outcomes.append(answer.outcome)
    return world, outcomes


def outcome_of(world: World, each: Operation, *, shop: Shop = SHOP, age: float | None = None) -> Outcome:
    ((answer, _),) = step(world, shop, "queue", Attempt(each, age))
    return answer.outcome


def test_the_table_of_reasons_is_the_one_of_the_protocol() -> None:
    for value in reason_pb2.Reason.DESCRIPTOR.values:
        if value.number:
            policy = value.GetOptions().Extensions[reason_pb2.reason_policy]
            mine = REASONS[value.name.removeprefix("REASON_")]
            assert reason_pb2.OutcomeState.Name(policy.state) == f"OUTCOME_STATE_{mine.state}"
            assert reason_pb2.Disposition.Name(policy.disposition) == f"DISPOSITION_{mine.disposition}"
            assert policy.recorded is mine.state.final
    assert len(REASONS) == len(reason_pb2.Reason.DESCRIPTOR.values) - 1


def test_a_duplicate_is_answered_from_its_record_and_changes_nothing() -> None:
    world, (first,) = decide(initial(), operation(1, add(2)))
    ((answer, after),) = step(
        world, SHOP.with_offer("tea", Offer(PRICE, listed=False)), "queue", Attempt(operation(1, add(2)))
    )
    assert (answer.replayed, answer.outcome, after) == (True, first, world)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (operation(1, add(2)), "PAYLOAD_MISMATCH"),
        (operation(1, add(), key="other"), "SEQUENCE_CONFLICT"),
        (operation(1, Discard("key-1"), key="other"), "SEQUENCE_CONFLICT"),
        (operation(3, add()), "SEQUENCE_GAP"),
        (operation(2, add(), previous="stranger"), "QUEUE_DIVERGED"),
        (operation(2, add(), key="key-1", previous="key-1"), "KEY_REUSED"),
    ],
)
def test_what_is_out_of_place_is_told_so(second: Operation, reason: str) -> None:
    world, _ = decide(initial(), operation(1, add()))
    assert outcome_of(world, second).reason == reason


def test_behind_a_discard_the_chain_goes_on_from_the_discarded_key() -> None:
    world, (cancelled,) = decide(initial(), operation(1, Discard("key-1"), key="discard"))
    assert (cancelled.state, cancelled.changed) == (State.APPLIED, False)
    assert outcome_of(world, operation(2, add(), previous="key-1")).state is State.APPLIED
    assert outcome_of(world, operation(2, add(), previous="discard")).rule == "discard/chain-continues"
    assert outcome_of(world, operation(1, add())).rule == "discard/late-original"


def test_a_record_past_its_retention_may_be_there_or_not_but_not_come_back() -> None:
    world, _ = decide(initial(), operation(1, add()))
    later = replace(SHOP, now=31 * 86_400.0)
    branches = step(world, later, "queue", Attempt(operation(1, add())))
    assert {answer.outcome.state for answer, _ in branches} == {State.APPLIED, State.PURGED}
    pruned = next(after for answer, after in branches if answer.outcome.state is State.PURGED)
    ((answer, _),) = step(pruned, later, "queue", Attempt(operation(1, add())))
    assert answer.outcome.state is State.PURGED


def test_the_replay_window_includes_its_end() -> None:
    window = SHOP.limits.replay_window
    assert outcome_of(initial(), operation(1, add()), age=window).state is State.APPLIED
    assert outcome_of(initial(), operation(1, add()), age=window + 1).reason == "REPLAY_WINDOW_EXPIRED"
    assert outcome_of(initial(), operation(1, add()), age=-5.0).state is State.APPLIED


def test_an_expired_operation_is_rejected_even_while_the_backends_are_away() -> None:
    away = replace(SHOP, away=frozenset({SOLE}))
    assert outcome_of(initial(), operation(1, add()), shop=away, age=1e9).reason == "REPLAY_WINDOW_EXPIRED"
    assert outcome_of(initial(), operation(1, add()), shop=away).reason == "BACKEND_UNAVAILABLE"


def test_the_backends_are_asked_before_the_cart() -> None:
    away = replace(SHOP, away=frozenset({SOLE}))
    missing = operation(1, Adjust("main", "tea", 1))
    assert outcome_of(initial(), missing).reason == "CART_NOT_FOUND"
    assert outcome_of(initial(), missing, shop=away).reason == "BACKEND_UNAVAILABLE"
    lowering = operation(1, Adjust("main", "tea", -1))
    assert outcome_of(initial(), lowering, shop=away).reason == "CART_NOT_FOUND"


def test_a_key_whose_record_was_seen_to_be_pruned_may_count_as_used_or_not() -> None:
    world, _ = decide(initial(), operation(1, add()))
    later = replace(SHOP, now=SHOP.now + SHOP.limits.outcome_retention + 1)
    branches = step(world, later, "queue", Attempt(operation(1, add())))
    pruned = next(after for answer, after in branches if answer.outcome.state is State.PURGED)
    reusing = operation(2, add(), key="key-1", previous="key-1")
    answers = [answer.outcome for answer, _ in step(pruned, later, "queue", Attempt(reusing))]
    assert sorted((outcome.state, outcome.reason) for outcome in answers) == [
        (State.APPLIED, ""),
        (State.REJECTED, "KEY_REUSED"),
    ]


@pytest.mark.parametrize(
    ("sku", "is_one"),
    [
        ("tea", True),
        ("two words", True),
        ("\N{NO-BREAK SPACE}tea\N{IDEOGRAPHIC SPACE}", True),
        ("te\N{ZERO WIDTH SPACE}a\N{LINE SEPARATOR}", True),
        ("\N{TEAPOT}" * 64, True),
        ("\N{TEAPOT}" * 65, False),
        ("", False),
        (" tea", False),
        ("tea ", False),
        ("te\ta", False),
        ("tea\x7f", False),
        ("tea\x85", False),
    ],
)
def test_a_sku_is_up_to_64_code_points_without_controls_or_a_space_at_an_end(sku: str, is_one: bool) -> None:
    malformed = outcome_of(initial(), operation(1, add(sku=sku))).reason == "MALFORMED"
    assert malformed is not is_one


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (add(0), "MALFORMED"),
        (add(observed=None), "MALFORMED"),
        (add(stock=Stock.UNSPECIFIED), "MALFORMED"),
        (add(sku=" tea"), "MALFORMED"),
        (add(cart="no spaces"), "MALFORMED"),
        (Adjust("main", "tea", 0), "MALFORMED"),
        (Set("main", "tea", -1), "MALFORMED"),
        (Remove("main", "tea", guard=-1), "MALFORMED"),
        (None, "UNSUPPORTED_INTENT"),
        (Set("main", "tea", 1), "CART_NOT_FOUND"),
        (add(sku="coal"), "SKU_UNKNOWN"),
        (add(observed=Money("EUR", 100)), "CURRENCY_MISMATCH"),
        (add(limit=Money("GBP", 99)), "PRICE_ABOVE_LIMIT"),
        (add(100), "LINE_LIMIT_EXCEEDED"),
        (add(6), "INSUFFICIENT_INVENTORY"),
    ],
)
def test_the_first_rule_that_refuses_decides(intent: Intent, reason: str) -> None:
    assert outcome_of(initial(), operation(1, intent)).reason == reason


def test_a_refusal_names_the_rules_that_would_have_refused_after_it() -> None:
    refused = outcome_of(initial(), operation(1, add(100, limit=Money("GBP", 1))))
    assert refused.reason == "PRICE_ABOVE_LIMIT"
    assert refused.also_refused_by == {"LINE_LIMIT_EXCEEDED", "INSUFFICIENT_INVENTORY"}


@pytest.mark.parametrize(
    ("intent", "line", "adjustments"),
    [
        (add(2), Line("tea", 3, 5), set()),
        (add(9, stock=Stock.CLAMP), Line("tea", 3, 5), {Clamped(12, 5)}),
        (add(1, observed=Money("GBP", 90)), Line("tea", 3, 4), {PriceChanged(Money("GBP", 90), PRICE)}),
        (Adjust("main", "tea", -2), Line("tea", 3, 1), set()),
        (Adjust("main", "tea", -7), Line("tea", 3, 0), {Floored(-7, -3)}),
        (Set("main", "tea", 3), Line("tea", 3, 3), set()),
        (Remove("main", "tea"), Line("tea", 3, 0), set()),
        (Remove("main", "mug"), Line("mug", 0, 0), set()),
    ],
)
def test_an_applied_operation_does_what_its_kind_says(intent: Intent, line: Line, adjustments: set[object]) -> None:
    world, _ = decide(initial(), operation(1, add(3)))
    outcome = outcome_of(world, operation(2, intent))
    assert (outcome.state, outcome.line, set(outcome.adjustments)) == (State.APPLIED, line, adjustments)
    assert outcome.changed is (line.before != line.after)


def test_a_decrease_is_free_of_stock_listing_and_backends() -> None:
    world, _ = decide(initial(), operation(1, add(5)))
    gone = replace(SHOP.with_offer("tea", Offer(PRICE, listed=False, available=0)), away=frozenset({SOLE}))
    assert outcome_of(world, operation(2, Adjust("main", "tea", -1)), shop=gone).state is State.APPLIED


def test_a_guard_trips_for_another_queue_and_never_for_its_own() -> None:
    world, _ = decide(initial(), operation(1, add()))
    world, _ = decide(world, operation(1, add(), key="theirs"), queue="another")
    assert outcome_of(world, operation(2, Set("main", "tea", 1, guard=0))).reason == "LINE_CHANGED"
    alone, _ = decide(initial(), operation(1, add()))
    assert outcome_of(alone, operation(2, Set("main", "tea", 1, guard=0))).state is State.APPLIED


def test_every_rule_named_by_an_outcome_is_a_requirement_of_the_spec() -> None:
    world, _ = decide(initial(), operation(1, add()))
    intents = [add(), add(0), add(100), None, Remove("main", "tea"), Adjust("main", "tea", -9), Set("main", "tea", 2)]
    rules = {outcome_of(world, operation(2, intent)).rule for intent in intents}
    assert rules <= set(load().by_slug)


# Unknown outcomes.


def batch(*quantities: int) -> Submission:
    return Submission("queue", tuple(Attempt(operation(n, add(q))) for n, q in enumerate(quantities, 1)))


def watermarks(worlds: frozenset[World]) -> list[int]:
    return sorted(world.queue("queue").watermark for world in worlds)


def test_a_lost_answer_leaves_every_prefix_possible() -> None:
    assert watermarks(closure(launched([initial()], batch(1, 1, 1)), SHOP)) == [0, 1, 2, 3]


def test_a_lost_duplicate_adds_no_world() -> None:
    world, _ = decide(initial(), operation(1, add()))
    assert closure(launched([world], batch(1)), SHOP) == {world}


def test_a_straggler_whose_place_was_taken_is_forgotten() -> None:
    world, _ = decide(initial(), operation(1, Discard("key-1"), key="discard"))
    assert closure(launched([world], batch(1, 1)), SHOP) == {world}


def test_closing_twice_finds_nothing_new() -> None:
    worlds = closure(launched(launched([initial()], batch(1, 2)), batch(1)), SHOP)
    assert closure(worlds, SHOP) == worlds


def test_after_a_crash_nothing_is_in_flight_any_more() -> None:
    worlds = grounded(launched([initial()], batch(1, 1)), SHOP)
    assert watermarks(worlds) == [0, 1, 2]
    assert not any(world.in_flight for world in worlds)


# Revisions.


def past_of(changes: int) -> Past:
    past = Past()
    for number in range(1, changes + 1):
        past = past.and_then(Author("queue", number, f"key-{number}"), Line("tea", number - 1, number))
    return past


def test_revisions_are_bounded_from_both_sides_by_those_that_were_seen() -> None:
    seen = past_of(3).with_revision(3, 10)
    assert seen is not None
    assert [seen.bounds(number) for number in range(4)] == [(0, 0), (1, 8), (2, 9), (10, 10)]
    first = seen.with_revision(1, 7)
    assert first is not None
    assert first.bounds(2) == (8, 9)


@pytest.mark.parametrize(("number", "revision"), [(2, 5), (2, 4), (1, 5), (3, 5), (2, 1)])
def test_a_revision_that_does_not_increase_is_impossible(number: int, revision: int) -> None:
    known = past_of(3).with_revision(2, 6)
    assert known is not None
    assert known.with_revision(number, revision if number != 1 else 6) is None


def test_decide_times_do_not_decrease_among_the_changes_of_a_cart() -> None:
    timed = past_of(3).with_decide_time(2, 50, ordered=True)
    assert timed is not None
    assert timed.with_decide_time(3, 49, ordered=True) is None
    assert timed.with_decide_time(1, 51, ordered=True) is None
    assert timed.with_decide_time(3, 50, ordered=True) is not None


def test_a_guard_covers_what_is_at_or_below_it_and_either_way_what_is_not_known() -> None:
    past = past_of(4).with_revision(2, 10)
    assert past is not None
    assert past.coverings(10, frozenset({1, 2, 4})) == (2,)
    assert past.coverings(30, frozenset({1, 2, 4})) == (2, 4)
    assert past.coverings(5, frozenset({1})) == (0, 1)
    assert past.coverings(None, frozenset({1, 4})) == (4,)
