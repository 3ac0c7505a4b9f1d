"""Drawing plans, weighted towards what breaks servers.

A *family* is a set of moves with weights: one kind of trouble at a time finds more than all of them at once. A move is
one step or a few that belong together (a lost answer and the resending, trouble and its end). Moves that need means
the target does not offer are not drawn. What stands first in a strategy is what shrinking goes for.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.family import Family
from conformance.plans.intents import aged_intents, products, shop_intents, simple_intents
from conformance.plans.moves import (
    backend_trouble,
    backup,
    clock,
    closing,
    copied,
    crash,
    discard,
    enqueue,
    expired_trouble,
    killed,
    lost,
    offer,
    race,
    rate_trouble,
    read,
    resend,
    restart,
    restored,
    send,
    streamed,
    twisted,
)
from conformance.plans.stage import Means
from conformance.plans.steps import Plan, Product, Step


def plans(family: Family, means: frozenset[Means]) -> st.SearchStrategy[Plan]:
    """Plans of a family for a target with these means."""
    weighted = [move(family) for weight, move, needs in family.moves if needs <= means for _ in range(weight)]
    enqueued = st.lists(family.intents(family), min_size=1, max_size=7)
    moves = st.lists(st.one_of(weighted), min_size=1, max_size=family.most_moves)
    return st.builds(_plan, products(), enqueued, moves)


def _plan(offered: tuple[Product, ...], enqueued: list[steps.Enqueue], moves: list[tuple[Step, ...]]) -> Plan:
    return Plan(offered, (*enqueued, *(step for move in moves for step in move)))


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
