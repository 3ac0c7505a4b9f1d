"""Spec 4.1: one commit, then the answer. Restarts are dear, so each check that has one looks at all it can show."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_processed, expect_state_between_crashes
from conformance.suite.marks import requirement
from conformance.wire.connection import PendingCall, RpcFailureError
from conformance.wire.device import Device
from conformance.wire.story import Story

BEFORE, AFTER = control.FAIL_POINT_BEFORE_COMMIT, control.FAIL_POINT_AFTER_COMMIT
STREAM_LENGTH = 45  # operations of each queue while the server is killed; within the floor of a line's quantity


@requirement("durability/answer-after-commit", "store/id-survives-restart")
def test_a_kill_right_after_the_answer_loses_nothing(story: Story) -> None:
    """Kills the server the moment an answer is there: records, watermark, cart and store id are all still there."""
    story.needs_launch()
    phone = story.device()
    tea, mug = story.sku("tea"), story.sku("mug")
    store_id = phone.connection.policy().store_id
    phone.add(tea, 2)
    phone.add(f"nothing-{story.tag}")
    phone.add(mug, 3)
    recorded = list(phone.submit(*phone.log[:2]).outcomes) + list(phone.submit(phone.log[2]).outcomes)
    story.kill()
    story.reconnect(phone)
    _expect_recorded(story, phone, recorded, slug="durability/answer-after-commit")
    story.expect_lines(phone.cart(), {tea: 2, mug: 3}, slug="durability/answer-after-commit")
    _expect_same_store(story, phone, store_id)


@requirement("durability/restart-keeps-records", "store/id-survives-restart")
def test_a_restart_forgets_nothing(story: Story) -> None:
    """Stops and starts the server: records, watermarks, keys and key chains hold, pruned queues included."""
    story.needs_launch()
    tea = story.sku()
    old, phone = story.device("old"), story.device("phone", cart_id="other")
    story.expect_applied(old.submit(old.add(tea)).only, slug="cart/add-adds")
    if story.shop.offers_capability(control.CAPABILITY_CLOCK):
        story.shop.advance(story.policy.outcome_retention.ToTimedelta() + timedelta(days=1))
    store_id = phone.connection.policy().store_id
    recorded = list(phone.submit(phone.add(tea, 2), phone.add(f"nothing-{story.tag}")).outcomes)

    story.restart()
    story.reconnect(old, phone)
    _expect_same_store(story, phone, store_id)
    _expect_recorded(story, phone, recorded)
    story.expect_lines(phone.cart(), {tea: 2})
    reused = edited(phone.add(tea), idempotency_key=phone.log[0].idempotency_key)
    story.expect_refused(phone.submit(reused).only, reason_pb2.REASON_KEY_REUSED)
    for device, previous in ((old, old.log[-1]), (phone, reused)):
        _expect_chain(story, device, previous, tea)


@requirement("durability/atomic-commit", "durability/lost-answer")
@pytest.mark.parametrize("point", [BEFORE, AFTER], ids=["before-commit", "after-commit"])
def test_a_server_that_dies_around_the_commit_leaves_all_or_nothing(
    story: Story, point: control.FailPoint.ValueType
) -> None:
    """Lets the server die beside its commit: effect, record and watermark agree, and resending gives one outcome."""
    story.needs_launch()
    phone = story.device()
    tea = story.sku()
    for quantity in (1, 2, 4):
        phone.add(tea, quantity)
    story.shop.abort(point)
    pending = phone.submit_later(*phone.log)
    story.await_death()
    answered = _answered(pending)
    story.reconnect(phone)
    _expect_recorded(story, phone, answered, slug="durability/answer-after-commit")
    watermark = expect_state_between_crashes(story, phone, phone.log, slug="durability/atomic-commit")
    _expect_one_outcome_each(story, phone, watermark)
    expect_processed(story, phone, phone.log, {tea: 7}, slug="durability/lost-answer")


@requirement("durability/answer-after-commit")
def test_no_answer_leaves_before_the_commit(story: Story) -> None:
    """Kills the server while it is held before the commit: if an answer had left by then, it must still hold."""
    story.needs_launch()
    phone = story.device()
    tea = story.sku()
    operation = phone.add(tea, 2)
    story.shop.hold(BEFORE)
    pending = phone.submit_later(operation)
    story.shop.await_held()
    phone.connection.policy()  # an answer that left before this one is on this side of the wire now
    story.kill()
    answered = _answered(pending)
    story.reconnect(phone)
    _expect_recorded(story, phone, answered)
    expect_state_between_crashes(story, phone, [operation], slug="durability/atomic-commit")
    story.expect_applied(phone.submit(operation).only, slug="durability/lost-answer")
    expect_processed(story, phone, [operation], {tea: 2}, slug="durability/lost-answer")


@requirement("durability/atomic-commit", "durability/answer-after-commit", "durability/lost-answer")
def test_kills_at_random_instants_leave_two_queues_whole(story: Story) -> None:
    """Kills the server twice while two queues drain into one cart: what was answered holds, the rest is completed."""
    story.needs_launch()
    devices = [story.device("phone"), story.device("tablet")]
    for device in devices:
        sku = story.sku(device.name)
        for _ in range(STREAM_LENGTH):
            device.add(sku)
    answered: dict[str, dict[int, outcome_pb2.Outcome]] = {device.name: {} for device in devices}
    for _ in range(2):
        _drain_until_killed(story, devices, answered)
        for device in devices:
            watermark = expect_state_between_crashes(story, device, device.log, slug="durability/atomic-commit")
            outcomes = answered[device.name]
            recorded = [outcomes[sequence] for sequence in sorted(outcomes)]
            story.expect(
                watermark >= len(recorded),
                f"{len(recorded)} operations were answered as final before the kill, {watermark} are decided after it",
                expected=f"watermark {len(recorded)} or more",
                observed=f"watermark {watermark}",
                slug="durability/answer-after-commit",
            )
            _expect_recorded(story, device, recorded, slug="durability/answer-after-commit")
    for device in devices:
        story.expect(
            all(outcome.changed for outcome in device.submit(*device.log).outcomes),
            "not every operation is applied after resending them all",
            slug="durability/lost-answer",
        )
    lines = {device.log[0].add_item.sku: STREAM_LENGTH for device in devices}
    for device in devices:
        expect_processed(story, device, device.log, lines, slug="durability/lost-answer")


@requirement("durability/lost-answer")
@pytest.mark.parametrize("point", [BEFORE, AFTER], ids=["before-commit", "after-commit"])
def test_a_lost_answer_is_given_again(story: Story, point: control.FailPoint.ValueType) -> None:
    """Loses the answer of a held submission, lets it go on, and sends it again: one outcome, one effect."""
    phone = story.device()
    tea = story.sku()
    phone.add(tea, 2)
    phone.add(f"nothing-{story.tag}")
    story.shop.hold(point)
    pending = phone.submit_later(*phone.log)
    story.shop.await_held()
    pending.cancel()
    story.shop.release()
    first = phone.submit(*phone.log)
    story.expect_applied(first.results[0])
    story.expect_refused(first.results[1], reason_pb2.REASON_SKU_UNKNOWN)
    _expect_recorded(story, phone, first.outcomes)
    story.expect_lines(phone.cart(), {tea: 2})


def _drain_until_killed(
    story: Story, devices: list[Device], answered: dict[str, dict[int, outcome_pb2.Outcome]]
) -> None:
    """Submit from both devices, three operations at a time, and kill the server at a random instant meanwhile."""
    some_answered = threading.Semaphore(0)
    rng = random.Random(story.rng.getrandbits(64))

    def drain(device: Device) -> None:
        done = answered[device.name]
        try:
            while len(done) < len(device.log):
                batch = device.log[len(done) : len(done) + 3]
                for outcome in device.submit(*batch).outcomes:
                    done[outcome.sequence] = outcome
                some_answered.release()
        except RpcFailureError:
            some_answered.release()  # cut by the kill

    threads = [threading.Thread(target=drain, args=(device,)) for device in devices]
    for thread in threads:
        thread.start()
    for _ in range(rng.randint(1, 4)):
        some_answered.acquire(timeout=5.0)
    threading.Event().wait(rng.uniform(0.0, 0.004))
    story.target.kill()
    for thread in threads:
        thread.join()
    story.start_again()
    story.reconnect(*devices)


def _expect_recorded(
    story: Story,
    device: Device,
    recorded: list[outcome_pb2.Outcome] | tuple[outcome_pb2.Outcome, ...],
    *,
    slug: str | None = None,
) -> None:
    """Expect the queue's first outcomes to be these, by look-up and by duplicate."""
    if not recorded:
        return
    found = device.lookup(1, len(recorded))
    observed = [status.outcome for status in found.statuses]
    story.expect(
        observed == list(recorded) and found.queue.decided_through_sequence >= len(recorded),
        "the look-up does not report what had been answered",
        expected=recorded,
        observed=found,
        slug=slug,
    )
    for result, outcome in zip(device.submit(*device.log[: len(recorded)]).results, recorded, strict=True):
        story.expect_replayed(result, outcome, slug=slug)


