"""Two writings of one spec: the reference server's settlement plays stories of every profile, and the oracle judges.

Where they differ, one of them reads the spec in another way than it is written. Nothing is in doubt here, so that a
difference cannot hide: every answer comes, the clock stands where it was put, and everything is read in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference_shop import POLICY, ReferenceShop, Surroundings, reference_shop, server_name
from stories import (
    CARDS,
    CARTS,
    CODES,
    DAY,
    DEVICES,
    GUEST,
    OFFERS,
    PROMOTIONS,
    SKUS,
    TOKEN,
    Piece,
    Story,
    attempts,
    queue_id,
    stories,
    submission,
)

from conformance.oracle import Judge, translation
from conformance.oracle.values import Attempt, CardDetails, ClaimGuestCart, Money, Offer, Promotion, Submission
from conformance.oracle.world import SOLE, Scope


@dataclass(frozen=True, slots=True)
class NewOffer:
    """The catalogue changes; None takes the product off sale."""

    sku: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class NewPromotion:
    """The shop changes what a code stands for; None withdraws it."""

    code: str
    promotion: Promotion | None


@dataclass(frozen=True, slots=True)
class NewCard:
    """The payment provider changes its mind about a token."""

    token: str
    card: CardDetails | None


@dataclass(frozen=True, slots=True)
class Later:
    """Time goes by."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Backends:
    """Backing services of a principal go, or come back."""

    principal: str
    available: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit is put on a principal, or lifted."""

    principal: str
    scope: Scope
    remaining: int | None


@dataclass(frozen=True, slots=True)
class Closing:
    """A cart is checked out."""

    principal: str
    cart: str


@dataclass(frozen=True, slots=True)
class Look:
    """Everything is read."""


Happening = NewOffer | NewPromotion | NewCard | Later | Backends | Limit | Closing | Look
PRINCIPALS = (SOLE, SOLE, GUEST)


def happenings() -> st.SearchStrategy[Happening]:
    """Something that happens around the server."""
    principal = st.sampled_from(PRINCIPALS)
    offer = st.builds(
        Offer,
        st.sampled_from((Money("GBP", 255), Money("GBP", 300), Money("EUR", 9))),
        st.sampled_from((True, True, False)),
        st.sampled_from((None, 0, 2, 5)),
    )
    return st.one_of(
        st.builds(NewOffer, st.sampled_from(SKUS), offer),
        st.builds(NewPromotion, st.sampled_from(CODES), st.none() | st.sampled_from(tuple(PROMOTIONS.values()))),
        st.builds(NewCard, st.sampled_from(("good", "bad")), st.none() | st.just(CardDetails("mc", "0001", 2, 2030))),
        st.builds(Later, st.sampled_from((0.001, 3_600.0, 6 * DAY))),
        st.builds(Backends, principal, st.booleans()),
        st.builds(Limit, principal, st.sampled_from(Scope), st.none() | st.integers(0, 3)),
        st.builds(Closing, principal, st.sampled_from(CARTS)),
        st.just(Look()),
    )


class Comparison:
    """One story, on the server and before the judge."""

    def __init__(self, server: ReferenceShop, story: Story, token: str) -> None:
        self.server = server
        self.story = story
        self.token = token
        self.judge = Judge(replace(translation.limits(POLICY.message())))
        self.judge.shop = replace(self.judge.shop, slack=0.0)
        for device, owner in DEVICES.items():
            self.judge.queue_opened(queue_id(device), owner)
        self.judge.claim_token_given(token, GUEST)
        for sku, offer in OFFERS.items():
            self.happens(NewOffer(sku, offer))
        for code, promotion in PROMOTIONS.items():
            self.happens(NewPromotion(code, promotion))
        for (_, card_token), card in CARDS.items():
            self.happens(NewCard(card_token, card))

    def happens(self, happening: Happening) -> None:
        """Something that needs no waiting for."""
        around, judge = self.server.around, self.judge
        match happening:
            case NewOffer(sku, offer):
                around.offers[sku] = offer
                judge.offer_put(sku, offer)
            case NewPromotion(code, promotion):
                around.promotions.pop(code, None)
                if promotion is not None:
                    around.promotions[code] = promotion
                judge.promotion_put(code, promotion)
            case NewCard(token, card):
                around.cards.pop(("bank", token), None)
                if card is not None:
                    around.cards["bank", token] = card
                judge.card_told("bank", token, card)
            case Later(seconds):
                around.now += seconds
                judge.clock_advanced(seconds)
            case Backends(principal, available):
                (around.away.discard if available else around.away.add)(server_name(principal))
                judge.backend_set(available, principal)
            case Limit(principal, scope, remaining):
                self.server.gates[scope].remaining.pop(server_name(principal), None)
                if remaining is not None:
                    self.server.gates[scope].remaining[server_name(principal)] = remaining
                judge.rate_limited(remaining, principal, scope)
            case _:
                pass

    async def play(self, plot: Sequence[Piece | Happening]) -> None:
        """All of the plot, then everything once more in good order, then a look at everything."""
        for event in plot:
            match event:
                case Piece():
                    await self.arrive(submission(self.story, event))
                case Closing(principal, cart):
                    found = await self.server.store.close_cart(server_name(principal), cart)
                    self.judge.cart_closed(cart, found, principal)
                case Look():
                    await self.look()
                case _:
                    self.happens(event)
        for principal in (SOLE, GUEST):
            self.happens(Backends(principal, available=True))
            for scope in Scope:
                self.happens(Limit(principal, scope, None))
        for device in DEVICES:
            for attempt in attempts(self.story, device):
                await self.arrive(Submission(queue_id(device), (attempt,)))
        await self.look()

    async def arrive(self, arriving: Submission | None) -> None:
        if arriving is not None:
            arriving = replace(arriving, attempts=tuple(map(self.with_token, arriving.attempts)))
            owner = self.judge.shop.owner(arriving.queue)
            self.judge.answered(arriving, await self.server.submit(owner, arriving))

    def with_token(self, attempt: Attempt) -> Attempt:
        """The attempt with the token that the server gave."""
        intent = attempt.operation.intent
        if not isinstance(intent, ClaimGuestCart) or intent.token != TOKEN:
            return attempt
        return replace(attempt, operation=replace(attempt.operation, intent=replace(intent, token=self.token)))

    async def look(self) -> None:
        for device, owner in DEVICES.items():
            self.judge.looked_up(await self.server.look_up(owner, queue_id(device), 20), 1, 20)
        for device in ("A", "G"):
            owner, queue = DEVICES[device], queue_id(device)
            self.judge.wishlist_read(await self.server.wishlist(owner, queue), queue, owner)
            self.judge.addresses_read(await self.server.addresses(owner, queue), queue, owner)
            self.judge.payment_methods_read(await self.server.payment_methods(owner, queue), queue, owner)
            for cart in CARTS:
                if server_name(owner) not in self.server.around.away:
                    self.judge.cart_read(await self.server.cart(owner, cart, queue), queue, owner)
        for owner in (SOLE, GUEST):
            self.judge.ledger_read(await self.server.effects(owner), owner)


def compare(story: Story, plot: Sequence[Piece | Happening]) -> dict[str, Any]:
    """Plays a story on a server of its own; gives what shoppers have in the end. Raises Refutation."""

    async def run() -> dict[str, Any]:
        async with reference_shop(Surroundings()) as server:
            comparison = Comparison(server, story, await server.claim_token(GUEST))
            await comparison.play(plot)
            return await _held(server)

    return asyncio.run(run())


async def _held(server: ReferenceShop) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for owner in (SOLE, GUEST):
        held[f"{owner} wishes"] = [entry.sku for entry in (await server.wishlist(owner, queue_id("A"))).entries]
        held[f"{owner} addresses"] = (await server.addresses(owner, queue_id("A"))).addresses
        held[f"{owner} methods"] = (await server.payment_methods(owner, queue_id("A"))).methods
        for name in CARTS:
            cart = await server.cart(owner, name, queue_id("A"))
            held[f"{owner} {name}"] = (cart.closed, cart.revision, cart.lines, cart.coupons, cart.total)
    return held


pytestmark = pytest.mark.timeout(7_200)  # the deep profile takes its time

relaxed = settings(
    max_examples=max(1, settings().max_examples // 2),  # a story is a server of its own
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@relaxed
@given(stories(), st.data())
def test_the_server_answers_every_story_as_the_oracle_does(story: Story, data: st.DataObject) -> None:
    plot: list[Piece | Happening] = []
    for piece in story.pieces:
        plot += [*data.draw(st.lists(happenings(), max_size=2)), piece]
    compare(story, plot)


@relaxed
@given(stories())
def test_a_server_ends_in_the_same_state_whatever_arrived_how_often(story: Story) -> None:
    """Without discards and other payloads among the pieces, so that the orderly run decides the same operations."""
    pieces = [replace(piece, other=False, discarding=False) for piece in story.pieces]
    alone = [Piece(device, number, 1) for device, number in decided_in(story, pieces)]
    assert compare(story, pieces) == compare(story, alone)


def decided_in(story: Story, pieces: Sequence[Piece]) -> list[tuple[str, int]]:
    """In which order the operations of a story are decided: each when all before it of its queue have arrived."""
    reached = dict.fromkeys(DEVICES, 0)
    order: list[tuple[str, int]] = []
    rest = [Piece(device, 0, len(story.written)) for device in DEVICES]
    for piece in (*pieces, *rest):
        count = len(attempts(story, piece.device))
        while piece.first <= reached[piece.device] < min(count, piece.first + piece.count):
            order.append((piece.device, reached[piece.device]))
            reached[piece.device] += 1
    return order
