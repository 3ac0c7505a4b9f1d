"""Checks of spec 13: an account takes over a guest's cart, whole, once, and losing nothing on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import cart_pb2, outcome_pb2, reason_pb2, service_pb2

from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.suite.races import answer, held, overtake
from conformance.wire import Device, RpcFailureError, Shop, Story

R = reason_pb2.Reason


@requirement("claim/token")
def test_a_guest_gets_a_token_and_an_account_gets_none(story: Story) -> None:
    """Asks for a token as a guest, twice, and as an account."""
    guest, phone = story.guest(), story.device()
    for _ in range(2):
        token = guest.connection.claim_token()
        story.expect(
            0 < len(token) <= 1_024 and all("!" <= c <= "~" for c in token),
            "a claim token is not 1 to 1,024 visible ASCII characters",
            observed=f"{len(token)} characters",
        )
    story.expect_status(
        phone.connection.claim_token,
        grpc.StatusCode.FAILED_PRECONDITION,
        reason="NOT_A_GUEST",
        what="IssueClaimToken by an account",
    )


@requirement("claim/token")
def test_each_token_is_good(story: Story) -> None:
    """Claims two carts of one guest with two tokens, one of them given after the first claim."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    story.expect_applied(guest.submit(guest.add(tea, 3, cart_id="second")).only, slug="cart/add-adds")
    first = guest.connection.claim_token()
    _claimed(story, phone, first, slug="claim/token")
    again = guest.connection.claim_token()
    _claimed(story, phone, again, guest_cart_id="second", slug="claim/token")
    story.expect_lines(phone.cart(), {tea: 5}, slug="claim/adds-lines")


@requirement("claim/adds-lines")
def test_the_lines_of_both_carts_add_up_as_one_change(story: Story) -> None:
    """Claims a cart that shares one of its products with the account's: sums, one revision, one effect a line."""
    tea, mug, tin = (story.sku(name) for name in ("tea", "mug", "tin"))
    guest, phone = story.guest(), story.device()
    put_in_cart(story, phone, tea, 2)
    _, before = put_in_cart(story, phone, tin, 1)
    put_in_cart(story, guest, tea, 3)
    put_in_cart(story, guest, mug, 4)
    outcome = _claimed(story, phone, guest.connection.claim_token())
    cart = phone.cart()
    story.expect_lines(cart, {tea: 5, mug: 4, tin: 1}, slug="claim/adds-lines")
    story.expect(
        before.revision < outcome.revision == cart.revision,
        "a claim is not one change of the account's cart",
        expected=f"one revision above {before.revision}",
        observed=(outcome.revision, cart.revision),
    )
    if story.shop.offers_capability(control.CAPABILITY_EFFECTS):
        made = [(e.sku, e.quantity_before, e.quantity_after, e.revision) for e in story.shop.effects()[2:]]
        due = [(mug, 0, 4, outcome.revision), (tea, 2, 5, outcome.revision)]
        story.expect(sorted(made) == sorted(due), "a claim had other effects", expected=due, observed=made)


@requirement("claim/lines-reported")
def test_every_line_of_the_guest_is_reported(story: Story) -> None:
    """Claims three lines: each is reported with its quantities, in order of SKU, with no limit named."""
    skus = sorted(story.sku(name) for name in ("c", "a", "b"))
    guest, phone = story.guest(), story.device()
    put_in_cart(story, phone, skus[1], 5)
    for quantity, sku in enumerate(reversed(skus), start=1):
        put_in_cart(story, guest, sku, quantity)
    outcome = _claimed(story, phone, guest.connection.claim_token())
    _expect_claimed_lines(story, outcome, [(skus[0], 3, 0, 3, ""), (skus[1], 2, 5, 7, ""), (skus[2], 1, 0, 1, "")])


