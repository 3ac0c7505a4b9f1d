"""Moves of the further profiles, drawn: coupons, wishes, addresses, means of payment and guests' carts."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.family import Family, Move, device_of
from conformance.plans.intents import CARTS, SKUS, simple_intents, with_fields
from conformance.plans.moves import one
from conformance.plans.steps import Audience, Fate, Fields, Guard, Kind, Send, Span, Step

CODES = ("coupon-1", "coupon-2", "coupon-3")
ADDRESSES = ("address-1", "address-2")
METHODS = ("method-1", "method-2")
TOKENS = ("token-1", "token-2")
_GUARDS = st.sampled_from((Guard.SEEN, Guard.SEEN, Guard.ZERO, Guard.NONE))
_RARELY = st.sampled_from((False,) * 11 + (True,))


def add(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """An add that is applied as a rule."""
    return st.builds(
        steps.Enqueue,
        device=device_of(family),
        kind=st.just(Kind.ADD),
        cart=st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        sku=st.sampled_from(SKUS[:2]),
        quantity=st.integers(1, 3),
        clamp=st.booleans(),
    )


# Coupons.


def coupon_intents(family: Family) -> st.SearchStrategy[steps.Enqueueing]:
    """A coupon goes on a cart, or comes off it."""
    return st.builds(
        steps.EnqueueCoupon,
        device_of(family),
        st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        st.sampled_from((*CODES, *CODES, "coupon-unknown")),
        remove=st.sampled_from((False, False, True)),
        card=_RARELY,
    )


def coupon(family: Family) -> Move:
    """One of these."""
    return one(coupon_intents(family))


def shopping_with_coupons(family: Family) -> st.SearchStrategy[steps.Enqueueing]:
    """Coupons, and lines for them to take something off."""
    kinds: tuple[st.SearchStrategy[steps.Enqueueing], ...] = (
        coupon_intents(family),
        add(family),
        simple_intents(family),
    )
    return st.sampled_from((0, 0, 0, 0, 1, 2)).flatmap(lambda kind: kinds[kind])


def promotion(family: Family) -> Move:
    """What a coupon stands for changes."""
    del family
    return one(
        st.builds(
            steps.SetPromotion,
            st.sampled_from(CODES),
            amount=st.sampled_from((0, 0, 50, 101, 900)),
            basis_points=st.sampled_from((1_000, 3_333, 1, 9_999, 10_000)),
            minimum=st.sampled_from((0, 0, 100, 250, 251, 700)),
            currency=st.sampled_from(("GBP", "GBP", "GBP", "EUR")),
            begins=st.sampled_from((None, None, None, 12)),
            ends=st.sampled_from((None, None, None, 12, 36)),
            audience=st.sampled_from((Audience.EVERYBODY, Audience.EVERYBODY, Audience.THE_ACCOUNT, Audience.OTHERS)),
            once=st.booleans(),
            stackable=st.sampled_from((True, True, False)),
            withdrawn=st.sampled_from((False, False, False, True)),
        )
    )


def promotions(family: Family) -> Move:
    """Coupons for the beginning of a plan, one of each kind, with a cart to put them on."""
    share = st.sampled_from((1_000, 3_333, 9_999))
    return st.builds(
        lambda first, second, amount, kind, filled: (
            steps.SetPromotion(CODES[0], basis_points=first),
            steps.SetPromotion(CODES[1], amount=amount, minimum=amount) if kind else steps.SetPromotion(CODES[1]),
            steps.SetPromotion(CODES[2], basis_points=second, once=kind < 3, stackable=kind > 0),
            filled,
        ),
        share,
        share,
        st.sampled_from((50, 101, 700)),
        st.integers(0, 3),
        add(family).map(lambda step: with_fields(step, {"cart": CARTS[0]})),
    )


def coupons_together(family: Family) -> Move:
    """Several coupons on one cart, or one on several; somebody looks at what they take off."""
    return st.builds(
        lambda device, one, other, carts, sends: (
            *(steps.Enqueue(device, Kind.ADD, cart, SKUS[0], clamp=True) for cart in carts),
            *(steps.EnqueueCoupon(device, cart, code) for cart in carts for code in (one, other)),
            Send(device, fate=sends),
            steps.ReadCart(device, carts[0]),
        ),
        device_of(family),
        st.sampled_from(CODES),
        st.sampled_from(CODES),
        st.sampled_from((CARTS[:1], CARTS)),
        st.sampled_from((Fate.ANSWERED, Fate.ANSWERED, Fate.CUT)),
    )


def coupon_once(family: Family) -> Move:
    """A coupon that is good once goes on two carts, from two devices at once or one after the other."""
    first, second = family.devices[:2]

    def twice(code: str, freed: bool, races: bool) -> tuple[Step, ...]:
        fills = (steps.Enqueue(first, Kind.ADD, cart, SKUS[0], clamp=True) for cart in CARTS)
        frees = (steps.EnqueueCoupon(first, CARTS[0], code, remove=True), Send(first)) if freed else ()
        return (
            steps.SetPromotion(code, once=True),
            *fills,
            Send(first),
            steps.EnqueueCoupon(first, CARTS[0], code),
            *(() if races else (Send(first), *frees)),
            steps.EnqueueCoupon(second, CARTS[1], code),
            steps.Race(Send(first), Send(second)) if races else Send(second),
        )

    return st.builds(twice, st.sampled_from(CODES), st.booleans(), st.booleans())


def coupon_runs_out(family: Family) -> Move:
    """A coupon ends, or begins, between being put on and being looked at, or before it could be put on."""
    return st.builds(
        lambda device, code, ends, early: (
            steps.SetPromotion(code, ends=12 if ends else None, begins=None if ends else 12),
            steps.EnqueueCoupon(device, CARTS[0], code),
            *((Send(device),) if early else ()),
            steps.AdvanceClock(Span.DAY),
            Send(device),
            steps.ReadCart(device, CARTS[0]),
        ),
        device_of(family),
        st.sampled_from(CODES),
        st.booleans(),
        st.booleans(),
    )


def day_goes_by(family: Family) -> Move:
    """Half the world's coupons begin or end; then somebody looks."""
    return st.builds(
        lambda device, span, sends: (
            steps.AdvanceClock(span),
            *((Send(device),) if sends else ()),
            steps.ReadCart(device, CARTS[0]),
        ),
        device_of(family),
        st.sampled_from((Span.DAY, Span.DAY, Span.HOUR)),
        st.booleans(),
    )


