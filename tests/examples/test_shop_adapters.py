"""The example adapters, before shops that are played here: nothing is installed."""

from __future__ import annotations

import io
import json
import threading
import tokenize
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2, service_pb2, service_pb2_grpc

from examples.adapters.carts import Shop, StatelessCarts
from examples.adapters.django_oscar.adapter import DjangoOscar
from examples.adapters.vendure.adapter import Vendure

ADAPTERS = Path(__file__).parents[2] / "examples" / "adapters"


class PlayedShop(ThreadingHTTPServer):
    """One account (token `ann`), one product `tea` of 100, five of which are there; both shops' APIs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.quantity = 0
        self.writes: list[str] = []
        self.broken = False

    def rest(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        api = f"{self.url}/api"
        if path == "/api/products/":
            return 200, [{"url": f"{api}/products/1/", "upc": "tea"}]
        if path == "/api/basket/":
            owner = f"{api}/users/7/" if token == "Token ann" else None
            return 200, {"owner": owner, "lines": f"{api}/baskets/1/lines/"}
        if self.broken:
            return 500, "it broke"
        if method == "POST" and self.quantity + body["quantity"] > 5:
            return 406, {"reason": "a maximum of 5 can be bought"}
        if method != "GET":
            self.writes.append(method)
            self.quantity = self.quantity * (method == "POST") + (body or {"quantity": 0})["quantity"]
        line = {
            "url": f"{api}/baskets/1/lines/1/",
            "product": f"{api}/products/1/",
            "quantity": self.quantity,
            "price_excl_tax_excl_discounts": f"{self.quantity}.00",
            "price_currency": "GBP",
        }
        return 200, [line] if self.quantity else []

    def graphql(self, body: Any, token: str) -> tuple[int, Any]:
        query, variables = body["query"], body["variables"]
        known = token == "Bearer ann"
        if self.broken and "mutation" in query:
            return 200, {"errors": [{"message": "it broke"}], "data": None}
        if "me {" in query:
            return 200, {"data": {"me": {"id": "7"} if known else None}}
        if "products(" in query:
            items = [{"variants": [{"id": "1", "sku": "tea"}]}] if variables["sku"] == "tea" else []
            return 200, {"data": {"products": {"items": items}}}
        if "activeOrder" in query:
            return 200, {"data": {"activeOrder": self._order()}}
        self.writes.append("mutation")
        if "addItemToOrder" in query:
            room = 5 - self.quantity
            self.quantity += min(room, variables["n"])
            if room < variables["n"]:
                short = {"__typename": "InsufficientStockError", "errorCode": "INSUFFICIENT_STOCK_ERROR"}
                done = {**short, "message": "short", "quantityAvailable": room, "order": self._order()}
                return 200, {"data": {"done": done}}
        else:
            self.quantity = variables.get("n", 0)
        return 200, {"data": {"done": {"__typename": "Order", **self._order()}}}

    def _order(self) -> dict[str, Any]:
        line = {"id": "1", "quantity": self.quantity, "unitPrice": 100, "productVariant": {"sku": "tea"}}
        return {"currencyCode": "GBP", "lines": [line] if self.quantity else []}


class _Handler(BaseHTTPRequestHandler):
    server: PlayedShop

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
        token = self.headers.get("Authorization", "")
        if self.path == "/shop-api":
            status, answer = self.server.graphql(body, token)
        else:
            status, answer = self.server.rest(self.command, self.path, body, token)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - as http.server calls them

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def played() -> Iterator[PlayedShop]:
    with PlayedShop() as shop:
        threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield shop
        shop.shutdown()


@pytest.fixture(params=["django_oscar", "vendure"])
def carts(request: pytest.FixtureRequest, played: PlayedShop) -> Iterator[service_pb2_grpc.CartSyncServiceStub]:
    shop: Shop = DjangoOscar(played.url) if request.param == "django_oscar" else Vendure(played.url)
    server = grpc.server(ThreadPoolExecutor(4))
    service_pb2_grpc.add_CartSyncServiceServicer_to_server(StatelessCarts(shop), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service_pb2_grpc.CartSyncServiceStub(channel)
    server.stop(None)


def _submit(
    carts: service_pb2_grpc.CartSyncServiceStub, *operations: operation_pb2.CartOperation, token: str = "ann"
) -> list[outcome_pb2.Outcome]:
    request = service_pb2.SubmitOperationsRequest(queue_id="q", expected_principal="7")
    for number, operation in enumerate(operations, 1):
        operation.sequence = number
        request.attempts.add().operation.CopyFrom(operation)
    answer = carts.SubmitOperations(request, metadata=(("authorization", f"Bearer {token}"),))
    return [result.outcome for result in answer.results]


def _add(quantity: int, sku: str = "tea") -> operation_pb2.CartOperation:
    return operation_pb2.CartOperation(add_item=operation_pb2.AddItem(cart_id="main", sku=sku, quantity=quantity))


def _set(quantity: int) -> operation_pb2.CartOperation:
    return operation_pb2.CartOperation(
        set_quantity=operation_pb2.SetQuantity(cart_id="main", sku="tea", quantity=quantity)
    )


@pytest.mark.parametrize("shop", ["django_oscar", "vendure"])
def test_an_adapter_is_at_most_two_hundred_lines_of_code(shop: str) -> None:
    assert sum(_lines_of_code(ADAPTERS / name) for name in ("carts.py", f"{shop}/adapter.py")) <= 200


def test_the_control_service_is_at_most_two_hundred_lines() -> None:
    assert len((ADAPTERS / "control.py").read_text().splitlines()) <= 200


def test_an_add_that_is_sent_again_goes_to_the_shop_again(
    carts: service_pb2_grpc.CartSyncServiceStub, played: PlayedShop
) -> None:
    for _ in range(2):
        assert _submit(carts, _add(2))[0].state == reason_pb2.OUTCOME_STATE_APPLIED
    assert (played.quantity, len(played.writes)) == (4, 2)


def test_each_operation_is_one_write_and_is_answered_with_what_it_did(
    carts: service_pb2_grpc.CartSyncServiceStub, played: PlayedShop
) -> None:
    adjust = operation_pb2.CartOperation(
        adjust_quantity=operation_pb2.AdjustQuantity(cart_id="main", sku="tea", delta=-1)
    )
    remove = operation_pb2.CartOperation(remove_item=operation_pb2.RemoveItem(cart_id="main", sku="tea"))
    outcomes = _submit(carts, _add(2), _set(4), adjust, remove, remove)
    moves = [(o.line_change.quantity_before, o.line_change.quantity_after, o.changed) for o in outcomes]
    assert moves == [(0, 2, True), (2, 4, True), (4, 3, True), (3, 0, True), (0, 0, False)]
    assert len(played.writes) == 4


def test_a_cart_has_the_shops_prices(carts: service_pb2_grpc.CartSyncServiceStub, played: PlayedShop) -> None:
    played.quantity = 3
    request = service_pb2.GetCartRequest(cart_id="main")
    cart = carts.GetCart(request, metadata=(("authorization", "Bearer ann"),)).cart
    assert [(line.sku, line.quantity, line.unit_price.minor_units) for line in cart.lines] == [("tea", 3, 100)]
    assert (cart.subtotal.currency_code, cart.subtotal.minor_units) == ("GBP", 300)


def test_more_than_there_is_is_answered_as_the_shop_answers_it(played: PlayedShop) -> None:
    refused = StatelessCarts(DjangoOscar(played.url))
    clamped = StatelessCarts(Vendure(played.url))
    first, second = outcome_pb2.Outcome(), outcome_pb2.Outcome()
    with pytest.raises(Exception, match="maximum of 5"):
        refused._apply("ann", _add(6), first)
    clamped._apply("ann", _add(6), second)
    assert second.adjustments[0].quantity_clamped.granted_quantity == 5


def test_an_unknown_product_is_refused_without_a_write(
    carts: service_pb2_grpc.CartSyncServiceStub, played: PlayedShop
) -> None:
    assert _submit(carts, _add(1, "cake"))[0].refusal.reason == reason_pb2.REASON_SKU_UNKNOWN
    assert not played.writes


def test_a_failure_of_the_shop_is_a_deferral_and_nothing_is_tried_again(
    carts: service_pb2_grpc.CartSyncServiceStub, played: PlayedShop
) -> None:
    played.broken = True
    outcome = _submit(carts, _add(1))[0]
    assert outcome.state == reason_pb2.OUTCOME_STATE_DEFERRED
    assert outcome.refusal.reason == reason_pb2.REASON_INTERNAL
    assert not played.writes


def test_a_credential_the_shop_does_not_know_is_refused(carts: service_pb2_grpc.CartSyncServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _submit(carts, _add(1), token="bob")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def _lines_of_code(path: Path) -> int:
    """Lines with something on them that is neither a comment nor a text standing by itself."""
    lines: set[int] = set()
    idle = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in idle and not (fresh and token.type == tokenize.STRING):
            lines.update(range(token.start[0], token.end[0] + 1))
        fresh = token.type in idle
    return len(lines)
