"""The reference server's settlement on a store in memory, in the words of the oracle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import address_book_pb2, payment_methods_pb2, service_pb2, wishlist_pb2

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
from conformance.oracle.values import CardDetails, Offer, Promotion, Submission
from conformance.oracle.world import Scope
from reference_server import ports
from reference_server.engine.deciding import Decider
from reference_server.engine.listings import Listings
from reference_server.engine.policy import Policy
from reference_server.ports import BackendUnavailableError, PaymentDetails
from reference_server.settlement import Settlement
from reference_server.storage import Store, open_store

BEGINNING = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
"""What the server's clock says where the oracle's says 0."""
ACCOUNT = "ada"
POLICY = Policy(
    max_line_quantity=99,
    max_line_count=100,
    max_coupon_count=2,
    max_wishlist_entry_count=100,
    max_address_count=10,
    max_payment_method_count=5,
)


def server_name(principal: str) -> str:
    """What the server calls a principal of the oracle's."""
    return principal or ACCOUNT


@dataclass
class Surroundings:
    """Clock, catalogue, promotions, payment provider, guests and limits as the oracle's shop has them."""

    now: float = 0.0
    offers: dict[str, Offer] = field(default_factory=dict)
    promotions: dict[str, Promotion] = field(default_factory=dict)
    cards: dict[tuple[str, str], CardDetails] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)

    def clock_time(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.now)

    def asked_by(self, principal: str) -> None:
        if principal in self.away:
            raise BackendUnavailableError("switched off")


@dataclass
class _Clock:
    around: Surroundings

    def now(self) -> datetime:
        return self.around.clock_time()


@dataclass
class _Catalog:
    around: Surroundings

    def offer(self, principal: str, sku: str) -> ports.Offer | None:
        self.around.asked_by(principal)
        offer = self.around.offers.get(sku)
        if offer is None:
            return None
        return ports.Offer(sku, offer.price.currency, offer.price.minor, offer.listed, offer.available)


@dataclass
class _Promotions:
    around: Surroundings

    def promotion(self, principal: str, coupon_code: str) -> ports.Promotion | None:
        self.around.asked_by(principal)
        promotion = self.around.promotions.get(coupon_code)
        if promotion is None:
            return None
        amount, minimum = promotion.amount, promotion.minimum
        return ports.Promotion(
            coupon_code=coupon_code,
            amount_off_minor=amount.minor if amount is not None else None,
            currency_code=amount.currency if amount is not None else "",
            basis_points_off=promotion.basis_points if amount is None else None,
            min_subtotal_minor=minimum.minor if minimum is not None else None,
            min_subtotal_currency_code=minimum.currency if minimum is not None else "",
            start_time_us=_microseconds(promotion.start),
            end_time_us=_microseconds(promotion.end),
            eligible_principals=frozenset(map(server_name, promotion.eligible or ())),
            one_per_principal=promotion.once_per_principal,
            stackable=promotion.stackable,
        )


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round((BEGINNING.timestamp() + seconds) * 1_000_000)


@dataclass
class _Provider:
    around: Surroundings

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        self.around.asked_by(principal)
        card = self.around.cards.get((provider, token))
        if card is None:
            return None
        return PaymentDetails(card.brand, card.last_four, card.expiry_month, card.expiry_year)


class _Guests:
    def is_guest(self, principal: str) -> bool:
        return principal.startswith("guest")


@dataclass
class Gate:
    """A rate limit for each principal that has one."""

    remaining: dict[str, int] = field(default_factory=dict)

    def allowance(self, principal: str) -> int | None:
        return self.remaining.get(principal)

    def retry_delay(self, principal: str) -> timedelta:
        del principal
        return timedelta(seconds=1)

    def charge(self, principal: str, operation_count: int) -> None:
        if principal in self.remaining:
            self.remaining[principal] = max(0, self.remaining[principal] - operation_count)


