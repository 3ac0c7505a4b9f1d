"""Whatever the network and the server's own crashes do to a queue, it ends as if sent once, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from settled_shop import APPLIED, CLAMP, EXACT, PURGED, Attempt, Queue, Shop, open_shop

from reference_server.engine.deciding import Decider
from reference_server.ports import NoInterventions
from reference_server.settlement import Settled, Settlement


class Power(NoInterventions):
    """Cuts the power at the next commit: before it (nothing is durable) or after it (the answer is lost)."""

    def __init__(self) -> None:
        self.cut = "none"

    async def before_commit(self, principal: str) -> None:
        if self.cut == "before commit":
            raise ConnectionAbortedError

    async def after_commit(self, principal: str) -> None:
        if self.cut == "after commit":
            raise ConnectionAbortedError


@dataclass(frozen=True)
class Intent:
    """One thing a shopper wants; which queue it goes to is the plan's."""

    verb: str
    sku: str
    count: int
    policy: operation_pb2.QuantityPolicy.ValueType
    guard: int | None

    def draft(self, queue: Queue, key: str) -> Attempt:
        if self.verb == "add":
            return queue.add(self.sku, max(1, self.count), policy=self.policy, key=key)
        if self.verb == "adjust":
            return queue.adjust(self.count or -1, self.sku, policy=self.policy, guard=self.guard, key=key)
        if self.verb == "set":
            return queue.set(abs(self.count), self.sku, policy=self.policy, guard=self.guard, key=key)
        if self.verb == "remove":
            return queue.remove(self.sku, guard=self.guard, key=key)
        return queue.draft(key=key)  # an intent nobody knows


INTENTS = st.builds(
    Intent,
    verb=st.sampled_from(["add", "add", "add", "adjust", "set", "remove", "unknown"]),
    sku=st.sampled_from(["apple", "bread", "durian"]),
    count=st.integers(-4, 6),
    policy=st.sampled_from([EXACT, CLAMP]),
    guard=st.one_of(st.none(), st.integers(0, 6)),
)
FATES = st.sampled_from(["none", "none", "before commit", "after commit"])
# A delivery: which queue, from which operation, how many of them, and what happens to it.
DELIVERIES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(1, 10), FATES), max_size=12)


def drafted(queue: Queue, intents: list[Intent], number: int) -> list[Attempt]:
    keys = (f"{number:08x}-0000-4000-8000-{index:012x}" for index in range(len(intents)))
    return [intent.draft(queue, key) for intent, key in zip(intents, keys, strict=True)]


async def settlement_in(shop: Shop) -> tuple[Settlement, Power]:
    shop.shelf.put("bread", 120, stock=7)
    power = Power()
    settlement = Settlement(shop.store, Decider(shop.policy), shop.policy, shop.clock, shop.shelf, shop.gate, power)
    return settlement, power


async def deliver(
    settlement: Settlement, power: Power, queue: Queue, attempts: list[Attempt], fate: str
) -> Settled | None:
    power.cut = fate
    with contextlib.suppress(ConnectionAbortedError):
        return await settlement.submit("ada", queue.queue_id, attempts)
    return None


async def in_order(intents: list[Intent]) -> tuple[list[outcome_pb2.Outcome], dict[str, int], int]:
    async with open_shop() as shop:
        settlement, _ = await settlement_in(shop)
        queue = Queue()
        outcomes = [
            (await settlement.submit("ada", queue.queue_id, [attempt])).results[0].outcome
            for attempt in drafted(queue, intents, 0)
        ]
        return outcomes, await shop.quantities(), len(await shop.store.effects("ada"))


