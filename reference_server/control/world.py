"""Lays what the suite has arranged over the server's own catalogue and limits."""

from __future__ import annotations

from datetime import timedelta

from reference_server.control.state import ControlState
from reference_server.ports import BackendUnavailableError, Catalog, Offer, RateLimiter

RETRY_DELAY = timedelta(milliseconds=500)


class ArrangedCatalog:
    """Arranged offers before the catalogue's own, and outages before both."""

    def __init__(self, state: ControlState, catalog: Catalog) -> None:
        self._state = state
        self._catalog = catalog

    def offer(self, principal: str, sku: str) -> Offer | None:
        """The offer of `sku`; raises BackendUnavailableError during an outage."""
        if principal in self._state.outages:
            raise BackendUnavailableError("the backing services were made unreachable")
        return self._state.offers.get(sku) or self._catalog.offer(principal, sku)


class ArrangedLimiter:
    """The stricter of the arranged limit and the server's own."""

    def __init__(self, state: ControlState, limiter: RateLimiter) -> None:
        self._state = state
        self._limiter = limiter

    def allowance(self, principal: str) -> int | None:
        """How many more may be decided now; None means no limit."""
        arranged, own = self._state.limits.get(principal), self._limiter.allowance(principal)
        if arranged is None or own is None:
            return own if arranged is None else arranged
        return min(arranged, own)

    def retry_delay(self, principal: str) -> timedelta:
        """The server's own delay, unless the arranged limit is what refuses."""
        if self._state.limits.get(principal) == 0:
            return RETRY_DELAY
        return self._limiter.retry_delay(principal)

    def charge(self, principal: str, operation_count: int) -> None:
        """Count against both."""
        self._limiter.charge(principal, operation_count)
        remaining = self._state.limits.get(principal)
        if remaining is not None and operation_count:
            self._state.set_limit(principal, max(0, remaining - operation_count))
