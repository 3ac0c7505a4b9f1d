"""A cart as the oracle remembers it: its lines, its coupons and its past."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.oracle.revisions import NO_PAST, Author, Past
from conformance.oracle.values import Entry, Line


@dataclass(frozen=True, slots=True)
class Cart:
    """One cart. `currency` is that of what made it; lines hold no zero; coupons in the order they were put on."""

    currency: str = ""
    closed: bool = False
    lines: tuple[tuple[str, int], ...] = ()  # (sku, quantity), ascending by SKU
    coupons: tuple[str, ...] = ()
    past: Past = NO_PAST

    @property
    def exists(self) -> bool:
        """Whether an add or a claim has made it (spec: cart/made-by-first-add)."""
        return self.past.number > 0

    def quantity(self, sku: str) -> int:
        """The quantity of a line; 0 for one that is not there."""
        return next((quantity for name, quantity in self.lines if name == sku), 0)

    def changed(self, author: Author, currency: str, *moved: Line) -> Cart:
        """The cart after one change of some lines; `currency` counts when it makes the cart."""
        lines = tuple(sorted({**dict(self.lines), **{line.sku: line.after for line in moved}}.items()))
        return replace(
            self,
            currency=self.currency if self.exists else currency,
            lines=tuple((sku, quantity) for sku, quantity in lines if quantity),
            past=self.past.and_then(author, *moved),
        )

    def with_coupons(self, author: Author, coupons: tuple[str, ...], code: str) -> Cart:
        """The cart after a change of its coupons, `code` put on or taken off."""
        past = self.past.and_then(author, Entry("coupon", code, code in coupons))
        return replace(self, coupons=coupons, past=past)

    def after_closing(self) -> Cart:
        """The cart closed by the shop."""
        return replace(self, closed=True, past=self.past.and_closed()) if not self.closed else self

    def last_foreign_change(self, sku: str, queue: str) -> int | None:
        """The number of the last change that another queue made to a line; None when there is none."""
        return self.past.last(lambda change: change.line(sku) is not None and change.author.queue != queue)