@requirement("claim/limits", "claim/lines-reported")
def test_a_sum_is_cut_to_what_the_stock_and_the_limits_allow(story: Story) -> None:
    """Claims lines whose sums are above the stock, above the line limit, above both, and below what is there."""
    most = story.policy.max_line_quantity
    short, long, both, sunk, same = (story.sku(name) for name in ("a-short", "b-long", "c-both", "d-sunk", "e-same"))
    guest, phone = story.guest(), story.device()
    for sku in (short, both, sunk):
        put_in_cart(story, phone, sku, 4)
        put_in_cart(story, guest, sku, 3)
    put_in_cart(story, phone, long, most - 1)
    put_in_cart(story, guest, long, 3)
    put_in_cart(story, phone, same, 1)
    put_in_cart(story, guest, same, most)
    story.expect_applied(guest.submit(guest.set(both, most)).only, slug="cart/set-sets")
    story.shop.offer(short, 100, available=6)
    story.shop.offer(both, 100, available=most - 2)
    story.shop.offer(sunk, 100, available=2)
    story.shop.offer(same, 100, available=most)
    outcome = _claimed(story, phone, guest.connection.claim_token(), slug="claim/limits")
    due = {short: 6, long: most, both: most - 2, sunk: 4, same: most}
    story.expect_lines(phone.cart(), due, slug="claim/limits")
    _expect_claimed_lines(
        story,
        outcome,
        [
            (short, 3, 4, 6, "INSUFFICIENT_INVENTORY"),
            (long, 3, most - 1, most, "LINE_LIMIT_EXCEEDED"),
            (both, most, 4, most - 2, "INSUFFICIENT_INVENTORY"),
            (sunk, 3, 4, 4, "INSUFFICIENT_INVENTORY"),
            (same, most, 1, most, "LINE_LIMIT_EXCEEDED"),
        ],
    )


@requirement("claim/limits", "claim/lines-reported")
def test_a_cart_takes_no_more_lines_than_it_has_room_for(story: Story) -> None:
    """Claims two new lines and an old one into a cart with room for one line: the first SKU of the new ones gets it."""
    most = story.policy.max_line_count
    guest, phone = story.guest(), story.device()
    first, second, old = (story.sku(name) for name in ("a-first", "b-second", "c-old"))
    skus = [old, *(story.sku(f"line{number}") for number in range(most - 2))]
    size = min(story.policy.max_submission_operation_count, 100)
    for start in range(0, len(skus), size):
        for result in phone.submit(*(phone.add(sku) for sku in skus[start : start + size])).results:
            story.expect_applied(result, slug="limits/line-count")
    for sku in (second, first, old):
        put_in_cart(story, guest, sku, 2)
    outcome = _claimed(story, phone, guest.connection.claim_token(), slug="claim/limits")
    story.expect_lines(phone.cart(), {**dict.fromkeys(skus, 1), old: 3, first: 2}, slug="claim/limits")
    _expect_claimed_lines(
        story, outcome, [(first, 2, 0, 2, ""), (second, 2, 0, 0, "LINE_LIMIT_EXCEEDED"), (old, 2, 1, 3, "")]
    )


@requirement("claim/lines-reported")
def test_of_several_limits_the_first_in_the_table_is_named(story: Story) -> None:
    """Claims a line that is unlisted and in another currency, and one in another currency that is sold out."""
    gone, dear = story.sku("a-gone"), story.sku("b-dear")
    guest, phone = story.guest(), story.device()
    for sku in (gone, dear):
        put_in_cart(story, guest, sku, 2)
    story.shop.offer(gone, 100, currency="EUR", listed=False)
    story.shop.offer(dear, 100, currency="EUR", available=0)
    claim = phone.claim(guest.connection.claim_token())
    outcome = story.expect_applied(phone.submit(claim).only, changed=False, slug="claim/limits")
    _expect_claimed_lines(story, outcome, [(gone, 2, 0, 0, "SKU_UNLISTED"), (dear, 2, 0, 0, "CURRENCY_MISMATCH")])