# What a principal has apart from carts.


def wish_intents(family: Family) -> st.SearchStrategy[steps.Enqueueing]:
    """A product goes on the wishlist, or comes off it."""
    return st.builds(
        steps.EnqueueWish,
        device_of(family),
        st.sampled_from((*SKUS, "sku-unknown")),
        remove=st.sampled_from((False, False, True)),
    )


def wish(family: Family) -> Move:
    """One of these."""
    return one(wish_intents(family))


def address_intents(family: Family) -> st.SearchStrategy[steps.Enqueueing]:
    """An address is made, edited or deleted."""
    edit = st.builds(
        steps.EnqueueAddress,
        device_of(family),
        st.sampled_from((ADDRESSES[0], ADDRESSES[0], ADDRESSES[1])),
        st.sampled_from(
            (Fields.ALL, Fields.LABEL, Fields.RECIPIENT, Fields.LABEL_AND_RECIPIENT, Fields.LINES_AND_LABEL)
        ),
        st.integers(1, 4),
        _GUARDS,
    )
    odd = st.builds(
        steps.EnqueueAddress,
        device_of(family),
        st.sampled_from(ADDRESSES),
        st.sampled_from((Fields.UNKNOWN, Fields.NONE, Fields.ALL)),
        guard=_GUARDS,
        card=st.booleans(),
    )
    deletion = st.builds(steps.EnqueueAddressDeletion, device_of(family), st.sampled_from(ADDRESSES), _GUARDS)
    makes = edit.map(lambda step: steps.EnqueueAddress(step.device, step.address, value=step.value))
    kinds: tuple[st.SearchStrategy[steps.Enqueueing], ...] = (edit, edit, edit, makes, makes, deletion, odd)
    return st.sampled_from(range(len(kinds))).flatmap(lambda kind: kinds[kind])


def address(family: Family) -> Move:
    """One of these."""
    return one(address_intents(family))


def address_conflict(family: Family) -> Move:
    """Two devices saw the same address; one edits it, then the other edits or deletes what it saw."""
    fields = st.sampled_from((Fields.LABEL, Fields.RECIPIENT, Fields.LABEL_AND_RECIPIENT, Fields.LINES_AND_LABEL))
    first, second = family.devices[:2]

    def conflict(ours: Fields, theirs: Fields, value: int, guard: Guard, deletes: bool, turn: bool) -> tuple[Step, ...]:
        early, late = (first, second) if turn else (second, first)
        answer = steps.EnqueueAddress(late, ADDRESSES[0], theirs, value + 1, guard)
        return (
            Send(late),
            steps.Read(late, steps.Listing.ADDRESS_BOOK),
            steps.EnqueueAddress(early, ADDRESSES[0], ours, value),
            Send(early),
            steps.EnqueueAddressDeletion(late, ADDRESSES[0], guard) if deletes else answer,
            Send(late),
        )

    deletes = st.sampled_from((False, False, False, True))
    return st.builds(conflict, fields, fields, st.integers(2, 5), _GUARDS, deletes, st.booleans())


