from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import cart_pb2, guest_claim_pb2, service_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from live_server import Live, Shopper, config_in, offer, refused, running, states

from reference_server.assembly import REFERENCE
from reference_server.commits import Commits
from reference_server.engine.state import CartHead, Changes, Claim, QueueMark
from reference_server.ports import BackendUnavailableError
from reference_server.service.errors import CallError, credential_invalid, store_changed
from reference_server.service.submissions import Submissions
from reference_server.service.watching import Watches, is_news
from reference_server.settlement import CartReading

QUEUE_ID = "11111111-1111-4111-8111-111111111111"
Stream = Any  # grpc.aio.UnaryStreamCall; its generic parameters differ between stubs and runtime


def response(revision: int, watermark: int | None = None, **cart: Any) -> service_pb2.WatchCartResponse:
    queue = None if watermark is None else service_pb2.QueueState(decided_through_sequence=watermark)
    return service_pb2.WatchCartResponse(cart=cart_pb2.Cart(revision=revision, **cart), queue=queue)


# The pure part: what to send next.


def test_the_first_snapshot_is_always_sent() -> None:
    assert is_news(None, response(0))


def test_another_revision_watermark_state_or_price_is_news() -> None:
    assert is_news(response(1), response(2))
    assert is_news(response(1, 3), response(1, 4))
    assert is_news(response(1), response(1, state=cart_pb2.CART_STATE_CLOSED))
    assert is_news(response(1), response(1, lines=[cart_pb2.CartLine(sku="A")]))


def test_the_time_of_pricing_alone_is_no_news() -> None:
    assert not is_news(response(1, 3), response(1, 3, price_time=Timestamp(seconds=5)))


snapshots = st.builds(response, st.integers(0, 5), st.integers(0, 5))


@given(st.lists(snapshots, min_size=1))
def test_nothing_that_is_sent_ever_goes_back_and_the_latest_is_reached(
    readings: list[service_pb2.WatchCartResponse],
) -> None:
    sent: list[service_pb2.WatchCartResponse] = []
    for reading in readings:
        if is_news(sent[-1] if sent else None, reading):
            sent.append(reading)
    revisions = [each.cart.revision for each in sent]
    watermarks = [each.queue.decided_through_sequence for each in sent]
    assert revisions == sorted(revisions)
    assert watermarks == sorted(watermarks)
    last, newest = sent[-1], readings[-1]
    went_back = (
        newest.cart.revision < last.cart.revision
        or newest.queue.decided_through_sequence < last.queue.decided_through_sequence
    )
    assert went_back or newest == last


# Who is woken.


def changes(principal: str = "ann", queue_id: str = QUEUE_ID, **rest: Any) -> Changes:
    mark = QueueMark()
    return Changes("store", principal, queue_id, 0, mark, mark, **rest)


@pytest.mark.parametrize(
    ("made", "woken"),
    [
        (changes(carts={"cart": CartHead(1, "GBP", 0)}), True),
        (changes(carts={"other": CartHead(1, "GBP", 0)}), False),
        (changes(principal="bob", carts={"cart": CartHead(1, "GBP", 0)}), False),
        (changes(principal="bob", claims=(Claim("ann", "cart", "bob"),)), True),
        (changes(principal="bob", claims=(Claim("ann", "other", "bob"),)), False),
    ],
)
def test_a_watch_is_woken_by_what_touches_its_cart(made: Changes, woken: bool) -> None:
    commits = Commits()
    with commits.watched("ann", "cart") as changed:
        commits.announce(made)
        assert changed.is_set() == woken


def test_a_watch_is_woken_when_its_queue_moves_and_not_after_it_has_ended() -> None:
    commits = Commits()
    with commits.watched("ann", "cart", QUEUE_ID) as changed:
        commits.announce(changes(queue_id="22222222-2222-4222-8222-222222222222"))
        assert not changed.is_set()
        commits.announce(changes())
        assert changed.is_set()
        changed.clear()
    commits.announce(changes())
    assert not changed.is_set()


