"""Settles submissions: reads, decides, commits; joins the pure engine to a store.

One round of a submission is: read everything at one instant, decide in memory, commit by compare-and-set. When the
commit finds that the queue or a cart has moved meanwhile, nothing was done, and the next round reads and decides
anew: what another submission decided is then answered as a duplicate. All safety lies in that compare-and-set.
The locks here are a courtesy that spares the losers of a race further lost rounds.

Once begun, a submission is settled even when its caller goes away: a client that was cut off finds either all of it
or none of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2, service_pb2

from reference_server.commits import Commits
from reference_server.engine import claim_tokens, instants
from reference_server.engine.cases import Decision, Situation
from reference_server.engine.deciding import Decider
from reference_server.engine.offers import offers_for
from reference_server.engine.operands import Operand, operand
from reference_server.engine.payment_rules import payments_for
from reference_server.engine.policy import Policy
from reference_server.engine.promotions import promotions_for
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CollectionContents, Reading, RecordRange
from reference_server.ports import (
    Catalog,
    Clock,
    Guests,
    Interventions,
    NoGuests,
    NoInterventions,
    NoPaymentProvider,
    NoPromotions,
    PaymentProvider,
    Promotions,
    RateLimiter,
)
from reference_server.rate_limits import NoLimit
from reference_server.storage.interface import CONTACT_GRANULARITY, Store, Wanted

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# Every lost round is another submission's success; only a store that never takes a commit gets here.
_MAX_ROUND_COUNT = 1000


class SettlementError(Exception):
    """A submission or read ended without an answer. Nothing of it was processed."""


class StoreChangedError(SettlementError):
    """The caller expected another store than this one (spec: store/changed-refused); `current` is its id."""

    def __init__(self, current: str) -> None:
        super().__init__("the store is not the one the request expected")
        self.current = current


class ContendedError(SettlementError):
    """Others committed first, time and again. The caller sends the same again later."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to a submission: everything in it is durable."""

    results: list[outcome_pb2.OperationResult]
    decided_through_sequence: int
    store_id: str


@dataclass(frozen=True, slots=True)
class CartReading:
    """A cart priced now, and how far the queue asked for had come; None when none was asked for."""

    cart: cart_pb2.Cart
    decided_through_sequence: int | None
    store_id: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """What was decided for a range of sequences."""

    statuses: list[service_pb2.SequenceStatus]
    decided_through_sequence: int
    store_id: str


