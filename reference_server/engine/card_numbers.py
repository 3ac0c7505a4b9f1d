"""What looks like a payment card number, and where no operation may have one (chapter 14.4). Pure.

Theory of operation. The digits of a text fall into groups, and groups that follow each other closely into chains. A
card number is a run of whole groups of one chain with 13 to 19 digits that passes the Luhn check. The check doubles
every second digit from the right, so two running sums over a chain, one doubling the digits at even places and one
those at odd places, tell the check sum of any run by one subtraction: a text is looked through once, however many
groups a client puts into it.
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

_GROUP = re.compile(r"\d+")  # exactly the code points of category Nd
_MAX_GAP = 3
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def holds_card_number(text: str) -> bool:
    """Whether some run of the text's digit groups is a card number (spec: security/card-number-unseparated)."""
    return any(_chain_holds(groups) for groups in _chains(text))


def passes_luhn(digits: list[int]) -> bool:
    """Whether the check sum of some digits is a multiple of ten."""
    return sum(_DOUBLED[d] if place % 2 else d for place, d in enumerate(reversed(digits))) % 10 == 0


def _chains(text: str) -> Iterator[list[str]]:
    chain: list[str] = []
    end = 0
    for group in _GROUP.finditer(text):
        if chain and not _is_gap(text[end : group.start()]):
            yield chain
            chain = []
        chain.append(group.group())
        end = group.end()
    if chain:
        yield chain


def _is_gap(between: str) -> bool:
    return len(between) <= _MAX_GAP and all(
        character in "._/" or unicodedata.category(character) in ("Zs", "Pd") for character in between
    )


def _chain_holds(groups: list[str]) -> bool:
    digits = [unicodedata.decimal(character) for group in groups for character in group]
    if len(digits) < MIN_LENGTH:
        return False
    bounds = [0, *accumulate(len(group) for group in groups)]
    begins = set(bounds[:-1])
    plain = [0, *accumulate(digits)]
    # sums[p][k]: of the first k digits, those at places of parity p doubled.
    sums = [
        [0, *accumulate(_DOUBLED[d] if place % 2 == parity else d for place, d in enumerate(digits))]
        for parity in (0, 1)
    ]
    for end in bounds[1:]:
        sum_to = sums[end % 2]  # the last digit, at place end - 1, is not doubled
        for begin in range(max(0, end - MAX_LENGTH), end - MIN_LENGTH + 1):
            if begin in begins and (sum_to[end] - sum_to[begin]) % 10 == 0 and plain[end] > plain[begin]:
                return True
    return False


# Where it is looked for. Each profile covers the fields of its own.

_Texts = Iterator[tuple[str, Iterable[str]]]  # path from the operation, texts there


def card_number_fields(operation: operation_pb2.CartOperation, profiles: Iterable[str]) -> list[str]:
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
        if any(map(holds_card_number, found))
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
