"""The shop behind the server under test, arranged through its control service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import grpc
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.conformance.v1 import control_pb2_grpc
from cartsync.v1 import money_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from conformance.exceptions import NotTestableError, TargetUnreachableError
from conformance.wire.history import History, Lane, Status, Wire
from conformance.wire.target import Target

CONTROL_SECONDS = 10.0
_SERVICE = "cartsync.conformance.v1.ControlService"

_Response = TypeVar("_Response", bound=Message)


class ControlFailedError(NotTestableError):
    """The control service answered a call with an error: it says nothing about the server, and the check ends."""

    def __init__(self, name: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"the control service ends {name} with {code.name}: {details}")
        self.code = code


class Shop:
    """The control service, for one principal of one attempt.

    Every method raises NotTestableError when the target does not offer what it needs. Products are the attempt's
    own: `sku(name)` gives a name that no other attempt uses.
    """

    def __init__(self, target: Target, principal: str, history: History) -> None:
        self._target = target
        self._history = history
        self.principal = principal
        self._channel: grpc.Channel | None = None
        self._stub_of_channel: control_pb2_grpc.ControlServiceStub | None = None
        self._description: control.DescribeResponse | None = None
        self._issued: dict[str, str] = {}  # whose each credential is

    def close(self) -> None:
        """Let go of the connection."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._stub_of_channel = None

    def reconnect(self) -> None:
        """Use a new connection, after the server was restarted."""
        self.close()

    def describe(self) -> control.DescribeResponse:
        """What the server says of itself; asked once."""
        if self._description is None:
            self._description = self._call(lambda stub: stub.Describe, control.DescribeRequest())
        return self._description

    def needs(self, *capabilities: control.Capability.ValueType) -> None:
        """Raise NotTestableError unless the target offers all of these."""
        offered = set(self.describe().capabilities)
        missing = [control.Capability.Name(c) for c in capabilities if c not in offered]
        if missing:
            raise NotTestableError(f"the control service does not offer {', '.join(missing)}")

    def credential(
        self, principal: str | None = None, *, guest: bool = False, lifetime: timedelta | None = None
    ) -> str:
        """The authorization metadata of a principal (the attempt's own unless another is named).

        `guest` counts when the principal is made; with a `lifetime` the credential expires by the server's clock.
        """
        request = control.IssueCredentialRequest(principal=principal or self.principal, guest=guest)
        if guest:
            self.needs(control.CAPABILITY_GUESTS)
        if lifetime is not None:
            self.needs(control.CAPABILITY_CREDENTIAL_LIFETIME)
            request.lifetime.FromTimedelta(lifetime)
        authorization = self._call(lambda stub: stub.IssueCredential, request).authorization
        self._issued[authorization] = request.principal
        return authorization

    def holder_of(self, authorization: str) -> str:
        """The principal that a credential was issued to; empty for one that this shop did not issue."""
        return self._issued.get(authorization, "")

    def offer(
        self,
        sku: str,
        price: int,
        *,
        currency: str = "GBP",
        listed: bool = True,
        available: int | None = None,
    ) -> None:
        """Put or replace an offer: `price` in minor units, `available` None when stock is not counted."""
        self.needs(control.CAPABILITY_OFFERS)
        request = control.PutOfferRequest(
            sku=sku,
            unit_price=money_pb2.Money(currency_code=currency, minor_units=price),
            listed=listed,
            available_quantity=available,
        )
        stock = "uncounted stock" if available is None else f"{available} in stock"
        title = f"{sku}: {currency} {price} (minor units), {stock}" if listed else f"{sku}: unlisted"
        self._history.add(Lane.SHOP, title, actor="catalogue")
        self._call(lambda stub: stub.PutOffer, request)

    def promotion(
        self,
        code: str,
        *,
        amount: int | None = None,
        basis_points: int | None = None,
        currency: str = "GBP",
        minimum: int | None = None,
        minimum_currency: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        eligible: Sequence[str] = (),
        once: bool = False,
        stackable: bool = True,
        withdrawn: bool = False,
    ) -> None:
        """Put or replace a promotion, of an `amount` or of `basis_points`; amounts in minor units."""
        self.needs(control.CAPABILITY_PROMOTIONS)
        request = control.PutPromotionRequest(
            coupon_code=code,
            amount_off=None if amount is None else money_pb2.Money(currency_code=currency, minor_units=amount),
            eligible_principals=eligible,
            one_per_principal=once,
            stackable=stackable,
            withdrawn=withdrawn,
        )
        if basis_points is not None:
            request.basis_points_off = basis_points
        if minimum is not None:
            request.min_subtotal.CopyFrom(
                money_pb2.Money(currency_code=minimum_currency or currency, minor_units=minimum)
            )
        if start is not None:
            request.start_time.FromDatetime(start)
        if end is not None:
            request.end_time.FromDatetime(end)
        takes = f"{basis_points} basis points off" if amount is None else f"{currency} {amount} (minor units) off"
        self._history.add(
            Lane.SHOP, f"coupon {code}: {'withdrawn' if withdrawn else takes}", actor="promotions", message=request
        )
        self._call(lambda stub: stub.PutPromotion, request)

    def payment_token(
        self,
        token: str,
        *,
        provider: str = "acme",
        valid: bool = True,
        brand: str = "visa",
        last_four: str = "4242",
        expiry_month: int = 12,
        expiry_year: int = 2030,
    ) -> None:
        """Tell what the payment provider says of a token from now on."""
        self.needs(control.CAPABILITY_PAYMENT_TOKENS)
        request = control.PutPaymentTokenRequest(
            provider=provider,
            provider_token=token,
            valid=valid,
            brand=brand,
            last_four=last_four,
            expiry_month=expiry_month,
            expiry_year=expiry_year,
        )
        says = f"stands by {token}: {brand} {last_four}" if valid else f"does not stand by {token}"
        self._history.add(Lane.SHOP, f"{provider} {says}", actor="payment provider")
        self._call(lambda stub: stub.PutPaymentToken, request)

    def now(self) -> datetime:
        """The server's clock, aware, in UTC."""
        answer = self._call(lambda stub: stub.Describe, control.DescribeRequest())
        return answer.current_time.ToDatetime(UTC)

    def close_cart(self, cart_id: str) -> None:
        """Close a cart, as a checkout does."""
        self.needs(control.CAPABILITY_CLOSE_CART)
        self._history.add(Lane.SHOP, f"cart {cart_id} is checked out", actor="checkout")
        self._call(lambda stub: stub.CloseCart, control.CloseCartRequest(principal=self.principal, cart_id=cart_id))

    def rate_limit(self, remaining: int | None) -> None:
        """Let so many more operations be decided; None lifts the limit."""
        self.needs(control.CAPABILITY_RATE_LIMIT)
        self._limit(remaining, control.RATE_LIMIT_SCOPE_UNSPECIFIED, "operations")

    def payment_rate_limit(self, remaining: int | None) -> None:
        """Let so many more payment methods be saved; None lifts the limit."""
        self.needs(control.CAPABILITY_PAYMENT_RATE_LIMIT)
        self._limit(remaining, control.RATE_LIMIT_SCOPE_PAYMENT_METHODS, "payment methods")

    def _limit(self, remaining: int | None, scope: control.RateLimitScope.ValueType, what: str) -> None:
        self._history.add(
            Lane.SHOP,
            f"rate limit of {what} lifted" if remaining is None else f"rate limit: {remaining} more {what}",
        )
        self._call(
            lambda stub: stub.SetRateLimit,
            control.SetRateLimitRequest(principal=self.principal, remaining_operation_count=remaining, scope=scope),
        )

    def backend(self, *, available: bool) -> None:
        """Make catalogue, stock, promotions and payment provider reachable or not."""
        self.needs(control.CAPABILITY_BACKEND)
        self._history.add(Lane.SHOP, f"backing services {'reachable' if available else 'unreachable'}")
        self._call(
            lambda stub: stub.SetBackendAvailability,
            control.SetBackendAvailabilityRequest(principal=self.principal, available=available),
        )

    def advance(self, by: timedelta) -> None:
        """Move the server's clock forward; what is due by then has been pruned afterwards."""
        self.needs(control.CAPABILITY_CLOCK)
        self._history.add(Lane.SHOP, f"{by} go by", actor="clock")
        duration = Duration()
        duration.FromTimedelta(by)
        self._call(lambda stub: stub.AdvanceClock, control.AdvanceClockRequest(duration=duration))

    def hold(self, point: control.FailPoint.ValueType) -> None:
        """Hold the principal's next submission at the point."""
        self.needs(control.CAPABILITY_HOLD)
        self._arm(point, control.FAIL_ACTION_HOLD)

    def abort(self, point: control.FailPoint.ValueType) -> None:
        """Let the whole server die when the principal's next submission reaches the point."""
        self.needs(control.CAPABILITY_ABORT)
        if not self._target.launched:
            raise NotTestableError("a server that the suite did not launch cannot be started again after it dies")
        self._arm(point, control.FAIL_ACTION_ABORT)

    def throw(self, sequence: int, hit_count: int = 1) -> None:
        """Let deciding the operation with this sequence fail, so many times."""
        self.needs(control.CAPABILITY_THROW)
        self._arm(control.FAIL_POINT_WHILE_DECIDING, control.FAIL_ACTION_THROW, hit_count, sequence)

    def await_held(self) -> None:
        """Return when a submission is held; raises NotTestableError when none comes."""
        try:
            self._call(lambda stub: stub.AwaitHeld, control.AwaitHeldRequest(principal=self.principal))
        except ControlFailedError as error:
            if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise NotTestableError("no submission arrived at the armed fail point") from error
            raise

    def release(self) -> None:
        """Disarm all fail points and let everything held go on."""
        self._history.add(Lane.SHOP, "fail points released")
        self._call(lambda stub: stub.ReleaseFailPoints, control.ReleaseFailPointsRequest(principal=self.principal))

    def save(self, name: str) -> None:
        """Save the whole store."""
        self.needs(control.CAPABILITY_RESTORE)
        self._history.add(Lane.SHOP, "backup taken", actor="operator")
        self._call(lambda stub: stub.SaveStore, control.SaveStoreRequest(name=name))

    def restore(self, name: str) -> str:
        """Put a saved store back; returns the new store id."""
        self.needs(control.CAPABILITY_RESTORE)
        self._history.add(Lane.SHOP, "store restored from the backup", actor="operator")
        answer = self._call(lambda stub: stub.RestoreStore, control.RestoreStoreRequest(name=name))
        return answer.store_id

    def effects(self) -> list[control.Effect]:
        """Every change of the principal's carts and other resources, in the order made."""
        self.needs(control.CAPABILITY_EFFECTS)
        answer = self._call(lambda stub: stub.ListEffects, control.ListEffectsRequest(principal=self.principal))
        return list(answer.effects)

    def offers_capability(self, capability: control.Capability.ValueType) -> bool:
        """Whether the target offers this; False without a control service."""
        try:
            self.needs(capability)
        except NotTestableError:
            return False
        return True

    def _arm(
        self,
        point: control.FailPoint.ValueType,
        action: control.FailAction.ValueType,
        hit_count: int = 1,
        sequence: int = 0,
    ) -> None:
        words = f"{control.FailAction.Name(action)} {control.FailPoint.Name(point)}".replace("FAIL_ACTION_", "")
        self._history.add(Lane.SHOP, words.replace("FAIL_POINT_", "").replace("_", " ").lower(), actor="fail point")
        self._call(
            lambda stub: stub.SetFailPoint,
            control.SetFailPointRequest(
                principal=self.principal,
                fail_point=point,
                action=action,
                hit_count=hit_count,
                sequence=sequence,
            ),
        )

    def _call(
        self, method: Callable[[control_pb2_grpc.ControlServiceStub], Callable[..., _Response]], request: Message
    ) -> _Response:
        stub = self._stub()
        if _disturbs_everybody(request):
            self._target.before_disturbing()
        name = request.DESCRIPTOR.name.removesuffix("Request")
        secret = self._target.options.control_secret
        metadata = (("cartsync-control-secret", secret),) if secret else ()
        path = f"{_SERVICE}/{name}"
        try:
            answer = method(stub)(request, timeout=CONTROL_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            status = Status(error.code().name, error.details() or "")
            self._history.add_control(name, request, Wire("sent", path, status=status))
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise NotTestableError(f"the control service does not implement {name}") from error
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise TargetUnreachableError(
                    f"the control service at {self._target.control_address} does not answer {name}: {error.details()}"
                ) from error
            raise ControlFailedError(name, error.code(), error.details() or "") from error
        self._history.add_control(name, request, Wire("sent", path, answer=answer))
        return answer

    def _stub(self) -> control_pb2_grpc.ControlServiceStub:
        if not self._target.control_address:
            raise NotTestableError("there is no control service: give --control HOST:PORT, or --launch")
        if self._stub_of_channel is None:
            self._channel = self._target.channel(self._target.control_address)
            self._stub_of_channel = control_pb2_grpc.ControlServiceStub(self._channel)
        return self._stub_of_channel


def _disturbs_everybody(request: Message) -> bool:
    """Whether other principals notice: time goes by, what they did is undone, or they wait behind a held submission."""
    if isinstance(request, control.SetFailPointRequest):
        return request.action in (control.FAIL_ACTION_HOLD, control.FAIL_ACTION_ABORT)
    return isinstance(request, control.AdvanceClockRequest | control.RestoreStoreRequest)
