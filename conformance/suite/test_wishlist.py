"""Checks of spec 9: the wishlist, a set that two devices cannot spoil for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import grpc
import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2, wishlist_pb2

from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart, twin_of
from conformance.suite.races import answer, held, overtake, read_beside
from conformance.wire import Device, Story

BATCH = 100
MOST_ON_A_PAGE = 200


@requirement("wishlist/add")
def test_what_is_wished_for_stands_on_the_list_in_order(story: Story) -> None:
    """Adds three products: each is there once, behind the ones before, with the time it was decided."""
    phone = story.device()
    names = _names(story, 3)
    outcomes = [_wish(story, phone, name) for name in names]
    _expect_entries(story, phone, names)
    times = [entry.add_time for entry in phone.wishlist()]
    decided = [outcome.decide_time for outcome in outcomes]
    story.expect(times == decided, "add_time is not the decide_time of the add", expected=decided, observed=times)


@requirement("wishlist/add")
def test_a_product_added_again_after_its_removal_stands_at_the_end(story: Story) -> None:
    """Adds two products, removes the first and adds it again: it stands behind the other, with its new time."""
    phone = story.device()
    tea, mug = _names(story, 2)
    for name in (tea, mug):
        _wish(story, phone, name)
    story.expect_applied(phone.submit(phone.unwish(tea)).only, slug="wishlist/remove")
    again = _wish(story, phone, tea)
    _expect_entries(story, phone, [mug, tea])
    observed = phone.wishlist()[-1].add_time
    story.expect(observed == again.decide_time, "add_time is not that of the latest add", observed=observed)


@requirement("wishlist/add-again")
def test_adding_what_is_there_is_applied_and_changes_nothing(story: Story) -> None:
    """Adds a product under two keys and by two devices: one entry, at its place, with its first time."""
    phone, tablet = story.device("phone"), story.device("tablet")
    tea, mug = _names(story, 2)
    first = _wish(story, phone, tea)
    second = _wish(story, phone, mug)
    for device in (phone, tablet):
        again = story.expect_applied(device.submit(device.wish(tea)).only, changed=False)
        _expect_revision(story, again, second.revision)
    _expect_entries(story, phone, [tea, mug], slug="wishlist/add-again")
    observed = phone.wishlist()[0].add_time
    story.expect(observed == first.decide_time, "adding again moved add_time", observed=observed)


@requirement("wishlist/remove")
def test_a_removal_takes_the_product_off(story: Story) -> None:
    """Lets one device remove what another has added; the rest keeps its order."""
    phone, tablet = story.device("phone"), story.device("tablet")
    names = _names(story, 3)
    for name in names:
        _wish(story, phone, name)
    story.expect_applied(tablet.submit(tablet.unwish(names[1])).only)
    _expect_entries(story, phone, [names[0], names[2]], slug="wishlist/remove")


@requirement("wishlist/remove")
def test_removing_what_is_not_there_is_applied_and_changes_nothing(story: Story) -> None:
    """Removes from an empty wishlist, and a product that was removed already."""
    phone = story.device()
    (tea,) = _names(story, 1)
    story.expect_applied(phone.submit(phone.unwish(tea)).only, changed=False)
    _wish(story, phone, tea)
    story.expect_applied(phone.submit(phone.unwish(tea)).only)
    story.expect_applied(phone.submit(phone.unwish(tea)).only, changed=False)
    _expect_entries(story, phone, [], slug="wishlist/remove")


@requirement("wishlist/any-product")
@pytest.mark.parametrize("kind", ["unknown", "unlisted", "sold out", "listed"])
def test_a_wish_needs_no_offer(story: Story, kind: str) -> None:
    """Wishes for what the catalogue does not know, does not sell, or has none of."""
    phone = story.device()
    name = f"wish-{story.tag}"
    if kind != "unknown":
        name = story.sku("wish", listed=kind != "unlisted", available=0 if kind == "sold out" else None)
    _wish(story, phone, name, slug="wishlist/any-product")
    _expect_entries(story, phone, [name], slug="wishlist/any-product")
    story.expect_applied(phone.submit(phone.unwish(name)).only)


@requirement("wishlist/any-product")
def test_wishes_wait_for_no_backing_service(story: Story) -> None:
    """Adds, removes and reads while catalogue and stock are unreachable."""
    phone = story.device()
    tea, mug = _names(story, 2)
    story.shop.backend(available=False)
    _wish(story, phone, tea, slug="wishlist/any-product")
    _wish(story, phone, mug, slug="wishlist/any-product")
    story.expect_applied(phone.submit(phone.unwish(tea)).only)
    _expect_entries(story, phone, [mug], slug="wishlist/any-product")


@requirement("wishlist/full")
def test_a_full_wishlist_takes_no_more(story: Story) -> None:
    """Fills the wishlist, then adds one more, one that is there, and one in the place of another."""
    phone = story.device()
    most = story.policy.max_wishlist_entry_count
    story.expect(
        100 <= most <= 5_000, "max_wishlist_entry_count is out of its bounds", observed=most, slug="policy/limit-floors"
    )
    names = _names(story, most)
    for start in range(0, most, BATCH):
        for result in phone.submit(*(phone.wish(name) for name in names[start : start + BATCH])).results:
            story.expect_applied(result)
    more = f"more-{story.tag}"
    refused = story.expect_refused(phone.submit(phone.wish(more)).only, reason_pb2.REASON_WISHLIST_FULL)
    _expect_revision(story, refused, phone.wishlist_page(1).revision)
    story.expect_applied(phone.submit(phone.wish(names[0])).only, changed=False)
    story.expect_applied(phone.submit(phone.unwish(names[0])).only, slug="wishlist/remove")
    story.expect_applied(phone.submit(phone.wish(more)).only)
    _expect_entries(story, phone, [*names[1:], more], slug="wishlist/full")


@requirement("wishlist/revision")
def test_every_change_of_the_wishlist_has_a_revision_of_its_own(story: Story) -> None:
    """Changes the wishlist from two devices while a cart changes too: revisions rise, a no-change keeps them."""
    sku = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    tea, mug = _names(story, 2)
    story.expect(phone.wishlist_page().revision == 0, "a wishlist that never had an entry has a revision")
    last = 0
    steps: Sequence[tuple[Device, operation_pb2.CartOperation, bool]] = (
        (phone, phone.wish(tea), True),
        (tablet, tablet.wish(mug), True),
        (tablet, tablet.wish(tea), False),
        (tablet, tablet.unwish(tea), True),
        (tablet, tablet.unwish(tea), False),
    )
    for device, operation, changes in steps:
        outcome = story.expect_applied(device.submit(operation).only, changed=changes)
        story.expect(
            outcome.revision > last if changes else outcome.revision == last,
            "the outcome does not carry the wishlist's revision",
            expected=f"above {last}" if changes else last,
            observed=outcome.revision,
        )
        last = outcome.revision
        put_in_cart(story, phone, sku)
        shown = phone.wishlist_page().revision
        story.expect(shown == last, "the wishlist is shown at another revision", expected=last, observed=shown)


@requirement("wishlist/concurrent")
def test_wishes_of_two_devices_raced_are_both_kept(story: Story) -> None:
    """Holds one device's add before its commit while another device's overtakes it."""
    phone, tablet = story.device("phone"), story.device("tablet")
    tea, mug = _names(story, 2)
    with held(story, phone, phone.wish(tea)) as pending:
        overtaking = overtake(tablet, tablet.wish(mug))
    outcomes = [story.expect_applied(answer(call).only) for call in (pending, overtaking)]
    order = [name for _, name in sorted(zip((o.revision for o in outcomes), (tea, mug), strict=True))]
    _expect_entries(story, phone, order, slug="wishlist/concurrent")
    story.expect(
        outcomes[0].revision != outcomes[1].revision, "two changes have one revision", observed=outcomes[0].revision
    )


@requirement("wishlist/concurrent")
def test_one_wish_of_two_devices_raced_is_one_entry(story: Story) -> None:
    """Races two devices that wish for the same product: both applied, one of them changing nothing."""
    phone, tablet = story.device("phone"), story.device("tablet")
    (tea,) = _names(story, 1)
    with held(story, phone, phone.wish(tea)) as pending:
        overtaking = overtake(tablet, tablet.wish(tea))
    outcomes = [story.expect_applied(answer(call).only, changed=None) for call in (pending, overtaking)]
    changed = sum(outcome.changed for outcome in outcomes)
    story.expect(changed == 1, f"{changed} of two adds of one product changed the wishlist", expected=1)
    _expect_entries(story, phone, [tea], slug="wishlist/concurrent")


@requirement("wishlist/paging")
@pytest.mark.parametrize("page_size", [1, 3, 7])
def test_the_pages_together_are_the_list(story: Story, page_size: int) -> None:
    """Pages through seven entries: every one once, in order, and no page after the last."""
    phone = story.device()
    names = _names(story, 7)
    _wish_all(story, phone, names)
    found = [entry.sku for page in _pages(story, phone, page_size) for entry in page.entries]
    story.expect(found == names, "the pages are not the wishlist", expected=names, observed=found)


@requirement("wishlist/paging")
def test_entries_that_come_and_go_disturb_no_paging(story: Story) -> None:
    """Removes entries before and behind the page's end, and adds some, while paging through the rest."""
    phone, tablet = story.device("phone"), story.device("tablet")
    names = _names(story, 9)
    _wish_all(story, phone, names)
    late = f"late-{story.tag}"
    edits: list[Callable[[], operation_pb2.CartOperation]] = [
        lambda: tablet.unwish(names[0]),
        lambda: tablet.unwish(names[2]),
        lambda: tablet.wish(late),
        lambda: tablet.unwish(names[8]),
    ]
    found: list[str] = []
    for page in _pages(story, phone, 2):
        found += [entry.sku for entry in page.entries]
        if edits:
            story.expect_applied(tablet.submit(edits.pop(0)()).only, slug="wishlist/add")
    stayed = [names[1], *names[3:8]]
    kept = [name for name in found if name in stayed]
    story.expect(
        kept == stayed,
        "an entry that was there throughout was skipped, repeated or moved while paging",
        expected=stayed,
        observed=found,
    )


