"""Spec 2.4: looking up."""

from __future__ import annotations

from functools import partial

import grpc
from cartsync.v1 import service_pb2

from conformance.suite.evidence import expect_processed
from conformance.suite.marks import requirement
from conformance.suite.races import answer, held, read_beside
from conformance.wire.device import Device
from conformance.wire.story import Story

DECIDED = service_pb2.DECIDEDNESS_DECIDED
UNDECIDED = service_pb2.DECIDEDNESS_UNDECIDED


@requirement("lookup/statuses")
def test_each_sequence_is_reported_as_it_was_decided(story: Story) -> None:
    """Looks up changes, rejections, no-changes and a discard, and what lies above: recorded outcomes, undecided."""
    phone = story.device()
    tea = story.sku()
    phone.add(tea, 2)
    phone.add(f"nothing-{story.tag}")
    phone.remove("not-there")
    discard = phone.discard_of(phone.add(tea))
    phone.adjust(tea, -5)
    phone.add(tea)
    recorded = list(phone.submit(*phone.log[:3], discard, phone.log[4]).outcomes)
    for first, last in ((1, 7), (2, 4), (5, 5), (6, 6), (5, 6), (10**12, 10**12 + 2)):
        found = phone.lookup(first, last)
        sequences = list(range(first, last + 1))
        expected = [(n, DECIDED, recorded[n - 1]) if n <= 5 else (n, UNDECIDED, None) for n in sequences]
        observed = [
            (status.sequence, status.decidedness, status.outcome if status.HasField("outcome") else None)
            for status in found.statuses
        ]
        story.expect(
            observed == expected,
            f"the look-up of {first} to {last} does not report what was answered when they were decided",
            expected=expected,
            observed=observed,
        )
        story.expect(
            found.queue.queue_id == phone.queue_id and found.queue.decided_through_sequence == 5,
            "a look-up reports another watermark than the submission before it",
            expected="watermark 5",
            observed=found.queue,
        )


@requirement("lookup/statuses")
def test_a_deferral_or_conflict_leaves_nothing_to_look_up(story: Story) -> None:
    """Looks up sequences that were only deferred or in conflict: the one undecided, the other as recorded."""
    phone = story.device()
    tea = story.sku()
    recorded = story.expect_applied(phone.submit(phone.add(tea)).only, slug="cart/add-adds")
    phone.submit(phone.discard_of(phone.log[0]))
    phone.add(tea)
    phone.submit(phone.add(tea))
    first, second, third = phone.lookup(1, 3).statuses
    story.expect(first.outcome == recorded, "a look-up reports a conflict in place of the record", observed=first)
    for status in (second, third):
        story.expect(
            status.decidedness == UNDECIDED and not status.HasField("outcome"),
            f"sequence {status.sequence} was only deferred, and is reported otherwise than undecided",
            expected="undecided",
            observed=status,
        )


@requirement("lookup/decides-nothing")
def test_what_was_looked_up_undecided_is_decided_when_it_comes(story: Story) -> None:
    """Looks up operations before they are sent, and behind a gap: each is decided anew, in full."""
    phone = story.device()
    tea = story.sku()
    first, second = phone.add(tea), phone.add(tea, 2)
    _expect_undecided(story, phone, 1, 2)
    phone.submit(second)
    _expect_undecided(story, phone, 1, 2)
    for operation in (first, second):
        result = phone.submit(operation).only
        story.expect_applied(result)
        story.expect(not result.replayed, "a look-up decided an operation", expected="decided by its submission")
    phone.lookup(1, 2)
    expect_processed(story, phone, phone.log, {tea: 3})


@requirement("lookup/decides-nothing")
def test_looking_ahead_of_a_queue_at_work_cancels_nothing(story: Story) -> None:
    """Looks up what a queue with decided operations has not sent yet; it is decided when it comes, in full."""
    phone = story.device()
    tea = story.sku()
    story.expect_applied(phone.submit(phone.add(tea)).only, slug="cart/add-adds")
    second, third = phone.add(tea, 2), phone.add(tea, 4)
    found = phone.lookup(1, 3)
    story.expect(
        [status.decidedness for status in found.statuses][1:] == [UNDECIDED] * 2,
        "a look-up calls what never came decided",
        expected="2 and 3 undecided",
        observed=found,
        slug="lookup/statuses",
    )
    for operation in (second, third):
        result = phone.submit(operation).only
        story.expect_applied(result)
        story.expect(not result.replayed, "a look-up decided an operation", expected="decided by its submission")
    expect_processed(story, phone, phone.log, {tea: 7})


@requirement("lookup/decides-nothing")
def test_a_look_up_cancels_nothing_that_is_on_its_way(story: Story) -> None:
    """Looks up an operation while its submission is held before the commit: undecided, and applied all the same."""
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea)
    tablet = phone.over(story.connect("tablet"))
    with held(story, phone, operation) as pending:
        found = read_beside(lambda seconds: tablet.lookup(1, 1, seconds=seconds))
    if found is not None:  # else the look-up waits for what is on its way, as under a lock
        _expect_undecided_in(story, phone, found, 1, 1)
    story.expect_applied(answer(pending).only)
    expect_processed(story, phone, [operation], {tea: 1})


@requirement("lookup/unknown-queue")
def test_a_queue_that_sent_nothing_is_at_its_beginning(story: Story) -> None:
    """Looks up a queue that never sent anything: watermark 0, every sequence undecided."""
    phone = story.device()
    limit = story.policy.max_submission_operation_count
    _expect_undecided(story, phone, 1, limit)
    _expect_undecided(story, phone, 2**40, 2**40)


@requirement("lookup/range-checked")
def test_the_range_of_a_look_up_is_checked(story: Story) -> None:
    """Looks up ranges below 1, inverted, and one too long: INVALID_ARGUMENT; the longest one is answered."""
    phone = story.device()
    limit = story.policy.max_submission_operation_count
    top = 2**63 - 1
    for first, last in ((0, 0), (0, 1), (-1, 1), (-top, top), (2, 1), (1, 0), (1, limit + 1), (7, limit + 7), (1, top)):
        story.expect_status(
            partial(phone.lookup, first, last),
            grpc.StatusCode.INVALID_ARGUMENT,
            what=f"a look-up of {first} to {last}",
        )
    story.expect(
        len(phone.lookup(7, limit + 6).statuses) == limit,
        f"a look-up of {limit} sequences, as many as the policy allows, is not answered in full",
    )


def _expect_undecided(story: Story, phone: Device, first: int, last: int) -> None:
    _expect_undecided_in(story, phone, phone.lookup(first, last), first, last)


def _expect_undecided_in(
    story: Story, phone: Device, found: service_pb2.LookupOutcomesResponse, first: int, last: int
) -> None:
    story.expect(
        found.queue.queue_id == phone.queue_id and found.queue.decided_through_sequence == 0,
        "a look-up of a queue that has decided nothing reports another watermark than 0, or another queue",
        expected=f"watermark 0 of queue {phone.queue_id}",
        observed=found.queue,
    )
    observed = [(status.sequence, status.decidedness, status.HasField("outcome")) for status in found.statuses]
    story.expect(
        observed == [(sequence, UNDECIDED, False) for sequence in range(first, last + 1)],
        f"sequences {first} to {last} of a queue that has decided nothing are not all reported undecided",
        observed=found.statuses,
    )
