"""Steps 1 and 6 of chapter 3: what was decided before is known by its payload, and card numbers are refused.

The two belong together: nothing of a payload with a card number is kept, so what it is compared by is the fact alone.
"""

from __future__ import annotations

from cartsync.v1 import outcome_pb2

from reference_server.engine import card_numbers, digest
from reference_server.engine.cases import Answer, Case, Replayed
from reference_server.engine.judging import Judging
from reference_server.engine.policy import PROFILES
from reference_server.engine.refusals import Reason, refuse
from reference_server.engine.state import Record


class Comparing(Judging):
    """Compares operations with what was decided, and refuses card numbers. Keeps no state but the rules."""

    # Step 1: decided already.

    def already_decided(self, case: Case) -> Answer | None:
        """Before anything that could refuse (spec: deciding/duplicates-first)."""
        sequence = case.operation.sequence
        if sequence > case.working.queue.decided_through_sequence:
            return None
        record = case.working.reading.records.get(sequence)
        if record is None:
            return self.purged(case)
        if record.idempotency_key != case.operation.idempotency_key:
            return self.other_key(case, record)
        if not self.same_payload(case, record):
            return self.other_payload(case, record)
        return self.replay(case, record)

    def purged(self, case: Case) -> Answer | None:  # noqa: ARG002 - the seam of variants
        """Spec: retention/purged-not-executed."""
        return refuse(Reason.REASON_OUTCOME_PURGED, "this sequence was decided long ago and its record is gone")

    def other_key(self, case: Case, record: Record) -> Answer | None:  # noqa: ARG002
        """Spec: deciding/sequence-conflict, discard/late-original, discard/too-late."""
        return refuse(Reason.REASON_SEQUENCE_CONFLICT, "another key was decided at this sequence")

    def same_payload(self, case: Case, record: Record) -> bool:
        """Spec: deciding/payload-by-meaning. Compared under the field list the record was made by."""
        theirs = self.payload_digest(case, record.digest_version)
        return digest.same_digest(theirs, record.payload_digest) or self.both_had_card_numbers(case, record)

    def both_had_card_numbers(self, case: Case, record: Record) -> bool:
        """The record of a card number outlives the profile under which it was looked for."""
        of_any = digest.card_number_digest(case.working.reading.digest_key, case.operation)
        return digest.same_digest(of_any, record.payload_digest) and bool(
            card_numbers.card_number_fields(case.operation, PROFILES)
        )

    def other_payload(self, case: Case, record: Record) -> Answer | None:  # noqa: ARG002
        """Spec: deciding/payload-mismatch."""
        return refuse(Reason.REASON_PAYLOAD_MISMATCH, "this key was decided with another payload")

    def replay(self, case: Case, record: Record) -> Answer | None:  # noqa: ARG002
        """Spec: deciding/replay-verbatim."""
        return Replayed(record)

    # Step 6: card numbers.

    def card_number(self, case: Case) -> Answer | None:
        """Step 6 (spec: security/card-number-refused). Nothing of the text is repeated."""
        fields = self.card_number_fields(case)
        if not fields:
            return None
        return refuse(
            Reason.REASON_CARD_NUMBER_REFUSED,
            f"{', '.join(fields)} must not hold what looks like a payment card number",
            field_violations=[
                outcome_pb2.FieldViolation(field=field, description="holds what looks like a payment card number")
                for field in fields
            ],
        )

    def card_number_fields(self, case: Case) -> list[str]:
        """Where the operation has a card number, as far as the listed profiles cover it; looked for once."""
        if case.card_number_fields is None:
            case.card_number_fields = card_numbers.card_number_fields(case.operation, self.policy.profiles)
        return case.card_number_fields

    # What both go by.

    def payload_digest(self, case: Case, version: int = digest.CURRENT_VERSION) -> bytes:
        """What the payload is compared by; of one with a card number nothing is kept (spec: section 14.4)."""
        key = case.working.reading.digest_key
        if version >= digest.CARD_NUMBERS_SINCE and self.card_number_fields(case):
            return digest.card_number_digest(key, case.operation)
        return digest.payload_digest(key, case.operation, version)
