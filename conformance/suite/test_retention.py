"""Spec 4.2 and 4.3: the replay window, and pruning. A server need not prune, so a record that lives is fine too."""

from __future__ import annotations

from datetime import timedelta

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2, service_pb2
from google.protobuf.duration_pb2 import Duration

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_ledger
from conformance.suite.marks import requirement
from conformance.suite.wrong import request_of
from conformance.wire.device import Device, answer_of
from conformance.wire.story import Story

EXPIRED = reason_pb2.REASON_REPLAY_WINDOW_EXPIRED
MARGIN = timedelta(minutes=10)  # more than a check takes
FOREVER = 315_576_000_000  # seconds, the largest duration


@requirement("retention/window-enforced")
def test_the_replay_window_ends_where_the_policy_says(story: Story) -> None:
    """Sends ages up to the window and above it: the former are applied, the latter rejected, once and for all."""
    phone = story.device()
    tea = story.sku()
    window = story.policy.replay_window.ToTimedelta()
    applied = [_submitted(phone, tea, age) for age in (timedelta(0), window - timedelta(seconds=1), window)]
    for result in applied:
        story.expect_applied(result)
    for age in (window + timedelta(milliseconds=1), window + timedelta(days=1), window * 10):
        expired = story.expect_refused(_submitted(phone, tea, age), EXPIRED)
    operation = phone.add(tea)
    attempt = operation_pb2.OperationAttempt(operation=operation, age=Duration(seconds=FOREVER))
    story.expect_refused(answer_of(phone.connection.submit(request_of(phone, [attempt]))).only, EXPIRED)
    story.expect_replayed(phone.submit(phone.log[5]).only, expired, slug="deciding/rejection-recorded")
    story.expect_lines(phone.cart(), {tea: len(applied)})


@requirement("retention/window-enforced")
def test_an_operation_does_not_age_while_the_server_defers_it(story: Story) -> None:
    """Defers an operation for longer than the window; with the age of its first attempt it is applied after that."""
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea)
    story.shop.backend(available=False)
    story.expect_refused(
        phone.submit(operation, age=timedelta(hours=1)).only,
        reason_pb2.REASON_BACKEND_UNAVAILABLE,
        slug="backend/deferred",
    )
    story.shop.advance(story.policy.replay_window.ToTimedelta() + timedelta(days=1))
    story.shop.backend(available=True)
    story.expect_applied(phone.submit(operation, age=timedelta(hours=1)).only)


@requirement("retention/unknown-age")
def test_an_operation_of_unknown_age_never_expires(story: Story) -> None:
    """Sends operations without age whose enqueue_time lies decades off, either way: all of them are applied."""
    phone = story.device()
    tea = story.sku()
    for seconds in (0, 1, 4_102_444_800, 253_402_300_799):
        operation = phone.add(tea)
        operation.enqueue_time.seconds = seconds
        story.expect_applied(phone.submit(operation).only)
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("retention/negative-age")
def test_a_negative_age_counts_as_zero(story: Story) -> None:
    """Sends negative ages, small and far beyond the window: all of them are applied."""
    phone = story.device()
    tea = story.sku()
    window = story.policy.replay_window.ToTimedelta()
    for age in (timedelta(milliseconds=-1), -window, -window * 3):
        story.expect_applied(_submitted(phone, tea, age))
    operation = phone.add(tea)
    attempt = operation_pb2.OperationAttempt(operation=operation, age=Duration(seconds=-FOREVER))
    story.expect_applied(answer_of(phone.connection.submit(request_of(phone, [attempt]))).only)
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("retention/window-before-backend")
def test_an_expired_operation_does_not_wait_for_backing_services(story: Story) -> None:
    """Sends an expired add while catalogue and stock are unreachable: rejected, and the queue moves on."""
    phone = story.device()
    tea = story.sku()
    window = story.policy.replay_window.ToTimedelta()
    story.shop.backend(available=False)
    answer = phone.submit(phone.add(tea), age=window + timedelta(hours=1))
    story.expect_refused(answer.only, EXPIRED)
    story.expect(answer.watermark == 1, "an expired operation stays at the head of its queue", observed=answer.queue)
    story.shop.backend(available=True)
    story.expect_applied(phone.submit(phone.add(tea)).only, slug="deciding/rejection-advances")


@requirement("retention/records-kept")
def test_records_are_kept_for_as_long_as_the_policy_says(story: Story) -> None:
    """Goes to just before the end of the retention in several steps: duplicates and look-ups get the record."""
    phone = story.device()
    tea = story.sku()
    recorded = _decided(story, phone, tea)
    retention = story.policy.outcome_retention.ToTimedelta()
    for step in (story.policy.replay_window.ToTimedelta(), timedelta(hours=23)):
        story.shop.advance(step)
        _expect_records(story, phone, recorded)
    story.shop.advance(retention - MARGIN - timedelta(hours=23) - story.policy.replay_window.ToTimedelta())
    _expect_records(story, phone, recorded)


