"""Chapter 10: the address book, merged field by field, and its rules.

A guard is a revision, and what an oracle knows of revisions are bounds; so a bid says up to which change its guard
reaches (`covered`), and whoever makes bids tries each that is possible.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from conformance.oracle.revisions import NO_PAST, Author, Change, Past
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import (
    NO_DETAILS,
    Address,
    AddressIntent,
    DeleteAddress,
    Details,
    Entry,
    FieldKept,
    Limits,
    PutAddress,
)

FIELDS = tuple(field.name for field in fields(Address))
NEEDED = ("recipient", "address_lines", "region_code")


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The addresses of one principal, ascending by id."""

    addresses: tuple[tuple[str, Address], ...] = ()
    past: Past = NO_PAST

    def address(self, address_id: str) -> Address | None:
        """One of them; None when it is not there."""
        return dict(self.addresses).get(address_id)

    def changed(self, author: Author, address_id: str, address: Address | None, written: frozenset[str]) -> AddressBook:
        """The book after the fields `written` of one address became others, or it was deleted (None)."""
        others = {name: kept for name, kept in self.addresses if name != address_id}
        kept = others if address is None else {**others, address_id: address}
        past = self.past.and_then(author, Entry("address", address_id, address is not None), fields=written)
        return AddressBook(tuple(sorted(kept.items(), key=lambda entry: entry[0])), past)

    def change_of(self, address_id: str) -> int | None:
        """The number of the last change of an address."""
        return self.past.last(lambda change: change.entry("address", address_id) is not None)

    def last_foreign_change(self, address_id: str, queue: str, field: str = "") -> int | None:
        """The number of the last change by another queue of an address, or of one field of it, as it now is there.

        What was before it was last made is forgotten.
        """

        def wanted(change: Change) -> bool:
            mine = change.author.queue == queue
            touched = change.entry("address", address_id) is not None and (not field or field in change.fields)
            return touched and not mine

        number = self.past.last(wanted)
        there = self.address(address_id) is not None
        return number if there and number is not None and number > self._last_deletion(address_id) else None

    def _last_deletion(self, address_id: str) -> int:
        """The number of the change that last deleted an address; 0 when none did."""

        def deletes(change: Change) -> bool:
            entry = change.entry("address", address_id)
            return entry is not None and not entry.present

        return self.past.last(deletes) or 0


@dataclass(frozen=True, slots=True)
class Bid:
    """An intent of one queue against the address book; its guard reaches up to change number `covered`."""

    intent: AddressIntent
    queue: str
    book: AddressBook
    limits: Limits
    covered: int

    @property
    def there(self) -> Address | None:
        """The address as it is; None when it is not there."""
        return self.book.address(self.intent.address_id)

    def changed_since(self, field: str = "") -> bool:
        """Whether another queue changed the address (or one field of it) after what the guard covers."""
        if self.intent.base is None:
            return False
        number = self.book.last_foreign_change(self.intent.address_id, self.queue, field)
        return number is not None and number > self.covered


def foreign_changes(intent: AddressIntent, queue: str, book: AddressBook) -> frozenset[int]:
    """The changes that a guard may or may not cover, and that matter to the intent."""
    wanted = intent.mask & set(FIELDS) if isinstance(intent, PutAddress) else ("",)
    numbers = (book.last_foreign_change(intent.address_id, queue, field) for field in wanted)
    return frozenset(number for number in numbers if number is not None)


def not_found(bid: Bid) -> Details | None:
    """spec: address/edit-missing"""
    if not isinstance(bid.intent, PutAddress):
        return None
    return NO_DETAILS if (bid.intent.base or 0) > 0 and bid.there is None else None


def incomplete(bid: Bid) -> Details | None:
    """spec: address/incomplete"""
    if not isinstance(bid.intent, PutAddress) or bid.there is not None:
        return None
    missing = frozenset(NEEDED) - bid.intent.mask
    return Details(wrong_fields=frozenset(f"put_address.address.{name}" for name in missing)) if missing else None


def full(bid: Bid) -> Details | None:
    """spec: address/full"""
    makes = isinstance(bid.intent, PutAddress) and bid.there is None
    return NO_DETAILS if makes and len(bid.book.addresses) >= bid.limits.max_address_count else None


def changed(bid: Bid) -> Details | None:
    """spec: address/delete-changed"""
    return NO_DETAILS if isinstance(bid.intent, DeleteAddress) and bid.changed_since() else None


RULES: Rules[Bid] = (
    ("ADDRESS_NOT_FOUND", "address/edit-missing", not_found),
    ("ADDRESS_INCOMPLETE", "address/incomplete", incomplete),
    ("ADDRESS_BOOK_FULL", "address/full", full),
    ("ADDRESS_CHANGED", "address/delete-changed", changed),
)


def effect(bid: Bid, author: Author) -> Effect[AddressBook]:
    """What a bid that no rule refuses does to the book."""
    if isinstance(bid.intent, PutAddress):
        return _put(bid, bid.intent, author)
    gone = bid.book.changed(author, bid.intent.address_id, None, frozenset()) if bid.there is not None else None
    return Effect("address/delete", gone)


def _put(bid: Bid, intent: PutAddress, author: Author) -> Effect[AddressBook]:
    """spec: address/create, address/masked-only, address/merge-keeps, address/kept-reported, address/unguarded"""
    assert intent.address is not None
    before = bid.there if bid.there is not None else Address()
    differing = {name for name in intent.mask if getattr(intent.address, name) != getattr(before, name)}
    kept = {name for name in differing if bid.there is not None and bid.changed_since(name)}
    written = frozenset(differing - kept)
    after = replace(before, **{name: getattr(intent.address, name) for name in written})
    reports = frozenset(FieldKept(name, replace(Address(), **{name: getattr(before, name)})) for name in kept)
    if bid.there is None:
        return Effect("address/create", bid.book.changed(author, intent.address_id, after, written))
    rule = "address/merge-keeps" if intent.base is not None else "address/unguarded"
    if not written:
        return Effect(rule, adjustments=reports)
    return Effect(rule, bid.book.changed(author, intent.address_id, after, written), adjustments=reports)
