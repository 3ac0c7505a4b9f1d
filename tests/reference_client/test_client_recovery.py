"""A server that lost state: nothing undecided is lost, nothing decided is issued again, and what is gone is told."""

from __future__ import annotations

import pytest
from offline_shopper import SERVER, Shopper

from reference_client import Price, intents
from reference_client.machine import messages as m
from reference_client.queue.rows import OperationState, QueueState


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


def lose_next_answer(shopper: Shopper) -> None:
    shopper.link.submit_fault = "lose_answer"
    assert shopper.sync() is None


def test_what_the_restored_store_does_not_have_is_asked_for_again_in_a_new_queue(shopper: Shopper) -> None:
    shopper.add("A")
    shopper.sync()
    shopper.server.save()
    shopper.add("B")
    lose_next_answer(shopper)
    old = shopper.active_id
    shopper.server.restore()

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"A": 1, "B": 1}
    first, second = shopper.queues.queues()
    assert (first.queue_id, first.state, first.successor_id) == (old, QueueState.RETIRED, second.queue_id)
    assert (second.state, second.principal, second.store_id) == (QueueState.ACTIVE, first.principal, "store-2")
    moved, issued = shopper.queues.operations(old)[1], shopper.queues.operations(second.queue_id)[0]
    assert moved.state is OperationState.MOVED
    assert issued.key != moved.key
    assert (issued.sequence, issued.operation.previous_key) == (1, "")
    assert issued.operation.enqueue_time == moved.operation.enqueue_time


def test_what_was_confirmed_and_is_gone_is_told_and_not_done_again(shopper: Shopper) -> None:
    shopper.server.save()
    shopper.add("A", "B")
    shopper.sync()
    shopper.server.restore()

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {}
    assert set(shopper.states().values()) == {OperationState.LOST}
    (told,) = shopper.queues.notifications()
    assert (told.kind, told.needs_action) == ("lost", True)
    assert "add 1 × A; add 1 × B" in told.message


def test_what_the_restored_store_has_decided_is_learnt_and_never_issued_again(shopper: Shopper) -> None:
    shopper.add("A", "BAD", "B")
    lose_next_answer(shopper)
    shopper.server.save()
    shopper.server.restore()

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"A": 1, "B": 1}
    assert shopper.states() == {
        "A": OperationState.APPLIED,
        "BAD": OperationState.REJECTED,
        "B": OperationState.APPLIED,
    }
    assert "rejected" in shopper.kinds_told()


def test_more_than_one_page_of_outcomes_is_looked_up(shopper: Shopper) -> None:
    shopper.add(*(f"S{n:03d}" for n in range(100)))
    shopper.add(*(f"T{n:03d}" for n in range(100)))
    shopper.add(*(f"U{n:03d}" for n in range(50)))
    queue_id = shopper.active_id
    operations, _ = shopper.queues.load(queue_id, 0, -1)
    shopper.sync()
    shopper.server.save()
    shopper.server.restore()
    with_lost_answers = shopper.queues._database  # the device forgets every answer, as if all had been lost
    with_lost_answers.execute("UPDATE operations SET state = 'pending', outcome = NULL")
    with_lost_answers.execute("UPDATE queues SET confirmed_through = 0")

    assert isinstance(shopper.sync(), m.Drained)

    assert len(operations) == 250
    assert set(shopper.states().values()) == {OperationState.APPLIED}
    assert len(shopper.server.store.effects) == 250


def test_a_discarded_intent_that_the_restored_store_lost_stays_discarded(shopper: Shopper) -> None:
    shopper.server.save()
    shopper.add("A", "B")
    lose_next_answer(shopper)
    shopper.discard(1)
    shopper.server.restore()

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"B": 1}
    assert shopper.states()["A"] is OperationState.DISCARDED


def test_a_guarded_intent_is_not_asked_for_again_because_its_revision_means_nothing_now(shopper: Shopper) -> None:
    shopper.add("A")
    shopper.sync()
    guarded = intents.set_quantity("A", 5, unless_changed_since=1)
    shopper.queues.enqueue(SERVER, [guarded, intents.add_item("B", quantity=1, price=Price("GBP", 1))])
    shopper.server.restore()

    shopper.sync()

    assert shopper.server.store.lines == {"B": 1}
    assert "guard_lost" in shopper.kinds_told()
    assert OperationState.LEFT in {r.state for r in shopper.records()}


def test_a_watermark_below_what_was_confirmed_means_the_same_although_the_store_kept_its_id(shopper: Shopper) -> None:
    shopper.server.save()
    shopper.add("A")
    shopper.sync()
    shopper.add("B")
    shopper.server.restore()
    shopper.server.store_id = "store-1"

    assert isinstance(shopper.sync(), m.Drained)

    assert shopper.server.store.lines == {"B": 1}
    assert shopper.states() == {"A": OperationState.LOST, "B": OperationState.APPLIED}


def test_a_store_that_falls_back_in_the_middle_of_a_stream_is_noticed_by_the_gap(shopper: Shopper) -> None:
    shopper.server.save()
    shopper.add("A", "B")

    def fall_back() -> None:
        if shopper.server.watermark(shopper.active_id) == 1:
            shopper.server.restore()
            shopper.server.store_id = "store-1"

    shopper.link.during_submit = fall_back
    assert isinstance(shopper.sync(batch_limit=1), m.Drained)

    assert shopper.server.store.lines == {"B": 1}
    assert shopper.states() == {"A": OperationState.LOST, "B": OperationState.APPLIED}


def test_when_a_copy_of_the_queue_was_alive_before_the_restore_nothing_is_issued_again(shopper: Shopper) -> None:
    shopper.add("A")
    shopper.sync()
    copy = Shopper(shopper.server)
    shopper.queues._database.conn.backup(copy.queues._database.conn)
    copy.queues._new_id = lambda: "99999999-0000-4000-8000-000000000001"
    copy.add("OTHER")
    copy.sync()
    shopper.add("B", "C")
    shopper.server.save()
    shopper.server.restore()

    assert isinstance(shopper.sync(), m.Halted)

    assert shopper.server.store.lines == {"A": 1, "OTHER": 1}
    assert shopper.queues.queues()[0].state is QueueState.HALTED
    assert {r.state for r in shopper.records() if r.sequence > 1} == {OperationState.PENDING}
    assert "conflict" in shopper.kinds_told()


def test_a_request_that_was_still_on_its_way_when_the_store_changed_is_refused(shopper: Shopper) -> None:
    shopper.add("A")
    shopper.link.submit_fault = "delay"
    assert shopper.sync() is None
    shopper.server.save()
    shopper.server.restore()
    shopper.sync()
    assert shopper.server.store.lines == {"A": 1}

    shopper.link.deliver_late()

    assert all(request.store_id for request in shopper.link.sent), "a request without the store's id is not refused"
    assert shopper.server.store.lines == {"A": 1}
