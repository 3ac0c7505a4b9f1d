"""What looks like a payment card number, and where no operation may have one (chapter 14.4). Pure.

Theory of operation. Digit groups that follow each other closely make a chain, and a card number is a run of whole
groups of one chain with 13 to 19 digits that passes the Luhn check: every second digit from the right doubled, the sum
is a multiple of ten. All runs of a text are looked at together, for a client may send some hundred thousand of them.
All its chains are laid out one behind the other, a byte for each digit, and each property of a place is one long
integer: the sums of all runs of one length are those of one digit less, moved along by one, plus the next digit of
each, which is doubled when the length is even. No sum reaches 256, so nothing is carried from one byte into the next.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cartsync.v1 import operation_pb2

MIN_LENGTH = 13
MAX_LENGTH = 19

SPACES = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Category Zs."""
DASHES = (
    "\u002d\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030"
    "\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d\U00010ead"
)
"""Category Pd."""

# How chains are laid out: the first digit of a group as a letter, a to j, the others as digits, and a break between two
# chains. Separators are blanks on the way there.
_BLANK, _BREAK = b" ", b"x"
_SEPARATOR, _OTHER = " ", "x"
_TOO_WIDE = _BLANK * 4  # a gap between groups that follow each other has three separators at most
_FIRST = {_BLANK + b"%d" % digit: bytes([ord("a") + digit]) for digit in range(10)}
_CLASSES = bytes(
    byte if chr(byte) in "0123456789" else ord(_SEPARATOR if chr(byte) in f"{SPACES}{DASHES}._/" else _OTHER)
    for byte in range(256)
)


def _by_place(digit: Callable[[int], int], first: int | None = None, at_break: int = 0) -> bytes:
    """A table from a byte of the layout to a value; the first digit of a group has one of its own, or a digit's."""
    values = bytearray(256)
    for value in range(10):
        values[ord("0") + value] = digit(value)
        values[ord("a") + value] = digit(value) if first is None else first
    values[ord(_BREAK)] = at_break
    return bytes(values)


_PLAIN = _by_place(lambda digit: digit)
_DOUBLED = _by_place((0, 2, 4, 6, 8, 1, 3, 5, 7, 9).__getitem__)  # its own digits added up
_BEGINS = _by_place(lambda _: 0, first=255)
_ENDS_BEFORE = _by_place(lambda _: 0, first=255, at_break=255)
_IN_CHAIN = _by_place(lambda _: 255)
_FAILING_SUMS = bytes(found for found in range(256) if found == 0 or found % 10)  # a sum of 0 is all zeros


def holds_card_number(text: str) -> bool:
    """Whether some run of the text's digit groups is a card number (spec: security/card-number-unseparated)."""
    if len(text) < MIN_LENGTH:
        return False
    layout = _layout(text)
    return bool(layout) and _some_run_passes(layout)


def _layout(text: str) -> bytes:
    """The chains of a text that are long enough, with a break behind each; empty when there is none."""
    if not text.isascii():
        text = text.translate({ord(found): _ascii(found) for found in set(text) if not found.isascii()})
    classes = text.encode("ascii").translate(_CLASSES).replace(_TOO_WIDE, _BREAK)
    chains = [chain for chain in classes.split(_BREAK) if len(chain) >= MIN_LENGTH]
    if not chains:
        return b""
    layout = _BLANK + (_BREAK + _BLANK).join(chains) + _BREAK
    for digit, first in _FIRST.items():
        layout = layout.replace(digit, first)
    return layout.translate(None, _BLANK)


def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return _SEPARATOR if character in SPACES or character in DASHES else _OTHER


def _some_run_passes(layout: bytes) -> bool:
    count = len(layout)
    plain, doubled, begins, ends, in_chain = (
        int.from_bytes(layout.translate(table), "little")
        for table in (_PLAIN, _DOUBLED, _BEGINS, _ENDS_BEFORE, _IN_CHAIN)
    )
    sums, within = 0, in_chain
    for length in range(1, min(MAX_LENGTH, count) + 1):
        # Byte n: the sum of the run of this length that begins at place n, and whether one chain holds all of it.
        sums = (sums >> 8) + (doubled if length % 2 == 0 else plain)
        if length > 1:
            within = (within >> 8) & in_chain
        if length >= MIN_LENGTH:
            whole = sums & within & begins & (ends >> (8 * length))
            if whole.to_bytes(count, "little").translate(None, _FAILING_SUMS):
                return True
    return False


# Where it is looked for. Each profile covers the fields of its own.

_Texts = Iterator[tuple[str, Iterable[str]]]  # path from the operation, texts there
_APART = "\n"  # is in no chain, so texts of one field are looked through in one go, however many there are


def card_number_fields(
    operation: operation_pb2.CartOperation,
    profiles: Iterable[str],
    holds: Callable[[str], bool] = holds_card_number,
) -> list[str]:
    """Paths of the fields with a card number, in the order of `CartOperation` (spec: security/card-number-refused).

    Identifiers are exempt (spec: security/identifiers-exempt), and so are discards, which take no such step.
    """
    kind = operation.WhichOneof("intent") or ""
    if kind == "discard":
        return []
    intent = getattr(operation, kind) if kind else None
    return [
        path
        for profile, texts in _COVERED
        if profile in profiles
        for path, found in texts(operation, kind, intent)
        if holds(_APART.join(found))
    ]


def _provenance_and_coupons(operation: operation_pb2.CartOperation, kind: str, intent: Any) -> _Texts:
    context = operation.session_context
    yield "session_context.locale", (context.locale,)
    yield "session_context.client_name", (context.client_name,)
    yield "session_context.client_version", (context.client_version,)
    yield "required_features", operation.required_features
    if kind in ("apply_coupon", "remove_coupon"):
        yield f"{kind}.coupon_code", (intent.coupon_code,)


def _address(operation: operation_pb2.CartOperation, kind: str, intent: Any) -> _Texts:  # noqa: ARG001 - one form
    if kind == "put_address":
        for field in intent.address.DESCRIPTOR.fields:
            value = getattr(intent.address, field.name)
            yield f"put_address.address.{field.name}", (value,) if isinstance(value, str) else value


def _payment_method(operation: operation_pb2.CartOperation, kind: str, intent: Any) -> _Texts:  # noqa: ARG001
    if kind == "save_payment_method":
        for name in ("provider", "provider_token", "label"):
            yield f"save_payment_method.{name}", (getattr(intent, name),)


_COVERED: tuple[tuple[str, Callable[[operation_pb2.CartOperation, str, Any], _Texts]], ...] = (
    ("security", _provenance_and_coupons),
    ("address_book", _address),
    ("payment_methods", _payment_method),
)
