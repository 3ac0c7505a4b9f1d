"""Operations of all profiles in one queue: duplicated, reordered, cut short or struck by crashes, it ends the same."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2
from cartsync.v1.address_pb2 import Address
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given, settings
from hypothesis import strategies as st
from settled_shop import APPLIED, CLAMP, EXACT, REJECTED, Attempt, Board, Door, Queue, Shop, open_shop

from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.state import ADDRESS_BOOK, PAYMENT_METHODS, WISHLIST, Effect, Entry
from reference_server.ports import NoInterventions, PaymentDetails
from reference_server.settlement import Settlement

POLICY = Policy(max_coupon_count=2)
SKUS = st.sampled_from(["apple", "bread", "durian"])
CARTS = st.sampled_from(["basket", "basket", "basket", "second"])
CODES = st.sampled_from(["TENTH", "POUND", "ONCE", "ALONE", "NOBODY"])
IDS = st.sampled_from([f"00000000-0000-4000-8000-00000000000{number}" for number in range(2)])
REVISIONS = st.sampled_from([None, None, 0, 1, 2, 4])

Intent = dict[str, Any]
"""The intent of an operation, as the one field of `CartOperation` that it is."""


def intents(message: Any, field: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Intent]:
    return st.builds(message, **parts).map(lambda intent: {field: intent})


ADDRESSES = st.builds(
    Address,
    recipient=st.sampled_from(["Ada", "Bob", "Eve", ""]),
    address_lines=st.sampled_from([["1 High Street"], ["2 Low Road", "Upper floor"]]),
    region_code=st.just("GB"),
    label=st.sampled_from(["Home", ""]),
)
MASKS = st.sampled_from(
    [["recipient", "address_lines", "region_code"], ["recipient", "address_lines", "region_code", "label"], ["label"]]
).map(lambda paths: FieldMask(paths=paths))
LINE = {"cart_id": CARTS, "sku": SKUS}
COUPON = {"cart_id": CARTS, "coupon_code": CODES}
POLICIES = st.sampled_from([EXACT, CLAMP])

INTENTS = st.one_of(
    st.builds(
        lambda cart_id, sku, quantity, policy: {
            "add_item": Queue().add(sku, quantity, cart_id=cart_id, policy=policy).operation.add_item
        },
        CARTS,
        SKUS,
        st.integers(1, 6),
        POLICIES,
    ),
    intents(
        operation_pb2.AdjustQuantity,
        "adjust_quantity",
        **LINE,
        delta=st.integers(-4, 4),
        quantity_policy=POLICIES,
        unless_changed_since=REVISIONS,
    ),
    intents(operation_pb2.SetQuantity, "set_quantity", **LINE, quantity=st.integers(0, 6), quantity_policy=POLICIES),
    intents(operation_pb2.RemoveItem, "remove_item", **LINE),
    intents(operation_pb2.ApplyCoupon, "apply_coupon", **COUPON),
    intents(operation_pb2.ApplyCoupon, "apply_coupon", **COUPON),
    intents(operation_pb2.RemoveCoupon, "remove_coupon", **COUPON),
    intents(operation_pb2.AddToWishlist, "add_to_wishlist", sku=SKUS),
    intents(operation_pb2.RemoveFromWishlist, "remove_from_wishlist", sku=SKUS),
    intents(
        operation_pb2.PutAddress,
        "put_address",
        address_id=IDS,
        base_revision=REVISIONS,
        update_mask=MASKS,
        address=ADDRESSES,
    ),
    intents(operation_pb2.DeleteAddress, "delete_address", address_id=IDS, base_revision=REVISIONS),
    intents(
        operation_pb2.SavePaymentMethod,
        "save_payment_method",
        payment_method_id=IDS,
        provider=st.just("till"),
        provider_token=st.sampled_from(["good", "better", "bad"]),
    ),
    intents(operation_pb2.DeletePaymentMethod, "delete_payment_method", payment_method_id=IDS),
    # The token is put in when the shop is open.
    intents(
        operation_pb2.ClaimGuestCart,
        "claim_guest_cart",
        guest_cart_id=st.sampled_from(["basket", "second", "third"]),
        cart_id=CARTS,
    ),
)
# Most of the time there is a cart to begin with.
OPENINGS = st.sampled_from([[{"add_item": Queue().add(quantity=2).operation.add_item}]] * 4 + [[]])
PLANS = st.builds(lambda opening, rest: [*opening, *rest], OPENINGS, st.lists(INTENTS, min_size=1, max_size=11))
# From which operation, how many of them, and what happens to the submission.
DELIVERIES = st.lists(
    st.tuples(
        st.integers(0, 11), st.integers(1, 12), st.sampled_from(["none", "none", "before commit", "after commit"])
    ),
    max_size=12,
)


class Power(NoInterventions):
    """Cuts the power at the next commit: before it (nothing is durable) or after it (the answer is lost)."""

    def __init__(self) -> None:
        self.cut = "none"

    async def before_commit(self, principal: str) -> None:
        if self.cut == "before commit":
            raise ConnectionAbortedError

    async def after_commit(self, principal: str) -> None:
        if self.cut == "after commit":
            raise ConnectionAbortedError


class Till:
    """A payment provider that stands by two tokens."""

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:
        return None if token == "bad" else PaymentDetails(brand=token, last_four="4242")


@dataclass(frozen=True)
class State:
    """Everything that can be seen of a shop when all is done; two of them are compared."""

    carts: tuple[cart_pb2.Cart, ...]
    entries: tuple[tuple[tuple[str, Entry], ...], ...]
    effects: tuple[Effect, ...]
    watermark: int


class Stage:
    """A shop with a guest who has two carts, and one queue of the account that may claim them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.power = Power()
        self.queue = Queue()
        self.queue.queue_id = "00000000-0000-4000-8000-ffffffffffff"  # the same on every stage
        board: Board = shop.board
        board.put("TENTH")
        board.put("POUND", amount_off_minor=100)
        board.put("ONCE", one_per_principal=True)
        board.put("ALONE", stackable=False)
        shop.shelf.put("bread", 120, stock=7)
        self.settlement = Settlement(
            shop.store,
            Decider(shop.policy),
            shop.policy,
            shop.clock,
            shop.shelf,
            shop.gate,
            self.power,
            promotions=board,
            payment_provider=Till(),
            guests=Door(),
        )

    async def draft(self, wanted: list[Intent]) -> list[Attempt]:
        visit = Queue()
        await self.shop.send(
            visit, visit.add(quantity=2), visit.add("bread", 5), visit.add(cart_id="second"), principal="guest"
        )
        token = await self.shop.claim_token()
        attempts = []
        for number, intent in enumerate(wanted):
            attempt = self.queue.draft(key=f"00000000-0000-4000-8000-{number:012x}", **intent)
            if attempt.operation.HasField("claim_guest_cart"):
                attempt.operation.claim_guest_cart.claim_token = token
            attempts.append(attempt)
        return attempts

    async def deliver(self, attempts: list[Attempt], fate: str) -> list[outcome_pb2.Outcome]:
        """The final outcomes that came back."""
        self.power.cut = fate
        with contextlib.suppress(ConnectionAbortedError):
            settled = await self.settlement.submit("ada", self.queue.queue_id, attempts)
            return [r.outcome for r in settled.results if r.outcome.state in (APPLIED, REJECTED)]
        return []

    async def state(self) -> State:
        store = self.shop.store
        carts = [(who, cart_id) for who in ("ada", "guest") for cart_id in ("basket", "second")]
        return State(
            tuple([(await self.settlement.cart(who, cart_id)).cart for who, cart_id in carts]),
            tuple([(await store.read_collection("ada", n)).entries for n in (WISHLIST, ADDRESS_BOOK, PAYMENT_METHODS)]),
            tuple(await store.effects("ada")),
            await self.shop.watermark(self.queue),
        )


