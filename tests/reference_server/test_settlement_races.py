"""Concurrent submissions, callers that go away, stores that change underneath. No sleeps: every race is arranged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from settled_shop import Queue, Shop, open_shop, reasons

from reference_server.engine.state import Changes
from reference_server.settlement import ContendedError, StoreChangedError


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def queue() -> Queue:
    return Queue()


async def test_the_loser_of_a_race_over_one_operation_answers_with_the_winners_decision(
    shop: Shop, queue: Queue
) -> None:
    attempt = queue.add()
    hold = shop.breakpoints.hold_before_commit()
    loser = asyncio.create_task(shop.send(queue, attempt))
    await hold.reached.wait()
    (won,) = await shop.send(queue, attempt)
    hold.go.set()
    (lost,) = await loser
    assert (won.replayed, lost.replayed) == (False, True)
    assert lost.outcome == won.outcome
    assert await shop.quantities() == {"apple": 1}


async def test_two_queues_on_one_cart_lose_no_change(shop: Shop, queue: Queue) -> None:
    other = Queue()
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.add(quantity=2), queue.adjust(1)))
    await hold.reached.wait()
    await shop.send(other, other.add(quantity=4))
    hold.go.set()
    results = await slow
    assert [r.outcome.revision for r in results] == [2, 3]
    assert await shop.quantities() == {"apple": 7}


async def test_many_queues_at_once_on_one_cart_lose_no_change(shop: Shop) -> None:
    queues = [Queue() for _ in range(25)]
    sent = await asyncio.gather(*(shop.send(queue, queue.add(), queue.add("bread")) for queue in queues))
    revisions = sorted(result.outcome.revision for results in sent for result in results)
    assert revisions == list(range(1, 51))
    assert await shop.quantities() == {"apple": 25, "bread": 25}


async def test_concurrent_duplicates_end_in_one_decision(shop: Shop, queue: Queue) -> None:
    attempts = [queue.add(), queue.add("bread")]
    sent = await asyncio.gather(*(shop.send(queue, *attempts) for _ in range(10)))
    assert all([r.outcome for r in results] == [r.outcome for r in sent[0]] for results in sent)
    assert sum(not result.replayed for results in sent for result in results) == 2
    assert len(await shop.store.effects("ada")) == 2


async def test_a_rejection_is_judged_anew_when_the_cart_moved_before_its_commit(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(other, other.add(quantity=1))
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.add("durian")))
    await hold.reached.wait()
    await shop.send(other, other.add())
    hold.go.set()
    (result,) = await slow
    assert result.outcome.revision == 2


async def test_a_cart_closed_before_the_commit_refuses_what_was_decided_while_open(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.add()))
    await hold.reached.wait()
    await shop.store.close_cart("ada", "basket")
    hold.go.set()
    assert reasons(await slow) == ["CART_CLOSED"]


async def test_nothing_is_visible_while_held_before_the_commit_and_all_of_it_after(shop: Shop, queue: Queue) -> None:
    before, after = shop.breakpoints.hold_before_commit(), shop.breakpoints.hold_after_commit()
    task = asyncio.create_task(shop.send(queue, queue.add()))
    await before.reached.wait()
    assert (await shop.watermark(queue), await shop.quantities()) == (0, {})
    before.go.set()
    await after.reached.wait()
    assert (await shop.watermark(queue), await shop.quantities()) == (1, {"apple": 1})
    assert not task.done()
    after.go.set()
    assert reasons(await task) == [""]


async def test_a_submission_is_settled_although_its_caller_has_gone(shop: Shop, queue: Queue) -> None:
    attempt = queue.add()
    hold = shop.breakpoints.hold_before_commit()
    task = asyncio.create_task(shop.send(queue, attempt))
    await hold.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await shop.watermark(queue) == 0
    hold.go.set()
    await shop.settlement.drain()
    assert await shop.watermark(queue) == 1
    assert (await shop.send(queue, attempt))[0].replayed


async def test_duplicates_alone_are_not_held(shop: Shop, queue: Queue) -> None:
    attempt = queue.add()
    await shop.send(queue, attempt)
    hold = shop.breakpoints.hold_before_commit()
    assert (await shop.send(queue, attempt))[0].replayed
    assert not hold.reached.is_set()


async def test_the_rate_limit_holds_when_submissions_overlap(shop: Shop, queue: Queue) -> None:
    other = Queue()
    shop.gate.remaining = 1
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.add()))
    await hold.reached.wait()
    assert reasons(await shop.send(other, other.add())) == [""]
    hold.go.set()
    assert reasons(await slow) == ["RATE_LIMITED"]
    assert shop.gate.remaining == 0


async def test_many_overlapping_submissions_stay_within_the_rate_limit(shop: Shop) -> None:
    shop.gate.remaining = 7
    queues = [Queue() for _ in range(10)]
    sent = await asyncio.gather(
        *(shop.send(queue, *(queue.add(cart_id=queue.queue_id) for _ in range(2))) for queue in queues)
    )
    assert sum(reason == "" for results in sent for reason in reasons(results)) == 7
    assert shop.gate.remaining == 0


async def test_another_store_than_expected_is_refused_with_the_current_id(shop: Shop, queue: Queue) -> None:
    settlement = shop.settlement
    for call in (
        shop.settle(queue, queue.add(), expected_store_id="another"),
        settlement.cart("ada", "basket", "", "another"),
        settlement.lookup("ada", queue.queue_id, 1, 1, "another"),
        settlement.watermark("ada", queue.queue_id, "another"),
    ):
        with pytest.raises(StoreChangedError) as caught:
            await call
        assert caught.value.current == shop.store.store_id
    assert await shop.watermark(queue) == 0


async def test_a_restore_under_a_held_submission_leaves_nothing_of_it(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.add())
    await shop.store.save("early")
    expected = shop.store.store_id
    hold = shop.breakpoints.hold_before_commit()
    task = asyncio.create_task(shop.settle(queue, queue.add(), expected_store_id=expected))
    await hold.reached.wait()
    new_id = await shop.store.restore("early")
    hold.go.set()
    with pytest.raises(StoreChangedError) as caught:
        await task
    assert caught.value.current == new_id != expected
    assert (await shop.watermark(queue), await shop.quantities()) == (1, {"apple": 1})


async def test_a_submission_that_never_wins_gives_up_and_leaves_nothing(
    shop: Shop, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(changes: Changes) -> bool:
        return False

    monkeypatch.setattr(shop.store, "commit", lost)
    with pytest.raises(ContendedError, match="same again later"):
        await shop.send(queue, queue.add())
    assert await shop.watermark(queue) == 0
