"""What the drainer needs of a way to the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cartsync.v1 import (
    address_book_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    service_pb2,
    wishlist_pb2,
)

from reference_client.machine.values import CallFailure


class CallFailedError(Exception):
    """A call ended without a usable answer. What it carried is in doubt."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(f"{failure.code} {failure.reason} {failure.message}".strip())
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Session:
    """How a submission introduces itself."""

    store_id: str
    queue_id: str
    principal: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the store, the queue's watermark, and the results if a submission was answered."""

    store_id: str
    watermark: int
    results: Sequence[outcome_pb2.OperationResult] = ()


class SnapshotStream(Protocol):
    """The snapshots of a watched cart, as they come. Reading raises `CallFailedError` when the watch is cut."""

    def __iter__(self) -> Iterator[service_pb2.WatchCartResponse]:
        """Waits for one snapshot after the other."""

    def cancel(self) -> None:
        """Ends the watch, from whatever thread; whoever reads it reads no more."""


class Transport(Protocol):
    """One way to one server. Every method raises `CallFailedError`, and none retries by itself."""

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        """Calls `GetSyncPolicy`."""

    def open(self, session: Session, confirmed_through: int) -> Answer:
        """Opens a stream for a queue, or asks for its watermark where there are no streams."""

    def submit(self, session: Session, attempts: Sequence[operation_pb2.OperationAttempt]) -> Answer:
        """Sends one submission and waits for its answer."""

    def look_up(self, session: Session, first: int, last: int) -> service_pb2.LookupOutcomesResponse:
        """Calls `LookupOutcomes`."""

    def cart(self, session: Session, cart_id: str) -> service_pb2.GetCartResponse:
        """Calls `GetCart` with the queue's watermark."""

    def wishlist(self, session: Session) -> wishlist_pb2.ListWishlistResponse:
        """Calls `ListWishlist` page by page. All entries, with revision and watermark of the first page."""

    def addresses(self, session: Session) -> address_book_pb2.ListAddressesResponse:
        """Calls `ListAddresses` with the queue's watermark."""

    def payment_methods(self, session: Session) -> payment_methods_pb2.ListPaymentMethodsResponse:
        """Calls `ListPaymentMethods` with the queue's watermark."""

    def claim_token(self, store_id: str) -> str:
        """Calls `IssueClaimToken`. What it returns is a secret."""

    def watch(self, session: Session, cart_id: str) -> SnapshotStream:
        """Calls `WatchCart` with the queue's watermark."""

    def close(self) -> None:
        """Ends the stream, if one is open. The transport can be used again."""

    def shut_down(self) -> None:
        """Lets go of the connection. The transport cannot be used again."""