@requirement("wishlist/page-size")
def test_a_page_is_no_longer_than_asked_for(story: Story) -> None:
    """Asks for pages of no particular size, of one, two, and of more than 200, of 205 entries."""
    phone = story.device()
    most = story.policy.max_wishlist_entry_count
    names = _names(story, min(205, most))
    _wish_all(story, phone, names)
    for page_size in (0, 1, 2, 200, 201, 1_000_000):
        entries = phone.wishlist_page(page_size).entries
        bound = min(page_size or 200, 200)
        story.expect(
            1 <= len(entries) <= bound,
            f"a page of size {page_size} has {len(entries)} entries",
            expected=f"1 to {bound}",
            observed=len(entries),
        )


@requirement("wishlist/page-arguments")
def test_pages_that_cannot_be_are_refused(story: Story) -> None:
    """Asks for a negative size, with a token of nobody's, and with a queue id that is none."""
    phone = story.device()
    _wish(story, phone, f"wish-{story.tag}")
    for field, request in (
        ("page_size", wishlist_pb2.ListWishlistRequest(page_size=-1)),
        ("page_token", wishlist_pb2.ListWishlistRequest(page_token="no token of this server's")),
        ("queue_id", wishlist_pb2.ListWishlistRequest(queue_id="queue")),
    ):
        story.expect_status(
            partial(phone.connection.list_wishlist, request),
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="REQUEST_INVALID",
            field=field,
            what=f"ListWishlist with a wrong {field}",
        )