@requirement("claim/limits", "claim/lines-reported")
def test_what_is_no_longer_sold_stays_behind(story: Story) -> None:
    """Claims lines of which one was unlisted since, and one is sold in another currency by now."""
    gone, moved, good = (story.sku(name) for name in ("a-gone", "b-moved", "c-good"))
    guest, phone = story.guest(), story.device()
    put_in_cart(story, phone, gone, 1)
    for sku in (gone, moved, good):
        put_in_cart(story, guest, sku, 2)
    story.shop.offer(gone, 100, listed=False)
    story.shop.offer(moved, 100, currency="EUR")
    outcome = _claimed(story, phone, guest.connection.claim_token(), slug="claim/limits")
    story.expect_lines(phone.cart(), {gone: 1, good: 2}, slug="claim/limits")
    _expect_claimed_lines(
        story,
        outcome,
        [(gone, 2, 1, 1, "SKU_UNLISTED"), (moved, 2, 0, 0, "CURRENCY_MISMATCH"), (good, 2, 0, 2, "")],
    )


@requirement("claim/limits")
def test_a_cart_of_another_currency_takes_nothing(story: Story) -> None:
    """Claims a cart in GBP into one in EUR: nothing moves, each line says why, the guest is closed all the same."""
    tea, kaffee = story.sku("tea"), story.sku("kaffee")
    story.shop.offer(kaffee, 100, currency="EUR")
    guest, phone = story.guest(), story.device()
    put_in_cart(story, phone, kaffee, 1, currency="EUR")
    put_in_cart(story, guest, tea, 2)
    claim = phone.claim(guest.connection.claim_token())
    outcome = story.expect_applied(phone.submit(claim).only, changed=False)
    _expect_claimed_lines(story, outcome, [(tea, 2, 0, 0, "CURRENCY_MISMATCH")])
    story.expect_lines(phone.cart(), {kaffee: 1}, slug="claim/limits")


@requirement("claim/guest-closed")
def test_the_guest_decides_nothing_new(story: Story) -> None:
    """Sends new operations of every kind as the claimed guest, from an old queue and a new one; a discard passes."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    _claimed(story, phone, guest.connection.claim_token())
    late = [guest.add(tea, 1), guest.remove(tea), guest.add(tea, 1, cart_id="new"), guest.wish(tea)]
    for result in guest.submit(*late).results:
        story.expect_refused(result, R.REASON_PRINCIPAL_CLAIMED)
    discard = guest.discard_of(guest.add(tea))
    story.expect_applied(guest.submit(discard).only, changed=False, slug="claim/guest-closed")
    fresh = Device("new queue", guest.connection, guest.principal, "main", story.rng, venue=story.venue)
    story.expect_refused(fresh.submit(fresh.add(tea)).only, R.REASON_PRINCIPAL_CLAIMED)
    cart = guest.cart()
    story.expect(cart.state == cart_pb2.CART_STATE_CLOSED, "a claimed cart is shown open", observed=cart)
    story.expect_lines(cart, {tea: 2}, slug="claim/guest-closed")
    story.expect_lines(phone.cart(), {tea: 2}, slug="claim/adds-lines")


@requirement("claim/guest-closed")
def test_a_claimed_guest_is_told_so_before_a_backing_service_is_asked(story: Story) -> None:
    """Sends a new add as the claimed guest while its backing services are unreachable: rejected, not deferred."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    _claimed(story, phone, guest.connection.claim_token())
    shop = _shop_of_guest(story)
    shop.backend(available=False)
    story.expect_refused(guest.submit(guest.add(tea, 1)).only, R.REASON_PRINCIPAL_CLAIMED)


