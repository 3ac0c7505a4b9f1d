"""Comparing one world with what was read of a wishlist, an address book or payment methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from conformance.oracle.attribution import Context
from conformance.oracle.matching import revision_slug
from conformance.oracle.observations import (
    ObservedAddress,
    ObservedAddressBook,
    ObservedPaymentMethod,
    ObservedPaymentMethods,
    ObservedWishlist,
)
from conformance.oracle.revisions import Past
from conformance.oracle.values import Address
from conformance.oracle.world import SOLE, Kind, Place, World
from conformance.oracle.worlds import Mismatch

_Observed = TypeVar("_Observed", ObservedAddress, ObservedPaymentMethod)


def wishlist(
    context: Context, world: World, queue_id: str, observed: ObservedWishlist, principal: str = SOLE
) -> World | Mismatch:
    """Compare a wishlist, asked for with `queue_id` (empty: without a queue)."""
    place, expected = Place(principal, Kind.WISHLIST), world.wishlist(principal)
    shown = tuple(entry.sku for entry in observed.entries)
    if shown != expected.skus:
        slug = "wishlist/paging" if sorted(shown) == sorted(expected.skus) else context.trouble or "wishlist/add"
        summary = "the wishlist shows other entries than its operations left, or in another order"
        return _mismatch(place, slug, summary, ", ".join(expected.skus), ", ".join(shown), 2)
    wrong = _watermark(context, world, queue_id, place, "wishlist/atomic", observed.watermark)
    if wrong is not None:
        return wrong
    known = _revision(place, expected.past, observed.revision)
    if isinstance(known, Mismatch):
        return known
    for entry in observed.entries:
        number = expected.change_of(entry.sku) or 0
        timed = known.with_decide_time(number, entry.added_at, ordered=False) if entry.added_at is not None else None
        if timed is None:
            summary = f"the entry {entry.sku} has another add_time than the decide_time of what put it there"
            return _mismatch(place, "wishlist/add", summary, "that decide_time", str(entry.added_at), 50)
        known = timed
    return world.with_resource(place, replace(expected, past=known)) if expected.past.number else world


def address_book(
    context: Context, world: World, queue_id: str, observed: ObservedAddressBook, principal: str = SOLE
) -> World | Mismatch:
    """Compare an address book, asked for with `queue_id` (empty: without a queue)."""
    place, expected = Place(principal, Kind.ADDRESS_BOOK), world.address_book(principal)
    wanted, shown = dict(expected.addresses), {entry.address_id: entry.address for entry in observed.addresses}
    if wrong := _order(place, "address/listing", [entry.address_id for entry in observed.addresses]):
        return wrong
    if shown != wanted:
        agreed = sum(1 for name in wanted if shown.get(name) == wanted[name])
        slug = context.trouble or _slug_of_address(wanted, shown)
        summary = "the address book holds others than its operations left"
        return _mismatch(place, slug, summary, _described(wanted), _described(shown), 3 + agreed)
    wrong = _watermark(context, world, queue_id, place, "address/listing", observed.watermark)
    if wrong is not None:
        return wrong
    known = _revision(place, expected.past, observed.revision)
    if isinstance(known, Mismatch):
        return known
    changes = [(entry.address_id, expected.change_of(entry.address_id), entry) for entry in observed.addresses]
    known = _change_revisions(place, "address/listing", known, changes)
    if isinstance(known, Mismatch):
        return known
    return world.with_resource(place, replace(expected, past=known)) if expected.past.number else world


def _slug_of_address(wanted: dict[str, Address], shown: dict[str, Address]) -> str:
    """An address whose fields are others than due breaks the merge; one that is there or not unduly, exactly-once."""
    return "address/merge-keeps" if set(wanted) == set(shown) else "address/listing"


def payment_methods(
    context: Context, world: World, queue_id: str, observed: ObservedPaymentMethods, principal: str = SOLE
) -> World | Mismatch:
    """Compare payment methods, asked for with `queue_id` (empty: without a queue)."""
    place, expected = Place(principal, Kind.PAYMENT_METHODS), world.payment_methods(principal)
    wanted = {name: (method.provider, method.label, method.details) for name, method in expected.methods}
    shown = {method.method_id: (method.provider, method.label, method.details) for method in observed.methods}
    if wrong := _order(place, "payment/listing", [method.method_id for method in observed.methods]):
        return wrong
    if shown != wanted:
        agreed = sum(1 for name in wanted if shown.get(name) == wanted[name])
        slug = context.trouble or ("payment/as-provided" if set(wanted) == set(shown) else "payment/listing")
        summary = "the payment methods are others than their operations left"
        return _mismatch(place, slug, summary, _described(wanted), _described(shown), 3 + agreed)
    wrong = _watermark(context, world, queue_id, place, "payment/listing", observed.watermark)
    if wrong is not None:
        return wrong
    known = _revision(place, expected.past, observed.revision)
    if isinstance(known, Mismatch):
        return known
    changes = [(method.method_id, expected.change_of(method.method_id), method) for method in observed.methods]
    known = _change_revisions(place, "payment/listing", known, changes)
    if isinstance(known, Mismatch):
        return known
    return world.with_resource(place, replace(expected, past=known)) if expected.past.number else world


def _order(place: Place, slug: str, shown: list[str]) -> Mismatch | None:
    if shown == sorted(set(shown)):
        return None
    summary = f"{place} shows an entry twice or its entries out of order"
    return _mismatch(place, slug, summary, ", ".join(sorted(set(shown))), ", ".join(shown), 2)


def _watermark(
    context: Context, world: World, queue_id: str, place: Place, slug: str, observed: int | None
) -> Mismatch | None:
    wanted = world.queue(queue_id).watermark if queue_id else None
    if observed == wanted:
        return None
    summary = f"{place} is shown with a watermark that does not go with its entries"
    return _mismatch(place, context.trouble or slug, summary, str(wanted), str(observed), 30)


def _revision(place: Place, past: Past, observed: int) -> Past | Mismatch:
    known = past.with_revision(past.number, observed)
    if known is not None:
        return known
    low, high = past.bounds(past.number)
    slug = revision_slug(place.kind, "revision/unchanged")
    wanted = str(low) if low == high else f"at least {low}"
    return _mismatch(place, slug, f"{place} is shown with revision {observed}", wanted, str(observed), 31)


def _change_revisions(
    place: Place, slug: str, past: Past, changes: Sequence[tuple[str, int | None, _Observed]]
) -> Past | Mismatch:
    """Each entry with the revision of its last change."""
    for name, number, entry in changes:
        tightened = past.with_revision(number or 0, entry.change_revision)
        if tightened is None:
            low, high = past.bounds(number or 0)
            wanted = str(low) if low == high else f"from {low} to {high if high is not None else 'any'}"
            summary = f"{place} shows {name} as changed at revision {entry.change_revision}"
            return _mismatch(place, slug, summary, wanted, str(entry.change_revision), 40)
        past = tightened
    return past


def _mismatch(place: Place, slug: str, summary: str, expected: str, observed: str, stage: int) -> Mismatch:
    return Mismatch(slug, summary, expected or "nothing", observed or "nothing", stage, place.kind)


def _described(entries: Mapping[str, object]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in sorted(entries.items()))
