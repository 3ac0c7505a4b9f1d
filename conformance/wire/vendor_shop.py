"""The shop behind a server tested as a black box: accounts and products are the vendor's, nothing is arranged."""

from __future__ import annotations

from datetime import timedelta

from cartsync.conformance.v1 import control_pb2 as control

from conformance.exceptions import NotTestableError
from conformance.fixtures import Accounts, CartPolicy, Carts, CartsAsNamed, FreshCarts, OneCart, Price, Product
from conformance.wire.history import History
from conformance.wire.shop import Shop
from conformance.wire.target import Target


class VendorShop(Shop):
    """For one principal of one attempt: its accounts come from the fixtures file; the rest is not to be had."""

    def __init__(self, target: Target, accounts: Accounts, principal: str, history: History) -> None:
        super().__init__(target, principal, history)
        self.fixtures = accounts.fixtures
        self._cast = accounts.cast()

    def needs(self, *capabilities: control.Capability.ValueType) -> None:
        """Raise NotTestableError, but for guests where there is a command for them."""
        if self.fixtures.guest_command and set(capabilities) == {control.CAPABILITY_GUESTS}:
            return
        super().needs(*capabilities)

    def credential(
        self, principal: str | None = None, *, guest: bool = False, lifetime: timedelta | None = None
    ) -> str:
        """The authorization metadata of an account of the vendor's, the same for the same principal."""
        if lifetime is not None:
            raise NotTestableError("this needs credentials that expire: give a control service")
        authorization = self._cast.credential(principal or self.principal, guest=guest).authorization
        self._issued[authorization] = principal or self.principal
        return authorization

    def carts(self, tag: str) -> Carts:
        """How carts are called here."""
        if self.fixtures.cart_policy is CartPolicy.ONE_PER_ACCOUNT:
            return OneCart(self.fixtures.cart_id)
        return CartsAsNamed() if self.fixtures.fresh_accounts else FreshCarts(tag)


class ControlledCatalogue:
    """Products that the control service puts on offer. Implements `Catalogue`."""

    def __init__(self, shop: Shop, tag: str, usual: Price) -> None:
        self._shop = shop
        self._tag = tag
        self._usual = usual

    def product(self, name: str, price: int | None, available: int | None, *, listed: bool) -> str:
        """A product of this attempt's own, put on offer."""
        sku = f"{name}-{self._tag}"
        self._shop.offer(sku, self._usual.minor if price is None else price, available=available, listed=listed)
        return sku

    def price_seen(self, sku: str) -> Price:
        """The usual price, whatever it really costs."""
        del sku
        return self._usual

    def stand_in(self, name: str, number: int) -> Product | None:
        """None: a plan makes its own."""
        del name, number
        return None

    def find(self, sku: str) -> Product | None:
        """None: no product is the vendor's."""
        del sku
        return None
