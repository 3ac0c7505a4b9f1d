"""Stories of an account on two devices and a guest, drawn: intents of every profile, and what a network makes of them.

A story is a value: what each device writes down, and in which pieces it arrives. Pieces overlap, come twice, come out
of order and leave gaps; whoever plays a story delivers everything once more in the end, in good order.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    Attempt,
    CardDetails,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    Discard,
    Intent,
    Money,
    Offer,
    Operation,
    Promotion,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
    Stock,
    Submission,
)
from conformance.oracle.world import SOLE, Outcome, World

_Drawn = TypeVar("_Drawn")

GUEST = "guest"
TOKEN = "a-claim-token"
DEVICES = {"A": SOLE, "B": SOLE, "G": GUEST}
"""The devices and whose they are."""
CARTS = ("main", "spare")
SKUS = ("tea", "mug", "coal", "gone")
CODES = ("TENTH", "FIVER", "ONCE", "ALONE", "SOON", "OVER", "THEIRS", "EUROS", "NEVER")
ADDRESSES = tuple(str(uuid.UUID(int=n, version=4)) for n in (1, 2))
METHODS = tuple(str(uuid.UUID(int=n, version=4)) for n in (11, 12, 13))
CARD = "4111 1111 1111 1111"
DAY = 86_400.0

OFFERS = {
    "tea": Offer(Money("GBP", 255), available=7),
    "mug": Offer(Money("GBP", 1_099)),
    "coal": Offer(Money("EUR", 300), available=2),
}
PROMOTIONS = {
    "TENTH": Promotion(basis_points=1_050, stackable=True),
    "FIVER": Promotion(amount=Money("GBP", 500), minimum=Money("GBP", 1_000), stackable=True),
    "ONCE": Promotion(basis_points=3_333, once_per_principal=True, stackable=True),
    "ALONE": Promotion(amount=Money("GBP", 100)),
    "SOON": Promotion(basis_points=500, start=10 * DAY, stackable=True),
    "OVER": Promotion(basis_points=500, end=10 * DAY, stackable=True),
    "THEIRS": Promotion(basis_points=500, eligible=frozenset({GUEST}), stackable=True),
    "EUROS": Promotion(amount=Money("EUR", 100), stackable=True),
}
CARDS = {("bank", "good"): CardDetails("visa", "4242", 12, 2031), ("bank", "plain"): CardDetails()}


_GUARDS = st.none() | st.integers(0, 5) | st.integers(-1, 9)
_NEEDED = frozenset({"recipient", "address_lines", "region_code"})
_ODD_MASKS = st.sampled_from((frozenset({"phone"}), frozenset[str](), frozenset({"recipient", "company"}), _NEEDED))
_ODD_ADDRESSES = st.builds(
    Address,
    recipient=st.sampled_from(("Ada", "")),
    company=st.sampled_from(("", "N\0")),
    address_lines=st.sampled_from((("1 High Street",), ("2 Low Road", "rear"), ())),
    postal_code=st.sampled_from(("N1 1AA", CARD)),
    region_code=st.sampled_from(("GB", "gb")),
)


def weighted(*choices: tuple[int, st.SearchStrategy[_Drawn]]) -> st.SearchStrategy[_Drawn]:
    """One of several, by weight: `one_of` takes the same strategy twice for one."""
    places = [place for place, (weight, _) in enumerate(choices) for _ in range(weight)]
    return st.sampled_from(places).flatmap(lambda place: choices[place][1])


def line_intents() -> st.SearchStrategy[Intent]:
    """What happens to lines, most of it right."""
    cart, sku, stock = st.sampled_from(CARTS), st.sampled_from(SKUS), st.sampled_from(Stock)
    kinds = st.sampled_from((Stock.EXACT, Stock.CLAMP))
    price = st.sampled_from((Money("GBP", 255), Money("GBP", 250), Money("EUR", 300)))
    limit = st.sampled_from((None, None, Money("GBP", 255), Money("GBP", 254), Money("EUR", 1)))
    odd = st.builds(Add, cart, sku, st.integers(0, 5), st.none() | price, limit, stock)
    return weighted(
        (3, plain_adds()),
        (2, odd),
        (2, st.builds(Adjust, cart, sku, st.integers(-4, 4), kinds, _GUARDS)),
        (2, st.builds(Set, cart, sku, st.integers(-1, 9), kinds, _GUARDS)),
        (2, st.builds(Remove, cart, sku, _GUARDS)),
    )


def plain_adds() -> st.SearchStrategy[Intent]:
    """Adds that are applied as a rule."""
    sku, stock = st.sampled_from(SKUS[:2]), st.sampled_from((Stock.EXACT, Stock.CLAMP))
    return st.builds(Add, st.sampled_from(CARTS), sku, st.integers(1, 4), st.just(Money("GBP", 255)), stock=stock)


def coupon_intents() -> st.SearchStrategy[Intent]:
    """Coupons put on and taken off."""
    cart = st.sampled_from(CARTS)
    return weighted(
        (4, st.builds(ApplyCoupon, cart, st.sampled_from(CODES))),
        (6, st.builds(ApplyCoupon, cart, st.sampled_from(CODES[:4]))),
        (4, st.builds(RemoveCoupon, cart, st.sampled_from(CODES[:4]))),
        (1, st.builds(ApplyCoupon, cart, st.sampled_from((CARD, " TENTH", "")))),
        (2, plain_adds()),
    )


def wishlist_intents() -> st.SearchStrategy[Intent]:
    """Wishes."""
    return weighted(
        (12, st.builds(AddToWishlist, st.sampled_from(SKUS))),
        (6, st.builds(RemoveFromWishlist, st.sampled_from(SKUS))),
        (1, st.builds(AddToWishlist, st.sampled_from(("", " tea")))),
    )


def address_intents() -> st.SearchStrategy[Intent]:
    """Addresses made, edited field by field, and deleted."""
    wanted = st.builds(
        Address,
        st.sampled_from(("Ada", "Grace")),
        st.sampled_from(("", "Analytical Engines")),
        address_lines=st.sampled_from((("1 High Street",), ("2 Low Road", "rear"))),
        region_code=st.sampled_from(("GB", "IE")),
        label=st.sampled_from(("Home", "Work", "")),
    )
    address_id, base = st.sampled_from(ADDRESSES), st.none() | st.integers(0, 6)
    some = st.sets(st.sampled_from(("recipient", "company", "region_code", "label")), min_size=1).map(frozenset)
    making = st.sampled_from((_NEEDED, _NEEDED | {"label"}, _NEEDED | {"company", "label"}))
    return weighted(
        (5, st.builds(PutAddress, address_id, making, wanted, st.sampled_from((None, 0)))),
        (8, st.builds(PutAddress, address_id, some, wanted, base)),
        (2, st.builds(DeleteAddress, address_id, base)),
        (1, st.builds(PutAddress, address_id, _ODD_MASKS, st.none() | _ODD_ADDRESSES, _GUARDS)),
        (1, st.builds(DeleteAddress, st.just("x"), _GUARDS)),
    )


def payment_intents() -> st.SearchStrategy[Intent]:
    """Means of payment saved and deleted."""
    right = st.builds(
        SavePaymentMethod,
        st.sampled_from(METHODS),
        st.just("bank"),
        st.sampled_from(("good", "plain", "bad")),
        st.sampled_from(("", "Mine")),
    )
    odd = st.builds(
        SavePaymentMethod,
        st.sampled_from((*METHODS, "X")),
        st.sampled_from(("bank", "none", "b k")),
        st.sampled_from(("good", "g d")),
        st.sampled_from(("", CARD, "x" * 65)),
    )
    return weighted((8, right), (1, odd), (3, st.builds(DeletePaymentMethod, st.sampled_from(METHODS))))


def claim_intents() -> st.SearchStrategy[Intent]:
    """Claims, and what fills the carts they join."""
    cart = st.sampled_from(CARTS)
    claim = st.builds(ClaimGuestCart, st.sampled_from((TOKEN,) * 7 + ("forged", "")), cart, cart)
    return weighted((2, plain_adds()), (1, line_intents()), (3, claim))


def any_intents() -> st.SearchStrategy[Intent]:
    """Intents of every profile, and none that a server knows."""
    return weighted(
        (3, line_intents()),
        (3, coupon_intents()),
        (2, wishlist_intents()),
        (3, address_intents()),
        (3, payment_intents()),
        (2, claim_intents()),
        (1, st.none()),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """What a device writes down."""

    device: str
    intent: Intent
    age: float | None = None
    feature: bool = False
    client_name: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What arrives of a device's queue: `count` operations from the one at `first` on, counted from 0.

    `other`: the first of them arrives with another payload; `discarding`: as a discard of its own.
    """

    device: str
    first: int
    count: int
    other: bool = False
    discarding: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """What is written down, and what arrives of it."""

    written: tuple[Written, ...]
    pieces: tuple[Piece, ...]


