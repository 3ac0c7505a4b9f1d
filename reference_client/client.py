"""The client as a program uses it: writes intents down, shows the cart, and synchronises when told to.

Writing and showing never touch the network. Only `sync` does.
"""

from __future__ import annotations

import enum
import importlib.metadata
import random as random_module
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cartsync.v1 import operation_pb2

from reference_client import intents
from reference_client.account import Account
from reference_client.drainer.drainer import (
    Drainer,
    OutOfPatienceError,
    Tally,
    is_unreachable,
    queue_lock,
)
from reference_client.drainer.endpoint import Endpoint
from reference_client.drainer.reading import read_anew
from reference_client.drainer.transport import Transport
from reference_client.intents import CLAMP, DEFAULT_CART, EXACT, Price
from reference_client.machine import Backoff
from reference_client.machine import messages as m
from reference_client.machine.values import Fate, StopReason
from reference_client.projection import CartView, project
from reference_client.queue import QueueFile
from reference_client.queue.enqueueing import Enqueued
from reference_client.queue.rows import NotificationRecord, OperationRecord, QueueRecord

_LEAST_WAIT_SECONDS = 0.01


def _connect_by_grpc(endpoint: Endpoint) -> Transport:
    from reference_client.drainer.grpc_transport import GrpcTransport  # slow to load, and only `sync` needs it

    return GrpcTransport(endpoint)


class SyncStatus(enum.Enum):
    """How a synchronisation ended."""

    DRAINED = "drained"
    """Everything enqueued is decided."""
    UNREACHABLE = "unreachable"
    """The server was not reached within the patience given. Intents are safe."""
    DEFERRED = "deferred"
    """The server was reached and put the rest off. Intents are safe."""
    STOPPED = "stopped"
    """Somebody has to act first: see `stop_reason`. Intents are safe."""
    HALTED = "halted"
    """A queue is in conflict; what remains of it waits for the shopper."""


@dataclass(frozen=True)
class SyncReport:
    """What a synchronisation did. Counts are numbers of operations."""

    status: SyncStatus
    message: str = ""
    stop_reason: StopReason | None = None
    tally: Tally = field(default_factory=Tally)
    pending_count: int = 0
    carts_read: bool = False

    @property
    def needs_shopper(self) -> bool:
        """Whether something came out of it that the shopper should look at: not everything was done as asked."""
        return (
            self.status in {SyncStatus.STOPPED, SyncStatus.HALTED}
            or self.tally.count(Fate.REJECTED) > 0
            or any(notice.needs_action for notice in self.tally.notices)
        )


