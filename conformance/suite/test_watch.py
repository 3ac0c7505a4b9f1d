"""Checks of spec 12: whoever watches a cart gets to see every change, never an older one, and holds up nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import grpc
import pytest
from cartsync.v1 import service_pb2

from conformance.exceptions import ViolationError
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.suite.races import answer, held, overtake
from conformance.wire import RpcFailureError, Story, Watch

ARRIVAL_SECONDS = 10.0  # how fast a snapshot must arrive (spec: chapter 12)
# Enough unread snapshots, and large enough, for any flow control to hold them back: some 20 KB each.
HOUSE, LINES, CHANGES = "\U0001f3e0", 80, 30
MOST_SNAPSHOTS = 10_000  # a server may send more than it has to, but not for ever


@requirement("watch/first-snapshot")
def test_a_watch_begins_with_the_cart_as_it_is(story: Story) -> None:
    """Watches a cart with a line in it, with a queue and without."""
    tea = story.sku()
    phone = story.device()
    _, outcome = put_in_cart(story, phone, tea, 2)
    first = _first(story, phone.watch(seconds=ARRIVAL_SECONDS))
    story.expect_lines(first.cart, {tea: 2})
    story.expect(first.cart.revision == outcome.revision, "the first snapshot is not the present one", observed=first)
    story.expect(first.store_id != "", "a snapshot names no store", slug="store/id-in-answers")
    story.expect(
        first.queue.queue_id == phone.queue_id and first.queue.decided_through_sequence == 1,
        "a snapshot does not carry the watermark of the queue asked for",
        observed=first.queue,
    )
    bare = _first(story, phone.watch(with_queue=False, seconds=ARRIVAL_SECONDS))
    story.expect(not bare.HasField("queue"), "a snapshot tells of a queue that was not asked for", observed=bare)


@requirement("watch/first-snapshot")
def test_a_cart_that_is_not_there_is_watched_from_its_beginning(story: Story) -> None:
    """Watches a cart no add has made, then makes it: revision 0 first, then the line."""
    story.needs_unmade_cart()
    tea = story.sku()
    phone = story.device()
    watch = phone.watch(seconds=ARRIVAL_SECONDS)
    first = _first(story, watch)
    story.expect(first.cart.revision == 0 and not first.cart.lines, "an unmade cart is not shown empty", observed=first)
    _, outcome = put_in_cart(story, phone, tea, 1)
    shown = _until_revision(story, watch, outcome.revision)
    story.expect_lines(shown.cart, {tea: 1}, slug="watch/changes-arrive")


@requirement("watch/changes-arrive")
def test_changes_of_any_device_arrive_on_every_watch(story: Story) -> None:
    """Watches from two devices while both, and a stream, change the cart: each change arrives on both watches."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    watches = [device.watch(seconds=3 * ARRIVAL_SECONDS) for device in (phone, tablet)]
    for watch in watches:
        _first(story, watch)
    total = 0
    for device, quantity in ((phone, 1), (tablet, 2), (tablet, 3), (phone, 4)):
        _, outcome = put_in_cart(story, device, tea, quantity)
        total += quantity
        for watch in watches:
            shown = _until_revision(story, watch, outcome.revision)
            story.expect_lines(shown.cart, {tea: total}, slug="watch/changes-arrive")


@requirement("watch/changes-arrive")
def test_coupons_arrive_too(story: Story) -> None:
    """Applies a coupon while the cart is watched; nothing to see where there are no coupons."""
    if "coupons" not in story.policy.profiles:
        return
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    watch = phone.watch(seconds=ARRIVAL_SECONDS)
    _first(story, watch)
    code = f"tea-{story.tag}"
    story.shop.promotion(code, amount=10)
    outcome = story.expect_applied(phone.submit(phone.apply_coupon(code)).only, slug="coupons/apply")
    shown = _until_revision(story, watch, outcome.revision)
    story.expect(
        [coupon.coupon_code for coupon in shown.cart.coupons] == [code], "a coupon is not shown", observed=shown
    )