@requirement("claim/guest-replays")
def test_the_guest_still_learns_what_was_decided(story: Story) -> None:
    """Sends duplicates, looks up and reads with the guest's credential after the claim."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    operation, first = put_in_cart(story, guest, tea, 2)
    _claimed(story, phone, guest.connection.claim_token())
    story.expect_replayed(guest.submit(operation).only, first)
    found = guest.lookup(1, 2)
    story.expect(
        found.queue.decided_through_sequence == 1
        and found.statuses[0].outcome == first
        and found.statuses[1].decidedness == service_pb2.DECIDEDNESS_UNDECIDED,
        "a claimed guest's look-up does not tell what was decided",
        observed=found,
    )
    story.expect(guest.read_cart().queue.decided_through_sequence == 1, "a claimed guest's cart cannot be read")


@requirement("claim/guest-replays")
@pytest.mark.parametrize("decided", [True, False], ids=["decided before the claim", "not decided before it"])
def test_an_add_with_a_lost_answer_is_in_the_cart_once(story: Story, decided: bool) -> None:
    """Loses the answer to the guest's last add, claims, asks, and enqueues in the account what was not decided."""
    tea, mug = story.sku("tea"), story.sku("mug")
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    last = guest.add(mug, 3)
    if decided:
        guest.connection.submit(guest.request(last))  # and the answer never arrives
    _claimed(story, phone, guest.connection.claim_token())
    status = guest.lookup(2, 2).statuses[0]
    settled = guest.submit(last).only
    if status.decidedness == service_pb2.DECIDEDNESS_DECIDED:
        story.expect(settled.replayed, "a decided add of a claimed guest is not replayed", observed=settled)
    else:
        story.expect_refused(settled, R.REASON_PRINCIPAL_CLAIMED, slug="claim/guest-closed")
        put_in_cart(story, phone, mug, 3)
    story.expect(
        (status.decidedness == service_pb2.DECIDEDNESS_DECIDED) == decided,
        "a look-up of a claimed guest says otherwise than it was",
        observed=status,
    )
    story.expect_lines(phone.cart(), {tea: 2, mug: 3}, slug="claim/guest-replays")


@requirement("claim/one-commit")
def test_an_add_of_the_guest_that_races_the_claim_is_taken_over_or_never_applied(story: Story) -> None:
    """Holds the guest's add before its commit while the claim overtakes it."""
    tea, mug = story.sku("tea"), story.sku("mug")
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    token = guest.connection.claim_token()
    with held(story, guest, guest.add(mug, 3), shop=_shop_of_guest(story)) as pending:
        claiming = overtake(phone, phone.claim(token))
    added, claimed = answer(pending).only.outcome, answer(claiming).only.outcome
    _expect_together(story, guest, phone, added, claimed, tea, mug)


@requirement("claim/one-commit")
def test_a_claim_that_an_add_of_the_guest_overtakes_is_whole(story: Story) -> None:
    """Holds the claim before its commit while the guest's add overtakes it."""
    tea, mug = story.sku("tea"), story.sku("mug")
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    with held(story, phone, phone.claim(guest.connection.claim_token())) as pending:
        adding = overtake(guest, guest.add(mug, 3))
    added, claimed = answer(adding).only.outcome, answer(pending).only.outcome
    _expect_together(story, guest, phone, added, claimed, tea, mug)


@requirement("claim/idempotent")
def test_a_second_claim_by_the_same_account_adds_nothing(story: Story) -> None:
    """Claims again from the same device and another, into the same cart and another; the lines were changed since."""
    tea = story.sku()
    guest, phone, tablet = story.guest(), story.device("phone"), story.device("tablet")
    put_in_cart(story, guest, tea, 2)
    token = guest.connection.claim_token()
    _claimed(story, phone, token)
    story.expect_applied(phone.submit(phone.remove(tea)).only, slug="cart/remove-removes")
    for device, cart_id in ((phone, "main"), (tablet, "main"), (tablet, "second")):
        again = story.expect_applied(device.submit(device.claim(token, cart_id=cart_id)).only, changed=False)
        story.expect(not again.claimed_lines, "a claim that did nothing reports lines", slug="claim/lines-reported")
    story.expect_lines(phone.cart(), {}, slug="claim/idempotent")
    story.expect(phone.cart("second").revision == 0, "a claim that took nothing made a cart")


@requirement("claim/idempotent")
def test_two_devices_that_race_their_claims_add_once(story: Story) -> None:
    """Holds one device's claim before its commit while another device of the account overtakes it."""
    tea = story.sku()
    guest, phone, tablet = story.guest(), story.device("phone"), story.device("tablet")
    put_in_cart(story, guest, tea, 2)
    token = guest.connection.claim_token()
    with held(story, phone, phone.claim(token)) as pending:
        overtaking = overtake(tablet, tablet.claim(token))
    outcomes = [story.expect_applied(answer(call).only, changed=None) for call in (pending, overtaking)]
    story.expect(
        sum(outcome.changed for outcome in outcomes) == 1, "of two raced claims not just one took the cart over"
    )
    story.expect_lines(phone.cart(), {tea: 2}, slug="claim/idempotent")


