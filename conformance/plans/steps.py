"""What can happen in a plan: one frozen value for each step, with nothing in it that only a live server knows.

Devices, carts and products go by small names ("A", "cart-1", "sku-1"), and so do coupons, addresses, means of payment
and their tokens; operations go by their sequence on their device. Whose a device is shows in its name: a guest's begins
with "G", that of another account with "X"; all others are one account's.
A step that makes no sense where it stands (sending what was never enqueued, restoring what was never saved) does
nothing, so that any part of a plan is a plan too: that is what makes shrinking easy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an intent wants."""

    ADD = "add"
    ADJUST = "adjust"
    SET = "set"
    REMOVE = "remove"
    UNKNOWN = "unknown"  # no intent this server knows


class Seen(StrEnum):
    """Which price an add says the shopper saw."""

    CURRENT = "current"  # the plan's idea of the offer when it was enqueued
    OTHER = "other"  # one that the product does not have
    FOREIGN = "foreign"  # in another currency
    NONE = "none"  # left out: malformed


class Consent(StrEnum):
    """Up to which price an add agrees."""

    ANY = "any"
    EXACTLY = "exactly"  # the price seen
    BELOW = "below"  # one minor unit less than the price seen


class Guard(StrEnum):
    """Which revision an operation is guarded by."""

    NONE = "none"
    SEEN = "seen"  # the revision of the cart that the device saw last
    ZERO = "zero"  # any change by another queue refuses


class Reuse(StrEnum):
    """Under which key an operation goes that should have had one of its own."""

    NONE = "none"
    OWN = "own"  # that of the device's first operation
    OTHER = "other"  # that of another queue's first operation, which is no reuse


class Edge(StrEnum):
    """At which of the server's own limits the quantity of an operation lies, in place of the number in the plan."""

    NONE = "none"
    LINE_LIMIT = "line_limit"  # the most that a line may hold
    BEYOND_LINE_LIMIT = "beyond_line_limit"  # one more
    STOCK = "stock"  # all that is available, where stock is counted
    BEYOND_STOCK = "beyond_stock"  # one more


class Times(StrEnum):
    """How many times an intent is written down, each an operation of its own."""

    ONCE = "once"
    FULL = "full"  # as often as operations fit into one submission
    FULL_AND_ONE = "full_and_one"


class Age(StrEnum):
    """How old an operation says it is when first sent."""

    FRESH = "fresh"
    UNKNOWN = "unknown"
    NEGATIVE = "negative"
    AT_WINDOW = "at_window"
    BEYOND_WINDOW = "beyond_window"


class Fate(StrEnum):
    """What becomes of a sending."""

    ANSWERED = "answered"
    CUT = "cut"  # the connection is cut as soon as it left
    HELD_BEFORE_COMMIT = "held_before_commit"  # cut while nothing is durable, then let go on
    HELD_AFTER_COMMIT = "held_after_commit"  # cut when all is durable
    CRASH_BEFORE_COMMIT = "crash_before_commit"
    CRASH_AFTER_COMMIT = "crash_after_commit"
    KILLED = "killed"  # kill -9 as soon as it left

    @property
    def kills(self) -> bool:
        """Whether the server dies."""
        return self in (Fate.CRASH_BEFORE_COMMIT, Fate.CRASH_AFTER_COMMIT, Fate.KILLED)


class Via(StrEnum):
    """Over which call a sending goes."""

    UNARY = "unary"
    STREAM = "stream"


class Twist(StrEnum):
    """What is wrong, or different, with the first operation of a sending."""

    NONE = "none"
    RETOUCHED = "retouched"  # other enqueue time and session context: still the same payload
    PAYLOAD = "payload"  # another payload under the same key
    KEY = "key"  # another key at the same sequence, as from a copy of the queue
    LINK = "link"  # a previous key that was never decided
    AGELESS = "ageless"  # a later attempt that leaves out its age
    ORIGINAL = "original"  # the original of a discarded operation, arriving late


class Fields(StrEnum):
    """Which fields of an address an operation writes."""

    ALL = "all"  # everything that a new address needs, and a label
    LABEL = "label"
    RECIPIENT = "recipient"
    LABEL_AND_RECIPIENT = "label_and_recipient"
    LINES_AND_LABEL = "lines_and_label"
    UNKNOWN = "unknown"  # the name of no field
    NONE = "none"


class Listing(StrEnum):
    """What a device reads of its principal's."""

    WISHLIST = "wishlist"
    ADDRESS_BOOK = "address_book"
    PAYMENT_METHODS = "payment_methods"


class Audience(StrEnum):
    """Whom a promotion is for."""

    EVERYBODY = "everybody"
    THE_ACCOUNT = "the_account"
    OTHERS = "others"


