from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reference_server.engine import instants
from reference_server.ports import Promotion
from reference_server.promotions import FixedPromotions, PromotionsError, demo_promotions, load_promotions

HEADER = (
    "coupon_code,amount_off_minor,basis_points_off,currency,min_subtotal_minor,start_time,end_time,"
    "eligible_principals,one_per_principal,stackable"
)


def loaded(tmp_path: Path, text: str, name: str = "promotions.csv") -> FixedPromotions:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return load_promotions(file)


def test_a_csv_row_is_a_promotion(tmp_path: Path) -> None:
    row = "FIVER,500,,GBP,2000,2027-01-01T00:00:00Z,2027-02-01T01:00:00+01:00,ann bob,true,FALSE"
    promotions = loaded(tmp_path, f"{HEADER}\n{row}\nTENTH,,1000,,,,,,,true\n")
    assert promotions.promotion("ann", "FIVER") == Promotion(
        coupon_code="FIVER",
        amount_off_minor=500,
        currency_code="GBP",
        min_subtotal_minor=2000,
        min_subtotal_currency_code="GBP",
        start_time_us=instants.to_us(datetime(2027, 1, 1, tzinfo=UTC)),
        end_time_us=instants.to_us(datetime(2027, 2, 1, tzinfo=UTC)),
        eligible_principals=frozenset({"ann", "bob"}),
        one_per_principal=True,
    )
    assert promotions.promotion("bob", "TENTH") == Promotion(coupon_code="TENTH", basis_points_off=1000, stackable=True)
    assert promotions.promotion("ann", "tenth") is None


def test_a_json_object_is_a_promotion(tmp_path: Path) -> None:
    entry = {"coupon_code": "TENTH", "basis_points_off": 1000, "eligible_principals": ["ann"]}
    promotions = loaded(tmp_path, json.dumps({"promotions": [entry]}), "promotions.json")
    assert promotions.promotion("ann", "TENTH") == Promotion(
        coupon_code="TENTH", basis_points_off=1000, eligible_principals=frozenset({"ann"})
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",,1000,,,,,,,", "column 'coupon_code' is missing"),
        (" X,,1000,,,,,,,", "column 'coupon_code' is ' X'"),
        ("X,,,,,,,,,", "Give it or basis_points_off, one of the two"),
        ("X,500,1000,GBP,,,,,,", "Give it or basis_points_off, one of the two"),
        ("X,500,,,,,,,,", "column 'currency' is missing"),
        ("X,0,,GBP,,,,,,", "column 'amount_off_minor' is '0'"),
        ("X,,10001,,,,,,,", "column 'basis_points_off' is '10001'"),
        ("X,,1000,,-1,,,,,", "column 'currency' is missing"),
        ("X,,1000,GBP,-1,,,,,", "column 'min_subtotal_minor' is '-1'"),
        ("X,,1000,,,yesterday,,,,", "column 'start_time' is 'yesterday'. It must be an RFC 3339 time"),
        ("X,,1000,,,,2027-01-01T00:00:00,,,", "column 'end_time'"),
        ("X,,1000,,,,,ann/bob,,", "column 'eligible_principals' is 'ann/bob'"),
        ("X,,1000,,,,,,perhaps,", "column 'one_per_principal' is 'perhaps'"),
        ("OK,,1000,,,,,,,", ":3: column 'coupon_code': 'OK' is already at"),
    ],
)
def test_a_wrong_row_is_named_by_place_column_and_way_out(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(PromotionsError) as caught:
        loaded(tmp_path, f"{HEADER}\nOK,,1,,,,,,,\n{row}\n")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named_with_its_flag(tmp_path: Path) -> None:
    with pytest.raises(PromotionsError, match="Give a readable file to --promotions"):
        load_promotions(tmp_path / "none.csv")


def test_the_demo_takes_ten_percent_off() -> None:
    promotion = demo_promotions().promotion("ann", "TEA10")
    assert promotion is not None
    assert promotion.basis_points_off == 1000


def test_a_promotion_takes_off_an_amount_or_a_share_and_not_both() -> None:
    for amount, share in ((None, None), (1, 1)):
        with pytest.raises(ValueError, match="one of the two"):
            Promotion(coupon_code="X", amount_off_minor=amount, basis_points_off=share)
