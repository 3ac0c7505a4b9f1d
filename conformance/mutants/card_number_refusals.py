"""What becomes of an operation with a card number."""

from __future__ import annotations

from typing import Any

from cartsync.v1 import operation_pb2, outcome_pb2

from conformance.mutants.card_numbers import digits_of, texts_of
from conformance.mutants.mutant import Mutant, moved
from reference_server.engine.card_numbers import holds_card_number
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.digest import payload_digest
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import Record


class _StopsDiscards(Decider):
    """Refuses a discard whose session context holds a card number."""

    DISCARD_STEPS = (*Decider.DISCARD_STEPS[:-1], "context_of_discard", Decider.DISCARD_STEPS[-1])

    def context_of_discard(self, case: Case) -> Answer | None:
        """Asked before the discard is applied."""
        context = case.operation.session_context
        if any(map(holds_card_number, (context.locale, context.client_name, context.client_version))):
            return refuse(Reason.REASON_CARD_NUMBER_REFUSED, "session_context must not hold a card number")
        return None


# What becomes of it.


class _LastOfAll(Decider):
    """Looks for card numbers in what is well-formed."""

    STEPS = moved(Decider.STEPS, "card_number", "replay_window")


class _Masks(Decider):
    """Puts asterisks in the place of the number, and goes on."""

    def card_number(self, case: Case) -> Answer | None:
        for path in self.card_number_fields(case):
            *parents, name = path.split(".")
            message: Any = case.operation
            for parent in parents:
                message = getattr(message, parent)
            if isinstance(getattr(message, name), str):
                setattr(message, name, "****")
            else:
                getattr(message, name)[:] = []
        return None


class _NamesNoField(Decider):
    """Does not say which field the number is in."""

    def card_number(self, case: Case) -> Answer | None:
        answer = super().card_number(case)
        if isinstance(answer, Refused):
            answer.refusal.ClearField("field_violations")
        return answer


class _RecordsNothing(Decider):
    """Does not record that it refused a card number."""

    def is_recorded(self, refused: Refused) -> bool:
        return super().is_recorded(refused) and refused.refusal.reason != Reason.REASON_CARD_NUMBER_REFUSED


class _DigestsThem(Decider):
    """Compares the payload of a duplicate with the card number and all."""

    def payload_digest(self, case: Case, version: int = 2) -> bytes:
        return payload_digest(case.working.reading.digest_key + self._context(case), case.operation, version)

    def _context(self, case: Case) -> bytes:
        return case.operation.session_context.SerializeToString() if self.card_number_fields(case) else b""


class _AnythingIsTheRefused(Decider):
    """Answers whatever comes under the key of an operation with a card number as its duplicate."""

    def same_payload(self, case: Case, record: Record) -> bool:
        outcome = outcome_pb2.Outcome.FromString(record.outcome)
        refused = outcome.refusal.reason == Reason.REASON_CARD_NUMBER_REFUSED
        return refused or super().same_payload(case, record)


class _Echoes(Decider):
    """Says in the message of the refusal what it has found."""

    def card_number(self, case: Case) -> Answer | None:
        answer = super().card_number(case)
        if isinstance(answer, Refused):
            self.tell(answer.refusal, self._found(case.operation))
        return answer

    def tell(self, refusal: outcome_pb2.Refusal, text: str) -> None:
        """Put it somewhere."""
        refusal.message = f"{text!r} looks like a payment card number"

    def _found(self, operation: operation_pb2.CartOperation) -> str:
        return next(text for _, text in texts_of(operation) if holds_card_number(text))


class _EchoesByField(_Echoes):
    """Says of each field what it holds."""

    def tell(self, refusal: outcome_pb2.Refusal, text: str) -> None:
        for violation in refusal.field_violations:
            violation.description = f"holds {text}"


class _EchoesDigits(_Echoes):
    """Says in groups of four what digits it has found."""

    def tell(self, refusal: outcome_pb2.Refusal, text: str) -> None:
        digits = digits_of(text)
        refusal.message = " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


class _NamesItAsFeature(Decider):
    """Names the features that it does not have beside the card number among them."""

    def card_number(self, case: Case) -> Answer | None:
        answer = super().card_number(case)
        if isinstance(answer, Refused):
            answer.refusal.unsupported_features.extend(sorted(case.operation.required_features))
        return answer


MUTANTS = (
    Mutant(
        "looks-for-card-numbers-late",
        "Looks for card numbers only in what is well-formed and known.",
        (
            "security/card-number-refused",
            "deciding/refusal-order",
            "compat/unlisted-profile",
            "security/card-number-not-echoed",
        ),
        "decider",
        _LastOfAll,
    ),
    Mutant(
        "masks-card-numbers",
        "Puts asterisks in the place of a card number, and decides the operation.",
        (
            "security/card-number-refused",
            "security/card-number-not-echoed",
            "security/card-number-unseparated",
            "address/card-number",
            "payment/card-number",
            "deciding/refusal-order",
        ),
        "decider",
        _Masks,
    ),
    Mutant(
        "names-no-field-with-a-card-number",
        "Does not say in which field it has found a card number.",
        ("security/card-number-refused", "address/card-number", "payment/card-number", "answers/details"),
        "decider",
        _NamesNoField,
    ),
    Mutant(
        "refused-card-numbers-unrecorded",
        "Does not record the refusal of a card number.",
        ("security/card-number-refused", "answers/reason-policy", "deciding/rejection-recorded"),
        "decider",
        _RecordsNothing,
    ),
    Mutant(
        "digests-card-numbers",
        "Compares duplicates by the card number that they hold.",
        ("security/card-number-refused",),
        "decider",
        _DigestsThem,
    ),
    Mutant(
        "anything-is-the-refused",
        "Takes an operation without a card number for a duplicate of the one with it.",
        ("security/card-number-refused",),
        "decider",
        _AnythingIsTheRefused,
    ),
    Mutant(
        "card-numbers-stop-discards",
        "Refuses a discard for a card number in its session context.",
        ("discard/cancels-undecided", "discard/never-refused"),
        "decider",
        _StopsDiscards,
    ),
    Mutant(
        "echoes-card-numbers",
        "Gives the card number back in the message of its refusal.",
        ("security/card-number-not-echoed",),
        "decider",
        _Echoes,
    ),
    Mutant(
        "echoes-card-numbers-by-field",
        "Gives the card number back in what it says of the field.",
        ("security/card-number-not-echoed",),
        "decider",
        _EchoesByField,
    ),
    Mutant(
        "echoes-card-digits",
        "Gives the digits of the card number back, grouped otherwise.",
        ("security/card-number-not-echoed",),
        "decider",
        _EchoesDigits,
    ),
    Mutant(
        "names-card-numbers-as-features",
        "Names a card number among the features that it does not have.",
        ("security/card-number-not-echoed",),
        "decider",
        _NamesItAsFeature,
    ),
)
