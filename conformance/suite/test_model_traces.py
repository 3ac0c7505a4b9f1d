"""Traces of the formal model (docs/spec/model/traces.md) that no other check plays, step by step, against the server.

Each is the shortest way in which a server without one rule goes wrong; a server with the rule passes. The messages that
arrive late in them are sent late here: to a server it is the same.
"""

from __future__ import annotations

from functools import partial

import grpc
from cartsync.v1 import reason_pb2, service_pb2

from conformance.suite.evidence import expect_ledger, expect_undecided, expect_watermark
from conformance.suite.marks import requirement
from conformance.wire import Device, Story


@requirement("deciding/gap-deferred", "effects/exactly-once")
def test_an_operation_that_was_overtaken_is_not_lost_behind_the_one_that_overtook_it(story: Story) -> None:
    """Lets the second operation arrive first, and then drains the queue: both are applied, neither is purged."""
    tea = story.sku()
    phone = story.device()
    first, second = phone.add(tea, 1), phone.add(tea, 2)
    story.expect_refused(phone.submit(second).only, reason_pb2.REASON_SEQUENCE_GAP)
    answer = phone.submit(first, second)
    for result in answer.results:
        story.expect_applied(result, slug="effects/exactly-once")
    expect_ledger(story, phone, phone.log, slug="effects/exactly-once")
    story.expect_lines(phone.cart(), {tea: 3}, slug="effects/exactly-once")


@requirement("deciding/key-reused", "deciding/replay-verbatim", "deciding/rejection-advances")
def test_a_key_used_twice_costs_a_queue_nothing_but_the_second_use(story: Story) -> None:
    """Sends three operations at once, the second under the key of the first, and then each of them again."""
    tea, mug = story.sku("tea"), story.sku("mug")
    phone = story.device()
    first, reused, third = phone.add(tea, 2), phone.add(mug, 1), phone.add(tea, 4)
    reused.idempotency_key = third.previous_key = first.idempotency_key
    answer = phone.submit(first, reused, third)
    story.expect_applied(answer.results[0], slug="cart/add-adds")
    story.expect_refused(answer.results[1], reason_pb2.REASON_KEY_REUSED)
    story.expect_applied(answer.results[2], slug="deciding/rejection-advances")
    for operation, outcome in zip((first, reused, third), answer.outcomes, strict=True):
        story.expect_replayed(phone.submit(operation).only, outcome, slug="deciding/replay-verbatim")
    story.expect_lines(phone.cart(), {tea: 6})


@requirement("deciding/chain-checked", "deciding/sequence-conflict")
def test_a_copy_is_told_by_its_second_operation_while_its_first_is_still_on_its_way(story: Story) -> None:
    """Copies an empty queue; the copy is decided at sequence 1, and of the phone's queue sequence 2 arrives first."""
    tea, mug = story.sku("tea"), story.sku("mug")
    phone = story.device()
    copy = phone.copy("copy")
    story.expect_applied(copy.submit(copy.add(mug, 1)).only, slug="cart/add-adds")
    first, second = phone.add(tea, 2), phone.add(tea, 4)
    story.expect_refused(phone.submit(second).only, reason_pb2.REASON_QUEUE_DIVERGED)
    expect_undecided(story, phone, second)
    story.expect_refused(
        phone.submit(first).only, reason_pb2.REASON_SEQUENCE_CONFLICT, slug="deciding/sequence-conflict"
    )
    story.expect_lines(phone.cart(), {mug: 1})
    story.expect_applied(copy.submit(copy.add(mug, 8)).only)


