"""Requests taken that are wrong, refused that are right, and errors that do not say enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2, policy_pb2
from google.rpc import error_details_pb2

from conformance.mutants.mutant import Mutant
from reference_server.config import Config
from reference_server.engine import instants, submission_checks
from reference_server.engine.policy import Policy
from reference_server.service.errors import CallError, request_invalid
from reference_server.service.submissions import QueueAddress, Submissions
from reference_server.settlement import Lookup, Settled

_Attempts = Sequence[operation_pb2.OperationAttempt]


class _Lenient(Submissions):
    """Lets some violations of a submission pass."""

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        found = submission_checks.violations(attempts, self._policy)
        if found and all(self.forgives(path, problem) for path, problem in found):
            return await self._settlement.submit(principal, queue_id, attempts, store_id)
        return await super().settle(principal, queue_id, attempts, store_id, prefix)

    def forgives(self, path: str, problem: str) -> bool:
        """Whether this violation passes."""
        raise AssertionError(f"{path} {problem}")


class _AnySpelling(_Lenient):
    def forgives(self, path: str, problem: str) -> bool:
        return path.endswith(("idempotency_key", "previous_key", "discarded_key")) and "UUID" in problem


class _AnyQueueId(Submissions):
    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        try:
            super().check_queue(principal, request, prefix)
        except CallError as error:
            if f"{prefix}queue_id" not in error.message:
                raise


class _AnySequence(_Lenient):
    def forgives(self, path: str, problem: str) -> bool:
        return path.endswith("sequence") and "successor" in problem


class _AnyLink(_Lenient):
    def forgives(self, path: str, problem: str) -> bool:
        return path.endswith("previous_key") and "UUID" not in problem


class _DiscardsItself(_Lenient):
    def forgives(self, path: str, problem: str) -> bool:
        return path.endswith("discarded_key") and "own" in problem


class _AnyCount(_Lenient):
    def forgives(self, path: str, problem: str) -> bool:
        return path == "attempts" and "at most" in problem


class _EmptyIsFine(Submissions):
    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        if not attempts:
            watermark, current = await self.watermark(principal, queue_id, store_id)
            return Settled([], watermark, current)
        return await super().settle(principal, queue_id, attempts, store_id, prefix)


class _FewOnly(Submissions):
    """Takes half of what every client may count on."""

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        if len(attempts) > 50:
            raise request_invalid([(f"{prefix}attempts", "has too many operations; send at most 50 at a time")])
        return await super().settle(principal, queue_id, attempts, store_id, prefix)


class _DecidesUpToTheError(Submissions):
    """Processes what stands before the wrong operation, then refuses the submission."""

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        for count in range(len(attempts) - 1, 0, -1):
            if submission_checks.violations(attempts, self._policy) and not submission_checks.violations(
                attempts[:count], self._policy
            ):
                await super().settle(principal, queue_id, attempts[:count], store_id, prefix)
                break
        return await super().settle(principal, queue_id, attempts, store_id, prefix)


class _Terse(Submissions):
    """Errors of submissions lose one of their details."""

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        try:
            return await super().settle(principal, queue_id, attempts, store_id, prefix)
        except CallError as error:
            raise self.tersely(error) from None

    def tersely(self, error: CallError) -> CallError:
        """The error without the detail."""
        details = [detail for detail in error.details if not isinstance(detail, error_details_pb2.ErrorInfo)]
        return CallError(error.code, error.message, reason=error.reason, details=details)


class _NoField(_Terse):
    def tersely(self, error: CallError) -> CallError:
        details = [detail for detail in error.details if not isinstance(detail, error_details_pb2.BadRequest)]
        return CallError(error.code, error.message, reason=error.reason, details=details)


class _FieldWithoutIndex(_Terse):
    """Names the wrong field, but not of which operation."""

    def tersely(self, error: CallError) -> CallError:
        for detail in error.details:
            if isinstance(detail, error_details_pb2.BadRequest):
                for violation in detail.field_violations:
                    violation.field = violation.field.rpartition("]")[2].removeprefix(".")
        return error


class _AnyRange(Submissions):
    async def lookup(self, principal: str, queue_id: str, first: int, last: int, store_id: str) -> Lookup:
        return await super().lookup(principal, queue_id, max(1, first), max(1, first, last), store_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _HastyPolicy(Policy):
    """Says that it keeps records hardly longer than the replay window."""

    def message(self) -> policy_pb2.SyncPolicy:
        policy = Policy.message(self)
        policy.outcome_retention.CopyFrom(instants.duration(self.replay_window))
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _StingyPolicy(Policy):
    def message(self) -> policy_pb2.SyncPolicy:
        policy = Policy.message(self)
        policy.max_line_quantity = 20
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _VaguePolicy(Policy):
    def message(self) -> policy_pb2.SyncPolicy:
        policy = Policy.message(self)
        policy.replay_behavior = policy_pb2.REPLAY_BEHAVIOR_UNSPECIFIED
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _CorelessPolicy(Policy):
    def message(self) -> policy_pb2.SyncPolicy:
        policy = Policy.message(self)
        policy.profiles.remove("core")
        return policy


def _policy(kind: type[Policy], config: Config) -> Policy:
    return kind(
        replay_window=config.replay_window,
        outcome_retention=config.outcome_retention,
        queue_retention=config.queue_retention,
    )


MUTANTS = (
    Mutant(
        "keys-in-any-spelling",
        "Takes keys that are no canonical UUIDs.",
        ("submission/canonical-keys",),
        "submissions",
        _AnySpelling,
    ),
    Mutant(
        "queue-ids-in-any-spelling",
        "Takes queue ids that are no canonical UUIDs.",
        ("submission/canonical-queue-id",),
        "submissions",
        _AnyQueueId,
    ),
    Mutant(
        "sequences-in-any-order",
        "Takes a submission with holes or repetitions in its sequences.",
        ("submission/consecutive",),
        "submissions",
        _AnySequence,
    ),
    Mutant(
        "links-optional",
        "Takes an operation above sequence 1 without a previous key, and one at 1 with it.",
        ("submission/first-link",),
        "submissions",
        _AnyLink,
    ),
    Mutant(
        "discards-under-the-same-key",
        "Takes a discard that names its own key.",
        ("submission/discard-own-key",),
        "submissions",
        _DiscardsItself,
    ),
    Mutant(
        "any-number-of-operations",
        "Takes more operations at a time than its policy says.",
        ("submission/batch-limit",),
        "submissions",
        _AnyCount,
    ),
    Mutant(
        "takes-empty-submissions",
        "Answers a submission without attempts as if nothing were wrong.",
        ("submission/nonempty",),
        "submissions",
        _EmptyIsFine,
    ),
    Mutant(
        "takes-fifty-at-most",
        "Refuses a submission of 100 operations.",
        ("submission/floors",),
        "submissions",
        _FewOnly,
    ),
    Mutant(
        "decides-up-to-the-error",
        "Decides the operations before a wrong one, and then refuses the submission.",
        ("submission/all-or-nothing",),
        "submissions",
        _DecidesUpToTheError,
    ),
    Mutant(
        "errors-without-info",
        "Refuses a wrong submission without an ErrorInfo.",
        ("errors/error-info",),
        "submissions",
        _Terse,
    ),
    Mutant(
        "errors-without-field",
        "Refuses a wrong submission without naming the field.",
        ("errors/field-path",),
        "submissions",
        _NoField,
    ),
    Mutant(
        "errors-without-index",
        "Names the wrong field without saying of which operation.",
        ("errors/field-path",),
        "submissions",
        _FieldWithoutIndex,
    ),
    Mutant(
        "look-ups-of-any-range",
        "Looks up ranges that are inverted or start below 1.",
        ("lookup/range-checked",),
        "submissions",
        _AnyRange,
    ),
    Mutant(
        "policy-forgets-early",
        "Says that it keeps outcome records for no longer than the replay window.",
        ("policy/retention-floors",),
        "policy",
        lambda config: _policy(_HastyPolicy, config),
    ),
    Mutant(
        "policy-below-the-floor",
        "Says a line limit below what every client may count on.",
        ("policy/limit-floors",),
        "policy",
        lambda config: _policy(_StingyPolicy, config),
    ),
    Mutant(
        "policy-incomplete",
        "Does not say how it answers duplicates.",
        ("policy/complete",),
        "policy",
        lambda config: _policy(_VaguePolicy, config),
    ),
    Mutant(
        "policy-without-core",
        "Does not list the core profile.",
        ("policy/profiles",),
        "policy",
        lambda config: _policy(_CorelessPolicy, config),
    ),
)
