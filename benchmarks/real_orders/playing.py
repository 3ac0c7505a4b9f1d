"""Playing a day: devices write intents down, the shop moves its prices, the link comes and goes.

Every customer has a device of its own, a folder with a durable queue. One thread, the shoppers', writes each intent
down at its time, whatever the link does, and moves the prices in between. A few others synchronise the devices that
have something to say: a device whose synchronisation does not get through tries again until it does. All of them
share the clock that the recording runs by.
"""

from __future__ import annotations

import random as random_module
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.real_orders.day import Capture, Day, PriceMove
from benchmarks.real_orders.exceptions import PlayError
from benchmarks.real_orders.feed import PriceFeed
from benchmarks.real_orders.orders import OrderLine
from benchmarks.real_orders.recording import Recording
from benchmarks.real_orders.relay import Relay
from benchmarks.real_orders.waiting_line import WaitingLine
from conformance.oracle.values import Add, LineIntent, Money, Remove, Set
from conformance.wire.shop import Shop
from reference_client import CartClient, ClientError, Price, SyncStatus
from reference_client.drainer.drainer import Tally
from reference_client.drainer.endpoint import Endpoint
from reference_client.machine import Backoff
from reference_client.queue.enqueueing import Enqueued

CURRENCY = "GBP"
CART = "orders"
DRAIN_SECONDS = 120.0
"""So long after the recording is over everything must be decided."""

_PATIENCE_SECONDS = 0.5
_DEADLINE_SECONDS = 2.0
_BACKOFF = Backoff(base=0.05, cap=0.5)


@dataclass(frozen=True, slots=True)
class Captured:
    """One intent as it was written down: what the books are kept by, apart from client and server."""

    key: str
    sequence: int
    intent: LineIntent
    while_down: bool
    """The link was down when it was written down."""


@dataclass
class Device:
    """One customer's device. `tally` sums up all of its synchronisations."""

    customer: str
    folder: Path
    authorization: str = field(repr=False)
    seed: int
    captured: list[Captured] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    sync_count: int = 0

    @property
    def principal(self) -> str:
        """The name of the customer's account."""
        return principal_of(self.customer)

    def open(self, address: str) -> CartClient:
        """The client on this device. Each thread opens one of its own."""
        endpoint = Endpoint(address, self.authorization, deadline_seconds=_DEADLINE_SECONDS)
        draw = random_module.Random(f"{self.seed} {self.customer} {self.sync_count}").random
        return CartClient(self.folder, endpoint=endpoint, random=draw)


def principal_of(customer: str) -> str:
    """The name of a customer's account."""
    return f"customer-{customer}"


