"""The shop's promotions, read from a file once at start.

CSV or JSON as `tables` tells; the list in JSON is `promotions`:

| column | required | value |
|---|---|---|
| `coupon_code` | yes | 1 to 64 characters, no control character, no space at either end; each code once |
| `amount_off_minor` | one of the two | whole minor units, 1 or more: 500 is GBP 5.00 |
| `basis_points_off` | one of the two | hundredths of a percent of the subtotal, 1 to 10000: 1000 is ten percent |
| `currency` | with amounts | ISO 4217 code of `amount_off_minor` and `min_subtotal_minor` |
| `min_subtotal_minor` | no | the least subtotal; empty means none |
| `start_time` | no | RFC 3339 with zone, the first instant at which it is good; empty means always |
| `end_time` | no | the first instant at which it is no longer good; empty means never |
| `eligible_principals` | no | names with spaces between them (JSON: a list); empty means everybody |
| `one_per_principal` | no | `true` or `false`: on one cart of a principal only; empty means false |
| `stackable` | no | `true` or `false`: suffers others beside it; empty means false |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reference_server.clock import parse_time
from reference_server.credentials import is_principal_name
from reference_server.engine import instants
from reference_server.engine.identifiers import SKU_FORM, is_sku
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Promotion
from reference_server.tables import Layout, Row, TableError, read_rows

MAX_BASIS_POINTS = 10_000
MAX_SUBTOTAL_MINOR = 2**63 - 1

DEMO_PROMOTIONS = (Promotion(coupon_code="TEA10", basis_points_off=1_000, stackable=True),)


class PromotionsError(TableError):
    """The promotions file cannot be used; the message names place, problem and way out."""


_LAYOUT = Layout(
    list_name="promotions",
    flag="--promotions",
    required=("coupon_code",),
    optional=(
        "amount_off_minor",
        "basis_points_off",
        "currency",
        "min_subtotal_minor",
        "start_time",
        "end_time",
        "eligible_principals",
        "one_per_principal",
        "stackable",
    ),
    error=PromotionsError,
)


class FixedPromotions:
    """Promotions that never change and always answer."""

    def __init__(self, promotions: Mapping[str, Promotion]) -> None:
        self._promotions = dict(promotions)

    def __len__(self) -> int:
        return len(self._promotions)

    def promotion(self, principal: str, coupon_code: str) -> Promotion | None:  # noqa: ARG002 - the same for all
        """What the code stands for, None when it stands for nothing."""
        return self._promotions.get(coupon_code)


def demo_promotions() -> FixedPromotions:
    """Ten percent off with TEA10, so that there is something to try."""
    return FixedPromotions({promotion.coupon_code: promotion for promotion in DEMO_PROMOTIONS})


def load_promotions(path: Path) -> FixedPromotions:
    """Read `path`: JSON when its name ends in .json, CSV otherwise.

    Raises PromotionsError for the first thing that is wrong.
    """
    promotions: dict[str, Promotion] = {}
    places: dict[str, str] = {}
    for row in read_rows(path, _LAYOUT):
        promotion = _promotion(row)
        code = promotion.coupon_code
        if code in promotions:
            raise PromotionsError(
                f"{row.place}: column 'coupon_code': {code!r} is already at {places[code]}. Keep one of the two."
            )
        promotions[code] = promotion
        places[code] = row.place
    return FixedPromotions(promotions)


def _promotion(row: Row) -> Promotion:
    code = row.text("coupon_code")
    # Codes have the form of SKUs: operation.proto says the same of both.
    if code is None or not is_sku(code):
        raise row.wrong("coupon_code", f"It {SKU_FORM}.")
    if row.has("amount_off_minor") == row.has("basis_points_off"):
        raise row.wrong("amount_off_minor", "Give it or basis_points_off, one of the two.")
    has_amount, has_minimum = row.has("amount_off_minor"), row.has("min_subtotal_minor")
    currency = row.currency("currency") if has_amount or has_minimum else ""
    return Promotion(
        coupon_code=code,
        amount_off_minor=(
            row.whole_number("amount_off_minor", 1, MAX_UNIT_PRICE_MINOR, "in minor units: 500 for GBP 5.00")
            if has_amount
            else None
        ),
        currency_code=currency if has_amount else "",
        basis_points_off=(
            None if has_amount else row.whole_number("basis_points_off", 1, MAX_BASIS_POINTS, "hundredths of a percent")
        ),
        min_subtotal_minor=(
            row.whole_number("min_subtotal_minor", 0, MAX_SUBTOTAL_MINOR, "in minor units") if has_minimum else None
        ),
        min_subtotal_currency_code=currency if has_minimum else "",
        start_time_us=_instant_us(row, "start_time"),
        end_time_us=_instant_us(row, "end_time"),
        eligible_principals=_principals(row),
        one_per_principal=row.flag("one_per_principal", absent=False),
        stackable=row.flag("stackable", absent=False),
    )


def _instant_us(row: Row, column: str) -> int | None:
    if not row.has(column):
        return None
    moment = parse_time(row.text(column) or "")
    if moment is None:
        raise row.wrong(column, "It must be an RFC 3339 time with zone: 2027-01-31T00:00:00Z.")
    return instants.to_us(moment)


def _principals(row: Row) -> frozenset[str]:
    value = row.fields.get("eligible_principals")
    names = value.split() if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) and is_principal_name(name) for name in names):
        raise row.wrong("eligible_principals", "It takes names of 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    return frozenset(names)
