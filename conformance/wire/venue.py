"""Where a device shops: how the carts that a check names are called there, and what products cost there."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.fixtures import ANY_PRICE, Carts, CartsAsNamed, Catalogue, Price


@dataclass(frozen=True, slots=True)
class Venue:
    """The shop as a device knows it."""

    carts: Carts = field(default_factory=CartsAsNamed)
    catalogue: Catalogue | None = None

    def cart_id(self, name: str) -> str:
        """The id of a cart by the name that a check gives it; raises NotTestableError when there can be none."""
        return self.carts.cart_id(name)

    def price_seen(self, sku: str) -> Price:
        """What an add says the shopper saw, when the check does not say."""
        return self.catalogue.price_seen(sku) if self.catalogue is not None else ANY_PRICE


ANY_VENUE = Venue()