@requirement("claim/other-account")
def test_a_guest_belongs_to_the_first_account_that_claims_it(story: Story) -> None:
    """Claims as another account, that cart and another one of the guest's."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    other = story.device("stranger", principal=f"other-{story.tag}")
    put_in_cart(story, guest, tea, 2)
    story.expect_applied(guest.submit(guest.add(tea, 1, cart_id="second")).only, slug="cart/add-adds")
    token = guest.connection.claim_token()
    _claimed(story, phone, token)
    for cart_id in ("main", "second"):
        late = other.submit(other.claim(token, guest_cart_id=cart_id)).only
        story.expect_refused(late, R.REASON_GUEST_ALREADY_CLAIMED)
    story.expect(other.cart().revision == 0, "a refused claim moved something")
    _claimed(story, phone, token, guest_cart_id="second", slug="claim/other-account")
    story.expect_lines(phone.cart(), {tea: 3}, slug="claim/adds-lines")


@requirement("claim/other-account")
def test_of_two_accounts_that_race_their_claims_one_gets_the_cart(story: Story) -> None:
    """Holds one account's claim before its commit while another account overtakes it."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    other = story.device("stranger", principal=f"other-{story.tag}")
    put_in_cart(story, guest, tea, 2)
    token = guest.connection.claim_token()
    with held(story, phone, phone.claim(token)) as pending:
        overtaking = overtake(other, other.claim(token))
    outcomes = [answer(pending).only.outcome, answer(overtaking).only.outcome]
    refused = [outcome.refusal.reason == R.REASON_GUEST_ALREADY_CLAIMED for outcome in outcomes]
    story.expect(sorted(refused) == [False, True], "not just one account claimed the guest", observed=outcomes)
    holds = [{line.sku: line.quantity for line in device.cart().lines} for device in (phone, other)]
    due = [{} if was_refused else {tea: 2} for was_refused in refused]
    story.expect(holds == due, "the carts hold otherwise than the answers say", expected=due, observed=holds)


@requirement("claim/token-checked", "security/claim-needs-token")
def test_a_token_must_be_one_that_a_guest_was_given(story: Story) -> None:
    """Claims with made-up tokens, a good one with a character changed, the guest's name, and as a guest."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    token = guest.connection.claim_token()
    swapped = "A" if token[-1] != "A" else "B"
    middle = len(token) // 2
    forged = [
        "token",
        guest.principal,
        token[:-1] + swapped,
        token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :],
        token + "A",
        token[:-4],
    ]
    for wrong in forged:
        result = phone.submit(phone.claim(wrong)).only
        story.expect(
            phone.cart().revision == 0 and guest.cart().state == cart_pb2.CART_STATE_OPEN,
            "a claim without a token of this server's moved something",
            observed=result,
            slug="security/claim-needs-token",
        )
        story.expect_refused(result, R.REASON_CLAIM_TOKEN_INVALID, slug="claim/token-checked")
    guest_2 = story.guest("guest-2")
    for claimer in (guest, guest_2):
        result = claimer.submit(claimer.claim(token, cart_id="mine")).only
        story.expect_refused(result, R.REASON_CLAIM_TOKEN_INVALID, slug="claim/token-checked")
    story.expect_applied(guest.submit(guest.add(tea, 1)).only, slug="security/claim-needs-token")
    _claimed(story, phone, token, slug="claim/token-checked")


@requirement("security/claim-needs-token")
def test_an_account_reaches_nothing_of_a_guest_by_its_names(story: Story) -> None:
    """Uses the guest's cart id and queue id as another principal: the guest's cart stays as it is."""
    tea = story.sku()
    guest, phone = story.guest(cart_id="shared"), story.device(cart_id="shared")
    put_in_cart(story, guest, tea, 2)
    twin = Device(
        "twin", phone.connection, phone.principal, "shared", story.rng, queue_id=guest.queue_id, venue=story.venue
    )
    story.expect_applied(twin.submit(twin.add(tea, 5)).only)
    story.expect_lines(guest.cart(), {tea: 2})
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("claim/nothing-to-take")
@pytest.mark.parametrize("what", ["no cart", "an empty cart", "a closed cart"])
def test_a_claim_of_nothing_closes_the_guest(story: Story, what: str) -> None:
    """Claims a cart that is not there, empty, or checked out: applied, nothing moves, the guest is closed."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    _, before = put_in_cart(story, phone, tea, 1)
    if what != "no cart":
        put_in_cart(story, guest, tea, 2)
    if what == "an empty cart":
        story.expect_applied(guest.submit(guest.remove(tea)).only, slug="cart/remove-removes")
    if what == "a closed cart":
        _shop_of_guest(story).close_cart("main")
    token = guest.connection.claim_token()
    outcome = story.expect_applied(phone.submit(phone.claim(token)).only, changed=False)
    story.expect(
        outcome.revision == before.revision, "a claim of nothing moved the revision", slug="revision/unchanged"
    )
    story.expect_lines(phone.cart(), {tea: 1})
    late = guest.submit(guest.add(tea, 1, cart_id="new")).only
    story.expect_refused(late, R.REASON_PRINCIPAL_CLAIMED)


