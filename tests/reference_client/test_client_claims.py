"""Taking a guest's cart over: everything the guest asked for is in the account's cart once, wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cartsync.v1 import reason_pb2, service_pb2
from faulty_link import CrashError
from guest_shop import TOKEN, Shop, policy_without_claims

from reference_client import QueueBusyError, intents
from reference_client.claiming import ClaimStatus
from reference_client.drainer.drainer import queue_lock
from reference_client.drainer.transport import Session
from reference_client.queue.rows import OperationState, QueueState


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def put_off_guest(shop: Shop) -> None:
    """From now on the server decides nothing of the guest."""
    shop.guest_side.deferrals = [reason_pb2.REASON_BACKEND_UNAVAILABLE] * 1000


def lose_next_answer_of_guest(shop: Shop) -> None:
    shop.guest_link.submit_fault = "lose_answer"
    shop.guest.sync(patience=0.0)


def test_the_lines_of_the_guest_are_in_the_account_and_reported(shop: Shop) -> None:
    shop.add(shop.guest, "A", "B")
    shop.add(shop.account, "A")
    report = shop.claim()

    assert report.status is ClaimStatus.DONE
    assert shop.account_side.store.lines == {"A": 2, "B": 1}
    assert [(line.sku, line.quantity_before, line.quantity_after) for line in report.lines] == [
        ("A", 1, 2),
        ("B", 0, 1),
    ]
    assert (report.adopted_count, report.pending_count, report.needs_shopper) == (0, 0, False)


def test_an_answer_lost_before_the_claim_is_learnt_and_adds_nothing_again(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    lose_next_answer_of_guest(shop)

    assert shop.claim().status is ClaimStatus.DONE
    assert shop.account_side.store.lines == {"A": 1}
    assert shop.states(shop.guest) == {"A": OperationState.APPLIED}


def test_an_answer_lost_before_somebody_else_s_claim_is_learnt_by_asking(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    lose_next_answer_of_guest(shop)
    put_off_guest(shop)
    shop.guest_side.guest.claimed_by = "shopper-1"

    assert shop.claim().status is ClaimStatus.DONE
    assert shop.states(shop.guest) == {"A": OperationState.APPLIED}
    assert shop.account_side.store.lines == {"A": 1}


def test_what_is_undecided_after_the_claim_is_asked_for_in_the_account_s_queue_under_a_new_key(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    shop.guest.sync()
    shop.add(shop.guest, "B", "C")
    guest_queue = shop.guest.queue().queue_id
    put_off_guest(shop)

    report = shop.claim()

    assert (report.status, report.adopted_count) == (ClaimStatus.DONE, 2)
    assert shop.account_side.store.lines == {"A": 1, "B": 1, "C": 1}
    moved = shop.guest.operations(guest_queue)[1:]
    issued = shop.account.operations()[1:]
    assert [o.state for o in moved] == [OperationState.MOVED] * 2
    assert [o.state for o in issued] == [OperationState.APPLIED] * 2
    assert not {o.key for o in moved} & {o.key for o in issued}
    assert [o.operation.enqueue_time for o in moved] == [o.operation.enqueue_time for o in issued]
    assert shop.guest.queues.queue(guest_queue).state is QueueState.RETIRED


def test_nothing_of_the_guest_is_asked_for_before_its_queue_was_looked_up_after_the_claim(shop: Shop) -> None:
    put_off_guest(shop)
    shop.add(shop.guest, "A")
    told: list[str] = []
    look_up, submit = shop.guest_link.look_up, shop.account_side.submit

    def note_look_up(session: Session, first: int, last: int) -> service_pb2.LookupOutcomesResponse:
        told.append("look_up" if shop.guest_side.guest.claimed_by else "too early")
        return look_up(session, first, last)

    def note_submit(request: service_pb2.SubmitOperationsRequest) -> service_pb2.SubmitOperationsResponse:
        told.extend(a.operation.WhichOneof("intent") or "" for a in request.attempts)
        return submit(request)

    shop.guest_link.look_up = note_look_up  # type: ignore[method-assign]
    shop.account_side.submit = note_submit  # type: ignore[method-assign]
    shop.claim()
    assert told == ["claim_guest_cart", "look_up", "add_item"]


def test_what_the_guest_asks_for_while_the_claim_is_on_its_way_is_not_lost(shop: Shop) -> None:
    shop.add(shop.guest, "A")

    def meanwhile() -> None:
        if "B" not in shop.states(shop.guest):
            shop.add(shop.guest, "B")

    shop.account_link.during_submit = meanwhile
    assert shop.claim().adopted_count == 1
    assert shop.account_side.store.lines == {"A": 1, "B": 1}


def test_an_intent_refused_because_of_the_claim_is_moved_by_the_next_one_and_no_longer_told(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    shop.claim()
    shop.add(shop.guest, "B")
    shop.guest.sync()
    assert [n.kind for n in shop.guest.notifications()] == ["rejected"]

    report = shop.claim()

    assert (report.status, report.adopted_count, report.lines) == (ClaimStatus.DONE, 1, ())
    assert shop.account_side.store.lines == {"A": 1, "B": 1}
    assert shop.guest.notifications() == []


def test_discarded_and_rejected_intents_stay_where_they_are(shop: Shop) -> None:
    shop.add(shop.guest, "BAD")
    shop.guest.sync()
    shop.add(shop.guest, "A", "B")
    put_off_guest(shop)
    shop.guest.sync(patience=0.0)

    def meanwhile() -> None:  # after the guest's last chance to send it, before its queue is closed
        if shop.states(shop.guest)["A"] is OperationState.PENDING:
            shop.guest.discard(2)

    shop.account_link.during_submit = meanwhile

    assert shop.claim().adopted_count == 1
    assert shop.account_side.store.lines == {"B": 1}
    assert shop.states(shop.guest) == {
        "BAD": OperationState.REJECTED,
        "A": OperationState.DISCARDED,
        "B": OperationState.MOVED,
    }


@pytest.mark.parametrize("put_off", [True, False])
def test_an_intent_guarded_by_a_revision_of_the_guest_s_cart_is_left_and_told(shop: Shop, put_off: bool) -> None:
    shop.add(shop.guest, "A")
    shop.claim()
    if put_off:
        put_off_guest(shop)
    shop.guest.enqueue([intents.set_quantity("A", 5, unless_changed_since=1)])

    report = shop.claim()

    assert [n.kind for n in report.notices] == ["guard_lost"]
    assert report.needs_shopper
    assert report.adopted_count == 0
    assert OperationState.LEFT in {r.state for r in shop.records(shop.guest)}
    assert [n.kind for n in shop.guest.notifications()] == ["guard_lost"]


def test_each_cart_goes_where_it_was_told_to_with_what_is_undecided_in_it(shop: Shop) -> None:
    put_off_guest(shop)
    shop.guest.add("A", price="1.00GBP", cart="basket")
    shop.guest.add("B", price="1.00GBP", cart="other")
    shop.claim(carts={"basket": "main"})
    claim, *adopted = [o.operation for o in shop.account.operations()]
    assert (claim.claim_guest_cart.guest_cart_id, claim.claim_guest_cart.cart_id) == ("basket", "main")
    assert [(o.add_item.sku, o.add_item.cart_id) for o in adopted] == [("A", "main"), ("B", "other")]


def test_without_being_told_every_cart_of_the_guest_is_claimed_under_its_name(shop: Shop) -> None:
    shop.guest.add("A", price="1.00GBP", cart="basket")
    shop.guest.add("B", price="1.00GBP", cart="other")
    shop.claim()
    claims = [o.operation.claim_guest_cart for o in shop.account.operations()]
    assert [(c.guest_cart_id, c.cart_id) for c in claims] == [("basket", "basket"), ("other", "other")]


def test_claiming_again_adds_nothing_and_sends_no_second_claim(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    shop.claim()
    report = shop.claim()
    assert (report.status, report.lines) == (ClaimStatus.DONE, ())
    assert len(shop.account.operations()) == 1
    assert shop.account_side.store.lines == {"A": 1}


# ---- wherever it is cut ----------------------------------------------------------------------------------------


def prepare_for_everything(shop: Shop) -> None:
    """A guest with something applied, something in doubt that is applied, something refused and something undecided."""
    shop.add(shop.guest, "A", "BAD")
    shop.guest.sync()
    shop.add(shop.guest, "B")
    lose_next_answer_of_guest(shop)
    shop.add(shop.guest, "C", "D")
    put_off_guest(shop)
    shop.add(shop.account, "E")


def fail_at(step: int, fault: str) -> Callable[[], str]:
    left = iter(["ok"] * step + [fault])
    return lambda: next(left, "ok")


FINAL = {"A": 1, "B": 1, "C": 1, "D": 1, "E": 1}


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_request", "lose_answer", "delay", "repeat"])
def test_a_claim_cut_at_any_call_or_write_is_finished_by_the_next_one(tmp_path: Path, fault: str) -> None:
    step = 0
    while True:
        shop = Shop(tmp_path)
        prepare_for_everything(shop)
        struck = [False]
        inner = fail_at(step, fault)

        def strike(inner: Callable[[], str] = inner, struck: list[bool] = struck) -> str:
            found = inner()
            struck[0] = struck[0] or found != "ok"
            return found

        shop.fail_by(strike)
        shop.survive(shop.claim)
        report = shop.claim_to_the_end()

        assert report.status is ClaimStatus.DONE, f"cut at step {step}: {report}"
        assert shop.account_side.store.lines == FINAL, f"cut at step {step}"
        assert len(shop.guest_side.store.effects) == 2
        assert len(shop.account_side.store.effects) == 3
        if not struck[0]:
            break
        step += 1
    assert step > 15, "the cuts did not reach every call and write"


def test_a_process_killed_again_and_again_gets_there(shop: Shop) -> None:
    prepare_for_everything(shop)
    for step in range(40):
        shop.fail_by(fail_at(step // 2, "crash_after" if step % 2 else "crash_before"))
        shop.survive(shop.claim)
    shop.claim_to_the_end()
    assert shop.account_side.store.lines == FINAL


def test_while_the_server_is_away_nothing_is_lost_and_the_same_again_goes_on(shop: Shop) -> None:
    prepare_for_everything(shop)
    shop.fail_by(lambda: "lose_request")
    report = shop.claim()
    assert (report.status, report.needs_shopper) == (ClaimStatus.NOT_NOW, False)
    shop.claim_to_the_end()
    assert shop.account_side.store.lines == FINAL


def test_another_process_at_the_guest_s_queue_is_left_to_it(shop: Shop) -> None:
    put_off_guest(shop)
    shop.add(shop.guest, "A")
    with queue_lock(shop.guest.folder, shop.guest.queue().queue_id), pytest.raises(QueueBusyError):
        shop.claim()
    assert shop.states(shop.guest) == {"A": OperationState.PENDING}


# ---- a store that is put back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls_before", range(12))
def test_undecided_in_another_store_than_the_claim_s_is_no_proof(shop: Shop, calls_before: int) -> None:
    """The store falls back to before the claim at each call: guest and account find out, and nothing is there twice."""
    shop.add(shop.guest, "A")
    shop.guest.sync()
    shop.add(shop.guest, "B")
    shop.save()
    put_off_guest(shop)
    left = iter(range(calls_before))

    def fall_back() -> str:
        if next(left, None) is None and shop.guest_side.store_id == "store-1":
            shop.restore()
        return "ok"

    shop.guest_link.next_fault = shop.account_link.next_fault = fall_back
    shop.claim(patience=60.0)
    shop.guest_side.deferrals = []
    report = shop.claim_to_the_end()

    assert report.status is ClaimStatus.DONE
    assert shop.account_side.store.lines.get("A") == 1
    told_lost = [n.kind for n in shop.account.notifications()].count("lost")
    assert shop.account_side.store.lines.get("B", 0) == 1 or told_lost


# ---- what is in the way --------------------------------------------------------------------------------------------


def test_a_refused_claim_moves_nothing_and_the_guest_goes_on(shop: Shop) -> None:
    put_off_guest(shop)
    shop.add(shop.guest, "A")
    shop.account_side.cart_is_closed = True
    report = shop.claim()
    assert report.status is ClaimStatus.REFUSED
    assert "CART_CLOSED" in report.message
    assert shop.states(shop.guest) == {"A": OperationState.PENDING}

    shop.account_side.cart_is_closed = False
    assert shop.claim().status is ClaimStatus.DONE
    assert shop.account_side.store.lines == {"A": 1}


def test_a_guest_that_another_account_has_claimed_is_left_alone(shop: Shop) -> None:
    shop.guest_side.guest.claimed_by = "somebody-else"
    shop.add(shop.guest, "A")
    report = shop.claim()
    assert report.status is ClaimStatus.REFUSED
    assert "GUEST_ALREADY_CLAIMED" in report.message
    assert shop.account_side.store.lines == {}
    assert shop.states(shop.guest) == {"A": OperationState.REJECTED}


def test_another_copy_of_the_guest_s_queue_keeps_the_rest_from_being_taken_over(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    shop.guest.sync()
    shop.add(shop.guest, "B", "C")

    def copy_is_drained() -> None:
        queue = shop.guest_side.guest.queues[shop.guest.queue().queue_id]
        if queue.watermark == 1:
            other = service_pb2.SequenceStatus().outcome
            other.idempotency_key, other.sequence = "99999999-0000-4000-8000-000000000001", 2
            other.state = reason_pb2.OUTCOME_STATE_APPLIED
            queue.watermark, queue.records[2] = 2, (other.idempotency_key, b"", other)

    put_off_guest(shop)
    shop.account_link.during_submit = copy_is_drained
    report = shop.claim()
    assert "conflict" in [n.kind for n in report.notices]
    assert report.adopted_count == 0
    assert shop.account_side.store.lines == {"A": 1}
    assert QueueState.HALTED in [q.state for q in shop.guest.queues.queues()]


def test_a_credential_that_is_no_guest_s_is_told_so(shop: Shop) -> None:
    shop.guest_side.is_guest = False
    report = shop.claim()
    assert report.status is ClaimStatus.STOPPED
    assert "not that of a guest" in report.message
    assert shop.account.operations() == []


def test_a_server_without_the_profile_is_sent_no_claim(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = shop.guest_side.policy()
    answer.policy.CopyFrom(policy_without_claims())
    monkeypatch.setattr(shop.guest_side, "policy", lambda: answer)
    report = shop.claim()
    assert report.status is ClaimStatus.REFUSED
    assert "does not let" in report.message
    assert shop.account.operations() == []


def test_the_same_shopper_twice_is_nothing_to_claim(shop: Shop) -> None:
    shop.account.sync()
    shop.account_link.server = shop.guest_side
    shop.account.queues.transact(lambda db, now, new_id: db.execute("UPDATE queues SET principal = 'guest-1'"))
    report = shop.claim()
    assert report.status is ClaimStatus.STOPPED
    assert "the same shopper" in report.message


def test_the_token_is_shown_nowhere(shop: Shop) -> None:
    shop.add(shop.guest, "A")
    shop.account_side.cart_is_closed = True
    report = shop.claim()
    said = [repr(report), *(n.message for n in shop.account.notifications())]
    said += [intents.describe(o.operation) for o in shop.account.operations()]
    assert not [text for text in said if TOKEN in text]


def test_a_crash_is_no_error_that_the_claim_swallows(shop: Shop) -> None:
    shop.fail_by(lambda: "crash_before")
    with pytest.raises(CrashError):
        shop.claim()
