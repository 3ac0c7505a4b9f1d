"""A shop without a network: a settlement on an in-memory store, with a clock, shelf and limits that tests turn."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2, reason_pb2
from cartsync.v1.address_pb2 import Address
from cartsync.v1.money_pb2 import Money
from cartsync.v1.payment_methods_pb2 import PaymentMethod
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from reference_server.engine.deciding import Decider
from reference_server.engine.listings import Listings
from reference_server.engine.policy import Policy
from reference_server.engine.state import ADDRESS_BOOK, PAYMENT_METHODS, WISHLIST
from reference_server.ports import BackendUnavailableError, Offer, PaymentDetails, Promotion
from reference_server.settlement import Settled, Settlement
from reference_server.storage import Store, open_store

EXACT = operation_pb2.QUANTITY_POLICY_EXACT
CLAMP = operation_pb2.QUANTITY_POLICY_CLAMP
APPLIED = reason_pb2.OUTCOME_STATE_APPLIED
REJECTED = reason_pb2.OUTCOME_STATE_REJECTED
DEFERRED = reason_pb2.OUTCOME_STATE_DEFERRED
CONFLICT = reason_pb2.OUTCOME_STATE_CONFLICT
PURGED = reason_pb2.OUTCOME_STATE_PURGED

Attempt = operation_pb2.OperationAttempt


@dataclass
class TurnedClock:
    """A clock that moves when told to, in either direction."""

    time: datetime = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, span: timedelta) -> None:
        self.time += span


@dataclass
class Shelf:
    """A catalogue; every SKU not put there is unknown."""

    offers: dict[str, Offer] = field(default_factory=dict)
    reachable: bool = True

    def put(
        self, sku: str, price: int = 255, *, stock: int | None = None, listed: bool = True, currency: str = "GBP"
    ) -> None:
        self.offers[sku] = Offer(sku, currency, price, listed, stock)

    def offer(self, principal: str, sku: str) -> Offer | None:
        if not self.reachable:
            raise BackendUnavailableError("the shelf is out of reach")
        return self.offers.get(sku)


@dataclass
class Board:
    """The shop's promotions; every code not put there is unknown."""

    found: dict[str, Promotion] = field(default_factory=dict)
    reachable: bool = True

    def put(self, coupon_code: str, *, stackable: bool = True, **terms: Any) -> None:
        """A promotion; a tenth off when the terms say nothing else."""
        if "amount_off_minor" in terms:
            terms.setdefault("currency_code", "GBP")
        else:
            terms.setdefault("basis_points_off", 1_000)
        self.found[coupon_code] = Promotion(coupon_code=coupon_code, stackable=stackable, **terms)

    def withdraw(self, coupon_code: str) -> None:
        del self.found[coupon_code]

    def promotion(self, principal: str, coupon_code: str) -> Promotion | None:
        if not self.reachable:
            raise BackendUnavailableError("the board is out of reach")
        return self.found.get(coupon_code)


@dataclass
class Till:
    """A payment provider; a token not put there is none that it stands by."""

    tokens: dict[str, PaymentDetails] = field(default_factory=dict)
    reachable: bool = True
    asked_count: int = 0

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        self.asked_count += 1
        if not self.reachable:
            raise BackendUnavailableError("the till is out of reach")
        return self.tokens.get(token)


@dataclass
class Door:
    """Tells guests, who are called guest or something like it, from accounts."""

    def is_guest(self, principal: str) -> bool:
        return principal.startswith("guest")


@dataclass
class Gate:
    """A rate limiter that refuses after a set number; None opens it."""

    remaining: int | None = None

    def allowance(self, principal: str) -> int | None:
        return self.remaining

    def retry_delay(self, principal: str) -> timedelta:
        return timedelta(seconds=3)

    def charge(self, principal: str, operation_count: int) -> None:
        if self.remaining is not None:
            self.remaining -= operation_count


class Breakpoints:
    """Holds the next submissions before or after their commit, and makes decisions fail."""

    def __init__(self) -> None:
        self.before: list[Hold] = []
        self.after: list[Hold] = []
        self.failing_sequences: dict[int, int] = defaultdict(int)

    def hold_before_commit(self) -> Hold:
        self.before.append(Hold())
        return self.before[-1]

    def hold_after_commit(self) -> Hold:
        self.after.append(Hold())
        return self.after[-1]

    async def before_commit(self, principal: str) -> None:
        if self.before:
            await self.before.pop(0).strike()

    async def after_commit(self, principal: str) -> None:
        if self.after:
            await self.after.pop(0).strike()

    def while_deciding(self, principal: str, sequence: int) -> None:
        if self.failing_sequences[sequence] > 0:
            self.failing_sequences[sequence] -= 1
            raise RuntimeError("armed to fail")


