"""Decides the operations of one submission, by the table of chapter 3.

Theory of operation. `Decider.decide` walks a submission in order over an in-memory working state that starts as
what the store held at one instant. For each operation the steps of `STEPS` are asked in turn; the first one that
has an answer ends the walk. An answer is one of

    Replayed      decided before: the recorded outcome, nothing changes
    Refused       the reason's policy in `reason.proto` says whether it is recorded
    LineOutcome   applied, with what became of the line
    Applied       applied, with all that it writes
    Discarded     applied; the operation that had this sequence never will be

A recorded answer moves the watermark and the key chain; any other one leaves the state as it was, and after a
conflict or a deferral the rest of the submission is not looked at. What has been decided is a value, `Decision`:
nothing is durable before the caller has committed `Decision.changes`, and nothing may be answered before that.

Steps 1 and 6 are in `comparing`, 13 and 14 in `judging`, the others here. Every rule is one small method, so that a
variant of the server can be made by overriding exactly one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import ClassVar

from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from reference_server.engine import digest, instants, well_formed
from reference_server.engine.cart_rules import LineOutcome
from reference_server.engine.cases import Answer, Applied, Case, Decision, Discarded, Failure, Replayed, Situation
from reference_server.engine.comparing import Comparing
from reference_server.engine.refusals import REASON_POLICIES, Reason, Refused, refuse
from reference_server.engine.state import Head, QueueMark, Reading, Record
from reference_server.engine.working import NOTHING, Working, outcome_of

# Of the missing features a refusal names: how many, and how many characters of each.
MAX_NAMED_FEATURES = 32
MAX_FEATURE_LENGTH = 128


class Decider(Comparing):
    """The decision core. Keeps no state between calls; deterministic in its arguments."""

    STEPS: ClassVar[tuple[str, ...]] = (
        "already_decided",  # step 1
        "gap",  # 2
        "chain",  # 3
        "rate_limit",  # 4
        "saving_limit",  # 4
        "quarantine",  # section 3.7
        "intervene",
        "key_reused",  # 5
        "card_number",  # 6
        "principal_claimed",  # 7
        "required_features",  # 8
        "known_intent",  # 9
        "size",  # 10
        "well_formed",  # 11
        "replay_window",  # 12
        "backing_services",  # 13
        "intent_rules",  # 14
    )
    DISCARD_STEPS: ClassVar[tuple[str, ...]] = (
        "already_decided",
        "gap",
        "chain",
        "quarantine",
        "intervene",
        "key_reused",
        "discard",
    )

    # The submission.

    def decide(
        self, reading: Reading, attempts: Sequence[operation_pb2.OperationAttempt], situation: Situation
    ) -> Decision:
        """Decide a submission that `submission_checks` found nothing wrong with (spec: effects/in-order)."""
        working = Working(reading)
        results: list[outcome_pb2.OperationResult] = []
        failures: list[Failure] = []
        stopped = False
        for attempt in attempts:
            case = Case(attempt, working, situation)
            result = self.predecessor_not_decided(case) if stopped else self._decide_one(case, failures)
            results.append(result)
            stopped = stopped or self.stops_submission(result.outcome.state)
        changes = working.changes(situation.principal, situation.queue_id, situation.now_us)
        return Decision(results, changes, working.charged_count, failures, working.charged_saving_count)

    def stops_submission(self, state: reason_pb2.OutcomeState.ValueType) -> bool:
        """Whether the operations behind one with this state are looked at no more."""
        if state == reason_pb2.OUTCOME_STATE_CONFLICT:
            return self.stop_after_conflict()
        if state == reason_pb2.OUTCOME_STATE_DEFERRED:
            return self.stop_after_deferral()
        return False

    def stop_after_conflict(self) -> bool:
        """Spec: deciding/stop-after-conflict."""
        return True

    def stop_after_deferral(self) -> bool:
        """Spec: deciding/stop-after-deferral."""
        return True

    def predecessor_not_decided(self, case: Case) -> outcome_pb2.OperationResult:
        """The answer behind a conflict or a deferral."""
        refused = refuse(
            Reason.REASON_PREDECESSOR_NOT_DECIDED, "an operation before it in this submission was not decided"
        )
        return self._unrecorded(case, refused)

    # One operation.

    def _decide_one(self, case: Case, failures: list[Failure]) -> outcome_pb2.OperationResult:
        try:
            return self.take(case, self.answer(case))
        except Exception as error:
            failures.append(Failure(case.operation.sequence, case.operation.idempotency_key, error))
            return self.failed(case)

    def answer(self, case: Case) -> Answer:
        """Walk the steps; the first that has an answer ends the walk (spec: deciding/refusal-order)."""
        for step in self.DISCARD_STEPS if case.kind == "discard" else self.STEPS:
            answer: Answer | None = getattr(self, step)(case)
            if answer is not None:
                return answer
        raise AssertionError(f"no step had an answer to an operation of kind {case.kind}")

    def failed(self, case: Case) -> outcome_pb2.OperationResult:
        """Spec: poison/internal-deferred. Counted when the operation could have been decided."""
        operation = case.operation
        if operation.sequence == case.working.queue.decided_through_sequence + 1:
            case.working.count_failure(operation.sequence, operation.idempotency_key)
        refused = refuse(
            Reason.REASON_INTERNAL,
            "the server failed while deciding this operation",
            retry_delay=self.policy.trouble_retry_delay,
        )
        return self._unrecorded(case, refused)

    # Steps 2 to 4: next in line, or not.

    def gap(self, case: Case) -> Answer | None:
        """Step 2 (spec: deciding/gap-deferred)."""
        expected = case.working.queue.decided_through_sequence + 1
        if case.operation.sequence <= expected:
            return None
        return refuse(
            Reason.REASON_SEQUENCE_GAP,
            f"sequence {expected} has not been decided yet",
            expected_sequence=expected,
        )

    def chain(self, case: Case) -> Answer | None:
        """Step 3 (spec: deciding/chain-checked)."""
        if case.operation.previous_key == case.working.queue.last_key:
            return None
        return refuse(
            Reason.REASON_QUEUE_DIVERGED, "previous_key is not the key decided last: a copy of this queue is live"
        )

    def rate_limit(self, case: Case) -> Answer | None:
        """Step 4 (spec: rate/deferred)."""
        allowance = case.situation.allowance
        if allowance is None or case.working.charged_count < allowance:
            return None
        return refuse(
            Reason.REASON_RATE_LIMITED,
            "too many operations; come back later",
            retry_delay=case.situation.rate_limit_delay,
        )

    def saving_limit(self, case: Case) -> Answer | None:
        """Step 4 too: saving payment methods has a limit of its own (spec: payment/rate-limited)."""
        allowance = case.situation.payment_allowance
        if allowance is None or not self.is_saving(case) or case.working.charged_saving_count < allowance:
            return None
        return refuse(
            Reason.REASON_RATE_LIMITED,
            "too many payment methods saved; come back later",
            retry_delay=case.situation.payment_rate_limit_delay,
        )

    def quarantine(self, case: Case) -> Answer | None:
        """An operation that failed too often is not tried again (spec: poison/quarantined)."""
        operation = case.operation
        failed_count = case.working.reading.failures.get((operation.sequence, operation.idempotency_key), 0)
        if failed_count < self.policy.quarantine_attempt_count:
            return None
        return refuse(Reason.REASON_QUARANTINED, f"deciding this operation failed {failed_count} times")

    def intervene(self, case: Case) -> Answer | None:
        """No rule: the place where a conformance run makes a decision fail."""
        case.situation.while_deciding(case.operation.sequence)
        return None

    # Steps 5 to 12: refusals before the resource is looked at.

    def key_reused(self, case: Case) -> Answer | None:
        """Step 5 (spec: deciding/key-reused)."""
        used_at = case.working.key_use(case.operation.idempotency_key)
        if used_at is None:
            return None
        return refuse(Reason.REASON_KEY_REUSED, f"this key is recorded under sequence {used_at}")

    def principal_claimed(self, case: Case) -> Answer | None:
        """Step 7 (spec: claim/guest-closed)."""
        if not case.working.claimed:
            return None
        return refuse(Reason.REASON_PRINCIPAL_CLAIMED, "an account has taken over the cart of this guest")

    def required_features(self, case: Case) -> Answer | None:
        """Step 8 (spec: deciding/unsupported-feature)."""
        missing = set(case.operation.required_features) - set(self.policy.features)
        if not missing:
            return None
        return refuse(
            Reason.REASON_UNSUPPORTED_FEATURE,
            "this server does not have a feature the operation requires",
            unsupported_features=_named(missing),
        )

    def known_intent(self, case: Case) -> Answer | None:
        """Step 9 (spec: deciding/unsupported-intent, compat/unlisted-profile)."""
        if self.kind(case) is not None:
            return None
        return refuse(Reason.REASON_UNSUPPORTED_INTENT, "the operation carries no intent this server knows")

    def size(self, case: Case) -> Answer | None:
        """Step 10 (spec: deciding/too-large)."""
        byte_count = case.operation.ByteSize()
        if byte_count <= self.policy.max_operation_bytes:
            return None
        return refuse(
            Reason.REASON_OPERATION_TOO_LARGE,
            f"the operation has {byte_count} bytes; at most {self.policy.max_operation_bytes} are taken",
        )

    def well_formed(self, case: Case) -> Answer | None:
        """Step 11 (spec: deciding/malformed)."""
        violations = well_formed.field_violations(case.operation)
        if not violations:
            return None
        return refuse(
            Reason.REASON_MALFORMED,
            "; ".join(f"{violation.field} {violation.description}" for violation in violations),
            field_violations=violations,
        )

    def replay_window(self, case: Case) -> Answer | None:
        """Step 12 (spec: retention/window-enforced, retention/unknown-age, retention/negative-age)."""
        if not case.attempt.HasField("age"):
            return None
        if instants.duration_ns(case.attempt.age) <= instants.span_us(self.policy.replay_window) * 1000:
            return None
        return refuse(
            Reason.REASON_REPLAY_WINDOW_EXPIRED,
            f"the operation was first sent more than {self.policy.replay_window} after it was enqueued",
        )

    def discard(self, case: Case) -> Answer | None:
        """The last step of a discard (spec: discard/cancels-undecided)."""
        return Discarded(case.operation.discard.discarded_key)

    # Taking the answer.

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        """Turn an answer into a result, and record it when it is final."""
        if isinstance(answer, Replayed):
            return outcome_pb2.OperationResult(outcome=outcome_of(answer.record), replayed=True)
        if isinstance(answer, Refused) and not self.is_recorded(answer):
            return self._unrecorded(case, answer)
        return self._recorded(case, answer)

    def is_recorded(self, refused: Refused) -> bool:
        """Spec: deciding/rejection-recorded, deciding/deferral-unrecorded, deciding/conflict-unrecorded."""
        return refused.policy.recorded

    def is_charged(self, case: Case) -> bool:
        """Spec: rate/exempt."""
        return case.kind != "discard"

    def is_saving(self, case: Case) -> bool:
        """Whether the limit for saving payment methods counts it."""
        return case.kind == "save_payment_method" and self.kind(case) is not None

    def mark_after(self, case: Case, answer: Answer) -> QueueMark:  # noqa: ARG002
        """Where the queue stands behind a recorded answer.

        Behind a discard the chain goes on from what it discarded, whatever became of the discard itself: the
        client's next operation names that key (spec: deciding/rejection-advances, discard/chain-continues).
        """
        operation = case.operation
        last_key = operation.discard.discarded_key if case.kind == "discard" else operation.idempotency_key
        return QueueMark(operation.sequence, last_key)

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        """The outcome of a final answer; `head` is what it was judged at (spec: revision/judged-at)."""
        outcome = outcome_pb2.Outcome(
            idempotency_key=case.operation.idempotency_key,
            sequence=case.operation.sequence,
            state=reason_pb2.OUTCOME_STATE_APPLIED,
            decide_time=instants.timestamp(decide_time_us),
            revision=0 if head is None else head.revision,
        )
        if isinstance(answer, Refused):
            outcome.state = answer.policy.state
            outcome.refusal.CopyFrom(answer.refusal)
        elif isinstance(answer, LineOutcome):
            outcome.line_change.sku = case.intent.sku
            outcome.line_change.quantity_before = answer.quantity_before
            outcome.line_change.quantity_after = answer.quantity_after
            outcome.adjustments.extend(answer.adjustments)
            outcome.changed = answer.quantity_before != answer.quantity_after
        elif isinstance(answer, Applied):
            outcome.adjustments.extend(answer.adjustments)
            outcome.claimed_lines.extend(answer.claimed_lines)
            outcome.changed = answer.changed
        if outcome.changed:
            outcome.revision = self.next_revision(head)
        return outcome

    def _unrecorded(self, case: Case, refused: Refused) -> outcome_pb2.OperationResult:
        return outcome_pb2.OperationResult(
            outcome=outcome_pb2.Outcome(
                idempotency_key=case.operation.idempotency_key,
                sequence=case.operation.sequence,
                state=REASON_POLICIES[refused.refusal.reason].state,
                refusal=refused.refusal,
            )
        )

    def _recorded(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        operation, working = case.operation, case.working
        head = self.head(case)
        decide_time_us = self.decide_time_us(case, head)
        outcome = self.outcome(case, answer, head, decide_time_us)
        record = Record(
            sequence=operation.sequence,
            idempotency_key=operation.idempotency_key,
            payload_digest=self.payload_digest(case),
            digest_version=digest.CURRENT_VERSION,
            outcome=outcome.SerializeToString(),
            decide_time_us=decide_time_us,
        )
        writes = NOTHING
        if isinstance(answer, Applied):
            writes = answer.writes
        elif isinstance(answer, LineOutcome) and outcome.changed:
            writes = self.on_line(case, answer, outcome.revision, decide_time_us)
        working.record(
            record,
            self.mark_after(case, answer),
            charged=self.is_charged(case),
            charged_saving=self.is_saving(case),
            writes=writes,
        )
        return outcome_pb2.OperationResult(outcome=outcome)


def _named(features: Iterable[str]) -> list[str]:
    """As many as fit: the list is recorded and replayed, and its length is the client's choice."""
    return [feature[:MAX_FEATURE_LENGTH] for feature in nsmallest(MAX_NAMED_FEATURES, features)]
