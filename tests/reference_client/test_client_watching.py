"""Watching a cart: what is shown never goes back, and a watch that is cut, refused or not offered goes on somehow."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cartsync.v1 import cart_pb2, policy_pb2, service_pb2
from google.protobuf import timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st
from spec_server import PRINCIPAL, SpecServer, adds

from reference_client import CartClient
from reference_client.drainer.transport import CallFailedError, Session, SnapshotStream
from reference_client.machine import Backoff
from reference_client.machine.values import CallFailure, StopReason
from reference_client.projection import CartView
from reference_client.watching import CartFollower, Ended, Remark
from reference_client.watching.deciding import AskPolicy, CartWatch, Read, Rest, Stop, Watch

Event = CartView | Remark | Ended


def policy(
    store_id: str = "store-1", *, principal: str = PRINCIPAL, watches: bool = True
) -> service_pb2.GetSyncPolicyResponse:
    profiles = ["core", "watch"] if watches else ["core"]
    return service_pb2.GetSyncPolicyResponse(
        store_id=store_id, principal=principal, policy=policy_pb2.SyncPolicy(profiles=profiles)
    )


def snapshot(
    revision: int, watermark: int = 0, priced: int = 1, *, store_id: str = "store-1", **lines: int
) -> service_pb2.WatchCartResponse:
    cart = cart_pb2.Cart(cart_id="main", revision=revision, price_time=timestamp_pb2.Timestamp(seconds=priced))
    cart.lines.extend(cart_pb2.CartLine(sku=sku, quantity=n) for sku, n in sorted(lines.items()))
    return service_pb2.WatchCartResponse(
        store_id=store_id, cart=cart, queue=service_pb2.QueueState(decided_through_sequence=watermark)
    )


def watching(*, principal: str = PRINCIPAL, store_id: str = "store-1") -> CartWatch:
    it = CartWatch(principal, lambda: 0.5, backoff=Backoff(base=1.0, cap=8.0), poll_seconds=3.0)
    assert it.begin() == AskPolicy()
    assert it.policy_received(policy(store_id)) == Watch(store_id)
    return it


# ---- deciding ----------------------------------------------------------------------------------------------------


arrivals = st.lists(
    st.builds(
        lambda revision, watermark, priced, store: snapshot(revision, watermark, priced, store_id=f"store-{store}"),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    max_size=25,
)


@given(arrivals=arrivals)
def test_what_is_shown_never_goes_back_in_whatever_order_it_arrives(
    arrivals: list[service_pb2.WatchCartResponse],
) -> None:
    it = watching()
    shown = [a for a in arrivals if it.arrived(a)]
    stores = [store for store, _ in itertools.groupby(a.store_id for a in shown)]
    assert len(stores) == len(set(stores)), "a store that was left came back"
    for _, of_one_store in itertools.groupby(shown, key=lambda a: a.store_id):
        orders = [(a.cart.revision, a.queue.decided_through_sequence, a.cart.price_time.seconds) for a in of_one_store]
        assert orders == sorted(orders)


@given(arrivals=arrivals)
def test_the_newest_that_arrived_of_one_store_is_what_is_shown_last(
    arrivals: list[service_pb2.WatchCartResponse],
) -> None:
    it = watching()
    of_one_store = [a for a in arrivals if a.store_id == "store-1"]
    shown = [a for a in of_one_store if it.arrived(a)]
    if of_one_store:
        newest = max(
            of_one_store,
            key=lambda a: (a.cart.revision, a.queue.decided_through_sequence, a.cart.price_time.seconds),
        )
        assert shown[-1] == newest


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "CANCELLED", "DEADLINE_EXCEEDED"])
def test_a_watch_that_is_cut_is_begun_again_after_a_wait_that_grows(code: str) -> None:
    it = watching()
    waits = []
    for _ in range(3):
        rest = it.failed(CallFailure(code, message="cut"))
        assert isinstance(rest, Rest)
        waits.append(rest.seconds)
        assert it.woken() == AskPolicy()
        assert it.policy_received(policy()) == Watch("store-1")
    assert waits == [0.5, 1.0, 2.0]


def test_the_same_snapshot_again_is_no_reason_to_come_back_sooner_and_a_newer_one_is() -> None:
    it = watching()
    it.arrived(snapshot(1))
    it.failed(CallFailure("UNAVAILABLE"))
    it.arrived(snapshot(1, priced=2))
    assert it.failed(CallFailure("UNAVAILABLE")) == Rest(1.0, "UNAVAILABLE")
    it.arrived(snapshot(2))
    assert it.failed(CallFailure("UNAVAILABLE")) == Rest(0.5, "UNAVAILABLE")


def test_the_server_s_delay_is_a_floor() -> None:
    assert watching().failed(CallFailure("RESOURCE_EXHAUSTED", retry_seconds=4.0)) == Rest(4.5, "RESOURCE_EXHAUSTED")


def test_a_server_that_does_not_watch_is_read_again_and_again() -> None:
    it = watching()
    assert it.failed(CallFailure("UNIMPLEMENTED")) == Read("store-1")
    assert it.arrived(snapshot(1))
    assert it.was_read() == Rest(3.0)
    assert it.woken() == Read("store-1")
    assert not it.arrived(snapshot(0))
    assert isinstance(it.failed(CallFailure("UNAVAILABLE")), Rest)
    assert it.woken() == AskPolicy()
    assert it.policy_received(policy()) == Read("store-1")


def test_a_policy_without_the_profile_is_believed() -> None:
    it = watching()
    assert it.policy_received(policy(watches=False)) == Read("store-1")
    assert it.polls


def test_a_server_that_cannot_even_be_read_is_no_cartsync_server() -> None:
    it = watching()
    it.failed(CallFailure("UNIMPLEMENTED"))
    stop = it.failed(CallFailure("UNIMPLEMENTED"))
    assert isinstance(stop, Stop)
    assert stop.reason is StopReason.INCOMPATIBLE


def test_after_the_store_was_replaced_the_server_is_asked_for_the_new_one_and_nothing_of_the_old_is_shown() -> None:
    it = watching()
    assert it.arrived(snapshot(7, 4))
    failure = CallFailure("FAILED_PRECONDITION", "STORE_CHANGED", store_id="store-2")
    assert isinstance(it.failed(failure), Rest)
    assert it.woken() == AskPolicy()
    assert it.policy_received(policy("store-2")) == Watch("store-2")
    assert it.arrived(snapshot(3, store_id="store-2"))
    assert not it.arrived(snapshot(8, 5, store_id="store-1"))
    assert isinstance(it.policy_received(policy("store-1")), Rest)


def test_the_cart_of_another_shopper_is_shown_to_nobody() -> None:
    stop = CartWatch(PRINCIPAL, lambda: 0.5).policy_received(policy(principal="somebody-else"))
    assert isinstance(stop, Stop)
    assert stop.reason is StopReason.PRINCIPAL_MISMATCH


def test_a_credential_that_expires_while_watching_stops() -> None:
    stop = watching().failed(CallFailure("UNAUTHENTICATED", "CREDENTIAL_INVALID"))
    assert isinstance(stop, Stop)
    assert stop.reason is StopReason.UNAUTHENTICATED


# ---- following ---------------------------------------------------------------------------------------------------


class Stream:
    """A watch that says what is put into it. A failure ends it, and so does cancelling."""

    def __init__(self, *said: service_pb2.WatchCartResponse | CallFailure) -> None:
        self._said: queue.SimpleQueue[service_pb2.WatchCartResponse | CallFailure] = queue.SimpleQueue()
        self.was_cancelled = False
        for one in said:
            self.say(one)

    def say(self, one: service_pb2.WatchCartResponse | CallFailure) -> None:
        self._said.put(one)

    def __iter__(self) -> Iterator[service_pb2.WatchCartResponse]:
        while True:
            one = self._said.get()
            if isinstance(one, CallFailure):
                raise CallFailedError(one)
            yield one

    def cancel(self) -> None:
        self.was_cancelled = True
        self.say(CallFailure("CANCELLED"))


class WatchedShop(SpecServer):
    """A model server whose watches are what the test has prepared; without any it does not watch."""

    def __init__(self, *streams: Stream) -> None:
        super().__init__()
        self.streams = list(streams)
        self.watches: list[Session] = []
        self.policies: list[service_pb2.GetSyncPolicyResponse] = []
        self.cuts: list[CallFailure] = []
        self.was_shut_down = False

    # As a transport, as far as following needs one.

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        if self.cuts:
            raise CallFailedError(self.cuts.pop(0))
        return self.policies.pop(0) if self.policies else policy(self.store_id)

    def watch(self, session: Session, cart_id: str) -> SnapshotStream:
        self.watches.append(session)
        self.check(session.store_id)
        return self.streams.pop(0) if self.streams else Stream(CallFailure("UNIMPLEMENTED"))

    def cart(self, session: Session, cart_id: str) -> service_pb2.GetCartResponse:  # type: ignore[override]
        request = service_pb2.GetCartRequest(store_id=session.store_id, cart_id=cart_id, queue_id=session.queue_id)
        return super().cart(request)

    def shut_down(self) -> None:
        self.was_shut_down = True


class Follower:
    """A client on a device of its own that follows a shop; what it pauses for passes at once."""

    def __init__(self, folder: Path, shop: WatchedShop, **options: float) -> None:
        self.now = 0.0
        self.client = CartClient(folder, connect=lambda _: shop)  # type: ignore[arg-type, return-value]
        self.follower = CartFollower(
            self.client,
            monotonic=lambda: self.now,
            pause=self.pause,
            random=lambda: 0.5,
            backoff=Backoff(base=1.0, cap=8.0),
            **options,  # type: ignore[arg-type]
        )
        self.events = self.follower.follow()

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def next(self) -> Event:
        return next(self.events)

    def quantities(self) -> dict[str, int]:
        """The lines of the next view, remarks passed over."""
        while True:
            event = self.next()
            if isinstance(event, CartView):
                return {line.sku: line.quantity for line in event.lines}
            assert isinstance(event, Remark), event


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def follow(shop: WatchedShop, **options: float) -> Follower:
        made.append(Follower(tmp_path / "device", shop, **options))
        return made[-1]

    yield follow
    for one in made:
        one.events.close()
        one.client.close()


def test_a_change_by_another_device_is_shown_and_kept_for_later(follow: Callable[..., Follower]) -> None:
    stream = Stream(snapshot(1, A=1))
    it = follow(WatchedShop(stream))
    assert it.quantities() == {"A": 1}
    stream.say(snapshot(2, A=1, B=3))
    assert it.quantities() == {"A": 1, "B": 3}
    assert {line.sku for line in it.client.view().lines} == {"A", "B"}


def test_what_is_enqueued_on_this_device_is_shown_on_top_before_anything_arrives(
    follow: Callable[..., Follower],
) -> None:
    it = follow(WatchedShop(Stream(snapshot(1, A=1))))
    assert it.quantities() == {"A": 1}
    it.client.queues.enqueue(it.client.server, adds("B"))
    assert it.quantities() == {"A": 1, "B": 1}


def test_after_a_cut_the_watch_resumes_and_an_older_snapshot_is_not_shown(follow: Callable[..., Follower]) -> None:
    cut = CallFailure("UNAVAILABLE", message="the line was cut")
    shop = WatchedShop(Stream(snapshot(2, A=2), cut), Stream(snapshot(1, A=1), snapshot(3, A=3)))
    it = follow(shop)
    assert it.quantities() == {"A": 2}
    remark = it.next()
    assert isinstance(remark, Remark)
    assert "the line was cut" in remark.message
    assert it.quantities() == {"A": 3}
    assert len(shop.watches) == 2


def test_a_server_without_watches_is_read_in_turns_and_said_so_once(follow: Callable[..., Follower]) -> None:
    shop = WatchedShop()
    it = follow(shop, poll_seconds=4.0)
    assert it.quantities() == {}
    assert isinstance(it.next(), Remark)
    shop.store.lines["A"] = 1
    shop.store.effects.append(("", 1, "", "A"))
    before = it.now
    assert it.quantities() == {"A": 1}
    assert it.now - before == 4.0
    shop.store.lines["A"] = 2
    shop.store.effects.append(("", 1, "", "A"))
    assert isinstance(it.next(), CartView)


def test_a_line_that_is_silent_for_long_is_tried_anew(follow: Callable[..., Follower]) -> None:
    first = Stream(snapshot(1, A=1))
    shop = WatchedShop(first, Stream(snapshot(2, A=2)))
    it = follow(shop, silence_seconds=60.0)
    assert it.quantities() == {"A": 1}
    it.now += 61.0
    assert it.quantities() == {"A": 2}
    assert first.was_cancelled


def test_when_the_queue_was_replaced_its_successor_is_watched(follow: Callable[..., Follower]) -> None:
    first = Stream(snapshot(1, A=1))
    shop = WatchedShop(first, Stream(snapshot(2, A=2)))
    it = follow(shop)
    assert it.quantities() == {"A": 1}
    it.client.queues.transact(lambda db, now, new_id: db.execute("UPDATE queues SET state = 'retired'"))
    first.say(snapshot(1, watermark=9, A=9))
    assert it.quantities() == {"A": 2}
    assert shop.watches[0].queue_id != shop.watches[1].queue_id == it.client.queue().queue_id


def test_a_cart_of_a_replaced_store_is_shown_and_not_kept_until_it_is_settled(follow: Callable[..., Follower]) -> None:
    changed = CallFailure("FAILED_PRECONDITION", "STORE_CHANGED", store_id="store-2")
    first = Stream(snapshot(5, A=5), changed)
    shop = WatchedShop(first, Stream(snapshot(2, A=2, store_id="store-2")))
    it = follow(shop)
    assert it.quantities() == {"A": 5}
    shop.restore()
    assert it.quantities() == {"A": 2}
    assert [line.quantity for line in it.client.view().lines] == [5]
    assert it.client.queue().store_id == "store-1"


def test_a_credential_of_somebody_else_ends_it_and_nothing_is_kept(follow: Callable[..., Follower]) -> None:
    shop = WatchedShop(Stream(snapshot(1, A=1)), Stream(snapshot(2, B=1)))
    assert follow(shop).quantities() == {"A": 1}
    shop.policies = [policy(principal="somebody-else")]
    other = follow(shop)
    ended = other.next()
    assert isinstance(ended, Ended)
    assert ended.reason is StopReason.PRINCIPAL_MISMATCH
    assert [line.sku for line in other.client.view().lines] == ["A"]


def test_patience_ends_it_when_the_server_stays_away(follow: Callable[..., Follower]) -> None:
    shop = WatchedShop()
    shop.cuts = [CallFailure("UNAVAILABLE", message="away")] * 9
    events = list(follow(shop, patience=5.0).events)
    assert isinstance(events[-1], Ended)
    assert events[-1].reason is None
    assert shop.was_shut_down


def test_whoever_stops_following_leaves_nothing_open(follow: Callable[..., Follower]) -> None:
    stream = Stream(snapshot(1, A=1))
    shop = WatchedShop(stream)
    it = follow(shop)
    it.next()
    it.events.close()
    assert stream.was_cancelled
    assert shop.was_shut_down


def test_a_slow_reader_gets_the_latest_and_not_all(follow: Callable[..., Follower]) -> None:
    stream = Stream(snapshot(1, A=1))
    it = follow(WatchedShop(stream))
    assert it.quantities() == {"A": 1}
    for revision in range(2, 200):
        stream.say(snapshot(revision, A=revision))
    seen = [it.quantities()["A"]]
    while seen[-1] != 199:
        seen.append(it.quantities()["A"])
    assert len(seen) < 150
    assert seen == sorted(seen)