class Hold:
    """One stop on the way; `reached` is set when a submission stands there, `go` lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def strike(self) -> None:
        self.reached.set()
        await self.go.wait()


@dataclass
class Shop:
    """The settlement under test, and everything around it."""

    store: Store
    settlement: Settlement
    clock: TurnedClock
    shelf: Shelf
    gate: Gate
    breakpoints: Breakpoints
    policy: Policy
    board: Board
    till: Till
    saving_gate: Gate

    async def send(self, queue: Queue, *attempts: Attempt, principal: str = "ada") -> list[Any]:
        """The results of one submission."""
        return (await self.settle(queue, *attempts, principal=principal)).results

    async def settle(
        self, queue: Queue, *attempts: Attempt, principal: str = "ada", expected_store_id: str = ""
    ) -> Settled:
        return await self.settlement.submit(principal, queue.queue_id, attempts, expected_store_id)

    async def outcome(self, queue: Queue, attempt: Attempt, principal: str = "ada") -> outcome_pb2.Outcome:
        """The outcome of an operation sent alone."""
        (result,) = await self.send(queue, attempt, principal=principal)
        outcome: outcome_pb2.Outcome = result.outcome
        return outcome

    async def cart(self, cart_id: str = "basket", principal: str = "ada") -> cart_pb2.Cart:
        return (await self.settlement.cart(principal, cart_id)).cart

    async def quantities(self, cart_id: str = "basket", principal: str = "ada") -> dict[str, int]:
        return {line.sku: line.quantity for line in (await self.cart(cart_id, principal)).lines}

    async def wishes(self, principal: str = "ada") -> list[str]:
        """The SKUs on the wishlist in its order."""
        return [sku for sku, _ in (await self.settlement.collection(principal, WISHLIST)).entries]

    async def addresses(self, principal: str = "ada") -> dict[str, Address]:
        contents = await self.settlement.collection(principal, ADDRESS_BOOK)
        return {entry.address_id: entry.address for entry in Listings().addresses(contents)}

    async def payment_methods(self, principal: str = "ada") -> dict[str, PaymentMethod]:
        contents = await self.settlement.collection(principal, PAYMENT_METHODS)
        return {method.payment_method_id: method for method in Listings().payment_methods(contents)}

    async def coupons(self, cart_id: str = "basket", principal: str = "ada") -> list[str]:
        """The codes on a cart in the order it shows them."""
        return [coupon.coupon_code for coupon in (await self.cart(cart_id, principal)).coupons]

    async def claim_token(self, guest: str = "guest") -> str:
        return (await self.settlement.claim_token(guest))[0]

    async def watermark(self, queue: Queue, principal: str = "ada") -> int:
        return (await self.settlement.watermark(principal, queue.queue_id))[0]


@asynccontextmanager
async def open_shop(
    policy: Policy | None = None, *, address: str = "sqlite::memory:", decider: Decider | None = None
) -> AsyncIterator[Shop]:
    """A shop that sells apple, bread and cream at 255 pence, without counting stock."""
    policy = policy or Policy()
    store = open_store(address, policy, keep_effects=True)
    clock, shelf, gate, breakpoints, board = TurnedClock(), Shelf(), Gate(), Breakpoints(), Board()
    for sku in ("apple", "bread", "cream"):
        shelf.put(sku)
    till, saving_gate = Till({"tok_1": PaymentDetails("visa", "1111", 12, 2029)}), Gate()
    settlement = Settlement(
        store,
        decider or Decider(policy),
        policy,
        clock,
        shelf,
        gate,
        breakpoints,
        promotions=board,
        guests=Door(),
        payment_provider=till,
        payment_limiter=saving_gate,
    )
    try:
        yield Shop(store, settlement, clock, shelf, gate, breakpoints, policy, board, till, saving_gate)
    finally:
        await store.close()


def new_key() -> str:
    return str(uuid.uuid4())


def money(minor_units: int = 255, currency: str = "GBP") -> Money:
    return Money(currency_code=currency, minor_units=minor_units)


class Queue:
    """A client's queue: drafts operations with dense sequences and a chain of keys."""

    def __init__(self) -> None:
        self.queue_id = new_key()
        self.sequence = 0
        self.last_key = ""

    def draft(self, *, key: str = "", age: timedelta | None = None, **fields: Any) -> Attempt:
        """The next operation of the queue."""
        self.sequence += 1
        operation = operation_pb2.CartOperation(
            idempotency_key=key or new_key(), sequence=self.sequence, previous_key=self.last_key, **fields
        )
        self.last_key = operation.idempotency_key
        attempt = Attempt(operation=operation)
        if age is not None:
            attempt.age.CopyFrom(duration(age))
        return attempt

    def add(
        self,
        sku: str = "apple",
        quantity: int = 1,
        *,
        cart_id: str = "basket",
        observed: int = 255,
        limit: int | None = None,
        currency: str = "GBP",
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        **rest: Any,
    ) -> Attempt:
        intent = operation_pb2.AddItem(
            cart_id=cart_id,
            sku=sku,
            quantity=quantity,
            observed_unit_price=money(observed, currency),
            max_unit_price=None if limit is None else money(limit, currency),
            quantity_policy=policy,
        )
        return self.draft(add_item=intent, **rest)

    def adjust(
        self,
        delta: int,
        sku: str = "apple",
        *,
        cart_id: str = "basket",
        guard: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        **rest: Any,
    ) -> Attempt:
        intent = operation_pb2.AdjustQuantity(
            cart_id=cart_id, sku=sku, delta=delta, quantity_policy=policy, unless_changed_since=guard
        )
        return self.draft(adjust_quantity=intent, **rest)

    def set(
        self,
        quantity: int,
        sku: str = "apple",
        *,
        cart_id: str = "basket",
        guard: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        **rest: Any,
    ) -> Attempt:
        intent = operation_pb2.SetQuantity(
            cart_id=cart_id, sku=sku, quantity=quantity, quantity_policy=policy, unless_changed_since=guard
        )
        return self.draft(set_quantity=intent, **rest)

    def remove(self, sku: str = "apple", *, cart_id: str = "basket", guard: int | None = None, **rest: Any) -> Attempt:
        intent = operation_pb2.RemoveItem(cart_id=cart_id, sku=sku, unless_changed_since=guard)
        return self.draft(remove_item=intent, **rest)

    def apply(self, coupon_code: str = "TENTH", *, cart_id: str = "basket", **rest: Any) -> Attempt:
        intent = operation_pb2.ApplyCoupon(cart_id=cart_id, coupon_code=coupon_code)
        return self.draft(apply_coupon=intent, **rest)

    def take_off(self, coupon_code: str = "TENTH", *, cart_id: str = "basket", **rest: Any) -> Attempt:
        intent = operation_pb2.RemoveCoupon(cart_id=cart_id, coupon_code=coupon_code)
        return self.draft(remove_coupon=intent, **rest)

    def wish(self, sku: str = "apple", **rest: Any) -> Attempt:
        return self.draft(add_to_wishlist=operation_pb2.AddToWishlist(sku=sku), **rest)

    def unwish(self, sku: str = "apple", **rest: Any) -> Attempt:
        return self.draft(remove_from_wishlist=operation_pb2.RemoveFromWishlist(sku=sku), **rest)

    def put(
        self, address_id: str, *, base: int | None = None, mask: list[str] | None = None, rest: Any = None, **texts: Any
    ) -> Attempt:
        """An address edit; the mask names what is given."""
        intent = operation_pb2.PutAddress(
            address_id=address_id,
            base_revision=base,
            update_mask=FieldMask(paths=sorted(texts) if mask is None else mask),
            address=Address(**texts),
        )
        return self.draft(put_address=intent, **(rest or {}))

    def delete_address(self, address_id: str, *, base: int | None = None) -> Attempt:
        return self.draft(delete_address=operation_pb2.DeleteAddress(address_id=address_id, base_revision=base))

    def save(self, method_id: str, token: str = "tok_1", *, label: str = "", provider: str = "acme") -> Attempt:
        intent = operation_pb2.SavePaymentMethod(
            payment_method_id=method_id, provider=provider, provider_token=token, label=label
        )
        return self.draft(save_payment_method=intent)

    def delete_method(self, method_id: str) -> Attempt:
        return self.draft(delete_payment_method=operation_pb2.DeletePaymentMethod(payment_method_id=method_id))

    def claim(self, token: str, *, guest_cart_id: str = "basket", cart_id: str = "basket", **rest: Any) -> Attempt:
        intent = operation_pb2.ClaimGuestCart(claim_token=token, guest_cart_id=guest_cart_id, cart_id=cart_id)
        return self.draft(claim_guest_cart=intent, **rest)


def discard_of(attempt: Attempt, **fields: Any) -> Attempt:
    """A discard of an operation: own key, same sequence, same previous key."""
    original = attempt.operation
    return Attempt(
        operation=operation_pb2.CartOperation(
            idempotency_key=new_key(),
            sequence=original.sequence,
            previous_key=original.previous_key,
            discard=operation_pb2.Discard(discarded_key=original.idempotency_key),
            **fields,
        )
    )


def changed(attempt: Attempt, **fields: Any) -> Attempt:
    """A copy of an attempt with fields of its operation replaced."""
    copy = Attempt()
    copy.CopyFrom(attempt)
    copy.operation.MergeFrom(operation_pb2.CartOperation(**fields))
    return copy


def duration(span: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span)
    return message


def reason(outcome: outcome_pb2.Outcome) -> str:
    """The reason's name without its prefix; empty when applied."""
    if not outcome.HasField("refusal"):
        return ""
    return reason_pb2.Reason.Name(outcome.refusal.reason).removeprefix("REASON_")


def reasons(results: list[Any]) -> list[str]:
    return [reason(result.outcome) for result in results]
