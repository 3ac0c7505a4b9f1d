"""What the server's core needs from the outside, as interfaces: time, offers, promotions, payment, limits, trouble.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What a coupon code stands for now (spec: section 8.1).

    Takes off either `amount_off_minor` (1 to MAX_UNIT_PRICE_MINOR minor units of `currency_code`) or
    `basis_points_off` (1 to 10,000 hundredths of a percent of the subtotal); raises ValueError otherwise. Good from
    `start_time_us` up to, not including, `end_time_us`; None means without bound.
    """

    coupon_code: str
    amount_off_minor: int | None = None
    currency_code: str = ""  # of the amount; empty for a share
    basis_points_off: int | None = None
    min_subtotal_minor: int | None = None  # None: no minimum
    min_subtotal_currency_code: str = ""
    start_time_us: int | None = None
    end_time_us: int | None = None
    eligible_principals: frozenset[str] = frozenset()  # empty: for all
    one_per_principal: bool = False
    stackable: bool = False

    def __post_init__(self) -> None:
        if (self.amount_off_minor is None) == (self.basis_points_off is None):
            raise ValueError("a promotion takes off an amount or a share, one of the two")


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """What a payment provider says of a token it stands by (spec: payment/save). Empty or 0: it gave none."""

    brand: str = ""
    last_four: str = ""
    expiry_month: int = 0  # 1 to 12
    expiry_year: int = 0  # for example 2029


class BackendUnavailableError(Exception):
    """A backing service did not answer; the operation is deferred, the read is refused."""


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


class Promotions(Protocol):
    """Looks up what coupon codes stand for."""

    def promotion(self, principal: str, coupon_code: str) -> Promotion | None:
        """What `coupon_code` stands for, compared exactly; None when unknown or withdrawn.

        Raises BackendUnavailableError. Whether `principal` is eligible is not decided here.
        """
        ...


class NoPromotions:
    """A shop that never gives anything off."""

    def promotion(self, principal: str, coupon_code: str) -> Promotion | None:  # noqa: ARG002 - none is known
        """None: every code is unknown."""
        return None


class PaymentProvider(Protocol):
    """The payment providers behind the shop, as one."""

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        """What is known of the token now; None when `provider` is unknown or does not stand by it.

        Raises BackendUnavailableError.
        """
        ...


class NoPaymentProvider:
    """A shop without a payment provider."""

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:  # noqa: ARG002 - none is
        """None: nobody stands by any token."""
        return None


class Guests(Protocol):
    """Tells guests from accounts (spec: chapter 13)."""

    def is_guest(self, principal: str) -> bool:
        """Whether the principal is a guest."""
        ...


class NoGuests:
    """Every principal is an account."""

    def is_guest(self, principal: str) -> bool:  # noqa: ARG002 - all are alike
        """False."""
        return False


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
