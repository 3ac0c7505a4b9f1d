"""Spec 2.1: what a submission must look like."""

from __future__ import annotations

from functools import partial

import grpc
import pytest
from cartsync.v1 import operation_pb2, service_pb2

from conformance.exceptions import NotTestableError
from conformance.suite.edits import discarding, edited, padded
from conformance.suite.evidence import expect_processed, expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.wrong import near_canonical, request_of, wrong_submissions
from conformance.wire.connection import RpcFailureError
from conformance.wire.device import Device, attempts_of
from conformance.wire.story import Story

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FLOOR_OPERATIONS, FLOOR_OPERATION_BYTES, FLOOR_SUBMISSION_BYTES = 100, 16_384, 1_048_576


@requirement("submission/canonical-keys")
def test_a_key_has_one_spelling(story: Story) -> None:
    """Spells keys, previous keys and discarded keys in other ways: INVALID_ARGUMENT each time, nothing recorded."""
    phone = story.device()
    first, second = phone.add(story.sku()), phone.add(story.sku())
    discard = phone.discard_of(first)
    for words, key in near_canonical(phone.new_key()).items():
        for name, operations in {
            "a key": (edited(first, idempotency_key=key),),
            "a previous key": (first, edited(second, previous_key=key)),
            "a discarded key": (discarding(discard, key),),
        }.items():
            story.expect_status(partial(phone.submit, *operations), INVALID, what=f"{name} {words}")
    for name, wrong in {
        "an empty key": edited(first, idempotency_key=""),
        "an empty discarded key": discarding(discard, ""),
    }.items():
        story.expect_status(partial(phone.submit, wrong), INVALID, what=name)
    expect_untouched(story, phone, slug="submission/all-or-nothing")


@requirement("submission/canonical-keys")
def test_keys_may_be_uuids_of_any_version(story: Story) -> None:
    """Uses keys of versions 1, 4, 6, 7 and 8 in a queue with an id of version 7: all of them are decided."""
    phone = story.device()
    phone.queue_id = _versioned(phone.new_key(), 7)
    sku = story.sku()
    for version in (1, 4, 6, 7, 8):
        intent = operation_pb2.CartOperation(idempotency_key=_versioned(phone.new_key(), version))
        intent.remove_item.cart_id, intent.remove_item.sku = phone.cart_id, sku
        answer = phone.submit(phone.enqueue(intent))
        story.expect_applied(answer.only, changed=False)


@requirement("submission/canonical-queue-id")
def test_a_queue_id_has_one_spelling(story: Story) -> None:
    """Spells the queue id in other ways, and leaves it out: INVALID_ARGUMENT each time."""
    phone = story.device()
    operation = phone.add(story.sku())
    right = phone.queue_id
    for words, queue_id in {**near_canonical(right), "that is empty": ""}.items():
        phone.queue_id = queue_id
        story.expect_status(partial(phone.submit, operation), INVALID, what=f"a submission for a queue id {words}")
    phone.queue_id = right
    expect_untouched(story, phone, slug="submission/all-or-nothing")


@requirement("submission/consecutive")
@pytest.mark.parametrize(
    "sequences",
    [(1, 3), (2, 1), (1, 1), (1, 2, 4), (3, 2, 1), (0,), (0, 1), (-1,), (2**63 - 1, -(2**63))],
    ids=lambda sequences: ",".join(map(str, sequences)),
)
def test_sequences_are_consecutive_and_ascend(story: Story, sequences: tuple[int, ...]) -> None:
    """Submits sequences that skip, repeat, descend or start below 1: INVALID_ARGUMENT, nothing decided."""
    phone = story.device()
    sku = story.sku()
    previous = phone.new_key()
    operations = []
    for sequence in sequences:
        link = "" if sequence <= 1 else previous
        operations.append(edited(phone.add(sku), sequence=sequence, previous_key=link))
        previous = operations[-1].idempotency_key
    story.expect_status(
        partial(phone.submit, *operations), INVALID, what=f"a submission of sequences {', '.join(map(str, sequences))}"
    )
    expect_untouched(story, phone, slug="submission/all-or-nothing")


