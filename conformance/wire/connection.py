"""One channel of one principal to the server under test: calls, pending calls and streams, all written down."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import grpc
from cartsync.v1 import (
    address_book_pb2,
    address_book_pb2_grpc,
    guest_claim_pb2,
    guest_claim_pb2_grpc,
    operation_pb2,
    payment_methods_pb2,
    payment_methods_pb2_grpc,
    service_pb2_grpc,
    wishlist_pb2,
    wishlist_pb2_grpc,
)
from cartsync.v1 import service_pb2 as service
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from conformance.wire.history import History, Lane, Status, Wire
from conformance.wire.target import Target
from conformance.wire.wording import in_words

CALL_SECONDS = 10.0  # a call that takes longer has failed
OPERATION_SECONDS = 0.02  # so much longer for each operation: a server may commit them one by one

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)


_SERVICES = {
    "ListWishlist": "WishlistService",
    "ListAddresses": "AddressBookService",
    "ListPaymentMethods": "PaymentMethodService",
    "IssueClaimToken": "GuestService",
}
"""Services of the calls that are not the CartSyncService's."""
_DETAILS: dict[str, type[Message]] = {
    f"google.rpc.{kind.__name__}": kind
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
}
_SECRET_NAMES = ("authorization", "cookie", "credential", "secret", "token")
_HIDDEN = "(not shown)"


class RpcFailureError(Exception):
    """A call ended with a status other than OK, taken apart."""

    def __init__(self, error: grpc.RpcError | grpc.FutureTimeoutError) -> None:
        self.code: grpc.StatusCode = grpc.StatusCode.DEADLINE_EXCEEDED
        self.message = "no answer came"
        if isinstance(error, grpc.RpcError):
            self.code, self.message = error.code(), error.details() or ""
        self.reason = ""  # ErrorInfo.reason
        self.domain = ""  # ErrorInfo.domain
        self.metadata: dict[str, str] = {}  # ErrorInfo.metadata
        self.fields: tuple[str, ...] = ()  # BadRequest.field_violations[].field
        self.details: tuple[Message, ...] = ()  # of google.rpc.Status, those that are known
        status = None
        with contextlib.suppress(ValueError, TypeError):
            status = rpc_status.from_call(error) if isinstance(error, grpc.RpcError) else None
        for detail in status.details if status else ():
            known = _DETAILS.get(detail.type_url.rpartition("/")[2])
            if known is not None:
                self.details += (known.FromString(detail.value),)
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest.FromString(detail.value)
                self.fields = tuple(violation.field for violation in bad.field_violations)
        super().__init__(str(self))

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.code.name}{reason}: {self.message}"

    @property
    def is_lost(self) -> bool:
        """Whether nothing is known of what the server did: cut, cancelled or timed out."""
        return self.code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNKNOWN,
            grpc.StatusCode.INTERNAL,
        )


class PendingCall:
    """A call on its way."""

    def __init__(
        self, future: grpc.Future[service.SubmitOperationsResponse], connection: Connection, name: str
    ) -> None:
        self._future = future
        self._connection = connection
        self._name = name

    def result(self, seconds: float = CALL_SECONDS) -> service.SubmitOperationsResponse:
        """Wait for the answer; raises RpcFailureError, also when none comes."""
        try:
            answer: service.SubmitOperationsResponse = self._future.result(seconds)
        except (grpc.RpcError, grpc.FutureTimeoutError) as error:
            raise self._connection.failed(self._name, error) from error
        self._connection.received(self._name, answer)
        return answer

    def wait(self, seconds: float) -> bool:
        """Wait until the answer, or an error, is there, and leave it for `result`; False when it did not come."""
        try:
            self._future.exception(seconds)
        except grpc.FutureTimeoutError:
            return False
        except grpc.FutureCancelledError:
            return True
        return True

    def done(self) -> bool:
        """Whether the answer, or an error, is there."""
        return bool(self._future.done())

    def cancel(self) -> None:
        """Give up on the answer; the server may process the request all the same."""
        self._connection.history.add(Lane.NETWORK, f"{self._name}: answer lost", actor=self._connection.actor)
        self._future.cancel()


