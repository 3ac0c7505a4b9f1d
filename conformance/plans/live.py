"""The stage around a real server under test: a story with a device's connection for each name in the plan.

Holds and deaths are arranged at fail points, so that a plan comes out the same each time it is played; only a plain
cut and a kill strike at an instant that nobody chose.
"""

from __future__ import annotations

import contextlib
import functools
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import grpc
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import address_book_pb2, operation_pb2, payment_methods_pb2, wishlist_pb2
from cartsync.v1 import service_pb2 as service

from conformance.exceptions import NotTestableError, TargetUnreachableError
from conformance.fixtures import Role
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
from conformance.oracle.values import CardDetails, Limits, Money, Offer, Promotion, Submission
from conformance.oracle.world import SOLE, Scope
from conformance.plans.intents import CARTS, SKUS
from conformance.plans.stage import ANSWERS_MISSING, ANSWERS_TOO_MANY, GUEST, CallRefusedError, Means, principal_of
from conformance.wire import Connection, Lane, PendingCall, RpcFailureError, Story
from conformance.wire.shop import ControlFailedError, Shop

OVERTAKE_SECONDS = 0.3  # a submission that waits longer while another is held waits for it, as under a lock
CUT_SECONDS = 0.005  # a cut strikes within this time after the sending
BACKUP = "fuzz"
PAGE_SIZE = 2  # of the wishlist, so that there are several
GUEST_DEVICE = "G"

_CAPABILITIES = {
    Means.OFFERS: control.CAPABILITY_OFFERS,
    Means.CLOSE_CART: control.CAPABILITY_CLOSE_CART,
    Means.RATE_LIMIT: control.CAPABILITY_RATE_LIMIT,
    Means.BACKEND: control.CAPABILITY_BACKEND,
    Means.CLOCK: control.CAPABILITY_CLOCK,
    Means.HOLD: control.CAPABILITY_HOLD,
    Means.RESTORE: control.CAPABILITY_RESTORE,
    Means.EFFECTS: control.CAPABILITY_EFFECTS,
    Means.COUPONS: control.CAPABILITY_PROMOTIONS,
    Means.PAYMENT_METHODS: control.CAPABILITY_PAYMENT_TOKENS,
    Means.PAYMENT_RATE_LIMIT: control.CAPABILITY_PAYMENT_RATE_LIMIT,
    Means.GUEST_CLAIM: control.CAPABILITY_GUESTS,
}
_PROFILES = {
    Means.STREAM: "streaming",
    Means.COUPONS: "coupons",
    Means.WISHLIST: "wishlist",
    Means.ADDRESS_BOOK: "address_book",
    Means.PAYMENT_METHODS: "payment_methods",
    Means.PAYMENT_RATE_LIMIT: "payment_methods",
    Means.GUEST_CLAIM: "guest_claim",
}
_Answer = TypeVar("_Answer")


def means_of(story: Story) -> frozenset[Means]:
    """What can be done to the story's target."""
    means = {means for means in Means if means in _CAPABILITIES or means in _PROFILES}
    means -= {m for m, capability in _CAPABILITIES.items() if not story.shop.offers_capability(capability)}
    means -= {m for m, profile in _PROFILES.items() if profile not in story.policy.profiles}
    if not story.has_fresh_account:
        means -= {Means.WISHLIST, Means.ADDRESS_BOOK, Means.PAYMENT_METHODS, Means.PAYMENT_RATE_LIMIT}
    if story.target.launched:
        means.add(Means.KILL)
        if story.shop.offers_capability(control.CAPABILITY_ABORT):
            means.add(Means.ABORT)
    return frozenset(means)


