"""The words the oracle thinks in: what a device asks, what a server answers, as frozen values.

Nothing here knows protobuf or gRPC; `translation.py` stands between these values and the wire. Quantities and
money are whole numbers, durations are seconds, revisions and sequences are as on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What became of one operation in one submission (spec: chapter 3)."""

    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    DEFERRED = "DEFERRED"
    CONFLICT = "CONFLICT"
    PURGED = "PURGED"

    @property
    def final(self) -> bool:
        """True for the two states that are recorded and move the watermark."""
        return self in (State.APPLIED, State.REJECTED)


class Stock(StrEnum):
    """What an operation wants done when stock is short."""

    UNSPECIFIED = "UNSPECIFIED"
    EXACT = "EXACT"
    CLAMP = "CLAMP"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """Whole minor units of one currency."""

    currency: str
    minor: int

    def __str__(self) -> str:
        return f"{self.minor} minor units {self.currency}"


@dataclass(frozen=True, slots=True)
class Add:
    """Put `quantity` of a product into a cart."""

    cart: str
    sku: str
    quantity: int
    observed: Money | None
    limit: Money | None = None
    stock: Stock = Stock.EXACT


@dataclass(frozen=True, slots=True)
class Adjust:
    """Move a line by `delta`."""

    cart: str
    sku: str
    delta: int
    stock: Stock = Stock.EXACT
    guard: int | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """Set a line to `quantity`."""

    cart: str
    sku: str
    quantity: int
    stock: Stock = Stock.EXACT
    guard: int | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a line out."""

    cart: str
    sku: str
    guard: int | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Cancel the operation of the same sequence."""

    discarded_key: str


CartIntent = Add | Adjust | Set | Remove
Intent = CartIntent | Discard | None
"""What an operation wants; None stands for no intent, or for one from the future."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One immutable operation of a queue."""

    key: str
    sequence: int
    previous_key: str
    intent: Intent
    features: frozenset[str] = frozenset()

    @property
    def payload(self) -> tuple[Intent, frozenset[str]]:
        """What two attempts must share to be one operation (spec: deciding/payload-by-meaning)."""
        return (self.intent, self.features)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an operation. `age` in seconds; None is unknown.

    `oversized`: padded beyond `max_operation_bytes`. `retouched`: with another enqueue time and session context than
    other attempts, which must make no difference (spec: deciding/payload-by-meaning).
    """

    operation: Operation
    age: float | None = None
    oversized: bool = False
    retouched: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """Attempts of one queue that are sent together."""

    queue: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as the catalogue has it; `available` None means that stock is not counted."""

    price: Money
    listed: bool = True
    available: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures of a server's policy that decisions depend on. Durations in seconds."""

    replay_window: float = 7 * 86_400.0
    outcome_retention: float = 30 * 86_400.0
    queue_retention: float = 400 * 86_400.0
    max_line_quantity: int = 99
    max_line_count: int = 100
    max_submission_operation_count: int = 100
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Line:
    """The quantity of one product before and after an operation."""

    sku: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.sku} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, order=True)
class PriceChanged:
    """The add went in at another price than the shopper saw."""

    observed: Money
    current: Money


@dataclass(frozen=True, slots=True, order=True)
class Clamped:
    """The line got less than asked."""

    requested: int
    granted: int


@dataclass(frozen=True, slots=True, order=True)
class Floored:
    """The line went down by less than asked."""

    requested: int
    applied: int


Adjustment = PriceChanged | Clamped | Floored


@dataclass(frozen=True, slots=True)
class Details:
    """The typed details of a refusal that have one right value. Empty ones must be absent on the wire."""

    expected_sequence: int | None = None
    available: int | None = None
    price: Money | None = None
    wrong_fields: frozenset[str] = frozenset()
    missing_features: frozenset[str] = frozenset()


NO_DETAILS = Details()


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

    def __str__(self) -> str:
        words = [f"{self.state or 'no state'}{' / ' + self.reason if self.reason else ''}"]
        if self.line:
            words.append(str(self.line))
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
class ObservedCart:
    """A snapshot, with the watermark of the queue it was asked with (None: asked without)."""

    cart: str
    revision: int
    closed: bool
    lines: tuple[ObservedLine, ...]
    subtotal: Money | None
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
    cart: str
    revision: int
    line: Line
