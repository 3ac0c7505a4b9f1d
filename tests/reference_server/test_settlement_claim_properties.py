"""Whatever the network does to a guest, an account and the claim between them, every intent counts once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from cartsync.v1 import operation_pb2, outcome_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from settled_shop import APPLIED, Attempt, Queue, Shop, open_shop, reason

from reference_server.engine.deciding import Decider
from reference_server.ports import NoInterventions
from reference_server.settlement import Settlement

# What a queue adds: how many of which product.
ADDS = st.lists(st.tuples(st.sampled_from(["apple", "bread", "cream"]), st.integers(1, 5)), max_size=5)
# A delivery: who sends (the guest's two queues, the account's), from which operation, how many, and what happens.
DELIVERIES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 6),
        st.integers(1, 7),
        st.sampled_from(["none", "none", "before commit", "after commit"]),
    ),
    max_size=14,
)


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


class Household:
    """A guest with two devices and the account that claims it, on one shop with a weak power line."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.power = Power()
        self.settlement = Settlement(
            shop.store,
            Decider(shop.policy),
            shop.policy,
            shop.clock,
            shop.shelf,
            shop.gate,
            self.power,
        )
        self.queues = [Queue(), Queue(), Queue()]
        self.plans: list[list[Attempt]] = [[], [], []]
        self.told: dict[tuple[int, int], outcome_pb2.Outcome] = {}

    async def draft(self, guest_adds: list[list[tuple[str, int]]], before: list[tuple[str, int]]) -> None:
        for number, adds in enumerate(guest_adds):
            self.plans[number] = [self.queues[number].add(sku, count) for sku, count in adds]
        account = self.queues[2]
        self.plans[2] = [account.add(sku, count) for sku, count in before]
        self.plans[2].append(account.claim(await self.shop.claim_token()))

    async def deliver(self, number: int, start: int, count: int, fate: str) -> None:
        part = self.plans[number][start : start + count]
        if not part:
            return
        self.power.cut = fate
        principal = "ada" if number == 2 else "guest"
        with contextlib.suppress(ConnectionAbortedError):
            settled = await self.settlement.submit(principal, self.queues[number].queue_id, part)
            for result in settled.results:
                if result.outcome.state in (APPLIED,) or reason(result.outcome) == "PRINCIPAL_CLAIMED":
                    known = self.told.setdefault((number, result.outcome.sequence), result.outcome)
                    assert known == result.outcome

    async def move_what_the_claim_left(self) -> None:
        """What a client does after the claim: ask with the guest's credential, enqueue the undecided anew."""
        account = self.queues[2]
        for number in (0, 1):
            watermark = await self.shop.watermark(self.queues[number], "guest")
            recorded = await self.shop.settlement.lookup("guest", self.queues[number].queue_id, 1, 7)
            for attempt in self.plans[number]:
                sequence = attempt.operation.sequence
                outcome = recorded.statuses[sequence - 1].outcome
                if sequence > watermark or reason(outcome) == "PRINCIPAL_CLAIMED":
                    add = attempt.operation.add_item
                    self.plans[2].append(account.add(add.sku, add.quantity))
        await self.deliver(2, 0, len(self.plans[2]), "none")


def wanted(plans: list[list[Attempt]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for plan in plans:
        for attempt in plan:
            if attempt.operation.WhichOneof("intent") == "add_item":
                add: operation_pb2.AddItem = attempt.operation.add_item
                total[add.sku] += add.quantity
    return total


@settings(max_examples=60, deadline=None)
@given(first=ADDS, second=ADDS, before=ADDS, deliveries=DELIVERIES)
def test_every_add_of_guest_and_account_ends_in_the_accounts_cart_once(
    first: list[tuple[str, int]],
    second: list[tuple[str, int]],
    before: list[tuple[str, int]],
    deliveries: list[tuple[int, int, int, str]],
) -> None:
    async def run() -> None:
        async with open_shop() as shop:
            household = Household(shop)
            await household.draft([first, second], before)
            everything = wanted(household.plans)
            for delivery in deliveries:
                await household.deliver(*delivery)
            await household.deliver(2, 0, len(household.plans[2]), "none")
            await household.move_what_the_claim_left()
            assert Counter(await shop.quantities()) == everything
            taken: Counter[str] = Counter(await shop.quantities(principal="guest"))
            claim = household.told[2, len(before) + 1]
            assert Counter({line.sku: line.guest_quantity for line in claim.claimed_lines}) == taken
            await _check_ledger(shop)

    asyncio.run(run())


async def _check_ledger(shop: Shop) -> None:
    """Each change of the account's cart starts where the one before it ended; the claim's share one revision."""
    lines: Counter[str] = Counter()
    revisions: list[int] = []
    for effect in await shop.store.effects("ada"):
        assert lines[effect.sku] == effect.quantity_before < effect.quantity_after
        lines[effect.sku] = effect.quantity_after
        if effect.revision not in revisions:
            revisions.append(effect.revision)
    assert revisions == list(range(1, len(revisions) + 1))
    assert Counter(await shop.quantities()) == lines


@settings(max_examples=25, deadline=None)
@given(
    adds=st.lists(ADDS.filter(bool), min_size=1, max_size=4),
    claims=st.integers(1, 3),
    accounts=st.lists(st.sampled_from(["ada", "bob"]), min_size=1, max_size=3),
)
def test_guests_and_claims_at_the_same_time_lose_nothing_and_double_nothing(
    adds: list[list[tuple[str, int]]], claims: int, accounts: list[str]
) -> None:
    async def run() -> None:
        async with open_shop() as shop:
            token = await shop.claim_token()
            visits = [Queue() for _ in adds]
            plans = [[visit.add(*add) for add in plan] for visit, plan in zip(visits, adds, strict=True)]
            claimers = [(account, Queue()) for account in accounts for _ in range(claims)]
            *_, claimed = await asyncio.gather(
                *(shop.send(visit, *plan, principal="guest") for visit, plan in zip(visits, plans, strict=True)),
                asyncio.gather(
                    *(shop.send(queue, queue.claim(token), principal=account) for account, queue in claimers)
                ),
            )
            answers = [(account, results[0].outcome) for (account, _), results in zip(claimers, claimed, strict=True)]
            winners = {account for account, outcome in answers if reason(outcome) == ""}
            assert len(winners) == 1
            (winner,) = winners
            assert await shop.quantities(principal=winner) == await shop.quantities(principal="guest")
            for account in set(accounts) - winners:
                assert await shop.quantities(principal=account) == {}
            assert sum(outcome.changed for _, outcome in answers) <= 1

    asyncio.run(run())
