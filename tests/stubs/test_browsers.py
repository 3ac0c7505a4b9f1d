"""What a browser can call suffices: a queue drains through unary calls alone, whatever is lost or repeated."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from browser_gate import FAULTS, Fault, gate_before
from cartsync.v1 import service_pb2, service_pb2_grpc

from reference_client import CartClient, SyncStatus
from reference_client.drainer.endpoint import Endpoint
from tools.stubs_check.languages import ROOT
from tools.stubs_check.shop import Shop, open_shop

GUIDE = ROOT / "docs" / "guides" / "browsers.md"
PROTO = ROOT / "proto"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


def some_faults(seed: int) -> Fault:
    chance = random.Random(seed)
    return lambda _method: chance.choice(("ok", *FAULTS))


def shopper(folder: Path, address: str, principal: str, *, unary_only: bool) -> CartClient:
    endpoint = Endpoint(address, f"dev:{principal}", tls=False, unary_only=unary_only)
    return CartClient(folder / principal, endpoint=endpoint, sleep=lambda _seconds: None, monotonic=lambda: 0.0)


def shop_for_a_day(client: CartClient) -> None:
    """Twelve intents: some change the cart, some are refused, one is granted in part."""
    for round_number in range(2):
        client.add("TEA-EARL-GREY-50", price="4.25GBP", quantity=2)
        client.add("MUG-RED", price="7.99GBP", quantity=2, clamp=True)
        client.add("NO-SUCH-PRODUCT", price="1.00GBP")
        client.set_quantity("CAKE-TIN", 4 + round_number)
        client.adjust("TEA-EARL-GREY-50", -1)
        client.remove("LANTERN-WHITE")


def what_became_of_it(client: CartClient, shop: Shop, principal: str) -> tuple[object, ...]:
    """What the device believes and what the server's ledger holds; equal for two shoppers who fared alike."""
    decided = [(operation.sequence, operation.state) for operation in client.operations()]
    lines = [(line.sku, line.quantity, line.confirmed_quantity) for line in client.view().lines]
    return decided, lines, shop.effects(principal)


@pytest.mark.parametrize("seed", range(4))
def test_a_queue_drained_by_unary_calls_through_loss_and_repeats_ends_as_one_drained_by_sync(
    shop: Shop, tmp_path: Path, seed: int
) -> None:
    streaming, browser = f"streaming-{seed}", f"browser-{seed}"
    with shopper(tmp_path, shop.address, streaming, unary_only=False) as client:
        shop_for_a_day(client)
        assert client.sync().status is SyncStatus.DRAINED
        by_sync = what_became_of_it(client, shop, streaming)
        assert len(shop.effects(streaming)) == 8, "the two unknown products and the two vain removals change nothing"

    with (
        gate_before(shop.address, some_faults(seed)) as gate,
        shopper(tmp_path, gate.address, browser, unary_only=True) as client,
    ):
        shop_for_a_day(client)
        report = client.sync(patience=float("inf"), batch_limit=2)
        gate.fault = lambda _method: "ok"  # the cart is read when the line is good again
        assert client.sync().carts_read
        assert report.status is SyncStatus.DRAINED
        assert report.tally.duplicates > 0, "something has to have been sent twice"
        assert {"lose_request", "lose_answer", "repeat"} <= set(gate.faults_met)
        assert what_became_of_it(client, shop, browser) == by_sync
        assert not gate.refused, "nothing a browser cannot call was tried"
        reads = {"ListWishlist", "ListAddresses", "ListPaymentMethods"}
        assert set(gate.called) - reads == {"GetSyncPolicy", "SubmitOperations", "LookupOutcomes", "GetCart"}


def test_a_client_that_would_stream_finds_out_at_a_browsers_gate_and_goes_on_without(
    shop: Shop, tmp_path: Path
) -> None:
    with (
        gate_before(shop.address) as gate,
        shopper(tmp_path, gate.address, "optimist", unary_only=False) as client,
    ):
        client.add("TEA-EARL-GREY-50", price="4.25GBP")
        assert client.sync().status is SyncStatus.DRAINED
        assert gate.refused == ["Sync"]
    assert len(shop.effects("optimist")) == 1


def test_a_browser_watches_a_cart_that_another_device_changes(shop: Shop, tmp_path: Path) -> None:
    """`WatchCart` streams from the server alone, which a browser's gate lets through."""
    credential = (("authorization", "Bearer dev:watcher"),)
    with (
        gate_before(shop.address) as gate,
        grpc.insecure_channel(gate.address) as channel,
        shopper(tmp_path, gate.address, "watcher", unary_only=True) as other_device,
    ):
        stub = service_pb2_grpc.CartSyncServiceStub(channel)
        request = service_pb2.WatchCartRequest(cart_id="main", queue_id=str(uuid.uuid4()))
        watch = stub.WatchCart(request, metadata=credential, timeout=30)
        assert next(watch).cart.revision == 0
        other_device.add("MUG-BLUE", price="8.50GBP", quantity=3)
        assert other_device.sync().status is SyncStatus.DRAINED
        seen = next(watch).cart
        assert [(line.sku, line.quantity) for line in seen.lines] == [("MUG-BLUE", 3)]
        watch.cancel()
        assert not gate.refused
