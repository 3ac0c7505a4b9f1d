"""The shop's offers, read from a file once at start.

CSV, UTF-8, with a header line that names the columns, in any order:

| column | required | value |
|---|---|---|
| `sku` | yes | 1 to 64 characters, no control character, no space at either end; each SKU once |
| `currency` | yes | ISO 4217 code, for example GBP |
| `unit_price_minor` | yes | whole minor units, 0 or more: 255 is GBP 2.55 |
| `listed` | no | `true` or `false`; absent or empty means true |
| `available_quantity` | no | 0 or more; absent or empty means that stock is not counted |

JSON: `{"offers": [{"sku": …, "currency": …, "unit_price_minor": …, "listed": …, "available_quantity": …}]}`
with the same names and rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reference_server.engine.identifiers import SKU_FORM, is_sku
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Offer
from reference_server.tables import Layout, Row, TableError, read_rows

MAX_AVAILABLE_QUANTITY = 2**31 - 1

DEMO_OFFERS = (
    Offer("TEA-EARL-GREY-50", "GBP", 425, listed=True, available_quantity=None),
    Offer("MUG-BLUE", "GBP", 850, listed=True, available_quantity=40),
    Offer("MUG-RED", "GBP", 850, listed=True, available_quantity=3),
    Offer("LANTERN-WHITE", "GBP", 339, listed=True, available_quantity=None),
    Offer("CAKE-TIN", "GBP", 1275, listed=True, available_quantity=12),
    Offer("BISCUITS-RETIRED", "GBP", 199, listed=False, available_quantity=0),
)


class CatalogError(TableError):
    """The catalogue file cannot be used; the message names place, problem and way out."""


_LAYOUT = Layout(
    list_name="offers",
    flag="--catalog",
    required=("sku", "currency", "unit_price_minor"),
    optional=("listed", "available_quantity"),
    error=CatalogError,
)


class FixedCatalog:
    """Offers that never change and always answer, the same for every principal."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = dict(offers)

    def __len__(self) -> int:
        return len(self._offers)

    def offer(self, principal: str, sku: str) -> Offer | None:  # noqa: ARG002 - the shop is the same for all
        """The offer of `sku`, None when the catalogue does not know it."""
        return self._offers.get(sku)


def demo_catalog() -> FixedCatalog:
    """A few products in GBP, so that the server runs with no catalogue file."""
    return FixedCatalog({offer.sku: offer for offer in DEMO_OFFERS})


def load_catalog(path: Path) -> FixedCatalog:
    """Read `path`: JSON when its name ends in .json, CSV otherwise.

    Raises CatalogError for the first thing that is wrong.
    """
    offers: dict[str, Offer] = {}
    places: dict[str, str] = {}
    for row in read_rows(path, _LAYOUT):
        offer = _offer(row)
        if offer.sku in offers:
            raise CatalogError(
                f"{row.place}: column 'sku': {offer.sku!r} is already at {places[offer.sku]}. Keep one of the two."
            )
        offers[offer.sku] = offer
        places[offer.sku] = row.place
    return FixedCatalog(offers)


def _offer(row: Row) -> Offer:
    sku = row.text("sku")
    if sku is None or not is_sku(sku):
        raise row.wrong("sku", f"It {SKU_FORM}.")
    return Offer(
        sku=sku,
        currency_code=row.currency("currency"),
        unit_price_minor=row.whole_number(
            "unit_price_minor", 0, MAX_UNIT_PRICE_MINOR, "in minor units, without point or sign: 255 for GBP 2.55"
        ),
        listed=row.flag("listed", absent=True),
        available_quantity=(
            row.whole_number("available_quantity", 0, MAX_AVAILABLE_QUANTITY, "a count")
            if row.has("available_quantity")
            else None
        ),
    )
