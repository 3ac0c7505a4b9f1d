"""Vendure's active order through its shop API, one GraphQL call for each thing a shopper does."""

from __future__ import annotations

from typing import Any

from cartsync.v1 import reason_pb2

from examples.adapters.carts import Line, RefusedError, SignedOutError, call

_ORDER = "currencyCode lines { id quantity unitPrice productVariant { sku } }"
_WRITTEN = f"__typename ... on Order {{ {_ORDER} }} ... on ErrorResult {{ errorCode message }}"
_STOCK = f"{_WRITTEN} ... on InsufficientStockError {{ quantityAvailable }}"


class Vendure:
    """The shop at `url`; a token is one of the shop's own sessions."""

    name, version, max_line_quantity = "vendure", "3.7.3", 999

    def __init__(self, url: str) -> None:
        self._api = f"{url}/shop-api"

    def account(self, token: str) -> str:
        me = self._ask(token, "query { me { id } }")["me"] if token else None
        if me is None:
            raise SignedOutError
        return str(me["id"])

    def cart(self, token: str) -> dict[str, Line]:
        return _lines(self._ask(token, f"query {{ activeOrder {{ {_ORDER} }} }}")["activeOrder"])

    def add(self, token: str, sku: str, quantity: int) -> dict[str, Line]:
        found = self._ask(
            token,
            "query($sku: String!) { products(options: {filter: {name: {eq: $sku}}}) { items { variants { id sku } } } }",
            sku=sku,
        )
        ids = [v["id"] for item in found["products"]["items"] for v in item["variants"] if v["sku"] == sku]
        if not ids:
            raise RefusedError(reason_pb2.REASON_SKU_UNKNOWN, "the shop shows no such product")
        mutation = f"mutation($id: ID!, $n: Int!) {{ done: addItemToOrder(productVariantId: $id, quantity: $n) {{ {_STOCK} }} }}"
        return self._write(token, mutation, id=ids[0], n=quantity)

    def set(self, token: str, line: Line, quantity: int) -> dict[str, Line]:
        mutation = f"mutation($id: ID!, $n: Int!) {{ done: adjustOrderLine(orderLineId: $id, quantity: $n) {{ {_STOCK} }} }}"
        return self._write(token, mutation, id=line.handle, n=quantity)

    def remove(self, token: str, line: Line) -> dict[str, Line]:
        mutation = f"mutation($id: ID!) {{ done: removeOrderLine(orderLineId: $id) {{ {_WRITTEN} }} }}"
        return self._write(token, mutation, id=line.handle)

    def _write(self, token: str, mutation: str, **variables: Any) -> dict[str, Line]:
        done = self._ask(token, mutation, **variables)["done"]
        if done["__typename"] == "Order":
            return _lines(done)
        reasons = {
            "INSUFFICIENT_STOCK_ERROR": reason_pb2.REASON_INSUFFICIENT_INVENTORY,
            "ORDER_LIMIT_ERROR": reason_pb2.REASON_LINE_LIMIT_EXCEEDED,
            "NEGATIVE_QUANTITY_ERROR": reason_pb2.REASON_MALFORMED,
        }
        reason = reasons.get(done["errorCode"], reason_pb2.REASON_CART_CLOSED)
        raise RefusedError(reason, done["message"], done.get("quantityAvailable") or 0)

    def _ask(self, token: str, query: str, **variables: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        status, answer, _ = call("POST", self._api, {"query": query, "variables": variables}, headers)
        if not isinstance(answer, dict) or answer.get("errors"):
            raise RefusedError(reason_pb2.REASON_INTERNAL, f"the shop failed with {status}: {str(answer)[:150]}")
        return answer["data"]


def _lines(order: dict[str, Any] | None) -> dict[str, Line]:
    lines = [] if order is None else order["lines"]
    currency = "" if order is None else order["currencyCode"]
    return {
        line["productVariant"]["sku"]: Line(line["id"], line["quantity"], line["unitPrice"], currency)
        for line in lines
        if line["quantity"]
    }
