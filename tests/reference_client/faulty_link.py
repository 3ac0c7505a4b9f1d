"""A transport between client and model server that loses, delays, repeats and cuts as it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cartsync.v1 import address_book_pb2, operation_pb2, payment_methods_pb2, service_pb2, wishlist_pb2
from spec_server import SpecServer

from reference_client.drainer.transport import Answer, CallFailedError, Session, SnapshotStream
from reference_client.machine.values import CallFailure

_T = TypeVar("_T")

FAULTS = ("lose_request", "lose_answer", "delay", "repeat", "crash_before", "crash_after", "deliver_late")


class CrashError(BaseException):
    """The client process died here."""


CUT = CallFailure("UNAVAILABLE", message="the line was cut")


def no_fault() -> str:
    return "ok"


@dataclass
class FaultyLink:
    server: SpecServer
    next_fault: Callable[[], str] = no_fault
    during_submit: Callable[[], None] = lambda: None
    """Something that happens while a submission is on its way."""
    submit_fault: str = "ok"
    """What goes wrong with the next submission, and only with that."""
    late: list[service_pb2.SubmitOperationsRequest] = field(default_factory=list)
    sent: list[service_pb2.SubmitOperationsRequest] = field(default_factory=list)

    def deliver_late(self) -> None:
        """A request from long ago arrives; nobody waits for its answer any more."""
        if self.late:
            try:
                self.server.submit(self.late.pop(0))
            except CallFailedError:
                return

    def _call(self, call: Callable[[], _T], request: service_pb2.SubmitOperationsRequest | None = None) -> _T:
        fault = self.next_fault()
        if request is not None and self.submit_fault != "ok":
            fault, self.submit_fault = self.submit_fault, "ok"
        if fault == "deliver_late":
            self.deliver_late()
        if fault == "crash_before":
            raise CrashError
        if fault == "delay" and request is not None:
            self.late.append(request)
        if fault in {"lose_request", "delay"}:
            raise CallFailedError(CUT)
        answer = call()
        if fault == "repeat" and request is not None:
            self.late.append(request)
            call()
        if fault == "crash_after":
            raise CrashError
        if fault == "lose_answer":
            raise CallFailedError(CUT)
        return answer

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        return self._call(self.server.policy)

    def open(self, session: Session, confirmed_through: int) -> Answer:
        def call() -> Answer:
            self.server.check(session.store_id, session.principal)
            return Answer(self.server.store_id, self.server.watermark(session.queue_id))

        return self._call(call)

    def submit(self, session: Session, attempts: Sequence[operation_pb2.OperationAttempt]) -> Answer:
        request = service_pb2.SubmitOperationsRequest(
            store_id=session.store_id,
            queue_id=session.queue_id,
            expected_principal=session.principal,
            attempts=attempts,
        )
        self.sent.append(request)
        self.during_submit()
        answer = self._call(lambda: self.server.submit(request), request)
        return Answer(answer.store_id, answer.queue.decided_through_sequence, answer.results)

    def look_up(self, session: Session, first: int, last: int) -> service_pb2.LookupOutcomesResponse:
        request = service_pb2.LookupOutcomesRequest(
            store_id=session.store_id, queue_id=session.queue_id, first_sequence=first, last_sequence=last
        )
        return self._call(lambda: self.server.look_up(request))

    def cart(self, session: Session, cart_id: str) -> service_pb2.GetCartResponse:
        request = service_pb2.GetCartRequest(store_id=session.store_id, cart_id=cart_id, queue_id=session.queue_id)
        return self._call(lambda: self.server.cart(request))

    def wishlist(self, session: Session) -> wishlist_pb2.ListWishlistResponse:
        return self._call(lambda: self.server.wishlist(session.store_id, session.queue_id))

    def addresses(self, session: Session) -> address_book_pb2.ListAddressesResponse:
        return self._call(lambda: self.server.addresses(session.store_id, session.queue_id))

    def payment_methods(self, session: Session) -> payment_methods_pb2.ListPaymentMethodsResponse:
        return self._call(lambda: self.server.payment_methods(session.store_id, session.queue_id))

    def claim_token(self, store_id: str) -> str:
        return self._call(lambda: self.server.claim_token(store_id))

    def watch(self, session: Session, cart_id: str) -> SnapshotStream:
        raise CallFailedError(CallFailure("UNIMPLEMENTED"))

    def close(self) -> None:
        """Nothing is held open."""

    def shut_down(self) -> None:
        """Nothing is held open."""
