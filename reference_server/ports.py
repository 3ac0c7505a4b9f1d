"""What the server's core needs from the outside, as interfaces: time, offers, limits, trouble.

Everything here is injected, so that decisions can be tested without a clock, a catalogue file or a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

# 500 lines of 99,999 at this price still fit into the int64 of a subtotal.
MAX_UNIT_PRICE_MINOR = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as the catalogue has it now."""

    sku: str
    currency_code: str
    unit_price_minor: int  # 0 to MAX_UNIT_PRICE_MINOR, in minor units of `currency_code`
    listed: bool
    available_quantity: int | None  # None: stock is not counted


class BackendUnavailableError(Exception):
    """The catalogue or the stock service did not answer; the operation is deferred, the read is refused."""


class Clock(Protocol):
    """Tells the time; conformance runs move it forward."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class Catalog(Protocol):
    """Looks up offers."""

    def offer(self, principal: str, sku: str) -> Offer | None:
        """The offer of `sku`, None when the catalogue does not know it; raises BackendUnavailableError."""
        ...


class RateLimiter(Protocol):
    """Says how many operations of a principal may be newly decided (spec: rate/deferred, rate/exempt)."""

    def allowance(self, principal: str) -> int | None:
        """How many more may be decided now; None means no limit."""
        ...

    def retry_delay(self, principal: str) -> timedelta:
        """How long a refused client waits at least."""
        ...

    def charge(self, principal: str, operation_count: int) -> None:
        """Count operations that were newly decided and committed; discards are never charged."""
        ...


class Interventions(Protocol):
    """Where conformance runs hold, kill or break a submission. In production every method does nothing."""

    async def before_commit(self, principal: str) -> None:
        """Called when everything is decided and nothing is durable; may wait, may end the process."""
        ...

    async def after_commit(self, principal: str) -> None:
        """Called when everything is durable and the answer has not left; may wait, may end the process."""
        ...

    def while_deciding(self, principal: str, sequence: int) -> None:
        """Called inside the decision of one operation; may raise anything."""
        ...


class NoInterventions:
    """Production: nothing intervenes."""

    async def before_commit(self, principal: str) -> None:
        """Do nothing."""

    async def after_commit(self, principal: str) -> None:
        """Do nothing."""

    def while_deciding(self, principal: str, sequence: int) -> None:
        """Do nothing."""
