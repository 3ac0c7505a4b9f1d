"""What a decision is made from (`Reading`) and what it comes to (`Changes`): plain values, no behaviour.

Instants are microseconds since the epoch (`_us`). Everything here lies inside one principal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueueMark:
    """How far a queue has come, and the key its chain goes on from."""

    decided_through_sequence: int = 0
    last_key: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome record of one decided operation; `outcome` is the serialized message, replayed verbatim."""

    sequence: int
    idempotency_key: str
    payload_digest: bytes
    digest_version: int
    outcome: bytes
    decide_time_us: int


@dataclass(frozen=True, slots=True)
class CartHead:
    """A cart without its lines. A cart that no add has made has no head."""

    revision: int
    currency_code: str
    update_time_us: int
    line_count: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and what guards need to know of its past. It outlives its quantity.

    `last_change_revision` is that of the latest change, made by `last_change_queue_id`;
    `other_change_revision` is that of the latest change by any queue but that one. 0 means none.
    The two are enough to tell every queue when another one last changed the line.
    """

    quantity: int = 0
    last_change_revision: int = 0
    last_change_queue_id: str = ""
    other_change_revision: int = 0

    def changed_by_others(self, queue_id: str) -> int:
        """Revision of the latest change that another queue than `queue_id` made; 0 when none did."""
        if self.last_change_queue_id == queue_id:
            return self.other_change_revision
        return self.last_change_revision

    def after(self, quantity: int, revision: int, queue_id: str) -> Line:
        """The line after `queue_id` changed it."""
        return Line(quantity, revision, queue_id, self.changed_by_others(queue_id))


LineName = tuple[str, str]
"""cart_id and sku."""

WISHLIST = "wishlist"  # by SKU
ADDRESS_BOOK = "address_book"  # by address_id
PAYMENT_METHODS = "payment_methods"  # by payment_method_id


def coupons_of(cart_id: str) -> str:
    """The collection of the coupons on a cart, by code. Its changes are changes of the cart."""
    return f"coupons/{cart_id}"


def uses_of(coupon_code: str) -> str:
    """The collection of the carts that a coupon is on, by cart_id."""
    return f"coupon_uses/{coupon_code}"


@dataclass(frozen=True, slots=True)
class CollectionHead:
    """A named set of entries inside one principal, with a revision of its own. One that is not there is all zeros."""

    revision: int = 0
    update_time_us: int = 0
    entry_count: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a collection. `value` is encoded by the rules that own the collection; stores look not into it.

    `added_revision` is the revision that put the entry there (of coupons: the cart's), and so the order of
    additions; `change_revision` that of its last change.
    """

    added_revision: int
    change_revision: int
    value: bytes = field(repr=False)


Head = CartHead | CollectionHead
"""What the revision of an outcome is that of."""

EntryName = tuple[str, str]
"""Collection and entry id."""


@dataclass(frozen=True, slots=True)
class GuestReading:
    """What a claim needs to know of a guest and one of its carts (`quantities` is sku -> quantity, none 0).

    `claimed_cart_ids` tells of that cart alone: it is in it when it has been claimed.
    """

    claimed_by: str | None = None
    claimed_cart_ids: frozenset[str] = frozenset()
    cart: CartHead | None = None
    quantities: Mapping[str, int] = field(default_factory=dict)


GuestName = tuple[str, str]
"""The guest's principal and its cart_id."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An account takes over a cart of a guest: the guest takes no new operations, the cart is closed."""

    guest: str
    guest_cart_id: str
    account: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One change of one line, or of one entry of another resource, as the ledger keeps it: evidence apart from answers.

    Of a line `sku` and the quantities are set; of an entry `resource` ("coupon", "wishlist", "address" or
    "payment_method"), `entry_id`, and `present`, whether it is there afterwards. `cart_id` is empty where the change
    was not one of a cart.
    """

    queue_id: str
    sequence: int
    idempotency_key: str
    cart_id: str
    revision: int
    sku: str = ""
    quantity_before: int = 0
    quantity_after: int = 0
    resource: str = ""
    entry_id: str = ""
    present: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything one submission needs to know, read at one instant.

    `records` holds those of the submission's sequences that have one; `key_uses` tells for each of the
    submission's undecided keys the sequence it is recorded under; a cart, line, collection or entry that is not
    there is not in `carts`, `lines`, `collections` or `entries`; `failures` counts failed attempts by (sequence,
    key). `claimed` says whether this principal is a guest that has been claimed.
    """

    store_id: str
    digest_key: bytes = field(repr=False)
    queue: QueueMark = field(default_factory=QueueMark)
    contact_time_us: int | None = None
    records: Mapping[int, Record] = field(default_factory=dict)
    key_uses: Mapping[str, int] = field(default_factory=dict)
    carts: Mapping[str, CartHead] = field(default_factory=dict)
    lines: Mapping[LineName, Line] = field(default_factory=dict)
    failures: Mapping[tuple[int, str], int] = field(default_factory=dict)
    collections: Mapping[str, CollectionHead] = field(default_factory=dict)
    entries: Mapping[EntryName, Entry] = field(default_factory=dict)
    claimed: bool = False
    guests: Mapping[GuestName, GuestReading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What one submission comes to: committed as a whole, or not at all.

    Holds only while the store still is `store_id`, the queue still stands at `expected_queue`, the principal is
    claimed or not as it was, and every cart, collection and guest that was judged still is what it was when read
    (None: no such cart). Judged but unchanged ones are among them, so that a rejection is as serializable as a
    change. The lines of a guest's cart are not compared: its head tells whether they have changed. An entry that is
    None is deleted.
    """

    store_id: str
    principal: str
    queue_id: str
    contact_time_us: int
    expected_queue: QueueMark
    queue: QueueMark
    records: tuple[Record, ...] = ()
    expected_carts: Mapping[str, CartHead | None] = field(default_factory=dict)
    carts: Mapping[str, CartHead] = field(default_factory=dict)
    lines: Mapping[LineName, Line] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    failures: tuple[tuple[int, str], ...] = ()
    expected_claimed: bool = False
    expected_collections: Mapping[str, CollectionHead] = field(default_factory=dict)
    collections: Mapping[str, CollectionHead] = field(default_factory=dict)
    entries: Mapping[EntryName, Entry | None] = field(default_factory=dict)
    expected_guests: Mapping[GuestName, GuestReading] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    @property
    def empty(self) -> bool:
        """True when nothing needs to be written: every answer came from records, or was a plain deferral."""
        return not self.records and not self.failures


@dataclass(frozen=True, slots=True)
class CartContents:
    """A cart with its lines (sku -> quantity, none 0), and how far a queue had come at that instant.

    `coupon_codes` are those on the cart in the order they were applied.
    """

    store_id: str
    head: CartHead | None
    quantities: Mapping[str, int]
    decided_through_sequence: int | None
    contact_time_us: int | None = None
    coupon_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionContents:
    """Entries of a collection in the order they were added, and how far a queue had come at that instant.

    `more` says whether others were added after the last of them.
    """

    store_id: str
    head: CollectionHead
    entries: tuple[tuple[str, Entry], ...]
    more: bool
    decided_through_sequence: int | None
    contact_time_us: int | None = None


@dataclass(frozen=True, slots=True)
class RecordRange:
    """The records of a range of sequences, and how far the queue had come at that instant."""

    store_id: str
    decided_through_sequence: int
    outcomes: Mapping[int, bytes]
    contact_time_us: int | None = None
