"""Guests taken over by accounts: what goes over, what is closed, and races between a guest and its claim."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cartsync.v1 import cart_pb2, outcome_pb2, reason_pb2
from settled_shop import Queue, Shop, discard_of, money, open_shop, reason, reasons

from reference_server.engine.policy import Policy
from reference_server.storage import StoreFailedError, sqlite_writing


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def queue() -> Queue:
    """A queue of the account ada."""
    return Queue()


@pytest.fixture
def visit() -> Queue:
    """A queue of the guest."""
    return Queue()


def lines(outcome: outcome_pb2.Outcome) -> list[tuple[str, int, int, int, str]]:
    return [
        (
            line.sku,
            line.guest_quantity,
            line.quantity_before,
            line.quantity_after,
            reason_pb2.Reason.Name(line.limit_reason).removeprefix("REASON_"),
        )
        for line in outcome.claimed_lines
    ]


# What goes over


async def test_a_claim_adds_the_guests_lines_under_one_revision(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(quantity=2), visit.add("cream"), principal="guest")
    await shop.send(queue, queue.add(quantity=3), queue.add("bread"))
    outcome = await shop.outcome(queue, queue.claim(await shop.claim_token()))
    assert (outcome.revision, outcome.changed) == (3, True)
    assert lines(outcome) == [("apple", 2, 3, 5, "UNSPECIFIED"), ("cream", 1, 0, 1, "UNSPECIFIED")]
    assert await shop.quantities() == {"apple": 5, "bread": 1, "cream": 1}
    effects = (await shop.store.effects("ada"))[2:]
    assert [(e.sku, e.quantity_before, e.quantity_after, e.revision, e.sequence) for e in effects] == [
        ("apple", 3, 5, 3, 3),
        ("cream", 0, 1, 3, 3),
    ]
    assert len(await shop.store.effects("guest")) == 2


async def test_the_lines_are_changes_of_the_claims_queue(shop: Shop, queue: Queue, visit: Queue) -> None:
    other = Queue()
    await shop.send(visit, visit.add(), principal="guest")
    await shop.send(queue, queue.add())
    await shop.send(queue, queue.claim(await shop.claim_token()))
    assert reason(await shop.outcome(other, other.set(9, guard=1))) == "LINE_CHANGED"
    assert reason(await shop.outcome(queue, queue.set(9, guard=1))) == ""


async def test_a_cart_that_is_not_there_is_made_in_the_guests_currency(shop: Shop, queue: Queue, visit: Queue) -> None:
    shop.shelf.put("apple", 300, currency="EUR")
    await shop.send(visit, visit.add(observed=300, currency="EUR"), principal="guest")
    outcome = await shop.outcome(queue, queue.claim(await shop.claim_token(), cart_id="mine"))
    assert outcome.revision == 1
    cart = await shop.cart("mine")
    assert (cart.total, cart.update_time) == (money(300, "EUR"), outcome.decide_time)
    assert reason(await shop.outcome(queue, queue.add("bread", cart_id="mine"))) == "CURRENCY_MISMATCH"


async def test_a_cart_is_not_made_when_no_line_goes_into_it(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    shop.shelf.put("apple", listed=False)
    outcome = await shop.outcome(queue, queue.claim(await shop.claim_token(), cart_id="mine"))
    assert (outcome.revision, outcome.changed, lines(outcome)) == (0, False, [("apple", 1, 0, 0, "SKU_UNLISTED")])
    assert (await shop.cart("mine")).revision == 0
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == "PRINCIPAL_CLAIMED"


async def test_what_a_limit_cut_is_reported_and_the_rest_goes_over(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(quantity=4), visit.add("bread", 2), visit.add("cream", 2), principal="guest")
    await shop.send(queue, queue.add(quantity=3), queue.add("bread", 5))
    shop.shelf.put("apple", stock=5)
    shop.shelf.put("bread", stock=1)
    del shop.shelf.offers["cream"]
    outcome = await shop.outcome(queue, queue.claim(await shop.claim_token()))
    assert lines(outcome) == [
        ("apple", 4, 3, 5, "INSUFFICIENT_INVENTORY"),
        ("bread", 2, 5, 5, "INSUFFICIENT_INVENTORY"),
        ("cream", 2, 0, 0, "SKU_UNKNOWN"),
    ]
    assert [effect.sku for effect in (await shop.store.effects("ada"))[2:]] == ["apple"]


async def test_the_new_lines_count_towards_the_limit_of_lines(queue: Queue, visit: Queue) -> None:
    async with open_shop(Policy(max_line_count=100)) as shop:
        for number in range(100):
            shop.shelf.put(f"sku-{number:03}")
        await shop.send(queue, *(queue.add(f"sku-{number:03}") for number in range(98)))
        await shop.send(visit, visit.add("apple"), visit.add("bread"), visit.add("cream"), principal="guest")
        outcome = await shop.outcome(queue, queue.claim(await shop.claim_token()))
        assert [line[-1] for line in lines(outcome)] == ["UNSPECIFIED", "UNSPECIFIED", "LINE_LIMIT_EXCEEDED"]
        assert reason(await shop.outcome(queue, queue.add("sku-099"))) == "LINE_LIMIT_EXCEEDED"


async def test_a_claim_among_other_operations_sees_and_leaves_the_state_of_its_place(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    await shop.send(visit, visit.add(quantity=2), principal="guest")
    token = await shop.claim_token()
    results = await shop.send(
        queue, queue.add(), queue.claim(token), queue.adjust(1), queue.claim(token), queue.remove()
    )
    assert lines(results[1].outcome) == [("apple", 2, 1, 3, "UNSPECIFIED")]
    assert (results[3].outcome.changed, lines(results[3].outcome)) == (False, [])
    assert results[4].outcome.line_change.quantity_before == 4
    assert [result.outcome.revision for result in results] == [1, 2, 3, 3, 4]


async def test_two_carts_of_one_guest_are_claimed_one_by_one_by_one_account(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    await shop.send(visit, visit.add(), visit.add("bread", cart_id="second"), principal="guest")
    token = await shop.claim_token()
    results = await shop.send(queue, queue.claim(token), queue.claim(token, guest_cart_id="second"), queue.claim(token))
    assert [result.outcome.changed for result in results] == [True, True, False]
    assert await shop.quantities() == {"apple": 1, "bread": 1}
    bobs = Queue()
    refused = await shop.outcome(bobs, bobs.claim(token, guest_cart_id="third"), "bob")
    assert reason(refused) == "GUEST_ALREADY_CLAIMED"


async def test_coupons_of_the_guest_stay_with_the_guest(shop: Shop, queue: Queue, visit: Queue) -> None:
    shop.board.put("TENTH")
    await shop.send(visit, visit.add(), visit.apply(), principal="guest")
    await shop.send(queue, queue.claim(await shop.claim_token()))
    assert (await shop.coupons(), await shop.coupons(principal="guest")) == ([], ["TENTH"])


# What is closed


async def test_the_guest_takes_no_new_operation_and_shows_its_cart_closed(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    await shop.send(visit, visit.add(quantity=2), principal="guest")
    await shop.send(queue, queue.claim(await shop.claim_token()))
    attempts = [visit.add(), visit.remove(), visit.add(cart_id="new"), visit.draft()]
    assert reasons(await shop.send(visit, *attempts, principal="guest")) == ["PRINCIPAL_CLAIMED"] * 4
    cart = await shop.cart(principal="guest")
    assert (cart.state, cart.revision) == (cart_pb2.CART_STATE_CLOSED, 1)
    assert await shop.quantities(principal="guest") == {"apple": 2}


async def test_a_guests_discard_is_applied_after_the_claim(shop: Shop, queue: Queue, visit: Queue) -> None:
    attempt = visit.add()
    await shop.send(queue, queue.claim(await shop.claim_token()))
    assert reason(await shop.outcome(visit, discard_of(attempt), "guest")) == ""
    assert reason(await shop.outcome(visit, attempt, "guest")) == "SEQUENCE_CONFLICT"


async def test_the_guests_duplicates_and_look_ups_are_answered_as_ever(shop: Shop, queue: Queue, visit: Queue) -> None:
    attempt = visit.add()
    first = await shop.outcome(visit, attempt, "guest")
    await shop.send(queue, queue.claim(await shop.claim_token()))
    (again,) = await shop.send(visit, attempt, principal="guest")
    assert (again.replayed, again.outcome) == (True, first)
    found = await shop.settlement.lookup("guest", visit.queue_id, 1, 2)
    assert found.statuses[0].outcome == first
    assert found.decided_through_sequence == 1


async def test_other_queues_and_other_guests_are_as_they_were(shop: Shop, queue: Queue, visit: Queue) -> None:
    other_visit, second_queue = Queue(), Queue()
    await shop.send(other_visit, other_visit.add(), principal="guest-2")
    await shop.send(queue, queue.claim(await shop.claim_token()))
    assert reason(await shop.outcome(second_queue, second_queue.add(), "guest")) == "PRINCIPAL_CLAIMED"
    assert reason(await shop.outcome(other_visit, other_visit.add(), "guest-2")) == ""


@pytest.mark.parametrize("what", ["not there", "closed", "empty"])
async def test_a_cart_with_nothing_to_take_closes_the_guest_all_the_same(
    shop: Shop, queue: Queue, visit: Queue, what: str
) -> None:
    if what != "not there":
        await shop.send(visit, visit.add(), principal="guest")
    if what == "closed":
        await shop.store.close_cart("guest", "basket")
    if what == "empty":
        await shop.send(visit, visit.remove(), principal="guest")
    await shop.send(queue, queue.add())
    outcome = await shop.outcome(queue, queue.claim(await shop.claim_token()))
    assert (reason(outcome), outcome.changed, outcome.revision, lines(outcome)) == ("", False, 1, [])
    assert reason(await shop.outcome(visit, visit.add(cart_id="new"), "guest")) == "PRINCIPAL_CLAIMED"


# What is refused


async def test_a_claim_into_a_closed_cart_leaves_guest_and_cart_as_they_are(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    await shop.send(queue, queue.add())
    await shop.store.close_cart("ada", "basket")
    token = await shop.claim_token()
    assert reason(await shop.outcome(queue, queue.claim(token))) == "CART_CLOSED"
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""
    assert lines(await shop.outcome(queue, queue.claim(token, cart_id="new"))) == [("apple", 2, 0, 2, "UNSPECIFIED")]


async def test_a_wrong_token_claims_nobody(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    token = await shop.claim_token()
    wrong = [queue.claim(text) for text in ("guest", token[:-1], token + "A", token.upper())]
    assert reasons(await shop.send(queue, *wrong)) == ["CLAIM_TOKEN_INVALID"] * 4
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""


async def test_a_guest_claims_no_guest_not_even_itself(shop: Shop, visit: Queue) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    token = await shop.claim_token()
    attempts = [visit.claim(token), visit.claim(await shop.claim_token("guest-2")), visit.add()]
    assert reasons(await shop.send(visit, *attempts, principal="guest")) == [
        "CLAIM_TOKEN_INVALID",
        "CLAIM_TOKEN_INVALID",
        "",
    ]


async def test_a_guest_that_became_an_account_does_not_claim_itself_with_its_old_token(
    shop: Shop, queue: Queue
) -> None:
    await shop.send(queue, queue.add())
    token = await shop.claim_token("ada")
    refused = queue.claim(token)
    assert reasons(await shop.send(queue, refused, queue.add())) == ["CLAIM_TOKEN_INVALID", ""]
    assert await shop.quantities() == {"apple": 2}


async def test_a_claim_waits_for_the_catalogue_even_with_nothing_to_take(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    token = await shop.claim_token()
    shop.shelf.reachable = False
    attempt = queue.claim(token)
    assert reason(await shop.outcome(queue, attempt)) == "BACKEND_UNAVAILABLE"
    shop.shelf.reachable = True
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""
    assert lines(await shop.outcome(queue, attempt)) == [("apple", 1, 0, 1, "UNSPECIFIED")]


async def test_a_second_claim_from_another_queue_changes_nothing(shop: Shop, queue: Queue, visit: Queue) -> None:
    other = Queue()
    await shop.send(visit, visit.add(), principal="guest")
    token = await shop.claim_token()
    await shop.send(queue, queue.claim(token))
    second = await shop.outcome(other, other.claim(token, cart_id="elsewhere"))
    assert (reason(second), second.changed, second.revision, lines(second)) == ("", False, 0, [])
    assert await shop.quantities("elsewhere") == {}


async def test_a_duplicate_of_a_claim_is_answered_from_its_record(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    attempt = queue.claim(await shop.claim_token())
    (first,) = await shop.send(queue, attempt)
    shop.shelf.reachable = False
    (again,) = await shop.send(queue, attempt)
    assert (again.replayed, again.outcome) == (True, first.outcome)
    assert await shop.store.effects("ada") == (await shop.store.effects("ada"))[:1]


async def test_a_server_that_does_not_list_the_profile_claims_nobody(queue: Queue, visit: Queue) -> None:
    async with open_shop(Policy(profiles=("core",))) as shop:
        token = await shop.claim_token()
        assert reason(await shop.outcome(queue, queue.claim(token))) == "UNSUPPORTED_INTENT"
        assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""


# Races


async def test_two_accounts_that_race_for_a_guest_end_with_one_of_them(shop: Shop, queue: Queue, visit: Queue) -> None:
    bobs = Queue()
    await shop.send(visit, visit.add(), principal="guest")
    token = await shop.claim_token()
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.claim(token)))
    await hold.reached.wait()
    assert reasons(await shop.send(bobs, bobs.claim(token), principal="bob")) == [""]
    hold.go.set()
    assert reasons(await slow) == ["GUEST_ALREADY_CLAIMED"]
    assert (await shop.quantities(), await shop.quantities(principal="bob")) == ({}, {"apple": 1})


async def test_two_devices_of_one_account_that_race_take_the_cart_once(shop: Shop, queue: Queue, visit: Queue) -> None:
    other = Queue()
    await shop.send(visit, visit.add(), principal="guest")
    token = await shop.claim_token()
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.claim(token)))
    await hold.reached.wait()
    (won,) = await shop.send(other, other.claim(token))
    hold.go.set()
    (lost,) = await slow
    assert (won.outcome.changed, lost.outcome.changed, reason(lost.outcome)) == (True, False, "")
    assert await shop.quantities() == {"apple": 1}


async def test_an_operation_of_the_guest_decided_before_the_claim_commits_goes_over_with_it(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    hold = shop.breakpoints.hold_before_commit()
    claiming = asyncio.create_task(shop.send(queue, queue.claim(await shop.claim_token())))
    await hold.reached.wait()
    assert reasons(await shop.send(visit, visit.add(), principal="guest")) == [""]
    hold.go.set()
    assert lines((await claiming)[0].outcome) == [("apple", 2, 0, 2, "UNSPECIFIED")]


@pytest.mark.parametrize("cart_id", ["basket", "another", "brand-new"])
async def test_an_operation_of_the_guest_that_commits_after_the_claim_is_never_applied(
    shop: Shop, queue: Queue, visit: Queue, cart_id: str
) -> None:
    await shop.send(visit, visit.add(), visit.add(cart_id="another"), principal="guest")
    hold = shop.breakpoints.hold_before_commit()
    adding = asyncio.create_task(shop.send(visit, visit.add("bread", cart_id=cart_id), principal="guest"))
    await hold.reached.wait()
    claimed = await shop.outcome(queue, queue.claim(await shop.claim_token()))
    hold.go.set()
    assert reasons(await adding) == ["PRINCIPAL_CLAIMED"]
    assert lines(claimed) == [("apple", 1, 0, 1, "UNSPECIFIED")]
    assert "bread" not in {**await shop.quantities(), **await shop.quantities(cart_id, "guest")}


async def test_a_claim_raced_by_its_own_cart_takes_the_cart_as_it_is_by_then(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    other = Queue()
    await shop.send(visit, visit.add(quantity=2), principal="guest")
    hold = shop.breakpoints.hold_before_commit()
    claiming = asyncio.create_task(shop.send(queue, queue.claim(await shop.claim_token())))
    await hold.reached.wait()
    await shop.send(other, other.add(quantity=5))
    hold.go.set()
    (claimed,) = await claiming
    assert lines(claimed.outcome) == [("apple", 2, 5, 7, "UNSPECIFIED")]
    assert claimed.outcome.revision == 2


async def test_many_guests_queues_at_once_with_the_claim_are_in_it_or_refused(shop: Shop, queue: Queue) -> None:
    visits = [Queue() for _ in range(12)]
    token = await shop.claim_token()
    *sent, claimed = await asyncio.gather(
        *(shop.send(visit, visit.add(), principal="guest") for visit in visits[:6]),
        *(shop.send(visit, visit.add("bread"), principal="guest") for visit in visits[6:]),
        shop.send(queue, queue.claim(token)),
    )
    found = [reason for results in sent for reason in reasons(results)]
    assert set(found) <= {"", "PRINCIPAL_CLAIMED"}
    assert sum((await shop.quantities()).values()) == found.count("")
    assert sum(line[1] for line in lines(claimed[0].outcome)) == found.count("")


# A lost answer


@pytest.mark.parametrize("decided", [True, False])
async def test_a_guests_queue_whose_last_answer_was_lost_neither_adds_twice_nor_loses_anything(
    shop: Shop, queue: Queue, visit: Queue, decided: bool
) -> None:
    first, in_doubt, unsent = visit.add(), visit.add("bread"), visit.add("cream")
    await shop.send(visit, first, principal="guest")
    if decided:
        await shop.send(visit, in_doubt, principal="guest")  # and the answer is lost
    await shop.send(queue, queue.claim(await shop.claim_token()))

    # The guest's credential is still good for asking; what is undecided then is final, and moves to the account.
    found = await shop.settlement.lookup("guest", visit.queue_id, 1, 3)
    undecided = [first, in_doubt, unsent][found.decided_through_sequence :]
    for attempt in undecided:
        await shop.send(queue, queue.add(attempt.operation.add_item.sku))

    # A late copy of the operation in doubt changes nothing any more.
    (late,) = await shop.send(visit, in_doubt, principal="guest")
    assert (late.replayed, reason(late.outcome)) == ((True, "") if decided else (False, "PRINCIPAL_CLAIMED"))
    assert await shop.quantities() == {"apple": 1, "bread": 1, "cream": 1}


async def test_after_the_guests_records_are_pruned_a_late_copy_still_adds_nothing(
    shop: Shop, queue: Queue, visit: Queue
) -> None:
    attempt = visit.add()
    await shop.send(visit, attempt, principal="guest")
    await shop.send(queue, queue.claim(await shop.claim_token()))
    shop.clock.advance(timedelta(days=31))
    await shop.store.prune_due(shop.clock.now())
    assert reason(await shop.outcome(visit, attempt, "guest")) == "OUTCOME_PURGED"
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == "PRINCIPAL_CLAIMED"
    assert await shop.quantities() == {"apple": 1}


async def test_a_claim_that_breaks_in_the_midst_of_its_commit_is_not_begun(
    shop: Shop, queue: Queue, visit: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    attempt = queue.claim(await shop.claim_token())

    def broken(connection: sqlite3.Connection, guest: str, guest_cart_id: str) -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_writing, "close_cart", broken)
        with pytest.raises(StoreFailedError):
            await shop.send(queue, attempt)
    assert (await shop.watermark(queue), await shop.quantities(), await shop.store.effects("ada")) == (0, {}, [])
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""
    assert lines(await shop.outcome(queue, attempt)) == [("apple", 2, 0, 2, "UNSPECIFIED")]


async def test_a_restore_to_before_the_claim_opens_the_guest_again(shop: Shop, queue: Queue, visit: Queue) -> None:
    await shop.send(visit, visit.add(), principal="guest")
    await shop.store.save("before")
    token = await shop.claim_token()
    await shop.send(queue, queue.claim(token))
    await shop.store.restore("before")
    assert reason(await shop.outcome(visit, visit.add(), "guest")) == ""
    again = Queue()
    assert lines(await shop.outcome(again, again.claim(token))) == [("apple", 2, 0, 2, "UNSPECIFIED")]
