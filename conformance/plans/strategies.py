"""Drawing plans, weighted towards what breaks servers.

A *family* is a set of moves with weights: one kind of trouble at a time finds more than all of them at once. A move is
one step or a few that belong together (a lost answer and the resending, trouble and its end). Moves that need means
the target does not offer are not drawn. What stands first in a strategy is what shrinking goes for.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.plans.account_families import ADDRESSES, CLAIMS, COUPONS, EVERYTHING, PAYMENTS, WISHES
from conformance.plans.family import NOTHING, Family, needing
from conformance.plans.intents import aged_intents, products, shop_intents, simple_intents
from conformance.plans.moves import (
    around_restart,
    at_limits,
    backend_trouble,
    backup,
    bulk,
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
from conformance.plans.steps import Enqueueing, Plan, Product, Step


def plans(family: Family, means: frozenset[Means]) -> st.SearchStrategy[Plan]:
    """Plans of a family for a target with these means."""
    weighted = [move(family) for weight, move, needs in family.moves if needs <= means for _ in range(weight)]
    enqueued = st.lists(family.intents(family), min_size=1, max_size=7)
    moves = st.lists(st.one_of(weighted), min_size=1, max_size=family.most_moves)
    return st.builds(_plan, products(), family.opening(family), enqueued, moves)


def _plan(
    offered: tuple[Product, ...], opening: tuple[Step, ...], enqueued: list[Enqueueing], moves: list[tuple[Step, ...]]
) -> Plan:
    return Plan(offered, (*opening, *enqueued, *(step for move in moves for step in move)))


DUPLICATES = Family(
    "duplicates",
    ("A", "B"),
    (
        (2, enqueue, NOTHING),
        (2, send, NOTHING),
        (4, resend, NOTHING),
        (4, twisted, NOTHING),
        (1, read, NOTHING),
        (1, offer, needing(Means.OFFERS)),
        (2, backend_trouble, needing(Means.BACKEND)),
        (2, rate_trouble, needing(Means.RATE_LIMIT)),
        (1, at_limits, NOTHING),
    ),
    simple_intents,
)
COPIES = Family(
    "copies",
    ("A", "A2"),
    (
        (2, enqueue, NOTHING),
        (2, send, NOTHING),
        (3, copied, NOTHING),
        (4, discard, NOTHING),
        (2, twisted, NOTHING),
        (1, resend, NOTHING),
        (1, backend_trouble, needing(Means.BACKEND)),
        (1, rate_trouble, needing(Means.RATE_LIMIT)),
    ),
    simple_intents,
)
PRICES = Family(
    "prices",
    ("A", "B"),
    (
        (4, enqueue, NOTHING),
        (4, send, NOTHING),
        (3, offer, NOTHING),
        (2, read, NOTHING),
        (1, resend, NOTHING),
        (1, closing, needing(Means.CLOSE_CART)),
        (1, backend_trouble, needing(Means.BACKEND)),
        (3, at_limits, NOTHING),
    ),
    shop_intents,
    needs=needing(Means.OFFERS),
)
RETENTION = Family(
    "retention",
    ("A",),
    (
        (2, enqueue, NOTHING),
        (3, send, NOTHING),
        (4, clock, NOTHING),
        (2, resend, NOTHING),
        (2, twisted, NOTHING),
        (2, discard, NOTHING),
        (1, read, NOTHING),
        (1, backend_trouble, needing(Means.BACKEND)),
        (2, expired_trouble, needing(Means.BACKEND)),
    ),
    aged_intents,
    needs=needing(Means.CLOCK),
)
LOST = Family(
    "lost",
    ("A", "B"),
    (
        (2, enqueue, NOTHING),
        (2, send, NOTHING),
        (5, lost, NOTHING),
        (1, read, NOTHING),
        (1, discard, NOTHING),
        (1, offer, needing(Means.OFFERS)),
    ),
    simple_intents,
    most_moves=8,
)
CRASHES = Family(
    "crashes",
    ("A", "B"),
    (
        (2, enqueue, NOTHING),
        (2, send, NOTHING),
        (2, killed, needing(Means.KILL)),
        (4, crash, needing(Means.ABORT)),
        (1, restart, needing(Means.KILL)),
        (1, lost, NOTHING),
        (2, around_restart, needing(Means.KILL)),
    ),
    simple_intents,
    most_moves=5,
    needs=needing(Means.KILL),
)
RACES = Family(
    "races",
    ("A", "B"),
    (
        (3, enqueue, NOTHING),
        (1, send, NOTHING),
        (5, race, NOTHING),
        (1, offer, needing(Means.OFFERS)),
        (1, discard, NOTHING),
    ),
    simple_intents,
    most_moves=8,
)
STREAMS = Family(
    "streams",
    ("A", "B"),
    (
        (2, enqueue, NOTHING),
        (1, send, NOTHING),
        (5, streamed, NOTHING),
        (1, resend, NOTHING),
        (1, twisted, NOTHING),
        (1, backend_trouble, needing(Means.BACKEND)),
    ),
    simple_intents,
    needs=needing(Means.STREAM),
)
BULK = Family(
    "bulk",
    ("A", "B"),
    (
        (4, bulk, NOTHING),
        (2, send, NOTHING),
        (2, resend, NOTHING),
        (1, lost, NOTHING),
        (1, twisted, NOTHING),
        (1, streamed, needing(Means.STREAM)),
    ),
    simple_intents,
    most_moves=4,
)
RESTORES = Family(
    "restores",
    ("A", "B"),
    (
        (2, enqueue, NOTHING),
        (3, send, NOTHING),
        (3, backup, NOTHING),
        (1, restored, NOTHING),
        (1, resend, NOTHING),
        (1, lost, NOTHING),
        (1, read, NOTHING),
    ),
    simple_intents,
    most_moves=8,
    needs=needing(Means.RESTORE),
)

FAMILIES = (
    DUPLICATES,
    COPIES,
    PRICES,
    RETENTION,
    LOST,
    CRASHES,
    RACES,
    STREAMS,
    BULK,
    RESTORES,
    COUPONS,
    WISHES,
    ADDRESSES,
    PAYMENTS,
    CLAIMS,
    EVERYTHING,
)