def _expect_same_store(story: Story, device: Device, store_id: str) -> None:
    now = device.connection.policy().store_id
    story.expect(
        now == store_id,
        "the server came up under another store_id though it lost nothing",
        expected=store_id,
        observed=now,
        slug="store/id-survives-restart",
    )


def _expect_chain(story: Story, device: Device, last: operation_pb2.CartOperation, sku: str) -> None:
    """Expect the queue to go on behind this operation and behind no other."""
    following = device.add(sku)
    following.previous_key = last.idempotency_key
    astray = edited(following, idempotency_key=device.new_key(), previous_key=device.new_key())
    story.expect_refused(device.submit(astray).only, reason_pb2.REASON_QUEUE_DIVERGED)
    story.expect_applied(device.submit(following).only)


def _answered(pending: PendingCall) -> list[outcome_pb2.Outcome]:
    """The outcomes that arrived before the server died; mostly none."""
    try:
        return [result.outcome for result in pending.result().results]
    except RpcFailureError:
        return []


def _expect_one_outcome_each(story: Story, device: Device, watermark: int) -> None:
    for result in device.submit(*device.log).results:
        outcome = story.expect_applied(result, slug="durability/lost-answer")
        story.expect(
            result.replayed == (outcome.sequence <= watermark),
            f"operation {outcome.sequence} is answered as {'' if result.replayed else 'not '}decided before, "
            f"with watermark {watermark}",
            slug="durability/atomic-commit",
        )
