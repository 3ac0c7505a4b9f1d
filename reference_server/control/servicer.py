"""Answers the calls of cartsync.conformance.v1.ControlService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from reference_server.clock import OffsetClock
from reference_server.control.fail_points import Action, FailPoints, Point
from reference_server.control.state import ControlState
from reference_server.credentials import is_principal_name
from reference_server.engine.identifiers import CART_ID_FORM, SKU_FORM, is_cart_id, is_sku
from reference_server.engine.instants import duration_ns
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Offer
from reference_server.service.errors import CallError, request_invalid
from reference_server.service.servicer import SERVER_NAME
from reference_server.storage import Store, UnknownSaveError

CONTROL_DOMAIN = "cartsync.conformance.v1"
MAX_WAIT_SECONDS = 60.0  # of AwaitHeld for callers that set no deadline
MAX_OFFSET = timedelta(days=365 * 500)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NAME_FORM = "must be 1 to 64 characters out of A-Z a-z 0-9 . _ -"
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

_POINTS = {
    control_pb2.FAIL_POINT_BEFORE_COMMIT: Point.BEFORE_COMMIT,
    control_pb2.FAIL_POINT_AFTER_COMMIT: Point.AFTER_COMMIT,
    control_pb2.FAIL_POINT_WHILE_DECIDING: Point.WHILE_DECIDING,
}
_ACTIONS = {
    control_pb2.FAIL_ACTION_HOLD: Action.HOLD,
    control_pb2.FAIL_ACTION_ABORT: Action.ABORT,
    control_pb2.FAIL_ACTION_THROW: Action.THROW,
}

Context = grpc.aio.ServicerContext[Any, Any]


def _invalid(field: str, description: str) -> CallError:
    return request_invalid([(field, description)], domain=CONTROL_DOMAIN)


def _check_principal(name: str) -> None:
    if not is_principal_name(name):
        raise _invalid("principal", _NAME_FORM)


class ControlServicer(control_pb2_grpc.ControlServiceServicer):
    """One small method for each call; every capability is implemented."""

    def __init__(
        self,
        *,
        store: Store,
        state: ControlState,
        clock: OffsetClock,
        fail_points: FailPoints,
        server_version: str,
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._fail_points = fail_points
        self._server_version = server_version

    async def Describe(self, request: control_pb2.DescribeRequest, context: Context) -> control_pb2.DescribeResponse:
        """Tell what the server is."""
        return control_pb2.DescribeResponse(
            name=SERVER_NAME,
            version=self._server_version,
            capabilities=sorted(
                value for value in control_pb2.Capability.values() if value != control_pb2.CAPABILITY_UNSPECIFIED
            ),
            current_time=self._time(),
        )

    async def IssueCredential(
        self, request: control_pb2.IssueCredentialRequest, context: Context
    ) -> control_pb2.IssueCredentialResponse:
        """Make a credential."""
        _check_principal(request.principal)
        token = secrets.token_urlsafe(24)
        self._state.add_credential(token, request.principal)
        return control_pb2.IssueCredentialResponse(authorization=f"Bearer {token}")

    async def PutOffer(self, request: control_pb2.PutOfferRequest, context: Context) -> control_pb2.PutOfferResponse:
        """Put an offer."""
        if not is_sku(request.sku):
            raise _invalid("sku", SKU_FORM)
        if not request.HasField("unit_price"):
            raise _invalid("unit_price", "is required")
        price = request.unit_price
        if not _CURRENCY.fullmatch(price.currency_code):
            raise _invalid("unit_price.currency_code", "must be three upper-case letters")
        if not 0 <= price.minor_units <= MAX_UNIT_PRICE_MINOR:
            raise _invalid("unit_price.minor_units", f"must be 0 to {MAX_UNIT_PRICE_MINOR}")
        available = request.available_quantity if request.HasField("available_quantity") else None
        if available is not None and available < 0:
            raise _invalid("available_quantity", "must be 0 or more, or absent for uncounted stock")
        self._state.put_offer(Offer(request.sku, price.currency_code, price.minor_units, request.listed, available))
        return control_pb2.PutOfferResponse()

    async def CloseCart(self, request: control_pb2.CloseCartRequest, context: Context) -> control_pb2.CloseCartResponse:
        """Close a cart."""
        _check_principal(request.principal)
        if not is_cart_id(request.cart_id):
            raise _invalid("cart_id", CART_ID_FORM)
        if not await self._store.close_cart(request.principal, request.cart_id):
            raise CallError(grpc.StatusCode.NOT_FOUND, "No add has made this cart.")
        return control_pb2.CloseCartResponse()

    async def SetRateLimit(
        self, request: control_pb2.SetRateLimitRequest, context: Context
    ) -> control_pb2.SetRateLimitResponse:
        """Limit a principal, or lift the limit."""
        _check_principal(request.principal)
        remaining = request.remaining_operation_count if request.HasField("remaining_operation_count") else None
        if remaining is not None and remaining < 0:
            raise _invalid("remaining_operation_count", "must be 0 or more, or absent to lift the limit")
        self._state.set_limit(request.principal, remaining)
        return control_pb2.SetRateLimitResponse()

    async def SetBackendAvailability(
        self, request: control_pb2.SetBackendAvailabilityRequest, context: Context
    ) -> control_pb2.SetBackendAvailabilityResponse:
        """Begin or end an outage."""
        _check_principal(request.principal)
        self._state.set_backend_available(request.principal, request.available)
        return control_pb2.SetBackendAvailabilityResponse()

    async def AdvanceClock(
        self, request: control_pb2.AdvanceClockRequest, context: Context
    ) -> control_pb2.AdvanceClockResponse:
        """Move the clock, and prune what is due by then before answering."""
        nanoseconds = duration_ns(request.duration)
        if nanoseconds < 0:
            raise _invalid("duration", "must not be negative: the clock moves forward only")
        offset_us = self._clock.offset // timedelta(microseconds=1) + nanoseconds // 1000
        if offset_us > MAX_OFFSET // timedelta(microseconds=1):
            raise _invalid("duration", f"would move the clock more than {MAX_OFFSET.days} days ahead in all")
        duration = timedelta(microseconds=nanoseconds // 1000)
        self._state.set_clock_offset(self._clock.offset + duration)
        self._clock.advance(duration)
        await self._store.prune_due(self._clock.now())
        return control_pb2.AdvanceClockResponse(current_time=self._time())

    async def SetFailPoint(
        self, request: control_pb2.SetFailPointRequest, context: Context
    ) -> control_pb2.SetFailPointResponse:
        """Arm a fail point."""
        _check_principal(request.principal)
        point, action = _POINTS.get(request.fail_point), _ACTIONS.get(request.action)
        if point is None:
            raise _invalid("fail_point", "must be one of the named fail points")
        if action is None:
            raise _invalid("action", "must be one of the named actions")
        if (action is Action.THROW) != (point is Point.WHILE_DECIDING):
            raise _invalid("action", "FAIL_ACTION_THROW goes with FAIL_POINT_WHILE_DECIDING, and only with it")
        hit_count = request.hit_count if request.HasField("hit_count") else 1
        if hit_count < 1:
            raise _invalid("hit_count", "must be 1 or more, or absent for 1")
        if point is Point.WHILE_DECIDING and request.sequence < 1:
            raise _invalid("sequence", "must be 1 or more with FAIL_POINT_WHILE_DECIDING")
        self._fail_points.arm(request.principal, point, action, hit_count, request.sequence)
        return control_pb2.SetFailPointResponse()

    async def AwaitHeld(self, request: control_pb2.AwaitHeldRequest, context: Context) -> control_pb2.AwaitHeldResponse:
        """Wait until a submission is held, at most until the call's deadline."""
        _check_principal(request.principal)
        remaining = context.time_remaining()
        try:
            await asyncio.wait_for(
                self._fail_points.await_held(request.principal),
                MAX_WAIT_SECONDS if remaining is None else min(remaining, MAX_WAIT_SECONDS),
            )
        except TimeoutError:
            raise CallError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "No submission of the principal came to a fail point."
            ) from None
        return control_pb2.AwaitHeldResponse()

    async def ReleaseFailPoints(
        self, request: control_pb2.ReleaseFailPointsRequest, context: Context
    ) -> control_pb2.ReleaseFailPointsResponse:
        """Disarm, and let go on what is held."""
        _check_principal(request.principal)
        self._fail_points.release(request.principal)
        return control_pb2.ReleaseFailPointsResponse()

    async def SaveStore(self, request: control_pb2.SaveStoreRequest, context: Context) -> control_pb2.SaveStoreResponse:
        """Save the whole store."""
        if not _NAME.fullmatch(request.name):
            raise _invalid("name", _NAME_FORM)
        await self._store.save(request.name)
        return control_pb2.SaveStoreResponse()

    async def RestoreStore(
        self, request: control_pb2.RestoreStoreRequest, context: Context
    ) -> control_pb2.RestoreStoreResponse:
        """Put a saved store back."""
        if not _NAME.fullmatch(request.name):
            raise _invalid("name", _NAME_FORM)
        try:
            store_id = await self._store.restore(request.name)
        except UnknownSaveError:
            raise CallError(grpc.StatusCode.NOT_FOUND, "Nothing was saved under this name.") from None
        return control_pb2.RestoreStoreResponse(store_id=store_id)

    async def ListEffects(
        self, request: control_pb2.ListEffectsRequest, context: Context
    ) -> control_pb2.ListEffectsResponse:
        """List the ledger."""
        _check_principal(request.principal)
        return control_pb2.ListEffectsResponse(
            effects=[
                control_pb2.Effect(
                    queue_id=effect.queue_id,
                    sequence=effect.sequence,
                    idempotency_key=effect.idempotency_key,
                    cart_id=effect.cart_id,
                    revision=effect.revision,
                    sku=effect.sku,
                    quantity_before=effect.quantity_before,
                    quantity_after=effect.quantity_after,
                )
                for effect in await self._store.effects(request.principal)
            ]
        )

    def _time(self) -> Timestamp:
        now = Timestamp()
        now.FromDatetime(self._clock.now())
        return now
