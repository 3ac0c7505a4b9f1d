"""One possible world: everything a correct server may have recorded, and how an attempt changes it.

Porcupine's three words: `initial()` is the world before anything was sent, `step` takes one attempt and gives every
right answer with the world after it, and two worlds are the same when they compare equal.

The subtle choice, once: `step` decides one *attempt*, not one submission. Committing a batch as a whole and
committing it operation by operation are both legal, so whatever can be cut short or overlap is made of attempts;
`worlds.py` puts them together. What a server may choose is kept as several answers (a record past its retention
may be there or not) or as bounds (revisions, in `revisions.py`).

A claim moves things between two principals, so a world holds all principals of a story. Queues have ids of their own
and the shop knows whose each is; everything else is kept by principal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, TypeVar

from conformance.oracle.address_book import AddressBook
from conformance.oracle.card_numbers import Payload
from conformance.oracle.carts import Cart
from conformance.oracle.payment_methods import PaymentMethods
from conformance.oracle.values import (
    NO_DETAILS,
    Adjustment,
    CardDetails,
    ClaimedLine,
    Details,
    Limits,
    Line,
    Offer,
    Operation,
    Promotion,
    State,
    Submission,
)
from conformance.oracle.wishlist import Wishlist

_Name = TypeVar("_Name")
_Value = TypeVar("_Value")

SOLE = ""
"""The principal of a story that has only one, and the account where there are guests."""


class Kind(StrEnum):
    """The resources a principal has."""

    CART = "cart"
    WISHLIST = "wishlist"
    ADDRESS_BOOK = "address_book"
    PAYMENT_METHODS = "payment_methods"


class Place(NamedTuple):
    """One resource: whose it is, and of carts which. Each has revisions of its own."""

    principal: str
    kind: Kind
    cart: str = ""

    def __str__(self) -> str:
        name = f"cart {self.cart}" if self.kind is Kind.CART else f"the {self.kind.replace('_', ' ')}"
        return f"{self.principal}'s {name}" if self.principal else name


def cart_place(cart_id: str, principal: str = SOLE) -> Place:
    """Where a cart is."""
    return Place(principal, Kind.CART, cart_id)


Resource = Cart | Wishlist | AddressBook | PaymentMethods
_EMPTY: dict[Kind, Resource] = {
    Kind.CART: Cart(),
    Kind.WISHLIST: Wishlist(),
    Kind.ADDRESS_BOOK: AddressBook(),
    Kind.PAYMENT_METHODS: PaymentMethods(),
}


class Scope(StrEnum):
    """What a rate limit counts."""

    ALL = "all"
    PAYMENT_METHODS = "payment_methods"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must be answered to one operation, and which requirement says so.

    `number` is the change of the resource at `place` that the outcome was judged at (None: of no resource); `rule` the
    slug of the clause that fixed it; `also_refused_by` the reasons that later rules would have given. `any_revision`: a
    server may or may not know what the operation acts on, because it does not list the profile.
    """

    state: State
    rule: str
    reason: str = ""
    place: Place | None = None
    number: int = 0
    changed: bool = False
    line: Line | None = None
    adjustments: frozenset[Adjustment] = frozenset()
    claimed: tuple[ClaimedLine, ...] = ()
    details: Details = NO_DETAILS
    also_refused_by: frozenset[str] = frozenset()
    any_revision: bool = False

    def __str__(self) -> str:
        words = [f"{self.state}{' / ' + self.reason if self.reason else ''}"]
        words += [str(line) for line in (*((self.line,) if self.line else ()), *self.claimed)]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome record of one sequence. `seen` is its encoding as first answered; None until then."""

    operation: Operation
    payload: Payload
    outcome: Outcome
    decided_at: float  # the shop's clock, seconds
    crash_count: int  # crashes before it was decided
    seen: bytes | None = None
    pruned: bool = False  # seen to be pruned: must stay so
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Worlds are hashed often and share most of their records, so each reckons its hash once."""
        if not self._hash:
            known = (self.operation.key, self.operation.sequence, self.outcome, self.decided_at, self.seen, self.pruned)
            object.__setattr__(self, "_hash", hash(known))
        return self._hash


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue: its records by sequence (the watermark is their count) and the key its chain goes on from."""

    records: tuple[Record, ...] = ()
    last_key: str = ""

    @property
    def watermark(self) -> int:
        """Everything up to this sequence is decided."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class InFlight:
    """A submission whose answer was lost: `rest` of its attempts may still be processed, now or later."""

    submission: Submission
    done: int = 0  # so many of its attempts were processed


