"""What the fields of control calls must look like. Each function raises the INVALID_ARGUMENT that names the field."""

from __future__ import annotations

import re
from typing import Protocol

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import money_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from reference_server.control.state import LimitScope
from reference_server.credentials import is_principal_name
from reference_server.engine.identifiers import SKU_FORM, is_sku
from reference_server.engine.instants import duration_ns
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Offer, PaymentDetails, Promotion
from reference_server.service.errors import CallError, request_invalid

CONTROL_DOMAIN = "cartsync.conformance.v1"
MAX_BASIS_POINTS = 10_000
MAX_MINOR = 2**63 - 1

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NAME_FORM = "must be 1 to 64 characters out of A-Z a-z 0-9 . _ -"
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_PROVIDER_TOKEN = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
_LAST_FOUR = re.compile(r"(?:[0-9]{4})?", re.ASCII)
_MAX_BRAND_LENGTH = 64

_SCOPES = {
    control_pb2.RATE_LIMIT_SCOPE_UNSPECIFIED: LimitScope.OPERATIONS,
    control_pb2.RATE_LIMIT_SCOPE_PAYMENT_METHODS: LimitScope.PAYMENT_METHODS,
}


def invalid(field: str, description: str) -> CallError:
    """The INVALID_ARGUMENT for one field."""
    return request_invalid([(field, description)], domain=CONTROL_DOMAIN)


class _WithPrincipal(Protocol):
    @property
    def principal(self) -> str: ...


def check_principal(request: _WithPrincipal) -> None:
    """The request must name a principal."""
    if not is_principal_name(request.principal):
        raise invalid("principal", _NAME_FORM)


def check_save_name(name: str) -> None:
    """The name of a saved store."""
    if not _NAME.fullmatch(name):
        raise invalid("name", _NAME_FORM)


def lifetime_us(request: control_pb2.IssueCredentialRequest) -> int | None:
    """How long a credential is good in microseconds; None: for ever."""
    if not request.HasField("lifetime"):
        return None
    microseconds = duration_ns(request.lifetime) // 1000
    if microseconds <= 0:
        raise invalid("lifetime", "must be above zero, or absent for a credential that is good for ever")
    return microseconds


def offer_of(request: control_pb2.PutOfferRequest) -> Offer:
    """The offer that is put."""
    if not is_sku(request.sku):
        raise invalid("sku", SKU_FORM)
    if not request.HasField("unit_price"):
        raise invalid("unit_price", "is required")
    _check_money("unit_price", request.unit_price, 0, MAX_UNIT_PRICE_MINOR)
    available = request.available_quantity if request.HasField("available_quantity") else None
    if available is not None and available < 0:
        raise invalid("available_quantity", "must be 0 or more, or absent for uncounted stock")
    price = request.unit_price
    return Offer(request.sku, price.currency_code, price.minor_units, request.listed, available)


def remaining_count(request: control_pb2.SetRateLimitRequest) -> int | None:
    """How many more operations may be decided; None lifts the limit."""
    remaining = request.remaining_operation_count if request.HasField("remaining_operation_count") else None
    if remaining is not None and remaining < 0:
        raise invalid("remaining_operation_count", "must be 0 or more, or absent to lift the limit")
    return remaining


def limit_scope(request: control_pb2.SetRateLimitRequest) -> LimitScope:
    """What the limit counts."""
    scope = _SCOPES.get(request.scope)
    if scope is None:
        raise invalid("scope", "must be one of the named scopes")
    return scope


def promotion_of(request: control_pb2.PutPromotionRequest) -> Promotion | None:
    """The promotion that is put, None when it is withdrawn; then only its code counts."""
    # A coupon code has the form of a SKU: operation.proto says the same of both.
    if not is_sku(request.coupon_code):
        raise invalid("coupon_code", SKU_FORM)
    if request.withdrawn:
        return None
    for index, name in enumerate(request.eligible_principals):
        if not is_principal_name(name):
            raise invalid(f"eligible_principals[{index}]", _NAME_FORM)
    has_minimum = request.HasField("min_subtotal")
    if has_minimum:
        _check_money("min_subtotal", request.min_subtotal, 0, MAX_MINOR)
    amount, share = _discount(request)
    return Promotion(
        coupon_code=request.coupon_code,
        amount_off_minor=None if amount is None else amount.minor_units,
        currency_code="" if amount is None else amount.currency_code,
        basis_points_off=share,
        min_subtotal_minor=request.min_subtotal.minor_units if has_minimum else None,
        min_subtotal_currency_code=request.min_subtotal.currency_code if has_minimum else "",
        start_time_us=_instant_us(request.start_time) if request.HasField("start_time") else None,
        end_time_us=_instant_us(request.end_time) if request.HasField("end_time") else None,
        eligible_principals=frozenset(request.eligible_principals),
        one_per_principal=request.one_per_principal,
        stackable=request.stackable,
    )


def _discount(request: control_pb2.PutPromotionRequest) -> tuple[money_pb2.Money | None, int | None]:
    kind = request.WhichOneof("discount")
    if kind is None:
        raise invalid("discount", "is required: amount_off or basis_points_off")
    if kind == "amount_off":
        _check_money("amount_off", request.amount_off, 1, MAX_UNIT_PRICE_MINOR)
        return request.amount_off, None
    if not 1 <= request.basis_points_off <= MAX_BASIS_POINTS:
        raise invalid("basis_points_off", f"must be 1 to {MAX_BASIS_POINTS} hundredths of a percent")
    return None, request.basis_points_off


def payment_details_of(request: control_pb2.PutPaymentTokenRequest) -> PaymentDetails | None:
    """What the provider says of the token, None when it does not stand by it."""
    if not _NAME.fullmatch(request.provider):
        raise invalid("provider", _NAME_FORM)
    if not _PROVIDER_TOKEN.fullmatch(request.provider_token):
        raise invalid("provider_token", "must be 1 to 512 visible ASCII characters")
    if not request.valid:
        return None
    if len(request.brand) > _MAX_BRAND_LENGTH:
        raise invalid("brand", f"must be at most {_MAX_BRAND_LENGTH} characters")
    if not _LAST_FOUR.fullmatch(request.last_four):
        raise invalid("last_four", "must be four digits, or empty when the provider gives none")
    if not 0 <= request.expiry_month <= 12:
        raise invalid("expiry_month", "must be 1 to 12, or 0 when the provider gives none")
    if not 0 <= request.expiry_year <= 9999:
        raise invalid("expiry_year", "must be a year, or 0 when the provider gives none")
    return PaymentDetails(request.brand, request.last_four, request.expiry_month, request.expiry_year)


def _check_money(field: str, money: money_pb2.Money, least: int, most: int) -> None:
    if not _CURRENCY.fullmatch(money.currency_code):
        raise invalid(f"{field}.currency_code", "must be three upper-case letters")
    if not least <= money.minor_units <= most:
        raise invalid(f"{field}.minor_units", f"must be {least} to {most}")


def _instant_us(moment: Timestamp) -> int:
    return moment.seconds * 1_000_000 + moment.nanos // 1000
