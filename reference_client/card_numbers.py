"""What looks like a payment card number, and in which texts no intent may have one (spec: chapter 14.4). Pure.

It is looked for before an intent is written down: a card number that a shopper typed into the wrong field is on no
disk, not even on this device's. The words of the rule (group, separator, sequence of groups) are those of the chapter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from cartsync.v1 import operation_pb2
from google.protobuf.message import Message

_SHORTEST, _LONGEST = 13, 19
_WIDEST_GAP = 3
_SEPARATORS = frozenset("._/")
_SEPARATOR_CATEGORIES = frozenset({"Zs", "Pd"})

_Group = list[int]


def holds_card_number(text: str) -> bool:
    """Whether some sequence of the text's digit groups, taken whole, is a card number."""
    return any(
        _passes_luhn(digits) for chain in _chains(text) for start in range(len(chain)) for digits in _runs(chain, start)
    )


def _chains(text: str) -> Iterator[list[_Group]]:
    """The digit groups of a text, those together that follow each other closely enough."""
    chain: list[_Group] = []
    gap = 0
    for character in text:
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            if not chain or gap:
                chain.append([])
            chain[-1].append(digit)
            gap = 0
        elif chain and gap < _WIDEST_GAP and _separates(character):
            gap += 1
        else:
            yield chain
            chain, gap = [], 0
    yield chain


def _separates(character: str) -> bool:
    return character in _SEPARATORS or unicodedata.category(character) in _SEPARATOR_CATEGORIES


def _runs(chain: Sequence[_Group], start: int) -> Iterator[_Group]:
    """The sequences of whole groups from `start` on that have as many digits as a card number."""
    digits: _Group = []
    for group in chain[start : start + _LONGEST]:
        if len(digits) + len(group) > _LONGEST:
            return
        digits = digits + group
        if len(digits) >= _SHORTEST:
            yield digits


def _passes_luhn(digits: _Group) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and any(digits)


_COVERED = {
    "apply_coupon": ("coupon_code",),
    "remove_coupon": ("coupon_code",),
    "save_payment_method": ("provider", "provider_token", "label"),
}
"""By kind of intent the texts that the rule is for; identifiers are exempt, and every text of an address is covered."""


def card_number_field(operation: operation_pb2.CartOperation) -> str | None:
    """The path of the first text of the operation that holds a card number, or None. Never the text itself."""
    return next((path for path, text in _texts(operation) if holds_card_number(text)), None)


def _texts(operation: operation_pb2.CartOperation) -> Iterator[tuple[str, str]]:
    yield from _texts_of("session_context", operation.session_context)
    for feature in operation.required_features:
        yield "required_features", feature
    kind = operation.WhichOneof("intent") or ""
    for name in _COVERED.get(kind, ()):
        yield f"{kind}.{name}", getattr(getattr(operation, kind), name)
    if kind == "put_address":
        yield from _texts_of("put_address.address", operation.put_address.address)


def _texts_of(path: str, message: Message) -> Iterator[tuple[str, str]]:
    """Every text of a message that has nothing but texts."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        for text in (value,) if isinstance(value, str) else value:
            yield f"{path}.{field.name}", text