@dataclass(frozen=True, slots=True)
class Claim:
    """What an account has taken over of a guest."""

    account: str
    carts: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    """What a correct server may have recorded for the principals of a story."""

    queues: tuple[tuple[str, Queue], ...] = ()
    resources: tuple[tuple[Place, Resource], ...] = ()
    claims: tuple[tuple[str, Claim], ...] = ()  # by guest
    allowances: tuple[tuple[tuple[str, Scope], int], ...] = ()  # what each rate limit still lets through
    in_flight: frozenset[InFlight] = frozenset()

    def queue(self, queue_id: str) -> Queue:
        """A queue; a new one when nothing was decided in it."""
        return _get(self.queues, queue_id) or _NEW_QUEUE

    def resource(self, place: Place) -> Resource:
        """A resource; as it begins when nothing changed it."""
        return _get(self.resources, place) or _EMPTY[place.kind]

    def cart(self, cart_id: str, principal: str = SOLE) -> Cart:
        """A cart; one that does not exist when no add made it."""
        found = self.resource(cart_place(cart_id, principal))
        assert isinstance(found, Cart)
        return found

    def wishlist(self, principal: str = SOLE) -> Wishlist:
        """The wishlist of a principal."""
        found = self.resource(Place(principal, Kind.WISHLIST))
        assert isinstance(found, Wishlist)
        return found

    def address_book(self, principal: str = SOLE) -> AddressBook:
        """The address book of a principal."""
        found = self.resource(Place(principal, Kind.ADDRESS_BOOK))
        assert isinstance(found, AddressBook)
        return found

    def payment_methods(self, principal: str = SOLE) -> PaymentMethods:
        """The payment methods of a principal."""
        found = self.resource(Place(principal, Kind.PAYMENT_METHODS))
        assert isinstance(found, PaymentMethods)
        return found

    def carts_of(self, principal: str) -> list[tuple[str, Cart]]:
        """Every cart of a principal that was ever made, by its id."""
        mine = ((place, found) for place, found in self.resources if place.principal == principal)
        return [(place.cart, found) for place, found in mine if isinstance(found, Cart)]

    def claim(self, guest: str) -> Claim | None:
        """What was taken over of a guest; None when nobody has claimed it."""
        return _get(self.claims, guest)

    def allowance(self, principal: str, scope: Scope) -> int | None:
        """How many operations a rate limit still lets through; None is no limit."""
        return _get(self.allowances, (principal, scope))

    def with_queue(self, queue_id: str, queue: Queue) -> World:
        """The world with one queue as given."""
        return replace(self, queues=_put(self.queues, queue_id, queue))

    def with_resource(self, place: Place, resource: Resource) -> World:
        """The world with one resource as given."""
        return replace(self, resources=_put(self.resources, place, resource))

    def with_claim(self, guest: str, claim: Claim) -> World:
        """The world in which an account has taken over a guest."""
        return replace(self, claims=_put(self.claims, guest, claim))

    def with_allowance(self, principal: str, scope: Scope, remaining: int | None) -> World:
        """The world with one rate limit as given; None lifts it."""
        others = tuple(entry for entry in self.allowances if entry[0] != (principal, scope))
        if remaining is None:
            return replace(self, allowances=others)
        return replace(self, allowances=_put(others, (principal, scope), remaining))


_NEW_QUEUE = Queue()