_FOCUSES = (
    any_intents,
    line_intents,
    coupon_intents,
    wishlist_intents,
    address_intents,
    payment_intents,
    claim_intents,
)
"""One kind of thing at a time gets deeper than all of them at once."""


def stories() -> st.SearchStrategy[Story]:
    """Stories of up to sixteen operations, some of them odd; as a rule each principal begins by filling a cart."""
    return st.sampled_from(_FOCUSES).flatmap(_stories_of)


def _stories_of(focus: Callable[[], st.SearchStrategy[Intent]]) -> st.SearchStrategy[Story]:
    device = st.sampled_from(tuple(DEVICES))
    usual = st.builds(Written, device, focus())
    odd = st.one_of(
        st.builds(Written, device, focus(), age=st.sampled_from((60.0, 8 * DAY))),
        st.builds(Written, device, focus(), feature=st.just(True)),
        st.builds(Written, device, focus(), client_name=st.just(CARD)),
    )
    piece = st.builds(Piece, device, st.integers(0, 5), st.integers(1, 5))
    twisted = st.builds(Piece, device, st.integers(0, 5), st.integers(1, 3), st.booleans(), st.booleans())
    first = Add("main", "tea", 2, Money("GBP", 255))
    begun = (Written("A", first), Written("G", first), Written("G", Add("spare", "mug", 1, Money("GBP", 1_099))))
    return st.builds(
        lambda begins, written, pieces: Story((*(begun if begins else ()), *written), tuple(pieces)),
        st.sampled_from((True, True, True, False)),
        st.lists(weighted((11, usual), (1, odd)), min_size=1, max_size=13),
        st.lists(weighted((4, piece), (1, twisted)), max_size=10),
    )


