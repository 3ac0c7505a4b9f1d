"""What is taken for a card number, and where it is looked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from google.protobuf.message import Message

from conformance.mutants.mutant import Mutant
from reference_server.engine.card_numbers import DASHES, SPACES, card_number_fields, holds_card_number
from reference_server.engine.cases import Case
from reference_server.engine.deciding import Decider

_DIGITS = re.compile(r"\d+")


def digits_of(text: str) -> str:
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
    return any(_passes(digits_of(group)) for group in _DIGITS.findall(text))


def _with_spaces_and_hyphens(text: str) -> bool:
    return any(_passes(digits_of(found)) for found in re.findall(r"\d(?:[ -]?\d)*", text))


def _whole_texts(text: str) -> bool:
    return re.fullmatch(rf"[\d{re.escape(SPACES + DASHES)}._/]*", text) is not None and holds_card_number(text)


def _in_ascii(text: str) -> bool:
    return holds_card_number("".join(character if character < "\x80" else "x" for character in text))


def _fours(text: str) -> bool:
    found = re.findall(r"(?<!\d)(?:\d{4}(?:[^\w,]|_){0,3}){3}\d{1,4}(?!\d)", text)
    return any(_passes(digits_of(number)) for number in found) or _without_separators(text)


def _one_separator(text: str) -> bool:
    found = re.findall(rf"\d(?:[{re.escape(SPACES + DASHES)}._/]?\d)*", text)
    return any(holds_card_number(number) for number in found)


def _whole_chains(text: str) -> bool:
    found = re.findall(rf"\d(?:[{re.escape(SPACES + DASHES)}._/]{{0,3}}\d)*", text)
    return any(_passes(digits_of(number)) for number in found)


def _between_words(text: str) -> bool:
    return any(_passes(digits_of(found)) for found in re.findall(r"\b\d(?:[\W_]{0,3}\d)*\b", text))


def _of_sixteen(text: str) -> bool:
    return holds_card_number(text) and len(digits_of(text)) == 16


def _of_sixteen_at_most(text: str) -> bool:
    return holds_card_number(text) and len(digits_of(text)) <= 16


def _of_known_issuers(text: str) -> bool:
    return holds_card_number(text) and any(
        _passes(number) for number in _windows(digits_of(text)) if number[0] in "3456"
    )


def _any_digits(text: str) -> bool:
    """Asks no check digit."""
    return any(13 <= len(group) <= 19 for group in _DIGITS.findall(text)) or holds_card_number(text)


def _any_window(text: str) -> bool:
    """Looks into longer numbers."""
    return holds_card_number(text) or any(
        _passes(number) for group in _DIGITS.findall(text) for number in _windows(digits_of(group))
    )


def _zeros_too(text: str) -> bool:
    return holds_card_number(text) or "0" * 13 in text


def _any_separators(text: str) -> bool:
    """Takes whatever is no letter for a separator."""
    return any(_passes(digits_of(found)) for found in re.findall(r"\d(?:[\W_]*\d)*", text)) or holds_card_number(text)


def _any_letters(text: str) -> bool:
    """Takes all digits of a text for one number."""
    return _passes(digits_of(text)) or holds_card_number(text)


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


def texts_of(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message with its path."""
    for field, value in message.ListFields():
        for each in value if not isinstance(value, (str, bytes, int, Message)) else [value]:
            if isinstance(each, Message):
                yield from texts_of(each, f"{path}{field.name}.")
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
                for path, text in texts_of(case.operation)
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
            "deciding/refusal-order",
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
        "addresses-unlooked-at",
        "Does not look for card numbers in addresses.",
        ("address/card-number", "security/card-number-not-echoed", "deciding/refusal-order"),
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
        ("payment/card-number", "security/card-number-not-echoed", "deciding/refusal-order"),
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
        ("payment/card-number", "security/card-number-not-echoed", "deciding/refusal-order"),
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