@dataclass
class ReferenceShop:
    """The settlement, told and asked in the oracle's words."""

    settlement: Settlement
    store: Store
    around: Surroundings
    gates: dict[Scope, Gate]

    async def submit(self, principal: str, submission: Submission) -> ObservedAnswer:
        attempts = [translation.attempt_message(attempt) for attempt in submission.attempts]
        settled = await self.settlement.submit(server_name(principal), submission.queue, attempts)
        state = service_pb2.QueueState(
            queue_id=submission.queue, decided_through_sequence=settled.decided_through_sequence
        )
        return translation.answer(state, settled.results)

    async def claim_token(self, guest: str) -> str:
        return (await self.settlement.claim_token(server_name(guest)))[0]

    async def look_up(self, principal: str, queue_id: str, last: int) -> ObservedLookup:
        found = await self.settlement.lookup(server_name(principal), queue_id, 1, last)
        message = service_pb2.LookupOutcomesResponse(
            queue=service_pb2.QueueState(queue_id=queue_id, decided_through_sequence=found.decided_through_sequence),
            statuses=found.statuses,
        )
        return translation.lookup(message)

    async def cart(self, principal: str, cart_id: str, queue_id: str) -> ObservedCart:
        found = await self.settlement.cart(server_name(principal), cart_id, queue_id)
        message = service_pb2.GetCartResponse(cart=found.cart)
        _put_watermark(message, found.decided_through_sequence)
        return translation.snapshot(message)

    async def wishlist(self, principal: str, queue_id: str) -> ObservedWishlist:
        found = await self.settlement.collection(server_name(principal), "wishlist", queue_id)
        page = wishlist_pb2.ListWishlistResponse(
            revision=found.head.revision, entries=Listings().wishlist_entries(found)
        )
        _put_watermark(page, found.decided_through_sequence)
        return translation.wishlist([page])

    async def addresses(self, principal: str, queue_id: str) -> ObservedAddressBook:
        found = await self.settlement.collection(server_name(principal), "address_book", queue_id)
        message = address_book_pb2.ListAddressesResponse(
            revision=found.head.revision, addresses=Listings().addresses(found)
        )
        _put_watermark(message, found.decided_through_sequence)
        return translation.address_book(message)

    async def payment_methods(self, principal: str, queue_id: str) -> ObservedPaymentMethods:
        found = await self.settlement.collection(server_name(principal), "payment_methods", queue_id)
        message = payment_methods_pb2.ListPaymentMethodsResponse(
            revision=found.head.revision, payment_methods=Listings().payment_methods(found)
        )
        _put_watermark(message, found.decided_through_sequence)
        return translation.payment_methods(message)

    async def effects(self, principal: str) -> list[ObservedEffect]:
        ledger = await self.store.effects(server_name(principal))
        return [
            translation.effect(
                control_pb2.Effect(
                    queue_id=effect.queue_id,
                    sequence=effect.sequence,
                    idempotency_key=effect.idempotency_key,
                    cart_id=effect.cart_id,
                    revision=effect.revision,
                    sku=effect.sku,
                    quantity_before=effect.quantity_before,
                    quantity_after=effect.quantity_after,
                    resource=effect.resource,
                    entry_id=effect.entry_id,
                    present=effect.present,
                )
            )
            for effect in ledger
        ]


def _put_watermark(message: Any, watermark: int | None) -> None:
    """The queue's state, where one was asked for."""
    if watermark is not None:
        message.queue.SetInParent()
        message.queue.decided_through_sequence = watermark


@asynccontextmanager
async def reference_shop(around: Surroundings, policy: Policy = POLICY) -> AsyncIterator[ReferenceShop]:
    """A settlement of its own, in memory, with these surroundings."""
    store = open_store("sqlite::memory:", policy, keep_effects=True)
    gates = {scope: Gate() for scope in Scope}
    settlement = Settlement(
        store,
        Decider(policy),
        policy,
        _Clock(around),
        _Catalog(around),
        gates[Scope.ALL],
        promotions=_Promotions(around),
        payment_provider=_Provider(around),
        payment_limiter=gates[Scope.PAYMENT_METHODS],
        guests=_Guests(),
    )
    try:
        yield ReferenceShop(settlement, store, around, gates)
    finally:
        await store.close()
