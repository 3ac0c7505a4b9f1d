"""Next in line, or not: gaps, the key chain, what comes behind a refusal, the order of rules."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import operation_pb2, outcome_pb2

from conformance.mutants.mutant import Mutant, judged_by, moved
from reference_server.engine.cart_rules import CartRules, LineCase
from reference_server.engine.cases import Answer, Case, Decision, Situation
from reference_server.engine.deciding import Decider
from reference_server.engine.state import Reading


class _AcceptsGap(Decider):
    """What comes is what is next; the links of a chain with a hole in it are not asked for."""

    def gap(self, case: Case) -> Answer | None:
        return None

    def chain(self, case: Case) -> Answer | None:
        if case.operation.sequence > case.working.queue.decided_through_sequence + 1:
            return None
        return super().chain(case)


class _IgnoresChain(Decider):
    def chain(self, case: Case) -> Answer | None:
        return None


class _GoesOnAfterConflict(Decider):
    def stop_after_conflict(self) -> bool:
        return False


class _GoesOnAfterDeferral(Decider):
    def stop_after_deferral(self) -> bool:
        return False


class _WindowBeforeForm(Decider):
    STEPS = moved(Decider.STEPS, "replay_window", "required_features")


class _RateLimitBeforeChain(Decider):
    STEPS = moved(Decider.STEPS, "rate_limit", "chain")


class _StockBeforePrice(CartRules):
    TABLE = (*CartRules.TABLE[:6], CartRules.TABLE[9], *CartRules.TABLE[6:9])


class _BatchAgainstItsStart(Decider):
    """Every operation of a submission is judged against the lines as the submission found them."""

    def _line_case(self, case: Case) -> LineCase:
        line_case = super()._line_case(case)
        found = case.working.reading.lines.get((case.intent.cart_id, case.intent.sku))
        if found is not None and case.kind != "remove_item":
            line_case.line = found
            line_case.requested = self.rules.wanted(line_case.kind, case.intent, found.quantity)
        return line_case


class _LosesLast(Decider):
    """Of several operations the last is answered but never committed."""

    def decide(
        self, reading: Reading, attempts: Sequence[operation_pb2.OperationAttempt], situation: Situation
    ) -> Decision:
        decision = super().decide(reading, attempts, situation)
        if len(decision.changes.records) < 2:
            return decision
        kept = super().decide(reading, attempts[:-1], situation)
        return Decision(decision.results, kept.changes, kept.charged_count, decision.failures)


class _AnswersBackwards(Decider):
    def decide(
        self, reading: Reading, attempts: Sequence[operation_pb2.OperationAttempt], situation: Situation
    ) -> Decision:
        decision = super().decide(reading, attempts, situation)
        decision.results.reverse()
        return decision


class _SkipsReplays(Decider):
    """Leaves out of its answer what the client was told before."""

    def decide(
        self, reading: Reading, attempts: Sequence[operation_pb2.OperationAttempt], situation: Situation
    ) -> Decision:
        decision = super().decide(reading, attempts, situation)
        fresh: list[outcome_pb2.OperationResult] = [result for result in decision.results if not result.replayed]
        if fresh:
            decision.results[:] = fresh
        return decision


MUTANTS = (
    Mutant(
        "accepts-a-gap",
        "Decides an operation although the ones before it never came.",
        ("deciding/gap-deferred", "effects/in-order"),
        "decider",
        _AcceptsGap,
    ),
    Mutant(
        "ignores-the-key-chain",
        "Takes any operation with the next sequence, so that a copied queue adds twice.",
        ("deciding/chain-checked", "discard/chain-continues"),
        "decider",
        _IgnoresChain,
    ),
    Mutant(
        "goes-on-after-a-conflict",
        "Decides what stands behind a conflict in the same submission.",
        ("deciding/stop-after-conflict",),
        "decider",
        _GoesOnAfterConflict,
    ),
    Mutant(
        "goes-on-after-a-deferral",
        "Looks at what stands behind a deferral, and answers it with a reason of its own.",
        ("deciding/stop-after-deferral",),
        "decider",
        _GoesOnAfterDeferral,
    ),
    Mutant(
        "window-before-form",
        "Reports an expired operation before a missing feature, an unknown intent or a malformed field.",
        ("deciding/refusal-order",),
        "decider",
        _WindowBeforeForm,
    ),
    Mutant(
        "rate-limit-before-chain",
        "Defers an operation of a diverged queue by the rate limit.",
        ("deciding/refusal-order", "deciding/chain-checked"),
        "decider",
        _RateLimitBeforeChain,
    ),
    Mutant(
        "stock-before-price",
        "Reports missing stock before a price above the limit.",
        ("deciding/refusal-order",),
        "decider",
        judged_by(_StockBeforePrice),
    ),
    Mutant(
        "batch-against-its-start",
        "Judges all operations of a submission against the cart as it was before the first.",
        ("effects/in-order", "cart/add-adds"),
        "decider",
        _BatchAgainstItsStart,
    ),
    Mutant(
        "loses-the-last-of-a-batch",
        "Answers the last operation of a submission without committing it.",
        ("effects/exactly-once", "answers/watermark", "durability/answer-after-commit"),
        "decider",
        _LosesLast,
    ),
    Mutant(
        "answers-backwards",
        "Answers the operations of a submission in reverse order.",
        ("answers/one-per-attempt",),
        "decider",
        _AnswersBackwards,
    ),
    Mutant(
        "leaves-replays-out",
        "Leaves duplicates out of the answer when there is something new in it.",
        ("answers/one-per-attempt",),
        "decider",
        _SkipsReplays,
    ),
)
