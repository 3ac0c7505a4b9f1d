"""Drawing plans, weighted towards what breaks servers.

A *family* is a set of moves with weights: one kind of trouble at a time finds more than all of them at once. A move is
one step or a few that belong together (a lost answer and the resending, trouble and its end). Moves that need means
the target does not offer are not drawn. What stands first in a strategy is what shrinking goes for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.stage import Means
from conformance.plans.steps import (
    Age,
    Consent,
    Fate,
    Guard,
    Kind,
    Plan,
    Product,
    Reuse,
    Seen,
    Send,
    Span,
    Step,
    Twist,
    Via,
)

Move = st.SearchStrategy[tuple[Step, ...]]

CARTS = ("cart-1", "cart-2")
SKUS = ("sku-1", "sku-2", "sku-3")
SIZES = (10, 1, 2, 3)
TOO_MANY = 2_000_000_000  # above any limit of a line


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of trouble: the devices in it, its moves with weights, and how long its plans get."""

    name: str
    devices: tuple[str, ...]
    moves: tuple[tuple[int, Callable[[Family], Move], frozenset[Means]], ...]
    intents: Callable[[Family], st.SearchStrategy[steps.Enqueue]]
    most_moves: int = 12
    needs: frozenset[Means] = frozenset()

    def possible(self, means: frozenset[Means]) -> bool:
        """Whether plans of this family can be played at all."""
        return self.needs <= means


def plans(family: Family, means: frozenset[Means]) -> st.SearchStrategy[Plan]:
    """Plans of a family for a target with these means."""
    weighted = [move(family) for weight, move, needs in family.moves if needs <= means for _ in range(weight)]
    enqueued = st.lists(family.intents(family), min_size=1, max_size=7)
    moves = st.lists(st.one_of(weighted), min_size=1, max_size=family.most_moves)
    return st.builds(_plan, products(), enqueued, moves)


def _plan(offered: tuple[Product, ...], enqueued: list[steps.Enqueue], moves: list[tuple[Step, ...]]) -> Plan:
    return Plan(offered, (*enqueued, *(step for move in moves for step in move)))


def products() -> st.SearchStrategy[tuple[Product, ...]]:
    """Three products; the third may be priced in another currency or unlisted."""
    available = st.sampled_from((None, 3, 1, 0, 50))
    return st.builds(
        lambda first, second, currency, listed: (
            Product(SKUS[0], 100, available=first),
            Product(SKUS[1], 250, available=second),
            Product(SKUS[2], 75, currency=currency, listed=listed),
        ),
        available,
        available,
        st.sampled_from(("GBP", "GBP", "EUR")),
        st.sampled_from((True, True, False)),
    )


# Intents.


def simple_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Adds above all, now and then a change or an operation that is refused."""
    add = st.builds(
        steps.Enqueue,
        device=_device(family),
        kind=st.just(Kind.ADD),
        cart=st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        sku=st.sampled_from(SKUS[:2]),
        quantity=st.integers(1, 3),
    )
    return st.one_of(add, add, _changes(family), refused_intents(family))


def refused_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Operations that most servers reject on one ground or another, followed by others as a rule."""
    grounds = st.sampled_from(
        (
            {"sku": "sku-unknown"},
            {"seen": Seen.NONE},
            {"quantity": 0},
            {"quantity": TOO_MANY},
            {"kind": Kind.UNKNOWN},
            {"feature": True},
            {"kind": Kind.SET, "cart": CARTS[1]},
            {"seen": Seen.FOREIGN},
            {"reuse": Reuse.OWN},
            {"reuse": Reuse.OTHER},
            {"age": Age.BEYOND_WINDOW},
        )
    )
    return st.builds(
        lambda device, ground: _with(steps.Enqueue(device, Kind.ADD, CARTS[0], SKUS[0]), ground),
        _device(family),
        grounds,
    )


def _with(step: steps.Enqueue, ground: dict[str, object]) -> steps.Enqueue:
    values = {name: getattr(step, name) for name in step.__slots__} | ground
    return steps.Enqueue(**values)


