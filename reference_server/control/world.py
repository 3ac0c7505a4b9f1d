"""Lays what the suite has arranged over the server's own catalogue, promotions, payment provider and limits."""

from __future__ import annotations

from datetime import timedelta

from reference_server.control.state import ControlState, LimitScope
from reference_server.ports import (
    BackendUnavailableError,
    Catalog,
    Offer,
    PaymentDetails,
    PaymentProvider,
    Promotion,
    Promotions,
    RateLimiter,
)

RETRY_DELAY = timedelta(milliseconds=500)


class ArrangedCatalog:
    """Arranged offers before the catalogue's own, and outages before both."""

    def __init__(self, state: ControlState, catalog: Catalog) -> None:
        self._state = state
        self._catalog = catalog

    def offer(self, principal: str, sku: str) -> Offer | None:
        """The offer of `sku`; raises BackendUnavailableError during an outage."""
        _check_outage(self._state, principal)
        return self._state.offers.get(sku) or self._catalog.offer(principal, sku)


class ArrangedPromotions:
    """Arranged promotions before the shop's own, and outages before both."""

    def __init__(self, state: ControlState, promotions: Promotions) -> None:
        self._state = state
        self._promotions = promotions

    def promotion(self, principal: str, coupon_code: str) -> Promotion | None:
        """What the code stands for; raises BackendUnavailableError during an outage."""
        _check_outage(self._state, principal)
        if coupon_code in self._state.promotions:
            return self._state.promotions[coupon_code]
        return self._promotions.promotion(principal, coupon_code)


class ArrangedPaymentProvider:
    """Arranged tokens before the server's own provider, and outages before both."""

    def __init__(self, state: ControlState, provider: PaymentProvider) -> None:
        self._state = state
        self._provider = provider

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        """What the provider says of the token; raises BackendUnavailableError during an outage."""
        _check_outage(self._state, principal)
        try:
            return self._state.payment_details(provider, token)
        except KeyError:
            return self._provider.details(principal, provider, token)


def _check_outage(state: ControlState, principal: str) -> None:
    if principal in state.outages:
        raise BackendUnavailableError("the backing services were made unreachable")


class ArrangedLimiter:
    """The stricter of the arranged limit and the server's own, for one scope."""

    def __init__(self, state: ControlState, limiter: RateLimiter, scope: LimitScope = LimitScope.OPERATIONS) -> None:
        self._state = state
        self._limiter = limiter
        self._scope = scope

    def allowance(self, principal: str) -> int | None:
        """How many more may be decided now; None means no limit."""
        arranged, own = self._arranged(principal), self._limiter.allowance(principal)
        if arranged is None or own is None:
            return own if arranged is None else arranged
        return min(arranged, own)

    def retry_delay(self, principal: str) -> timedelta:
        """The server's own delay, unless the arranged limit is what refuses."""
        if self._arranged(principal) == 0:
            return RETRY_DELAY
        return self._limiter.retry_delay(principal)

    def charge(self, principal: str, operation_count: int) -> None:
        """Count against both."""
        self._limiter.charge(principal, operation_count)
        remaining = self._arranged(principal)
        if remaining is not None and operation_count:
            self._state.set_limit(principal, max(0, remaining - operation_count), self._scope)

    def _arranged(self, principal: str) -> int | None:
        return self._state.limits[self._scope].get(principal)