@requirement("claim/cart-closed")
def test_a_claim_into_a_closed_cart_is_rejected_and_leaves_the_guest_alone(story: Story) -> None:
    """Claims into a checked-out cart, then into another one."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, phone, tea, 1)
    put_in_cart(story, guest, tea, 2)
    story.shop.close_cart(phone.cart_id)
    token = guest.connection.claim_token()
    story.expect_refused(phone.submit(phone.claim(token)).only, R.REASON_CART_CLOSED)
    story.expect_lines(phone.cart(), {tea: 1})
    story.expect_applied(guest.submit(guest.add(tea, 1)).only)
    _claimed(story, phone, token, cart_id="second", slug="claim/cart-closed")
    story.expect_lines(phone.cart("second"), {tea: 3})


@requirement("claim/makes-cart")
def test_a_claim_makes_the_cart_when_a_line_goes_into_it(story: Story) -> None:
    """Claims into a cart that is not there: it is made, in the guest's currency; with nothing to move it is not."""
    tee, mug = story.sku("tee"), story.sku("mug")
    story.shop.offer(tee, 100, currency="EUR")
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tee, 2, currency="EUR")
    outcome = _claimed(story, phone, guest.connection.claim_token(), slug="claim/makes-cart")
    story.expect_lines(phone.cart(), {tee: 2})
    story.expect(outcome.revision > 0, "a cart that a claim made has no revision", slug="revision/judged-at")
    wrong = phone.submit(phone.add(mug, 1)).only
    story.expect_refused(wrong, R.REASON_CURRENCY_MISMATCH)
    other = story.guest("guest-2")
    put_in_cart(story, other, mug, 1)
    story.shop.offer(mug, 100, listed=False)
    claim = phone.claim(other.connection.claim_token(), cart_id="third")
    story.expect_applied(phone.submit(claim).only, changed=False)
    story.expect(phone.cart("third").revision == 0, "a claim that moved nothing made a cart")


