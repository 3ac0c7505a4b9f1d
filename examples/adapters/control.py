"""The three calls of the conformance control service that a shop's own administration can answer.

Accounts and products are made through the shop's ordinary APIs; nothing here touches a basket.
"""

# ruff: noqa: N802, ARG002, D102 - the generated base class names them; what a shop does is said at `Administration`

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import grpc
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc

from examples.adapters.carts import call


class Administration(Protocol):
    """What the suite needs arranged in a shop: an account and a token of it; a product, made or changed."""

    name: str
    version: str

    def sign_up(self, name: str) -> str: ...
    def put_offer(self, sku: str, price: int, currency: str, listed: bool, available: int | None) -> None: ...


class Control(control_pb2_grpc.ControlServiceServicer):
    """Describe, IssueCredential and PutOffer; everything else is UNIMPLEMENTED, and so not testable."""

    def __init__(self, administration: Administration) -> None:
        self._shop = administration

    def Describe(self, request: Any, context: grpc.ServicerContext) -> control_pb2.DescribeResponse:
        """Which shop it is, and that it takes offers."""
        answer = control_pb2.DescribeResponse(
            name=self._shop.name, version=self._shop.version, capabilities=[control_pb2.CAPABILITY_OFFERS]
        )
        answer.current_time.GetCurrentTime()
        return answer

    def IssueCredential(self, request: Any, context: grpc.ServicerContext) -> control_pb2.IssueCredentialResponse:
        """An account of the shop, and a token of it."""
        return control_pb2.IssueCredentialResponse(authorization=f"Bearer {self._shop.sign_up(request.principal)}")

    def PutOffer(self, request: Any, context: grpc.ServicerContext) -> control_pb2.PutOfferResponse:
        """A product of the shop."""
        available = request.available_quantity if request.HasField("available_quantity") else None
        price = request.unit_price
        try:
            self._shop.put_offer(request.sku, price.minor_units, price.currency_code, request.listed, available)
        except ValueError as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        return control_pb2.PutOfferResponse()


class OscarAdministration:
    """django-oscar-api: registration, tokens, and the admin API with a clerk's token."""

    name, version = "django-oscar", "4.2.1 with django-oscar-api 3.3.0"

    def __init__(self, url: str, clerk_token: str) -> None:
        self._api, self._clerk = f"{url}/api", {"Authorization": f"Token {clerk_token}"}
        self._products: dict[str, tuple[str, int]] = {}
        self._partner = call("GET", f"{self._api}/admin/partners/", None, self._clerk)[1][0]["url"]

    def sign_up(self, name: str) -> str:
        email, password = f"{name}@shop.example", f"Secret-{name}"
        call("POST", f"{self._api}/register/", {"email": email, "password1": password, "password2": password})
        status, answer, _ = call("POST", f"{self._api}/token/", {"username": email, "password": password})
        if status != 200:
            raise ValueError(f"the shop gave no token: {answer}")
        return str(answer["token"])

    def put_offer(self, sku: str, price: int, currency: str, listed: bool, available: int | None) -> None:
        """A product whose UPC is the SKU, with one stock record."""
        stock = {"partner": self._partner, "partner_sku": sku, "price": f"{price // 100}.{price % 100:02}",
                 "price_currency": currency, "num_in_stock": available or 0}  # fmt: skip
        product = {"product_class": "uncounted" if available is None else "counted", "structure": "standalone",
                   "upc": sku, "title": sku, "slug": "product", "is_public": listed, "categories": [],
                   "stockrecords": [stock]}  # fmt: skip
        known = self._products.get(sku)
        url = known[0] if known else f"{self._api}/admin/products/"
        if known:
            stock["id"] = known[1]
        status, answer, _ = call("PUT" if known else "POST", url, product, self._clerk)
        if status not in (200, 201):
            raise ValueError(f"the shop did not take the product: {answer}")
        if not known:
            records = call("GET", f"{self._api}/products/{answer['id']}/stockrecords/", None, self._clerk)[1]
            self._products[sku] = (f"{self._api}/admin/products/{answer['id']}/", records[0]["id"])


class VendureAdministration:
    """Vendure's admin API, signed in as its superadmin."""

    name, version = "vendure", "3.7.3"

    def __init__(self, url: str, password: str) -> None:
        self._admin, self._shop, self._session = f"{url}/admin-api", f"{url}/shop-api", ""
        self._variants: dict[str, str] = {}
        signed_in = self._login(self._admin, "superadmin", password)
        self._session = signed_in
        self._ask("mutation { updateChannel(input: {id: 1, defaultCurrencyCode: GBP, availableCurrencyCodes: [GBP]})"
                  " { __typename } }")  # fmt: skip

    def _login(self, api: str, name: str, password: str) -> str:
        query = "mutation($n: String!, $p: String!) { login(username: $n, password: $p) { __typename } }"
        _, _, headers = call("POST", api, {"query": query, "variables": {"n": name, "p": password}})
        return str(headers["vendure-auth-token"])

    def _ask(self, query: str, **variables: Any) -> Any:
        _, answer, _ = call("POST", self._admin, {"query": query, "variables": variables},
                            {"Authorization": f"Bearer {self._session}"})  # fmt: skip
        if not isinstance(answer, dict) or answer.get("errors"):
            raise ValueError(f"the shop's administration says {str(answer)[:300]}")
        return answer["data"]

    def sign_up(self, name: str) -> str:
        email = f"{name.lower()}@shop.example"
        self._ask("mutation($e: String!, $p: String!) { createCustomer(input: {emailAddress: $e, firstName: \"A\","
                  " lastName: \"B\"}, password: $p) { __typename } }", e=email, p=f"Secret-{name}")  # fmt: skip
        return self._login(self._shop, email, f"Secret-{name}")

    def put_offer(self, sku: str, price: int, currency: str, listed: bool, available: int | None) -> None:
        """A product of one variant, both named by the SKU."""
        if currency != "GBP":
            raise ValueError("this shop's one channel sells in GBP")
        fields = {"sku": sku, "price": price, "stockOnHand": available or 0, "enabled": listed,
                  "trackInventory": "FALSE" if available is None else "TRUE"}  # fmt: skip
        named = [{"languageCode": "en", "name": sku, "slug": sku, "description": ""}]
        if sku in self._variants:
            self._ask("mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }",
                      i=[{"id": self._variants[sku], **fields}])  # fmt: skip
            return
        made = self._ask("mutation($i: CreateProductInput!) { createProduct(input: $i) { id } }",
                         i={"enabled": True, "translations": named})  # fmt: skip
        one = {
            **fields,
            "productId": made["createProduct"]["id"],
            "translations": [{"languageCode": "en", "name": sku}],
        }
        one.pop("enabled")
        variants = self._ask("mutation($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id } }",
                             i=[one])["createProductVariants"]  # fmt: skip
        self._variants[sku] = variants[0]["id"]
        if not listed:
            self.put_offer(sku, price, currency, listed, available)


def server(administration: Administration, listen: str) -> grpc.Server:
    """The control service, not yet started."""
    made = grpc.server(ThreadPoolExecutor(8))
    control_pb2_grpc.add_ControlServiceServicer_to_server(Control(administration), made)
    made.add_insecure_port(listen)
    return made
