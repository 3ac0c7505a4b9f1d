"""Coverage: which requirement was judged, in what state, under which fault.

A *triple* says that once. The state is as the oracle sees it when it judges: where the attempt stands to its queue, and
what happened or is amiss just then. The fault is the one that the plan put upon the sending, or upon the server since
the queue was last answered; its names are those of the steps and fates themselves, so that a new one counts by itself.
What a campaign has reached steers what it draws next (`campaign.py`), and stands in the report as a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from conformance.oracle.attribution import Context
from conformance.oracle.judging import Judgement
from conformance.oracle.values import Add, State
from conformance.oracle.world import Scope, Shop
from conformance.oracle.worlds import Moment
from conformance.plans import steps
from conformance.plans.files import name_of, name_of_kind
from conformance.plans.steps import STEPS, Fate, Race, Send, Step, Via

NO_FAULT = "none"


class Triple(NamedTuple):
    """A requirement that was judged, the state it was judged in, the fault that was in force."""

    requirement: str
    state: str
    fault: str


class Position(StrEnum):
    """Where what was judged stands to its queue."""

    NEXT = "next in line"
    DUPLICATE = "duplicate"
    CONFLICT = "beside its record"
    PURGED = "pruned"
    GAP = "above a gap"
    BEHIND_STOP = "behind a stop"
    READ = "read"


class History(StrEnum):
    """What happened before, the most telling first."""

    RESTORED = "after a restore"
    KILLED = "after a kill"
    RESTARTED = "after a restart"
    RACED = "after a race"
    RECORDED_BEFORE_RESTART = "recorded before a restart"
    UNDECIDED = "outcome unknown"
    CONFLICTED = "in conflict before"
    DEFERRED = "deferred before"
    CLOCK_MOVED = "clock moved"


class Trouble(StrEnum):
    """What is amiss in the shop, the most telling first."""

    BACKEND_DOWN = "backend down"
    LIMITED = "limited"
    CART_CLOSED = "cart closed"
    UNLISTED = "unlisted"
    OFFER_CHANGED = "offer changed"


STATE_WORDS: tuple[str, ...] = (*Position, *History, *Trouble)
"""Every word that a state may be made of, a position first."""

_HARMLESS: tuple[type[Step], ...] = (
    steps.Enqueue,
    steps.EnqueueCoupon,
    steps.EnqueueWish,
    steps.EnqueueAddress,
    steps.EnqueueAddressDeletion,
    steps.EnqueuePayment,
    steps.EnqueueClaim,
    steps.Discard,
    steps.CopyQueue,
    steps.SetOffer,
    steps.SetPromotion,
    steps.SetToken,
    steps.CloseCart,
    steps.AdvanceClock,
    steps.Backend,
    steps.RateLimit,
    steps.SaveStore,
    steps.ReadCart,
    steps.Read,
    steps.LookUp,
)
"""Steps that are no fault: what shoppers and the shop do, of which the state tells. All others are one."""


def fault_of(step: Step) -> str:
    """The name of the fault that a step is; NO_FAULT when it is none."""
    match step:
        case Send(fate=Fate.ANSWERED):
            return NO_FAULT
        case Send():
            return fault_of_sending(step.fate, step.via)
        case Race():
            return "race_held" if step.held else "race"
        case _:
            return NO_FAULT if isinstance(step, _HARMLESS) else name_of(step)


def fault_of_sending(fate: Fate, via: Via = Via.UNARY) -> str:
    """The name of what becomes of a sending; over a stream, a cut is another fault than over a call."""
    if fate is Fate.ANSWERED:
        return NO_FAULT
    return f"stream_{fate}" if via is Via.STREAM and fate is Fate.CUT else fate.value


FAULTS: tuple[str, ...] = (
    NO_FAULT,
    *(fate.value for fate in Fate if fate is not Fate.ANSWERED),
    fault_of_sending(Fate.CUT, Via.STREAM),
    "race",
    "race_held",
    *(name_of_kind(kind) for kind in STEPS if kind not in (*_HARMLESS, Send, Race)),
)
"""Every fault that a plan may have."""


def state_of(judgement: Judgement) -> str:
    """The state that something was judged in: its position, then what happened before, then what is amiss."""
    moment, shop = judgement.moment, judgement.shop
    position = Position.READ if moment is None else _position(moment)
    history = _history(judgement.context, moment, shop, undecided=judgement.undecided)
    trouble = _trouble(shop, moment, judgement.queue_id)
    return ", ".join(word for word in (position, history, trouble) if word)


def _position(moment: Moment) -> Position:
    sequence, watermark = moment.attempt.operation.sequence, moment.before.queue(moment.queue_id).watermark
    if moment.answer.outcome.rule.startswith("deciding/stop-after"):
        return Position.BEHIND_STOP
    if sequence > watermark:
        return Position.NEXT if sequence == watermark + 1 else Position.GAP
    if moment.answer.outcome.state is State.PURGED:
        return Position.PURGED
    return Position.DUPLICATE if moment.answer.replayed else Position.CONFLICT


def _history(context: Context, moment: Moment | None, shop: Shop, *, undecided: bool) -> History | None:
    if context.restored:
        return History.RESTORED
    if context.crash:
        return History.KILLED if context.crash == "kill" else History.RESTARTED
    if context.race:
        return History.RACED
    if moment is not None:
        sequence = moment.attempt.operation.sequence
        records = moment.before.queue(moment.queue_id).records[:sequence]
        if records and records[-1].crash_count < shop.crash_count:
            return History.RECORDED_BEFORE_RESTART
    if undecided or context.lost:
        return History.UNDECIDED
    if moment is not None:
        place = (moment.queue_id, moment.attempt.operation.sequence)
        if place in context.conflicted:
            return History.CONFLICTED
        if place in context.deferred:
            return History.DEFERRED
    return History.CLOCK_MOVED if context.clock_moved else None


def _trouble(shop: Shop, moment: Moment | None, queue_id: str) -> Trouble | None:
    principal = shop.owner(queue_id)
    if not shop.answers(principal):
        return Trouble.BACKEND_DOWN
    if moment is None:
        return None
    if any(moment.before.allowance(principal, scope) is not None for scope in Scope):
        return Trouble.LIMITED
    intent = moment.attempt.operation.intent
    cart, offer = getattr(intent, "cart", ""), shop.offer(getattr(intent, "sku", ""))
    if cart and moment.before.cart(cart, principal).closed:
        return Trouble.CART_CLOSED
    if offer is None:
        return None
    if not offer.listed:
        return Trouble.UNLISTED
    return Trouble.OFFER_CHANGED if isinstance(intent, Add) and intent.observed != offer.price else None


class Lookout:
    """Writes down the triples of one playing. Told of each step, and of every judgement as the judge's witness."""

    def __init__(self) -> None:
        self.triples: Counter[Triple] = Counter()
        self._now = NO_FAULT
        self._lingering: dict[str, str] = {}  # by queue: what befell it, or the server, since it was last answered
        self._answered: set[str] = set()

    def begins(self, step: Step) -> None:
        """A step begins."""
        self._now = fault_of(step)
        for queue in self._answered:
            self._lingering.pop(queue, None)
        self._answered.clear()

    def suffers(self, fate: Fate, via: Via = Via.UNARY) -> None:
        """What really becomes of the sending under way, where the stage cannot do what the plan says."""
        self._now = fault_of_sending(fate, via)

    def ends(self, struck: Iterable[str]) -> None:
        """The step is over; these queues are yet to be answered after it."""
        if self._now != NO_FAULT:
            self._answered.clear()
            self._lingering |= dict.fromkeys(struck, self._now)
        self._now = NO_FAULT

    def judged(self, judgement: Judgement) -> None:
        """The judge found something right."""
        queue = judgement.queue_id
        fault = self._now if self._now != NO_FAULT else self._lingering.get(queue, NO_FAULT)
        if judgement.moment is not None and self._now == NO_FAULT:
            self._answered.add(queue)
        self.triples[Triple(judgement.requirement, state_of(judgement), fault)] += 1


class Coverage:
    """What a campaign has reached: how often each triple was met, and in how many plans."""

    def __init__(self) -> None:
        self.counts: Counter[Triple] = Counter()
        self.plan_counts: Counter[Triple] = Counter()

    def add(self, triples: Counter[Triple]) -> int:
        """Count the triples of one plan; returns how many of them are new."""
        new = sum(triple not in self.counts for triple in triples)
        self.counts.update(triples)
        self.plan_counts.update(triples.keys())
        return new

    def rarity(self, triples: Iterable[Triple]) -> float:
        """How rare the rarest of some triples is: 1 for one that a single plan met, nearer to 0 for common ones."""
        return max((1 / self.plan_counts[triple] for triple in triples if self.plan_counts[triple]), default=0.0)