@dataclass(frozen=True)
class Shop:
    """What the suite arranged around the server; the same in every possible world.

    `now` counts the seconds by which the clock was moved. `slack` is how far real time may have run besides.
    `away` names the principals for whom the backing services are unreachable; `owners` whose each queue is (SOLE's
    unless named); `claim_tokens` which guest each token stands for.
    """

    limits: Limits = field(default_factory=Limits)
    offers: tuple[tuple[str, Offer], ...] = ()
    promotions: tuple[tuple[str, Promotion], ...] = ()
    cards: tuple[tuple[tuple[str, str], CardDetails], ...] = ()  # (provider, token) that the provider stands by
    away: frozenset[str] = frozenset()
    guests: frozenset[str] = frozenset()
    owners: tuple[tuple[str, str], ...] = ()
    claim_tokens: tuple[tuple[str, str], ...] = ()
    now: float = 0.0
    crash_count: int = 0
    slack: float = 3600.0

    def offer(self, sku: str) -> Offer | None:
        """The offer of a SKU; None when the catalogue does not know it."""
        return _get(self.offers, sku)

    def promotion(self, code: str) -> Promotion | None:
        """What a coupon code stands for; None when the shop does not know it, or has withdrawn it."""
        return _get(self.promotions, code)

    def card(self, provider: str, token: str) -> CardDetails | None:
        """What a provider says of a token; None when it does not stand by it."""
        return _get(self.cards, (provider, token))

    def owner(self, queue_id: str) -> str:
        """The principal a queue belongs to."""
        return _get(self.owners, queue_id) or SOLE

    def guest_of(self, token: str) -> str | None:
        """The guest that a claim token stands for; None when this server gave none such."""
        return _get(self.claim_tokens, token)

    def answers(self, principal: str = SOLE) -> bool:
        """Whether the backing services are reachable for a principal."""
        return principal not in self.away

    def with_offer(self, sku: str, offer: Offer) -> Shop:
        """The shop with one offer put or replaced."""
        return replace(self, offers=_put(self.offers, sku, offer))

    def with_promotion(self, code: str, promotion: Promotion | None) -> Shop:
        """The shop with one promotion put or replaced; None withdraws it."""
        return replace(self, promotions=_put_or_drop(self.promotions, code, promotion))

    def with_card(self, provider: str, token: str, card: CardDetails | None) -> Shop:
        """The shop whose payment provider says this of a token; None: it does not stand by it."""
        return replace(self, cards=_put_or_drop(self.cards, (provider, token), card))

    def with_owner(self, queue_id: str, principal: str) -> Shop:
        """The shop with one more queue of a principal."""
        return replace(self, owners=_put(self.owners, queue_id, principal))

    def with_claim_token(self, token: str, guest: str) -> Shop:
        """The shop that has given a guest a token."""
        return replace(self, claim_tokens=_put(self.claim_tokens, token, guest), guests=self.guests | {guest})

    def may_be_pruned(self, record: Record) -> bool:
        """Whether the retention of a record may be over (spec: retention/records-kept)."""
        return record.pruned or self.now - record.decided_at + self.slack > self.limits.outcome_retention


@dataclass(frozen=True, slots=True)
class Answer:
    """One right answer to one attempt. `record` is the sequence whose record it comes from; 0 for none."""

    outcome: Outcome
    replayed: bool = False
    record: int = 0

    @property
    def stops(self) -> bool:
        """Whether what follows in the same submission is not looked at."""
        return self.outcome.state in (State.DEFERRED, State.CONFLICT)

    def __str__(self) -> str:
        return f"{self.outcome}{' (replayed)' if self.replayed else ''}"


def initial() -> World:
    """The world of principals that have sent nothing."""
    return World()


def _get(table: tuple[tuple[_Name, _Value], ...], name: _Name) -> _Value | None:
    return next((value for key, value in table if key == name), None)


def _put(table: tuple[tuple[_Name, _Value], ...], name: _Name, value: _Value) -> tuple[tuple[_Name, _Value], ...]:
    others = (entry for entry in table if entry[0] != name)
    return tuple(sorted((*others, (name, value)), key=lambda entry: entry[0]))  # type: ignore[arg-type, return-value]


def _put_or_drop(
    table: tuple[tuple[_Name, _Value], ...], name: _Name, value: _Value | None
) -> tuple[tuple[_Name, _Value], ...]:
    if value is None:
        return tuple(entry for entry in table if entry[0] != name)
    return _put(table, name, value)
