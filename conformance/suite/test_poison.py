"""Checks of spec 3.7: an operation that the server fails to decide."""

from __future__ import annotations

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_effects, expect_line, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story


@requirement("poison/internal-deferred")
def test_a_failure_defers_its_operation_and_spares_those_before_it(story: Story) -> None:
    """Lets the second of three operations fail once: the first is applied, the second deferred with a delay."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 1), phone.add(tea, 2), phone.add(tea, 4)]
    story.shop.throw(2)
    answer = phone.submit(*batch)
    story.expect_applied(answer.results[0])
    if story.policy.quarantine_attempt_count > 1:
        outcome = story.expect_refused(answer.results[1], reason_pb2.REASON_INTERNAL)
        _expect_delay(story, outcome)
        story.expect_refused(
            answer.results[2], reason_pb2.REASON_PREDECESSOR_NOT_DECIDED, slug="deciding/stop-after-deferral"
        )
        expect_watermark(story, answer, 1)
        story.expect_lines(phone.cart(), {tea: 1})
    expect_effects(story, phone, batch[0], 1)
    expect_effects(story, phone, batch[1], 0)


@requirement("poison/internal-deferred")
def test_an_operation_that_failed_once_is_applied_when_it_comes_again(story: Story) -> None:
    """Lets an operation fail once and sends it again: decided then, as if nothing had happened."""
    if story.policy.quarantine_attempt_count == 1:
        return
    tea = story.sku()
    phone = story.device()
    first, _ = put_in_cart(story, phone, tea, 1)
    operation = phone.add(tea, 2)
    story.shop.throw(2)
    _expect_delay(story, story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_INTERNAL))
    story.expect_applied(phone.submit(operation).only, slug="deciding/deferral-unrecorded")
    expect_effects(story, phone, first, 1)
    expect_effects(story, phone, operation, 1)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("poison/internal-deferred")
def test_a_failing_queue_does_not_hold_up_another_one(story: Story) -> None:
    """Lets one queue fail, and sends another queue's operation of the same cart."""
    if story.policy.quarantine_attempt_count == 1:
        return
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    story.shop.throw(2)
    story.expect_refused(phone.submit(phone.add(tea, 2)).only, reason_pb2.REASON_INTERNAL)
    put_in_cart(story, tablet, tea, 4)
    story.expect_lines(tablet.cart(), {tea: 5})


@requirement("poison/quarantined")
def test_an_operation_that_keeps_failing_is_quarantined(story: Story) -> None:
    """Lets an operation fail as often as the policy says: rejected at the next attempt, and recorded."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    quarantined = _fail_until_quarantined(story, phone, operation)
    story.shop.release()
    story.expect_replayed(phone.submit(operation).only, quarantined)
    expect_effects(story, phone, operation, 0)
    story.expect_lines(phone.cart(), {})


@requirement("poison/quarantined")
def test_an_operation_is_not_quarantined_before_its_time(story: Story) -> None:
    """Lets an operation fail once less often than the policy says, and sends it again: applied."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    failure_count = story.policy.quarantine_attempt_count - 1
    if failure_count:
        story.shop.throw(1, hit_count=failure_count)
    for _ in range(failure_count):
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_INTERNAL)
    story.expect_applied(phone.submit(operation).only)


@requirement("poison/queue-moves-on")
def test_the_operation_behind_a_quarantined_one_is_decided(story: Story) -> None:
    """Quarantines the second of three operations and sends the third, whose previous key is the second's."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    poison = phone.add(tea, 2)
    _fail_until_quarantined(story, phone, poison)
    answer = phone.submit(phone.add(tea, 4))
    story.expect_applied(answer.only)
    expect_watermark(story, answer, 3)
    expect_line(story, phone, tea, 5)


@requirement("poison/queue-moves-on")
def test_a_queue_that_is_sent_as_a_whole_gets_past_a_poisoned_operation(story: Story) -> None:
    """Sends the same three operations over and over while the second fails: in the end all three are decided."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 1), phone.add(tea, 2), phone.add(tea, 4)]
    attempt_count = story.policy.quarantine_attempt_count + 1
    story.shop.throw(2, hit_count=attempt_count)
    for _ in range(attempt_count):
        answer = phone.submit(*batch)
    story.expect_refused(answer.results[1], reason_pb2.REASON_QUARANTINED, slug="poison/quarantined")
    story.expect_applied(answer.results[2])
    expect_watermark(story, answer, 3)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("poison/queue-moves-on")
def test_behind_a_quarantined_discard_the_chain_goes_on_from_the_discarded_key(story: Story) -> None:
    """Quarantines a discard and sends the operation behind it, whose previous key is the discarded one."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    _fail_until_quarantined(story, phone, phone.discard_of(phone.add(tea, 2)))
    story.expect_applied(phone.submit(phone.add(tea, 4)).only)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("deciding/refusal-order")
def test_the_rate_limit_comes_before_the_quarantine(story: Story) -> None:
    """Exhausts the rate limit when an operation has failed often enough: deferred still, and quarantined later."""
    phone = story.device()
    operation = phone.add(story.sku(), 2)
    count = story.policy.quarantine_attempt_count
    story.shop.throw(1, hit_count=count)
    for _ in range(count):
        result = phone.submit(operation).only
    if result.outcome.refusal.reason == reason_pb2.REASON_INTERNAL:  # else it is quarantined, and recorded, already
        story.shop.rate_limit(0)
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_RATE_LIMITED)
        story.shop.rate_limit(None)
        result = phone.submit(operation).only
    story.expect_refused(result, reason_pb2.REASON_QUARANTINED, slug="poison/quarantined")


def _fail_until_quarantined(story: Story, phone: Device, operation: operation_pb2.CartOperation) -> outcome_pb2.Outcome:
    """Let deciding the operation fail from now on, and send it until it is quarantined."""
    count = story.policy.quarantine_attempt_count
    story.shop.throw(operation.sequence, hit_count=count + 1)
    for _ in range(count - 1):
        story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_INTERNAL, slug="poison/internal-deferred")
    result = phone.submit(operation).only
    if result.outcome.refusal.reason == reason_pb2.REASON_INTERNAL:
        result = phone.submit(operation).only
    return story.expect_refused(result, reason_pb2.REASON_QUARANTINED, slug="poison/quarantined")


def _expect_delay(story: Story, outcome: outcome_pb2.Outcome) -> None:
    delay = outcome.refusal.retry_delay
    story.expect(
        outcome.refusal.HasField("retry_delay") and delay.ToTimedelta().total_seconds() >= 0,
        "a failure is answered without the delay after which to try again",
        expected="retry_delay",
        observed=outcome.refusal,
    )
