"""What is decided already: asked too late, compared wrongly, answered otherwise."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import operation_pb2, outcome_pb2

from conformance.mutants.mutant import Mutant, moved
from reference_server.engine.cases import Answer, Case, Replayed
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import Record
from reference_server.ports import BackendUnavailableError

_Name = tuple[str, str, str, int]  # store, principal, queue, sequence


class _WindowFirst(Decider):
    STEPS = moved(Decider.STEPS, "replay_window", "already_decided")


class _RateLimitFirst(Decider):
    STEPS = moved(Decider.STEPS, "rate_limit", "already_decided")


class _CatalogueFirst(Decider):
    def already_decided(self, case: Case) -> Answer | None:
        decided = case.operation.sequence <= case.working.queue.decided_through_sequence
        if decided and case.kind == "add_item":
            try:
                offer = case.situation.offers(case.intent.sku)
            except BackendUnavailableError:
                return refuse(
                    Reason.REASON_BACKEND_UNAVAILABLE,
                    "the catalogue does not answer",
                    retry_delay=self.policy.trouble_retry_delay,
                )
            if offer is not None and not offer.listed:
                return refuse(Reason.REASON_INTERNAL, "not for sale", retry_delay=self.policy.trouble_retry_delay)
        return super().already_decided(case)


class _NoKeyCheck(Decider):
    def other_key(self, case: Case, record: Record) -> Answer | None:
        return self.replay(case, record)


class _NoPayloadCheck(Decider):
    def same_payload(self, case: Case, record: Record) -> bool:
        return True


class _Remembering(Decider):
    """Keeps, beside the records, what was last decided at each sequence, as bytes."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._seen: dict[_Name, bytes] = {}

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.HasField("decide_time") and not result.replayed:
            self._seen[_name(case)] = self.essence(case.operation)
        return result

    def same_payload(self, case: Case, record: Record) -> bool:
        known = self._seen.get(_name(case))
        if known is None:
            return super().same_payload(case, record)
        return known == self.essence(case.operation)

    def essence(self, operation: operation_pb2.CartOperation) -> bytes:
        """What is compared; the whole message unless a subclass takes something out of it."""
        return operation.SerializeToString(deterministic=True)


class _ByProvenance(_Remembering):
    """Where and when an operation was made counts as payload; the order of its features does not."""

    def essence(self, operation: operation_pb2.CartOperation) -> bytes:
        copy = operation_pb2.CartOperation()
        copy.CopyFrom(operation)
        copy.DiscardUnknownFields()
        features = sorted(set(copy.required_features))
        del copy.required_features[:]
        copy.required_features.extend(features)
        return super().essence(copy)


class _ByEncoding(_Remembering):
    """Provenance does not count, but how the rest is written down does: the order of features, repetitions."""

    def essence(self, operation: operation_pb2.CartOperation) -> bytes:
        copy = operation_pb2.CartOperation()
        copy.CopyFrom(operation)
        copy.ClearField("enqueue_time")
        copy.ClearField("session_context")
        return super().essence(copy)


class _WithoutQuantity(_ByEncoding):
    def essence(self, operation: operation_pb2.CartOperation) -> bytes:
        copy = operation_pb2.CartOperation()
        copy.CopyFrom(operation)
        if copy.HasField("add_item"):
            copy.add_item.ClearField("quantity")
        return super().essence(copy)


class _ConflictOverwrites(Decider):
    """Whoever comes last at a decided sequence is taken for its owner."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._overwritten: set[_Name] = set()

    def other_key(self, case: Case, record: Record) -> Answer | None:
        self._overwritten.add(_name(case))
        return super().other_key(case, record)

    def other_payload(self, case: Case, record: Record) -> Answer | None:
        self._overwritten.add(_name(case))
        return super().other_payload(case, record)

    def replay(self, case: Case, record: Record) -> Answer | None:
        if _name(case) in self._overwritten:
            return super().other_key(case, record)
        return super().replay(case, record)


class _Recomputes(Decider):
    """Answers a duplicate add with what it would be told today."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if isinstance(answer, Replayed) and case.kind == "add_item" and result.outcome.HasField("line_change"):
            offer = case.situation.offers(case.intent.sku)
            kept = [a for a in result.outcome.adjustments if not a.HasField("price_changed")]
            del result.outcome.adjustments[:]
            observed = case.intent.observed_unit_price
            if offer is not None and offer.unit_price_minor != observed.minor_units:
                adjustment = result.outcome.adjustments.add()
                adjustment.price_changed.observed_unit_price.CopyFrom(observed)
                adjustment.price_changed.current_unit_price.currency_code = offer.currency_code
                adjustment.price_changed.current_unit_price.minor_units = offer.unit_price_minor
            result.outcome.adjustments.extend(kept)
        return result


class _ReplaysAsNew(Decider):
    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        result.replayed = False
        return result


class _AlwaysReplayed(Decider):
    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        result.replayed = True
        return result


class _KeyReuseUnchecked(Decider):
    def key_reused(self, case: Case) -> Answer | None:
        return None


