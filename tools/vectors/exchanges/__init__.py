"""The exchanges, by what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from tools.vectors.exchanges import (
    accounts,
    carts,
    claims,
    compatibility,
    coupons,
    deciding,
    errors,
    prices,
    refusals,
    streams,
    watching,
)
from tools.vectors.script import EXCHANGES, Exchange

SUBJECTS: tuple[ModuleType, ...] = (
    deciding,
    carts,
    prices,
    refusals,
    errors,
    streams,
    compatibility,
    coupons,
    accounts,
    watching,
    claims,
)
"""The modules that tell exchanges, in the order of the appendix."""


def in_order() -> Iterator[Exchange]:
    """Every exchange, subject by subject."""
    for subject in SUBJECTS:
        yield from (exchange for exchange in EXCHANGES.values() if exchange.tell.__module__ == subject.__name__)


def subject_of(exchange: Exchange) -> str:
    """What an exchange is about, for a heading."""
    (module,) = (subject for subject in SUBJECTS if subject.__name__ == exchange.tell.__module__)
    return (module.__doc__ or "").splitlines()[0].rstrip(".")
