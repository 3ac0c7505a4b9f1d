"""One possible world: everything a correct server may have recorded, and how an attempt changes it.

Porcupine's three words: `initial()` is the world before anything was sent, `step` takes one attempt and gives every
right answer with the world after it, and two worlds are the same when they compare equal.

The subtle choice, once: `step` decides one *attempt*, not one submission. Committing a batch as a whole and
committing it operation by operation are both legal, so whatever can be cut short or overlap is made of attempts;
`worlds.py` puts them together. What a server may choose is kept as several answers (a record past its retention
may be there or not) or as bounds (revisions, in `carts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from conformance.oracle.carts import Cart
from conformance.oracle.values import (
    NO_DETAILS,
    Adjustment,
    Details,
    Intent,
    Limits,
    Line,
    Offer,
    Operation,
    State,
    Submission,
)

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must be answered to one operation, and which requirement says so.

    `number` is the change of `cart` the outcome was judged at; `rule` the slug of the clause that fixed it;
    `also_refused_by` the reasons that later rules would have given.
    """

    state: State
    rule: str
    reason: str = ""
    cart: str = ""
    number: int = 0
    changed: bool = False
    line: Line | None = None
    adjustments: frozenset[Adjustment] = frozenset()
    details: Details = NO_DETAILS
    also_refused_by: frozenset[str] = frozenset()

    def __str__(self) -> str:
        words = [f"{self.state}{' / ' + self.reason if self.reason else ''}"]
        if self.line is not None:
            words.append(str(self.line))
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome record of one sequence. `seen` is its encoding as first answered; None until then."""

    operation: Operation
    outcome: Outcome
    decided_at: float  # the shop's clock, seconds
    crash_count: int  # crashes before it was decided
    seen: bytes | None = None
    pruned: bool = False  # seen to be pruned: must stay so


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
class World:
    """What a correct server may have recorded for one principal."""

    queues: tuple[tuple[str, Queue], ...] = ()
    carts: tuple[tuple[str, Cart], ...] = ()
    allowance: int | None = None  # how many operations the rate limit still lets through; None is no limit
    in_flight: frozenset[InFlight] = frozenset()

    def queue(self, queue_id: str) -> Queue:
        """A queue; a new one when nothing was decided in it."""
        return next((queue for name, queue in self.queues if name == queue_id), _NEW_QUEUE)

    def cart(self, cart_id: str) -> Cart:
        """A cart; one that does not exist when no add made it."""
        return next((cart for name, cart in self.carts if name == cart_id), _NO_CART)

    def with_queue(self, queue_id: str, queue: Queue) -> World:
        """The world with one queue as given."""
        return replace(self, queues=_put(self.queues, queue_id, queue))

    def with_cart(self, cart_id: str, cart: Cart) -> World:
        """The world with one cart as given."""
        return replace(self, carts=_put(self.carts, cart_id, cart))


_NEW_QUEUE = Queue()
_NO_CART = Cart()


@dataclass(frozen=True)
class Shop:
    """What the suite arranged around the server; the same in every possible world.

    `now` counts the seconds by which the clock was moved. `slack` is how far real time may have run besides.
    """

    limits: Limits = field(default_factory=Limits)
    offers: tuple[tuple[str, Offer], ...] = ()
    backend_available: bool = True
    now: float = 0.0
    crash_count: int = 0
    slack: float = 3600.0

    def offer(self, sku: str) -> Offer | None:
        """The offer of a SKU; None when the catalogue does not know it."""
        return next((offer for name, offer in self.offers if name == sku), None)

    def with_offer(self, sku: str, offer: Offer) -> Shop:
        """The shop with one offer put or replaced."""
        return replace(self, offers=_put(self.offers, sku, offer))

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
    """The world of a principal that has sent nothing."""
    return World()


def named_cart(intent: Intent) -> str:
    """The cart an intent names; empty for none."""
    return getattr(intent, "cart", "")


def _put(table: tuple[tuple[str, _Value], ...], name: str, value: _Value) -> tuple[tuple[str, _Value], ...]:
    others = (entry for entry in table if entry[0] != name)
    return tuple(sorted((*others, (name, value)), key=lambda entry: entry[0]))
