"""A shopper's device as the suite plays it: a queue with its durable log, sending what the check tells it to.

It keeps every rule of a good client as long as the check does not ask otherwise: dense sequences, chained keys,
operations that never change. A check breaks a rule by building its own attempts from copies.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cartsync.v1 import (
    address_book_pb2,
    cart_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.duration_pb2 import Duration

from conformance.exceptions import ViolationError
from conformance.wire.connection import CALL_SECONDS, Connection, PendingCall, Stream, Watch
from conformance.wire.enqueueing import CLAMP, EXACT, Enqueueing
from conformance.wire.venue import ANY_VENUE, Venue

__all__ = ["CLAMP", "EXACT", "Answer", "Device", "answer_of", "attempts_of"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one submission, unary or on a stream."""

    results: tuple[outcome_pb2.OperationResult, ...]
    queue: service_pb2.QueueState
    store_id: str  # empty on a stream, where Welcome said it

    @property
    def outcomes(self) -> tuple[outcome_pb2.Outcome, ...]:
        """The outcomes without their replayed flags."""
        return tuple(result.outcome for result in self.results)

    @property
    def watermark(self) -> int:
        """The queue's watermark after the submission."""
        return self.queue.decided_through_sequence

    @property
    def only(self) -> outcome_pb2.OperationResult:
        """The one result of a submission of one operation."""
        if len(self.results) != 1:
            raise ViolationError(
                "answers/one-per-attempt",
                f"one operation was submitted and {len(self.results)} results came back",
                expected="1 result",
                observed=f"{len(self.results)} results",
            )
        return self.results[0]