class Settlement:
    """Settles submissions and answers reads for any number of principals at once.

    Requests must have passed `engine.submission_checks`. Every method raises `StoreFailedError` when the store
    fails, and StoreChangedError when `expected_store_id` is not empty and not the store's.
    """

    def __init__(
        self,
        store: Store,
        decider: Decider,
        policy: Policy,
        clock: Clock,
        catalog: Catalog,
        limiter: RateLimiter,
        interventions: Interventions | None = None,
        pricing: CartPricing | None = None,
        promotions: Promotions | None = None,
        *,
        commits: Commits | None = None,
        payment_provider: PaymentProvider | None = None,
        payment_limiter: RateLimiter | None = None,
        guests: Guests | None = None,
    ) -> None:
        self._store = store
        self._decider = decider
        self._policy = policy
        self._clock = clock
        self._catalog = catalog
        self._limiter = limiter
        self._interventions: Interventions = interventions if interventions is not None else NoInterventions()
        self._pricing = pricing if pricing is not None else CartPricing()
        self._promotions: Promotions = promotions if promotions is not None else NoPromotions()
        self._commits = commits if commits is not None else Commits()
        self._payment_provider: PaymentProvider = payment_provider or NoPaymentProvider()
        self._payment_limiter: RateLimiter = payment_limiter or NoLimit()
        self._guests: Guests = guests or NoGuests()
        self._running: set[asyncio.Task[Any]] = set()
        # Operations about to be charged, by principal: to the limit, and to that for saving payment methods.
        self._committing: Counter[str] = Counter()
        self._committing_savings: Counter[str] = Counter()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def store_id(self) -> str:
        """The store's id at this moment."""
        return self._store.store_id

    @property
    def policy(self) -> Policy:
        """The contract this settlement keeps."""
        return self._policy

    # Submissions.

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        """Settle one submission; answers when everything in the answer is durable.

        Cancelling the caller does not cancel the submission. Raises ContendedError as well.
        spec: durability/answer-after-commit, effects/concurrent-duplicates
        """
        return await self._see_through(self._settle(principal, queue_id, attempts, expected_store_id))

    async def drain(self) -> None:
        """Wait until every submission that was begun is settled, those whose callers have gone included."""
        while self._running:
            await asyncio.wait(self._running)

    async def _see_through(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str,
    ) -> Settled:
        wanted = Wanted(principal, queue_id, tuple(operand(attempt.operation) for attempt in attempts))
        intervened = False
        for round_number in range(_MAX_ROUND_COUNT):
            async with AsyncExitStack() as turn:
                if round_number > 0 and intervened:
                    await turn.enter_async_context(self._turn(principal))
                reading = await self._store.read(wanted)
                _check_store(expected_store_id, reading.store_id)
                decision = self.decide(principal, queue_id, attempts, reading)
                if decision.changes.empty:
                    await self._stay_in_contact(principal, queue_id, reading.contact_time_us)
                    return _settled(decision)
                if decision.changes.records and not intervened:
                    intervened = True
                    await self._interventions.before_commit(principal)
                if self._allowance_gone(principal, decision):
                    continue
                if not await self.commit(principal, decision):
                    continue
            if decision.changes.records:
                await self._interventions.after_commit(principal)
            return _settled(decision)
        raise ContendedError("other submissions kept committing first; send the same again later")

    def decide(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        reading: Reading,
    ) -> Decision:
        """Decide against what was read, with clock, limits and catalogue as they are now."""
        situation = Situation(
            principal=principal,
            queue_id=queue_id,
            now_us=instants.to_us(self._clock.now()),
            offers=offers_for(self._catalog, principal),
            promotions=promotions_for(self._promotions, principal),
            payments=payments_for(self._payment_provider, principal),
            is_guest=self._guests.is_guest(principal),
            allowance=self._allowance(principal),
            rate_limit_delay=self._limiter.retry_delay(principal),
            payment_allowance=self._payment_allowance(principal),
            payment_rate_limit_delay=self._payment_limiter.retry_delay(principal),
            while_deciding=lambda sequence: self._interventions.while_deciding(principal, sequence),
        )
        decision = self._decider.decide(reading, attempts, situation)
        for failure in decision.failures:
            _LOG.error(
                "deciding failed: queue %s, sequence %d, key %s",
                queue_id,
                failure.sequence,
                failure.idempotency_key,
                exc_info=failure.error,
            )
        return decision

    async def commit(self, principal: str, decision: Decision) -> bool:
        """Commit, charge and announce. What is on its way to be charged counts against the allowance of others."""
        count, saving_count = decision.charged_count, decision.charged_saving_count
        self._committing[principal] += count
        self._committing_savings[principal] += saving_count
        try:
            committed = await self._store.commit(decision.changes)
            if committed and count:
                self._limiter.charge(principal, count)
            if committed and saving_count:
                self._payment_limiter.charge(principal, saving_count)
            if committed:
                self._commits.announce(decision.changes)
            return committed
        finally:
            _subtract(self._committing, principal, count)
            _subtract(self._committing_savings, principal, saving_count)

    def _allowance(self, principal: str) -> int | None:
        allowance = self._limiter.allowance(principal)
        return None if allowance is None else max(0, allowance - self._committing[principal])

    def _payment_allowance(self, principal: str) -> int | None:
        allowance = self._payment_limiter.allowance(principal)
        return None if allowance is None else max(0, allowance - self._committing_savings[principal])

    def _allowance_gone(self, principal: str, decision: Decision) -> bool:
        """Whether others used up meanwhile what this submission counted on."""
        allowance, payment_allowance = self._allowance(principal), self._payment_allowance(principal)
        return (allowance is not None and decision.charged_count > allowance) or (
            payment_allowance is not None and decision.charged_saving_count > payment_allowance
        )

    def _turn(self, principal: str) -> asyncio.Lock:
        return self._turns.setdefault(principal, asyncio.Lock())

    # Reads.

    async def cart(self, principal: str, cart_id: str, queue_id: str = "", expected_store_id: str = "") -> CartReading:
        """A cart priced now, with the watermark of a queue at the same instant (spec: snapshot/atomic).

        Raises BackendUnavailableError when a line cannot be priced, or a coupon looked up, now.
        """
        contents = await self._store.read_cart(principal, cart_id, queue_id)
        _check_store(expected_store_id, contents.store_id)
        await self._stay_in_contact(principal, queue_id, contents.contact_time_us)
        if not self._policy.has_profile("coupons"):  # what was put on while it was listed is not there either
            contents = replace(contents, coupon_codes=())
        now_us = instants.to_us(self._clock.now())
        cart = self._pricing.priced(
            cart_id,
            contents,
            offers_for(self._catalog, principal),
            now_us,
            principal=principal,
            promotions=promotions_for(self._promotions, principal),
        )
        return CartReading(cart, contents.decided_through_sequence, contents.store_id)

    async def collection(
        self,
        principal: str,
        name: str,
        queue_id: str = "",
        expected_store_id: str = "",
        *,
        after_revision: int = 0,
        limit: int | None = None,
    ) -> CollectionContents:
        """Entries of a collection in the order of addition, with the watermark of a queue at the same instant.

        All of them, or the first `limit` added after `after_revision`; `engine.listings` makes messages of them.
        spec: wishlist/atomic, address/listing, payment/listing
        """
        contents = await self._store.read_collection(
            principal, name, queue_id, after_revision=after_revision, limit=limit
        )
        _check_store(expected_store_id, contents.store_id)
        await self._stay_in_contact(principal, queue_id, contents.contact_time_us)
        return contents

    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        """What was decided for `first` to `last`; decides nothing (spec: lookup/*, retention/lookup-purged)."""
        found = await self._store.read_range(principal, queue_id, first, last)
        _check_store(expected_store_id, found.store_id)
        await self._stay_in_contact(principal, queue_id, found.contact_time_us)
        statuses = [_status(sequence, found) for sequence in range(first, last + 1)]
        return Lookup(statuses, found.decided_through_sequence, found.store_id)

    async def watermark(self, principal: str, queue_id: str, expected_store_id: str = "") -> tuple[int, str]:
        """How far a queue has come, and the id of the store that says so."""
        found = await self._store.read_range(principal, queue_id, 1, 0)
        _check_store(expected_store_id, found.store_id)
        await self._stay_in_contact(principal, queue_id, found.contact_time_us)
        return found.decided_through_sequence, found.store_id

    async def claim_token(self, guest: str, expected_store_id: str = "") -> tuple[str, str]:
        """The token by which an account can claim `guest`, and the id of the store (spec: claim/token)."""
        reading = await self._store.read(Wanted(guest, "", (Operand(1, ""),)))
        _check_store(expected_store_id, reading.store_id)
        return claim_tokens.issue(reading.digest_key, guest), reading.store_id

    async def _stay_in_contact(self, principal: str, queue_id: str, contact_time_us: int | None) -> None:
        """Refresh a queue's contact time, at most once per granularity (spec: retention/watermark-kept)."""
        now_us = instants.to_us(self._clock.now())
        if contact_time_us is None or now_us - contact_time_us < instants.span_us(CONTACT_GRANULARITY):
            return
        await self._store.touch(principal, queue_id, now_us)


def _subtract(counts: Counter[str], principal: str, count: int) -> None:
    counts[principal] -= count
    if not counts[principal]:
        del counts[principal]


def _check_store(expected_store_id: str, store_id: str) -> None:
    if expected_store_id and expected_store_id != store_id:
        raise StoreChangedError(store_id)


def _settled(decision: Decision) -> Settled:
    changes = decision.changes
    return Settled(decision.results, changes.queue.decided_through_sequence, changes.store_id)


def _status(sequence: int, found: RecordRange) -> service_pb2.SequenceStatus:
    recorded = found.outcomes.get(sequence)
    if recorded is not None:
        return service_pb2.SequenceStatus(
            sequence=sequence,
            decidedness=service_pb2.DECIDEDNESS_DECIDED,
            outcome=outcome_pb2.Outcome.FromString(recorded),
        )
    if sequence <= found.decided_through_sequence:
        return service_pb2.SequenceStatus(sequence=sequence, decidedness=service_pb2.DECIDEDNESS_PURGED)
    return service_pb2.SequenceStatus(sequence=sequence, decidedness=service_pb2.DECIDEDNESS_UNDECIDED)