@requirement("submission/first-link")
def test_only_the_first_operation_has_no_predecessor(story: Story) -> None:
    """Sets previous_key at sequence 1 and leaves it empty at 2: INVALID_ARGUMENT both times."""
    phone = story.device()
    sku = story.sku()
    first, second = phone.add(sku), phone.add(sku)
    story.expect_status(
        partial(phone.submit, edited(first, previous_key=phone.new_key())),
        INVALID,
        what="a first operation with a previous key",
    )
    unlinked = edited(second, previous_key="")
    story.expect_status(
        partial(phone.submit, first, unlinked), INVALID, what="a second operation without previous key in a batch"
    )
    expect_untouched(story, phone, slug="submission/all-or-nothing")
    story.expect_applied(phone.submit(first).only, slug="cart/add-adds")
    story.expect_status(partial(phone.submit, unlinked), INVALID, what="a second operation without previous key")
    expect_processed(story, phone, [first], {sku: 1}, slug="submission/all-or-nothing")


@requirement("submission/nonempty")
def test_a_submission_carries_operations(story: Story) -> None:
    """Submits nothing, an attempt without operation, and one behind a right operation: INVALID_ARGUMENT."""
    phone = story.device()
    right = attempts_of([phone.add(story.sku())])
    empty = operation_pb2.OperationAttempt()
    for name, attempts in {
        "a submission without attempts": [],
        "an attempt without operation": [empty],
        "an attempt without operation behind a right one": [*right, empty],
        "an attempt without operation before a right one": [empty, *right],
    }.items():
        story.expect_status(partial(phone.connection.submit, request_of(phone, attempts)), INVALID, what=name)
    expect_untouched(story, phone, slug="submission/all-or-nothing")


@requirement("submission/discard-own-key")
def test_a_discard_cannot_cancel_itself(story: Story) -> None:
    """Discards its own key: INVALID_ARGUMENT, and the original is decided when it comes."""
    phone = story.device()
    sku = story.sku()
    original = phone.add(sku)
    own = discarding(phone.discard_of(original), original.idempotency_key)
    own.idempotency_key = original.idempotency_key
    story.expect_status(partial(phone.submit, own), INVALID, what="a discard of its own key")
    expect_untouched(story, phone, slug="submission/all-or-nothing")
    story.expect_applied(phone.submit(original).only)


@requirement("submission/batch-limit")
def test_a_batch_has_a_limit(story: Story) -> None:
    """Submits one operation more than the policy allows: INVALID_ARGUMENT. As many as it allows are decided."""
    phone = story.device()
    limit = story.policy.max_submission_operation_count
    sku = story.sku()
    for _ in range(min(limit, 100_000) + 1):
        phone.remove(sku)
    if limit > 100_000 or phone.request(*phone.log).ByteSize() > story.policy.max_submission_bytes:
        raise NotTestableError(f"{limit + 1} operations do not fit into the largest submission the policy allows")
    story.expect_status(
        partial(phone.submit, *phone.log),
        INVALID,
        what=f"a submission of {limit + 1} operations, with a limit of {limit}",
    )
    expect_untouched(story, phone, slug="submission/all-or-nothing")
    answer = phone.submit(*phone.log[:limit])
    story.expect(
        answer.watermark == limit,
        f"{answer.watermark} of {limit} operations were decided",
        expected=limit,
        observed=answer.watermark,
    )


