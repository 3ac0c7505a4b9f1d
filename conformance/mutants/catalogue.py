"""All mutants, by story."""

from __future__ import annotations

import difflib

from conformance.mutants import (
    address_edits,
    address_fields,
    addresses,
    answers,
    card_number_refusals,
    card_numbers,
    carts,
    claimed_guests,
    compat,
    coupon_pricing,
    coupon_standings,
    coupon_terms,
    coupons,
    credentials,
    discards,
    duplicates,
    durability,
    guest_claims,
    hostile,
    identity,
    limits,
    line_order,
    merges,
    payment_providers,
    payments,
    poison,
    prices,
    races,
    reads,
    recording,
    refusals,
    requests,
    retention,
    revisions,
    stock,
    streams,
    watching,
    wishlist_pages,
    wishlists,
)
from conformance.mutants.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *identity.MUTANTS,
    *requests.MUTANTS,
    *answers.MUTANTS,
    *reads.MUTANTS,
    *duplicates.MUTANTS,
    *line_order.MUTANTS,
    *recording.MUTANTS,
    *refusals.MUTANTS,
    *races.MUTANTS,
    *discards.MUTANTS,
    *poison.MUTANTS,
    *durability.MUTANTS,
    *retention.MUTANTS,
    *carts.MUTANTS,
    *revisions.MUTANTS,
    *prices.MUTANTS,
    *stock.MUTANTS,
    *streams.MUTANTS,
    *coupons.MUTANTS,
    *coupon_terms.MUTANTS,
    *coupon_pricing.MUTANTS,
    *coupon_standings.MUTANTS,
    *wishlists.MUTANTS,
    *wishlist_pages.MUTANTS,
    *guest_claims.MUTANTS,
    *claimed_guests.MUTANTS,
    *compat.MUTANTS,
    *merges.MUTANTS,
    *limits.MUTANTS,
    *watching.MUTANTS,
    *credentials.MUTANTS,
    *hostile.MUTANTS,
    *addresses.MUTANTS,
    *address_edits.MUTANTS,
    *address_fields.MUTANTS,
    *payments.MUTANTS,
    *payment_providers.MUTANTS,
    *card_numbers.MUTANTS,
    *card_number_refusals.MUTANTS,
)


class UnknownMutantError(Exception):
    """There is no mutant of this name; the message names those that come close."""


def find(name: str) -> Mutant:
    """The mutant of this name; raises UnknownMutantError."""
    for mutant in CATALOGUE:
        if mutant.name == name:
            return mutant
    close = difflib.get_close_matches(name, [mutant.name for mutant in CATALOGUE], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "python -m conformance.mutants --list names them all"
    raise UnknownMutantError(f"there is no mutant {name!r}; {hint}")
