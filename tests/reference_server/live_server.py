"""A real server on a free port of this machine, and a shopper who talks to it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from cartsync.v1 import (
    address_book_pb2_grpc,
    address_pb2,
    guest_claim_pb2_grpc,
    money_pb2,
    operation_pb2,
    payment_methods_pb2_grpc,
    reason_pb2,
    service_pb2,
    service_pb2_grpc,
    wishlist_pb2_grpc,
)
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2

from reference_server.assembly import REFERENCE, Parts, Server, build
from reference_server.config import Address, Config

FREE_PORT = Address("127.0.0.1", 0)
Metadata = tuple[tuple[str, str], ...]


def config_in(directory: Path, **changes: object) -> Config:
    settings: dict[str, object] = {
        "listen": FREE_PORT,
        "control_listen": FREE_PORT,
        "data_dir": directory,
    }
    return Config(**{**settings, **changes})  # type: ignore[arg-type]


@dataclass
class Live:
    """A running server and its stubs."""

    server: Server
    channel: grpc.aio.Channel
    calls: service_pb2_grpc.CartSyncServiceAsyncStub
    control: control_pb2_grpc.ControlServiceAsyncStub

    @property
    def wishlist(self) -> wishlist_pb2_grpc.WishlistServiceAsyncStub:
        return wishlist_pb2_grpc.WishlistServiceStub(self.channel)

    @property
    def address_book(self) -> address_book_pb2_grpc.AddressBookServiceAsyncStub:
        return address_book_pb2_grpc.AddressBookServiceStub(self.channel)

    @property
    def payment_methods(self) -> payment_methods_pb2_grpc.PaymentMethodServiceAsyncStub:
        return payment_methods_pb2_grpc.PaymentMethodServiceStub(self.channel)

    @property
    def guests(self) -> guest_claim_pb2_grpc.GuestServiceAsyncStub:
        return guest_claim_pb2_grpc.GuestServiceStub(self.channel)

    def shopper(self, principal: str = "ann") -> Shopper:
        return Shopper(self, principal)


@contextlib.asynccontextmanager
async def running(config: Config, parts: Parts = REFERENCE) -> AsyncIterator[Live]:
    server = build(config, parts)
    await server.start()
    try:
        async with contextlib.AsyncExitStack() as stack:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(str(server.address)))
            control = await stack.enter_async_context(
                grpc.aio.insecure_channel(str(server.control_address or server.address))
            )
            yield Live(
                server,
                channel,
                service_pb2_grpc.CartSyncServiceStub(channel),
                control_pb2_grpc.ControlServiceStub(control),
            )
    finally:
        await server.stop()


@dataclass
class Shopper:
    """One queue of one principal; makes operations in sequence and sends them."""

    live: Live
    principal: str
    queue_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sequence: int = 0
    last_key: str = ""

    authorization: str = ""  # empty: the development credential

    @property
    def metadata(self) -> Metadata:
        return (("authorization", self.authorization or f"Bearer dev:{self.principal}"),)

    def add(
        self, quantity: int = 1, cart_id: str = "cart", sku: str = "LANTERN-WHITE"
    ) -> operation_pb2.OperationAttempt:
        return self.draft(
            add_item=operation_pb2.AddItem(
                cart_id=cart_id,
                sku=sku,
                quantity=quantity,
                observed_unit_price=money_pb2.Money(currency_code="GBP", minor_units=339),
                quantity_policy=operation_pb2.QUANTITY_POLICY_EXACT,
            )
        )

    def wish(self, sku: str) -> operation_pb2.OperationAttempt:
        return self.draft(add_to_wishlist=operation_pb2.AddToWishlist(sku=sku))

    def address(self, address_id: str, recipient: str = "Ann") -> operation_pb2.OperationAttempt:
        return self.draft(
            put_address=operation_pb2.PutAddress(
                address_id=address_id,
                update_mask=FieldMask(paths=["recipient", "address_lines", "region_code"]),
                address=address_pb2.Address(recipient=recipient, address_lines=["1 High Street"], region_code="GB"),
            )
        )

    def card(self, payment_method_id: str, token: str = "demo-visa-4242") -> operation_pb2.OperationAttempt:
        return self.draft(
            save_payment_method=operation_pb2.SavePaymentMethod(
                payment_method_id=payment_method_id, provider="demo", provider_token=token, label="mine"
            )
        )

    def draft(self, **intent: Any) -> operation_pb2.OperationAttempt:
        """The next operation of the queue."""
        self.sequence += 1
        operation = operation_pb2.CartOperation(
            idempotency_key=str(uuid.uuid4()), sequence=self.sequence, previous_key=self.last_key, **intent
        )
        self.last_key = operation.idempotency_key
        return operation_pb2.OperationAttempt(operation=operation)

    def submission(self, *attempts: operation_pb2.OperationAttempt) -> service_pb2.SubmitOperationsRequest:
        return service_pb2.SubmitOperationsRequest(
            queue_id=self.queue_id, expected_principal=self.principal, attempts=attempts
        )

    async def submit(self, *attempts: operation_pb2.OperationAttempt) -> service_pb2.SubmitOperationsResponse:
        return await self.live.calls.SubmitOperations(self.submission(*attempts), metadata=self.metadata)

    async def cart(self, cart_id: str = "cart") -> service_pb2.GetCartResponse:
        request = service_pb2.GetCartRequest(cart_id=cart_id, queue_id=self.queue_id)
        return await self.live.calls.GetCart(request, metadata=self.metadata)

    async def lookup(self, first: int, last: int) -> service_pb2.LookupOutcomesResponse:
        request = service_pb2.LookupOutcomesRequest(queue_id=self.queue_id, first_sequence=first, last_sequence=last)
        return await self.live.calls.LookupOutcomes(request, metadata=self.metadata)

    def hello(self) -> service_pb2.SyncRequest:
        return service_pb2.SyncRequest(
            hello=service_pb2.Hello(queue_id=self.queue_id, expected_principal=self.principal)
        )

    async def quantity(self, cart_id: str = "cart", sku: str = "LANTERN-WHITE") -> int:
        return {line.sku: line.quantity for line in (await self.cart(cart_id)).cart.lines}.get(sku, 0)


def submit_message(*attempts: operation_pb2.OperationAttempt) -> service_pb2.SyncRequest:
    return service_pb2.SyncRequest(submit=service_pb2.Submit(attempts=attempts))


def states(results: service_pb2.SubmitOperationsResponse | service_pb2.Outcomes) -> list[str]:
    return [
        reason_pb2.OutcomeState.Name(result.outcome.state).removeprefix("OUTCOME_STATE_") for result in results.results
    ]


@dataclass
class Refusal:
    """A status error with its rich details taken apart; filled when the `with` block has ended."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    info: error_details_pb2.ErrorInfo = field(default_factory=error_details_pb2.ErrorInfo)
    violations: list[tuple[str, str]] = field(default_factory=list)
    retry_seconds: float | None = None

    @property
    def row(self) -> tuple[grpc.StatusCode, str]:
        """Code and ErrorInfo.reason: the row of the service table."""
        return self.code, self.info.reason

    @property
    def field(self) -> str:
        return self.violations[0][0] if self.violations else ""

    def fill(self, error: grpc.aio.AioRpcError) -> None:
        self.code, self.message = error.code(), error.details() or ""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                assert isinstance(value, bytes)
                self._take_apart(status_pb2.Status.FromString(value))

    def _take_apart(self, status: status_pb2.Status) -> None:
        assert status.code == self.code.value[0]
        assert status.message == self.message
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                detail.Unpack(self.info)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad_request = error_details_pb2.BadRequest()
                detail.Unpack(bad_request)
                self.violations = [(entry.field, entry.description) for entry in bad_request.field_violations]
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                self.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()


@contextlib.contextmanager
def refused() -> Iterator[Refusal]:
    """The block must end with a status error; what it was is in the value given."""
    refusal = Refusal()
    try:
        yield refusal
    except grpc.aio.AioRpcError as error:
        refusal.fill(error)
    else:
        raise AssertionError("the call was not refused")


def offer(sku: str, minor_units: int = 339, available_quantity: int | None = None) -> control_pb2.PutOfferRequest:
    return control_pb2.PutOfferRequest(
        sku=sku,
        unit_price=money_pb2.Money(currency_code="GBP", minor_units=minor_units),
        listed=True,
        available_quantity=available_quantity,
    )
