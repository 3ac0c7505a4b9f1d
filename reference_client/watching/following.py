"""The shell around the deciding: calls the server, keeps snapshots on disk, and hands out what to show.

The stream is read by a thread of its own, so that whoever follows is woken by changes on this device, too, and by
Ctrl-C. A snapshot is kept only when it is of the store and the queue that this device works with; when the store was
replaced, `sync` has to settle what that means first, and until then the snapshot is shown and not kept.
"""

from __future__ import annotations

import queue
import random as random_module
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from cartsync.v1 import service_pb2

from reference_client.client import CartClient
from reference_client.drainer.transport import CallFailedError, Session, SnapshotStream, Transport
from reference_client.intents import DEFAULT_CART
from reference_client.machine import Backoff
from reference_client.machine.values import CallFailure, StopReason
from reference_client.projection import CartView, project
from reference_client.queue.rows import QueueRecord
from reference_client.watching.deciding import Arrival, AskPolicy, CartWatch, Read, Rest, Step, Stop, Watch

_TICK_SECONDS = 0.5
"""How soon a change made on this device is seen."""
_SILENCE_SECONDS = 300.0
"""After so long without a word a watch is begun again."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say about the watching itself."""

    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last thing said. `reason` None: the server is away, and patience is over."""

    reason: StopReason | None
    message: str


_Steps = Generator[CartView | Remark, None, Step]


class CartFollower:
    """Follows one cart of a client. `patience`: seconds to go on without a snapshot; None: for ever."""

    def __init__(
        self,
        client: CartClient,
        cart_id: str = DEFAULT_CART,
        *,
        poll_seconds: float = 5.0,
        patience: float | None = None,
        backoff: Backoff | None = None,
        silence_seconds: float = _SILENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._client = client
        self._cart_id = cart_id
        self._patience = patience
        self._silence_seconds = silence_seconds
        self._monotonic = monotonic
        self._pause = pause
        self._queue = client.queue()
        self._watch = CartWatch(self._queue.principal, random, backoff=backoff, poll_seconds=poll_seconds)
        self._not_kept: tuple[Arrival, int] | None = None
        self._has_arrived = False
        self._said_polling = False
        self._last_view: CartView | None = None
        self._last_remark = ""
        self._heard = monotonic()

    def follow(self) -> Generator[CartView | Remark | Ended, None, None]:
        """Views of the cart, each newer than the one before. Raises `CredentialError` and `StoreError`.

        Close the generator to stop: nothing is left open then.
        """
        transport = self._client.connect()
        try:
            step: Step = self._watch.begin()
            while not isinstance(step, Stop):
                match step:
                    case AskPolicy():
                        step = self._ask_policy(transport)
                    case Watch(store_id):
                        step = yield from self._read_stream(transport, store_id)
                    case Read(store_id):
                        step = yield from self._read_once(transport, store_id)
                    case Rest():
                        yield from self._remarks(step.message)
                        if self._is_out_of_patience(step):
                            yield Ended(None, step.message)
                            return
                        yield from self._rest(step.seconds)
                        step = self._watch.woken()
            yield Ended(step.reason, step.message)
        finally:
            transport.shut_down()

    @property
    def is_fresh(self) -> bool:
        """Whether what was handed out last is what the server has shown since this began."""
        return self._has_arrived

    # ---- calls -------------------------------------------------------------------------------------------------

    def _ask_policy(self, transport: Transport) -> Step:
        try:
            response = transport.policy()
        except CallFailedError as error:
            return self._watch.failed(error.failure)
        step = self._watch.policy_received(response)
        record = self._queue = self._client.queue()
        if not isinstance(step, Stop) and record.store_id in {"", response.store_id}:
            self._client.queues.bind(record.queue_id, response.principal, response.store_id, response.policy)
        return step

    def _session(self, store_id: str) -> Session:
        return Session(store_id, self._queue.queue_id, self._queue.principal)

    def _read_once(self, transport: Transport, store_id: str) -> _Steps:
        try:
            response = transport.cart(self._session(store_id), self._cart_id)
        except CallFailedError as error:
            return self._watch.failed(error.failure)
        if self._is_replaced():
            return self._watch.begin()
        yield from self._take(response)
        if not self._said_polling:
            self._said_polling = True
            yield Remark("the server does not watch carts; it is asked again and again")
        return self._watch.was_read()

    def _read_stream(self, transport: Transport, store_id: str) -> _Steps:
        inbox: queue.SimpleQueue[Arrival | CallFailure] = queue.SimpleQueue()
        try:
            stream = transport.watch(self._session(store_id), self._cart_id)
        except CallFailedError as error:
            return self._watch.failed(error.failure)
        reader = threading.Thread(target=_read, args=(stream, inbox), daemon=True)
        reader.start()
        quiet_until = self._monotonic() + self._silence_seconds
        try:
            while True:
                try:
                    found = _latest(inbox, _TICK_SECONDS)
                except queue.Empty:
                    if self._is_replaced():
                        return self._watch.begin()
                    if self._monotonic() >= quiet_until:
                        return self._watch.silent()
                    yield from self._changes()
                    continue
                if isinstance(found, CallFailure):
                    return self._watch.failed(found)
                if self._is_replaced():
                    return self._watch.begin()
                quiet_until = self._monotonic() + self._silence_seconds
                yield from self._take(found)
        finally:
            stream.cancel()
            reader.join()

    def _rest(self, seconds: float) -> Iterator[CartView]:
        until = self._monotonic() + seconds
        while (left := until - self._monotonic()) > 0:
            self._pause(min(left, _TICK_SECONDS))
            yield from self._changes()

    # ---- what to show ------------------------------------------------------------------------------------------

    def _take(self, arrival: Arrival) -> Iterator[CartView | Remark]:
        self._heard = self._monotonic()
        if not self._watch.arrived(arrival):
            return
        self._has_arrived, self._last_remark = True, ""
        if self._queue_now().store_id == arrival.store_id:
            kept = service_pb2.GetCartResponse(store_id=arrival.store_id, cart=arrival.cart, queue=arrival.queue)
            self._client.queues.save_snapshot(self._client.server, kept)
            self._not_kept = None
        else:
            self._not_kept = (arrival, time.time_ns())
            yield from self._remarks("the server's store was replaced; `cartsync sync` settles what that means")
        yield from self._changes()

    def _changes(self) -> Iterator[CartView]:
        """The cart with what waits on this device, if it is not what was handed out last."""
        view = self._view()
        if view is not None and view != self._last_view:
            self._last_view = view
            yield view

    def _view(self) -> CartView | None:
        if self._not_kept is not None:
            on_top = self._client.queues.on_top(self._client.server, self._cart_id)
            arrival, received = self._not_kept
            return project(self._cart_id, arrival.cart, received, on_top)
        view = self._client.view(self._cart_id)
        return view if view.snapshot_wall_ns is not None or view.pending_count else None

    def _remarks(self, message: str) -> Iterator[Remark]:
        if message and message != self._last_remark:
            self._last_remark = message
            yield Remark(message)

    def _queue_now(self) -> QueueRecord:
        return self._client.queue()

    def _is_replaced(self) -> bool:
        """Whether new intents go to another queue by now: then that one's watermark is wanted."""
        return self._queue_now().queue_id != self._queue.queue_id

    def _is_out_of_patience(self, rest: Rest) -> bool:
        if self._patience is None or not rest.message:
            return False
        return self._monotonic() + rest.seconds > self._heard + self._patience


def _read(stream: SnapshotStream, inbox: queue.SimpleQueue[Arrival | CallFailure]) -> None:
    try:
        for snapshot in stream:
            inbox.put(snapshot)
        inbox.put(CallFailure("UNAVAILABLE", message="the server ended the watch"))
    except CallFailedError as error:
        inbox.put(error.failure)


def _latest(inbox: queue.SimpleQueue[Arrival | CallFailure], timeout: float) -> Arrival | CallFailure:
    """What came last of what has come; a failure only when no snapshot is before it. Raises `queue.Empty`."""
    found = inbox.get(timeout=timeout)
    while isinstance(found, Arrival):
        try:
            after = inbox.get_nowait()
        except queue.Empty:
            break
        if isinstance(after, CallFailure):
            inbox.put(after)
            break
        found = after
    return found