class Span(StrEnum):
    """How far the clock is moved."""

    HOUR = "hour"
    DAY = "day"
    PAST_WINDOW = "past_window"
    SHORT_OF_RETENTION = "short_of_retention"  # two hours less than the retention of outcomes
    PAST_RETENTION = "past_retention"


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A device writes down an intent. `quantity` is also the delta of an adjustment."""

    device: str
    kind: Kind
    cart: str
    sku: str
    quantity: int = 1
    clamp: bool = False
    seen: Seen = Seen.CURRENT
    consent: Consent = Consent.ANY
    guard: Guard = Guard.NONE
    age: Age = Age.FRESH
    feature: bool = False  # requires a feature that no server has
    reuse: Reuse = Reuse.NONE
    edge: Edge = Edge.NONE
    times: Times = Times.ONCE


@dataclass(frozen=True, slots=True)
class EnqueueCoupon:
    """A device writes down that a coupon goes on a cart, or comes off it. `card`: a card number stands in the code."""

    device: str
    cart: str
    code: str
    remove: bool = False
    card: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueWish:
    """A device writes down that a product goes on the wishlist, or comes off it."""

    device: str
    sku: str
    remove: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueAddress:
    """A device writes down an address. `value` tells one text from another; `card`: a card number stands in one."""

    device: str
    address: str
    fields: Fields = Fields.ALL
    value: int = 1
    guard: Guard = Guard.NONE
    card: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueAddressDeletion:
    """A device writes down that an address is to be deleted."""

    device: str
    address: str
    guard: Guard = Guard.NONE


@dataclass(frozen=True, slots=True)
class EnqueuePayment:
    """A device writes down a means of payment, or that one is to be deleted. `card`: the label holds a card number."""

    device: str
    method: str
    token: str = "token-1"  # noqa: S105 - the plan's name of one
    value: int = 1
    remove: bool = False
    card: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueClaim:
    """A device writes down that it takes over the guest's cart. `forged`: with a token that no guest was given."""

    device: str
    guest_cart: str
    cart: str
    forged: bool = False


FULL_BATCH = 1_000_000
"""A batch of as many operations as the server takes at once."""


@dataclass(frozen=True, slots=True)
class Send:
    """A device sends operations `first` to `last`, `batch` at a time.

    `first` 0 is the lowest unconfirmed one, `last` 0 the newest.
    """

    device: str
    first: int = 0
    last: int = 0
    batch: int = 10
    via: Via = Via.UNARY
    fate: Fate = Fate.ANSWERED
    twist: Twist = Twist.NONE


@dataclass(frozen=True, slots=True)
class Race:
    """Two sendings at once; the first is held before its commit until the second is under way, where that can be."""

    left: Send
    right: Send
    held: bool = True


@dataclass(frozen=True, slots=True)
class Discard:
    """A device cancels its operation of this sequence; from now on it sends the discard in its place."""

    device: str
    sequence: int


@dataclass(frozen=True, slots=True)
class CopyQueue:
    """A backup of one device comes back to life on another, with the same queue and everything in it."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SetOffer:
    """The shop changes an offer. `available` None: stock is not counted."""

    sku: str
    price: int
    listed: bool = True
    available: int | None = None


@dataclass(frozen=True, slots=True)
class SetPromotion:
    """The shop puts or changes what a coupon stands for: `amount` minor units, or where that is 0 `basis_points`.

    `begins` and `ends` are in hours from the beginning of the plan; `minimum` 0 stands for none.
    """

    code: str
    amount: int = 0
    basis_points: int = 1_000
    minimum: int = 0
    currency: str = "GBP"
    begins: int | None = None
    ends: int | None = None
    audience: Audience = Audience.EVERYBODY
    once: bool = False
    stackable: bool = True
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class SetToken:
    """The payment provider stands by a token or not; `value` tells one answer from another."""

    token: str
    valid: bool = True
    value: int = 1


@dataclass(frozen=True, slots=True)
class CloseCart:
    """The shop closes a cart."""

    cart: str


@dataclass(frozen=True, slots=True)
class AdvanceClock:
    """Time goes by."""

    span: Span


@dataclass(frozen=True, slots=True)
class Backend:
    """Catalogue and stock become reachable or not."""

    available: bool


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The shop lets so many more operations through; None lifts the limit. `saving`: so many payment methods only."""

    remaining: int | None
    saving: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """The server is stopped in good order and started again."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The server is killed and started again."""


@dataclass(frozen=True, slots=True)
class SaveStore:
    """The operator takes a backup."""


@dataclass(frozen=True, slots=True)
class RestoreStore:
    """The operator puts the last backup back."""


@dataclass(frozen=True, slots=True)
class ReadCart:
    """A device reads a cart."""

    device: str
    cart: str
    with_queue: bool = True


@dataclass(frozen=True, slots=True)
class Read:
    """A device reads what its principal has apart from carts."""

    device: str
    listing: Listing
    with_queue: bool = True


@dataclass(frozen=True, slots=True)
class LookUp:
    """A device asks what was decided, from sequence 1 on and one beyond what it has."""

    device: str


Enqueueing = (
    Enqueue | EnqueueCoupon | EnqueueWish | EnqueueAddress | EnqueueAddressDeletion | EnqueuePayment | EnqueueClaim
)
Step = (
    Enqueueing
    | Send
    | Race
    | Discard
    | CopyQueue
    | SetOffer
    | SetPromotion
    | SetToken
    | CloseCart
    | AdvanceClock
    | Backend
    | RateLimit
    | Restart
    | Kill
    | SaveStore
    | RestoreStore
    | ReadCart
    | Read
    | LookUp
)

STEPS: tuple[type[Step], ...] = (
    Enqueue,
    EnqueueCoupon,
    EnqueueWish,
    EnqueueAddress,
    EnqueueAddressDeletion,
    EnqueuePayment,
    EnqueueClaim,
    Send,
    Race,
    Discard,
    CopyQueue,
    SetOffer,
    SetPromotion,
    SetToken,
    CloseCart,
    AdvanceClock,
    Backend,
    RateLimit,
    Restart,
    Kill,
    SaveStore,
    RestoreStore,
    ReadCart,
    Read,
    LookUp,
)


@dataclass(frozen=True, slots=True)
class Product:
    """A product the shop has when a plan begins."""

    sku: str
    price: int
    currency: str = "GBP"
    listed: bool = True
    available: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One story, drawn before it is executed. Everything lives in fresh principals of its own."""

    products: tuple[Product, ...]
    steps: tuple[Step, ...]
