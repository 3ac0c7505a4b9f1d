"""Answers the calls of cartsync.conformance.v1.ControlService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from reference_server.clock import OffsetClock
from reference_server.control.arguments import (
    CONTROL_DOMAIN,
    check_principal,
    check_save_name,
    invalid,
    lifetime_us,
    limit_scope,
    offer_of,
    payment_details_of,
    promotion_of,
    remaining_count,
)
from reference_server.control.fail_points import Action, FailPoints, Point
from reference_server.control.state import ControlState
from reference_server.engine import instants
from reference_server.engine.identifiers import CART_ID_FORM, is_cart_id
from reference_server.engine.instants import duration_ns
from reference_server.service.errors import CallError
from reference_server.service.servicer import SERVER_NAME
from reference_server.storage import Store, UnknownSaveError

__all__ = ["CONTROL_DOMAIN", "ControlServicer"]

MAX_WAIT_SECONDS = 60.0  # of AwaitHeld for callers that set no deadline
MAX_OFFSET = timedelta(days=365 * 500)

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
        check_principal(request)
        token = secrets.token_urlsafe(24)
        lifetime = lifetime_us(request)
        expires_us = None if lifetime is None else instants.to_us(self._clock.now()) + lifetime
        # The protocol counts in int64 seconds, the file in int64 microseconds.
        expires_us = None if expires_us is None else min(expires_us, 2**63 - 1)
        self._state.add_credential(token, request.principal, guest=request.guest, expires_us=expires_us)
        return control_pb2.IssueCredentialResponse(authorization=f"Bearer {token}")

    async def PutOffer(self, request: control_pb2.PutOfferRequest, context: Context) -> control_pb2.PutOfferResponse:
        """Put an offer."""
        self._state.put_offer(offer_of(request))
        return control_pb2.PutOfferResponse()

    async def PutPromotion(
        self, request: control_pb2.PutPromotionRequest, context: Context
    ) -> control_pb2.PutPromotionResponse:
        """Put a promotion, or withdraw it."""
        self._state.put_promotion(request.coupon_code, promotion_of(request))
        return control_pb2.PutPromotionResponse()

    async def PutPaymentToken(
        self, request: control_pb2.PutPaymentTokenRequest, context: Context
    ) -> control_pb2.PutPaymentTokenResponse:
        """Let the payment provider stand by a token, or no longer."""
        self._state.put_payment_token(request.provider, request.provider_token, payment_details_of(request))
        return control_pb2.PutPaymentTokenResponse()

    async def CloseCart(self, request: control_pb2.CloseCartRequest, context: Context) -> control_pb2.CloseCartResponse:
        """Close a cart."""
        check_principal(request)
        if not is_cart_id(request.cart_id):
            raise invalid("cart_id", CART_ID_FORM)
        if not await self._store.close_cart(request.principal, request.cart_id):
            raise CallError(grpc.StatusCode.NOT_FOUND, "No add has made this cart.")
        return control_pb2.CloseCartResponse()

    async def SetRateLimit(
        self, request: control_pb2.SetRateLimitRequest, context: Context
    ) -> control_pb2.SetRateLimitResponse:
        """Limit a principal, or lift the limit."""
        check_principal(request)
        self._state.set_limit(request.principal, remaining_count(request), limit_scope(request))
        return control_pb2.SetRateLimitResponse()

    async def SetBackendAvailability(
        self, request: control_pb2.SetBackendAvailabilityRequest, context: Context
    ) -> control_pb2.SetBackendAvailabilityResponse:
        """Begin or end an outage."""
        check_principal(request)
        self._state.set_backend_available(request.principal, request.available)
        return control_pb2.SetBackendAvailabilityResponse()

    async def AdvanceClock(
        self, request: control_pb2.AdvanceClockRequest, context: Context
    ) -> control_pb2.AdvanceClockResponse:
        """Move the clock, and prune what is due by then before answering."""
        nanoseconds = duration_ns(request.duration)
        if nanoseconds < 0:
            raise invalid("duration", "must not be negative: the clock moves forward only")
        offset_us = self._clock.offset // timedelta(microseconds=1) + nanoseconds // 1000
        if offset_us > MAX_OFFSET // timedelta(microseconds=1):
            raise invalid("duration", f"would move the clock more than {MAX_OFFSET.days} days ahead in all")
        duration = timedelta(microseconds=nanoseconds // 1000)
        self._state.set_clock_offset(self._clock.offset + duration)
        self._clock.advance(duration)
        await self._store.prune_due(self._clock.now())
        return control_pb2.AdvanceClockResponse(current_time=self._time())

    async def SetFailPoint(
        self, request: control_pb2.SetFailPointRequest, context: Context
    ) -> control_pb2.SetFailPointResponse:
        """Arm a fail point."""
        check_principal(request)
        point, action = _POINTS.get(request.fail_point), _ACTIONS.get(request.action)
        if point is None:
            raise invalid("fail_point", "must be one of the named fail points")
        if action is None:
            raise invalid("action", "must be one of the named actions")
        if (action is Action.THROW) != (point is Point.WHILE_DECIDING):
            raise invalid("action", "FAIL_ACTION_THROW goes with FAIL_POINT_WHILE_DECIDING, and only with it")
        hit_count = request.hit_count if request.HasField("hit_count") else 1
        if hit_count < 1:
            raise invalid("hit_count", "must be 1 or more, or absent for 1")
        if point is Point.WHILE_DECIDING and request.sequence < 1:
            raise invalid("sequence", "must be 1 or more with FAIL_POINT_WHILE_DECIDING")
        self._fail_points.arm(request.principal, point, action, hit_count, request.sequence)
        return control_pb2.SetFailPointResponse()

    async def AwaitHeld(self, request: control_pb2.AwaitHeldRequest, context: Context) -> control_pb2.AwaitHeldResponse:
        """Wait until a submission is held, at most until the call's deadline."""
        check_principal(request)
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
        check_principal(request)
        self._fail_points.release(request.principal)
        return control_pb2.ReleaseFailPointsResponse()

    async def SaveStore(self, request: control_pb2.SaveStoreRequest, context: Context) -> control_pb2.SaveStoreResponse:
        """Save the whole store."""
        check_save_name(request.name)
        await self._store.save(request.name)
        return control_pb2.SaveStoreResponse()

    async def RestoreStore(
        self, request: control_pb2.RestoreStoreRequest, context: Context
    ) -> control_pb2.RestoreStoreResponse:
        """Put a saved store back."""
        check_save_name(request.name)
        try:
            store_id = await self._store.restore(request.name)
        except UnknownSaveError:
            raise CallError(grpc.StatusCode.NOT_FOUND, "Nothing was saved under this name.") from None
        return control_pb2.RestoreStoreResponse(store_id=store_id)

    async def ListEffects(
        self, request: control_pb2.ListEffectsRequest, context: Context
    ) -> control_pb2.ListEffectsResponse:
        """List the ledger."""
        check_principal(request)
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
                    resource=effect.resource,
                    entry_id=effect.entry_id,
                    present=effect.present,
                )
                for effect in await self._store.effects(request.principal)
            ]
        )

    def _time(self) -> Timestamp:
        now = Timestamp()
        now.FromDatetime(self._clock.now())
        return now
