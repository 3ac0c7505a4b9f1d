"""Stories of an account on two devices and a guest, drawn: intents of every profile, and what a network makes of them.

A story is a value: what each device writes down, and in which pieces it arrives. Pieces overlap, come twice, come out
of order and leave gaps; whoever plays a story delivers everything once more in the end, in good order.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

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
from conformance.oracle.world import SOLE

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


def _addresses() -> st.SearchStrategy[Address]:
    texts = st.sampled_from(("Ada", "Grace", "Zoë", "N 1", ""))
    return st.builds(
        Address,
        recipient=texts,
        company=texts,
        address_lines=st.sampled_from((("1 High Street",), ("2 Low Road", "rear"), ())),
        postal_code=st.sampled_from(("N1 1AA", "", CARD)),
        region_code=st.sampled_from(("GB", "IE", "gb", "")),
        label=texts,
    )


_GUARDS = st.none() | st.integers(-1, 9)
_NEEDED = frozenset({"recipient", "address_lines", "region_code"})
_MASKS = st.sampled_from(
    (
        _NEEDED,
        _NEEDED | {"label"},
        _NEEDED | {"company", "label"},
        frozenset({"label"}),
        frozenset({"recipient", "company"}),
        frozenset({"region_code", "postal_code"}),
        frozenset({"phone"}),
        frozenset[str](),
    )
)


def _lines() -> st.SearchStrategy[Intent]:
    cart, sku, stock = st.sampled_from(CARTS), st.sampled_from(SKUS), st.sampled_from(Stock)
    kinds = st.sampled_from((Stock.EXACT, Stock.CLAMP))
    price = st.sampled_from((Money("GBP", 255), Money("GBP", 250), Money("EUR", 300)))
    limit = st.sampled_from((None, None, Money("GBP", 255), Money("GBP", 254), Money("EUR", 1)))
    add = st.builds(Add, cart, sku, st.integers(0, 5), st.none() | price, limit, stock)
    plain = st.builds(Add, cart, st.sampled_from(SKUS[:2]), st.integers(1, 4), st.just(Money("GBP", 255)), stock=kinds)
    return st.one_of(
        plain,
        plain,
        add,
        st.builds(Adjust, cart, sku, st.integers(-4, 4), kinds, _GUARDS),
        st.builds(Set, cart, sku, st.integers(-1, 9), kinds, _GUARDS),
        st.builds(Remove, cart, sku, _GUARDS),
    )


def intents() -> st.SearchStrategy[Intent]:
    """Intents of every profile, most of them right."""
    cart = st.sampled_from(CARTS)
    saving = st.sampled_from((("bank", "good"), ("bank", "plain"), ("bank", "bad"), ("none", "good"), ("b k", "good")))
    return st.one_of(
        _lines(),
        st.builds(ApplyCoupon, cart, st.sampled_from((*CODES, CARD, " TENTH"))),
        st.builds(ApplyCoupon, cart, st.sampled_from(CODES[:2])),
        st.builds(RemoveCoupon, cart, st.sampled_from(CODES[:4])),
        st.builds(AddToWishlist, st.sampled_from((*SKUS, ""))),
        st.builds(RemoveFromWishlist, st.sampled_from(SKUS)),
        st.builds(PutAddress, st.sampled_from(ADDRESSES), _MASKS, st.none() | _addresses(), _GUARDS),
        st.builds(
            PutAddress,
            st.sampled_from(ADDRESSES),
            st.just(_NEEDED | {"label"}),
            st.builds(
                Address,
                st.sampled_from(("Ada", "Grace")),
                address_lines=st.just(("1 High Street",)),
                region_code=st.sampled_from(("GB", "IE")),
                label=st.sampled_from(("Home", "Work", "")),
            ),
            st.none() | st.integers(0, 6),
        ),
        st.builds(DeleteAddress, st.sampled_from((*ADDRESSES, "x")), _GUARDS),
        st.builds(
            lambda method, card, label: SavePaymentMethod(method, card[0], card[1], label),
            st.sampled_from((*METHODS, "X")),
            saving,
            st.sampled_from(("", "Mine", CARD)),
        ),
        st.builds(DeletePaymentMethod, st.sampled_from(METHODS)),
        st.builds(ClaimGuestCart, st.sampled_from((TOKEN, TOKEN, "forged")), cart, cart),
        st.none(),
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


def stories() -> st.SearchStrategy[Story]:
    """Stories of up to a dozen operations."""
    device = st.sampled_from(tuple(DEVICES))
    written = st.builds(
        Written,
        device,
        intents(),
        st.sampled_from((None, None, 60.0, 8 * DAY)),
        st.sampled_from((False, False, False, True)),
        st.sampled_from(("", "", "", CARD)),
    )
    piece = st.builds(
        Piece,
        device,
        st.integers(0, 7),
        st.integers(1, 4),
        st.sampled_from((False, False, False, True)),
        st.sampled_from((False, False, False, True)),
    )
    return st.builds(
        Story,
        st.lists(written, min_size=1, max_size=14).map(tuple),
        st.lists(piece, max_size=10).map(tuple),
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
