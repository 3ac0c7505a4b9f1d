"""Where a device shops: how the carts that a check names are called there, and what products cost there."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.exceptions import NotTestableError
from conformance.fixtures import ANY_PRICE, Carts, CartsAsNamed, Catalogue, Price


@dataclass(frozen=True, slots=True)
class Venue:
    """The shop as a device knows it."""

    carts: Carts = field(default_factory=CartsAsNamed)
    catalogue: Catalogue | None = None
    fresh_account: bool = True  # nobody used the account before: it has no wishes, addresses and payment methods

    def cart_id(self, name: str) -> str:
        """The id of a cart by the name that a check gives it; raises NotTestableError when there can be none."""
        return self.carts.cart_id(name)

    def price_seen(self, sku: str) -> Price:
        """What an add says the shopper saw, when the check does not say."""
        return self.catalogue.price_seen(sku) if self.catalogue is not None else ANY_PRICE

    def needs_fresh_account(self) -> None:
        """Raise NotTestableError when the account may hold something apart from carts."""
        if not self.fresh_account:
            raise NotTestableError(
                "this needs an account that nobody used before: give credential_command in the fixtures file, or a "
                "control service"
            )


ANY_VENUE = Venue()