@requirement("claim/backend")
def test_a_claim_waits_for_the_catalogue(story: Story) -> None:
    """Claims while the backing services are unreachable: deferred, and neither guest nor cart is touched."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    claim = phone.claim(guest.connection.claim_token())
    story.shop.backend(available=False)
    for _ in range(2):
        refused = story.expect_refused(phone.submit(claim).only, R.REASON_BACKEND_UNAVAILABLE)
        story.expect(refused.refusal.HasField("retry_delay"), "a deferral has no delay", slug="answers/details")
    story.expect_applied(guest.submit(guest.add(tea, 1)).only)
    story.shop.backend(available=True)
    story.expect_applied(phone.submit(claim).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("claim/backend")
@pytest.mark.parametrize("trouble", ["a forged token", "a closed cart", "nothing to take"])
def test_a_claim_waits_for_the_catalogue_whatever_it_is(story: Story, trouble: str) -> None:
    """Claims, while the backing services are unreachable, what needs no catalogue to be decided: deferred."""
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    if trouble != "nothing to take":
        put_in_cart(story, guest, tea, 2)
    if trouble == "a closed cart":
        put_in_cart(story, phone, tea, 1)
        story.shop.close_cart(phone.cart_id)
    token = "token" if trouble == "a forged token" else guest.connection.claim_token()
    claim = phone.claim(token)
    story.shop.backend(available=False)
    story.expect_refused(phone.submit(claim).only, R.REASON_BACKEND_UNAVAILABLE)
    story.shop.backend(available=True)
    story.expect_applied(guest.submit(guest.add(tea, 1)).only)


@requirement("claim/survives-crash")
@pytest.mark.parametrize("point", [control.FAIL_POINT_BEFORE_COMMIT, control.FAIL_POINT_AFTER_COMMIT])
def test_a_claim_is_found_whole_after_a_crash_or_not_begun(story: Story, point: control.FailPoint.ValueType) -> None:
    """Lets the server die while it commits a claim; guest and account agree on whether it happened."""
    story.needs_launch()
    tea = story.sku()
    guest, phone = story.guest(), story.device()
    put_in_cart(story, guest, tea, 2)
    claim = phone.claim(guest.connection.claim_token())
    story.shop.abort(point)
    with contextlib.suppress(RpcFailureError):  # the answer is lost with the server
        phone.submit(claim)
    story.await_death()
    story.reconnect(phone)
    guest.connection = story.connect_with(story.shop.credential(f"guest-{story.tag}", guest=True), "guest")
    taken = {line.sku: line.quantity for line in phone.cart().lines} == {tea: 2}
    closed = guest.cart().state == cart_pb2.CART_STATE_CLOSED
    story.expect(taken == closed, "half a claim was found after a crash", observed=(taken, closed))
    result = phone.submit(claim).only
    story.expect_applied(result)
    story.expect(result.replayed == taken, "a claim was decided twice, or lost", slug="durability/lost-answer")
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_refused(guest.submit(guest.add(tea, 1)).only, R.REASON_PRINCIPAL_CLAIMED, slug="claim/guest-closed")


def _claimed(
    story: Story,
    device: Device,
    token: str,
    *,
    guest_cart_id: str = "main",
    cart_id: str | None = None,
    slug: str = "claim/adds-lines",
) -> outcome_pb2.Outcome:
    claim = device.claim(token, guest_cart_id=guest_cart_id, cart_id=cart_id)
    return story.expect_applied(device.submit(claim).only, slug=slug)


def _expect_claimed_lines(
    story: Story, outcome: outcome_pb2.Outcome, due: Iterable[tuple[str, int, int, int, str]]
) -> None:
    observed = [
        (line.sku, line.guest_quantity, line.quantity_before, line.quantity_after, _limit(line.limit_reason))
        for line in outcome.claimed_lines
    ]
    story.expect(
        observed == list(due),
        "a claim reports its lines otherwise than it moved them",
        expected=list(due),
        observed=observed,
        slug="claim/lines-reported",
    )


def _limit(reason: reason_pb2.Reason.ValueType) -> str:
    if reason not in R.values():
        return str(reason)
    return R.Name(reason).removeprefix("REASON_").replace("UNSPECIFIED", "")


def _expect_together(
    story: Story,
    guest: Device,
    phone: Device,
    added: outcome_pb2.Outcome,
    claimed: outcome_pb2.Outcome,
    tea: str,
    mug: str,
) -> None:
    """Expect the raced add to be in the cart that was taken over if it was applied, and nowhere otherwise."""
    story.expect(claimed.state == reason_pb2.OUTCOME_STATE_APPLIED, "a raced claim was not applied", observed=claimed)
    applied = added.state == reason_pb2.OUTCOME_STATE_APPLIED
    story.expect(
        applied or added.refusal.reason == R.REASON_PRINCIPAL_CLAIMED,
        "an add that raced a claim was neither applied nor told of the claim",
        observed=added,
        slug="claim/guest-closed",
    )
    due = {tea: 2, mug: 3} if applied else {tea: 2}
    story.expect_lines(guest.cart(), due, slug="claim/one-commit")
    story.expect_lines(phone.cart(), due, slug="claim/one-commit")


def _shop_of_guest(story: Story) -> Shop:
    return story.shop_of(f"guest-{story.tag}")
