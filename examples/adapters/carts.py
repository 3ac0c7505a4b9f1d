"""cartsync.v1 put straight onto a shop's own cart: stateless, and with no safety of its own.

Nothing is remembered between calls, nothing is sent twice, nothing is locked: what the shop does with a request is what
the client gets. So there are no records to replay, no watermark that outlives its answer (reads say 0), no revisions
(always 0), and every cart id means the one basket that the account has. Beside this file a shop needs one that
implements `Shop`; the two together stay within 200 lines.
"""

# ruff: noqa: N802, ARG002, D102 - the generated base class names them; what a shop does is said at `Shop`

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2, policy_pb2, reason_pb2, service_pb2, service_pb2_grpc
from grpc_health.v1 import health, health_pb2_grpc


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the shop shows it: how the shop names it, how many, and the unit price in minor units."""

    handle: str
    quantity: int
    unit_price: int
    currency: str


class RefusedError(Exception):
    """The shop will not do it: the nearest reason of the protocol, and how many there are if the shop said so."""

    def __init__(self, reason: reason_pb2.Reason.ValueType, message: str, available: int = 0) -> None:
        super().__init__(message)
        self.reason, self.available = reason, available


class SignedOutError(Exception):
    """The shop does not know the credential."""


class Shop(Protocol):
    """What a shop's API does for the account of a token. Writes return the cart after; `add` how many went in."""

    name: str
    version: str
    max_line_quantity: int

    def account(self, token: str) -> str: ...
    def cart(self, token: str) -> dict[str, Line]: ...
    def add(self, token: str, sku: str, quantity: int) -> tuple[int, dict[str, Line]]: ...
    def set(self, token: str, line: Line, quantity: int) -> dict[str, Line]: ...
    def remove(self, token: str, line: Line) -> dict[str, Line]: ...


