"""Looks at offers with suspicion: the catalogue is a service that can be wrong, too."""

from __future__ import annotations

from collections.abc import Callable

from reference_server.ports import MAX_UNIT_PRICE_MINOR, BackendUnavailableError, Catalog, Offer

OfferLookup = Callable[[str], Offer | None]


def offers_for(catalog: Catalog, principal: str) -> OfferLookup:
    """The catalogue as one principal sees it. An offer that the protocol cannot carry counts as no answer."""

    def offer(sku: str) -> Offer | None:
        found = catalog.offer(principal, sku)
        if found is not None and not _is_sane(found):
            raise BackendUnavailableError(f"the catalogue's offer of {sku!r} has impossible figures")
        return found

    return offer


def _is_sane(offer: Offer) -> bool:
    return 0 <= offer.unit_price_minor <= MAX_UNIT_PRICE_MINOR and (
        offer.available_quantity is None or offer.available_quantity >= 0
    )
