"""Which requirement an answer breaks, when it is not the one that every possible world calls for.

The rule that fixed the right answer is the first guess; what was answered instead, and what happened to the server
before, often names a closer one: a duplicate that is executed again breaks exactly-once, after a crash durability,
after pruning retention.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.oracle.observations import ObservedResult
from conformance.oracle.resources import profile_of
from conformance.oracle.rules import rules_of
from conformance.oracle.values import (
    Add,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    Attempt,
    ClaimGuestCart,
    DeletePaymentMethod,
    Discard,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
    State,
    Stock,
)
from conformance.oracle.world import Answer, Queue, Record, Shop, World

_RULE_OF_REASON = {
    "KEY_REUSED": "deciding/key-reused",
    "UNSUPPORTED_FEATURE": "deciding/unsupported-feature",
    "UNSUPPORTED_INTENT": "deciding/unsupported-intent",
    "OPERATION_TOO_LARGE": "deciding/too-large",
    "MALFORMED": "deciding/malformed",
    "CARD_NUMBER_REFUSED": "security/identifiers-exempt",
    "PRINCIPAL_CLAIMED": "claim/guest-closed",
    "QUARANTINED": "poison/internal-deferred",
    "INTERNAL": "poison/internal-deferred",
}
_NEED_A_RAISE = frozenset(
    {
        "SKU_UNKNOWN",
        "SKU_UNLISTED",
        "CURRENCY_MISMATCH",
        "PRICE_ABOVE_LIMIT",
        "LINE_LIMIT_EXCEEDED",
        "INSUFFICIENT_INVENTORY",
        "BACKEND_UNAVAILABLE",
    }
)


@dataclass(frozen=True, slots=True)
class Context:
    """What happened before that tells one broken rule from another.

    `crash` is "", "kill" or "restart": whether the server died or was restarted since the last look at its state;
    `race` is "", "duplicates" or "queues". `deferred` and `conflicted` hold (queue, sequence) once so answered.
    """

    crash: str = ""
    race: str = ""
    deferred: frozenset[tuple[str, int]] = frozenset()
    conflicted: frozenset[tuple[str, int]] = frozenset()
    clock_moved: bool = False
    restored: bool = False
    lost: bool = False  # an answer was lost and nothing has shown yet what became of it

    @property
    def trouble(self) -> str:
        """The requirement that a wrong effect breaks after what just happened; empty when nothing special did."""
        if self.restored:
            return "store/restored-watermark"
        if self.crash == "kill":
            return "durability/atomic-commit"
        if self.crash == "restart":
            return "durability/restart-keeps-records"
        if self.race:
            return f"effects/concurrent-{self.race}"
        return ""


@dataclass(frozen=True, slots=True)
class Miss:
    """An answer beside the right one."""

    world: World
    shop: Shop
    queue_id: str
    attempt: Attempt
    answer: Answer
    observed: ObservedResult
    context: Context

    @property
    def queue(self) -> Queue:
        """The queue before the attempt."""
        return self.world.queue(self.queue_id)

    @property
    def place(self) -> tuple[str, int]:
        """The queue and sequence of the attempt."""
        return (self.queue_id, self.attempt.operation.sequence)

    @property
    def reason(self) -> str:
        """The reason observed; empty for none."""
        return self.observed.outcome.reason or ""

    @property
    def is_discard(self) -> bool:
        """Whether the attempt is a discard."""
        return isinstance(self.attempt.operation.intent, Discard)

    @property
    def key_elsewhere(self) -> bool:
        """Whether another queue holds a record of the same key."""
        key = self.attempt.operation.key
        return any(
            record.operation.key == key
            for name, queue in self.world.queues
            if name != self.queue_id
            for record in queue.records
        )


def slug_of_other_key(miss: Miss) -> str:
    """The requirement broken by an answer that carries the key of another operation."""
    if miss.place in miss.context.conflicted:
        return "deciding/conflict-unrecorded"
    if miss.key_elsewhere:
        return "deciding/key-scope"
    return "deciding/sequence-conflict" if miss.observed.replayed else "answers/one-per-attempt"


def slug_of(miss: Miss) -> str:
    """The requirement broken by an answer of another state or reason, or with another replayed flag."""
    sequence = miss.attempt.operation.sequence
    if sequence <= miss.queue.watermark:
        return _behind_watermark(miss, miss.queue.records[sequence - 1])
    if not miss.answer.outcome.state.final and miss.answer.outcome.reason not in (
        "RATE_LIMITED",
        "BACKEND_UNAVAILABLE",
    ):
        ordered = miss.answer.outcome.reason == "SEQUENCE_GAP" and miss.reason in (
            "RATE_LIMITED",
            "BACKEND_UNAVAILABLE",
        )
        return "deciding/refusal-order" if ordered else miss.answer.outcome.rule
    return _next_in_line(miss)


def _behind_watermark(miss: Miss, record: Record) -> str:
    expected, observed, reason = miss.answer.outcome, miss.observed.outcome, miss.reason
    if expected.state is State.PURGED:
        return "retention/purged-not-executed"
    if observed.state is State.PURGED:
        if miss.context.crash:
            return "durability/restart-keeps-records"
        if miss.shop.now > record.decided_at:
            return "retention/records-kept"
        return _record_missing(miss, record, "retention/records-kept")
    if not miss.answer.replayed:
        return expected.rule  # the conflicts
    if reason == "RATE_LIMITED":
        return "rate/exempt"
    if reason == "SEQUENCE_GAP":
        return _watermark_low(miss, record)
    if reason == "PAYLOAD_MISMATCH":
        return (
            "deciding/conflict-unrecorded" if miss.place in miss.context.conflicted else "deciding/payload-by-meaning"
        )
    if reason == "SEQUENCE_CONFLICT":
        overwritten = miss.place in miss.context.conflicted
        return (
            "deciding/conflict-unrecorded" if overwritten else _record_missing(miss, record, "deciding/replay-verbatim")
        )
    if observed.state is expected.state and (observed.reason or "") == expected.reason and not miss.observed.replayed:
        same = record.seen is not None and record.seen == observed.verbatim
        return "deciding/replayed-flag" if same else _executed_again(miss, record)
    if miss.observed.replayed:
        return "deciding/replay-verbatim" if record.seen is not None else _unseen(miss, "deciding/replay-verbatim")
    if observed.state is State.APPLIED:
        return _executed_again(miss, record)
    return miss.context.trouble or "deciding/duplicates-first"


def _executed_again(miss: Miss, record: Record) -> str:
    if miss.shop.may_be_pruned(record):
        return "retention/purged-not-executed"
    return _record_missing(miss, record, "effects/exactly-once")


def _record_missing(miss: Miss, record: Record, otherwise: str) -> str:
    if miss.context.trouble:
        return miss.context.trouble.replace("durability/atomic-commit", _unseen_or_answered(record))
    if record.crash_count < miss.shop.crash_count:
        return "durability/restart-keeps-records"
    if record.outcome.state is State.REJECTED:
        return "deciding/rejection-recorded"
    if record.seen is None and otherwise == "effects/exactly-once":
        return "effects/exactly-once"
    return otherwise


def _unseen_or_answered(record: Record) -> str:
    return "durability/answer-after-commit" if record.seen is not None else "durability/atomic-commit"


def _unseen(miss: Miss, otherwise: str) -> str:
    return miss.context.trouble or ("durability/lost-answer" if miss.context.lost else otherwise)


def _watermark_low(miss: Miss, last: Record) -> str:
    """The server asks for an operation that was decided."""
    if miss.context.trouble:
        return miss.context.trouble.replace("durability/atomic-commit", _unseen_or_answered(last))
    if miss.context.clock_moved and miss.shop.may_be_pruned(last):
        return "retention/watermark-kept"
    if last.crash_count < miss.shop.crash_count:
        return "durability/restart-keeps-records"
    if last.outcome.state is State.REJECTED:
        return "deciding/rejection-advances"
    if isinstance(last.operation.intent, Discard):
        return "discard/cancels-undecided"
    return "durability/answer-after-commit"


def _next_in_line(miss: Miss) -> str:
    if miss.reason in ("PAYLOAD_MISMATCH", "SEQUENCE_CONFLICT", "OUTCOME_PURGED") or miss.observed.replayed:
        return _thought_decided(miss)
    last = miss.queue.records[-1] if miss.queue.records else None
    if miss.reason == "SEQUENCE_GAP":
        return _watermark_low(miss, last) if last else "deciding/gap-deferred"
    if miss.reason == "QUEUE_DIVERGED":
        return _chain_lost(miss, last)
    if miss.reason == "PREDECESSOR_NOT_DECIDED":
        rejected = last is not None and last.outcome.state is State.REJECTED
        return "deciding/rejection-advances" if rejected else "answers/one-per-attempt"
    return _judged_otherwise(miss)


def _thought_decided(miss: Miss) -> str:
    """The server takes for decided what was not."""
    if miss.key_elsewhere:
        return "deciding/key-scope"
    if miss.place in miss.context.conflicted:
        return "deciding/conflict-unrecorded"
    if miss.place in miss.context.deferred:
        return "deciding/deferral-unrecorded"
    if miss.context.trouble:
        return miss.context.trouble
    same = miss.observed.outcome.state is miss.answer.outcome.state
    return "deciding/replayed-flag" if miss.observed.replayed and same else "effects/exactly-once"


def _chain_lost(miss: Miss, last: Record | None) -> str:
    if last is None:
        return "deciding/chain-checked"
    if isinstance(last.operation.intent, Discard):
        return "discard/chain-continues"
    if (miss.queue_id, last.operation.sequence) in miss.context.conflicted or miss.place in miss.context.conflicted:
        return "deciding/conflict-unrecorded"
    if last.outcome.state is State.REJECTED:
        return "deciding/rejection-advances"
    lost = _watermark_low(miss, last)
    return "deciding/chain-checked" if lost == "durability/answer-after-commit" and not miss.context.trouble else lost


def _judged_otherwise(miss: Miss) -> str:
    """Decided, or deferred, by another rule than the first that applies."""
    expected, observed, reason = miss.answer.outcome, miss.observed.outcome, miss.reason
    if reason == "RATE_LIMITED":
        return "rate/exempt" if miss.is_discard else "rate/deferred"
    if miss.is_discard:
        return "discard/cancels-undecided" if observed.state is State.APPLIED else "discard/never-refused"
    if reason == "BACKEND_UNAVAILABLE":
        if expected.reason == "REPLAY_WINDOW_EXPIRED":
            return "retention/window-before-backend"
        return "deciding/refusal-order" if reason in expected.also_refused_by else _without_backend(miss)
    if reason == "REPLAY_WINDOW_EXPIRED" and expected.state is State.APPLIED:
        age = miss.attempt.age
        return (
            "retention/unknown-age" if age is None else f"retention/{'negative-age' if age < 0 else 'window-enforced'}"
        )
    if reason == "KEY_REUSED":
        return "deciding/key-scope" if miss.key_elsewhere else "deciding/key-reused"
    if reason and reason in expected.also_refused_by:
        return "deciding/refusal-order"
    if expected.state is not State.APPLIED:
        return expected.rule
    return _refused_without_cause(miss)


def _without_backend(miss: Miss) -> str:
    """Deferred for a backing service that is there, or that it does not need."""
    match miss.attempt.operation.intent:
        case ApplyCoupon():
            return "coupons/backend"
        case RemoveCoupon():
            return "coupons/remove-free"
        case AddToWishlist() | RemoveFromWishlist():
            return "wishlist/any-product"
        case SavePaymentMethod() | DeletePaymentMethod():
            return "payment/backend"
        case ClaimGuestCart():
            return "claim/backend"
        case _ if profile_of(miss.attempt.operation.intent) != "core":
            return miss.answer.outcome.rule
        case _:
            return "backend/deferred" if _raises(miss) else "stock/decrease-free"


def _raises(miss: Miss) -> bool:
    """Whether the operation would leave its line with more than it has."""
    intent = miss.attempt.operation.intent
    match intent:
        case Add():
            return True
        case Adjust(delta=delta):
            return delta > 0
        case Set(cart=cart, sku=sku, quantity=quantity):
            return quantity > miss.world.cart(cart, miss.shop.owner(miss.queue_id)).quantity(sku)
        case _:
            return False


def _refused_without_cause(miss: Miss) -> str:
    expected, reason = miss.answer.outcome, miss.reason
    intent = miss.attempt.operation.intent
    own = {name: slug for name, slug, _ in rules_of(intent)}
    if profile_of(intent) != "core":
        return own.get(reason) or _RULE_OF_REASON.get(reason) or expected.rule
    if reason in _NEED_A_RAISE and not _raises(miss):
        return "stock/decrease-free"
    if reason == "INSUFFICIENT_INVENTORY":
        return "stock/clamp" if getattr(intent, "stock", None) is Stock.CLAMP else "stock/exact"
    if reason == "LINE_CHANGED":
        return "guard/own-queue"
    if reason == "CART_NOT_FOUND" and expected.place is not None:
        makers = {change.author.queue for change in miss.world.resource(expected.place).past.changes}
        return miss.context.trouble or ("cart/shared" if miss.queue_id not in makers else "cart/missing-cart")
    return own.get(reason) or _RULE_OF_REASON.get(reason) or expected.rule