@settings(max_examples=60, deadline=None)
@given(intents=st.lists(INTENTS, min_size=1, max_size=10), deliveries=DELIVERIES)
def test_a_queue_ends_as_if_sent_once_in_order(
    intents: list[Intent], deliveries: list[tuple[int, int, int, str]]
) -> None:
    async def run() -> None:
        expected, quantities, effect_count = await in_order(intents)
        async with open_shop() as shop:
            settlement, power = await settlement_in(shop)
            queue = Queue()
            attempts = drafted(queue, intents, 0)
            watermark = 0
            for _, start, count, fate in [*deliveries, (0, 0, len(attempts), "none")]:
                part = attempts[start : start + count]
                if not part:
                    continue
                settled = await deliver(settlement, power, queue, part, fate)
                now = await shop.watermark(queue)
                assert now >= watermark
                watermark = now
                if settled is not None:
                    for result in settled.results:
                        if result.outcome.state in {APPLIED, reason_pb2.OUTCOME_STATE_REJECTED}:
                            assert result.outcome == expected[result.outcome.sequence - 1]
            assert watermark == len(attempts)
            assert await shop.quantities() == quantities
            assert len(await shop.store.effects("ada")) == effect_count

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(
    first=st.lists(INTENTS, min_size=1, max_size=8),
    second=st.lists(INTENTS, min_size=1, max_size=8),
    deliveries=DELIVERIES,
    prune_after=st.integers(0, 12),
)
def test_two_queues_on_one_cart_have_every_effect_once_and_form_one_history(
    first: list[Intent], second: list[Intent], deliveries: list[tuple[int, int, int, str]], prune_after: int
) -> None:
    async def run() -> None:
        async with open_shop() as shop:
            settlement, power = await settlement_in(shop)
            queues = [Queue(), Queue()]
            plans = [
                drafted(queue, intents, n)
                for n, (queue, intents) in enumerate(zip(queues, (first, second), strict=True))
            ]
            drains = [(0, 0, 99, "none"), (1, 0, 99, "none")]
            told: dict[tuple[int, int], outcome_pb2.Outcome] = {}
            for step, (number, start, count, fate) in enumerate([*deliveries, *drains]):
                part = plans[number][start : start + count]
                if part:
                    settled = await deliver(settlement, power, queues[number], part, fate)
                    for result in settled.results if settled else []:
                        _remember(told, number, result.outcome)
                if step == prune_after:
                    shop.clock.advance(timedelta(days=31))
                    await shop.store.prune_due(shop.clock.now())
            await _check_history(shop, queues, plans, told)

    asyncio.run(run())


def _remember(told: dict[tuple[int, int], outcome_pb2.Outcome], number: int, outcome: outcome_pb2.Outcome) -> None:
    if outcome.state in {APPLIED, reason_pb2.OUTCOME_STATE_REJECTED}:
        assert told.setdefault((number, outcome.sequence), outcome) == outcome
    elif outcome.state != PURGED:
        assert (number, outcome.sequence) not in told


async def _check_history(
    shop: Shop,
    queues: list[Queue],
    plans: list[list[Attempt]],
    told: dict[tuple[int, int], outcome_pb2.Outcome],
) -> None:
    effects = await shop.store.effects("ada")
    assert [effect.revision for effect in effects] == list(range(1, len(effects) + 1))
    lines: Counter[str] = Counter()
    for effect in effects:
        assert lines[effect.sku] == effect.quantity_before != effect.quantity_after
        lines[effect.sku] = effect.quantity_after
    assert await shop.quantities() == {sku: count for sku, count in lines.items() if count}
    by_operation = {(effect.queue_id, effect.sequence): effect for effect in effects}
    assert len(by_operation) == len(effects)
    for (number, sequence), outcome in told.items():
        found = by_operation.get((queues[number].queue_id, sequence))
        assert (found is not None) == outcome.changed
        if found is not None:
            assert found.revision == outcome.revision
            assert found.idempotency_key == outcome.idempotency_key
    for queue, attempts in zip(queues, plans, strict=True):
        assert await shop.watermark(queue) == len(attempts)


@settings(max_examples=25, deadline=None)
@given(
    plans=st.lists(st.lists(INTENTS, min_size=1, max_size=5), min_size=2, max_size=4),
    copies=st.integers(1, 3),
)
def test_submissions_at_the_same_time_form_one_history(plans: list[list[Intent]], copies: int) -> None:
    async def run() -> None:
        async with open_shop() as shop:
            settlement, _ = await settlement_in(shop)
            queues = [Queue() for _ in plans]
            attempts = [
                drafted(queue, intents, n) for n, (queue, intents) in enumerate(zip(queues, plans, strict=True))
            ]
            settled = await asyncio.gather(
                *(
                    settlement.submit("ada", queues[number].queue_id, attempts[number])
                    for _ in range(copies)
                    for number in range(len(plans))
                )
            )
            told: dict[tuple[int, int], outcome_pb2.Outcome] = {}
            for index, answer in enumerate(settled):
                for result in answer.results:
                    _remember(told, index % len(plans), result.outcome)
            await _check_history(shop, queues, attempts, told)

    asyncio.run(run())