@requirement("submission/floors")
def test_a_hundred_operations_are_decided(story: Story) -> None:
    """Submits 100 operations at once: all of them are applied."""
    phone = story.device()
    tea, mug = story.sku("tea"), story.sku("mug")
    for index in range(FLOOR_OPERATIONS):
        phone.add(tea if index % 2 else mug)
    _expect_all_applied(story, phone)
    story.expect_lines(phone.cart(), {tea: FLOOR_OPERATIONS // 2, mug: FLOOR_OPERATIONS // 2})


@requirement("submission/floors")
def test_an_operation_of_16_384_bytes_is_decided(story: Story) -> None:
    """Submits an operation of exactly 16,384 encoded bytes: it is applied."""
    phone = story.device()
    phone.log[:] = [padded(phone.add(story.sku()), FLOOR_OPERATION_BYTES)]
    _expect_all_applied(story, phone)


@requirement("submission/floors")
def test_a_submission_of_a_mebibyte_is_decided(story: Story) -> None:
    """Submits operations that make a request of exactly 1,048,576 encoded bytes: all of them are applied."""
    phone = story.device()
    sku = story.sku()
    full = FLOOR_SUBMISSION_BYTES // FLOOR_OPERATION_BYTES - 1
    for index in range(full):
        phone.log[index] = padded(phone.add(sku), FLOOR_OPERATION_BYTES)
    phone.add(sku)
    rest = FLOOR_SUBMISSION_BYTES - phone.request(*phone.log).ByteSize()
    for surplus in range(8):  # the two length prefixes around the last operation grow with it
        last = padded(phone.log[-1], phone.log[-1].ByteSize() + rest - surplus)
        if phone.request(*phone.log[:-1], last).ByteSize() == FLOOR_SUBMISSION_BYTES:
            phone.log[-1] = last
            break
    assert phone.request(*phone.log).ByteSize() == FLOOR_SUBMISSION_BYTES
    _expect_all_applied(story, phone)
    story.expect_lines(phone.cart(), {sku: full + 1})


@requirement("submission/all-or-nothing")
def test_a_refused_submission_did_nothing(story: Story) -> None:
    """Breaks each rule of the request behind a right operation; that operation is never processed."""
    phone = story.device()
    sku = story.sku()
    for wrong in wrong_submissions(phone, sku):
        story.expect_status(
            partial(phone.connection.submit, wrong.request(phone)), INVALID, slug=wrong.slug, what=wrong.name
        )
        expect_untouched(story, phone)
    for index, result in enumerate(phone.submit(*phone.log).results):
        story.expect_applied(result)
        story.expect(not result.replayed, f"operation {index + 1} of a refused submission had been decided by it")
    expect_processed(story, phone, phone.log, {sku: 2})


@requirement("submission/all-or-nothing")
def test_a_submission_refused_as_a_whole_did_nothing(story: Story) -> None:
    """Sends right operations with a wrong store, a wrong principal, too many and too much: none is processed."""
    phone = story.device()
    sku = story.sku()
    operation = phone.add(sku)
    for request in (
        phone.request(operation, store_id="another store"),
        phone.request(operation, principal=f"{phone.principal}x"),
        phone.request(operation, principal=""),
        _too_much(phone, operation, story.policy.max_submission_bytes),
    ):
        try:
            phone.connection.submit(request)
        except RpcFailureError:
            story.reconnect(phone)  # of a server that hangs up on what is too much
            expect_untouched(story, phone)
        else:
            return  # it was not refused: whether it had to be is another requirement's business
    story.expect_applied(phone.submit(operation).only)
    expect_processed(story, phone, [operation], {sku: 1})


def _too_much(
    phone: Device, operation: operation_pb2.CartOperation, byte_count: int
) -> service_pb2.SubmitOperationsRequest:
    huge = edited(operation)
    huge.session_context.client_name = "n" * min(byte_count * 5, 60 << 20)
    return phone.request(huge)


def _expect_all_applied(story: Story, phone: Device) -> None:
    answer = phone.submit(*phone.log)
    story.expect(
        len(answer.results) == len(phone.log),
        f"{len(phone.log)} operations were answered with {len(answer.results)} results",
        slug="answers/one-per-attempt",
    )
    for result in answer.results:
        story.expect_applied(result)


def _versioned(key: str, version: int) -> str:
    """The same UUID with another version digit."""
    return f"{key[:14]}{version}{key[15:]}"
