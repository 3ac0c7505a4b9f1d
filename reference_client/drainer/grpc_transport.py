"""The transport over gRPC: the `Sync` stream where the server has it, `SubmitOperations` where it does not."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import grpc
from cartsync.v1 import (
    address_book_pb2,
    address_book_pb2_grpc,
    guest_claim_pb2,
    guest_claim_pb2_grpc,
    operation_pb2,
    payment_methods_pb2,
    payment_methods_pb2_grpc,
    service_pb2,
    service_pb2_grpc,
    wishlist_pb2,
    wishlist_pb2_grpc,
)

from reference_client.drainer.endpoint import Endpoint
from reference_client.drainer.status_details import failure_of
from reference_client.drainer.transport import Answer, CallFailedError, Session, SnapshotStream
from reference_client.machine.values import CallFailure

_T = TypeVar("_T")

_CHANNEL_OPTIONS = (
    # The sync machine does all the retrying and backing off that the protocol wants.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Channels of several clients in one process share neither connections nor their fate.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)
# A proxy named in the environment would carry the credential off this machine, and in the clear.
_PLAINTEXT_OPTIONS = (*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0))


class GrpcTransport:
    """One channel to one server. Not for use by several threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._metadata = (("authorization", endpoint.authorization),)
        if endpoint.uses_tls:
            credentials = grpc.ssl_channel_credentials(root_certificates=endpoint.root_certificates)
            self._channel = grpc.secure_channel(endpoint.address, credentials, options=_CHANNEL_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(endpoint.address, options=_PLAINTEXT_OPTIONS)
        self._stub = service_pb2_grpc.CartSyncServiceStub(self._channel)
        self._streams = not endpoint.unary_only
        self._stream: _Stream | None = None

    def _unary(self, call: Callable[..., _T], request: object) -> _T:
        with _failures():
            return call(request, timeout=self._endpoint.deadline_seconds, metadata=self._metadata)

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        """Calls `GetSyncPolicy`."""
        return self._unary(self._stub.GetSyncPolicy, service_pb2.GetSyncPolicyRequest())

    def open(self, session: Session, confirmed_through: int) -> Answer:
        """Opens a stream; a server without streams is asked for the watermark by `LookupOutcomes`."""
        self.close()
        if self._streams:
            try:
                return self._open_stream(session)
            except CallFailedError as error:
                self.close()
                if error.failure.code != "UNIMPLEMENTED":
                    raise
                self._streams = False
        first = max(1, confirmed_through)
        found = self.look_up(session, first, first)
        return Answer(found.store_id, found.queue.decided_through_sequence)

    def _open_stream(self, session: Session) -> Answer:
        hello = service_pb2.Hello(
            store_id=session.store_id, queue_id=session.queue_id, expected_principal=session.principal
        )
        self._stream = _Stream(self._stub, self._metadata, self._endpoint.deadline_seconds)
        response = self._stream.exchange(service_pb2.SyncRequest(hello=hello))
        if not response.HasField("welcome"):
            raise CallFailedError(CallFailure("INTERNAL", message="the server did not answer Hello with Welcome"))
        return Answer(response.welcome.store_id, response.welcome.queue.decided_through_sequence)

    def submit(self, session: Session, attempts: Sequence[operation_pb2.OperationAttempt]) -> Answer:
        """Sends one submission and waits for its answer."""
        if self._stream is not None:
            message = service_pb2.SyncRequest(submit=service_pb2.Submit(attempts=attempts))
            response = self._stream.exchange(message)
            if not response.HasField("outcomes"):
                raise CallFailedError(CallFailure("INTERNAL", message="the server answered Submit with something else"))
            outcomes = response.outcomes
            return Answer(session.store_id, outcomes.queue.decided_through_sequence, outcomes.results)
        request = service_pb2.SubmitOperationsRequest(
            store_id=session.store_id,
            queue_id=session.queue_id,
            expected_principal=session.principal,
            attempts=attempts,
        )
        answer = self._unary(self._stub.SubmitOperations, request)
        return Answer(answer.store_id, answer.queue.decided_through_sequence, answer.results)

    def look_up(self, session: Session, first: int, last: int) -> service_pb2.LookupOutcomesResponse:
        """Calls `LookupOutcomes`."""
        request = service_pb2.LookupOutcomesRequest(
            store_id=session.store_id, queue_id=session.queue_id, first_sequence=first, last_sequence=last
        )
        return self._unary(self._stub.LookupOutcomes, request)

    def cart(self, session: Session, cart_id: str) -> service_pb2.GetCartResponse:
        """Calls `GetCart` with the queue's watermark."""
        request = service_pb2.GetCartRequest(store_id=session.store_id, cart_id=cart_id, queue_id=session.queue_id)
        return self._unary(self._stub.GetCart, request)

    def wishlist(self, session: Session) -> wishlist_pb2.ListWishlistResponse:
        """Calls `ListWishlist` page by page; entries that move between two pages are shown once."""
        stub = wishlist_pb2_grpc.WishlistServiceStub(self._channel)
        request = wishlist_pb2.ListWishlistRequest(store_id=session.store_id, queue_id=session.queue_id)
        whole = self._unary(stub.ListWishlist, request)
        seen = {entry.sku for entry in whole.entries}
        while whole.next_page_token:
            request.page_token = whole.next_page_token
            page = self._unary(stub.ListWishlist, request)
            if page.store_id != whole.store_id or page.next_page_token == whole.next_page_token:
                raise CallFailedError(CallFailure("ABORTED", message="the wishlist's pages are not of one list"))
            whole.entries.extend(entry for entry in page.entries if entry.sku not in seen)
            seen.update(entry.sku for entry in page.entries)
            whole.next_page_token = page.next_page_token
        return whole

    def addresses(self, session: Session) -> address_book_pb2.ListAddressesResponse:
        """Calls `ListAddresses`."""
        stub = address_book_pb2_grpc.AddressBookServiceStub(self._channel)
        request = address_book_pb2.ListAddressesRequest(store_id=session.store_id, queue_id=session.queue_id)
        return self._unary(stub.ListAddresses, request)

    def payment_methods(self, session: Session) -> payment_methods_pb2.ListPaymentMethodsResponse:
        """Calls `ListPaymentMethods`."""
        stub = payment_methods_pb2_grpc.PaymentMethodServiceStub(self._channel)
        request = payment_methods_pb2.ListPaymentMethodsRequest(store_id=session.store_id, queue_id=session.queue_id)
        return self._unary(stub.ListPaymentMethods, request)

    def claim_token(self, store_id: str) -> str:
        """Calls `IssueClaimToken`. What it returns is a secret."""
        stub = guest_claim_pb2_grpc.GuestServiceStub(self._channel)
        request = guest_claim_pb2.IssueClaimTokenRequest(store_id=store_id)
        return str(self._unary(stub.IssueClaimToken, request).claim_token)

    def watch(self, session: Session, cart_id: str) -> SnapshotStream:
        """Calls `WatchCart` with the queue's watermark. It has no deadline: a cart may stay as it is for days."""
        request = service_pb2.WatchCartRequest(store_id=session.store_id, cart_id=cart_id, queue_id=session.queue_id)
        call = self._stub.WatchCart(request, metadata=self._metadata)
        return _Watch(call, call.cancel)

    def close(self) -> None:
        """Ends the stream, if one is open. The transport can be used again."""
        if self._stream is not None:
            self._stream.end()
            self._stream = None

    def shut_down(self) -> None:
        """Ends the stream and the channel. The transport cannot be used again."""
        self.close()
        self._channel.close()


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise CallFailedError(failure_of(error)) from None


class _Watch:
    """One `WatchCart` call."""

    def __init__(self, snapshots: Iterable[service_pb2.WatchCartResponse], cancel: Callable[[], object]) -> None:
        self._snapshots = snapshots
        self._cancel = cancel

    def __iter__(self) -> Iterator[service_pb2.WatchCartResponse]:
        with _failures():
            yield from self._snapshots

    def cancel(self) -> None:
        self._cancel()


class _Stream:
    """One `Sync` call, used in turns: one message out, one message in, each within the deadline."""

    def __init__(
        self,
        stub: service_pb2_grpc.CartSyncServiceStub,
        metadata: tuple[tuple[str, str], ...],
        deadline_seconds: float,
    ) -> None:
        self._outbox: queue.SimpleQueue[service_pb2.SyncRequest | None] = queue.SimpleQueue()
        self._call = stub.Sync(iter(self._outbox.get, None), metadata=metadata)
        self._deadline_seconds = deadline_seconds

    def exchange(self, message: service_pb2.SyncRequest) -> service_pb2.SyncResponse:
        """Sends one message and waits for one. After `CallFailedError` the stream is of no more use."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._call.cancel()

        timer = threading.Timer(self._deadline_seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            self._outbox.put(message)
            with _failures():
                return next(self._call)
        except StopIteration:
            raise CallFailedError(CallFailure("UNAVAILABLE", message="the server ended the stream")) from None
        except CallFailedError:
            if late.is_set():
                text = f"no answer within {self._deadline_seconds:g} seconds"
                raise CallFailedError(CallFailure("DEADLINE_EXCEEDED", message=text)) from None
            raise
        finally:
            timer.cancel()

    def end(self) -> None:
        """Half-closes, then cancels: no answer is outstanding when a drain has ended well."""
        self._outbox.put(None)
        self._call.cancel()
