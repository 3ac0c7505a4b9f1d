"""What is taken for a card number, where it is looked for, and what becomes of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from cartsync.v1 import operation_pb2, outcome_pb2
from google.protobuf.message import Message

from conformance.mutants.mutant import Mutant, moved
from reference_server.engine.card_numbers import DASHES, SPACES, card_number_fields, holds_card_number
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.digest import payload_digest
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import Record

_DIGITS = re.compile(r"\d+")


def _digits(text: str) -> str:
    """All digits of a text, by their values."""
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())


def _passes(digits: str) -> bool:
    """Whether 13 to 19 digits, not all zero, pass the Luhn check."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and bool(int(digits)) and sum(n - 9 * (n > 9) for n in doubled) % 10 == 0


def _windows(digits: str) -> Iterator[str]:
    """All runs of 13 to 19 of the digits."""
    for length in range(13, 20):
        for start in range(len(digits) - length + 1):
            yield digits[start : start + length]


# Ways to look for a card number in a text, each wrong.


def _without_separators(text: str) -> bool:
    return any(_passes(_digits(group)) for group in _DIGITS.findall(text))


def _with_spaces_and_hyphens(text: str) -> bool:
    return any(_passes(_digits(found)) for found in re.findall(r"\d(?:[ -]?\d)*", text))


def _whole_texts(text: str) -> bool:
    return re.fullmatch(rf"[\d{re.escape(SPACES + DASHES)}._/]*", text) is not None and holds_card_number(text)


def _in_ascii(text: str) -> bool:
    return holds_card_number("".join(character if character < "\x80" else "x" for character in text))


def _fours(text: str) -> bool:
    found = re.findall(r"(?<!\d)(?:\d{4}(?:[^\w,]|_){0,3}){3}\d{1,4}(?!\d)", text)
    return any(_passes(_digits(number)) for number in found) or _without_separators(text)


def _one_separator(text: str) -> bool:
    found = re.findall(rf"\d(?:[{re.escape(SPACES + DASHES)}._/]?\d)*", text)
    return any(holds_card_number(number) for number in found)


def _whole_chains(text: str) -> bool:
    found = re.findall(rf"\d(?:[{re.escape(SPACES + DASHES)}._/]{{0,3}}\d)*", text)
    return any(_passes(_digits(number)) for number in found)


def _between_words(text: str) -> bool:
    return any(_passes(_digits(found)) for found in re.findall(r"\b\d(?:[\W_]{0,3}\d)*\b", text))


def _of_sixteen(text: str) -> bool:
    return holds_card_number(text) and len(_digits(text)) == 16


def _of_sixteen_at_most(text: str) -> bool:
    return holds_card_number(text) and len(_digits(text)) <= 16


def _of_known_issuers(text: str) -> bool:
    return holds_card_number(text) and any(_passes(number) for number in _windows(_digits(text)) if number[0] in "3456")


def _any_digits(text: str) -> bool:
    """Asks no check digit."""
    return any(13 <= len(group) <= 19 for group in _DIGITS.findall(text)) or holds_card_number(text)


def _any_window(text: str) -> bool:
    """Looks into longer numbers."""
    return holds_card_number(text) or any(
        _passes(number) for group in _DIGITS.findall(text) for number in _windows(_digits(group))
    )


def _zeros_too(text: str) -> bool:
    return holds_card_number(text) or "0" * 13 in text


def _any_separators(text: str) -> bool:
    """Takes whatever is no letter for a separator."""
    return any(_passes(_digits(found)) for found in re.findall(r"\d(?:[\W_]*\d)*", text)) or holds_card_number(text)


def _any_letters(text: str) -> bool:
    """Takes all digits of a text for one number."""
    return _passes(_digits(text)) or holds_card_number(text)


def _of_twelve(text: str) -> bool:
    """Takes a number of 12 digits too."""
    return holds_card_number(text) or any(len(group) == 12 and _passes("0" + group) for group in _DIGITS.findall(text))


def _found_by(holds: Callable[[str], bool]) -> type[Decider]:
    """A decider that looks for card numbers this way."""

    class _Looks(Decider):
        def card_number_fields(self, case: Case) -> list[str]:
            return card_number_fields(case.operation, self.policy.profiles, holds)

    return _Looks


# Where it is looked for.


def _looked_for_in(looks: Callable[[str, Case], bool]) -> type[Decider]:
    """A decider that overlooks what it finds in some fields."""

    class _Overlooks(Decider):
        def card_number_fields(self, case: Case) -> list[str]:
            return [path for path in super().card_number_fields(case) if looks(path, case)]

    return _Overlooks


