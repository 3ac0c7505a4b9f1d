"""From a plan to closed books: a server and devices are set up, the day is played, the accounts are collected."""

from __future__ import annotations

import csv
import random as random_module
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from cartsync.v1 import service_pb2, service_pb2_grpc

from benchmarks.real_orders.books import Accounts, Books, limits_of
from benchmarks.real_orders.day import Day
from benchmarks.real_orders.exceptions import PlayError
from benchmarks.real_orders.playing import CART, CURRENCY, Device, Player, principal_of
from benchmarks.real_orders.recording import Recording
from benchmarks.real_orders.relay import LinkTally, Relay
from conformance.exceptions import NotTestableError, TargetUnreachableError
from conformance.wire.history import History
from conformance.wire.shop import Shop
from conformance.wire.target import Target, TargetOptions
from reference_client.drainer.drainer import Tally

LATENCY_SECONDS = 0.04
_CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Settings:
    """How a day is played. `seconds`: how long the recording, and with it the day, may take."""

    seconds: float = 40.0
    seed: int = 1
    workers: int = 4
    batch: int = 8
    consent: int | None = None
    """By how many percent a price may have risen before an add is to be refused; None: by any."""


@dataclass(frozen=True)
class Result:
    """What came out of a day."""

    books: Books
    sent: Tally
    sync_count: int
    link: LinkTally
    price_move_count: int
    seconds: float


def run(day: Day, recording: Recording, settings: Settings, folder: Path, progress: Callable[[str], None]) -> Result:
    """Plays a day and closes the books. Raises PlayError when it cannot be played to its end."""
    catalog = folder / "catalog.csv"
    write_catalog(catalog, day.opening_prices)
    command = shlex.join(
        [sys.executable, "-m", "reference_server.cli", "serve", "--log-level", "warning", "--catalog", str(catalog)]
    )
    draw = random_module.Random(settings.seed)
    try:
        with (
            Target(TargetOptions(launch=command)) as target,
            Relay(target.address, latency=LATENCY_SECONDS, random=draw.random) as relay,
            _shop(target, "shop") as shop,
        ):
            devices = _devices(day, folder, shop, settings.seed)
            player = Player(
                day,
                recording.squeezed(settings.seconds),
                devices,
                relay,
                shop,
                workers=settings.workers,
                batch=settings.batch,
                consent=settings.consent,
                progress=progress,
            )
            player.play()
            progress("comparing the accounts with the oracle's")
            books = _close_books(target, relay.address, devices, player)
            syncs = sum(device.sync_count for device in devices.values())
            sent = _sum_of([device.tally for device in devices.values()])
            return Result(books, sent, syncs, relay.tally, player.feed.move_count, player.seconds)
    except (TargetUnreachableError, NotTestableError, grpc.RpcError) as error:
        raise PlayError(f"the server failed: {error}") from error


def write_catalog(file: Path, prices: dict[str, int]) -> None:
    """Writes offers, without counted stock, as the reference server reads them."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["sku", "currency", "unit_price_minor"])
        writer.writerows([sku, CURRENCY, price] for sku, price in sorted(prices.items()))


@contextmanager
def _shop(target: Target, principal: str) -> Iterator[Shop]:
    shop = Shop(target, principal, History())
    try:
        yield shop
    finally:
        shop.close()


def _devices(day: Day, folder: Path, shop: Shop, seed: int) -> dict[str, Device]:
    return {
        customer: Device(customer, folder / "devices" / customer, shop.credential(principal_of(customer)), seed)
        for customer in day.customers
    }


def _close_books(target: Target, relayed: str, devices: dict[str, Device], player: Player) -> Books:
    books = Books()
    with target.channel() as channel:
        stub = service_pb2_grpc.CartSyncServiceStub(channel)
        for device in devices.values():
            metadata = (("authorization", device.authorization),)
            policy = stub.GetSyncPolicy(
                service_pb2.GetSyncPolicyRequest(), metadata=metadata, timeout=_CALL_SECONDS
            ).policy
            accounts = _collect(target, stub, relayed, device, policy.max_submission_operation_count)
            books.enter(device.customer, accounts, limits_of(policy), player.feed)
    return books


def _collect(
    target: Target, stub: service_pb2_grpc.CartSyncServiceStub, relayed: str, device: Device, range_size: int
) -> Accounts:
    metadata = (("authorization", device.authorization),)
    with device.open(relayed) as client:
        queue_ids = [queue.queue_id for queue in client.queues.queues()]
        operations = [operation for queue_id in queue_ids for operation in client.operations(queue_id)]
        notices = sum(notice.kind == "price_changed" for notice in client.notifications())
        device_cart = {line.sku: line.quantity for line in client.view(CART).lines}
    queue_id, count = queue_ids[0], len(device.captured)
    recorded = [
        stub.LookupOutcomes(
            service_pb2.LookupOutcomesRequest(
                queue_id=queue_id, first_sequence=first, last_sequence=min(first + range_size - 1, count)
            ),
            metadata=metadata,
            timeout=_CALL_SECONDS,
        )
        for first in range(1, count + 1, range_size)
    ]
    request = service_pb2.GetCartRequest(cart_id=CART, queue_id=queue_id)
    cart = stub.GetCart(request, metadata=metadata, timeout=_CALL_SECONDS)
    with _shop(target, device.principal) as ledger:
        effects = ledger.effects()
    return Accounts(queue_ids, device.captured, operations, device_cart, notices, recorded, cart, effects)


def _sum_of(tallies: list[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.submissions += tally.submissions
        total.attempts += tally.attempts
        total.duplicates += tally.duplicates
        total.replayed += tally.replayed
    return total