@requirement("watch/watermark-arrives")
def test_the_watermark_arrives_when_the_cart_stays_as_it_is(story: Story) -> None:
    """Decides operations that change nothing, are rejected, or act on another cart: the watermark arrives."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    watch = phone.watch(seconds=ARRIVAL_SECONDS)
    first = _first(story, watch)
    for sequence, operation in enumerate(
        (phone.set(tea, 2), phone.add(f"unknown-{story.tag}"), phone.add(tea, 1, cart_id="other")), start=2
    ):
        phone.submit(operation)
        shown = _until(story, watch, partial(_reached, sequence), "watch/watermark-arrives")
        story.expect(shown.cart.revision == first.cart.revision, "the cart changed without a change", observed=shown)


@requirement("watch/never-back")
def test_neither_revision_nor_watermark_goes_back(story: Story) -> None:
    """Watches while two devices race a hundred operations; every snapshot is as new as the one before."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    watch = phone.watch(seconds=3 * ARRIVAL_SECONDS)
    seen = [_first(story, watch)]
    calls = [
        device.submit_later(*(device.adjust(tea, 1) if device.log else device.add(tea, 1) for _ in range(2)))
        for _ in range(25)
        for device in (phone, tablet)
    ]
    for call in calls:
        call.wait(ARRIVAL_SECONDS)
    last = phone.read_cart()
    while seen[-1].cart.revision < last.cart.revision or _watermark(seen[-1]) < last.queue.decided_through_sequence:
        seen.append(_next(story, watch, "watch/changes-arrive"))
        story.expect(len(seen) < MOST_SNAPSHOTS, "a watch does not come to the present", slug="watch/changes-arrive")
    for before, after in pairwise(seen):
        story.expect(
            before.cart.revision <= after.cart.revision and _watermark(before) <= _watermark(after),
            "a watch went back",
            expected=f"revision {before.cart.revision}, watermark {_watermark(before)}, or later",
            observed=f"revision {after.cart.revision}, watermark {_watermark(after)}",
        )


@requirement("watch/atomic")
def test_cart_and_watermark_are_of_one_instant(story: Story) -> None:
    """Changes a line by one with each operation: every snapshot's quantity is its watermark."""
    tea = story.sku()
    phone = story.device()
    watch = phone.watch(seconds=3 * ARRIVAL_SECONDS)
    seen = [_first(story, watch)]
    for _ in range(20):
        put_in_cart(story, phone, tea, 1)
    while _watermark(seen[-1]) < len(phone.log):
        seen.append(_next(story, watch, "watch/watermark-arrives"))
    for snapshot in seen:
        quantity = sum(line.quantity for line in snapshot.cart.lines)
        story.expect(
            quantity == _watermark(snapshot),
            "cart and watermark of a snapshot are of different instants",
            expected=f"{_watermark(snapshot)} at watermark {_watermark(snapshot)}",
            observed=quantity,
        )


@requirement("watch/same-as-read")
def test_a_snapshot_is_what_a_read_shows(story: Story) -> None:
    """Changes lines in several ways; after each change the watch shows what GetCart shows."""
    tea, mug = story.sku("tea"), story.sku("mug", 250)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    watch = phone.watch(seconds=3 * ARRIVAL_SECONDS)
    _first(story, watch)
    for operation in (phone.add(mug, 3, price=250), phone.set(tea, 7), phone.adjust(mug, -1), phone.remove(tea)):
        outcome = story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
        shown, read = _until_revision(story, watch, outcome.revision).cart, phone.cart()
        for cart in (shown, read):
            cart.ClearField("price_time")
        story.expect(shown == read, "a watch shows another cart than GetCart", expected=read, observed=shown)


