"""The reference server's settlement as a stage: every profile, no network, nothing that a clock decides."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from reference_shop import POLICY, ReferenceShop, Surroundings, reference_shop, server_name

from conformance.oracle import translation
from conformance.oracle.observations import (
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedEffect,
    ObservedLookup,
    ObservedPaymentMethods,
    ObservedWishlist,
)
from conformance.oracle.values import CardDetails, Limits, Offer, Promotion, Submission
from conformance.oracle.world import SOLE, Scope
from conformance.plans.stage import GUEST, Means, principal_of

MEANS = frozenset(Means) - {Means.HOLD, Means.ABORT, Means.KILL, Means.RESTORE, Means.STREAM}
_Value = TypeVar("_Value")


class MemoryStage:
    """One playing of a plan. Submissions that are cut are settled or never arrive; races come in either order."""

    def __init__(self, runner: asyncio.Runner, server: ReferenceShop, seed: int) -> None:
        self._runner = runner
        self._server = server
        self._rng = random.Random(seed)

    @property
    def limits(self) -> Limits:
        return translation.limits(POLICY.message())

    @property
    def means(self) -> frozenset[Means]:
        return MEANS

    def own_name(self, name: str) -> str:
        return name

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def put_offer(self, sku: str, offer: Offer) -> Offer:
        self._server.around.offers[sku] = offer
        return offer

    def put_promotion(self, code: str, promotion: Promotion | None) -> None:
        self._server.around.promotions.pop(code, None)
        if promotion is not None:
            self._server.around.promotions[code] = promotion

    def put_token(self, provider: str, token: str, card: CardDetails | None) -> None:
        self._server.around.cards.pop((provider, token), None)
        if card is not None:
            self._server.around.cards[provider, token] = card

    def claim_token(self) -> str | None:
        return self._run(self._server.claim_token(GUEST))

    def close_cart(self, cart_id: str) -> bool:
        return self._run(self._server.store.close_cart(server_name(SOLE), cart_id))

    def set_rate_limit(self, remaining: int | None, scope: Scope = Scope.ALL) -> None:
        self._server.gates[scope].remaining.pop(server_name(SOLE), None)
        if remaining is not None:
            self._server.gates[scope].remaining[server_name(SOLE)] = remaining

    def set_backend(self, available: bool) -> None:
        (self._server.around.away.discard if available else self._server.around.away.add)(server_name(SOLE))

    def advance(self, seconds: float) -> None:
        self._server.around.now += seconds

    # A settlement in memory is neither saved, killed nor held.

    def save(self) -> None:
        raise AssertionError("asked to save")

    def restore(self) -> None:
        raise AssertionError("asked to restore")

    def restart(self) -> None:
        raise AssertionError("asked to restart")

    def kill(self) -> None:
        raise AssertionError("asked to die")

    def stream(self, device: str, submissions: Sequence[Submission], *, cut: bool) -> Sequence[ObservedAnswer]:
        raise AssertionError(f"asked to stream {len(submissions)} submissions of {device}, cut: {cut}")

    def hold_and_cut(self, device: str, submission: Submission, *, committed: bool) -> bool:
        raise AssertionError(f"asked to hold {submission} of {device}, committed: {committed}")

    def crash_at_commit(self, device: str, submission: Submission, *, committed: bool) -> bool:
        raise AssertionError(f"asked to crash at {submission} of {device}, committed: {committed}")

    def kill_during(self, device: str, submission: Submission) -> None:
        raise AssertionError(f"asked to die during {submission} of {device}")

    # The network.

    def submit(self, device: str, submission: Submission) -> ObservedAnswer | None:
        return self._run(self._server.submit(principal_of(device), submission))

    def cut(self, device: str, submission: Submission) -> None:
        if self._rng.random() < 0.7:
            self.submit(device, submission)

    def race(
        self, left: tuple[str, Submission], right: tuple[str, Submission], *, held: bool
    ) -> tuple[ObservedAnswer | None, ObservedAnswer | None]:
        del held
        if self._rng.random() < 0.5:
            return self.submit(*left), self.submit(*right)
        second = self.submit(*right)
        return self.submit(*left), second

    # Reading.

    def cart(self, device: str, cart_id: str, queue_id: str) -> ObservedCart | None:
        return self._run(self._server.cart(principal_of(device), cart_id, queue_id))

    def look_up(self, device: str, queue_id: str, first: int, last: int) -> ObservedLookup | None:
        assert first == 1
        return self._run(self._server.look_up(principal_of(device), queue_id, last))

    def wishlist(self, device: str, queue_id: str) -> ObservedWishlist | None:
        return self._run(self._server.wishlist(principal_of(device), queue_id))

    def addresses(self, device: str, queue_id: str) -> ObservedAddressBook | None:
        return self._run(self._server.addresses(principal_of(device), queue_id))

    def payment_methods(self, device: str, queue_id: str) -> ObservedPaymentMethods | None:
        return self._run(self._server.payment_methods(principal_of(device), queue_id))

    def effects(self, principal: str = SOLE) -> Sequence[ObservedEffect]:
        return self._run(self._server.effects(principal))

    def _run(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        return self._runner.run(work)


@contextmanager
def memory_stage(seed: int) -> Iterator[MemoryStage]:
    """A stage with a server of its own."""
    with asyncio.Runner() as runner:
        shop = reference_shop(Surroundings())
        server = runner.run(shop.__aenter__())
        try:
            yield MemoryStage(runner, server, seed)
        finally:
            runner.run(shop.__aexit__(None, None, None))
