"""A cart as the oracle remembers it: its lines, and every change with what is known of its revision.

Revisions are the server's choice, so a change carries bounds: `low <= revision <= high` (high None: not bounded
yet). Seeing one revision tightens all the others, because revisions strictly increase (spec: revision/increases).
Changes are numbered from 1; number 0 is the cart no add has made, whose revision is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.oracle.values import Line


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one line. A closing of the cart is a change without a line; it may keep the revision."""

    queue: str
    sequence: int
    key: str
    line: Line | None
    low: int
    high: int | None = None
    decided_at: int | None = None  # nanoseconds since the epoch, once seen

    @property
    def step(self) -> int:
        """By how much its revision is at least above the one before."""
        return 1 if self.line is not None else 0


@dataclass(frozen=True, slots=True)
class Cart:
    """One cart. `currency` is that of the add that made it; lines hold no zero."""

    currency: str = ""
    closed: bool = False
    lines: tuple[tuple[str, int], ...] = ()  # (sku, quantity), ascending by SKU
    changes: tuple[Change, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether an add has made it (spec: cart/made-by-first-add)."""
        return bool(self.changes)

    @property
    def change_number(self) -> int:
        """The number of its last change; 0 for a cart no add has made."""
        return len(self.changes)

    def quantity(self, sku: str) -> int:
        """The quantity of a line; 0 for one that is not there."""
        return next((quantity for name, quantity in self.lines if name == sku), 0)

    def bounds(self, number: int) -> tuple[int, int | None]:
        """What is known of the revision that change `number` made."""
        if number == 0:
            return (0, 0)
        change = self.changes[number - 1]
        return (change.low, change.high)

    def changed(self, queue: str, sequence: int, key: str, line: Line, currency: str) -> Cart:
        """The cart after one more change."""
        low = self.bounds(self.change_number)[0] + 1
        lines = tuple(sorted({**dict(self.lines), line.sku: line.after}.items()))
        return Cart(
            currency=self.currency if self.exists else currency,
            closed=self.closed,
            lines=tuple((sku, quantity) for sku, quantity in lines if quantity),
            changes=(*self.changes, Change(queue, sequence, key, line, low)),
        )

    def after_closing(self) -> Cart:
        """The cart closed by the shop; whether that takes a new revision is the server's choice."""
        low = self.bounds(self.change_number)[0]
        return replace(self, closed=True, changes=(*self.changes, Change("", 0, "", None, low)))

    def last_foreign_change(self, sku: str, queue: str) -> int | None:
        """The number of the last change that another queue made to a line; None when there is none."""
        for number in range(len(self.changes), 0, -1):
            change = self.changes[number - 1]
            if change.line is not None and change.line.sku == sku and change.queue != queue:
                return number
        return None

    def with_revision(self, number: int, revision: int) -> Cart | None:
        """The cart, knowing that change `number` made `revision`; None when that cannot be.

        Revisions before it are below, those after it above (spec: revision/increases).
        """
        low, high = self.bounds(number)
        if revision < low or (high is not None and revision > high):
            return None
        if low == high:
            return self
        changes = list(self.changes)
        changes[number - 1] = replace(changes[number - 1], low=revision, high=revision)
        for index in range(number, len(changes)):  # after it: at least so much above
            least = changes[index - 1].low + changes[index].step
            if changes[index].low >= least:
                break
            changes[index] = replace(changes[index], low=least)
        for index in range(number - 2, -1, -1):  # before it: at most so much below
            above = changes[index + 1].high
            most = (above if above is not None else revision) - changes[index + 1].step
            known = changes[index].high
            if known is not None and known <= most:
                break
            changes[index] = replace(changes[index], high=most)
        if any(change.high is not None and change.low > change.high for change in changes):
            return None
        return replace(self, changes=tuple(changes))

    def with_decide_time(self, number: int, decided_at: int) -> Cart | None:
        """The cart, knowing when change `number` was decided; None when time ran backwards.

        spec: revision/decide-time
        """
        if number == 0:
            return self
        before = [c.decided_at for c in self.changes[: number - 1] if c.decided_at is not None]
        after = [c.decided_at for c in self.changes[number:] if c.decided_at is not None]
        if (before and max(before) > decided_at) or (after and min(after) < decided_at):
            return None
        changes = list(self.changes)
        changes[number - 1] = replace(changes[number - 1], decided_at=decided_at)
        return replace(self, changes=tuple(changes))