@requirement("watch/resume")
@pytest.mark.parametrize("cut", ["the stream", "the connection"])
def test_a_watch_after_a_cut_goes_on_from_there(story: Story, cut: str) -> None:
    """Cuts a watch, changes the cart meanwhile, and watches again: it begins no older than what was seen."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    watch = phone.watch(seconds=ARRIVAL_SECONDS)
    _first(story, watch)
    _, seen = put_in_cart(story, tablet, tea, 1)
    _until_revision(story, watch, seen.revision)
    watch.cut()
    if cut == "the connection":
        story.reconnect(phone)
    _, missed = put_in_cart(story, tablet, tea, 1)
    again = phone.watch(seconds=ARRIVAL_SECONDS)
    first = _first(story, again)
    story.expect(
        first.cart.revision >= missed.revision,
        "a watch begun again shows an older cart than the present one",
        expected=f"{missed.revision} or later",
        observed=first.cart.revision,
    )
    _, later = put_in_cart(story, tablet, tea, 1)
    _until_revision(story, again, later.revision)


@requirement("watch/resume")
def test_a_watch_after_a_crash_goes_on_from_there(story: Story) -> None:
    """Kills the server under a watch: the next one shows all that was confirmed."""
    story.needs_launch()
    tea = story.sku()
    phone = story.device()
    watch = phone.watch(seconds=ARRIVAL_SECONDS)
    _first(story, watch)
    _, seen = put_in_cart(story, phone, tea, 2)
    _until_revision(story, watch, seen.revision)
    story.kill()
    story.reconnect(phone)
    first = _first(story, phone.watch(seconds=ARRIVAL_SECONDS))
    story.expect_lines(first.cart, {tea: 2}, slug="watch/resume")


@requirement("watch/slow-reader")
def test_a_reader_that_does_not_read_holds_up_nobody(story: Story) -> None:
    """Changes a cart of many lines again and again while a watch is not read; then it shows the latest."""
    phone, tablet = story.device("phone"), story.device("tablet")
    skus = [story.sku(f"{HOUSE * 45}{number:02}") for number in range(LINES)]
    for sku in skus:
        phone.add(sku)
    for result in phone.submit(*phone.log).results:
        story.expect_applied(result, slug="cart/add-adds")
    tablet.connection = story.connect_with(story.shop.credential(), "lazy", reads_ahead=False)
    lazy = [tablet.watch(seconds=6 * ARRIVAL_SECONDS) for _ in range(3)]
    brisk = story.device("brisk").watch(seconds=1.5 * ARRIVAL_SECONDS)
    revision = 0
    for number in range(CHANGES):
        batch = [phone.set(sku, 2 + number % 2) for sku in skus]
        revision = story.expect_applied(phone.submit(*batch).results[-1], slug="cart/set-sets").revision
    _until_revision(story, brisk, revision, slug="watch/slow-reader")
    for watch in lazy:
        _until_revision(story, watch, revision, slug="watch/slow-reader")


@requirement("watch/slow-reader")
def test_a_watch_waits_for_no_submission_and_none_for_it(story: Story) -> None:
    """Holds a submission before its commit: another device's change still reaches the watch."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet", cart_id="second")
    watch = tablet.watch(seconds=3 * ARRIVAL_SECONDS)
    _first(story, watch)
    with held(story, phone, phone.add(tea, 1)):
        overtaking = overtake(tablet, tablet.add(tea, 2))
    outcome = story.expect_applied(answer(overtaking).only, slug="cart/add-adds")
    shown = _until_revision(story, watch, outcome.revision, slug="watch/slow-reader")
    story.expect_lines(shown.cart, {tea: 2})


@requirement("watch/apart")
def test_a_watch_shows_nothing_of_another_principal(story: Story) -> None:
    """Watches a cart id that another principal uses, with its queue: empty, whatever that one does."""
    tea = story.sku()
    phone = story.device()
    stranger = story.device("stranger", principal=f"{story.principal_name[:50]}-b")
    put_in_cart(story, phone, tea, 2)
    _first(story, phone.watch(seconds=ARRIVAL_SECONDS))
    request = service_pb2.WatchCartRequest(cart_id=phone.cart_id, queue_id=phone.queue_id)
    watch = stranger.connection.watch(request, ARRIVAL_SECONDS)
    first = _first(story, watch)
    put_in_cart(story, phone, tea, 3)
    own = story.expect_applied(stranger.submit(stranger.add(tea, 1)).only, slug="cart/add-adds")
    shown = _until_revision(story, watch, own.revision, slug="watch/apart")
    for snapshot, lines in ((first, {}), (shown, {tea: 1})):
        story.expect_lines(snapshot.cart, lines, slug="watch/apart")
        story.expect(_watermark(snapshot) == 0, "a watch shows another principal's queue", observed=snapshot.queue)


