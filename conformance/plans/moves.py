"""Moves, drawn: one step, or a few that belong together, such as trouble, its end, and the sending again."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.family import Family, Move, device_of
from conformance.plans.intents import CARTS, SKUS, simple_intents, with_fields
from conformance.plans.steps import FULL_BATCH, Age, Edge, Fate, Kind, Send, Span, Step, Times, Twist, Via

SIZES = (10, 1, 2, 3, FULL_BATCH)


def one(strategy: st.SearchStrategy[Step]) -> Move:
    """A move of one step."""
    return st.tuples(strategy)


def enqueue(family: Family) -> Move:
    """One or two more operations."""
    return st.lists(family.intents(family), min_size=1, max_size=2).map(tuple)


def bulk(family: Family) -> Move:
    """As many operations as fit into one submission, or one more, and all of it again in batches of another size."""
    return st.builds(
        lambda device, kind, times, fate, again: (
            steps.Enqueue(device, Kind.ADD, CARTS[0], SKUS[0], times=times)
            if kind is Kind.ADD
            else steps.Enqueue(device, kind, CARTS[0], SKUS[0], quantity=-1, times=times),
            Send(device, batch=FULL_BATCH, fate=fate),
            Send(device, first=1, batch=again),
        ),
        device_of(family),
        st.sampled_from((Kind.ADD, Kind.ADJUST, Kind.REMOVE)),
        st.sampled_from((Times.FULL, Times.FULL_AND_ONE)),
        st.sampled_from((Fate.ANSWERED, Fate.ANSWERED, Fate.HELD_AFTER_COMMIT)),
        st.sampled_from((FULL_BATCH, FULL_BATCH, 60)),
    )


def at_limits(family: Family) -> Move:
    """A line brought to a limit of the server or of the stock, and one beyond it."""
    edges = ((Edge.LINE_LIMIT, Edge.BEYOND_LINE_LIMIT), (Edge.STOCK, Edge.BEYOND_STOCK), (Edge.LINE_LIMIT, Edge.NONE))
    return st.builds(
        lambda device, kind, sku, clamp, pair: (
            steps.Enqueue(device, kind, CARTS[0], sku, edge=pair[0]),
            steps.Enqueue(device, Kind.ADD, CARTS[0], sku, clamp=clamp),
            steps.Enqueue(device, Kind.SET, CARTS[0], sku, clamp=clamp, edge=pair[1]),
            Send(device),
        ),
        device_of(family),
        st.sampled_from((Kind.ADD, Kind.SET)),
        st.sampled_from(SKUS[:2]),
        st.booleans(),
        st.sampled_from(edges),
    )


def send(family: Family) -> Move:
    """What is pending, in batches."""
    return one(st.builds(Send, device_of(family), batch=st.sampled_from(SIZES)))


def resend(family: Family) -> Move:
    """Everything from some operation on, again: duplicates, and new ones behind them in the same batch."""
    return one(
        st.builds(
            Send, device_of(family), first=st.integers(1, 6), last=st.integers(0, 7), batch=st.sampled_from(SIZES)
        )
    )


def twisted(family: Family) -> Move:
    """Something that is not as it should be, then the same in good order."""
    twist = st.sampled_from((Twist.RETOUCHED, Twist.PAYLOAD, Twist.KEY, Twist.LINK, Twist.AGELESS))
    return st.builds(
        lambda device, first, last, kind: (Send(device, first, last, twist=kind), Send(device, first, last)),
        device_of(family),
        st.integers(0, 6),
        st.sampled_from((0, 1, 2, 3)),
        twist,
    )


def read(family: Family) -> Move:
    """A cart, or what was decided."""
    carts = st.builds(steps.ReadCart, device_of(family), st.sampled_from(CARTS), st.booleans())
    return one(st.one_of(carts, st.builds(steps.LookUp, device_of(family))))


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
        device_of(family),
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
        device_of(family),
        st.integers(0, 4),
        st.integers(0, 3),
    )


def clock(family: Family) -> Move:
    """Time goes by; as a rule everything is sent again after it."""
    spans = st.sampled_from((Span.PAST_RETENTION, Span.SHORT_OF_RETENTION, Span.PAST_WINDOW, Span.HOUR))
    return st.builds(
        lambda device, span, first: (steps.AdvanceClock(span), Send(device, first)),
        device_of(family),
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
        device_of(family),
    )


def discard(family: Family) -> Move:
    """An operation is cancelled, before or after it was sent; its original may come late."""
    return st.builds(
        lambda device, sequence, late: (
            steps.Discard(device, sequence),
            Send(device, sequence, sequence),
            *((Send(device, sequence, sequence, twist=Twist.ORIGINAL),) if late else ()),
        ),
        device_of(family),
        st.integers(1, 6),
        st.booleans(),
    )


def copied(family: Family) -> Move:
    """A copy of the first device comes to life and goes its own way."""
    return st.builds(
        lambda left, right, turn: (
            steps.CopyQueue(family.devices[0], family.devices[-1]),
            with_fields(left, {"device": family.devices[0]}),
            with_fields(right, {"device": family.devices[-1]}),
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
            device_of(family),
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
        Send, device_of(family), first=st.sampled_from((0, 0, 1, 2)), last=st.just(0), batch=st.sampled_from((10, 2, 1))
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
        device_of(family),
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
        device_of(family),
        st.booleans(),
    )


def restored(family: Family) -> Move:
    """The last backup is put back."""
    del family
    return st.just((steps.RestoreStore(),))


def around_restart(family: Family) -> Move:
    """A race or a sending, the server gone and back, and everything sent again."""
    back = st.sampled_from((steps.Kill(), steps.Restart()))
    return st.builds(
        lambda device, other, back, races: (
            steps.Race(Send(device), Send(other)) if races else Send(device),
            back,
            Send(device, first=1),
        ),
        device_of(family),
        device_of(family),
        back,
        st.booleans(),
    )


def restart(family: Family) -> Move:
    """The server goes and comes back, in good order or not."""
    del family
    return st.sampled_from(((steps.Restart(),), (steps.Kill(),)))
