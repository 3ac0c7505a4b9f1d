"""Changing one's mind: only the server's answer cancels, and being too late is no conflict."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, reason_pb2
from offline_shopper import SERVER, Shopper

from reference_client.exceptions import NothingToDiscardError
from reference_client.machine import messages as m
from reference_client.queue.rows import OperationState


@pytest.fixture
def shopper() -> Shopper:
    shopper = Shopper()
    shopper.add("A", "B", "C")
    return shopper


def test_an_unsent_intent_is_cancelled_by_a_discard_in_its_place(shopper: Shopper) -> None:
    shopper.discard(2)

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"A": 1, "C": 1}
    assert shopper.states()["B"] is OperationState.DISCARDED
    (request,) = shopper.link.sent
    original, discard = shopper.queues.operations(shopper.active_id)[1], request.attempts[1].operation
    assert discard.discard.discarded_key == original.key
    assert discard.idempotency_key != original.key
    assert (discard.sequence, discard.previous_key) == (2, original.operation.previous_key)
    assert not request.attempts[1].HasField("age")


def test_an_intent_in_doubt_that_never_arrived_is_cancelled_and_stays_so_when_it_arrives_late(
    shopper: Shopper,
) -> None:
    shopper.link.submit_fault = "delay"
    shopper.sync()
    shopper.discard(1)
    shopper.sync()

    shopper.link.deliver_late()

    assert shopper.server.store.lines == {"B": 1, "C": 1}
    assert shopper.states()["A"] is OperationState.DISCARDED


def test_a_discard_that_came_too_late_is_told_and_does_not_halt_the_queue(shopper: Shopper) -> None:
    shopper.link.submit_fault = "lose_answer"
    shopper.sync(batch_limit=2)
    shopper.discard(1)

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"A": 1, "B": 1, "C": 1}
    assert shopper.states()["A"] is OperationState.APPLIED
    assert shopper.kinds_told() == ["discard_too_late"]


def test_a_discard_made_while_the_original_is_on_its_way_settles_as_the_server_says(shopper: Shopper) -> None:
    shopper.link.during_submit = lambda: None if shopper.server.watermark(shopper.active_id) else shopper_discards()

    def shopper_discards() -> None:
        shopper.discard(1)

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.states()["A"] is OperationState.APPLIED
    assert shopper.kinds_told() == ["discard_too_late"]


def test_a_discard_gives_up_what_the_server_keeps_putting_off(shopper: Shopper) -> None:
    shopper.server.deferrals = [reason_pb2.REASON_BACKEND_UNAVAILABLE] * 100
    assert shopper.sync(waits=2) is None
    for sequence in (1, 2, 3):
        shopper.discard(sequence)

    assert isinstance(shopper.sync(), m.Drained)
    assert shopper.server.store.lines == {}


def test_what_is_settled_cannot_be_discarded(shopper: Shopper) -> None:
    shopper.sync()
    with pytest.raises(NothingToDiscardError, match="operation 1 is applied already"):
        shopper.queues.discard(SERVER, 1, operation_pb2.SessionContext())
    with pytest.raises(NothingToDiscardError, match="no operation 9"):
        shopper.queues.discard(SERVER, 9, operation_pb2.SessionContext())


def test_discarding_twice_is_discarding_once(shopper: Shopper) -> None:
    shopper.discard(2)
    before = shopper.queues.load(shopper.active_id, 0, 9)
    shopper.discard(2)
    assert shopper.queues.load(shopper.active_id, 0, 9) == before


def test_the_original_of_a_late_discard_that_is_not_the_one_decided_either_halts_the_queue(shopper: Shopper) -> None:
    queue_id = shopper.active_id
    thief = operation_pb2.CartOperation(
        idempotency_key="99999999-0000-4000-8000-000000000001", sequence=1, add_item=operation_pb2.AddItem(sku="T")
    )
    shopper.server._decide(queue_id, thief)
    shopper.discard(1)

    assert isinstance(shopper.sync(), m.Halted)

    assert shopper.states()["A"] is OperationState.PENDING
    assert shopper.server.store.lines == {"T": 0}