def _texts(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message with its path."""
    for field, value in message.ListFields():
        for each in value if not isinstance(value, (str, bytes, int, Message)) else [value]:
            if isinstance(each, Message):
                yield from _texts(each, f"{path}{field.name}.")
            elif isinstance(each, str):
                yield f"{path}{field.name}", each


def _looked_for_also_in(*names: str) -> type[Decider]:
    """A decider that refuses card numbers in identifiers too."""

    class _Zealous(Decider):
        def card_number_fields(self, case: Case) -> list[str]:
            found = super().card_number_fields(case)
            if case.kind == "discard":
                return found
            return found + [
                path
                for path, text in _texts(case.operation)
                if path.rpartition(".")[2] in names and holds_card_number(text) and path not in found
            ]

    return _Zealous


class _InQueueIds(Decider):
    """Refuses the operations of a queue whose id passes for a card number."""

    def card_number_fields(self, case: Case) -> list[str]:
        found = super().card_number_fields(case)
        return found or (["queue_id"] if holds_card_number(case.situation.queue_id) else [])


class _JoinsLines(Decider):
    """Reads all lines of an address as one text."""

    def card_number_fields(self, case: Case) -> list[str]:
        found = super().card_number_fields(case)
        if found or case.kind != "put_address":
            return found
        lines = " ".join(case.intent.address.address_lines)
        return ["put_address.address.address_lines"] if holds_card_number(lines) else []


class _FirstLineOnly(Decider):
    """Looks at the first line of an address."""

    def card_number_fields(self, case: Case) -> list[str]:
        found = super().card_number_fields(case)
        lines = "put_address.address.address_lines"
        if lines in found and not any(map(holds_card_number, case.intent.address.address_lines[:1])):
            found = [path for path in found if path != lines]
        return found


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
        return next(text for _, text in _texts(operation) if holds_card_number(text))


class _EchoesByField(_Echoes):
    """Says of each field what it holds."""

    def tell(self, refusal: outcome_pb2.Refusal, text: str) -> None:
        for violation in refusal.field_violations:
            violation.description = f"holds {text}"


class _EchoesDigits(_Echoes):
    """Says in groups of four what digits it has found."""

    def tell(self, refusal: outcome_pb2.Refusal, text: str) -> None:
        digits = _digits(text)
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
        "finds-unseparated-numbers",
        "Finds card numbers without separators only.",
        ("security/card-number-unseparated", "payment/card-number"),
        "decider",
        _found_by(_without_separators),
    ),
    Mutant(
        "knows-spaces-and-hyphens",
        "Finds no card number with separators other than spaces and hyphens.",
        ("security/card-number-unseparated",),
        "decider",
        _found_by(_with_spaces_and_hyphens),
    ),
    Mutant(
        "finds-whole-texts",
        "Finds a card number only when there is nothing else in the text.",
        (
            "security/card-number-unseparated",
            "security/card-number-refused",
            "payment/card-number",
            "address/card-number",
        ),
        "decider",
        _found_by(_whole_texts),
    ),
    Mutant(
        "finds-ascii-digits",
        "Finds card numbers in the digits of ASCII only.",
        ("security/card-number-unseparated",),
        "decider",
        _found_by(_in_ascii),
    ),
    Mutant(
        "finds-groups-of-four",
        "Finds card numbers in groups of four, or in none.",
        ("security/card-number-unseparated",),
        "decider",
        _found_by(_fours),
    ),
    Mutant(
        "knows-one-separator",
        "Finds no card number with more than one separator between two groups.",
        ("security/card-number-unseparated",),
        "decider",
        _found_by(_one_separator),
    ),
    Mutant(
        "finds-whole-chains",
        "Finds no card number beside other digits.",
        ("security/card-number-unseparated",),
        "decider",
        _found_by(_whole_chains),
    ),
    Mutant(
        "finds-between-words",
        "Finds no card number beside letters.",
        ("security/card-number-unseparated", "payment/card-number"),
        "decider",
        _found_by(_between_words),
    ),
    Mutant(
        "finds-sixteen-digits",
        "Finds card numbers of 16 digits only.",
        ("security/card-number-refused", "security/card-number-unseparated"),
        "decider",
        _found_by(_of_sixteen),
    ),
    Mutant(
        "finds-up-to-sixteen-digits",
        "Finds no card numbers of more than 16 digits.",
        ("security/card-number-refused", "security/card-number-unseparated"),
        "decider",
        _found_by(_of_sixteen_at_most),
    ),
    Mutant(
        "finds-known-issuers",
        "Finds card numbers of the great issuers only.",
        ("security/card-number-refused",),
        "decider",
        _found_by(_of_known_issuers),
    ),
    Mutant(
        "asks-no-check-digit",
        "Takes any 13 to 19 digits for a card number.",
        ("security/identifiers-exempt", "address/card-number"),
        "decider",
        _found_by(_any_digits),
    ),
    Mutant(
        "looks-into-longer-numbers",
        "Finds card numbers within longer numbers.",
        ("security/identifiers-exempt",),
        "decider",
        _found_by(_any_window),
    ),
    Mutant(
        "zeros-are-a-card-number",
        "Takes zeros for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _found_by(_zeros_too),
    ),
    Mutant(
        "any-separators",
        "Takes digits for one number whatever stands between them but letters.",
        ("security/identifiers-exempt", "address/card-number"),
        "decider",
        _found_by(_any_separators),
    ),
    Mutant(
        "any-letters-between",
        "Takes all digits of a text for one number.",
        ("security/identifiers-exempt", "address/card-number"),
        "decider",
        _found_by(_any_letters),
    ),
    Mutant(
        "twelve-digits-are-enough",
        "Takes numbers of 12 digits for card numbers.",
        ("security/identifiers-exempt",),
        "decider",
        _found_by(_of_twelve),
    ),
    Mutant(
        "card-numbers-for-sale",
        "Refuses SKUs that pass for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _looked_for_also_in("sku"),
    ),
    Mutant(
        "card-numbers-for-carts",
        "Refuses cart ids that pass for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _looked_for_also_in("cart_id"),
    ),
    Mutant(
        "card-numbers-for-keys",
        "Refuses keys that pass for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _looked_for_also_in("idempotency_key", "previous_key"),
    ),
    Mutant(
        "card-numbers-for-entries",
        "Refuses ids of addresses and payment methods that pass for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _looked_for_also_in("address_id", "payment_method_id"),
    ),
    Mutant(
        "card-numbers-for-queues",
        "Refuses the operations of a queue whose id passes for a card number.",
        ("security/identifiers-exempt",),
        "decider",
        _InQueueIds,
    ),
    Mutant(
        "reads-lines-as-one",
        "Finds card numbers across the lines of an address.",
        ("security/identifiers-exempt", "address/card-number"),
        "decider",
        _JoinsLines,
    ),
    Mutant(
        "context-unlooked-at",
        "Does not look for card numbers in the session context.",
        (
            "security/card-number-refused",
            "security/card-number-unseparated",
            "security/card-number-not-echoed",
            "claim/guest-closed",
        ),
        "decider",
        _looked_for_in(lambda path, _: not path.startswith("session_context")),
    ),
    Mutant(
        "features-unlooked-at",
        "Does not look for card numbers in the required features.",
        ("security/card-number-refused", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: path != "required_features"),
    ),
    Mutant(
        "coupon-codes-unlooked-at",
        "Does not look for card numbers in coupon codes.",
        ("security/card-number-refused", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: not path.endswith("coupon_code")),
    ),
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
    Mutant(
        "addresses-unlooked-at",
        "Does not look for card numbers in addresses.",
        ("address/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: not path.startswith("put_address")),
    ),
    Mutant(
        "unmasked-fields-unlooked-at",
        "Looks for card numbers only in the fields of an address that the mask names.",
        ("address/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(
            lambda path, case: (
                not path.startswith("put_address") or path.rpartition(".")[2] in case.intent.update_mask.paths
            )
        ),
    ),
    Mutant(
        "first-line-only",
        "Looks for card numbers in the first of the address lines only.",
        ("address/card-number", "security/card-number-not-echoed"),
        "decider",
        _FirstLineOnly,
    ),
    Mutant(
        "labels-unlooked-at",
        "Does not look for card numbers in the labels of addresses and payment methods.",
        ("address/card-number", "payment/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: not path.endswith(".label")),
    ),
    Mutant(
        "payment-methods-unlooked-at",
        "Does not look for card numbers in payment methods.",
        ("payment/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: not path.startswith("save_payment_method")),
    ),
    Mutant(
        "payment-labels-unlooked-at",
        "Looks for card numbers in the tokens of payment methods, and not in their labels.",
        ("payment/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: path != "save_payment_method.label"),
    ),
    Mutant(
        "tokens-unlooked-at",
        "Looks for card numbers in the labels of payment methods, and not in their tokens.",
        ("payment/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: path != "save_payment_method.provider_token"),
    ),
    Mutant(
        "providers-unlooked-at",
        "Looks for card numbers in the tokens of payment methods, and not in the names of their providers.",
        ("payment/card-number", "security/card-number-not-echoed"),
        "decider",
        _looked_for_in(lambda path, _: path != "save_payment_method.provider"),
    ),
)