@requirement("retention/purged-not-executed")
def test_a_duplicate_of_a_pruned_operation_is_not_executed(story: Story) -> None:
    """Sends duplicates long after the retention: purged or as recorded, and the cart stays as it is."""
    phone = story.device()
    tea = story.sku()
    recorded = _decided(story, phone, tea)
    before = phone.cart()
    story.shop.advance(story.policy.outcome_retention.ToTimedelta() * 2 + timedelta(days=1))
    again = phone.submit(*phone.log)
    for result, outcome in zip(again.results, recorded, strict=True):
        _expect_purged_or(story, result, outcome)
    story.expect(again.watermark == 2, "a purged answer moves the watermark", expected=2, observed=again.watermark)
    for operation, outcome in zip(phone.log, recorded, strict=True):
        other = phone.submit(edited(operation, idempotency_key=phone.new_key())).only
        if other.outcome.refusal.reason != reason_pb2.REASON_SEQUENCE_CONFLICT:
            _expect_purged_or(story, other, outcome)
    after = phone.cart()
    story.expect(
        after.revision == before.revision and len(after.lines) == 1 and after.lines[0].quantity == 2,
        "a duplicate of a pruned operation changed the cart",
        expected=before,
        observed=after,
    )
    expect_ledger(story, phone, phone.log[:1])


@requirement("retention/watermark-kept")
def test_a_queue_goes_on_when_all_its_records_are_pruned(story: Story) -> None:
    """Leaves a queue alone for almost the queue retention: watermark and last key are as they were."""
    phone = story.device()
    tea = story.sku()
    _decided(story, phone, tea)
    kept = story.policy.queue_retention.ToTimedelta() - timedelta(days=1) - MARGIN
    pruned = min(kept, story.policy.outcome_retention.ToTimedelta() + timedelta(days=1))
    story.shop.advance(pruned)
    story.shop.advance(kept - pruned)
    watermark = phone.lookup(3, 3).queue.decided_through_sequence
    story.expect(watermark == 2, "the queue's watermark is gone", expected="watermark 2", observed=watermark)
    following = phone.add(tea, 3)
    astray = edited(following, idempotency_key=phone.new_key(), previous_key=phone.new_key())
    story.expect_refused(phone.submit(astray).only, reason_pb2.REASON_QUEUE_DIVERGED)
    story.expect_applied(phone.submit(following).only)
    early = phone.log[0]
    repeated = phone.submit(early, phone.log[1], following)
    story.expect(
        repeated.watermark == 3 and repeated.results[2].replayed,
        "behind purged operations a duplicate is not answered from its record",
        observed=repeated.results[2],
    )
    story.expect_lines(phone.cart(), {tea: 5})
    expect_ledger(story, phone, [early, following])


@requirement("retention/watermark-kept")
def test_a_queue_that_only_repeats_itself_stays_in_contact(story: Story) -> None:
    """Twice lets most of the queue retention go by, a duplicate in between: the queue is as far as it was."""
    phone = story.device()
    tea = story.sku()
    _decided(story, phone, tea)
    kept = story.policy.queue_retention.ToTimedelta() - timedelta(days=2) - MARGIN
    for _ in range(2):
        story.shop.advance(kept)
        watermark = phone.submit(phone.log[0]).watermark
        story.expect(
            watermark == 2,
            "the watermark of a queue that was in contact is gone",
            expected="watermark 2",
            observed=watermark,
        )
    story.expect_applied(phone.submit(phone.add(tea, 3)).only)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("retention/lookup-purged")
def test_a_look_up_says_that_a_record_is_purged(story: Story) -> None:
    """Looks up a queue long after the retention: each sequence purged, or with its whole record; none undecided."""
    phone = story.device()
    recorded = _decided(story, phone, story.sku())
    story.shop.advance(story.policy.outcome_retention.ToTimedelta() + timedelta(days=1))
    found = phone.lookup(1, 3)
    for status, outcome in zip(found.statuses[:2], recorded, strict=True):
        purged = status.decidedness == service_pb2.DECIDEDNESS_PURGED and not status.HasField("outcome")
        kept = status.decidedness == service_pb2.DECIDEDNESS_DECIDED and status.outcome == outcome
        story.expect(
            purged or kept,
            f"sequence {status.sequence}, whose record is past its retention, is reported as something else",
            expected="purged, without outcome",
            observed=status,
        )
    story.expect(
        found.statuses[2].decidedness == service_pb2.DECIDEDNESS_UNDECIDED
        and found.queue.decided_through_sequence == 2,
        "a sequence that was never sent is not reported undecided beside purged ones",
        expected="watermark 2, sequence 3 undecided",
        observed=found,
    )


def _submitted(phone: Device, sku: str, age: timedelta) -> outcome_pb2.OperationResult:
    return phone.submit(phone.add(sku), age=age).only


def _decided(story: Story, phone: Device, sku: str) -> tuple[outcome_pb2.Outcome, outcome_pb2.Outcome]:
    """An add of two units, applied, and one of nothing known, rejected."""
    applied, rejected = phone.submit(phone.add(sku, 2), phone.add(f"nothing-{story.tag}")).results
    return (
        story.expect_applied(applied, slug="cart/add-adds"),
        story.expect_refused(rejected, reason_pb2.REASON_SKU_UNKNOWN, slug="stock/unknown-sku"),
    )


def _expect_records(story: Story, phone: Device, recorded: tuple[outcome_pb2.Outcome, ...]) -> None:
    found = [status.outcome for status in phone.lookup(1, len(recorded)).statuses]
    story.expect(found == list(recorded), "a record is gone before its time", expected=recorded, observed=found)
    for result, outcome in zip(phone.submit(*phone.log).results, recorded, strict=True):
        story.expect_replayed(result, outcome)


def _expect_purged_or(story: Story, result: outcome_pb2.OperationResult, recorded: outcome_pb2.Outcome) -> None:
    """Expect PURGED, or the record where it lives."""
    if not (result.replayed and result.outcome == recorded):
        story.expect_refused(result, reason_pb2.REASON_OUTCOME_PURGED)