def addresses(family: Family) -> Move:
    """An address for the beginning of a plan, made by one device and seen by the others."""
    return st.just(
        (
            steps.EnqueueAddress(family.devices[0], ADDRESSES[0]),
            Send(family.devices[0]),
            *(steps.Read(device, steps.Listing.ADDRESS_BOOK) for device in family.devices),
        )
    )


def payment_intents(family: Family) -> st.SearchStrategy[steps.Enqueueing]:
    """A means of payment is saved or deleted."""
    return st.builds(
        steps.EnqueuePayment,
        device_of(family),
        st.sampled_from(METHODS),
        st.sampled_from((*TOKENS, *TOKENS, "token-unknown")),
        value=st.integers(1, 2),
        remove=st.sampled_from((False, False, False, True)),
        card=_RARELY,
    )


def payment(family: Family) -> Move:
    """One of these."""
    return one(payment_intents(family))


def replaced(family: Family) -> Move:
    """A means of payment is saved, and another one in its place."""
    return st.builds(
        lambda device, other, method, first: (
            steps.EnqueuePayment(device, method, TOKENS[0], first),
            steps.EnqueuePayment(other, method, TOKENS[0], first + 1),
            Send(device),
            Send(other),
        ),
        device_of(family),
        device_of(family),
        st.sampled_from(METHODS),
        st.integers(0, 2),
    )


def token(family: Family) -> Move:
    """The payment provider no longer stands by a token, stands by it again, or says something else of it."""
    del family
    valid = st.sampled_from((True, False, False))
    return one(st.builds(steps.SetToken, st.sampled_from(TOKENS), valid, st.integers(1, 3)))


def tokens(family: Family) -> Move:
    """Tokens for the beginning of a plan."""
    del family
    return st.just(tuple(steps.SetToken(name) for name in TOKENS))


def saving_trouble(family: Family) -> Move:
    """A limit on saving in the middle of what is sent, then none and sent again."""
    return st.builds(
        lambda device, remaining: (
            steps.RateLimit(remaining, saving=True),
            Send(device),
            steps.RateLimit(None, saving=True),
            Send(device),
        ),
        device_of(family),
        st.integers(0, 2),
    )


def listing(family: Family) -> Move:
    """Somebody reads what there is apart from carts; what is seen guards later edits."""
    return one(st.builds(steps.Read, device_of(family), st.sampled_from(steps.Listing), st.booleans()))


# Guests.


def guest_shops(family: Family) -> Move:
    """The guest puts something into a cart of its own."""
    return one(add(family).map(lambda step: with_fields(step, {"device": "G"})))


def guest_cart(family: Family) -> Move:
    """A guest's cart for the beginning of a plan, and the account's cart that may have some of the same."""
    mine = add(family).map(lambda step: with_fields(step, {"device": family.devices[0], "cart": CARTS[0]}))
    return st.builds(
        lambda first, second, own: (*first, *second, Send("G"), own, Send(family.devices[0])),
        guest_shops(family),
        guest_shops(family),
        mine,
    )


def claim(family: Family) -> Move:
    """A device takes over the guest's cart, and sends that or not yet."""
    devices = tuple(device for device in family.devices if device != "G")
    return st.builds(
        lambda device, taken, into, forged, sends: (
            steps.EnqueueClaim(device, taken, into, forged),
            *((Send(device),) if sends else ()),
        ),
        st.sampled_from(devices),
        st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        _RARELY,
        st.booleans(),
    )


def claim_race(family: Family) -> Move:
    """The guest sends while it is claimed, or two devices claim it at once."""
    others = tuple(device for device in family.devices if device != "G")
    return st.builds(
        lambda device, rival, held: (
            steps.EnqueueClaim(device, CARTS[0], CARTS[0]),
            *(() if rival == "G" else (steps.EnqueueClaim(rival, CARTS[0], CARTS[0]),)),
            steps.Race(Send(device), Send(rival), held),
        ),
        st.sampled_from(others),
        st.sampled_from(("G", *others)),
        st.booleans(),
    )