def call(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any, Any]:
    """One HTTP request with JSON, sent once: status, decoded body, headers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        return error.code, json.loads(text) if text[:1] in ("{", "[") else text[:200], error.headers


class StatelessCarts(service_pb2_grpc.CartSyncServiceServicer):
    """The cart service before a shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def GetSyncPolicy(self, request: Any, context: grpc.ServicerContext) -> service_pb2.GetSyncPolicyResponse:
        """What is true of a shop that keeps no records: no retention, no replay."""
        limits = policy_pb2.SyncPolicy(
            max_operation_bytes=1 << 20, max_submission_operation_count=100, max_submission_bytes=4 << 20,
            max_line_quantity=self._shop.max_line_quantity, max_line_count=100, profiles=["core"],
        )  # fmt: skip
        return service_pb2.GetSyncPolicyResponse(
            store_id=self._shop.name, policy=limits, principal=self._signed_in(context)[1],
            server_name=f"{self._shop.name} behind a stateless adapter", server_version=self._shop.version,
        )  # fmt: skip

    def SubmitOperations(self, request: Any, context: grpc.ServicerContext) -> service_pb2.SubmitOperationsResponse:
        """Do what each operation says, one after the other, as if it had never come before."""
        token, _ = self._signed_in(context)
        response = service_pb2.SubmitOperationsResponse(store_id=self._shop.name)
        response.queue.queue_id = request.queue_id
        for attempt in request.attempts:
            operation = attempt.operation
            outcome = response.results.add().outcome
            outcome.idempotency_key, outcome.sequence = operation.idempotency_key, operation.sequence
            try:
                self._apply(token, operation, outcome)
                outcome.state = reason_pb2.OUTCOME_STATE_APPLIED
            except RefusedError as refused:
                options = reason_pb2.Reason.DESCRIPTOR.values_by_number[refused.reason].GetOptions()
                policy = options.Extensions[reason_pb2.reason_policy]
                outcome.state, outcome.refusal.disposition = policy.state, policy.disposition
                outcome.refusal.reason, outcome.refusal.message = refused.reason, str(refused)
                if refused.reason == reason_pb2.REASON_INSUFFICIENT_INVENTORY:
                    outcome.refusal.available_quantity = refused.available
                if refused.reason == reason_pb2.REASON_INTERNAL:
                    outcome.refusal.retry_delay.FromSeconds(1)
                    continue
            outcome.decide_time.GetCurrentTime()
            response.queue.decided_through_sequence = operation.sequence
        return response

    def _apply(self, token: str, operation: operation_pb2.CartOperation, outcome: outcome_pb2.Outcome) -> None:
        kind = operation.WhichOneof("intent")
        if kind not in ("add_item", "adjust_quantity", "set_quantity", "remove_item"):
            raise RefusedError(reason_pb2.REASON_UNSUPPORTED_INTENT, "the shop's API has nothing for this")
        intent = getattr(operation, kind)
        change, shop = outcome.line_change, self._shop
        change.sku = intent.sku
        if kind == "add_item":
            granted, after = shop.add(token, intent.sku, intent.quantity)
            change.quantity_after = after[intent.sku].quantity if intent.sku in after else 0
            change.quantity_before = change.quantity_after - granted
            wish = change.quantity_before + intent.quantity
        else:
            line = shop.cart(token).get(intent.sku)
            had = line.quantity if line else 0
            wish = max(0, had + intent.delta) if kind == "adjust_quantity" else getattr(intent, "quantity", 0)
            if line is None:
                after = shop.add(token, intent.sku, wish)[1] if wish else {}
            else:
                after = shop.set(token, line, wish) if wish else shop.remove(token, line)
            change.quantity_before = had
            change.quantity_after = after[intent.sku].quantity if intent.sku in after else 0
        outcome.changed = change.quantity_before != change.quantity_after
        if change.quantity_after < wish:
            clamped = outcome.adjustments.add().quantity_clamped
            clamped.requested_quantity, clamped.granted_quantity = wish, change.quantity_after

    def GetCart(self, request: Any, context: grpc.ServicerContext) -> service_pb2.GetCartResponse:
        """The account's basket, at the shop's prices."""
        token, _ = self._signed_in(context)
        cart = cart_pb2.Cart(cart_id=request.cart_id, state=cart_pb2.CART_STATE_OPEN)
        cart.price_time.GetCurrentTime()
        for sku, held in sorted(self._shop.cart(token).items()):
            line = cart.lines.add(sku=sku, quantity=held.quantity, availability=cart_pb2.LINE_AVAILABILITY_AVAILABLE)
            for money, amount in (
                (line.unit_price, held.unit_price),
                (line.line_total, held.quantity * held.unit_price),
            ):
                money.currency_code, money.minor_units = held.currency, amount
            cart.subtotal.currency_code = cart.total.currency_code = held.currency
            cart.subtotal.minor_units += line.line_total.minor_units
            cart.total.minor_units = cart.subtotal.minor_units
        queue = service_pb2.QueueState(queue_id=request.queue_id) if request.queue_id else None
        return service_pb2.GetCartResponse(store_id=self._shop.name, cart=cart, queue=queue)

    def Sync(self, request_iterator: Any, context: grpc.ServicerContext) -> Any:
        """Not offered."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a shop's API does not stream")

    WatchCart = Sync

    def LookupOutcomes(self, request: Any, context: grpc.ServicerContext) -> service_pb2.LookupOutcomesResponse:
        """Nothing was recorded, so nothing is known."""
        self._signed_in(context)
        response = service_pb2.LookupOutcomesResponse(store_id=self._shop.name)
        response.queue.queue_id = request.queue_id
        for sequence in range(request.first_sequence, min(request.last_sequence, request.first_sequence + 99) + 1):
            response.statuses.add(sequence=sequence, decidedness=service_pb2.DECIDEDNESS_UNDECIDED)
        return response

    def _signed_in(self, context: grpc.ServicerContext) -> tuple[str, str]:
        token = str(dict(context.invocation_metadata()).get("authorization", "")).removeprefix("Bearer ")
        try:
            return token, self._shop.account(token)
        except SignedOutError:
            return context.abort(grpc.StatusCode.UNAUTHENTICATED, "the shop does not know this credential")


def server(shop: Shop, listen: str) -> grpc.Server:
    """The adapter as a gRPC server with a health service, not yet started."""
    made = grpc.server(ThreadPoolExecutor(32))
    service_pb2_grpc.add_CartSyncServiceServicer_to_server(StatelessCarts(shop), made)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), made)
    made.add_insecure_port(listen)
    return made