@requirement("wishlist/atomic")
def test_the_list_and_the_watermark_are_of_one_instant(story: Story) -> None:
    """Reads while a change is held on either side of its commit: entry and watermark are both there, or neither."""
    phone = story.device()
    tea, mug = _names(story, 2)
    _wish(story, phone, tea)
    with held(story, phone, phone.wish(mug)):
        reader = story.connect("reader")
        request = wishlist_pb2.ListWishlistRequest(queue_id=phone.queue_id)
        page = read_beside(lambda seconds: reader.list_wishlist(request, seconds))
    for seen in (page, phone.wishlist_page()):
        if seen is None:
            continue
        count, watermark = len(seen.entries), seen.queue.decided_through_sequence
        story.expect(
            count == watermark,
            "the wishlist and the watermark are of different instants",
            expected=f"{watermark} entries at watermark {watermark}",
            observed=f"{count} entries",
        )
    story.expect(
        not phone.wishlist_page(with_queue=False).HasField("queue"), "a queue is told of that was not asked for"
    )


@requirement("wishlist/atomic")
def test_lists_read_while_wishes_come_in_are_of_one_instant(story: Story) -> None:
    """Reads wishlist and watermark over and over while wishes come in: always as many entries as are decided."""
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    names = iter(_names(story, 36))
    for _ in range(12):
        pending = [phone.submit_later(*(phone.wish(next(names)) for _ in range(size))) for size in (1, 2)]
        while True:
            finished = all(call.done() for call in pending)
            page = reader.wishlist_page(MOST_ON_A_PAGE)
            count, watermark = len(page.entries), page.queue.decided_through_sequence
            story.expect(
                count == watermark or bool(page.next_page_token),
                "the wishlist and the watermark are of different instants",
                expected=f"{watermark} entries at watermark {watermark}",
                observed=f"{count} entries",
            )
            if finished:
                break
        for call in pending:
            answer(call)
        phone.submit(*phone.log[-2:])  # an overtaken submission was a gap


