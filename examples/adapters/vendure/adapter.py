"""Vendure's active order through its shop API, one GraphQL call for each thing a shopper does."""

# ruff: noqa: D102 - what a shop does is said at `Shop`

from __future__ import annotations

from typing import Any

from cartsync.v1 import reason_pb2

from examples.adapters.carts import Line, RefusedError, SignedOutError, call

_ORDER = "currencyCode lines { id quantity unitPrice productVariant { sku } }"
_WRITTEN = f"__typename ... on Order {{ {_ORDER} }} ... on ErrorResult {{ errorCode message }}"
_STOCK = f"{_WRITTEN} ... on InsufficientStockError {{ quantityAvailable order {{ {_ORDER} }} }}"
_FIND = "query($sku: String!) { products(options: {filter: {name: {eq: $sku}}}) { items { variants { id sku } } } }"
_ADD = f"mutation($id: ID!, $n: Int!) {{ done: addItemToOrder(productVariantId: $id, quantity: $n) {{ {_STOCK} }} }}"
_SET = f"mutation($id: ID!, $n: Int!) {{ done: adjustOrderLine(orderLineId: $id, quantity: $n) {{ {_STOCK} }} }}"
_REMOVE = f"mutation($id: ID!) {{ done: removeOrderLine(orderLineId: $id) {{ {_WRITTEN} }} }}"


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

    def add(self, token: str, sku: str, quantity: int) -> tuple[int, dict[str, Line]]:
        found = self._ask(token, _FIND, sku=sku)
        ids = [v["id"] for item in found["products"]["items"] for v in item["variants"] if v["sku"] == sku]
        if not ids:
            raise RefusedError(reason_pb2.REASON_SKU_UNKNOWN, "the shop shows no such product")
        done = self._write(token, _ADD, id=ids[0], n=quantity)
        return done.get("quantityAvailable", quantity), _lines(done.get("order", done))

    def set(self, token: str, line: Line, quantity: int) -> dict[str, Line]:
        done = self._write(token, _SET, id=line.handle, n=quantity)
        return _lines(done.get("order", done))

    def remove(self, token: str, line: Line) -> dict[str, Line]:
        return _lines(self._write(token, _REMOVE, id=line.handle))

    def _write(self, token: str, mutation: str, **variables: Any) -> dict[str, Any]:
        """The order as the shop leaves it, or its word that stock was short and less was put in."""
        done: dict[str, Any] = self._ask(token, mutation, **variables)["done"]
        if done["__typename"] == "Order" or done.get("quantityAvailable"):
            return done
        reasons = {
            "INSUFFICIENT_STOCK_ERROR": reason_pb2.REASON_INSUFFICIENT_INVENTORY,
            "ORDER_LIMIT_ERROR": reason_pb2.REASON_LINE_LIMIT_EXCEEDED,
            "NEGATIVE_QUANTITY_ERROR": reason_pb2.REASON_MALFORMED,
        }
        reason = reasons.get(done["errorCode"], reason_pb2.REASON_CART_CLOSED)
        raise RefusedError(reason, done["message"])

    def _ask(self, token: str, query: str, **variables: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        status, answer, _ = call("POST", self._api, {"query": query, "variables": variables}, headers)
        if "FORBIDDEN" in str(answer)[:500]:
            raise SignedOutError
        if not isinstance(answer, dict) or answer.get("errors"):
            raise RefusedError(reason_pb2.REASON_INTERNAL, f"the shop failed with {status}: {str(answer)[:150]}")
        return answer["data"]


def _lines(order: dict[str, Any] | None) -> dict[str, Line]:
    lines = [] if order is None else order["lines"]
    currency = "" if order is None else order["currencyCode"]
    return {
        line["productVariant"]["sku"]: Line(line["id"], line["quantity"], line["unitPrice"], currency) for line in lines
    }