# One watch, driven by hand.


class Shelf:
    """Stands for the submissions; tells what is put on it, or raises it."""

    def __init__(self) -> None:
        self.revision = 0
        self.error: Exception | None = None
        self.read_count = 0

    async def cart(self, principal: str, cart_id: str, queue_id: str, store_id: str) -> CartReading:
        self.read_count += 1
        if self.error is not None:
            raise self.error
        return CartReading(cart_pb2.Cart(cart_id=cart_id, revision=self.revision), None, "store")


class Driven:
    """A watch whose waiting, reading and writing the test decides."""

    def __init__(self, check_admitted: Callable[[], None] = lambda: None) -> None:
        self.shelf = Shelf()
        self.written: list[int] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.writing = asyncio.Event()
        self.woken: asyncio.Queue[None] = asyncio.Queue()
        self.waiting = asyncio.Event()
        submissions: Any = self.shelf
        self.watches = Watches(submissions, Commits(), self._wait)
        request = service_pb2.WatchCartRequest(cart_id="cart")
        self.run = asyncio.ensure_future(self.watches.watch("ann", request, self._write, check_admitted))

    async def _write(self, message: service_pb2.WatchCartResponse) -> None:
        self.writing.set()
        await self.writable.wait()
        self.written.append(message.cart.revision)

    async def _wait(self, changed: asyncio.Event) -> None:
        self.waiting.set()
        await self.woken.get()

    async def look(self) -> None:
        """Let it look once more, and wait until it has done all that comes of it."""
        await self.waiting.wait()
        self.waiting.clear()
        self.woken.put_nowait(None)
        ended = asyncio.ensure_future(self.waiting.wait())
        await asyncio.wait([ended, self.run], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()


async def test_a_reader_that_was_slow_gets_the_latest_and_not_what_it_missed() -> None:
    driven = Driven()
    await driven.waiting.wait()
    driven.writable.clear()
    driven.writing.clear()
    driven.shelf.revision = 1
    driven.woken.put_nowait(None)
    await driven.writing.wait()
    reads = driven.shelf.read_count
    driven.shelf.revision = 100
    assert driven.shelf.read_count == reads
    driven.writable.set()
    await driven.look()
    assert driven.written == [0, 1, 100]
    driven.run.cancel()


async def test_a_watch_lives_through_an_outage_of_the_prices() -> None:
    driven = Driven()
    driven.shelf.revision = 1
    await driven.waiting.wait()
    driven.shelf.error = BackendUnavailableError("no prices")
    await driven.look()
    driven.shelf.error = None
    driven.shelf.revision = 2
    await driven.look()
    assert driven.written[-1] == 2
    driven.run.cancel()


async def test_a_watch_ends_when_the_store_was_put_back() -> None:
    driven = Driven()
    await driven.waiting.wait()
    driven.shelf.error = store_changed("another")
    await driven.look()
    with pytest.raises(CallError) as caught:
        await driven.run
    assert caught.value.reason == "STORE_CHANGED"


async def test_a_watch_ends_when_its_credential_is_no_longer_good_and_shows_nothing_more() -> None:
    expired = False

    def check_admitted() -> None:
        if expired:
            raise credential_invalid()

    driven = Driven(check_admitted)
    await driven.waiting.wait()
    expired = True
    driven.shelf.revision = 9
    await driven.look()
    with pytest.raises(CallError) as caught:
        await driven.run
    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
    assert 9 not in driven.written


async def test_a_stopping_server_ends_a_watch_whose_reader_does_not_read() -> None:
    driven = Driven()
    driven.writable.clear()
    await driven.writing.wait()
    driven.watches.stop_all()
    with pytest.raises(CallError) as caught:
        await driven.run
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


# On the wire.


def watching(shopper: Shopper, cart_id: str = "cart", *, queue: bool = True, **fields: Any) -> Stream:
    request = service_pb2.WatchCartRequest(cart_id=cart_id, queue_id=shopper.queue_id if queue else "", **fields)
    return shopper.live.calls.WatchCart(request, metadata=shopper.metadata)


async def next_of(stream: Stream) -> service_pb2.WatchCartResponse:
    message = await asyncio.wait_for(stream.read(), 10)
    assert isinstance(message, service_pb2.WatchCartResponse)
    return message


async def test_the_cart_comes_at_once_and_again_when_another_device_changes_it(live: Live) -> None:
    ann, phone = live.shopper(), live.shopper()
    stream = watching(ann)
    first = await next_of(stream)
    assert (first.cart.revision, first.cart.state) == (0, cart_pb2.CART_STATE_OPEN)
    assert (first.queue.queue_id, first.queue.decided_through_sequence) == (ann.queue_id, 0)
    await phone.submit(phone.add(2))
    changed = await next_of(stream)
    read = await ann.cart()
    assert (changed.store_id, changed.cart.revision) == (read.store_id, 1)
    assert changed.cart.lines == read.cart.lines
    stream.cancel()


async def test_a_moved_watermark_comes_without_a_change_of_the_cart(live: Live) -> None:
    ann = live.shopper()
    stream = watching(ann)
    await next_of(stream)
    await ann.submit(ann.wish("A"))
    moved = await next_of(stream)
    assert (moved.cart.revision, moved.queue.decided_through_sequence) == (0, 1)
    stream.cancel()


async def test_a_coupon_on_the_cart_comes_with_the_snapshot(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(1))
    stream = watching(ann, queue=False)
    await next_of(stream)
    await ann.submit(ann.draft(apply_coupon={"cart_id": "cart", "coupon_code": "TEA10"}))
    changed = await next_of(stream)
    assert not changed.HasField("queue")
    assert [coupon.coupon_code for coupon in changed.cart.coupons] == ["TEA10"]
    stream.cancel()


async def test_a_watch_shows_nothing_of_the_same_cart_id_of_another(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    stream = watching(bob)
    await next_of(stream)
    await ann.submit(ann.add())
    await bob.submit(bob.wish("A"))
    assert (await next_of(stream)).cart.revision == 0
    stream.cancel()


async def test_the_watch_of_a_claimed_guests_cart_shows_it_closed(live: Live) -> None:
    guest, ann = live.shopper("guest-1"), live.shopper("ann")
    await guest.submit(guest.add(2))
    stream = watching(guest)
    await next_of(stream)
    token = await live.guests.IssueClaimToken(guest_claim_pb2.IssueClaimTokenRequest(), metadata=guest.metadata)
    claim = {"claim_token": token.claim_token, "guest_cart_id": "cart", "cart_id": "mine"}
    assert states(await ann.submit(ann.draft(claim_guest_cart=claim))) == ["APPLIED"]
    assert (await next_of(stream)).cart.state == cart_pb2.CART_STATE_CLOSED
    stream.cancel()


@pytest.mark.parametrize(
    ("request_message", "row", "field"),
    [
        (
            service_pb2.WatchCartRequest(cart_id="a b"),
            (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
            "cart_id",
        ),
        (
            service_pb2.WatchCartRequest(cart_id="cart", queue_id="mine"),
            (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
            "queue_id",
        ),
        (
            service_pb2.WatchCartRequest(cart_id="cart", store_id="old"),
            (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED"),
            "",
        ),
    ],
)
async def test_wrong_arguments_of_a_watch_are_named(
    live: Live, request_message: service_pb2.WatchCartRequest, row: object, field: str
) -> None:
    stream: Stream = live.calls.WatchCart(request_message, metadata=live.shopper().metadata)
    with refused() as refusal:
        await stream.read()
    assert (refusal.row, refusal.field) == (row, field)


async def test_a_watch_without_a_credential_is_refused(live: Live) -> None:
    stream: Stream = live.calls.WatchCart(service_pb2.WatchCartRequest(cart_id="cart"))
    with refused() as refusal:
        await stream.read()
    assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")


async def looked_at_once(changed: asyncio.Event) -> None:
    """A wait that hardly waits, so that a watch finds out by itself what no commit announces."""
    await asyncio.sleep(0.01)


def _restless(submissions: Submissions, commits: Commits) -> Watches:
    return Watches(submissions, commits, looked_at_once)


RESTLESS = dataclasses.replace(REFERENCE, watches=_restless)


async def test_what_no_commit_of_this_process_announces_is_found_by_looking(tmp_path: Path) -> None:
    async with running(config_in(tmp_path), RESTLESS) as live:
        ann = live.shopper()
        await ann.submit(ann.add())
        stream = watching(ann)
        await next_of(stream)
        await live.control.PutOffer(offer("LANTERN-WHITE", minor_units=1))
        assert (await next_of(stream)).cart.subtotal.minor_units == 1
        await live.control.CloseCart(control_pb2.CloseCartRequest(principal="ann", cart_id="cart"))
        assert (await next_of(stream)).cart.state == cart_pb2.CART_STATE_CLOSED


async def test_a_restored_store_ends_every_watch(tmp_path: Path) -> None:
    async with running(config_in(tmp_path), RESTLESS) as live:
        ann = live.shopper()
        await live.control.SaveStore(control_pb2.SaveStoreRequest(name="before"))
        await ann.submit(ann.add())
        stream = watching(ann)
        await next_of(stream)
        restored = await live.control.RestoreStore(control_pb2.RestoreStoreRequest(name="before"))
        with refused() as refusal:
            await stream.read()
        assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED")
        assert refusal.info.metadata["store_id"] == restored.store_id


async def test_an_expired_credential_ends_its_watch_and_a_new_one_watches_again(tmp_path: Path) -> None:
    async with running(config_in(tmp_path), RESTLESS) as live:
        ann = live.shopper()
        issued = await live.control.IssueCredential(
            control_pb2.IssueCredentialRequest(principal="ann", lifetime=Duration(seconds=60))
        )
        ann.authorization = issued.authorization
        stream = watching(ann)
        await next_of(stream)
        await live.control.AdvanceClock(control_pb2.AdvanceClockRequest(duration=Duration(seconds=61)))
        with refused() as refusal:
            await stream.read()
        assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
        ann.authorization = ""
        again = watching(ann)
        assert (await next_of(again)).cart.revision == 0
        again.cancel()


async def test_a_stopping_server_ends_its_watches_as_unavailable(tmp_path: Path) -> None:
    async with running(config_in(tmp_path)) as live:
        stream = watching(live.shopper())
        await next_of(stream)
        stopping = asyncio.ensure_future(live.server.stop())
        with refused() as refusal:
            await stream.read()
        assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)
        await stopping


async def test_a_reader_that_does_not_read_holds_up_nobody_and_then_gets_the_latest(live: Live) -> None:
    ann = live.shopper()
    for number in range(250):
        await live.control.PutOffer(offer(f"SKU-{number:03}-{'x' * 50}"))
    big = [ann.add(sku=f"SKU-{number:03}-{'x' * 50}") for number in range(250)]
    await ann.submit(*big)
    slow, fast = watching(ann), watching(live.shopper())
    await next_of(fast)
    # 250 snapshots of 250 lines are many times what flow control lets through unread.
    for _ in range(250):
        assert states(await ann.submit(ann.add(sku=f"SKU-000-{'x' * 50}"))) == ["APPLIED"]
    last = (await ann.cart()).cart.revision
    for stream in (fast, slow):
        seen = [(await next_of(stream)).cart.revision]
        while seen[-1] < last:
            seen.append((await next_of(stream)).cart.revision)
        assert seen == sorted(seen)
        assert len(seen) < 250
        stream.cancel()