class LiveStage:
    """Plays on the target of one story. Implements `Stage`."""

    def __init__(self, story: Story, means: frozenset[Means] | None = None) -> None:
        self._story = story
        self._connections: dict[str, Connection] = {}
        self._ids = random.Random(story.tag)  # noqa: S311 - new in every playing, so that no two plans share a queue
        self._means = means if means is not None else means_of(story)
        contract = story.contract()
        self._limits = translation.limits(contract.policy)
        self._principals = {SOLE: contract.principal}
        self._credentials: dict[str, str] = {}  # by principal; issued anew when the server came back
        self._shops = {SOLE: story.shop}
        self._store_id = contract.store_id
        self._beginning: datetime | None = None  # what the server's clock said then, once that matters
        self._advanced = timedelta()

    @property
    def limits(self) -> Limits:
        """The server's policy."""
        return self._limits

    @property
    def means(self) -> frozenset[Means]:
        """What can be done to the server."""
        return self._means

    def own_name(self, name: str) -> str:
        """A product or cart of this story's own, or what the vendor gave for it."""
        if name in SKUS and (product := self._story.catalogue.stand_in(name, self._story.rng.getrandbits(16))):
            return product.sku
        return self._story.venue.cart_id(name) if name in CARTS else f"{name}-{self._story.tag}"

    def new_id(self) -> str:
        """A fresh canonical UUID."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    # The shop.

    def put_offer(self, sku: str, offer: Offer) -> Offer:
        """Put an offer in force, unless it is the vendor's; the offer that is in force."""
        if (product := self._story.catalogue.find(sku)) and product.price is not None:
            listed = product.role is not Role.UNLISTED
            return Offer(Money(product.currency, product.price), listed, product.available)
        self._story.shop.offer(
            sku, offer.price.minor, currency=offer.price.currency, listed=offer.listed, available=offer.available
        )
        return offer

    def put_promotion(self, code: str, promotion: Promotion | None) -> None:
        """Put a promotion in force, or withdraw it."""
        if promotion is None:
            self._story.shop.promotion(code, basis_points=1, withdrawn=True)
            return
        if self._beginning is None:
            self._beginning = self._story.shop.now() - self._advanced
        begins, ends = (None if at is None else self._beginning + timedelta(seconds=at) for at in _times(promotion))
        amount, minimum = promotion.amount, promotion.minimum
        eligible = () if promotion.eligible is None else [self._suites_name(name) for name in promotion.eligible]
        self._story.shop.promotion(
            code,
            amount=amount.minor if amount is not None else None,
            basis_points=promotion.basis_points if amount is None else None,
            currency=amount.currency if amount is not None else "GBP",
            minimum=minimum.minor if minimum is not None else None,
            minimum_currency=minimum.currency if minimum is not None else None,
            start=begins,
            end=ends,
            eligible=sorted(eligible),
            once=promotion.once_per_principal,
            stackable=promotion.stackable,
        )

    def put_token(self, provider: str, token: str, card: CardDetails | None) -> None:
        """Tell what the provider says of a token."""
        if card is None:
            self._story.shop.payment_token(token, provider=provider, valid=False)
            return
        self._story.shop.payment_token(
            token,
            provider=provider,
            brand=card.brand,
            last_four=card.last_four,
            expiry_month=card.expiry_month,
            expiry_year=card.expiry_year,
        )

    def claim_token(self) -> str | None:
        """What the guest is given to be claimed with."""
        return self._asked(lambda: self._connection(GUEST_DEVICE).claim_token(self._store_id))

    def close_cart(self, cart_id: str) -> bool:
        """Close a cart; False when the server knows none."""
        try:
            self._story.shop.close_cart(cart_id)
        except ControlFailedError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    def set_rate_limit(self, remaining: int | None, scope: Scope = Scope.ALL) -> None:
        """Put a rate limit in force, or lift it."""
        if scope is Scope.ALL:
            self._story.shop.rate_limit(remaining)
        else:
            self._story.shop.payment_rate_limit(remaining)

    def set_backend(self, available: bool) -> None:
        """Make the backing services reachable or not."""
        self._story.shop.backend(available=available)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._advanced += timedelta(seconds=seconds)
        self._story.shop.advance(timedelta(seconds=seconds))

    def save(self) -> None:
        """Take a backup."""
        self._story.shop.save(BACKUP)

    def restore(self) -> None:
        """Put the backup back, and use the store's new id."""
        self._store_id = self._story.shop.restore(BACKUP)

    def restart(self) -> None:
        """Stop the server in good order and start it again."""
        self._story.restart()
        self._reconnect()

    def kill(self) -> None:
        """Kill the server and start it again."""
        self._story.kill()
        self._reconnect()

    # The network.

    def submit(self, device: str, submission: Submission) -> ObservedAnswer | None:
        """Send and wait for the answer."""
        answer = self._asked(lambda: self._connection(device).submit(self._request(device, submission)))
        return None if answer is None else _answer_of(answer)

    def stream(self, device: str, submissions: Sequence[Submission], *, cut: bool) -> Sequence[ObservedAnswer]:
        """Send over a stream, everything before the first answer."""
        answers: list[ObservedAnswer] = []
        stream = self._connection(device).stream()
        stream.hello(submissions[0].queue, self._principals[principal_of(device)], self._store_id)
        for submission in submissions:
            stream.submit(_attempts(submission))
        if not cut:
            stream.half_close()
        wanted = len(submissions) - int(cut)
        with contextlib.suppress(_LostError):
            while len(answers) < wanted:
                heard = self._heard(stream.hear)
                if heard is None:
                    told = f"after {len(answers)} answers to {len(submissions)} submissions"
                    raise CallRefusedError("OK", ANSWERS_MISSING, told)
                if heard.WhichOneof("message") == "outcomes":
                    answers.append(translation.answer(heard.outcomes.queue, heard.outcomes.results))
            if not cut and self._heard(stream.hear) is not None:
                raise CallRefusedError("OK", ANSWERS_TOO_MANY, f"more answers than {len(submissions)} submissions")
        stream.cut()
        return answers

    def cut(self, device: str, submission: Submission) -> None:
        """Send, and cut the connection at once."""
        pending = self._connection(device).submit_later(self._request(device, submission))
        pending.wait(self._story.rng.uniform(0.0, CUT_SECONDS))
        pending.cancel()
        self._new_connection(device)

    def hold_and_cut(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send, hold before or after the commit, cut, let go on."""
        point = control.FAIL_POINT_AFTER_COMMIT if committed else control.FAIL_POINT_BEFORE_COMMIT
        with self._held(device, submission, point) as (pending, held):
            pending.cancel()
        self._new_connection(device)
        return held

    def crash_at_commit(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send, and let the server die before or after the commit."""
        point = control.FAIL_POINT_AFTER_COMMIT if committed else control.FAIL_POINT_BEFORE_COMMIT
        self._shop(device).abort(point)
        pending = self._connection(device).submit_later(self._request(device, submission))
        died = self._story.target.await_exit()
        pending.cancel()  # a call that nothing refers to any more would be given up before the server has it
        self._story.history.add(Lane.SERVER, "dies at the fail point" if died else "did not die at the fail point")
        if not died:
            self._story.target.kill()
        self._story.start_again()
        self._reconnect()
        return died

    def kill_during(self, device: str, submission: Submission) -> None:
        """Send, and kill the server at once."""
        pending = self._connection(device).submit_later(self._request(device, submission))
        pending.wait(self._story.rng.uniform(0.0, CUT_SECONDS))
        self.kill()
        pending.cancel()

    def race(
        self, left: tuple[str, Submission], right: tuple[str, Submission], *, held: bool
    ) -> tuple[ObservedAnswer | None, ObservedAnswer | None]:
        """Send two submissions at once, over two connections."""
        (device, first), (other, second) = left, right
        rival = self._connection(other if other != device else f"{other} again")
        if held:
            with self._held(device, first, control.FAIL_POINT_BEFORE_COMMIT) as (leading, _):
                following = rival.submit_later(self._request(other, second))
                following.wait(OVERTAKE_SECONDS)
        else:
            leading = self._connection(device).submit_later(self._request(device, first))
            following = rival.submit_later(self._request(other, second))
        answers = [self._asked(pending.result) for pending in (leading, following)]
        one, two = (None if answer is None else _answer_of(answer) for answer in answers)
        return one, two

    @contextlib.contextmanager
    def _held(
        self, device: str, submission: Submission, point: control.FailPoint.ValueType
    ) -> Iterator[tuple[PendingCall, bool]]:
        shop = self._shop(device)
        shop.hold(point)
        try:
            pending = self._connection(device).submit_later(self._request(device, submission))
            held = True
            try:
                shop.await_held()
            except NotTestableError:
                held = False
            yield pending, held
        finally:
            shop.release()

    # Reading.

    def cart(self, device: str, cart_id: str, queue_id: str) -> ObservedCart | None:
        """Read a cart."""
        request = service.GetCartRequest(store_id=self._store_id, cart_id=cart_id, queue_id=queue_id)
        answer = self._asked(lambda: self._connection(device).get_cart(request))
        return None if answer is None else translation.snapshot(answer)

    def look_up(self, device: str, queue_id: str, first: int, last: int) -> ObservedLookup | None:
        """Look up outcomes."""
        request = service.LookupOutcomesRequest(
            store_id=self._store_id, queue_id=queue_id, first_sequence=first, last_sequence=last
        )
        answer = self._asked(lambda: self._connection(device).lookup(request))
        return None if answer is None else translation.lookup(answer)

    def wishlist(self, device: str, queue_id: str) -> ObservedWishlist | None:
        """Read all of the wishlist, page by page."""
        pages: list[wishlist_pb2.ListWishlistResponse] = []
        token = ""
        while not pages or token:
            request = wishlist_pb2.ListWishlistRequest(
                store_id=self._store_id, queue_id=queue_id, page_size=PAGE_SIZE, page_token=token
            )
            page = self._asked(functools.partial(self._connection(device).list_wishlist, request))
            if page is None:
                return None
            pages.append(page)
            token = page.next_page_token
        return translation.wishlist(pages)

    def addresses(self, device: str, queue_id: str) -> ObservedAddressBook | None:
        """Read the address book."""
        request = address_book_pb2.ListAddressesRequest(store_id=self._store_id, queue_id=queue_id)
        answer = self._asked(lambda: self._connection(device).list_addresses(request))
        return None if answer is None else translation.address_book(answer)

    def payment_methods(self, device: str, queue_id: str) -> ObservedPaymentMethods | None:
        """Read the payment methods."""
        request = payment_methods_pb2.ListPaymentMethodsRequest(store_id=self._store_id, queue_id=queue_id)
        answer = self._asked(lambda: self._connection(device).list_payment_methods(request))
        return None if answer is None else translation.payment_methods(answer)

    def effects(self, principal: str = SOLE) -> Sequence[ObservedEffect]:
        """Read the ledger of a principal."""
        return [translation.effect(effect) for effect in self._shop_of(principal).effects()]

    # Inside.

    def _request(self, device: str, submission: Submission) -> service.SubmitOperationsRequest:
        return service.SubmitOperationsRequest(
            store_id=self._store_id,
            queue_id=submission.queue,
            expected_principal=self._principals[principal_of(device)],
            attempts=_attempts(submission),
        )

    def _connection(self, device: str) -> Connection:
        """The device's connection, made at the first need; its principal too."""
        if device not in self._connections:
            principal = principal_of(device)
            self._connections[device] = self._connect(device, principal)
            if principal not in self._principals:
                self._principals[principal] = self._connections[device].policy().principal
        return self._connections[device]

    def _connect(self, device: str, principal: str) -> Connection:
        if principal not in self._credentials:
            name = None if principal == SOLE else self._suites_name(principal)
            self._credentials[principal] = self._story.shop.credential(name, guest=principal == GUEST)
        return self._story.connect_with(self._credentials[principal], device)

    def _suites_name(self, principal: str) -> str:
        """What the suite calls a principal."""
        return self._story.principal_name if principal == SOLE else f"{principal}-{self._story.tag}"

    def _shop_of(self, principal: str) -> Shop:
        if principal not in self._shops:
            self._shops[principal] = self._story.shop_of(self._suites_name(principal))
        return self._shops[principal]

    def _shop(self, device: str) -> Shop:
        """The control service for the device's principal."""
        return self._shop_of(principal_of(device))

    def _new_connection(self, device: str) -> None:
        self._connections.pop(device).close()

    def _reconnect(self) -> None:
        self._credentials.clear()
        for device in list(self._connections):
            self._new_connection(device)

    def _heard(self, hear: Callable[[], _Answer]) -> _Answer:
        try:
            return hear()
        except RpcFailureError as failure:
            if failure.is_lost or failure.reason == "STREAM_SUPERSEDED":
                raise _LostError from failure
            raise CallRefusedError(failure.code.name, failure.reason, failure.message) from failure

    def _asked(self, call: Callable[[], _Answer]) -> _Answer | None:
        """The answer; None when it was lost. Raises CallRefusedError, and for a dead server what ended the call."""
        try:
            return self._heard(call)
        except _LostError as lost:
            if self._story.target.is_healthy():
                return None
            if self._story.target.launched and lost.__cause__ is not None:
                raise lost.__cause__ from None  # it died of what it was sent, which is its fault
            raise TargetUnreachableError(f"the server stopped answering: {lost.__cause__}") from lost


def _times(promotion: Promotion) -> tuple[float | None, float | None]:
    return promotion.start, promotion.end


class _LostError(Exception):
    """An answer was lost."""


def _attempts(submission: Submission) -> list[operation_pb2.OperationAttempt]:
    return [translation.attempt_message(attempt) for attempt in submission.attempts]


def _answer_of(response: service.SubmitOperationsResponse) -> ObservedAnswer:
    return translation.answer(response.queue, response.results)
