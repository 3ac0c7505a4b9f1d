"""What looks like a payment card number, and where no operation may have one (chapter 14.4). Pure.

Theory of operation. Digit groups that follow each other closely make a chain, and a card number is a run of whole
groups of one chain with 13 to 19 digits that passes the Luhn check: every second digit from the right doubled, the sum
is a multiple of ten. All runs of a chain are looked at together: a chain is one long integer with a byte for each
digit, and the sums of all runs of one length are that of one digit less plus the chain moved along by one. No sum
reaches 256, so nothing is carried from one byte into the next, and a text is looked through in a time that grows
slowly with its length, whatever a client puts into it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
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

_GAP = f"[{re.escape(SPACES + DASHES + '._/')}]{{0,3}}"
_CHAIN = re.compile(rf"\d(?:{_GAP}\d){{{MIN_LENGTH - 1},}}+")  # \d is exactly category Nd
_GROUP = re.compile(r"\d+")
# By the value of a byte: a digit doubled, its own digits added up; whether a sum passes. A sum of 0 is all zeros.
_DOUBLED = bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9, *range(10, 256)))
_PASSES = bytes(found > 0 and found % 10 == 0 for found in range(256))


def holds_card_number(text: str) -> bool:
    """Whether some run of the text's digit groups is a card number (spec: security/card-number-unseparated)."""
    return any(_chain_holds(_GROUP.findall(chain.group())) for chain in _CHAIN.finditer(text))


def _chain_holds(groups: list[str]) -> bool:
    digits = bytes(map(unicodedata.decimal, "".join(groups)))
    count = len(digits)
    bounds = bytearray(count + 1)  # 1 where a group begins or ends
    for bound in accumulate(map(len, groups), initial=0):
        bounds[bound] = 1
    is_bound = int.from_bytes(bounds, "little")
    doubled = digits.translate(_DOUBLED)
    for parity in (0, 1):
        # Of a run that ends before a place of this parity, the digits at such places are doubled.
        weighed = bytearray(digits)
        weighed[parity::2] = doubled[parity::2]
        chain = sums = int.from_bytes(weighed, "little")
        for length in range(2, min(MAX_LENGTH, count) + 1):
            chain >>= 8
            sums += chain  # byte n: the sum of the run of this length that begins at place n
            if length < MIN_LENGTH:
                continue
            passes = int.from_bytes(sums.to_bytes(count, "little").translate(_PASSES), "little")
            in_place = int.from_bytes(bytes(((length + parity + 1) % 2, (length + parity) % 2)) * count, "little")
            if passes & is_bound & (is_bound >> (8 * length)) & in_place:
                return True
    return False


# Where it is looked for. Each profile covers the fields of its own.

_Texts = Iterator[tuple[str, Iterable[str]]]  # path from the operation, texts there


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
        if any(map(holds, found))
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