def _changes(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    return st.builds(
        steps.Enqueue,
        device=_device(family),
        kind=st.sampled_from((Kind.SET, Kind.ADJUST, Kind.REMOVE)),
        cart=st.sampled_from(CARTS[:1]),
        sku=st.sampled_from(SKUS[:2]),
        quantity=st.sampled_from((1, 2, -1, 0, 4, -3)),
        clamp=st.booleans(),
        guard=st.sampled_from((Guard.NONE, Guard.NONE, Guard.SEEN, Guard.ZERO)),
    )


def shop_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Every intent with every choice about price and stock."""
    return st.one_of(
        st.builds(
            steps.Enqueue,
            device=_device(family),
            kind=st.just(Kind.ADD),
            cart=st.sampled_from(CARTS),
            sku=st.sampled_from(SKUS),
            quantity=st.integers(1, 4),
            clamp=st.booleans(),
            seen=st.sampled_from((Seen.CURRENT, Seen.CURRENT, Seen.OTHER, Seen.FOREIGN)),
            consent=st.sampled_from(Consent),
        ),
        _changes(family),
        simple_intents(family),
    )


def aged_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Operations of every age."""
    return st.builds(lambda step, age: _with(step, {"age": age}), simple_intents(family), st.sampled_from(tuple(Age)))


# Moves.


def _device(family: Family) -> st.SearchStrategy[str]:
    return st.sampled_from(family.devices)


def one(strategy: st.SearchStrategy[Step]) -> Move:
    """A move of one step."""
    return st.tuples(strategy)


def enqueue(family: Family) -> Move:
    """One or two more operations."""
    return st.lists(family.intents(family), min_size=1, max_size=2).map(tuple)


def send(family: Family) -> Move:
    """What is pending, in batches."""
    return one(st.builds(Send, _device(family), batch=st.sampled_from(SIZES)))


def resend(family: Family) -> Move:
    """Everything from some operation on, again: duplicates, and new ones behind them in the same batch."""
    return one(
        st.builds(Send, _device(family), first=st.integers(1, 6), last=st.integers(0, 7), batch=st.sampled_from(SIZES))
    )


def twisted(family: Family) -> Move:
    """Something that is not as it should be, then the same in good order."""
    twist = st.sampled_from((Twist.RETOUCHED, Twist.PAYLOAD, Twist.KEY, Twist.LINK, Twist.AGELESS))
    return st.builds(
        lambda device, first, last, kind: (Send(device, first, last, twist=kind), Send(device, first, last)),
        _device(family),
        st.integers(0, 6),
        st.sampled_from((0, 1, 2, 3)),
        twist,
    )


def read(family: Family) -> Move:
    """A cart, or what was decided."""
    carts = st.builds(steps.ReadCart, _device(family), st.sampled_from(CARTS), st.booleans())
    return one(st.one_of(carts, st.builds(steps.LookUp, _device(family))))


def offer(family: Family) -> Move:
    """Another price, stock or listing."""
    del family
    return one(
        st.builds(
            steps.SetOffer,
            st.sampled_from(SKUS),
            st.sampled_from((100, 120, 107, 250, 99)),
            st.sampled_from((True, True, True, False)),
            st.sampled_from((None, 0, 1, 2, 5)),
        )
    )


def closing(family: Family) -> Move:
    """A cart is checked out."""
    del family
    return one(st.builds(steps.CloseCart, st.sampled_from(CARTS)))


def backend_trouble(family: Family) -> Move:
    """Backing services away while something is sent, then back and sent again."""
    return st.builds(
        lambda device, first: (
            steps.Backend(False),
            Send(device, first),
            steps.Backend(True),
            Send(device, first),
        ),
        _device(family),
        st.integers(0, 4),
    )


def rate_trouble(family: Family) -> Move:
    """A limit in the middle of what is sent, then none and sent again."""
    return st.builds(
        lambda device, first, remaining: (
            steps.RateLimit(remaining),
            Send(device, first),
            steps.RateLimit(None),
            Send(device, first),
        ),
        _device(family),
        st.integers(0, 4),
        st.integers(0, 3),
    )


def clock(family: Family) -> Move:
    """Time goes by; as a rule everything is sent again after it."""
    spans = st.sampled_from((Span.PAST_RETENTION, Span.SHORT_OF_RETENTION, Span.PAST_WINDOW, Span.HOUR))
    return st.builds(
        lambda device, span, first: (steps.AdvanceClock(span), Send(device, first)),
        _device(family),
        spans,
        st.integers(0, 3),
    )


def expired_trouble(family: Family) -> Move:
    """An operation too old to be decided, sent while the backing services are away."""
    return st.builds(
        lambda device: (
            steps.Enqueue(device, Kind.ADD, CARTS[0], SKUS[0], age=Age.BEYOND_WINDOW),
            steps.Backend(False),
            Send(device),
            steps.Backend(True),
        ),
        _device(family),
    )


def discard(family: Family) -> Move:
    """An operation is cancelled, before or after it was sent; its original may come late."""
    return st.builds(
        lambda device, sequence, late: (
            steps.Discard(device, sequence),
            Send(device, sequence, sequence),
            *((Send(device, sequence, sequence, twist=Twist.ORIGINAL),) if late else ()),
        ),
        _device(family),
        st.integers(1, 6),
        st.booleans(),
    )


def copied(family: Family) -> Move:
    """A copy of the first device comes to life and goes its own way."""
    return st.builds(
        lambda left, right, turn: (
            steps.CopyQueue(family.devices[0], family.devices[-1]),
            _with(left, {"device": family.devices[0]}),
            _with(right, {"device": family.devices[-1]}),
            Send(family.devices[0 if turn else -1]),
            Send(family.devices[-1 if turn else 0]),
        ),
        simple_intents(family),
        simple_intents(family),
        st.booleans(),
    )


def _fated(fates: tuple[Fate, ...]) -> Callable[[Family], Move]:
    def move(family: Family) -> Move:
        return st.builds(
            lambda device, fate, first, batch, again: (
                Send(device, first, batch=batch, fate=fate),
                *((Send(device, first),) if again else ()),
            ),
            _device(family),
            st.sampled_from(fates),
            st.sampled_from((0, 0, 1, 2)),
            st.sampled_from(SIZES),
            st.booleans(),
        )

    return move


lost = _fated((Fate.CUT, Fate.HELD_AFTER_COMMIT, Fate.HELD_BEFORE_COMMIT))
crash = _fated((Fate.CRASH_AFTER_COMMIT, Fate.CRASH_BEFORE_COMMIT))
killed = _fated((Fate.KILLED,))


def race(family: Family) -> Move:
    """Two sendings at once: duplicates of one queue, or two queues on one cart."""
    sending = st.builds(
        Send, _device(family), first=st.sampled_from((0, 0, 1, 2)), last=st.just(0), batch=st.sampled_from((10, 2, 1))
    )
    duplicates = sending.map(lambda side: (steps.Race(side, side),))
    return st.one_of(duplicates, one(st.builds(steps.Race, sending, sending, st.sampled_from((True, True, False)))))


def streamed(family: Family) -> Move:
    """Submissions over a stream, answered to the end or cut, and sent again over either call."""
    return st.builds(
        lambda device, first, batch, cut, via: (
            Send(device, first, batch=batch, via=Via.STREAM, fate=Fate.CUT if cut else Fate.ANSWERED),
            *((Send(device, first, batch=batch, via=via),) if cut else ()),
        ),
        _device(family),
        st.integers(0, 3),
        st.sampled_from((1, 2, 3, 10)),
        st.booleans(),
        st.sampled_from(Via),
    )


def backup(family: Family) -> Move:
    """A backup, something after it, and the backup put back."""
    return st.builds(
        lambda device, restored: (
            steps.SaveStore(),
            Send(device, batch=2),
            *((steps.RestoreStore(),) if restored else ()),
        ),
        _device(family),
        st.booleans(),
    )


def restored(family: Family) -> Move:
    """The last backup is put back."""
    del family
    return st.just((steps.RestoreStore(),))


def restart(family: Family) -> Move:
    """The server goes and comes back, in good order or not."""
    del family
    return st.sampled_from(((steps.Restart(),), (steps.Kill(),)))


_NOTHING: frozenset[Means] = frozenset()


def _if(*means: Means) -> frozenset[Means]:
    return frozenset(means)


DUPLICATES = Family(
    "duplicates",
    ("A", "B"),
    (
        (2, enqueue, _NOTHING),
        (2, send, _NOTHING),
        (4, resend, _NOTHING),
        (4, twisted, _NOTHING),
        (1, read, _NOTHING),
        (1, offer, _if(Means.OFFERS)),
        (2, backend_trouble, _if(Means.BACKEND)),
        (2, rate_trouble, _if(Means.RATE_LIMIT)),
    ),
    simple_intents,
)
COPIES = Family(
    "copies",
    ("A", "A2"),
    (
        (2, enqueue, _NOTHING),
        (2, send, _NOTHING),
        (3, copied, _NOTHING),
        (4, discard, _NOTHING),
        (2, twisted, _NOTHING),
        (1, resend, _NOTHING),
        (1, backend_trouble, _if(Means.BACKEND)),
        (1, rate_trouble, _if(Means.RATE_LIMIT)),
    ),
    simple_intents,
)
PRICES = Family(
    "prices",
    ("A", "B"),
    (
        (4, enqueue, _NOTHING),
        (4, send, _NOTHING),
        (3, offer, _NOTHING),
        (2, read, _NOTHING),
        (1, resend, _NOTHING),
        (1, closing, _if(Means.CLOSE_CART)),
        (1, backend_trouble, _if(Means.BACKEND)),
    ),
    shop_intents,
    needs=_if(Means.OFFERS),
)
RETENTION = Family(
    "retention",
    ("A",),
    (
        (2, enqueue, _NOTHING),
        (3, send, _NOTHING),
        (4, clock, _NOTHING),
        (2, resend, _NOTHING),
        (2, twisted, _NOTHING),
        (2, discard, _NOTHING),
        (1, read, _NOTHING),
        (1, backend_trouble, _if(Means.BACKEND)),
        (2, expired_trouble, _if(Means.BACKEND)),
    ),
    aged_intents,
    needs=_if(Means.CLOCK),
)
LOST = Family(
    "lost",
    ("A", "B"),
    (
        (2, enqueue, _NOTHING),
        (2, send, _NOTHING),
        (5, lost, _NOTHING),
        (1, read, _NOTHING),
        (1, discard, _NOTHING),
        (1, offer, _if(Means.OFFERS)),
    ),
    simple_intents,
    most_moves=8,
)
CRASHES = Family(
    "crashes",
    ("A", "B"),
    (
        (2, enqueue, _NOTHING),
        (2, send, _NOTHING),
        (2, killed, _if(Means.KILL)),
        (4, crash, _if(Means.ABORT)),
        (1, restart, _if(Means.KILL)),
        (1, lost, _NOTHING),
    ),
    simple_intents,
    most_moves=5,
    needs=_if(Means.KILL),
)
RACES = Family(
    "races",
    ("A", "B"),
    (
        (3, enqueue, _NOTHING),
        (1, send, _NOTHING),
        (5, race, _NOTHING),
        (1, offer, _if(Means.OFFERS)),
        (1, discard, _NOTHING),
    ),
    simple_intents,
    most_moves=8,
)
STREAMS = Family(
    "streams",
    ("A", "B"),
    (
        (2, enqueue, _NOTHING),
        (1, send, _NOTHING),
        (5, streamed, _NOTHING),
        (1, resend, _NOTHING),
        (1, twisted, _NOTHING),
        (1, backend_trouble, _if(Means.BACKEND)),
    ),
    simple_intents,
    needs=_if(Means.STREAM),
)
RESTORES = Family(
    "restores",
    ("A", "B"),
    (
        (2, enqueue, _NOTHING),
        (3, send, _NOTHING),
        (3, backup, _NOTHING),
        (1, restored, _NOTHING),
        (1, resend, _NOTHING),
        (1, lost, _NOTHING),
        (1, read, _NOTHING),
    ),
    simple_intents,
    most_moves=8,
    needs=_if(Means.RESTORE),
)

FAMILIES = (DUPLICATES, COPIES, PRICES, RETENTION, LOST, CRASHES, RACES, STREAMS, RESTORES)