class Connection:
    """One channel with one credential. Every method writes what went each way into the history."""

    def __init__(
        self,
        target: Target,
        authorization: str,
        history: History,
        actor: str = "",
        *,
        also: str = "",
        reads_ahead: bool = True,
        credential: str = "",
    ) -> None:
        self.history = history
        self.actor = actor
        self._credential = credential  # its name in the history; the thing itself is written down nowhere
        self._metadata = tuple(("authorization", value) for value in (authorization, also) if value)
        self._channel = target.channel(reads_ahead=reads_ahead)
        self._stub = service_pb2_grpc.CartSyncServiceStub(self._channel)

    def close(self) -> None:
        """Cut the connection: whatever is on its way is lost."""
        self._channel.close()

    def submit(self, request: service.SubmitOperationsRequest) -> service.SubmitOperationsResponse:
        """SubmitOperations; raises RpcFailureError."""
        seconds = CALL_SECONDS + OPERATION_SECONDS * len(request.attempts)
        return self._call("SubmitOperations", self._stub.SubmitOperations, request, seconds)

    def submit_later(self, request: service.SubmitOperationsRequest, seconds: float = 30.0) -> PendingCall:
        """Send SubmitOperations without waiting for the answer."""
        self._sent("SubmitOperations", request)
        future = self._stub.SubmitOperations.future(request, timeout=seconds, metadata=self._metadata)
        return PendingCall(future, self, "SubmitOperations")

    def submit_encoded(self, encoded: bytes, seconds: float = CALL_SECONDS) -> service.SubmitOperationsResponse:
        """SubmitOperations with a request that the check encoded itself; raises RpcFailureError."""
        request = service.SubmitOperationsRequest.FromString(encoded)
        answer = self.call_encoded("cartsync.v1.CartSyncService/SubmitOperations", encoded, seconds, shown=request)
        response = service.SubmitOperationsResponse.FromString(answer)
        self.received("SubmitOperations", response)
        return response

    def call_encoded(
        self, method: str, encoded: bytes, seconds: float = CALL_SECONDS, *, shown: Message | None = None
    ) -> bytes:
        """A unary call whose request the check encoded itself, well or badly; raises RpcFailureError.

        `method` is "package.Service/Method"; `shown` is what the history keeps of the request.
        """
        name = method.partition("/")[2]
        if shown is None:
            wire = Wire("sent", method, credential=self._credential)
            self.history.add(Lane.DEVICE, f"sends {name}: {len(encoded)} bytes", actor=self.actor, wire=wire)
        else:
            self._sent(name, shown)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{method}")
        try:
            return call(encoded, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self.failed(name, error) from error

    def get_cart(self, request: service.GetCartRequest, seconds: float = CALL_SECONDS) -> service.GetCartResponse:
        """GetCart; raises RpcFailureError."""
        return self._call("GetCart", self._stub.GetCart, request, seconds)

    def lookup(
        self, request: service.LookupOutcomesRequest, seconds: float = CALL_SECONDS
    ) -> service.LookupOutcomesResponse:
        """LookupOutcomes; raises RpcFailureError."""
        return self._call("LookupOutcomes", self._stub.LookupOutcomes, request, seconds)

    def policy(self, seconds: float = CALL_SECONDS) -> service.GetSyncPolicyResponse:
        """GetSyncPolicy; raises RpcFailureError."""
        return self._call("GetSyncPolicy", self._stub.GetSyncPolicy, service.GetSyncPolicyRequest(), seconds)

    def list_wishlist(
        self, request: wishlist_pb2.ListWishlistRequest, seconds: float = CALL_SECONDS
    ) -> wishlist_pb2.ListWishlistResponse:
        """ListWishlist; raises RpcFailureError."""
        stub = wishlist_pb2_grpc.WishlistServiceStub(self._channel)
        return self._call("ListWishlist", stub.ListWishlist, request, seconds)

    def list_addresses(
        self, request: address_book_pb2.ListAddressesRequest, seconds: float = CALL_SECONDS
    ) -> address_book_pb2.ListAddressesResponse:
        """ListAddresses; raises RpcFailureError."""
        stub = address_book_pb2_grpc.AddressBookServiceStub(self._channel)
        return self._call("ListAddresses", stub.ListAddresses, request, seconds)

    def list_payment_methods(
        self, request: payment_methods_pb2.ListPaymentMethodsRequest, seconds: float = CALL_SECONDS
    ) -> payment_methods_pb2.ListPaymentMethodsResponse:
        """ListPaymentMethods; raises RpcFailureError."""
        stub = payment_methods_pb2_grpc.PaymentMethodServiceStub(self._channel)
        return self._call("ListPaymentMethods", stub.ListPaymentMethods, request, seconds)

    def claim_token(self, store_id: str = "", seconds: float = CALL_SECONDS) -> str:
        """IssueClaimToken; raises RpcFailureError. The token stays out of the history."""
        stub = guest_claim_pb2_grpc.GuestServiceStub(self._channel)
        request = guest_claim_pb2.IssueClaimTokenRequest(store_id=store_id)
        self._sent("IssueClaimToken", request)
        try:
            answer = stub.IssueClaimToken(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self.failed("IssueClaimToken", error) from error
        self.received("IssueClaimToken", guest_claim_pb2.IssueClaimTokenResponse(store_id=answer.store_id))
        token: str = answer.claim_token
        return token

    def watch(self, request: service.WatchCartRequest, seconds: float = 30.0) -> Watch:
        """Begin a WatchCart; nothing is read yet."""
        self._sent("WatchCart", request)
        return Watch(self, self._stub.WatchCart(request, timeout=seconds, metadata=self._metadata))

    def stream(self, seconds: float = 30.0) -> Stream:
        """Open a Sync stream; nothing is said on it yet."""
        return Stream(self, lambda requests: self._stub.Sync(requests, timeout=seconds, metadata=self._metadata))

    def sent(self, name: str, message: Message) -> None:
        """Write down a message that left."""
        self._sent(name, message)

    def received(self, name: str, message: Message) -> None:
        """Write down a message that arrived."""
        self.history.add(
            Lane.SERVER,
            _title(f"answers {name}", message),
            actor=self.actor,
            message=message,
            wire=self._wire("received", name),
        )

    def failed(self, name: str, error: grpc.RpcError | grpc.FutureTimeoutError) -> RpcFailureError:
        """Write down and take apart an error status."""
        failure = RpcFailureError(error)
        lane = Lane.NETWORK if failure.is_lost else Lane.SERVER
        status = Status(failure.code.name, failure.message, failure.details, self._trailing(error))
        self.history.add(
            lane, f"{name} ends with {failure}", actor=self.actor, wire=self._wire("received", name, status)
        )
        return failure

    def _wire(self, direction: str, name: str, status: Status | None = None) -> Wire:
        method = name.partition(" ")[0]
        return Wire(
            direction,
            f"cartsync.v1.{_SERVICES.get(method, 'CartSyncService')}/{method}",
            credential=self._credential,
            status=status,
        )

    def _trailing(self, error: object) -> tuple[tuple[str, str], ...]:
        """What trailed behind a call, as text and without secrets; its details are told apart from it."""
        read = getattr(error, "trailing_metadata", None)
        pairs = []
        with contextlib.suppress(grpc.RpcError, AttributeError):
            for key, value in (read() if read is not None else None) or ():
                if key == "grpc-status-details-bin":
                    continue
                text = value if isinstance(value, str) else f"{len(value)} bytes"
                secret = any(name in key.lower() for name in _SECRET_NAMES)
                secret |= any(len(own) > 3 and own in text for _, own in self._metadata)
                pairs.append((key, _HIDDEN if secret else text))
        return tuple(pairs)

    def _sent(self, name: str, message: Message) -> None:
        self.history.add(
            Lane.DEVICE,
            _title(f"sends {name}", message),
            actor=self.actor,
            message=message,
            wire=self._wire("sent", name),
        )

    def _call(
        self,
        name: str,
        method: Callable[..., _Response],
        request: _Request,
        seconds: float,
    ) -> _Response:
        self._sent(name, request)
        try:
            answer = method(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self.failed(name, error) from error
        self.received(name, answer)
        return answer


class Stream:
    """A Sync stream: say and hear in any order, half-close, or cut."""

    def __init__(
        self,
        connection: Connection,
        start: Callable[[Iterator[service.SyncRequest]], Iterator[service.SyncResponse]],
    ) -> None:
        self._connection = connection
        self._outbox: queue.SimpleQueue[service.SyncRequest | None] = queue.SimpleQueue()
        self._call = start(iter(self._outbox.get, None))

    def say(self, *requests: service.SyncRequest) -> None:
        """Send messages without waiting."""
        for request in requests:
            self._connection.sent(f"Sync {request.WhichOneof('message') or 'nothing'}", request)
            self._outbox.put(request)

    def hello(self, queue_id: str, expected_principal: str, store_id: str = "") -> None:
        """Send Hello."""
        self.say(
            service.SyncRequest(
                hello=service.Hello(store_id=store_id, queue_id=queue_id, expected_principal=expected_principal)
            )
        )

    def submit(self, attempts: Sequence[operation_pb2.OperationAttempt]) -> None:
        """Send one submission."""
        self.say(service.SyncRequest(submit=service.Submit(attempts=attempts)))

    def hear(self) -> service.SyncResponse | None:
        """The next message; None when the stream ended with OK. Raises RpcFailureError when it ended otherwise."""
        try:
            answer = next(self._call)
        except StopIteration:
            self._connection.history.add(Lane.SERVER, "ends Sync with OK", actor=self._connection.actor)
            return None
        except grpc.RpcError as error:
            raise self._connection.failed("Sync", error) from error
        self._connection.received(f"Sync with {answer.WhichOneof('message')}", answer)
        return answer

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self._connection.history.add(Lane.DEVICE, "half-closes Sync", actor=self._connection.actor)
        self._outbox.put(None)

    def cut(self) -> None:
        """Reset the stream; what was sent may or may not be processed."""
        self._connection.history.add(Lane.NETWORK, "Sync is cut", actor=self._connection.actor)
        self._outbox.put(None)
        cancel = getattr(self._call, "cancel", None)
        if cancel is not None:
            cancel()


class _Snapshots(Protocol):
    """A call that answers with snapshots until it ends."""

    def __next__(self) -> service.WatchCartResponse: ...

    def cancel(self) -> object: ...


class Watch:
    """A WatchCart: read snapshots one by one, or cut."""

    def __init__(self, connection: Connection, call: _Snapshots) -> None:
        self._connection = connection
        self._call = call

    def hear(self) -> service.WatchCartResponse | None:
        """The next snapshot; None when the server ended the watch with OK. Raises RpcFailureError."""
        try:
            answer: service.WatchCartResponse = next(self._call)
        except StopIteration:
            self._connection.history.add(Lane.SERVER, "ends WatchCart with OK", actor=self._connection.actor)
            return None
        except grpc.RpcError as error:
            raise self._connection.failed("WatchCart", error) from error
        self._connection.received("WatchCart", answer)
        return answer

    def cut(self) -> None:
        """End the watch without a word."""
        self._connection.history.add(Lane.NETWORK, "WatchCart is cut", actor=self._connection.actor)
        self._call.cancel()


def _title(what: str, message: Message) -> str:
    words = in_words(message)
    return f"{what}: {words}" if words else what
