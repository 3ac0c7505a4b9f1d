"""Discards: cancelled though it was too late, refused though it never may be, the chain behind one."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from cartsync.v1 import outcome_pb2

from conformance.mutants.mutant import Mutant
from conformance.mutants.recording import final_but_unrecorded
from reference_server.engine.cases import Answer, Case, Discarded, Replayed
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import QueueMark, Record
from reference_server.ports import BackendUnavailableError


class _DiscardsTheDecided(Decider):
    """Tells a discard that came too late that it cancelled."""

    def other_key(self, case: Case, record: Record) -> Answer | None:
        if case.kind == "discard":
            return Discarded(case.operation.discard.discarded_key)
        return super().other_key(case, record)

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        decided = case.operation.sequence <= case.working.queue.decided_through_sequence
        if decided and isinstance(answer, Discarded):
            return final_but_unrecorded(self, case, answer)
        return super().take(case, answer)


class _ForgetsDiscards(Decider):
    """Answers a discard and remembers nothing, so that the original is applied when it arrives."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        if isinstance(answer, Discarded):
            return final_but_unrecorded(self, case, answer)
        return super().take(case, answer)


class _ChainOfTheDiscard(Decider):
    def mark_after(self, case: Case, answer: Answer) -> QueueMark:
        return QueueMark(case.operation.sequence, case.operation.idempotency_key)


class _EitherChain(Decider):
    """Behind a discard the next operation may link to either."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._discards: dict[tuple[str, str], str] = {}  # the key of the discard that a queue stands behind

    def mark_after(self, case: Case, answer: Answer) -> QueueMark:
        queue = case.situation.principal, case.situation.queue_id
        self._discards[queue] = case.operation.idempotency_key if case.kind == "discard" else ""
        return super().mark_after(case, answer)

    def chain(self, case: Case) -> Answer | None:
        behind = self._discards.get((case.situation.principal, case.situation.queue_id))
        return None if behind and behind == case.operation.previous_key else super().chain(case)


class _LimitsDiscards(Decider):
    DISCARD_STEPS = (*Decider.DISCARD_STEPS[:3], "rate_limit", *Decider.DISCARD_STEPS[3:])

    def is_charged(self, case: Case) -> bool:
        return True


class _DefersDiscards(Decider):
    DISCARD_STEPS = (*Decider.DISCARD_STEPS[:-1], "ask_catalogue", "discard")

    def ask_catalogue(self, case: Case) -> Answer | None:
        """Nothing can be decided while the backing services are away."""
        try:
            case.situation.offers("any")
        except BackendUnavailableError:
            return refuse(
                Reason.REASON_BACKEND_UNAVAILABLE,
                "the catalogue does not answer",
                retry_delay=self.policy.trouble_retry_delay,
            )
        return None


class _ExpiresDiscards(Decider):
    DISCARD_STEPS = (*Decider.DISCARD_STEPS[:-1], "replay_window", "discard")


class _RequiresFeaturesOfDiscards(Decider):
    DISCARD_STEPS = (*Decider.DISCARD_STEPS[:-1], "required_features", "size", "discard")


class _DiscardsAreRejections(Decider):
    """A late original is told that it was rejected, as if it had been decided itself."""

    def other_key(self, case: Case, record: Record) -> Answer | None:
        outcome = outcome_pb2.Outcome.FromString(record.outcome)
        is_discard = not outcome.HasField("line_change") and not outcome.HasField("refusal")
        answer = super().other_key(case, record)
        if is_discard and isinstance(answer, Refused):
            return Replayed(record)
        return answer


MUTANTS = (
    Mutant(
        "discards-what-was-decided",
        "Tells a discard that it cancelled although the operation has had its effect.",
        ("discard/too-late",),
        "decider",
        _DiscardsTheDecided,
    ),
    Mutant(
        "forgets-discards",
        "Answers a discard without recording it, and applies the original that arrives later.",
        ("discard/cancels-undecided", "discard/late-original"),
        "decider",
        _ForgetsDiscards,
    ),
    Mutant(
        "late-original-told-applied",
        "Answers a late original with the APPLIED of the discard that cancelled it.",
        ("discard/late-original",),
        "decider",
        _DiscardsAreRejections,
    ),
    Mutant(
        "chain-goes-on-from-the-discard",
        "Expects the operation behind a discard to link to the discard.",
        ("discard/chain-continues",),
        "decider",
        _ChainOfTheDiscard,
    ),
    Mutant(
        "either-chain-behind-a-discard",
        "Lets the operation behind a discard link to the discard as well as to what it discarded.",
        ("discard/chain-continues",),
        "decider",
        _EitherChain,
    ),
    Mutant(
        "discards-rate-limited",
        "Charges discards to the rate limit and refuses them by it.",
        ("discard/never-refused", "rate/exempt"),
        "decider",
        _LimitsDiscards,
    ),
    Mutant(
        "discards-wait-for-the-catalogue",
        "Defers a discard while the backing services are unreachable.",
        ("discard/never-refused",),
        "decider",
        _DefersDiscards,
    ),
    Mutant(
        "discards-expire",
        "Rejects a discard that is older than the replay window.",
        ("discard/never-refused",),
        "decider",
        _ExpiresDiscards,
    ),
    Mutant(
        "discards-need-features",
        "Rejects a discard for a feature it requires or for its size.",
        ("discard/never-refused",),
        "decider",
        _RequiresFeaturesOfDiscards,
    ),
)