def _names(story: Story, count: int) -> list[str]:
    """As many SKUs, in an order that is not theirs."""
    return [f"wish-{(number * 7_919 + 5_000) % 10_007:05}-{story.tag}" for number in range(count)]


def _wish(story: Story, device: Device, name: str, *, slug: str = "wishlist/add") -> outcome_pb2.Outcome:
    return story.expect_applied(device.submit(device.wish(name)).only, slug=slug)


def _wish_all(story: Story, device: Device, names: Sequence[str]) -> None:
    for start in range(0, len(names), BATCH):
        for result in device.submit(*(device.wish(name) for name in names[start : start + BATCH])).results:
            story.expect_applied(result, slug="wishlist/add")


def _pages(story: Story, device: Device, page_size: int) -> Iterator[wishlist_pb2.ListWishlistResponse]:
    """Page after page, each read when it is asked for; gives up where a server never ends."""
    page = device.wishlist_page(page_size)
    yield page
    for _ in range(1_000):
        if not page.next_page_token:
            return
        page = device.wishlist_page(page_size, page.next_page_token)
        yield page
    story.expect(False, "paging does not come to an end", slug="wishlist/paging")


def _expect_entries(story: Story, device: Device, names: Sequence[str], *, slug: str | None = None) -> None:
    observed = [entry.sku for entry in device.wishlist()]
    story.expect(
        observed == list(names),
        "the wishlist holds something else than the applied operations left",
        expected=list(names),
        observed=observed,
        slug=slug,
    )


def _expect_revision(story: Story, outcome: outcome_pb2.Outcome, revision: int) -> None:
    story.expect(
        outcome.revision == revision,
        "an operation that changed nothing carries another revision than the wishlist has",
        expected=revision,
        observed=outcome.revision,
        slug="wishlist/revision",
    )