def intent_for(line: OrderLine, held: int, consent: int | None = None) -> LineIntent:
    """What the shopper wants. `held`: how many of the product the shopper sees in the cart.

    `consent`: the shopper agrees to a price so many percent above the one seen, and to no higher one; None: to any.

    A cancellation of a part sets the line to the rest; one of all there is, or of what was ordered on another day,
    removes the line.
    """
    if not line.cancels:
        limit = None if consent is None else Money(CURRENCY, line.price * (100 + consent) // 100)
        return Add(CART, line.sku, line.quantity, Money(CURRENCY, line.price), limit)
    if line.quantity < held:
        return Set(CART, line.sku, held - line.quantity)
    return Remove(CART, line.sku)


def write_down(client: CartClient, intent: LineIntent) -> Enqueued:
    """Writes one of the intents made above down on a device."""
    match intent:
        case Add(cart, sku, quantity, Money(currency, minor), limit):
            most = None if limit is None else Price(limit.currency, limit.minor)
            return client.add(sku, price=Price(currency, minor), quantity=quantity, cart=cart, max_price=most)
        case Set(cart, sku, quantity):
            return client.set_quantity(sku, quantity, cart=cart)
        case _:
            return client.remove(intent.sku, cart=intent.cart)


class Player:
    """Plays one day: `devices` by customer, `workers` synchronisations at once, `batch` operations a submission."""

    def __init__(
        self,
        day: Day,
        recording: Recording,
        devices: dict[str, Device],
        relay: Relay,
        shop: Shop,
        *,
        workers: int,
        batch: int,
        consent: int | None,
        progress: Callable[[str], None] = lambda _: None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._day = day
        self._recording = recording
        self._devices = devices
        self._relay = relay
        self._shop = shop
        self._worker_count = workers
        self._batch = batch
        self._consent = consent
        self._progress = progress
        self._drain_seconds = drain_seconds
        self._line: WaitingLine[str] = WaitingLine()
        self.feed = PriceFeed(day.opening_prices)
        self.seconds = 0.0

    def play(self) -> None:
        """Plays the day, and goes on until every intent is decided. Raises PlayError when that does not come."""
        zero = time.monotonic()
        workers = [threading.Thread(target=self._work, name=f"sync {n}") for n in range(self._worker_count)]
        self._relay.play(self._recording)
        for worker in workers:
            worker.start()
        try:
            self._shoppers(zero)
            self._progress("the day is over; the last devices synchronise")
            left = max(0.0, zero + self._recording.duration - time.monotonic()) + self._drain_seconds
            if not self._line.wait_until_empty(left):
                raise PlayError(
                    f"not every intent was decided {self._drain_seconds:g} seconds after the recording was over"
                )
        finally:
            self._line.close()
            for worker in workers:
                worker.join()
        self.seconds = time.monotonic() - zero

    def _shoppers(self, zero: float) -> None:
        """What happens without the link: intents are written down, prices move."""
        scale = self._recording.duration / self._day.duration if self._day.duration else 0.0
        clients: dict[str, CartClient] = {}
        try:
            for number, event in enumerate(self._day.events, 1):
                due = zero + event.at * scale
                while (ahead := due - time.monotonic()) > 0:
                    self._line.check()
                    time.sleep(min(ahead, 0.2))
                match event:
                    case PriceMove(_, sku, price):
                        self.feed.move(sku, price, partial(self._shop.offer, sku, price))
                    case Capture(_, line):
                        self._capture(clients, line)
                if number % 100 == 0:
                    state = "down" if self._relay.is_down else "up"
                    self._progress(f"{number} of {len(self._day.events)} events, link {state}")
        except ClientError as error:
            raise PlayError(f"an intent could not be written down: {error}") from error
        finally:
            for client in clients.values():
                client.close()

    def _capture(self, clients: dict[str, CartClient], line: OrderLine) -> None:
        device = self._devices[line.customer]
        if line.customer not in clients:
            clients[line.customer] = device.open(self._relay.address)
        client = clients[line.customer]
        held = 0
        if line.cancels:
            held = next((seen.quantity for seen in client.view(CART).lines if seen.sku == line.sku), 0)
        intent, while_down = intent_for(line, held, self._consent), self._relay.is_down
        place = write_down(client, intent)
        device.captured.append(Captured(place.key, place.sequence, intent, while_down))
        self._line.add(line.customer)

    def _work(self) -> None:
        """Synchronises one device after the other, until nobody waits any more."""
        while (customer := self._line.take()) is not None:
            try:
                again = self._synchronise(self._devices[customer])
            except Exception as error:  # handed to the thread that plays, which raises it
                self._line.fail(PlayError(f"the device of customer {customer} failed: {error}"))
                return
            self._line.finish(customer, again=again)

    def _synchronise(self, device: Device) -> bool:
        """Whether the device has to try again."""
        with device.open(self._relay.address) as client:
            report = client.sync(patience=_PATIENCE_SECONDS, batch_limit=self._batch, backoff=_BACKOFF)
        device.sync_count += 1
        device.tally.submissions += report.tally.submissions
        device.tally.attempts += report.tally.attempts
        device.tally.duplicates += report.tally.duplicates
        device.tally.replayed += report.tally.replayed
        if report.status in {SyncStatus.STOPPED, SyncStatus.HALTED}:
            raise PlayError(report.message)
        return report.status is not SyncStatus.DRAINED or not report.carts_read
