"""Chapter 3 and 4: duplicates, order, refusals before the cart, discards, poison, the replay window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cartsync.v1 import operation_pb2, service_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from settled_shop import (
    APPLIED,
    CONFLICT,
    DEFERRED,
    PURGED,
    REJECTED,
    Queue,
    Shop,
    changed,
    discard_of,
    duration,
    new_key,
    open_shop,
    reason,
    reasons,
)

from reference_server.engine.deciding import MAX_FEATURE_LENGTH
from reference_server.engine.policy import Policy


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def queue() -> Queue:
    return Queue()


# Decided already


async def test_a_duplicate_is_answered_with_the_recorded_outcome_and_changes_nothing(shop: Shop, queue: Queue) -> None:
    attempt = queue.add(quantity=2)
    (first,) = await shop.send(queue, attempt)
    (second,) = await shop.send(queue, attempt)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.outcome == first.outcome
    assert await shop.quantities() == {"apple": 2}


async def test_a_duplicate_is_answered_before_anything_that_could_refuse_it(shop: Shop, queue: Queue) -> None:
    attempt = queue.add()
    (first,) = await shop.send(queue, attempt)
    attempt.age.CopyFrom(duration(timedelta(days=300)))
    shop.gate.remaining = 0
    shop.shelf.reachable = False
    shop.shelf.offers.clear()
    await shop.store.close_cart("ada", "basket")
    (again,) = await shop.send(queue, attempt)
    assert again.replayed
    assert again.outcome == first.outcome


async def test_a_rejection_is_replayed_even_when_it_would_be_accepted_by_then(shop: Shop, queue: Queue) -> None:
    attempt = queue.add("durian")
    first = await shop.outcome(queue, attempt)
    shop.shelf.put("durian")
    (again,) = await shop.send(queue, attempt)
    assert reason(first) == "SKU_UNKNOWN"
    assert again.replayed
    assert again.outcome == first


async def test_the_recorded_key_with_another_payload_is_a_mismatch_and_keeps_the_record(
    shop: Shop, queue: Queue
) -> None:
    attempt = queue.add(quantity=1)
    await shop.send(queue, attempt)
    other = changed(attempt, add_item=operation_pb2.AddItem(quantity=2))
    outcome = await shop.outcome(queue, other)
    assert (outcome.state, reason(outcome)) == (CONFLICT, "PAYLOAD_MISMATCH")
    (again,) = await shop.send(queue, attempt)
    assert again.replayed


async def test_payloads_are_compared_by_meaning(shop: Shop, queue: Queue) -> None:
    attempt = queue.add(required_features=["b", "a"])
    await shop.send(queue, attempt)
    same = changed(
        attempt,
        enqueue_time=Timestamp(seconds=5),
        session_context=operation_pb2.SessionContext(locale="cy"),
        required_features=["a"],
    )
    same.age.CopyFrom(duration(timedelta(days=1)))
    (result,) = await shop.send(queue, same)
    assert result.replayed


async def test_another_key_at_a_decided_sequence_is_a_sequence_conflict(shop: Shop, queue: Queue) -> None:
    attempt = queue.add()
    await shop.send(queue, attempt)
    outcome = await shop.outcome(queue, changed(attempt, idempotency_key=new_key()))
    assert (outcome.state, reason(outcome)) == (CONFLICT, "SEQUENCE_CONFLICT")


async def test_a_pruned_sequence_is_purged_and_stays_without_further_effect(shop: Shop, queue: Queue) -> None:
    old = [queue.add(), queue.add()]
    await shop.send(queue, *old)
    shop.clock.advance(shop.policy.outcome_retention + timedelta(seconds=1))
    assert await shop.store.prune_due(shop.clock.now()) == 2
    results = await shop.send(queue, *old, queue.add("bread"))
    assert [result.outcome.state for result in results] == [PURGED, PURGED, APPLIED]
    assert not any(result.replayed for result in results)
    assert await shop.quantities() == {"apple": 2, "bread": 1}


# Next in line, or not


async def test_a_gap_is_deferred_with_the_expected_sequence_and_recorded_nowhere(shop: Shop, queue: Queue) -> None:
    first, second = queue.add(), queue.add("bread")
    outcome = await shop.outcome(queue, second)
    assert (outcome.state, reason(outcome), outcome.refusal.expected_sequence) == (DEFERRED, "SEQUENCE_GAP", 1)
    results = await shop.send(queue, first, second)
    assert [result.outcome.state for result in results] == [APPLIED, APPLIED]


async def test_a_broken_chain_is_divergence_and_the_rightful_operation_still_goes_in(shop: Shop, queue: Queue) -> None:
    first, second = queue.add(), queue.add("bread")
    await shop.send(queue, first)
    stranger = changed(second, idempotency_key=new_key(), previous_key=new_key())
    outcome = await shop.outcome(queue, stranger)
    assert (outcome.state, reason(outcome)) == (CONFLICT, "QUEUE_DIVERGED")
    assert (await shop.outcome(queue, second)).state == APPLIED


async def test_a_rate_limited_operation_is_deferred_unrecorded_and_applies_later(shop: Shop, queue: Queue) -> None:
    shop.gate.remaining = 1
    attempts = [queue.add(), queue.add(), queue.add()]
    results = await shop.send(queue, *attempts)
    assert reasons(results) == ["", "RATE_LIMITED", "PREDECESSOR_NOT_DECIDED"]
    assert results[1].outcome.refusal.retry_delay.seconds == 3
    assert shop.gate.remaining == 0
    shop.gate.remaining = None
    assert reasons(await shop.send(queue, *attempts)) == ["", "", ""]
    assert await shop.quantities() == {"apple": 3}


async def test_duplicates_and_discards_are_neither_charged_nor_refused_by_the_rate_limit(
    shop: Shop, queue: Queue
) -> None:
    first, second = queue.add(), queue.add()
    await shop.send(queue, first)
    shop.gate.remaining = 0
    results = await shop.send(queue, first, discard_of(second))
    assert [result.outcome.state for result in results] == [APPLIED, APPLIED]
    assert shop.gate.remaining == 0


async def test_a_key_recorded_under_another_sequence_is_rejected_and_recorded(shop: Shop, queue: Queue) -> None:
    key = new_key()
    first, second = queue.add(key=key), queue.add("bread", key=key)
    third = queue.add("cream")
    results = await shop.send(queue, first, second, third)
    assert reasons(results) == ["", "KEY_REUSED", ""]
    assert (await shop.send(queue, second))[0].replayed


async def test_a_key_reused_across_submissions_is_rejected_too(shop: Shop, queue: Queue) -> None:
    key = new_key()
    await shop.send(queue, queue.add(key=key), queue.add())
    assert reason(await shop.outcome(queue, queue.add(key=key))) == "KEY_REUSED"


async def test_a_key_means_nothing_in_another_queue_or_for_another_principal(shop: Shop, queue: Queue) -> None:
    key, other = new_key(), Queue()
    assert (await shop.outcome(queue, queue.add(key=key))).state == APPLIED
    assert (await shop.outcome(other, other.add(key=key))).state == APPLIED
    stranger = Queue()
    stranger.queue_id = queue.queue_id
    assert (await shop.outcome(stranger, stranger.add("bread", key=key), principal="bob")).state == APPLIED
    assert await shop.quantities() == {"apple": 2}
    assert await shop.quantities(principal="bob") == {"bread": 1}


# Refusals before the cart


async def test_unknown_features_are_named_once_each_in_order(shop: Shop, queue: Queue) -> None:
    outcome = await shop.outcome(queue, queue.add(required_features=["z", "a", "z"]))
    assert (outcome.state, reason(outcome)) == (REJECTED, "UNSUPPORTED_FEATURE")
    assert list(outcome.refusal.unsupported_features) == ["a", "z"]


async def test_a_refusal_of_very_many_features_stays_small(shop: Shop, queue: Queue) -> None:
    features = [f"{number:06d}" for number in range(100_000)] + ["z" * 1_000_000]
    outcome = await shop.outcome(queue, queue.add(required_features=features))
    assert reason(outcome) == "UNSUPPORTED_FEATURE"
    assert set(outcome.refusal.unsupported_features) < set(features)
    huge = await shop.outcome(queue, queue.add(required_features=["z" * 1_000_000]))
    assert list(huge.refusal.unsupported_features) == ["z" * MAX_FEATURE_LENGTH]
    assert max(outcome.ByteSize(), huge.ByteSize()) < 10_000


async def test_a_feature_the_policy_lists_is_no_obstacle(queue: Queue) -> None:
    async with open_shop(Policy(features=("gift-wrap",))) as shop:
        assert (await shop.outcome(queue, queue.add(required_features=["gift-wrap"]))).state == APPLIED


async def test_an_operation_without_intent_is_rejected_and_the_queue_goes_on(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.draft(), queue.add())
    assert reasons(results) == ["UNSUPPORTED_INTENT", ""]


async def test_an_operation_above_the_size_limit_is_rejected_and_one_at_it_is_not(shop: Shop, queue: Queue) -> None:
    def padded(byte_count: int) -> operation_pb2.OperationAttempt:
        attempt = queue.add(session_context=operation_pb2.SessionContext(locale="x" * 20_000))
        surplus = attempt.operation.ByteSize() - byte_count
        attempt.operation.session_context.locale = "x" * (20_000 - surplus)
        assert attempt.operation.ByteSize() == byte_count
        return attempt

    limit = shop.policy.max_operation_bytes
    assert reasons(await shop.send(queue, padded(limit), padded(limit + 1))) == ["", "OPERATION_TOO_LARGE"]


async def test_a_malformed_operation_names_every_wrong_field(shop: Shop, queue: Queue) -> None:
    attempt = queue.draft(add_item=operation_pb2.AddItem(sku=" x", quantity=-1))
    outcome = await shop.outcome(queue, attempt)
    assert (outcome.state, reason(outcome), outcome.revision) == (REJECTED, "MALFORMED", 0)
    assert [violation.field for violation in outcome.refusal.field_violations] == [
        "add_item.cart_id",
        "add_item.sku",
        "add_item.quantity",
        "add_item.observed_unit_price",
        "add_item.quantity_policy",
    ]


async def test_the_replay_window_takes_an_age_equal_to_it_and_refuses_the_next_nanosecond(
    shop: Shop, queue: Queue
) -> None:
    window = shop.policy.replay_window
    at_the_edge, beyond = queue.add(age=window), queue.add(age=window)
    beyond.age.nanos = 1
    assert reasons(await shop.send(queue, at_the_edge, beyond)) == ["", "REPLAY_WINDOW_EXPIRED"]


async def test_an_operation_without_age_or_with_a_negative_one_never_expires(shop: Shop, queue: Queue) -> None:
    without = queue.add(enqueue_time=Timestamp(seconds=1))
    negative = queue.add(age=timedelta(days=-400))
    absurd = queue.add()
    absurd.age.seconds = -(2**63)
    assert reasons(await shop.send(queue, without, negative, absurd)) == ["", "", ""]


async def test_an_expired_operation_is_rejected_even_while_the_backing_services_are_away(
    shop: Shop, queue: Queue
) -> None:
    shop.shelf.reachable = False
    assert reason(await shop.outcome(queue, queue.add(age=timedelta(days=8)))) == "REPLAY_WINDOW_EXPIRED"


async def test_unreachable_backing_services_defer_what_raises_a_line_and_nothing_else(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add(quantity=5))
    shop.shelf.reachable = False
    applied = await shop.send(queue, queue.adjust(-1), queue.set(3), queue.set(3), queue.remove("bread"))
    assert reasons(applied) == ["", "", "", ""]
    raising = queue.adjust(1)
    outcome = await shop.outcome(queue, raising)
    assert (outcome.state, reason(outcome)) == (DEFERRED, "BACKEND_UNAVAILABLE")
    assert outcome.refusal.retry_delay.seconds > 0
    shop.shelf.reachable = True
    assert (await shop.outcome(queue, raising)).line_change.quantity_after == 4


async def test_an_offer_with_impossible_figures_counts_as_an_unreachable_service(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("apple", 10**15)
    assert reason(await shop.outcome(queue, queue.add())) == "BACKEND_UNAVAILABLE"


# What is recorded, and what stops a submission


async def test_rejections_move_the_watermark_and_do_not_stop_the_queue(shop: Shop, queue: Queue) -> None:
    settled = await shop.settle(queue, queue.add("durian"), queue.add(), queue.set(1, cart_id="nowhere"))
    assert reasons(settled.results) == ["SKU_UNKNOWN", "", "CART_NOT_FOUND"]
    assert settled.decided_through_sequence == 3


async def test_nothing_behind_a_conflict_is_looked_at(shop: Shop, queue: Queue) -> None:
    first, second, third = queue.add(), queue.add(), queue.add()
    await shop.send(queue, first, second)
    results = await shop.send(queue, changed(first, idempotency_key=new_key()), second, third)
    assert reasons(results) == ["SEQUENCE_CONFLICT", "PREDECESSOR_NOT_DECIDED", "PREDECESSOR_NOT_DECIDED"]
    assert await shop.watermark(queue) == 2


async def test_only_final_outcomes_carry_time_revision_and_changed(shop: Shop, queue: Queue) -> None:
    shop.shelf.put("bread", stock=0)
    first, second, third = queue.add(), queue.add("bread"), queue.add("cream")
    shop.breakpoints.failing_sequences[3] = 1
    applied, rejected, deferred = [result.outcome for result in await shop.send(queue, first, second, third)]
    assert (applied.HasField("decide_time"), applied.revision, applied.changed) == (True, 1, True)
    assert (rejected.HasField("decide_time"), rejected.revision, rejected.changed) == (True, 1, False)
    assert (deferred.HasField("decide_time"), deferred.revision, deferred.changed) == (False, 0, False)


# Discard


async def test_a_discard_cancels_the_undecided_and_the_chain_goes_on_from_the_discarded_key(
    shop: Shop, queue: Queue
) -> None:
    original, following = queue.add(), queue.add("bread")
    discard = discard_of(original)
    wrong_chain = changed(following, previous_key=discard.operation.idempotency_key)
    outcome = await shop.outcome(queue, discard)
    assert (outcome.state, outcome.changed, outcome.revision) == (APPLIED, False, 0)
    assert reason(await shop.outcome(queue, original)) == "SEQUENCE_CONFLICT"
    assert reason(await shop.outcome(queue, wrong_chain)) == "QUEUE_DIVERGED"
    assert (await shop.outcome(queue, following)).state == APPLIED
    assert await shop.quantities() == {"bread": 1}


async def test_a_discard_that_comes_too_late_changes_nothing(shop: Shop, queue: Queue) -> None:
    original = queue.add()
    await shop.send(queue, original)
    outcome = await shop.outcome(queue, discard_of(original))
    assert (outcome.state, reason(outcome)) == (CONFLICT, "SEQUENCE_CONFLICT")
    assert await shop.quantities() == {"apple": 1}


async def test_a_discard_is_never_refused_for_age_size_features_rate_or_backend(shop: Shop, queue: Queue) -> None:
    shop.gate.remaining = 0
    shop.shelf.reachable = False
    discard = discard_of(
        queue.add(),
        required_features=["nobody-has-this"],
        session_context=operation_pb2.SessionContext(locale="x" * 40_000),
    )
    discard.age.CopyFrom(duration(timedelta(days=100)))
    assert (await shop.outcome(queue, discard)).state == APPLIED


async def test_a_discard_with_a_used_key_is_rejected_and_the_queue_goes_on(shop: Shop, queue: Queue) -> None:
    first, second, third = queue.add(), queue.add(), queue.add("bread")
    discard = changed(discard_of(second), idempotency_key=first.operation.idempotency_key)
    assert reasons(await shop.send(queue, first, discard, third)) == ["", "KEY_REUSED", ""]


# Poison


async def test_a_failing_decision_is_deferred_and_what_came_before_it_stands(shop: Shop, queue: Queue) -> None:
    attempts = [queue.add(), queue.add("bread"), queue.add("cream")]
    shop.breakpoints.failing_sequences[2] = 1
    results = await shop.send(queue, *attempts)
    assert reasons(results) == ["", "INTERNAL", "PREDECESSOR_NOT_DECIDED"]
    assert results[1].outcome.refusal.retry_delay.seconds > 0
    assert await shop.watermark(queue) == 1
    assert reasons(await shop.send(queue, *attempts)) == ["", "", ""]


async def test_an_operation_that_failed_too_often_is_quarantined_and_the_queue_goes_on(queue: Queue) -> None:
    async with open_shop(Policy(quarantine_attempt_count=3)) as shop:
        shop.breakpoints.failing_sequences[1] = 100
        poison, following = queue.add(), queue.add("bread")
        for _ in range(3):
            assert reason(await shop.outcome(queue, poison)) == "INTERNAL"
        results = await shop.send(queue, poison, following)
        assert reasons(results) == ["QUARANTINED", ""]
        assert results[0].outcome.state == REJECTED
        assert (await shop.send(queue, poison))[0].replayed
        assert await shop.quantities() == {"bread": 1}


async def test_failures_of_another_key_at_the_sequence_do_not_count(queue: Queue) -> None:
    async with open_shop(Policy(quarantine_attempt_count=1)) as shop:
        shop.breakpoints.failing_sequences[1] = 1
        poison = queue.add()
        assert reason(await shop.outcome(queue, poison)) == "INTERNAL"
        assert (await shop.outcome(queue, changed(poison, idempotency_key=new_key()))).state == APPLIED


async def test_a_discard_frees_a_queue_from_poison(shop: Shop, queue: Queue) -> None:
    poison, following = queue.add(), queue.add("bread")
    shop.breakpoints.failing_sequences[1] = 1
    await shop.send(queue, poison)
    assert reasons(await shop.send(queue, discard_of(poison), following)) == ["", ""]


# Looking up


async def test_a_lookup_tells_decided_undecided_and_purged(shop: Shop, queue: Queue) -> None:
    (old,) = await shop.send(queue, queue.add())
    assert old.outcome.state == APPLIED
    shop.clock.advance(shop.policy.outcome_retention + timedelta(seconds=1))
    await shop.store.prune_due(shop.clock.now())
    (recent,) = await shop.send(queue, queue.add())
    found = await shop.settlement.lookup("ada", queue.queue_id, 1, 3)
    assert found.decided_through_sequence == 2
    assert [status.decidedness for status in found.statuses] == [
        service_pb2.DECIDEDNESS_PURGED,
        service_pb2.DECIDEDNESS_DECIDED,
        service_pb2.DECIDEDNESS_UNDECIDED,
    ]
    assert found.statuses[1].outcome == recent.outcome
    assert not found.statuses[0].HasField("outcome")


async def test_a_lookup_decides_and_cancels_nothing(shop: Shop, queue: Queue) -> None:
    found = await shop.settlement.lookup("ada", queue.queue_id, 1, 2)
    assert found.decided_through_sequence == 0
    assert {status.decidedness for status in found.statuses} == {service_pb2.DECIDEDNESS_UNDECIDED}
    assert (await shop.outcome(queue, queue.add())).state == APPLIED


# Contact


async def test_duplicates_and_lookups_alone_keep_a_queue_in_contact(shop: Shop, queue: Queue) -> None:
    attempt = queue.add()
    await shop.send(queue, attempt)
    almost = shop.policy.queue_retention - timedelta(days=1)
    for contact in ("duplicate", "lookup", "snapshot", "watermark"):
        shop.clock.advance(almost)
        await shop.store.prune_due(shop.clock.now())
        if contact == "duplicate":
            assert reasons(await shop.send(queue, attempt)) == ["OUTCOME_PURGED"]
        elif contact == "lookup":
            assert (await shop.settlement.lookup("ada", queue.queue_id, 1, 1)).decided_through_sequence == 1
        elif contact == "snapshot":
            assert (await shop.settlement.cart("ada", "basket", queue.queue_id)).decided_through_sequence == 1
        else:
            assert await shop.watermark(queue) == 1
    shop.clock.advance(almost)
    await shop.store.prune_due(shop.clock.now())
    assert await shop.watermark(queue) == 1


async def test_a_queue_out_of_contact_for_longer_than_its_retention_begins_anew(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    shop.clock.advance(shop.policy.queue_retention + timedelta(days=2))
    await shop.store.prune_due(shop.clock.now())
    outcome = await shop.outcome(queue, queue.add())
    assert (reason(outcome), outcome.refusal.expected_sequence) == ("SEQUENCE_GAP", 1)
