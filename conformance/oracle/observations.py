"""What was read of a server, as frozen values: outcomes, answers, snapshots, look-ups, the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.oracle.values import (
    Address,
    Adjustment,
    CardDetails,
    ClaimedLine,
    Details,
    Line,
    Money,
    State,
    Touch,
)


@dataclass(frozen=True, slots=True)
class ObservedOutcome:
    """One outcome as a server sent it. `verbatim` is its canonical encoding, for comparing field for field."""

    key: str
    sequence: int
    state: State | None
    reason: str | None
    disposition: str | None
    revision: int
    changed: bool
    line: Line | None
    adjustments: tuple[Adjustment, ...]
    details: Details
    decided_at: int | None  # nanoseconds since the epoch
    has_retry_delay: bool
    verbatim: bytes
    claimed: tuple[ClaimedLine, ...] = ()

    def __str__(self) -> str:
        words = [f"{self.state or 'no state'}{' / ' + self.reason if self.reason else ''}"]
        words += [str(line) for line in (*((self.line,) if self.line else ()), *self.claimed)]
        if self.state is not None and self.state.final:
            words.append(f"revision {self.revision}{', changed' if self.changed else ''}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class ObservedResult:
    """One result of an answer."""

    outcome: ObservedOutcome
    replayed: bool

    def __str__(self) -> str:
        return f"{self.outcome}{' (replayed)' if self.replayed else ''}"


@dataclass(frozen=True, slots=True)
class ObservedAnswer:
    """The answer to one submission."""

    queue: str
    watermark: int
    results: tuple[ObservedResult, ...]


@dataclass(frozen=True, slots=True)
class ObservedLine:
    """One line of a snapshot. `availability` is the enum value's name without its prefix."""

    sku: str
    quantity: int
    unit_price: Money | None
    total: Money | None
    availability: str
    available: int | None


@dataclass(frozen=True, slots=True)
class ObservedCoupon:
    """One coupon of a snapshot. `standing` is the enum value's name without its prefix."""

    code: str
    standing: str
    discount: Money | None

    def __str__(self) -> str:
        return f"{self.code} {self.standing}, {self.discount or 'no discount'}"


@dataclass(frozen=True, slots=True)
class ObservedCart:
    """A snapshot, with the watermark of the queue it was asked with (None: asked without)."""

    cart: str
    revision: int
    closed: bool
    lines: tuple[ObservedLine, ...]
    subtotal: Money | None
    watermark: int | None
    coupons: tuple[ObservedCoupon, ...] = ()
    discount_total: Money | None = None
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class ObservedWish:
    """One entry of the wishlist. `added_at` in nanoseconds since the epoch; None: absent."""

    sku: str
    added_at: int | None


@dataclass(frozen=True, slots=True)
class ObservedWishlist:
    """All pages of a wishlist, read while nothing happened, with the watermark of the queue it was asked with."""

    revision: int
    entries: tuple[ObservedWish, ...]
    watermark: int | None


@dataclass(frozen=True, slots=True)
class ObservedAddress:
    """One address of the book."""

    address_id: str
    address: Address
    change_revision: int


@dataclass(frozen=True, slots=True)
class ObservedAddressBook:
    """The address book, with the watermark of the queue it was asked with."""

    revision: int
    addresses: tuple[ObservedAddress, ...]
    watermark: int | None


@dataclass(frozen=True, slots=True)
class ObservedPaymentMethod:
    """One means of payment."""

    method_id: str
    provider: str
    label: str
    details: CardDetails
    change_revision: int


@dataclass(frozen=True, slots=True)
class ObservedPaymentMethods:
    """The payment methods, with the watermark of the queue they were asked with."""

    revision: int
    methods: tuple[ObservedPaymentMethod, ...]
    watermark: int | None


@dataclass(frozen=True, slots=True)
class ObservedStatus:
    """What a look-up said of one sequence: decided (with its outcome), undecided or purged."""

    sequence: int
    decidedness: str
    outcome: ObservedOutcome | None


@dataclass(frozen=True, slots=True)
class ObservedLookup:
    """The answer to a look-up."""

    queue: str
    watermark: int
    statuses: tuple[ObservedStatus, ...]


@dataclass(frozen=True, slots=True)
class ObservedEffect:
    """One entry of the ledger."""

    queue: str
    sequence: int
    key: str
    cart: str  # empty for what is not of a cart
    revision: int
    touch: Touch