@requirement("deciding/conflict-unrecorded", "deciding/payload-mismatch", "deciding/sequence-conflict")
def test_of_three_copies_of_a_queue_each_intent_is_applied_once_or_in_conflict(story: Story) -> None:
    """Drains three copies of one queue, one with the shared intent edited, each with an intent of its own behind it."""
    tea, mug = story.sku("tea"), story.sku("mug")
    phone = story.device()
    shared = phone.add(tea, 1)
    editor, image = phone.copy("editor"), phone.copy("image")
    editor.log[0].add_item.quantity = 7
    outcome = story.expect_applied(phone.submit(shared).only, slug="cart/add-adds")
    mismatch = reason_pb2.REASON_PAYLOAD_MISMATCH
    story.expect_refused(editor.submit(editor.log[0]).only, mismatch, slug="deciding/payload-mismatch")
    story.expect_replayed(image.submit(image.log[0]).only, outcome)
    own = [device.add(mug, quantity) for device, quantity in ((phone, 2), (editor, 4), (image, 8))]
    story.expect_applied(phone.submit(own[0]).only)
    conflict = reason_pb2.REASON_SEQUENCE_CONFLICT
    for device, operation in ((editor, own[1]), (image, own[2])):
        story.expect_refused(device.submit(operation).only, conflict, slug="deciding/sequence-conflict")
    answer = phone.submit(*phone.log)
    story.expect_replayed(answer.results[0], outcome)
    expect_watermark(story, answer, 2)
    expect_ledger(story, phone, phone.log)
    story.expect_lines(phone.cart(), {tea: 1, mug: 2})


@requirement("store/new-id-after-restore", "store/changed-refused", "store/restored-watermark")
def test_a_late_duplicate_is_not_decided_in_the_place_of_what_a_restore_lost(story: Story) -> None:
    """Applies an add, restores the backup of before, sells out, and sends the add again: refused, and not decided."""
    tea = story.sku(available=5)
    phone = story.device()
    phone.store_id = phone.connection.policy().store_id
    operation = phone.add(tea, 2)
    story.shop.save(story.tag)
    story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    story.shop.restore(story.tag)
    story.shop.offer(tea, 100, available=0)
    _expect_another_store(story, phone)
    story.expect_status(
        partial(phone.submit, operation),
        grpc.StatusCode.FAILED_PRECONDITION,
        reason="STORE_CHANGED",
        slug="store/changed-refused",
        what="a duplicate from before the restore",
    )
    phone.store_id = ""
    _expect_nothing_decided(story, phone)
    story.expect_lines(phone.cart(), {}, slug="store/restored-watermark")


@requirement("store/changed-refused", "store/new-id-after-restore", "store/restored-watermark")
def test_a_request_of_the_lost_time_is_not_decided_beside_its_successor(story: Story) -> None:
    """Restores while a request is on its way; it arrives when its intent is in a new queue already: added once."""
    tea = story.sku()
    phone = story.device()
    phone.store_id = phone.connection.policy().store_id
    on_its_way = phone.request(phone.add(tea, 2))
    story.shop.save(story.tag)
    story.shop.restore(story.tag)
    _expect_another_store(story, phone)
    phone.store_id = ""
    _expect_nothing_decided(story, phone)
    successor = story.device("new queue")
    story.expect_applied(successor.submit(successor.add(tea, 2)).only, slug="cart/add-adds")
    story.expect_status(
        partial(phone.connection.submit, on_its_way),
        grpc.StatusCode.FAILED_PRECONDITION,
        reason="STORE_CHANGED",
        what="a request from before the restore",
    )
    _expect_nothing_decided(story, phone)
    story.expect_lines(successor.cart(), {tea: 2})


def _expect_another_store(story: Story, device: Device) -> None:
    """Expect the server to name another store than the device knows."""
    current = device.connection.policy().store_id
    story.expect(
        current != device.store_id,
        "a restored store goes on under the id that it had before",
        expected="a new id",
        observed=current,
        slug="store/new-id-after-restore",
    )


def _expect_nothing_decided(story: Story, device: Device) -> None:
    found = device.lookup(1, 1)
    story.expect(
        found.queue.decided_through_sequence == 0
        and found.statuses[0].decidedness == service_pb2.DECIDEDNESS_UNDECIDED,
        "an operation of the lost time counts as decided after the restore",
        expected="watermark 0, undecided",
        observed=found,
        slug="store/restored-watermark",
    )
