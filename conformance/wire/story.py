"""One attempt at one check: a principal, carts and products of its own, and the means to expect something of them."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable

import grpc
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import cart_pb2, outcome_pb2, policy_pb2, reason_pb2, service_pb2

from conformance.exceptions import NotTestableError, ViolationError
from conformance.fixtures import ANY_PRICE, CartPolicy, CartsAsNamed, Catalogue, FixtureCatalogue
from conformance.wire.connection import Connection, RpcFailureError
from conformance.wire.device import Device
from conformance.wire.history import History, Lane
from conformance.wire.shop import Shop
from conformance.wire.target import Target
from conformance.wire.vendor_shop import ControlledCatalogue, VendorShop
from conformance.wire.venue import Venue
from conformance.wire.wording import described

_SWEEP = 100  # operations in one submission: every server takes so many


class Story:
    """Everything one attempt needs. Nothing in it is shared with another attempt."""

    def __init__(self, target: Target, rng: random.Random, *, name: str = "story") -> None:
        self.target = target
        self.rng = rng
        self.history = History()
        self.operation_count = 0  # outcomes judged
        self.tag = secrets.token_hex(5)  # never from the seed: a running server may remember an earlier run
        self.principal_name = f"{name[:40]}-{self.tag}"
        self.shop = self._shop_of(self.principal_name)
        self.catalogue = self._catalogue()
        carts = self.shop.carts(self.tag) if isinstance(self.shop, VendorShop) else CartsAsNamed()
        self.venue = Venue(carts, self.catalogue, self.has_fresh_account)
        # Keys and queue ids that an account has seen in an earlier run would be duplicates.
        self._ids = rng if self.has_fresh_account else random.Random(self.tag)  # noqa: S311 - names for a test
        self._emptied: set[str] = set()  # principals whose one cart was emptied
        self._connections: list[Connection] = []
        self._shops: list[Shop] = []
        self._policies: dict[str, service_pb2.GetSyncPolicyResponse] = {}

    def close(self) -> None:
        """Let go of every connection."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        for shop in (self.shop, *self._shops):
            shop.close()

    # The cast.

    def sku(
        self, name: str = "tea", price: int | None = None, *, available: int | None = None, listed: bool = True
    ) -> str:
        """A product on offer, of this attempt's own where that can be arranged; a price of None leaves that open."""
        return self.catalogue.product(name, price, available, listed=listed)

    def connect(self, actor: str = "phone", principal: str | None = None) -> Connection:
        """A new connection of the attempt's principal, or of another one made for it."""
        return self.connect_with(self.shop.credential(principal), actor)

    def connect_with(
        self, authorization: str, actor: str = "stranger", *, also: str = "", reads_ahead: bool = True
    ) -> Connection:
        """A new connection with this authorization metadata, empty for none, and perhaps a second one beside it.

        One that does not read ahead takes in 64 KiB that nobody has read, and then holds the server back.
        """
        connection = Connection(
            self.target,
            authorization,
            self.history,
            actor,
            also=also,
            reads_ahead=reads_ahead,
            credential=self.shop.holder_of(authorization),
        )
        self._connections.append(connection)
        return connection

    def guest(self, name: str = "guest", *, cart_id: str = "main") -> Device:
        """A new device of a guest: a principal of its own, with a queue of its own."""
        principal = f"{name}-{self.tag}"
        connection = self.connect_with(self.shop.credential(principal, guest=True), name)
        self._policies[principal] = connection.policy()
        return Device(name, connection, self._policies[principal].principal, cart_id, self._ids, venue=self.venue)

    def shop_of(self, principal: str) -> Shop:
        """The control service for another principal of this attempt, by the name the suite gave it."""
        shop = self._shop_of(principal)
        self._shops.append(shop)
        return shop

    def device(self, name: str = "phone", *, cart_id: str = "main", principal: str | None = None) -> Device:
        """A new device with a queue of its own."""
        connection = self.connect(name, principal)
        device = Device(name, connection, self.contract(principal).principal, cart_id, self._ids, venue=self.venue)
        if self.shares_carts and device.principal not in self._emptied:
            self._emptied.add(device.principal)
            self._empty_cart(device)
        return device

    def contract(self, principal: str | None = None) -> service_pb2.GetSyncPolicyResponse:
        """What GetSyncPolicy answers a principal; asked once an attempt."""
        key = principal or self.principal_name
        if key not in self._policies:
            connection = self.connect("policy", principal)
            try:
                self._policies[key] = connection.policy()
            except RpcFailureError as failure:
                if isinstance(self.shop, VendorShop) and failure.code is grpc.StatusCode.UNAUTHENTICATED:
                    raise NotTestableError("the server does not know an account of the fixtures file") from failure
                raise
        return self._policies[key]

    @property
    def policy(self) -> policy_pb2.SyncPolicy:
        """The server's policy."""
        return self.contract().policy

    # What the vendor gave, in a black-box test.

    @property
    def shares_carts(self) -> bool:
        """Whether an account's one cart is used by one attempt after the other, and so must be emptied first."""
        shop = self.shop
        if not isinstance(shop, VendorShop):
            return False
        return shop.fixtures.cart_policy is CartPolicy.ONE_PER_ACCOUNT and not shop.fixtures.fresh_accounts

    def needs_unmade_cart(self) -> None:
        """Raise NotTestableError when an account's one cart may have been there before."""
        if self.shares_carts:
            raise NotTestableError(
                "this needs a cart that was never there, and by the fixtures file an account has one: give "
                "credential_command"
            )

    @property
    def has_fresh_account(self) -> bool:
        """Whether nobody used the attempt's account before: its wishlist, addresses and the like are empty."""
        return not isinstance(self.shop, VendorShop) or self.shop.fixtures.fresh_accounts

    def _shop_of(self, principal: str) -> Shop:
        if self.target.accounts is None:
            return Shop(self.target, principal, self.history)
        return VendorShop(self.target, self.target.accounts, principal, self.history)

    def _catalogue(self) -> Catalogue:
        fixtures = self.target.options.fixtures
        if fixtures is not None and not self.shop.offers_capability(control_pb2.CAPABILITY_OFFERS):
            return FixtureCatalogue(fixtures)
        return ControlledCatalogue(self.shop, self.tag, ANY_PRICE)

    def _empty_cart(self, device: Device) -> None:
        """Empty the account's one cart as a shopper would; the device's own queue takes no part in it."""
        sweeper = Device("sweeper", device.connection, device.principal, device.cart_id, self._ids, venue=self.venue)
        lines = [line.sku for line in sweeper.cart().lines]
        for begin in range(0, len(lines), _SWEEP):
            sweeper.submit(*(sweeper.remove(sku) for sku in lines[begin : begin + _SWEEP]))

    # Trouble.

    def needs_launch(self) -> None:
        """Raise NotTestableError unless the suite started the server, and so may kill it."""
        if not self.target.launched:
            raise NotTestableError(
                "the server was not launched by the suite, so it cannot be killed and restarted: give --launch"
            )

    def kill(self) -> None:
        """Kill -9 and start again; every device keeps working over a new connection of its own."""
        self.history.add(Lane.SERVER, "is killed", detail="kill -9")
        self.target.kill()
        self.start_again()

    def restart(self) -> None:
        """Stop gracefully and start again."""
        self.history.add(Lane.SERVER, "is stopped", detail="SIGTERM")
        self.target.terminate()
        self.start_again()

    def await_death(self) -> None:
        """Wait for the server to die at an armed fail point, and start it again."""
        died = self.target.await_exit()
        self.history.add(Lane.SERVER, "dies at the fail point" if died else "did not die at the fail point")
        if not died:
            self.target.kill()
        self.start_again()

    def start_again(self) -> None:
        """Start the dead server; connections made before are closed and devices must be reconnected."""
        self.target.start()
        self.history.add(Lane.SERVER, "is up again")
        for shop in (self.shop, *self._shops):
            shop.reconnect()

    def reconnect(self, *devices: Device) -> None:
        """Give devices a new connection, as after a cut or a restart."""
        for device in devices:
            device.connection.close()
            device.connection = self.connect(device.name)

    # Expectations. `slug` None means the requirement that the running check is marked with.

    def expect(
        self,
        condition: object,
        summary: str,
        *,
        expected: object = "",
        observed: object = "",
        slug: str | None = None,
    ) -> None:
        """Raise ViolationError with the summary unless the condition holds."""
        if not condition:
            raise ViolationError(slug, summary, expected=str(expected), observed=str(observed))

    def expect_applied(
        self, result: outcome_pb2.OperationResult, *, changed: bool | None = True, slug: str | None = None
    ) -> outcome_pb2.Outcome:
        """Expect APPLIED; `changed` None leaves that open."""
        outcome = result.outcome
        self.operation_count += 1
        due = "APPLIED" + {None: "", True: ", changed", False: ", nothing changed"}[changed]
        self.expect(
            outcome.state == reason_pb2.OUTCOME_STATE_APPLIED and changed in (None, outcome.changed),
            f"operation {outcome.sequence} was answered {described(outcome)}, where {due} was due",
            expected=due,
            observed=described(outcome),
            slug=slug,
        )
        return outcome

    def expect_refused(
        self,
        result: outcome_pb2.OperationResult,
        reason: reason_pb2.Reason.ValueType,
        *,
        slug: str | None = None,
    ) -> outcome_pb2.Outcome:
        """Expect a refusal for this reason, in the state that the reason's policy fixes."""
        outcome = result.outcome
        self.operation_count += 1
        state = policy_of(reason).state
        due = f"{_short(reason_pb2.OutcomeState.Name(state))} / {_short(reason_pb2.Reason.Name(reason))}"
        self.expect(
            outcome.state == state and outcome.refusal.reason == reason,
            f"operation {outcome.sequence} was answered {described(outcome)}, where {due} was due",
            expected=due,
            observed=described(outcome),
            slug=slug,
        )
        return outcome

    def expect_replayed(
        self, result: outcome_pb2.OperationResult, recorded: outcome_pb2.Outcome, *, slug: str | None = None
    ) -> None:
        """Expect the recorded outcome field for field, flagged as replayed."""
        self.operation_count += 1
        self.expect(
            result.outcome == recorded,
            f"the duplicate of operation {recorded.sequence} was answered with another outcome than recorded",
            expected=recorded,
            observed=result.outcome,
            slug=slug,
        )
        self.expect(
            result.replayed,
            "a duplicate's outcome is not flagged as replayed",
            expected="replayed = true",
            observed="replayed = false",
            slug="deciding/replayed-flag",
        )

    def expect_status(
        self,
        call: Callable[[], object],
        code: grpc.StatusCode,
        *,
        reason: str = "",
        field: str = "",
        slug: str | None = None,
        what: str = "the call",
    ) -> RpcFailureError:
        """Expect a call to end with a status, with its ErrorInfo.reason (when given) and first violated field.

        `what` is the call in words, for the sentence that a violation is reported with.
        """
        try:
            answer = call()
        except RpcFailureError as failure:
            self.expect(
                failure.code is code,
                f"{what} ended with {failure}",
                expected=code.name,
                observed=failure.code.name,
                slug=slug,
            )
            self.expect(
                not reason or (failure.reason == reason and failure.domain == "cartsync.v1"),
                f"the {code.name} carries ErrorInfo {failure.domain or '(no domain)'}/{failure.reason or '(none)'}",
                expected=f"cartsync.v1/{reason}",
                observed=f"{failure.domain}/{failure.reason}",
                slug="errors/error-info",
            )
            self.expect(
                not field or (failure.fields and failure.fields[0] == field),
                f"the {code.name} names the field {', '.join(failure.fields) or '(none)'}",
                expected=field,
                observed=", ".join(failure.fields),
                slug="errors/field-path",
            )
            return failure
        raise ViolationError(slug, f"{what} was answered", expected=code.name, observed=f"OK: {answer}")

    def expect_lines(self, cart: cart_pb2.Cart, quantities: dict[str, int], *, slug: str | None = None) -> None:
        """Expect the cart to hold exactly these quantities."""
        observed = {line.sku: line.quantity for line in cart.lines}
        self.expect(
            observed == quantities and len(cart.lines) == len(quantities),
            f"cart {cart.cart_id} holds other lines than the applied operations left",
            expected=quantities,
            observed=[(line.sku, line.quantity) for line in cart.lines],
            slug=slug,
        )


def policy_of(reason: reason_pb2.Reason.ValueType) -> reason_pb2.ReasonPolicy:
    """The policy that the protocol fixes for a reason."""
    options = reason_pb2.Reason.DESCRIPTOR.values_by_number[reason].GetOptions()
    policy: reason_pb2.ReasonPolicy = options.Extensions[reason_pb2.reason_policy]
    return policy


def _short(name: str) -> str:
    return name.removeprefix("OUTCOME_STATE_").removeprefix("REASON_")
