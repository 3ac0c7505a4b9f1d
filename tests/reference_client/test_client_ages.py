"""The age of an intent at first send, by clocks that cannot be trusted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from offline_shopper import Shopper

from reference_client.clock import Reading, age_ns, read_device_clock

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = Reading(wall_ns=1_790_000_000 * SECOND, boot_id="boot-1", boot_ns=5_000 * SECOND)


def later(ns: int) -> Reading:
    return replace(NOW, wall_ns=NOW.wall_ns + ns, boot_ns=NOW.boot_ns + ns)


def test_within_one_boot_the_boot_clock_decides_whatever_the_wall_clock_did() -> None:
    assert age_ns(NOW, replace(later(90 * SECOND), wall_ns=0)) == 90 * SECOND
    assert age_ns(NOW, replace(later(90 * SECOND), wall_ns=NOW.wall_ns + 1_000 * DAY)) == 90 * SECOND


def test_after_a_reboot_a_credible_wall_clock_is_used() -> None:
    assert age_ns(NOW, Reading(NOW.wall_ns + 2 * DAY, "boot-2", 60 * SECOND)) == 2 * DAY


@pytest.mark.parametrize(
    ("enqueued", "first_sent"),
    [
        pytest.param(NOW, Reading(NOW.wall_ns - SECOND, "boot-2", 60 * SECOND), id="it ran backwards"),
        pytest.param(NOW, Reading(NOW.wall_ns + 5 * SECOND, "boot-2", 60 * SECOND), id="less than since boot"),
        pytest.param(replace(NOW, wall_ns=0), Reading(NOW.wall_ns, "boot-2", SECOND), id="never set at enqueue"),
        pytest.param(NOW, Reading(0, "boot-2", SECOND), id="never set at first send"),
    ],
)
def test_after_a_reboot_a_wall_clock_that_cannot_be_right_leaves_the_age_unknown(
    enqueued: Reading, first_sent: Reading
) -> None:
    assert age_ns(enqueued, first_sent) is None


def test_a_device_without_a_boot_clock_goes_by_the_wall() -> None:
    assert age_ns(Reading(NOW.wall_ns), Reading(NOW.wall_ns + DAY)) == DAY
    assert age_ns(Reading(NOW.wall_ns), Reading(NOW.wall_ns - DAY)) is None


def test_this_device_s_clock_moves_forward() -> None:
    first, second = read_device_clock(), read_device_clock()
    age = age_ns(first, second)
    assert age is not None
    assert 0 <= age < 60 * SECOND


def test_the_age_is_that_of_the_first_send_and_later_attempts_repeat_it() -> None:
    shopper = Shopper()
    shopper.add("A")
    shopper.clock.pass_seconds(120)
    shopper.link.submit_fault = "lose_request"
    shopper.sync()
    shopper.clock.pass_seconds(10_000)
    shopper.sync()
    ages = [request.attempts[0].age.ToSeconds() for request in shopper.link.sent]
    assert ages == [120, 120]


def test_an_intent_moved_to_a_new_queue_keeps_the_age_it_was_first_sent_with() -> None:
    shopper = Shopper()
    shopper.add("A", "B")
    shopper.clock.pass_seconds(50)
    shopper.link.submit_fault = "lose_request"
    shopper.sync(batch_limit=1)
    shopper.clock.pass_seconds(500)
    shopper.server.restore()
    shopper.sync()
    assert [a.age.ToSeconds() for a in shopper.link.sent[-1].attempts] == [50, 550]


def test_an_unknown_age_is_left_out_and_stays_unknown() -> None:
    shopper = Shopper()
    shopper.add("A")
    shopper.clock.reading = Reading(wall_ns=0, boot_id="boot-2", boot_ns=SECOND)
    shopper.link.submit_fault = "lose_request"
    shopper.sync()
    shopper.clock.reading = Reading(wall_ns=NOW.wall_ns + 9 * DAY, boot_id="boot-2", boot_ns=2 * SECOND)
    shopper.sync()
    assert [request.attempts[0].HasField("age") for request in shopper.link.sent] == [False, False]
