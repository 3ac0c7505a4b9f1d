"""Checks of spec 5.2: two devices on one cart, neither seeing the other."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.evidence import expect_ledger_adds_up
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.suite.races import answer, held, overtake
from conformance.wire import Story

# Whose turn it is to send its next operation: "p" the phone, "t" the tablet.
ORDERS = ("ppptt", "ttppp", "ptptp", "pttpp", "tpppt")
LONG_AGO, LATELY = 1_600_000_000, 1_700_000_000  # seconds since the epoch, by the devices' clocks


@requirement("merge/adds-sum")
@pytest.mark.parametrize("order", ORDERS)
def test_adds_and_adjustments_of_two_devices_all_count(story: Story, order: str) -> None:
    """Writes edits down on two devices while both are offline, and settles them in one order and another."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 10)
    waiting = {
        "p": [phone.add(tea, 2), phone.adjust(tea, -3), phone.add(tea, 1)],
        "t": [tablet.add(tea, 4), tablet.adjust(tea, 5)],
    }
    devices = {"p": phone, "t": tablet}
    for turn in order:
        story.expect_applied(devices[turn].submit(waiting[turn].pop(0)).only)
    story.expect_lines(phone.cart(), {tea: 10 + 2 - 3 + 1 + 4 + 5})
    expect_ledger_adds_up(story, phone)


@requirement("merge/remove-spares-later-add")
def test_a_removal_takes_out_what_another_device_added_before(story: Story) -> None:
    """Lets the tablet add, then the phone remove: nothing is left, whoever had put it there."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    put_in_cart(story, tablet, tea, 3)
    outcome = story.expect_applied(phone.submit(phone.remove(tea)).only)
    story.expect(
        outcome.line_change.quantity_before == 5,
        "a removal took out something else than all that the line had",
        expected=5,
        observed=outcome.line_change.quantity_before,
    )
    story.expect_lines(phone.cart(), {})


@requirement("merge/remove-spares-later-add")
@pytest.mark.parametrize("added_at", [LONG_AGO, LATELY], ids=["wanted before the removal", "wanted after it"])
def test_an_add_decided_after_a_removal_stays(story: Story, added_at: int) -> None:
    """Decides one device's removal, then another's add of that product, whichever shopper acted first."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    removal, add = phone.remove(tea), tablet.add(tea, 3)
    removal.enqueue_time.seconds = (LONG_AGO + LATELY) // 2
    add.enqueue_time.seconds = added_at
    story.expect_applied(phone.submit(removal).only)
    story.expect_applied(tablet.submit(add).only)
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("merge/last-set-wins")
@pytest.mark.parametrize("set_at", [LONG_AGO, LATELY], ids=["wanted before the other", "wanted after it"])
def test_of_two_sets_the_one_decided_last_stands(story: Story, set_at: int) -> None:
    """Decides the sets of two devices one after the other, whatever the devices' clocks say."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 2)
    first, second = phone.set(tea, 7), tablet.set(tea, 4)
    first.enqueue_time.seconds = (LONG_AGO + LATELY) // 2
    second.enqueue_time.seconds = set_at
    story.expect_applied(phone.submit(first).only)
    story.expect_applied(tablet.submit(second).only)
    story.expect_lines(phone.cart(), {tea: 4})
    story.expect_applied(phone.submit(phone.set(tea, 9)).only)
    story.expect_lines(tablet.cart(), {tea: 9})


@requirement("merge/guard-loses-to-other-queue")
def test_of_two_guarded_sets_on_one_revision_the_second_is_refused(story: Story) -> None:
    """Has two devices set a line guarded by the revision that both have seen."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    first, second = phone.set(tea, 7, guard=seen.revision), tablet.set(tea, 4, guard=seen.revision)
    story.expect_applied(phone.submit(first).only)
    story.expect_refused(tablet.submit(second).only, reason_pb2.REASON_LINE_CHANGED)
    story.expect_lines(phone.cart(), {tea: 7})


@requirement("merge/guard-loses-to-other-queue")
def test_of_two_guarded_sets_raced_only_one_is_applied(story: Story) -> None:
    """Holds one device's guarded set before its commit while another device's overtakes it."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    first, second = phone.set(tea, 7, guard=seen.revision), tablet.set(tea, 4, guard=seen.revision)
    with held(story, phone, first) as pending:
        overtaking = overtake(tablet, second)
    outcomes = [answer(pending).only.outcome, answer(overtaking).only.outcome]
    applied = [o for o in outcomes if o.state == reason_pb2.OUTCOME_STATE_APPLIED]
    refused = [o for o in outcomes if o.refusal.reason == reason_pb2.REASON_LINE_CHANGED]
    story.expect(
        len(applied) == 1 and len(refused) == 1,
        "of two guarded sets that name one revision not just one was applied",
        expected="one APPLIED, one REJECTED / LINE_CHANGED",
        observed=outcomes,
    )
    story.expect_lines(phone.cart(), {tea: applied[0].line_change.quantity_after})


@requirement("merge/guard-loses-to-other-queue")
def test_a_guarded_operation_that_changes_nothing_does_not_stand_in_the_way(story: Story) -> None:
    """Sets a line, guarded, to what it has: no change, so another device's guard of that revision still holds."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    _, seen = put_in_cart(story, phone, tea, 2)
    same: operation_pb2.CartOperation = phone.set(tea, 2, guard=seen.revision)
    story.expect_applied(phone.submit(same).only, changed=False)
    story.expect_applied(tablet.submit(tablet.set(tea, 4, guard=seen.revision)).only)
    story.expect_lines(phone.cart(), {tea: 4})