class Device(Enqueueing):
    """One queue of one principal. `log` holds its operations in order; `cart_id` and prices have defaults."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        principal: str,
        cart_id: str,
        rng: random.Random,
        *,
        queue_id: str | None = None,
        log: Sequence[operation_pb2.CartOperation] = (),
        venue: Venue = ANY_VENUE,
    ) -> None:
        self.name = name
        super().__init__(cart_id, rng, log, venue)
        self.connection = connection
        self.principal = principal  # what the server calls the principal
        self.store_id = ""
        self.queue_id = queue_id or self.new_key()

    def discard_of(self, operation: operation_pb2.CartOperation) -> operation_pb2.CartOperation:
        """A discard of an operation, under a key of its own at the same place; the log keeps the original."""
        return operation_pb2.CartOperation(
            idempotency_key=self.new_key(),
            sequence=operation.sequence,
            previous_key=operation.previous_key,
            discard=operation_pb2.Discard(discarded_key=operation.idempotency_key),
        )

    def copy(self, name: str) -> Device:
        """A copy of this queue as a restored backup of the device has it: same queue id, log as it is now."""
        return Device(
            name,
            self.connection,
            self.principal,
            self.cart_id,
            self.rng,
            queue_id=self.queue_id,
            log=[_clone(operation) for operation in self.log],
            venue=self.venue,
        )

    def over(self, connection: Connection) -> Device:
        """This very queue, log included, over another connection."""
        twin = Device(
            self.name,
            connection,
            self.principal,
            self.cart_id,
            self.rng,
            queue_id=self.queue_id,
            venue=self.venue,
        )
        twin.log, twin.store_id = self.log, self.store_id
        return twin

    # Sending.

    def request(
        self,
        *operations: operation_pb2.CartOperation,
        age: timedelta | None = None,
        store_id: str | None = None,
        principal: str | None = None,
    ) -> service_pb2.SubmitOperationsRequest:
        """The unary request that carries these operations."""
        return service_pb2.SubmitOperationsRequest(
            store_id=self.store_id if store_id is None else store_id,
            queue_id=self.queue_id,
            expected_principal=self.principal if principal is None else principal,
            attempts=attempts_of(operations, age),
        )

    def submit(self, *operations: operation_pb2.CartOperation, age: timedelta | None = None) -> Answer:
        """Send operations in one unary submission; raises RpcFailureError."""
        return answer_of(self.connection.submit(self.request(*operations, age=age)))

    def submit_later(self, *operations: operation_pb2.CartOperation, age: timedelta | None = None) -> PendingCall:
        """Send operations without waiting for the answer."""
        return self.connection.submit_later(self.request(*operations, age=age))

    def stream(self) -> tuple[Stream, service_pb2.Welcome]:
        """Open a stream for this queue and return it with the server's Welcome."""
        stream = self.connection.stream()
        stream.hello(self.queue_id, self.principal, self.store_id)
        first = stream.hear()
        if first is None or first.WhichOneof("message") != "welcome":
            raise ViolationError(
                "sync/welcome",
                "Hello was not answered with Welcome",
                expected="Welcome",
                observed="the stream ended" if first is None else str(first.WhichOneof("message")),
            )
        return stream, first.welcome

    def submit_on(
        self, stream: Stream, *operations: operation_pb2.CartOperation, age: timedelta | None = None
    ) -> Answer:
        """Send operations on an open stream and wait for their Outcomes."""
        stream.submit(attempts_of(operations, age))
        return self.hear_outcomes(stream)

    def hear_outcomes(self, stream: Stream) -> Answer:
        """The next Outcomes of a stream."""
        heard = stream.hear()
        if heard is None or heard.WhichOneof("message") != "outcomes":
            raise ViolationError(
                "sync/one-answer-each",
                "a Submit was not answered with Outcomes",
                expected="Outcomes",
                observed="the stream ended" if heard is None else str(heard.WhichOneof("message")),
            )
        return Answer(tuple(heard.outcomes.results), heard.outcomes.queue, "")

    # Reading.

    def cart(self, cart_id: str | None = None) -> cart_pb2.Cart:
        """The cart as it is now."""
        return self.read_cart(cart_id).cart

    def read_cart(
        self, cart_id: str | None = None, *, with_queue: bool = True, seconds: float = CALL_SECONDS
    ) -> service_pb2.GetCartResponse:
        """The cart with this queue's watermark."""
        return self.connection.get_cart(
            service_pb2.GetCartRequest(
                store_id=self.store_id,
                cart_id=self.cart_named(cart_id),
                queue_id=self.queue_id if with_queue else "",
            ),
            seconds,
        )

    def watch(self, cart_id: str | None = None, *, with_queue: bool = True, seconds: float = 30.0) -> Watch:
        """Watch the cart, with this queue's watermark."""
        return self.connection.watch(
            service_pb2.WatchCartRequest(
                store_id=self.store_id,
                cart_id=self.cart_named(cart_id),
                queue_id=self.queue_id if with_queue else "",
            ),
            seconds,
        )

    def wishlist_page(
        self, page_size: int = 0, page_token: str = "", *, with_queue: bool = True
    ) -> wishlist_pb2.ListWishlistResponse:
        """One page of the wishlist."""
        self.venue.needs_fresh_account()
        return self.connection.list_wishlist(
            wishlist_pb2.ListWishlistRequest(
                store_id=self.store_id,
                queue_id=self.queue_id if with_queue else "",
                page_size=page_size,
                page_token=page_token,
            )
        )

    def wishlist(self) -> list[wishlist_pb2.WishlistEntry]:
        """The whole wishlist, page by page."""
        page = self.wishlist_page()
        entries = list(page.entries)
        while page.next_page_token:
            page = self.wishlist_page(page_token=page.next_page_token)
            entries += page.entries
        return entries

    def addresses(self, *, with_queue: bool = True) -> address_book_pb2.ListAddressesResponse:
        """The address book."""
        self.venue.needs_fresh_account()
        return self.connection.list_addresses(
            address_book_pb2.ListAddressesRequest(store_id=self.store_id, queue_id=self.queue_id if with_queue else "")
        )

    def payment_methods(self, *, with_queue: bool = True) -> payment_methods_pb2.ListPaymentMethodsResponse:
        """The payment methods."""
        self.venue.needs_fresh_account()
        return self.connection.list_payment_methods(
            payment_methods_pb2.ListPaymentMethodsRequest(
                store_id=self.store_id, queue_id=self.queue_id if with_queue else ""
            )
        )

    def lookup(self, first: int, last: int, *, seconds: float = CALL_SECONDS) -> service_pb2.LookupOutcomesResponse:
        """What was decided for a range of sequences."""
        return self.connection.lookup(
            service_pb2.LookupOutcomesRequest(
                store_id=self.store_id, queue_id=self.queue_id, first_sequence=first, last_sequence=last
            ),
            seconds,
        )


def attempts_of(
    operations: Sequence[operation_pb2.CartOperation], age: timedelta | None = None
) -> list[operation_pb2.OperationAttempt]:
    """One attempt for each operation, all with the same age (None: unknown)."""
    attempts = [operation_pb2.OperationAttempt(operation=operation) for operation in operations]
    if age is not None:
        duration = Duration()
        duration.FromTimedelta(age)
        for attempt in attempts:
            attempt.age.CopyFrom(duration)
    return attempts


def answer_of(response: service_pb2.SubmitOperationsResponse) -> Answer:
    """A unary response as an Answer."""
    return Answer(tuple(response.results), response.queue, response.store_id)


def _clone(operation: operation_pb2.CartOperation) -> operation_pb2.CartOperation:
    copy = operation_pb2.CartOperation()
    copy.CopyFrom(operation)
    return copy
