from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.catalog import DEMO_OFFERS, CatalogError, FixedCatalog, demo_catalog, load_catalog
from reference_server.engine.identifiers import is_sku
from reference_server.ports import MAX_UNIT_PRICE_MINOR, Offer

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = "sku,currency,unit_price_minor,listed,available_quantity"


def loaded(tmp_path: Path, text: str, name: str = "catalog.csv") -> FixedCatalog:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return load_catalog(file)


def problem(tmp_path: Path, text: str, name: str = "catalog.csv") -> str:
    with pytest.raises(CatalogError) as caught:
        loaded(tmp_path, text, name)
    return str(caught.value)


def test_a_csv_row_is_an_offer(tmp_path: Path) -> None:
    catalog = loaded(tmp_path, f'\ufeff{HEADER}\nTEA,GBP,255,true,\n\n"MUG, blue",EUR,0,FALSE,7\n')
    assert catalog.offer("ann", "TEA") == Offer("TEA", "GBP", 255, listed=True, available_quantity=None)
    assert catalog.offer("bob", "MUG, blue") == Offer("MUG, blue", "EUR", 0, listed=False, available_quantity=7)
    assert catalog.offer("ann", "tea") is None


def test_optional_columns_may_be_missing_and_columns_come_in_any_order(tmp_path: Path) -> None:
    catalog = loaded(tmp_path, "unit_price_minor,sku,currency\n255,TEA,GBP\n")
    assert catalog.offer("ann", "TEA") == Offer("TEA", "GBP", 255, listed=True, available_quantity=None)


def test_a_json_object_is_an_offer(tmp_path: Path) -> None:
    document = {"offers": [{"sku": "TEA", "currency": "GBP", "unit_price_minor": 255, "available_quantity": 3}]}
    catalog = loaded(tmp_path, json.dumps(document), "catalog.json")
    assert catalog.offer("ann", "TEA") == Offer("TEA", "GBP", 255, listed=True, available_quantity=3)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("TEA,GBP,2.55,true,", ":3: column 'unit_price_minor' is '2.55'. It must be a whole number"),
        ("TEA,GBP,-1,true,", "column 'unit_price_minor' is '-1'"),
        (f"TEA,GBP,{MAX_UNIT_PRICE_MINOR + 1},true,", "column 'unit_price_minor'"),
        ("TEA,GBP,,true,", "column 'unit_price_minor' is missing"),
        ("TEA,gbp,1,true,", "column 'currency' is 'gbp'. It must be three upper-case letters"),
        (",GBP,1,true,", "column 'sku' is missing"),
        (" TEA,GBP,1,true,", "column 'sku' is ' TEA'"),
        ("TEA,GBP,1,yes,", "column 'listed' is 'yes'. It must be true or false"),
        ("TEA,GBP,1,true,many", "column 'available_quantity' is 'many'"),
        ("TEA,GBP,1", ":3: has 3 cells where the header has 5"),
        ("OK,GBP,1,true,", ":3: column 'sku': 'OK' is already at"),
        ('TEA,GBP,"1,true,', "is not CSV"),
    ],
)
def test_a_wrong_row_is_named_by_line_column_problem_and_way_out(tmp_path: Path, row: str, said: str) -> None:
    assert said in problem(tmp_path, f"{HEADER}\nOK,GBP,1,true,\n{row}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: is empty"),
        ("sku,currency\n", ":1: column 'unit_price_minor' is missing"),
        ("sku,currency,unit_price_minor,colour\n", ":1: column 'colour' is unknown"),
        ("sku,sku,currency,unit_price_minor\n", ":1: column 'sku' comes twice"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"offers": [\n{"sku": }]}', ":2: is not JSON"),
        ("[]", "has no list of offers"),
        ('{"offers": [3]}', "offers[0]: is no object"),
        ('{"offers": [{"price": 3}]}', "offers[0]: field 'price' is unknown"),
        ('{"offers": [{"sku": 5, "currency": "GBP", "unit_price_minor": 1}]}', "offers[0]: column 'sku' is '5'"),
        (
            '{"offers": [{"sku": "A", "currency": "GBP", "unit_price_minor": 1.5}]}',
            "offers[0]: column 'unit_price_minor' is '1.5'",
        ),
        (
            '{"offers": [{"sku": "A", "currency": "GBP", "unit_price_minor": true}]}',
            "offers[0]: column 'unit_price_minor' is 'True'",
        ),
        ("[" * 100_000, "catalog.json"),
        ('{"offers": [' + "9" * 5_000 + "]}", "beyond all prices"),
        (
            '{"offers": [{"sku": "\\ud800", "currency": "GBP", "unit_price_minor": 1}]}',
            "offers[0]: column 'sku' is '\\ud800'. It holds half of a surrogate pair",
        ),
    ],
)
def test_a_wrong_json_file_is_named_by_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem(tmp_path, text, "catalog.json")


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="is not UTF-8"):
        load_catalog(tmp_path / "binary.csv")


def test_the_demo_catalogue_and_both_examples_load() -> None:
    assert len(demo_catalog()) == len(DEMO_OFFERS)
    from_csv, from_json = load_catalog(EXAMPLES / "catalog.csv"), load_catalog(EXAMPLES / "catalog.json")
    for offer in DEMO_OFFERS:
        assert from_csv.offer("ann", offer.sku) == from_json.offer("ann", offer.sku) == offer


offers = st.builds(
    Offer,
    sku=st.text(min_size=1, max_size=64).filter(is_sku),
    currency_code=st.sampled_from(["GBP", "JPY"]),
    unit_price_minor=st.integers(0, MAX_UNIT_PRICE_MINOR),
    listed=st.booleans(),
    available_quantity=st.none() | st.integers(0, 2**31 - 1),
)


@given(st.lists(offers, max_size=10, unique_by=lambda offer: offer.sku))
def test_every_catalogue_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[Offer]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER.split(","))
    for offer in written:
        writer.writerow(
            [
                offer.sku,
                offer.currency_code,
                offer.unit_price_minor,
                str(offer.listed).lower(),
                "" if offer.available_quantity is None else offer.available_quantity,
            ]
        )
    file = tmp_path_factory.mktemp("catalog") / "catalog.csv"
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    catalog = load_catalog(file)
    assert [catalog.offer("ann", offer.sku) for offer in written] == written
