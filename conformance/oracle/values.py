"""The words the oracle thinks in: what a device asks, what a server answers, as frozen values.

Nothing here knows protobuf or gRPC; `translation.py` stands between these values and the wire. Quantities and
money are whole numbers, durations are seconds, revisions and sequences are as on the wire. What was read of a server
is in `observations.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class ApplyCoupon:
    """Put a coupon on a cart."""

    cart: str
    code: str


@dataclass(frozen=True, slots=True)
class RemoveCoupon:
    """Take a coupon off a cart."""

    cart: str
    code: str


@dataclass(frozen=True, slots=True)
class AddToWishlist:
    """Put a product on the wishlist."""

    sku: str


@dataclass(frozen=True, slots=True)
class RemoveFromWishlist:
    """Take a product off the wishlist."""

    sku: str


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A postal address; empty stands for none."""

    recipient: str = ""
    company: str = ""
    address_lines: tuple[str, ...] = ()
    locality: str = ""
    administrative_area: str = ""
    postal_code: str = ""
    region_code: str = ""
    delivery_instructions: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class PutAddress:
    """Make an address, or write the fields that `mask` names. `address` None: left out. `base` None: no guard."""

    address_id: str
    mask: frozenset[str]
    address: Address | None
    base: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteAddress:
    """Delete an address."""

    address_id: str
    base: int | None = None


@dataclass(frozen=True, slots=True)
class SavePaymentMethod:
    """Keep a means of payment."""

    method_id: str
    provider: str
    token: str = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True)
class DeletePaymentMethod:
    """Delete a means of payment."""

    method_id: str


@dataclass(frozen=True, slots=True)
class ClaimGuestCart:
    """Take over the cart of the guest that `token` stands for."""

    token: str = field(repr=False)
    guest_cart: str
    cart: str


LineIntent = Add | Adjust | Set | Remove
CouponIntent = ApplyCoupon | RemoveCoupon
WishlistIntent = AddToWishlist | RemoveFromWishlist
AddressIntent = PutAddress | DeleteAddress
PaymentIntent = SavePaymentMethod | DeletePaymentMethod
RuledIntent = LineIntent | CouponIntent | WishlistIntent | AddressIntent | PaymentIntent | ClaimGuestCart
Intent = RuledIntent | Discard | None
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
    other attempts, which must make no difference (spec: deciding/payload-by-meaning). `client_name` is a text of the
    session context, for what must not be in it.
    """

    operation: Operation
    age: float | None = None
    oversized: bool = False
    retouched: bool = False
    client_name: str = ""


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
class Promotion:
    """What a coupon code stands for. Takes off `amount`, or else `basis_points` of the subtotal.

    `start` and `end` are on the shop's clock, in seconds; None is always, and never. `eligible` names principals; None
    is all of them.
    """

    amount: Money | None = None
    basis_points: int = 0
    minimum: Money | None = None
    start: float | None = None
    end: float | None = None
    eligible: frozenset[str] | None = None
    once_per_principal: bool = False
    stackable: bool = False


@dataclass(frozen=True, slots=True)
class CardDetails:
    """What a payment provider says of a token it stands by."""

    brand: str = ""
    last_four: str = ""
    expiry_month: int = 0
    expiry_year: int = 0


EVERY_PROFILE = frozenset(
    {
        "address_book",
        "core",
        "coupons",
        "guest_claim",
        "payment_methods",
        "security",
        "streaming",
        "watch",
        "wishlist",
    }
)


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
    profiles: frozenset[str] = EVERY_PROFILE
    max_coupon_count: int = 10
    max_wishlist_entry_count: int = 1_000
    max_address_count: int = 100
    max_payment_method_count: int = 20


@dataclass(frozen=True, slots=True)
class Line:
    """The quantity of one product before and after an operation."""

    sku: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.sku} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a change did to an entry of anything but a cart's lines: whether `name` is there after it."""

    resource: str  # as the ledger calls it: "coupon", "wishlist", "address" or "payment_method"
    name: str
    present: bool

    def __str__(self) -> str:
        return f"{self.resource} {self.name} {'put' if self.present else 'gone'}"


Touch = Line | Entry
"""One entry of the ledger."""


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


@dataclass(frozen=True, slots=True, order=True)
class FieldKept:
    """A field of an address kept the server's value; `kept` has that field alone."""

    field: str
    kept: Address


Adjustment = PriceChanged | Clamped | Floored | FieldKept


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    """What became of one line of a guest's cart. `limit` is the reason that cut it; empty for none."""

    sku: str
    guest_quantity: int
    before: int
    after: int
    limit: str = ""

    def __str__(self) -> str:
        cut = f" ({self.limit})" if self.limit else ""
        return f"{self.sku} {self.before} + {self.guest_quantity} -> {self.after}{cut}"


@dataclass(frozen=True, slots=True)
class Details:
    """The typed details of a refusal that have one right value. Empty ones must be absent on the wire."""

    expected_sequence: int | None = None
    available: int | None = None
    price: Money | None = None
    wrong_fields: frozenset[str] = frozenset()
    missing_features: frozenset[str] = frozenset()


NO_DETAILS = Details()
