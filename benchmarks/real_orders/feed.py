"""What the shop charged when, so that the prices a server decided at can be checked against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Charge:
    """A price, and between which two times it came into force (nanoseconds since the epoch)."""

    price: int
    asked: int
    granted: int


class PriceFeed:
    """The history of prices, in minor units. `opening` holds before the first move."""

    def __init__(self, opening: Mapping[str, int], *, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._history = {sku: [_Charge(price, 0, 0)] for sku, price in opening.items()}
        self.move_count = 0

    def move(self, sku: str, price: int, tell_shop: Callable[[], None]) -> None:
        """Moves a price. `tell_shop` returns when it is in force."""
        asked = self._clock()
        tell_shop()
        self._history.setdefault(sku, []).append(_Charge(price, asked, self._clock()))
        self.move_count += 1

    def knows(self, sku: str) -> bool:
        """Whether the shop has the product."""
        return sku in self._history

    def now(self, sku: str) -> int:
        """The price now."""
        return self._history[sku][-1].price

    def charged(self, sku: str, earliest: int, latest: int) -> frozenset[int]:
        """Every price that may have been in force at some time from `earliest` to `latest` (nanoseconds)."""
        history = self._history.get(sku)
        if history is None:
            return frozenset()
        ends = [charge.granted for charge in history[1:]] + [latest]
        return frozenset(
            charge.price
            for charge, end in zip(history, ends, strict=True)
            if charge.asked <= latest and end >= earliest
        )