async def in_order(wanted: list[Intent]) -> tuple[list[outcome_pb2.Outcome], State]:
    async with open_shop(POLICY) as shop:
        stage = Stage(shop)
        attempts = await stage.draft(wanted)
        outcomes = [outcome for attempt in attempts for outcome in await stage.deliver([attempt], "none")]
        return outcomes, await stage.state()


@settings(deadline=None)
@given(wanted=PLANS, deliveries=DELIVERIES)
def test_whatever_becomes_of_the_submissions_the_end_is_that_of_the_run_in_order(
    wanted: list[Intent], deliveries: list[tuple[int, int, str]]
) -> None:
    async def run() -> None:
        outcomes, state = await in_order(wanted)
        assert len(outcomes) == len(wanted)
        async with open_shop(POLICY) as shop:
            stage = Stage(shop)
            attempts = await stage.draft(wanted)
            for start, count, fate in [*deliveries, (0, len(attempts), "none")]:
                part = attempts[start : start + count]
                for outcome in await stage.deliver(part, fate) if part else []:
                    assert outcome == outcomes[outcome.sequence - 1]
            assert await stage.state() == state
            _check_totals(state)

    asyncio.run(run())


def _check_totals(state: State) -> None:
    """Money adds up to the minor unit in every cart."""
    for cart in state.carts:
        subtotal = sum(line.quantity * line.unit_price.minor_units for line in cart.lines)
        taken = sum(coupon.discount.minor_units for coupon in cart.coupons)
        assert cart.subtotal.minor_units == subtotal
        assert cart.discount_total.minor_units == taken
        assert cart.total.minor_units == subtotal - taken >= 0
        assert len(cart.coupons) <= POLICY.max_coupon_count