class _KeyReuseUnrecorded(Decider):
    def is_recorded(self, refused: Refused) -> bool:
        return refused.refusal.reason != Reason.REASON_KEY_REUSED and super().is_recorded(refused)


class _RecordsByKey(Decider):
    """A key has one record: that of its second use takes the place of the first."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._latest: dict[tuple[str, str, str, str], outcome_pb2.Outcome] = {}

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if isinstance(answer, Refused) and answer.refusal.reason == Reason.REASON_KEY_REUSED:
            self._latest[*_name(case)[:3], case.operation.idempotency_key] = result.outcome
        return result

    def replay(self, case: Case, record: Record) -> Answer | None:
        latest = self._latest.get((*_name(case)[:3], record.idempotency_key))
        if latest is None:
            return super().replay(case, record)
        told = outcome_pb2.Outcome()
        told.CopyFrom(latest)
        told.sequence = record.sequence
        return Replayed(replace(record, outcome=told.SerializeToString()))


class _KeysOfThePrincipal(Decider):
    """A key is taken for the same one in every queue of the principal."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._queues: dict[tuple[str, str], str] = {}

    def key_reused(self, case: Case) -> Answer | None:
        situation, key = case.situation, case.operation.idempotency_key
        if self._queues.setdefault((situation.principal, key), situation.queue_id) != situation.queue_id:
            return refuse(Reason.REASON_KEY_REUSED, "this key was used in another queue")
        return super().key_reused(case)


def _name(case: Case) -> _Name:
    return case.working.reading.store_id, case.situation.principal, case.situation.queue_id, case.operation.sequence


MUTANTS = (
    Mutant(
        "window-before-duplicates",
        "Asks for the age of an operation before it asks whether it was decided already.",
        ("deciding/duplicates-first",),
        "decider",
        _WindowFirst,
    ),
    Mutant(
        "rate-limit-before-duplicates",
        "Charges a duplicate to the rate limit and refuses it by it.",
        ("rate/exempt", "deciding/duplicates-first"),
        "decider",
        _RateLimitFirst,
    ),
    Mutant(
        "catalogue-before-duplicates",
        "Looks the product of a duplicate up first, and defers it when it cannot be had.",
        ("deciding/duplicates-first",),
        "decider",
        _CatalogueFirst,
    ),
    Mutant(
        "no-key-check-on-duplicates",
        "Answers any key at a decided sequence with the outcome recorded there.",
        ("deciding/sequence-conflict", "discard/late-original", "discard/too-late"),
        "decider",
        _NoKeyCheck,
    ),
    Mutant(
        "no-payload-check-on-duplicates",
        "Answers the recorded key with the recorded outcome, whatever the payload is by now.",
        ("deciding/payload-mismatch",),
        "decider",
        _NoPayloadCheck,
    ),
    Mutant(
        "quantity-left-out-of-digest",
        "Takes two adds for the same payload when only their quantities differ.",
        ("deciding/payload-mismatch",),
        "decider",
        _WithoutQuantity,
    ),
    Mutant(
        "digest-covers-provenance",
        "Takes another enqueue time or session context for another payload.",
        ("deciding/payload-by-meaning",),
        "decider",
        _ByProvenance,
    ),
    Mutant(
        "digest-by-encoding",
        "Compares payloads as they are written down, the order of required features included.",
        ("deciding/payload-by-meaning",),
        "decider",
        _ByEncoding,
    ),
    Mutant(
        "conflict-overwrites-record",
        "Lets a conflicting operation take over the record, and refuses the rightful one from then on.",
        ("deciding/conflict-unrecorded", "deciding/sequence-conflict", "deciding/payload-mismatch"),
        "decider",
        _ConflictOverwrites,
    ),
    Mutant(
        "recomputes-replays",
        "Answers a duplicate with the price of today in place of the recorded outcome.",
        ("deciding/replay-verbatim",),
        "decider",
        _Recomputes,
    ),
    Mutant(
        "replayed-flag-missing",
        "Does not say that an outcome was recorded before.",
        ("deciding/replayed-flag",),
        "decider",
        _ReplaysAsNew,
    ),
    Mutant(
        "replayed-flag-always",
        "Says of every answer that it was recorded before.",
        ("deciding/replayed-flag",),
        "decider",
        _AlwaysReplayed,
    ),
    Mutant(
        "key-reuse-unchecked",
        "Decides a key again that is recorded under another sequence.",
        ("deciding/key-reused",),
        "decider",
        _KeyReuseUnchecked,
    ),
    Mutant(
        "key-reuse-unrecorded",
        "Refuses a key that was used before without recording it, so that the queue never gets past it.",
        ("deciding/key-reused", "deciding/rejection-advances"),
        "decider",
        _KeyReuseUnrecorded,
    ),
    Mutant(
        "records-kept-by-key",
        "Keeps one record for a key, so that refusing its second use overwrites the outcome of the first.",
        ("deciding/key-reused", "deciding/replay-verbatim"),
        "decider",
        _RecordsByKey,
    ),
    Mutant(
        "keys-shared-by-queues",
        "Takes a key used in one queue for the same key in every other queue of the principal.",
        ("deciding/key-scope",),
        "decider",
        _KeysOfThePrincipal,
    ),
)
