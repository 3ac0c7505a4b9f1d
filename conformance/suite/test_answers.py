"""Spec 2.3: answers."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import edited
from conformance.suite.marks import requirement
from conformance.suite.refusals import REFUSALS, Refused
from conformance.suite.refusals_by_profile import REFUSALS_BY_PROFILE
from conformance.wire.device import Answer, Device
from conformance.wire.story import Story, policy_of

FINAL = (reason_pb2.OUTCOME_STATE_APPLIED, reason_pb2.OUTCOME_STATE_REJECTED)


@requirement("answers/one-per-attempt")
def test_each_attempt_has_its_own_result(story: Story) -> None:
    """Submits batches that are applied, rejected, repeated, in conflict and deferred: one result each, in order."""
    phone = story.device()
    tea = story.sku()
    first, second, third = phone.add(tea), phone.add(f"nothing-{story.tag}"), phone.remove("not-there")
    fourth, fifth, sixth = phone.add(tea), phone.add(tea), phone.add(tea)
    imposter = edited(third, idempotency_key=phone.new_key())
    for batch in (
        (second, third),
        (first, second, third),
        (first, second, third, fourth),
        (second, imposter, fourth, fifth),
        (sixth,),
        (third, fourth, fifth, sixth),
    ):
        answer = phone.submit(*batch)
        asked = [(operation.idempotency_key, operation.sequence) for operation in batch]
        answered = [(outcome.idempotency_key, outcome.sequence) for outcome in answer.outcomes]
        story.expect(
            answered == asked,
            f"{len(asked)} attempts were answered with {len(answered)} results, or not with their own",
            expected=asked,
            observed=answered,
        )


@requirement("answers/watermark")
def test_every_answer_says_how_far_the_queue_has_come(story: Story) -> None:
    """Reads the watermark beside outcomes of every state: it covers what is final and moves for nothing else."""
    phone = story.device()
    tea = story.sku()
    first, second, third = phone.add(tea), phone.add(f"nothing-{story.tag}"), phone.add(tea)
    fourth = phone.add(tea)

    def expect_watermark(answer: Answer, watermark: int, words: str) -> None:
        story.expect(
            answer.queue.queue_id == phone.queue_id and answer.watermark == watermark,
            f"the answer to {words} says watermark {answer.watermark} of queue {answer.queue.queue_id or '(none)'}",
            expected=f"watermark {watermark} of queue {phone.queue_id}",
            observed=answer.queue,
        )

    expect_watermark(phone.submit(second), 0, "a gap in a queue that has sent nothing")
    expect_watermark(phone.submit(first), 1, "the first operation")
    expect_watermark(phone.submit(first, second), 2, "a duplicate and a rejection")
    expect_watermark(phone.submit(first), 2, "a duplicate")
    expect_watermark(phone.submit(fourth), 2, "a gap")
    expect_watermark(phone.submit(phone.discard_of(second)), 2, "a conflict")
    expect_watermark(phone.submit(third, fourth), 4, "two operations at once")
    expect_watermark(phone.submit(first, second), 4, "duplicates far behind")


@requirement("answers/reason-policy", "answers/details", "answers/final-fields")
@pytest.mark.parametrize(
    "refused",
    [*REFUSALS, *REFUSALS_BY_PROFILE],
    ids=lambda refused: reason_pb2.Reason.Name(refused.reason).removeprefix("REASON_").lower(),
)
def test_a_refusal_is_what_the_table_of_reasons_says(story: Story, refused: Refused) -> None:
    """Provokes a refusal: its state and disposition are the reason's, its details set, and decide_time if final."""
    result = refused.provoke(story)
    if result is None:
        return
    outcome, refusal = result.outcome, result.outcome.refusal
    story.expect(
        refusal.reason == refused.reason,
        f"an operation was refused as {_named(refusal.reason)}",
        expected=_named(refused.reason),
        observed=_named(refusal.reason),
        slug=refused.owner,
    )
    policy = policy_of(refused.reason)
    story.expect(
        (outcome.state, refusal.disposition) == (policy.state, policy.disposition),
        f"a refusal as {_named(refused.reason)} has another state or disposition than its policy",
        expected=f"state {policy.state}, disposition {policy.disposition}",
        observed=f"state {outcome.state}, disposition {refusal.disposition}",
        slug="answers/reason-policy",
    )
    _expect_details(story, refusal, refused)
    _expect_final_fields(story, outcome)


@requirement("answers/final-fields")
def test_only_final_outcomes_say_when_they_were_decided(story: Story) -> None:
    """Has operations of every kind applied, changed or not: each outcome carries decide_time, replays the same one."""
    phone = story.device()
    tea = story.sku()
    for operation in (
        phone.add(tea, 3),
        phone.adjust(tea, -1),
        phone.set(tea, 2),
        phone.remove("not-there"),
        phone.remove(tea),
        _discarded(phone, tea),
    ):
        outcome = story.expect_applied(phone.submit(operation).only, changed=None, slug="cart/add-adds")
        _expect_final_fields(story, outcome)


def _discarded(phone: Device, sku: str) -> operation_pb2.CartOperation:
    return phone.discard_of(phone.add(sku))


def _expect_final_fields(story: Story, outcome: outcome_pb2.Outcome) -> None:
    if outcome.state in FINAL:
        story.expect(
            outcome.HasField("decide_time"),
            "a final outcome carries no decide_time",
            observed=outcome,
            slug="answers/final-fields",
        )
    else:
        story.expect(
            not outcome.HasField("decide_time") and not outcome.revision and not outcome.changed,
            "an outcome that is not final carries decide_time, revision or changed",
            expected="none of them",
            observed=outcome,
            slug="answers/final-fields",
        )


def _expect_details(story: Story, refusal: outcome_pb2.Refusal, refused: Refused) -> None:
    slug, name = "answers/details", _named(refused.reason)
    story.expect(
        refusal.HasField("retry_delay") == refused.delayed and refusal.retry_delay.ToTimedelta().total_seconds() >= 0,
        f"a refusal as {name} {'lacks its' if refused.delayed else 'carries a'} retry_delay",
        expected="a delay" if refused.delayed else "none",
        observed=refusal,
        slug=slug,
    )
    wanted = refused.details
    story.expect(
        {violation.field for violation in wanted.field_violations}
        <= {violation.field for violation in refusal.field_violations},
        f"a refusal as {name} does not name the wrong field",
        expected=wanted,
        observed=refusal,
        slug=slug,
    )
    for field, value in wanted.ListFields():
        if field.name != "field_violations":
            story.expect(
                field.name in {present.name for present, _ in refusal.ListFields()}
                and getattr(refusal, field.name) == value,
                f"a refusal as {name} lacks its {field.name}, or says another",
                expected=wanted,
                observed=refusal,
                slug=slug,
            )


def _named(reason: reason_pb2.Reason.ValueType) -> str:
    known = reason in reason_pb2.Reason.values()
    return reason_pb2.Reason.Name(reason).removeprefix("REASON_") if known else f"unknown reason {reason}"
