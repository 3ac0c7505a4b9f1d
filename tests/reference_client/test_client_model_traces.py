"""Traces of the formal model (docs/spec/model/traces.md) in which a client is at fault, lived through by this one."""

from __future__ import annotations

import itertools

import pytest
from cartsync.v1 import reason_pb2, service_pb2
from offline_shopper import Shopper

from reference_client.machine import messages as m
from reference_client.queue.rows import OperationState


@pytest.fixture
def shopper() -> Shopper:
    shopper = Shopper()
    shopper.add("A", "B")
    return shopper


def image_of(shopper: Shopper, mark: str) -> Shopper:
    """Another device with a copy of the shopper's queues; its new keys are its own."""
    image = Shopper(shopper.server)
    shopper.queues._database.conn.backup(image.queues._database.conn)
    numbers = itertools.count(1)
    image.queues._new_id = lambda: f"{mark * 8}-0000-4000-8000-{next(numbers):012d}"
    return image


def arrived_late(shopper: Shopper) -> None:
    while shopper.link.late:
        shopper.link.deliver_late()


def test_of_three_copies_that_run_into_a_conflict_none_issues_again_what_the_others_hold_too() -> None:
    """CONFLICT_STOPS, NEVER_SENT_STOPS: both holders of A and B are in conflict, and B was sent by neither."""
    oldest = Shopper()
    oldest.add("X")
    oldest.sync()
    shopper = image_of(oldest, "7")
    oldest.add("OTHER")
    oldest.sync()
    shopper.add("A", "B")
    image = image_of(shopper, "8")

    for device in (shopper, image):
        assert isinstance(device.sync(batch_limit=1), m.Halted)
        assert isinstance(device.sync(), m.Drained), "the queue that follows is empty"

    assert shopper.server.store.lines == {"X": 1, "OTHER": 1}
    for device in (shopper, image):
        assert device.states()["A"] is OperationState.PENDING
        assert device.states()["B"] is OperationState.PENDING
        assert device.kinds_told() == ["conflict"]


def test_an_operation_leaves_as_the_same_message_every_time_whatever_the_shopper_does_meanwhile(
    shopper: Shopper,
) -> None:
    """IMMUTABLE_ONCE_SENT: after lost answers, a change of mind and a discard that came too late."""
    for fault in ("lose_answer", "lose_request", "lose_answer"):
        shopper.link.submit_fault = fault
        shopper.sync()
        shopper.clock.pass_seconds(3600.0)
        shopper.add("C")
    shopper.discard(1)
    assert isinstance(shopper.sync(waits=5), m.Drained)

    messages: dict[str, set[bytes]] = {}
    for request in shopper.link.sent:
        for attempt in request.attempts:
            message = attempt.operation.SerializeToString(deterministic=True)
            messages.setdefault(attempt.operation.idempotency_key, set()).add(message)
    assert len(messages) > 2
    assert all(len(forms) == 1 for forms in messages.values())


def test_the_first_thing_ever_submitted_names_the_store_already(shopper: Shopper) -> None:
    """STORE_KNOWN_FIRST: a request that names none would be decided by any store, after a restore too."""
    shopper.link.submit_fault = "delay"
    shopper.sync()
    assert [request.store_id for request in shopper.link.late] == [shopper.server.store_id]
    shopper.server.save()
    shopper.server.restore()
    assert isinstance(shopper.sync(), m.Drained)

    arrived_late(shopper)

    assert shopper.server.store.lines == {"A": 1, "B": 1}
    assert [sku for *_, sku in shopper.server.store.effects] == ["A", "B"]


def test_a_device_that_dies_between_the_mark_and_the_answer_knows_that_it_may_have_sent(shopper: Shopper) -> None:
    """SENT_MARK_FIRST: the request arrives, the device dies, the shopper cancels: too late, and told so."""
    shopper.link.submit_fault = "crash_after"
    assert shopper.sync() is None
    assert shopper.server.store.lines == {"A": 1, "B": 1}
    shopper.discard(1)
    assert shopper.states()["A"] is OperationState.PENDING, "nothing is cancelled before the server has said so"

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.states()["A"] is OperationState.APPLIED
    assert shopper.kinds_told() == ["discard_too_late"]


def test_a_deferral_says_nothing_about_the_attempt_before_it(shopper: Shopper) -> None:
    """DEFERRED_IN_DOUBT: one attempt is on its way, the next is deferred, the shopper cancels, the first arrives."""
    shopper.link.submit_fault = "delay"
    shopper.sync()
    shopper.server.deferrals = [reason_pb2.REASON_BACKEND_UNAVAILABLE]
    assert shopper.sync(waits=0) is None
    shopper.discard(1)
    assert shopper.states()["A"] is OperationState.PENDING, "nothing is cancelled before the server has said so"

    arrived_late(shopper)
    assert shopper.server.store.lines == {"A": 1, "B": 1}
    assert isinstance(shopper.sync(waits=5), m.Drained)

    assert shopper.states()["A"] is OperationState.APPLIED
    assert shopper.kinds_told() == ["discard_too_late"]


def test_a_cancel_holds_when_the_server_has_answered_it_and_not_before(shopper: Shopper) -> None:
    """CANCEL_BY_DISCARD: the original is applied while the discard is still in the queue."""
    shopper.link.submit_fault = "delay"
    shopper.sync()
    shopper.discard(1)
    arrived_late(shopper)
    assert shopper.states()["A"] is OperationState.PENDING

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.states()["A"] is OperationState.APPLIED


def test_an_answer_to_the_original_is_not_read_as_one_to_its_discard(shopper: Shopper) -> None:
    """MATCH_BY_KEY: the answer to the original comes when its discard stands in its place already."""
    discarded: list[bool] = []

    def change_of_mind() -> None:
        if not discarded:
            discarded.append(shopper.discard(1))

    shopper.link.during_submit = change_of_mind
    assert isinstance(shopper.sync(waits=5), m.Drained)

    assert discarded == [True]
    first: service_pb2.SubmitOperationsRequest = shopper.link.sent[0]
    assert not first.attempts[0].operation.HasField("discard"), "the original was on its way"
    assert shopper.server.store.lines == {"A": 1, "B": 1}
    assert shopper.states()["A"] is OperationState.APPLIED
