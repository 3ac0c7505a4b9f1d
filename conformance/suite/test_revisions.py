"""Checks of spec 5.3: the revisions by which a cart's changes are ordered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.suite.races import answer, held, overtake
from conformance.wire import Device, Story


@requirement("revision/increases")
def test_every_change_raises_the_revision(story: Story) -> None:
    """Changes a cart in every way, from two devices, through empty and back."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    last = 0
    for device, operation in (
        (phone, phone.add(tea, 5)),
        (tablet, tablet.add(cake, 1)),
        (phone, phone.adjust(tea, -2)),
        (tablet, tablet.set(tea, 8)),
        (phone, phone.remove(tea)),
        (tablet, tablet.remove(cake)),
        (phone, phone.add(tea, 1)),
        (tablet, tablet.adjust(tea, -9)),
        (tablet, tablet.set(tea, 2)),
    ):
        outcome = story.expect_applied(device.submit(operation).only, slug="cart/changed-flag")
        shown = device.cart().revision
        story.expect(
            outcome.revision > last and shown == outcome.revision,
            "a change did not give its cart a greater revision, or the cart does not show it",
            expected=f"above {last}, the same in outcome and cart",
            observed=f"{outcome.revision} in the outcome, {shown} in the cart",
        )
        last = outcome.revision


@requirement("revision/increases")
def test_every_change_of_a_batch_has_a_revision_of_its_own(story: Story) -> None:
    """Sends eight changes of two lines in one submission."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    batch = [phone.add(tea if number % 2 else cake, 1) for number in range(8)]
    revisions = [story.expect_applied(r, slug="cart/add-adds").revision for r in phone.submit(*batch).results]
    story.expect(
        revisions == sorted(set(revisions)) and revisions[0] > 0,
        "the changes of a batch do not have strictly increasing revisions",
        observed=revisions,
    )


@requirement("revision/increases")
def test_two_changes_at_once_do_not_share_a_revision(story: Story) -> None:
    """Holds a change before its commit while another queue changes another line of the cart."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    _, opening = put_in_cart(story, phone, tea)
    with held(story, phone, phone.add(tea)) as first:
        second = overtake(tablet, tablet.add(cake))
    revisions = [answer(pending).only.outcome.revision for pending in (first, second)]
    story.expect(
        len(set(revisions)) == 2 and min(revisions) > opening.revision,
        "two changes at once do not have revisions of their own",
        expected=f"two different ones above {opening.revision}",
        observed=revisions,
    )


Quiet = Callable[[Story, Device, str], object]


def _send_again_at_a_new_price(story: Story, phone: Device, sku: str) -> None:
    story.shop.offer(sku, 9)
    phone.submit(phone.log[0])


NO_CHANGES: dict[str, Quiet] = {
    "a rejection": lambda story, phone, _: phone.submit(phone.add(story.sku("gone", available=0))),
    "a malformed operation": lambda _, phone, sku: phone.submit(phone.set(sku, -1)),
    "a set to the same": lambda _, phone, sku: phone.submit(phone.set(sku, 2)),
    "a removal of nothing": lambda _, phone, sku: phone.submit(phone.remove(sku + "s")),
    "a decrease of nothing": lambda _, phone, sku: phone.submit(phone.adjust(sku + "s", -1)),
    "a duplicate": lambda _, phone, __: phone.submit(phone.log[0]),
    "a discard": lambda _, phone, sku: phone.submit(phone.discard_of(phone.add(sku))),
    "a new price": lambda story, _, sku: story.shop.offer(sku, 777),
    "a duplicate at a new price": _send_again_at_a_new_price,
    "an unlisted product": lambda story, _, sku: story.shop.offer(sku, 100, listed=False),
    "a sold out product": lambda story, _, sku: story.shop.offer(sku, 100, available=0),
    "reads": lambda _, phone, __: [phone.cart(), phone.cart(), phone.lookup(1, 1)],
    "a change of another cart": lambda _, phone, sku: phone.submit(phone.add(sku, 1, cart_id="other")),
}