@requirement("watch/arguments")
def test_what_cannot_be_watched_is_refused(story: Story) -> None:
    """Watches with a malformed cart id, a malformed queue id, and for another store."""
    phone = story.device()
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for request, code, reason, field in (
        (service_pb2.WatchCartRequest(cart_id="no cart"), invalid, "REQUEST_INVALID", "cart_id"),
        (service_pb2.WatchCartRequest(), invalid, "REQUEST_INVALID", "cart_id"),
        (service_pb2.WatchCartRequest(cart_id="main", queue_id="queue"), invalid, "REQUEST_INVALID", "queue_id"),
        (
            service_pb2.WatchCartRequest(cart_id="main", store_id="another"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "STORE_CHANGED",
            "",
        ),
    ):
        watch = phone.connection.watch(request, ARRIVAL_SECONDS)
        story.expect_status(
            watch.hear, code, reason=reason, field=field, what=f"WatchCart with a wrong {field or 'store'}"
        )


@requirement("watch/store-changed")
def test_a_restore_ends_the_watches(story: Story) -> None:
    """Puts the store back to an earlier state under a watch, then changes the cart: the watch has ended."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    story.shop.save(f"watch-{story.tag}")
    _, lost = put_in_cart(story, phone, tea, 4)
    watch = phone.watch(seconds=1.5 * ARRIVAL_SECONDS)
    _until_revision(story, watch, lost.revision)
    story.shop.restore(f"watch-{story.tag}")
    tablet = story.device("tablet")
    for _ in range(3):
        put_in_cart(story, tablet, tea, 1)

    def heard() -> object:
        for _ in range(MOST_SNAPSHOTS):
            snapshot = watch.hear()
            if snapshot is None or snapshot.cart.revision < lost.revision:
                return snapshot
        return "snapshots without end"

    story.expect_status(
        heard, grpc.StatusCode.FAILED_PRECONDITION, reason="STORE_CHANGED", what="a watch over a restore"
    )


def _first(story: Story, watch: Watch) -> service_pb2.WatchCartResponse:
    return _next(story, watch, "watch/first-snapshot")


def _next(story: Story, watch: Watch, slug: str) -> service_pb2.WatchCartResponse:
    """The next snapshot; none in time, or the end of the watch, is a violation of `slug`."""
    try:
        snapshot = watch.hear()
    except RpcFailureError as failure:
        raise ViolationError(
            slug, f"a snapshot was due and the watch ended with {failure}", expected="a snapshot", observed=str(failure)
        ) from failure
    if snapshot is None:
        raise ViolationError(slug, "a snapshot was due and the watch ended", expected="a snapshot", observed="OK")
    story.operation_count += 1
    return snapshot


def _until(
    story: Story, watch: Watch, arrived: Callable[[service_pb2.WatchCartResponse], bool], slug: str
) -> service_pb2.WatchCartResponse:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    for _ in range(MOST_SNAPSHOTS):
        snapshot = _next(story, watch, slug)
        if arrived(snapshot):
            return snapshot
        if time.monotonic() > deadline:
            break
    raise ViolationError(
        slug, "what was due did not arrive on the watch in time", observed=f"after {ARRIVAL_SECONDS} s"
    )


def _until_revision(
    story: Story, watch: Watch, revision: int, *, slug: str = "watch/changes-arrive"
) -> service_pb2.WatchCartResponse:
    return _until(story, watch, lambda snapshot: snapshot.cart.revision >= revision, slug)


def _reached(sequence: int, snapshot: service_pb2.WatchCartResponse) -> bool:
    return _watermark(snapshot) >= sequence


def _watermark(snapshot: service_pb2.WatchCartResponse) -> int:
    return snapshot.queue.decided_through_sequence