def queue_id(device: str) -> str:
    """The queue of a device."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, device))


def key(device: str, sequence: int, what: str = "") -> str:
    """The key of an operation of a device."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{device} {sequence} {what}"))


def attempts(story: Story, device: str) -> list[Attempt]:
    """Everything a device has written down, in order."""
    mine = [written for written in story.written if written.device == device]
    return [
        Attempt(
            Operation(
                key(device, sequence),
                sequence,
                key(device, sequence - 1) if sequence > 1 else "",
                written.intent,
                frozenset({"no-such-feature"}) if written.feature else frozenset(),
            ),
            written.age,
            client_name=written.client_name,
        )
        for sequence, written in enumerate(mine, 1)
    ]


def submission(story: Story, piece: Piece) -> Submission | None:
    """What arrives with a piece; None when the device has written nothing there."""
    arriving = attempts(story, piece.device)[piece.first : piece.first + piece.count]
    if not arriving:
        return None
    first = arriving[0].operation
    if piece.discarding:
        cancelling = key(piece.device, first.sequence, "discard")
        arriving[0] = Attempt(Operation(cancelling, first.sequence, first.previous_key, Discard(first.key)))
    elif piece.other:
        changed = Operation(first.key, first.sequence, first.previous_key, Remove("main", "changed"))
        arriving[0] = Attempt(changed)
    return Submission(queue_id(piece.device), tuple(arriving))


def counted(world: World, outcome: Outcome) -> World:
    """The world of a server whose revisions count the changes of each resource."""
    if not outcome.changed or outcome.place is None:
        return world
    resource = world.resource(outcome.place)
    past = resource.past.with_revision(outcome.number, outcome.number)
    assert past is not None
    return world.with_resource(outcome.place, replace(resource, past=past))
