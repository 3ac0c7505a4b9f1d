"""Copies of a queue: whoever comes second stops, shows what remains, and issues nothing again by itself."""

from __future__ import annotations

import pytest
from offline_shopper import SERVER, Shopper

from reference_client.exceptions import UnknownQueueError
from reference_client.machine import messages as m
from reference_client.queue.rows import OperationState, QueueState


def copy_of(shopper: Shopper, mark: str) -> Shopper:
    """The same device again, as a restored backup or a cloned disk makes it; its new keys are its own."""
    copy = Shopper(shopper.server)
    shopper.queues._database.conn.backup(copy.queues._database.conn)
    numbers = iter(range(1, 1000))
    copy.queues._new_id = lambda: f"{mark * 8}-0000-4000-8000-{next(numbers):012d}"
    return copy


@pytest.fixture
def diverged() -> Shopper:
    """A device whose copy has drained something else in the meantime."""
    shopper = Shopper()
    shopper.add("A")
    shopper.sync()
    copy = copy_of(shopper, "9")
    copy.add("OTHER")
    copy.sync()
    shopper.add("B", "C")
    return shopper


def test_a_conflict_halts_the_queue_and_sends_nothing_more_of_it(diverged: Shopper) -> None:
    assert isinstance(diverged.sync(), m.Halted)
    sent = len(diverged.link.sent)

    assert isinstance(diverged.sync(), m.Drained), "the new queue is empty"

    assert len(diverged.link.sent) == sent
    assert diverged.server.store.lines == {"A": 1, "OTHER": 1}
    assert diverged.kinds_told() == ["conflict"]


def test_new_intents_after_a_conflict_go_through_a_new_queue(diverged: Shopper) -> None:
    halted = diverged.active_id
    diverged.sync()
    diverged.add("D")

    assert isinstance(diverged.sync(), m.Drained)

    assert diverged.server.store.lines == {"A": 1, "OTHER": 1, "D": 1}
    assert diverged.active_id != halted
    assert diverged.queues.queue(halted).pending_count == 2


def test_what_remains_is_asked_for_again_only_when_the_shopper_says_so(diverged: Shopper) -> None:
    halted = diverged.active_id
    diverged.sync()

    assert diverged.queues.resolve(halted, [3], reissue=True) == 1
    assert diverged.queues.queue(halted).state is QueueState.HALTED
    assert diverged.queues.resolve(halted, None, reissue=False) == 1

    assert isinstance(diverged.sync(), m.Drained)
    assert diverged.server.store.lines == {"A": 1, "OTHER": 1, "C": 1}
    assert diverged.queues.queue(halted).state is QueueState.RETIRED
    states = [o.state for o in diverged.queues.operations(halted)]
    assert states == [OperationState.APPLIED, OperationState.ABANDONED, OperationState.REISSUED]


def test_only_a_queue_in_conflict_can_be_resolved() -> None:
    shopper = Shopper()
    shopper.add("A")
    with pytest.raises(UnknownQueueError, match="not in conflict"):
        shopper.queues.resolve(shopper.active_id, None, reissue=True)


def test_a_device_put_back_to_an_older_state_learns_what_it_had_sent_and_then_retires_the_queue() -> None:
    shopper = Shopper()
    shopper.add("A", "B")
    older = copy_of(shopper, "9")
    shopper.add("C")
    shopper.sync()

    assert isinstance(older.sync(), m.Halted)

    assert older.states() == {"A": OperationState.APPLIED, "B": OperationState.APPLIED}
    older.add("D")
    assert isinstance(older.sync(), m.Drained)
    assert older.server.store.lines == {"A": 1, "B": 1, "C": 1, "D": 1}


def test_an_older_copy_that_enqueues_before_it_syncs_does_not_apply_its_intent_in_the_wrong_place() -> None:
    shopper = Shopper()
    shopper.add("A")
    older = copy_of(shopper, "9")
    shopper.add("B")
    shopper.sync()
    older.add("C")

    assert isinstance(older.sync(), m.Halted)

    assert older.server.store.lines == {"A": 1, "B": 1}
    assert older.states()["C"] is OperationState.PENDING


def test_the_shopper_is_told_once_however_often_it_happens() -> None:
    shopper = Shopper()
    shopper.add("BAD")
    shopper.link.submit_fault = "crash_after"
    shopper.sync()
    shopper.sync()
    shopper.sync()
    assert shopper.kinds_told() == ["rejected"]
    shopper.queues.clear_notifications(shopper.queues.notifications()[-1].id)
    assert shopper.kinds_told() == []


def test_the_view_leaves_out_what_a_halted_queue_still_holds(diverged: Shopper) -> None:
    assert [o.operation.add_item.sku for o in diverged.queues.on_top(SERVER, "main")] == ["A", "B", "C"]
    diverged.sync()
    assert [o.operation.add_item.sku for o in diverged.queues.on_top(SERVER, "main")] == ["A"]