class CartClient:
    """A shopper's client: durable queues in `path`, one server, one credential.

    `token` is the bearer credential; it is needed for `sync` only, kept in memory, and never shown. Raises
    `StoreError` when the folder cannot be used. Not for use by several threads; several processes are fine.
    """

    def __init__(
        self,
        path: str | Path,
        server: str = "127.0.0.1:7443",
        token: str = "",
        *,
        endpoint: Endpoint | None = None,
        locale: str = "",
        connect: Callable[[Endpoint], Transport] | None = None,
        queues: QueueFile | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._folder = Path(path).expanduser()
        self._endpoint = endpoint or Endpoint(server, token)
        self._server = self._endpoint.address
        self._connect = connect or _connect_by_grpc
        self._sleep = sleep
        self._monotonic = monotonic
        self._random = random
        self._session = operation_pb2.SessionContext(
            locale=locale, client_name="cartsync", client_version=importlib.metadata.version("cartsync")
        )
        self.queues = queues or QueueFile.open(self._folder)

    def __enter__(self) -> CartClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the store. Everything is on disk already."""
        self.queues.close()

    # ---- writing intents down --------------------------------------------------------------------------------

    def enqueue(self, operations: Sequence[operation_pb2.CartOperation]) -> list[Enqueued]:
        """Writes down intents made by `reference_client.intents`, all or none. On disk when it returns."""
        stamped = []
        for operation in operations:
            copy = operation_pb2.CartOperation()
            copy.CopyFrom(operation)
            copy.session_context.CopyFrom(self._session)
            stamped.append(copy)
        return self.queues.enqueue(self._server, stamped)

    def add(
        self,
        sku: str,
        *,
        price: Price | str,
        quantity: int = 1,
        cart: str = DEFAULT_CART,
        max_price: Price | str | None = None,
        clamp: bool = False,
    ) -> Enqueued:
        """Puts `quantity` of a product into the cart. `price`, for example "2.55GBP", is what the shopper saw."""
        operation = intents.add_item(
            sku,
            quantity=quantity,
            price=_price(price),
            cart_id=cart,
            max_price=None if max_price is None else _price(max_price),
            policy=CLAMP if clamp else EXACT,
        )
        return self.enqueue([operation])[0]

    def set_quantity(
        self, sku: str, quantity: int, *, cart: str = DEFAULT_CART, clamp: bool = False, guard: int | None = None
    ) -> Enqueued:
        """Sets the quantity of a line, 0 or more. `guard`: only if no other queue changed it since that revision."""
        policy = CLAMP if clamp else EXACT
        return self.enqueue(
            [intents.set_quantity(sku, quantity, cart_id=cart, policy=policy, unless_changed_since=guard)]
        )[0]

    def adjust(
        self, sku: str, delta: int, *, cart: str = DEFAULT_CART, clamp: bool = False, guard: int | None = None
    ) -> Enqueued:
        """Moves the quantity of a line by `delta`, not 0."""
        policy = CLAMP if clamp else EXACT
        return self.enqueue(
            [intents.adjust_quantity(sku, delta, cart_id=cart, policy=policy, unless_changed_since=guard)]
        )[0]

    def remove(self, sku: str, *, cart: str = DEFAULT_CART, guard: int | None = None) -> Enqueued:
        """Takes a line out of the cart."""
        return self.enqueue([intents.remove_item(sku, cart_id=cart, unless_changed_since=guard)])[0]

    def apply_coupon(self, code: str, *, cart: str = DEFAULT_CART) -> Enqueued:
        """Puts a coupon on the cart. What it takes off is seen after the next sync."""
        return self.enqueue([intents.apply_coupon(code, cart_id=cart)])[0]

    def remove_coupon(self, code: str, *, cart: str = DEFAULT_CART) -> Enqueued:
        """Takes a coupon off the cart."""
        return self.enqueue([intents.remove_coupon(code, cart_id=cart)])[0]

    @property
    def account(self) -> Account:
        """What the shopper keeps beside the carts: wishlist, address book, payment methods."""
        return Account(self.queues, self._server, self.enqueue)

    def discard(self, sequence: int) -> None:
        """Asks to cancel an undecided operation. Only the server's answer, at the next sync, cancels it."""
        self.queues.discard(self._server, sequence, self._session)

    # ---- looking -----------------------------------------------------------------------------------------------

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._server

    @property
    def folder(self) -> Path:
        """Where the queues of this shopper are."""
        return self._folder

    def connect(self) -> Transport:
        """A way to the server beside `sync`; the caller shuts it down. Raises `CredentialError`."""
        return self._connect(self._endpoint)

    def view(self, cart: str = DEFAULT_CART) -> CartView:
        """The cart as the shopper should see it now: last snapshot, and everything since on top."""
        snapshot = self.queues.snapshot(self._server, cart)
        on_top = self.queues.on_top(self._server, cart)
        if snapshot is None:
            return project(cart, None, None, on_top)
        return project(cart, snapshot.cart, snapshot.receive_wall_ns, on_top)

    def queue(self) -> QueueRecord:
        """The queue that new intents go to."""
        return self.queues.open_active(self._server)

    def operations(self, queue_id: str | None = None) -> list[OperationRecord]:
        """The operations of a queue (default: the active one), ascending."""
        return self.queues.operations(queue_id or self.queue().queue_id)

    def notifications(self) -> list[NotificationRecord]:
        """What the shopper has not cleared yet, oldest first."""
        return self.queues.notifications()

    # ---- synchronising -----------------------------------------------------------------------------------------

    def sync(
        self,
        *,
        patience: float = 5.0,
        batch_limit: int | None = None,
        backoff: Backoff | None = None,
        pace: Callable[[], None] = lambda: None,
        read_carts: bool = True,
    ) -> SyncReport:
        """Sends what is pending, learns what became of it, and reads anew carts and what is kept beside them.

        `patience`: for how many seconds in all it may wait for a server that is away or puts things off.
        `pace` is called before each submission. Raises `QueueBusyError` when another process is at it,
        `CredentialError` when the credential cannot be sent as it is, and `StoreError`. Safe to call, and to kill, at
        any time.
        """
        tally = Tally()
        give_up = self._monotonic() + patience

        def wait(command: m.Wait) -> None:
            seconds = max(command.seconds, _LEAST_WAIT_SECONDS)
            if self._monotonic() + seconds > give_up:
                raise OutOfPatienceError(command)
            self._sleep(seconds)

        transport = self._connect(self._endpoint)
        try:
            while True:
                queue_id = self.queue().queue_id
                drainer = Drainer(
                    self.queues,
                    transport,
                    random=self._random,
                    wait=wait,
                    backoff=backoff,
                    batch_limit=batch_limit,
                    tally=tally,
                    pace=pace,
                )
                with queue_lock(self._folder, queue_id):
                    if self.queue().queue_id != queue_id:
                        continue  # whoever held the lock until now has halted or replaced it
                    ending = drainer.drain(queue_id)
                    if isinstance(ending, m.Replaced):
                        continue
                    read = isinstance(ending, m.Drained) and read_carts and self._read_anew(transport, queue_id)
                self.queues.prune()
                return self._report(ending, tally, carts_read=read)
        except OutOfPatienceError as error:
            status = SyncStatus.UNREACHABLE if is_unreachable(error.wait) else SyncStatus.DEFERRED
            return SyncReport(status, str(error), tally=tally, pending_count=self.queue().pending_count)
        finally:
            transport.shut_down()

    def _read_anew(self, transport: Transport, queue_id: str) -> bool:
        return read_anew(self.queues, transport, queue_id, [DEFAULT_CART])

    def _report(self, ending: m.Ending, tally: Tally, *, carts_read: bool) -> SyncReport:
        pending_count = self.queue().pending_count
        match ending:
            case m.Stopped(reason, message):
                return SyncReport(SyncStatus.STOPPED, message, reason, tally, pending_count)
            case m.Halted(message):
                return SyncReport(SyncStatus.HALTED, message, None, tally, pending_count)
            case _:
                return SyncReport(SyncStatus.DRAINED, "", None, tally, pending_count, carts_read)


def _price(price: Price | str) -> Price:
    return Price.parse(price) if isinstance(price, str) else price
