"""django-oscar's basket through django-oscar-api, one REST call for each thing a shopper does."""

# ruff: noqa: D102 - what a shop does is said at `Shop`

from __future__ import annotations

import re
from typing import Any

from cartsync.v1 import reason_pb2

from examples.adapters.carts import Line, RefusedError, SignedOutError, call


class DjangoOscar:
    """The shop at `url`; a token is one of the shop's own, of Django REST framework."""

    name, version, max_line_quantity = "django-oscar", "4.2.1 with django-oscar-api 3.3.0", 10000

    def __init__(self, url: str) -> None:
        self.api = f"{url}/api"
        self.sku_at: dict[str, str] = {}  # the catalogue's addresses: they never change

    def account(self, token: str) -> str:
        return str(self._call("GET", f"{self.api}/basket/", token)["owner"]).rstrip("/").rsplit("/", 1)[-1]

    def cart(self, token: str) -> dict[str, Line]:
        basket = self._call("GET", f"{self.api}/basket/", token)
        return {self._sku(line["product"]): _line(line) for line in self._call("GET", basket["lines"], token)}

    def add(self, token: str, sku: str, quantity: int) -> tuple[int, dict[str, Line]]:
        self._call("POST", f"{self.api}/basket/add-product/", token, {"url": self._url(sku), "quantity": quantity})
        return quantity, self.cart(token)

    def set(self, token: str, line: Line, quantity: int) -> dict[str, Line]:
        self._call("PATCH", line.handle, token, {"quantity": quantity})
        return self.cart(token)

    def remove(self, token: str, line: Line) -> dict[str, Line]:
        self._call("DELETE", line.handle, token)
        return self.cart(token)

    def _call(self, method: str, url: str, token: str, body: Any = None) -> Any:
        status, answer, _ = call(method, url, body, {"Authorization": f"Token {token}"} if token else {})
        if status in (401, 403) or (
            method == "GET" and status == 200 and url.endswith("/basket/") and not answer["owner"]
        ):
            raise SignedOutError
        if status >= 500:
            raise RefusedError(reason_pb2.REASON_INTERNAL, f"the shop failed with {status}")
        if status >= 400:
            words = str(answer)
            most = re.search(r"maximum of (\d+)", words)
            limit = "technical limitations" in words
            reason = reason_pb2.REASON_LINE_LIMIT_EXCEEDED if limit else reason_pb2.REASON_INSUFFICIENT_INVENTORY
            raise RefusedError(reason, words[:200], int(most[1]) if most else 0)
        return answer

    def _url(self, sku: str) -> str:
        found = next((url for url, known in self.sku_at.items() if known == sku), None)
        if found is None:
            self._read_catalogue()
            found = next((url for url, known in self.sku_at.items() if known == sku), None)
        if found is None:
            raise RefusedError(reason_pb2.REASON_SKU_UNKNOWN, "the catalogue has no such product")
        return found

    def _sku(self, url: str) -> str:
        if url not in self.sku_at:
            self._read_catalogue()
        return self.sku_at[url]

    def _read_catalogue(self) -> None:
        self.sku_at.update({p["url"]: p["upc"] for p in call("GET", f"{self.api}/products/")[1]})


def _line(line: dict[str, Any]) -> Line:
    minor_units = round(float(line["price_excl_tax_excl_discounts"]) * 100)
    return Line(line["url"], line["quantity"], minor_units // max(line["quantity"], 1), line["price_currency"])