@requirement("revision/unchanged")
@pytest.mark.parametrize("quiet", NO_CHANGES.values(), ids=NO_CHANGES.keys())
def test_the_revision_is_not_moved_by(story: Story, quiet: Quiet) -> None:
    """Does what changes nothing about a cart and reads its revision before and after."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    before = phone.cart().revision
    quiet(story, phone, tea)
    after = phone.cart().revision
    story.expect(after == before, "what does not change the cart moved its revision", expected=before, observed=after)


@requirement("revision/judged-at")
def test_every_outcome_carries_the_revision_it_was_judged_at(story: Story) -> None:
    """Sends changes, no-changes and rejections of every step, and compares with the cart's revision each time."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, tea, 2)
    featured = phone.set(tea, 9)
    featured.required_features.append("x-nobody-has-this")
    reused = phone.set(tea, 9)
    reused.idempotency_key = phone.log[0].idempotency_key
    following = phone.add(tea, 1)
    operations = [
        featured,
        reused,
        following,
        phone.set(tea, 5),
        phone.remove(gone),
        phone.add(gone),
        phone.set(tea, -1),
        phone.set(tea, 7, guard=0),
        phone.adjust(tea, 1),
    ]
    for operation in operations:
        outcome = phone.submit(operation).only.outcome
        shown = phone.cart().revision
        story.expect(
            outcome.revision == shown,
            f"operation {outcome.sequence} does not carry the revision of the cart it was judged at",
            expected=shown,
            observed=outcome,
        )


@requirement("revision/judged-at")
def test_an_operation_too_old_carries_the_carts_revision(story: Story) -> None:
    """Sends an operation older than the replay window on a cart that is there."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    too_old = story.policy.replay_window.ToTimedelta() + timedelta(days=1)
    outcome = story.expect_refused(
        phone.submit(phone.set(tea, 1), age=too_old).only,
        reason_pb2.REASON_REPLAY_WINDOW_EXPIRED,
        slug="retention/window-enforced",
    )
    shown = phone.cart().revision
    story.expect(
        outcome.revision == shown, "a rejection does not carry the cart's revision", expected=shown, observed=outcome
    )


@requirement("revision/judged-at")
def test_a_rejection_on_a_closed_cart_carries_its_revision(story: Story) -> None:
    """Sends an operation on a cart after its checkout."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    story.shop.close_cart(phone.cart_id)
    outcome = story.expect_refused(
        phone.submit(phone.remove(tea)).only, reason_pb2.REASON_CART_CLOSED, slug="cart/closed"
    )
    shown = phone.cart().revision
    story.expect(
        outcome.revision == shown, "a rejection does not carry the cart's revision", expected=shown, observed=outcome
    )


@requirement("revision/judged-at")
def test_where_there_is_no_cart_the_revision_is_nothing(story: Story) -> None:
    """Sends operations on a cart that does not exist, and a discard, which names no cart."""
    story.needs_unmade_cart()
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    operations = [phone.set(tea, 1), phone.remove(tea), phone.add(gone)]
    operations.append(phone.discard_of(phone.add(tea)))
    put = phone.add(tea)
    operations.append(phone.discard_of(phone.add(tea)))
    answered = [phone.submit(*operations[:4]), phone.submit(put), phone.submit(operations[4])]
    outcomes = [*answered[0].outcomes, *answered[2].outcomes]
    observed = [outcome.revision for outcome in outcomes]
    story.expect(
        not any(observed) and len(outcomes) == 5,
        "an outcome carries a revision where there is no cart, or none that the operation names",
        expected=[0] * 5,
        observed=observed,
    )
    story.expect_applied(answered[1].only, slug="discard/chain-continues")


@requirement("revision/replayable")
def test_the_outcomes_of_several_queues_are_a_history_of_the_cart(story: Story) -> None:
    """Lets three devices work on one cart at once and replays all outcomes in the order of their revisions."""
    tea, cake = story.sku("tea", available=12), story.sku("cake")
    devices = [story.device(f"device {number}") for number in range(3)]
    put_in_cart(story, devices[0], tea, 1)
    put_in_cart(story, devices[0], cake, 1)
    for number, device in enumerate(devices):
        device.add(tea, 3)
        device.set(cake, number)
        device.add(tea, 4)
        device.adjust(tea, -2)
        device.remove(cake)
        device.remove(cake)
        device.add(cake, 2)
        device.add(tea, 5)
    for start in range(0, 12, 3):
        calls = [device.submit_later(*device.log[start : start + 3]) for device in devices if device.log[start:]]
        for call in calls:
            answer(call)
    outcomes = [(device, outcome) for device in devices for outcome in device.submit(*device.log).outcomes]
    operations = {o.idempotency_key: o for device in devices for o in device.log}
    _expect_history(story, operations, [outcome for _, outcome in outcomes], devices[0])


