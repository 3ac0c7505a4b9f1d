"""Spec 1.2: stores. That the id survives a crash and a restart is judged where the server is killed anyway."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

import grpc
from cartsync.v1 import operation_pb2, service_pb2

from conformance.suite.evidence import expect_ledger, expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.reads import lists_by_profile
from conformance.wire.device import Device
from conformance.wire.story import Story


@requirement("store/id-in-answers")
def test_every_answer_names_the_store(story: Story) -> None:
    """Makes every call, with outcomes of every kind: each answer carries one and the same non-empty store_id."""
    phone = story.device()
    first, second, third = phone.add(story.sku()), phone.add(f"nothing-{story.tag}"), phone.add(story.sku("mug"))
    seen = {
        "GetSyncPolicy": phone.connection.policy().store_id,
        "GetCart of a cart that is not there": phone.read_cart().store_id,
        "LookupOutcomes of a queue that is not there": phone.lookup(1, 1).store_id,
        "SubmitOperations with a gap": phone.submit(second).store_id,
        "SubmitOperations": phone.submit(first, second).store_id,
        "SubmitOperations with a duplicate": phone.submit(first).store_id,
        "SubmitOperations with a conflict": phone.submit(phone.discard_of(first)).store_id,
        "GetCart": phone.read_cart().store_id,
        "LookupOutcomes": phone.lookup(1, 3).store_id,
    }
    seen |= {name: call().store_id for name, call in lists_by_profile(story, phone).items()}
    for name, store_id in seen.items():
        story.expect(store_id, f"the answer of {name} carries no store_id", expected="a store_id", observed="''")
    story.expect(len(set(seen.values())) == 1, "answers name different stores", expected="one id", observed=seen)
    phone.store_id = seen["GetSyncPolicy"]
    story.expect_applied(phone.submit(third).only)
    phone.read_cart()
    phone.lookup(1, 3)


@requirement("store/changed-refused")
def test_requests_for_another_store_are_refused(story: Story) -> None:
    """Names another store in every call that takes one: STORE_CHANGED, and nothing is done, duplicates included."""
    phone = story.device()
    operation = phone.add(story.sku())
    phone.store_id = str(uuid.uuid4())
    for name, call in _calls(story, phone, operation).items():
        story.expect_status(call, grpc.StatusCode.FAILED_PRECONDITION, reason="STORE_CHANGED", what=name)
    phone.store_id = ""
    expect_untouched(story, phone)
    story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    phone.store_id = "another store"
    for name, call in _calls(story, phone, operation).items():
        story.expect_status(call, grpc.StatusCode.FAILED_PRECONDITION, reason="STORE_CHANGED", what=name)


@requirement("store/changed-names-current")
def test_the_refusal_says_which_store_it_is_now(story: Story) -> None:
    """Reads the current id out of each STORE_CHANGED error, and goes on with it."""
    phone = story.device()
    operation = phone.add(story.sku())
    current = phone.connection.policy().store_id
    phone.store_id = f"{current}-of-yesterday"
    for name, call in _calls(story, phone, operation).items():
        failure = story.expect_status(
            call, grpc.StatusCode.FAILED_PRECONDITION, slug="store/changed-refused", what=name
        )
        named = failure.metadata.get("store_id", "")
        story.expect(
            named == current, f"the STORE_CHANGED of {name} names another store", expected=current, observed=named
        )


@requirement("store/new-id-after-restore", "store/changed-refused", "store/id-in-answers")
def test_a_restored_store_takes_an_id_it_never_had(story: Story) -> None:
    """Restores one backup twice: three different ids in all, and a request for an earlier one is refused."""
    phone = story.device()
    operation = phone.add(story.sku())
    ids = [phone.connection.policy().store_id]
    story.shop.save(story.tag)
    for _ in range(2):
        story.shop.restore(story.tag)
        phone.store_id = ""
        ids.append(phone.read_cart().store_id)
        named = {phone.connection.policy().store_id, phone.lookup(1, 1).store_id, ids[-1]}
        story.expect(
            len(named) == 1,
            "after a restore the answers of different calls name different stores",
            expected="the current id in every answer",
            observed=sorted(named),
            slug="store/id-in-answers",
        )
        story.expect(
            len(set(ids)) == len(ids),
            "a restored store goes on under an id that it had before",
            expected="a new id at each restore",
            observed=ids,
        )
        phone.store_id = ids[-2]
        story.expect_status(
            partial(phone.submit, operation),
            grpc.StatusCode.FAILED_PRECONDITION,
            reason="STORE_CHANGED",
            slug="store/changed-refused",
            what="a late request for the store as it was before the restore",
        )
    phone.store_id = ""
    expect_untouched(story, phone, slug="store/changed-refused")


@requirement("store/restored-watermark")
def test_what_a_restore_lost_is_seen_to_be_undecided(story: Story) -> None:
    """Decides one operation before a backup and one after it, and restores: the first stands, the second is gone."""
    tea, mug = story.sku("tea"), story.sku("mug")
    phone, tablet = story.device("phone"), story.device("tablet", cart_id="other")
    kept = story.expect_applied(phone.submit(phone.add(tea, 2)).only, slug="cart/add-adds")
    story.shop.save(story.tag)
    lost = phone.add(mug, 3)
    story.expect_applied(phone.submit(lost).only, slug="cart/add-adds")
    story.expect_applied(tablet.submit(tablet.add(mug)).only, slug="cart/add-adds")
    story.shop.restore(story.tag)

    found = phone.lookup(1, 2)
    story.expect(
        found.queue.decided_through_sequence == 1
        and found.statuses[0].outcome == kept
        and found.statuses[1].decidedness == service_pb2.DECIDEDNESS_UNDECIDED,
        "after the restore the queue is not as it was when the backup was taken",
        expected="watermark 1, the first outcome as recorded, the second undecided",
        observed=found,
    )
    story.expect_lines(phone.cart(), {tea: 2})
    fresh = tablet.read_cart()
    story.expect(
        fresh.queue.decided_through_sequence == 0 and fresh.cart.revision == 0 and not fresh.cart.lines,
        "a cart made after the backup is still there after the restore",
        expected="no cart, watermark 0",
        observed=fresh,
    )
    again = phone.submit(lost).only
    story.expect_applied(again)
    story.expect(not again.replayed, "an operation that the restore lost is answered as decided", expected="anew")
    story.expect_replayed(phone.submit(phone.log[0]).only, kept)
    story.expect_lines(phone.cart(), {tea: 2, mug: 3})
    expect_ledger(story, phone, phone.log)


def _calls(story: Story, device: Device, operation: operation_pb2.CartOperation) -> dict[str, Callable[[], object]]:
    lists = lists_by_profile(story, device)
    return {
        "a submission for another store": partial(device.submit, operation),
        "GetCart for another store": device.read_cart,
        "LookupOutcomes for another store": partial(device.lookup, 1, 1),
        **{f"{name} for another store": call for name, call in lists.items()},
    }
