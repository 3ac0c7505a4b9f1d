"""Card numbers in texts (spec: section 14.4, security/card-number-unseparated).

A text holds one when some digit groups in a row, with nothing but one to three separators between one and the next,
have 13 to 19 digits in all that pass the Luhn check and are not all zero.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from conformance.oracle.values import (
    Address,
    ApplyCoupon,
    Attempt,
    Discard,
    Limits,
    PutAddress,
    RemoveCoupon,
    SavePaymentMethod,
)

_SHORTEST, _LONGEST = 13, 19
_ROW = re.compile(r"[0-9]+(?:-{1,3}[0-9]+)*")  # groups that follow each other, in the symbols below
_GROUP = re.compile(r"[0-9]+")


def holds_card_number(text: str) -> bool:
    """Whether a text holds what looks like a payment card number."""
    return next(card_numbers_in(text), None) is not None


def card_numbers_in(text: str) -> Iterator[slice]:
    """Where a text holds card numbers, from their first digit to behind the last; they may overlap."""
    symbols = "".join(_symbol(character) for character in text)
    for row in _ROW.finditer(symbols):
        groups = list(_GROUP.finditer(symbols, row.start(), row.end()))
        for first in range(len(groups)):
            for last in range(first, min(len(groups), first + _LONGEST)):
                if _is_card_number("".join(group.group() for group in groups[first : last + 1])):
                    yield slice(groups[first].start(), groups[last].end())


def _symbol(character: str) -> str:
    """A decimal digit by its value, "-" for a separator, "x" for anything else."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if character in "._/" or category in ("Zs", "Pd") else "x"


def _is_card_number(digits: str) -> bool:
    if not _SHORTEST <= len(digits) <= _LONGEST or not digits.strip("0"):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * 2 if place % 2 else int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def fields_with_card_number(limits: Limits, attempt: Attempt) -> frozenset[str]:
    """The fields of an operation that hold a card number and that the server's profiles cover.

    A discard is never refused for its texts (step 6 is none of its steps).
    """
    intent, features = attempt.operation.intent, attempt.operation.features
    if isinstance(intent, Discard):
        return frozenset()
    texts: list[tuple[str, str, str]] = [("security", "session_context.client_name", attempt.client_name)]
    texts += [("security", "required_features", feature) for feature in features]
    match intent:
        case ApplyCoupon(code=code):
            texts.append(("security", "apply_coupon.coupon_code", code))
        case RemoveCoupon(code=code):
            texts.append(("security", "remove_coupon.coupon_code", code))
        case PutAddress(address=Address() as address):
            texts += [("address_book", f"put_address.address.{name}", text) for name, text in texts_of(address)]
        case SavePaymentMethod(provider=provider, token=token, label=label):
            mine = {"provider": provider, "provider_token": token, "label": label}
            texts += [("payment_methods", f"save_payment_method.{name}", text) for name, text in mine.items()]
        case _:
            pass
    return frozenset(name for profile, name, text in texts if profile in limits.profiles and holds_card_number(text))


def texts_of(address: Address) -> tuple[tuple[str, str], ...]:
    """Every text of an address, beside the name of its field."""
    return (
        ("recipient", address.recipient),
        ("company", address.company),
        *(("address_lines", line) for line in address.address_lines),
        ("locality", address.locality),
        ("administrative_area", address.administrative_area),
        ("postal_code", address.postal_code),
        ("region_code", address.region_code),
        ("delivery_instructions", address.delivery_instructions),
        ("label", address.label),
    )


Payload = tuple[object, ...]


def payload(limits: Limits, attempt: Attempt) -> Payload:
    """What two attempts must share to be one operation (spec: deciding/payload-by-meaning, section 14.4).

    Of one with a card number only the kind of its intent is known, and that it was refused.
    """
    operation = attempt.operation
    if fields_with_card_number(limits, attempt):
        return ("card number refused", type(operation.intent).__name__)
    return (operation.intent, operation.features)