@requirement("revision/replayable")
def test_a_race_of_two_queues_leaves_a_history_too(story: Story) -> None:
    """Holds a batch before its commit while another queue's batch on the same lines comes."""
    tea, cake = story.sku("tea", available=6), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    phone_batch = [phone.add(tea, 3), phone.add(cake, 1), phone.add(tea, 2)]
    tablet_batch = [tablet.add(tea, 3), tablet.remove(cake), tablet.set(tea, 2)]
    with held(story, phone, *phone_batch) as first:
        second = overtake(tablet, *tablet_batch)
    for call in (first, second):
        answer(call)
    outcomes = [*phone.submit(*phone.log).outcomes, *tablet.submit(*tablet.log).outcomes]
    operations = {o.idempotency_key: o for o in (*phone.log, *tablet.log)}
    _expect_history(story, operations, outcomes, phone)


@requirement("revision/decide-time")
def test_decide_time_does_not_go_back_as_the_revision_grows(story: Story) -> None:
    """Lets two devices change a cart in turn, with device clocks that are years apart."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    outcomes = []
    for number in range(6):
        device, seconds = ((phone, 2_000_000_000), (tablet, 1_000_000_000))[number % 2]
        operation = device.add(tea, 1)
        operation.enqueue_time.FromSeconds(seconds - number)
        outcomes.append(story.expect_applied(device.submit(operation).only, slug="cart/add-adds"))
    _expect_times_in_order(story, outcomes)


@requirement("revision/decide-time")
def test_an_overtaken_change_is_not_dated_before_the_change_that_overtook_it(story: Story) -> None:
    """Holds a change before its commit, lets time go by, and lets another queue change the cart."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea)
    with held(story, phone, phone.add(tea)) as first:
        if story.shop.offers_capability(control.CAPABILITY_CLOCK):
            story.shop.advance(timedelta(seconds=3))
        second = overtake(tablet, tablet.add(cake))
    _expect_times_in_order(story, [answer(pending).only.outcome for pending in (first, second)])


def _expect_times_in_order(story: Story, outcomes: list[outcome_pb2.Outcome]) -> None:
    times = [o.decide_time.ToNanoseconds() for o in sorted(outcomes, key=lambda outcome: outcome.revision)]
    story.expect(
        times == sorted(times),
        "a later change of the cart was decided before an earlier one, by its decide_time",
        expected="times that do not decrease with the revision",
        observed=[(outcome.revision, outcome.decide_time.ToJsonString()) for outcome in outcomes],
    )


def _expect_history(
    story: Story,
    operations: dict[str, operation_pb2.CartOperation],
    outcomes: list[outcome_pb2.Outcome],
    reader: Device,
) -> None:
    """Replay the outcomes by revision, the change first, and expect each to be right where it stands."""
    quantities: dict[str, int] = {}
    changes: set[int] = set()
    for outcome in sorted(outcomes, key=lambda outcome: (outcome.revision, not outcome.changed)):
        sku, asked, wants = _asked(operations[outcome.idempotency_key], quantities)
        had = quantities.get(sku, 0)
        if outcome.state == reason_pb2.OUTCOME_STATE_APPLIED:
            line = outcome.line_change
            right = (line.quantity_before, line.quantity_after) == (had, asked) and outcome.changed == (had != asked)
        else:
            right = (
                outcome.refusal.reason == reason_pb2.REASON_INSUFFICIENT_INVENTORY
                and outcome.refusal.available_quantity < wants
            )
        story.expect(
            right and not (outcome.changed and outcome.revision in changes),
            "the outcomes, ordered by revision, are no possible history of the cart",
            expected=f"{sku}: {had} -> {asked}",
            observed=outcome,
        )
        if outcome.changed:
            changes.add(outcome.revision)
            quantities[sku] = outcome.line_change.quantity_after
    story.expect_lines(reader.cart(), {sku: quantity for sku, quantity in quantities.items() if quantity})


def _asked(operation: operation_pb2.CartOperation, quantities: dict[str, int]) -> tuple[str, int, int]:
    """The line, what it should have after the operation, and what it would need in stock for that."""
    sku: str = getattr(operation, str(operation.WhichOneof("intent"))).sku
    had = quantities.get(sku, 0)
    after = had
    if operation.HasField("add_item"):
        after = had + operation.add_item.quantity
    elif operation.HasField("adjust_quantity"):
        after = max(0, had + operation.adjust_quantity.delta)
    elif operation.HasField("set_quantity"):
        after = operation.set_quantity.quantity
    elif operation.HasField("remove_item"):
        after = 0
    return sku, after, after if after > had else 0
