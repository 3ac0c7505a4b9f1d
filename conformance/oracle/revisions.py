"""The past of a resource: every change of it, with what is known of the revision that the change made.

Revisions are the server's choice, so a change carries bounds: `low <= revision <= high` (high None: not bounded
yet). Seeing one revision tightens all the others, because revisions strictly increase (spec: revision/increases).
Changes are numbered from 1; number 0 is the resource before its first change, whose revision is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from conformance.oracle.values import Entry, Line, Touch


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a change: an operation of a queue."""

    queue: str
    sequence: int
    key: str


_SHOP = Author("", 0, "")


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with everything it touched. A cart's closing is a change that touches nothing; it may keep the
    revision.

    `fields` names the fields of an address that became others.
    """

    author: Author
    touches: tuple[Touch, ...]
    low: int
    high: int | None = None
    decided_at: int | None = None  # nanoseconds since the epoch, once seen
    fields: frozenset[str] = frozenset()
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Worlds are hashed often and share most of their changes, so each reckons its hash once."""
        if not self._hash:
            known = (self.author, self.touches, self.low, self.high, self.decided_at)
            object.__setattr__(self, "_hash", hash(known))
        return self._hash

    @property
    def step(self) -> int:
        """By how much its revision is at least above the one before."""
        return 1 if self.touches else 0

    def line(self, sku: str) -> Line | None:
        """What it did to a line of a cart."""
        return next((touch for touch in self.touches if isinstance(touch, Line) and touch.sku == sku), None)

    def entry(self, resource: str, name: str) -> Entry | None:
        """What it did to an entry of another kind."""
        entries = (touch for touch in self.touches if isinstance(touch, Entry))
        return next((entry for entry in entries if (entry.resource, entry.name) == (resource, name)), None)


@dataclass(frozen=True, slots=True)
class Past:
    """The changes of one resource, oldest first."""

    changes: tuple[Change, ...] = field(default=())

    @property
    def number(self) -> int:
        """The number of the last change; 0 before the first."""
        return len(self.changes)

    def bounds(self, number: int) -> tuple[int, int | None]:
        """What is known of the revision that change `number` made."""
        if number == 0:
            return (0, 0)
        change = self.changes[number - 1]
        return (change.low, change.high)

    def and_then(self, author: Author, *touches: Touch, fields: frozenset[str] = frozenset()) -> Past:
        """The past with one more change."""
        low = self.bounds(self.number)[0] + 1
        return Past((*self.changes, Change(author, touches, low, fields=fields)))

    def and_closed(self) -> Past:
        """The past with a closing by the shop; whether that takes a new revision is the server's choice."""
        low = self.bounds(self.number)[0]
        return Past((*self.changes, Change(_SHOP, (), low)))

    def last(self, wanted: Callable[[Change], bool]) -> int | None:
        """The number of the last change that is wanted; None when there is none."""
        return next((n for n in range(self.number, 0, -1) if wanted(self.changes[n - 1])), None)

    def coverings(self, guard: int | None, numbers: frozenset[int]) -> tuple[int, ...]:
        """The highest of these changes that a guard covers (its revision is no higher); 0 for none of them.

        Several while revisions are not known closely enough. Without a guard everything is covered.
        """
        if guard is None:
            return (self.number,)
        found = []
        for last in (0, *sorted(numbers)):
            covered = all(self.bounds(n)[0] <= guard for n in numbers if n <= last)
            beyond = [self.bounds(n)[1] for n in numbers if n > last]
            if covered and all(high is None or high > guard for high in beyond):
                found.append(last)
        return tuple(found)

    def with_revision(self, number: int, revision: int) -> Past | None:
        """The past, knowing that change `number` made `revision`; None when that cannot be.

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
        return Past(tuple(changes))

    def with_decide_time(self, number: int, decided_at: int, *, ordered: bool) -> Past | None:
        """The past, knowing when change `number` was decided; None when that cannot be.

        `ordered`: no change has an earlier time than one of a lower revision (spec: revision/decide-time).
        """
        if number == 0:
            return self
        known = self.changes[number - 1].decided_at
        if known is not None and known != decided_at:
            return None
        before = [c.decided_at for c in self.changes[: number - 1] if c.decided_at is not None]
        after = [c.decided_at for c in self.changes[number:] if c.decided_at is not None]
        if ordered and ((before and max(before) > decided_at) or (after and min(after) < decided_at)):
            return None
        changes = list(self.changes)
        changes[number - 1] = replace(changes[number - 1], decided_at=decided_at)
        return Past(tuple(changes))


NO_PAST = Past()
