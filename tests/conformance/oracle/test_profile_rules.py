"""The rules of the further profiles against stories written by hand: one sentence each, no server about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stories import ADDRESSES, CARD, CARDS, DAY, GUEST, METHODS, OFFERS, PROMOTIONS, TOKEN, counted

from conformance.oracle import coupon_rules
from conformance.oracle.card_numbers import holds_card_number
from conformance.oracle.coupon_rules import Phase
from conformance.oracle.deciding import step
from conformance.oracle.rules import rules_of
from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    ApplyCoupon,
    Attempt,
    CardDetails,
    ClaimedLine,
    ClaimGuestCart,
    DeleteAddress,
    DeletePaymentMethod,
    FieldKept,
    Intent,
    Limits,
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
    State,
    Stock,
)
from conformance.oracle.world import SOLE, Outcome, Scope, Shop, World, initial
from conformance.requirements import load

ADDRESS, OTHER_ADDRESS = ADDRESSES
METHOD, OTHER_METHOD, _ = METHODS
NEEDED = frozenset({"recipient", "address_lines", "region_code"})
HOME = Address(recipient="Ada", address_lines=("1 High Street",), region_code="GB", label="Home")


def shop(**limits: int) -> Shop:
    made = replace(Shop(Limits(**limits), slack=0.0), owners=(("guest's", GUEST), ("mine", SOLE), ("theirs", SOLE)))  # type: ignore[arg-type]
    for sku, offer in OFFERS.items():
        made = made.with_offer(sku, offer)
    for code, promotion in PROMOTIONS.items():
        made = made.with_promotion(code, promotion)
    for (provider, token), card in CARDS.items():
        made = made.with_card(provider, token, card)
    return made.with_claim_token(TOKEN, GUEST)


class Tale:
    """Operations decided one after the other, each next in line of its queue."""

    def __init__(self, around: Shop | None = None) -> None:
        self.shop = around or shop()
        self.world: World = initial()

    def attempt(self, intent: Intent, queue: str = "mine", *, age: float | None = None, client: str = "") -> Attempt:
        state = self.world.queue(queue)
        key = f"{queue}-{state.watermark + 1}"
        return Attempt(Operation(key, state.watermark + 1, state.last_key, intent), age, client_name=client)

    def decide(self, intent: Intent, queue: str = "mine", *, client: str = "") -> Outcome:
        """The outcome, of a server whose revisions count the changes."""
        ((answer, self.world),) = step(self.world, self.shop, queue, self.attempt(intent, queue, client=client))
        self.world = counted(self.world, answer.outcome)
        return answer.outcome


@pytest.fixture
def tale() -> Tale:
    told = Tale()
    told.decide(Add("main", "tea", 2, Money("GBP", 255)))
    return told


def put(address: Address = HOME, *fields: str, base: int | None = None, address_id: str = ADDRESS) -> PutAddress:
    return PutAddress(address_id, frozenset(fields) or NEEDED | {"label"}, address, base)


def save(token: str = "good", method: str = METHOD, label: str = "") -> SavePaymentMethod:
    return SavePaymentMethod(method, "bank", token, label)


# Coupons.


@pytest.mark.parametrize(
    ("before", "code", "reason"),
    [
        ((), "TENTH", ""),
        (("TENTH",), "TENTH", "COUPON_ALREADY_APPLIED"),
        ((), "NEVER", "COUPON_UNKNOWN"),
        ((), "tenth", "COUPON_UNKNOWN"),
        ((), "SOON", "COUPON_NOT_STARTED"),
        ((), "THEIRS", "COUPON_NOT_ELIGIBLE"),
        ((), "EUROS", "CURRENCY_MISMATCH"),
        (("TENTH",), "ALONE", "COUPON_NOT_STACKABLE"),
        (("ALONE",), "TENTH", "COUPON_NOT_STACKABLE"),
        (("TENTH", "FIVER"), "ONCE", "COUPON_LIMIT_EXCEEDED"),
    ],
)
def test_a_coupon_meets_its_rules_in_order(before: tuple[str, ...], code: str, reason: str) -> None:
    told = Tale(shop(max_coupon_count=2))
    told.decide(Add("main", "tea", 1, Money("GBP", 255)))
    for earlier in before:
        assert told.decide(ApplyCoupon("main", earlier)).changed
    assert told.decide(ApplyCoupon("main", code)).reason == reason


def test_a_coupon_needs_a_cart_and_its_removal_does_not(tale: Tale) -> None:
    assert tale.decide(ApplyCoupon("spare", "TENTH")).reason == "CART_NOT_FOUND"
    assert tale.decide(RemoveCoupon("spare", "TENTH")).state is State.APPLIED


def test_a_coupon_that_is_good_once_waits_for_its_removal_from_another_cart(tale: Tale) -> None:
    tale.decide(Add("spare", "mug", 1, Money("GBP", 1_099)))
    tale.decide(ApplyCoupon("main", "ONCE"))
    assert tale.decide(ApplyCoupon("spare", "ONCE")).reason == "COUPON_ALREADY_USED"
    tale.decide(RemoveCoupon("main", "ONCE"))
    assert tale.decide(ApplyCoupon("spare", "ONCE")).changed


def test_a_withdrawn_coupon_on_the_cart_counts_as_stackable(tale: Tale) -> None:
    tale.decide(ApplyCoupon("main", "ALONE"))
    tale.shop = tale.shop.with_promotion("ALONE", None)
    assert tale.decide(ApplyCoupon("main", "TENTH")).changed


def test_a_coupon_near_its_end_may_be_taken_or_not() -> None:
    promotion = Promotion(basis_points=1, start=100.0, end=200.0)
    assert coupon_rules.phases(promotion, 0.0, 50.0) == (Phase.BEFORE,)
    assert coupon_rules.phases(promotion, 90.0, 50.0) == (Phase.BEFORE, Phase.DURING)
    assert coupon_rules.phases(promotion, 100.0, 0.0) == (Phase.DURING,)
    assert coupon_rules.phases(promotion, 200.0, 0.0) == (Phase.AFTER,)
    assert coupon_rules.phases(promotion, 0.0, 500.0) == (Phase.BEFORE, Phase.DURING, Phase.AFTER)


def test_coupons_stand_by_the_promotion_of_now(tale: Tale) -> None:
    for code in ("TENTH", "FIVER", "ONCE"):
        tale.decide(ApplyCoupon("main", code))
    cart = tale.world.cart("main")
    promotions = [(PROMOTIONS[code], Phase.DURING) for code in cart.coupons]
    shown = coupon_rules.standings(cart, Money("GBP", 510), SOLE, promotions)
    assert [(s.standing, s.discount) for s in shown] == [
        ("QUALIFIES", Money("GBP", 53)),
        ("MINIMUM_NOT_MET", Money("GBP", 0)),
        ("QUALIFIES", Money("GBP", 169)),
    ]
    bare = coupon_rules.standings(cart, None, SOLE, [(None, Phase.DURING), *promotions[1:]])
    assert [(s.standing, s.discount) for s in bare][:2] == [("WITHDRAWN", None), ("MINIMUM_NOT_MET", None)]


# Wishlist.


def test_a_wish_is_there_once_and_stands_where_it_was_put(tale: Tale) -> None:
    assert [tale.decide(AddToWishlist(sku)).changed for sku in ("tea", "no such product", "tea")] == [True, True, False]
    assert tale.decide(RemoveFromWishlist("tea")).changed
    assert not tale.decide(RemoveFromWishlist("tea")).changed
    tale.decide(AddToWishlist("tea"))
    assert tale.world.wishlist().skus == ("no such product", "tea")


def test_a_full_wishlist_takes_what_it_has_and_nothing_new() -> None:
    told = Tale(shop(max_wishlist_entry_count=1))
    told.decide(AddToWishlist("tea"))
    assert told.decide(AddToWishlist("mug")).reason == "WISHLIST_FULL"
    assert told.decide(AddToWishlist("tea")).state is State.APPLIED


# Address book.


def test_fields_that_another_queue_changed_since_keep_their_values_and_are_reported(tale: Tale) -> None:
    tale.decide(put())
    tale.decide(put(replace(HOME, recipient="Grace", label="Work"), "recipient", "label", base=1), "theirs")
    edit = replace(HOME, recipient="Ada L.", label="Work", region_code="IE")
    merged = tale.decide(put(edit, "recipient", "label", "region_code", base=1))
    assert merged.adjustments == {FieldKept("recipient", Address(recipient="Grace"))}
    assert tale.world.address_book().address(ADDRESS) == replace(
        HOME, recipient="Grace", label="Work", region_code="IE"
    )


def test_the_queues_own_edits_and_a_missing_base_keep_nothing(tale: Tale) -> None:
    tale.decide(put())
    assert not tale.decide(put(replace(HOME, label="Work"), "label", base=0)).adjustments
    tale.decide(put(replace(HOME, label="Theirs"), "label"), "theirs")
    assert not tale.decide(put(replace(HOME, label="Mine"), "label")).adjustments
    assert tale.world.address_book().address(ADDRESS) == replace(HOME, label="Mine")


def test_a_write_of_what_is_there_is_no_change_and_trips_nobody(tale: Tale) -> None:
    tale.decide(put())
    assert not tale.decide(put(HOME, "label"), "theirs").changed
    assert tale.decide(put(replace(HOME, label="Work"), "label", base=1)).changed


def test_an_address_made_anew_starts_afresh(tale: Tale) -> None:
    tale.decide(put(), "theirs")
    tale.decide(DeleteAddress(ADDRESS), "theirs")
    assert tale.decide(put(base=0)).changed
    assert tale.decide(put(replace(HOME, label="Work"), "label", base=0)).changed
    assert tale.decide(DeleteAddress(ADDRESS, base=0)).changed


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (put(HOME, "label", base=3, address_id=OTHER_ADDRESS), "ADDRESS_NOT_FOUND"),
        (put(HOME, "label", address_id=OTHER_ADDRESS), "ADDRESS_INCOMPLETE"),
        (put(address_id=OTHER_ADDRESS), "ADDRESS_BOOK_FULL"),
        (DeleteAddress(ADDRESS, base=0), "ADDRESS_CHANGED"),
        (DeleteAddress(ADDRESS, base=1), ""),
        (DeleteAddress(OTHER_ADDRESS, base=0), ""),
        (put(HOME, "label", base=-1), "MALFORMED"),
        (put(HOME, "phone"), "MALFORMED"),
        (put(replace(HOME, region_code="gb"), "region_code"), "MALFORMED"),
        (put(replace(HOME, region_code="gb"), "label"), ""),
        (put(replace(HOME, label="x" * 65), "label"), "MALFORMED"),
        (put(replace(HOME, label="x" * 64), "label"), ""),
        (put(replace(HOME, address_lines=("a",) * 6), "address_lines"), "MALFORMED"),
        (PutAddress(ADDRESS, NEEDED, None), "MALFORMED"),
        (PutAddress(ADDRESS.replace("-", ""), NEEDED, HOME), "MALFORMED"),
        (PutAddress("{" + ADDRESS + "}", NEEDED, HOME), "MALFORMED"),
    ],
)
def test_an_address_meets_its_rules_in_order(intent: Intent, reason: str) -> None:
    told = Tale(shop(max_address_count=1))
    told.decide(put(), "theirs")
    assert told.decide(intent).reason == reason


# Payment methods.


def test_a_payment_method_is_kept_as_its_provider_describes_it(tale: Tale) -> None:
    assert tale.decide(save(label="Mine")).changed
    assert not tale.decide(save(label="Mine")).changed
    tale.shop = tale.shop.with_card("bank", "good", CardDetails("visa", "4242", 1, 2035))
    assert tale.decide(save(label="Mine")).changed
    kept = tale.world.payment_methods().method(METHOD)
    assert kept is not None
    assert kept.details.expiry_year == 2035


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (save("stolen"), "PAYMENT_TOKEN_INVALID"),
        (save(method=OTHER_METHOD), "PAYMENT_METHODS_FULL"),
        (save("plain"), ""),
        (save("has space"), "MALFORMED"),
        (save(label="x" * 65), "MALFORMED"),
        (save(label=CARD), "CARD_NUMBER_REFUSED"),
        (DeletePaymentMethod(OTHER_METHOD), ""),
    ],
)
def test_a_payment_method_meets_its_rules_in_order(intent: Intent, reason: str) -> None:
    told = Tale(shop(max_payment_method_count=1))
    told.decide(save())
    assert told.decide(intent).reason == reason


def test_saving_has_a_limit_of_its_own_beside_the_principals(tale: Tale) -> None:
    tale.world = tale.world.with_allowance(SOLE, Scope.PAYMENT_METHODS, 1).with_allowance(SOLE, Scope.ALL, 4)
    assert tale.decide(save("stolen")).state is State.REJECTED
    assert tale.decide(save()).reason == "RATE_LIMITED"
    assert tale.decide(AddToWishlist("tea")).changed
    assert tale.world.allowance(SOLE, Scope.ALL) == 2


# Guest claims.


def claim(cart: str = "main", guest_cart: str = "main", token: str = TOKEN) -> ClaimGuestCart:
    return ClaimGuestCart(token, guest_cart, cart)


def guest_with(*lines: tuple[str, int], around: Shop | None = None) -> Tale:
    told = Tale(around)
    for sku, quantity in lines:
        offer = told.shop.offer(sku)
        assert offer is not None
        told.decide(Add("main", sku, quantity, offer.price), "guest's")
    return told


def test_a_claim_adds_the_guests_lines_once_and_closes_the_guest() -> None:
    told = guest_with(("mug", 2), ("tea", 3))
    told.decide(Add("main", "tea", 1, Money("GBP", 255)))
    first, again = told.decide(claim()), told.decide(claim(), "theirs")
    assert first.claimed == (ClaimedLine("mug", 2, 0, 2), ClaimedLine("tea", 3, 1, 4))
    assert (first.changed, again.changed, again.claimed) == (True, False, ())
    assert told.world.cart("main").lines == (("mug", 2), ("tea", 4))
    assert told.world.cart("main", GUEST).closed
    assert told.decide(Add("spare", "tea", 1, Money("GBP", 255)), "guest's").reason == "PRINCIPAL_CLAIMED"


@pytest.mark.parametrize(
    ("offer", "after", "limit"),
    [
        (None, 1, "SKU_UNKNOWN"),
        (Offer(Money("GBP", 255), listed=False), 1, "SKU_UNLISTED"),
        (Offer(Money("EUR", 255)), 1, "CURRENCY_MISMATCH"),
        (Offer(Money("GBP", 255)), 5, "LINE_LIMIT_EXCEEDED"),
        (Offer(Money("GBP", 255), available=5), 5, "LINE_LIMIT_EXCEEDED"),
        (Offer(Money("GBP", 255), available=4), 4, "INSUFFICIENT_INVENTORY"),
        (Offer(Money("GBP", 255), available=0), 1, "INSUFFICIENT_INVENTORY"),
    ],
)
def test_a_claim_cuts_each_sum_by_the_first_limit_and_takes_nothing_away(
    offer: Offer | None, after: int, limit: str
) -> None:
    told = guest_with(("tea", 5))
    told.decide(Add("main", "tea", 1, Money("GBP", 255)))
    offers = tuple(entry for entry in told.shop.offers if entry[0] != "tea")
    told.shop = replace(told.shop, offers=offers, limits=replace(told.shop.limits, max_line_quantity=5))
    told.shop = told.shop if offer is None else told.shop.with_offer("tea", offer)
    assert told.decide(claim()).claimed == (ClaimedLine("tea", 5, 1, after, limit),)


def test_a_claim_makes_no_line_beyond_the_most_a_cart_may_have() -> None:
    told = guest_with(("mug", 1), ("tea", 1))
    told.shop = replace(told.shop, limits=replace(told.shop.limits, max_line_count=1))
    outcome = told.decide(claim("spare"))
    assert outcome.claimed == (ClaimedLine("mug", 1, 0, 1), ClaimedLine("tea", 1, 0, 0, "LINE_LIMIT_EXCEEDED"))


def test_a_claim_that_takes_nothing_makes_no_cart_and_closes_the_guest_all_the_same() -> None:
    told = Tale()
    outcome = told.decide(claim())
    assert (outcome.state, outcome.changed, outcome.number) == (State.APPLIED, False, 0)
    assert not told.world.cart("main").exists
    assert told.decide(AddToWishlist("tea"), "guest's").reason == "PRINCIPAL_CLAIMED"


def test_a_claim_needs_a_token_and_an_account() -> None:
    told = guest_with(("tea", 1))
    assert told.decide(claim(token="forged")).reason == "CLAIM_TOKEN_INVALID"
    assert told.decide(claim(), "guest's").reason == "CLAIM_TOKEN_INVALID"
    told.shop = told.shop.with_owner("bob's", "bob")
    assert told.decide(claim(), "bob's").state is State.APPLIED
    assert told.decide(claim()).reason == "GUEST_ALREADY_CLAIMED"


# What comes before the rules.


def test_an_unlisted_profile_is_an_unknown_intent_and_covers_no_card_numbers() -> None:
    told = Tale(replace(shop(), limits=Limits(profiles=frozenset({"core", "security"}))))
    assert told.decide(AddToWishlist("tea")).reason == "UNSUPPORTED_INTENT"
    assert told.decide(save(label=CARD)).reason == "UNSUPPORTED_INTENT"
    assert told.decide(ApplyCoupon("main", CARD)).reason == "CARD_NUMBER_REFUSED"


def test_an_operation_with_a_card_number_is_known_by_nothing_but_its_kind(tale: Tale) -> None:
    first = tale.attempt(ApplyCoupon("main", CARD))
    tale.decide(ApplyCoupon("main", CARD))
    other = "5555 5555 5555 4444"
    same = Attempt(replace(first.operation, intent=ApplyCoupon("spare", other)))
    context = Attempt(replace(first.operation, intent=ApplyCoupon("main", "TENTH")), client_name=other)
    clean = Attempt(replace(first.operation, intent=ApplyCoupon("main", "TENTH")))
    kind = Attempt(replace(first.operation, intent=RemoveCoupon("main", CARD)))
    told = [step(tale.world, tale.shop, "mine", attempt)[0][0] for attempt in (same, context, clean, kind)]
    assert [answer.replayed for answer in told] == [True, True, False, False]
    assert [answer.outcome.reason for answer in told[2:]] == ["PAYLOAD_MISMATCH", "PAYLOAD_MISMATCH"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("4111111111111111", True),
        ("4111 1111 1111 1111", True),
        ("4111-1111.1111_1111", True),
        ("4111 - 1111/1111 1111", True),
        ("4111    1111 1111 1111", False),
        ("card 4111111111111111.", True),
        ("7 4111 1111 1111 1111 9", True),
        ("x4111111111111111x", True),
        ("4111 x 1111 1111 1111", False),
        ("4111111111111112", False),
        ("0000000000000000", False),
        ("74111111111111111", False),
        ("411111111111", False),
        ("\N{ARABIC-INDIC DIGIT FOUR}" + "111 1111 1111 1111", True),
        ("4111\N{NO-BREAK SPACE}1111\N{EN DASH}1111\N{IDEOGRAPHIC SPACE}1111", True),
        ("4\N{SUPERSCRIPT ONE}11111111111111", False),
        ("4222222222222", True),
        ("", False),
    ],
)
def test_a_card_number_is_found_by_its_digits_whatever_stands_between_them(text: str, holds: bool) -> None:
    assert holds_card_number(text) is holds


def test_a_limit_in_another_currency_than_the_observed_price_is_malformed(tale: Tale) -> None:
    add = Add("main", "tea", 1, Money("GBP", 255), Money("EUR", 255))
    assert tale.decide(add).reason == "MALFORMED"


def test_backing_services_are_asked_by_those_intents_that_need_them(tale: Tale) -> None:
    tale.shop = replace(tale.shop, away=frozenset({SOLE}))
    waiting: list[Intent] = [ApplyCoupon("none", "NEVER"), save("stolen"), claim("none", token="forged")]
    free: list[Intent] = [
        RemoveCoupon("main", "TENTH"),
        AddToWishlist("tea"),
        put(),
        DeleteAddress(ADDRESS),
        DeletePaymentMethod(METHOD),
    ]
    assert {tale.decide(intent).reason for intent in waiting} == {"BACKEND_UNAVAILABLE"}
    assert {tale.decide(intent).state for intent in free} == {State.APPLIED}


def test_every_rule_is_a_requirement_of_the_spec(tale: Tale) -> None:
    intents: list[Intent] = [
        Add("main", "tea", 1, None),
        Adjust("main", "tea", 1),
        Set("main", "tea", 1, Stock.CLAMP),
        Remove("main", "tea"),
        ApplyCoupon("main", "TENTH"),
        RemoveCoupon("main", "TENTH"),
        AddToWishlist("tea"),
        AddToWishlist("tea"),
        RemoveFromWishlist("tea"),
        put(),
        put(HOME, "label", base=1),
        DeleteAddress(ADDRESS),
        save(),
        DeletePaymentMethod(METHOD),
        claim(),
        claim(),
        None,
    ]
    slugs = {slug for intent in intents for _, slug, _ in rules_of(intent)}
    slugs |= {tale.decide(intent).rule for intent in intents}
    slugs |= {Tale(replace(shop(), away=frozenset({SOLE}))).decide(intent).rule for intent in intents}
    slugs |= {tale.decide(intent, client=CARD).rule for intent in intents}
    assert slugs <= set(load().by_slug)


def test_a_promotion_that_has_begun_is_good_until_its_end(tale: Tale) -> None:
    tale.shop = replace(tale.shop, now=10 * DAY - 1)
    assert tale.decide(ApplyCoupon("main", "SOON")).reason == "COUPON_NOT_STARTED"
    tale.shop = replace(tale.shop, now=10 * DAY)
    assert tale.decide(ApplyCoupon("main", "OVER")).reason == "COUPON_EXPIRED"
    assert tale.decide(ApplyCoupon("main", "SOON")).changed
