"""A tiny day played for real: server, devices, a link that goes down, and books that close or do not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from cartsync.v1 import reason_pb2
from synthetic_orders import cells, write_orders

from benchmarks.real_orders import running
from benchmarks.real_orders.books import Accounts, Books, differences
from benchmarks.real_orders.cli import main
from benchmarks.real_orders.day import plan
from benchmarks.real_orders.feed import PriceFeed
from benchmarks.real_orders.orders import read_orders
from benchmarks.real_orders.recording import read_recording
from conformance.oracle.values import Limits


def a_day() -> list[dict[str, str | None]]:
    """Two regular customers, one who gives things back, postage, dirty rows, and prices that move."""
    rows = []
    for minute in range(30):
        time = f"2031-03-04 09:{minute:02}:00"
        sku = f"{70001 + minute % 5}"
        rows += [
            cells(time=time, sku=sku, customer="501.0", price=f"{1 + minute % 3}.25"),
            cells(time=time, sku=sku, customer="502.0", price=f"{1 + minute % 2}.75"),
            cells(time=time, sku=sku, customer="", price="0.95"),
        ]
    return [
        *rows,
        cells(time="2031-03-04 09:40:00", invoice="C900002", customer="501.0", quantity="-2"),
        cells(time="2031-03-04 09:41:00", invoice="C900003", customer="502.0", quantity="-9999"),
        cells(time="2031-03-04 09:42:00", invoice="C900004", customer="503.0", quantity="-1"),
        cells(time="2031-03-04 09:43:00", customer="503.0", sku="POST", price="18.00", quantity="1"),
        cells(time="2031-03-04 09:44:00", customer="503.0", price="0"),
    ]


def a_link(folder: Path) -> Path:
    file = folder / "link.json"
    outages = [[start, start + 300] for start in range(200, 4000, 800)]
    file.write_text(json.dumps({"trace": "tunnel", "duration_ms": 4000, "outages_ms": outages}))
    return file


def test_a_day_over_a_broken_link_ends_equal_to_the_oracle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    orders = write_orders(tmp_path / "orders.csv", a_day())
    code = main(["--orders", str(orders), "--link", str(a_link(tmp_path)), "--seconds", "2", "--batch", "3"])
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert "EQUAL: 3 of 3 final carts equal to the oracle's" in printed
    shown = dict(line.strip().rsplit(None, 1) for line in printed.splitlines() if len(line.split()) > 1)
    assert shown["intents captured"] == "64"
    assert shown["refused before capture"] == "31"
    assert shown["SetQuantity"] == "1"
    assert shown["RemoveItem"] == "2"
    assert shown["SKU_UNKNOWN"] == "1"
    assert shown["applied"] == "63"
    assert int(shown["connections cut"]) > 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--orders", "nowhere", "--link", "LINK"], "UCI Machine Learning Repository"),
        (["--orders", "ORDERS", "--link", "nowhere"], "NSDI 2013"),
        (["--orders", "ORDERS", "--link", "LINK", "--day", "2031-03-09"], "no orders of that day"),
        (["--orders", "ORDERS", "--link", "LINK", "--keep", "."], "is not empty"),
    ],
)
def test_what_cannot_be_played_ends_with_2_and_one_sentence(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    orders, link = write_orders(tmp_path / "orders.csv", [cells()]), a_link(tmp_path)
    known = {"ORDERS": str(orders), "LINK": str(link)}
    assert main([known.get(argument, argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert problem in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("flags", [["--seconds", "0"], ["--batch", "0"], ["--day", "tomorrow"], ["--consent", "-1"]])
def test_wrong_flags_end_with_2(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--orders", "x", "--link", "y", *flags])
    assert ended.value.code == 2
    assert flags[0] in capsys.readouterr().err


class Played:
    """The accounts of one customer after a day, and what they are judged by."""

    def __init__(self, accounts: Accounts, limits: Limits, feed: PriceFeed) -> None:
        self.accounts, self.limits, self.feed = accounts, limits, feed

    def differences(self, **changes: Any) -> str:
        return "\n".join(differences(dataclasses.replace(self.accounts, **changes), self.limits, self.feed))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("played")
    entered: list[Played] = []

    class WatchedBooks(Books):
        def enter(self, customer: str, accounts: Accounts, limits: Limits, feed: PriceFeed) -> None:
            entered.append(Played(accounts, limits, feed))
            super().enter(customer, accounts, limits, feed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "Books", WatchedBooks)
        rows = [row for row in a_day() if row["CustomerID"] in {"501.0", ""}]
        day = plan(read_orders(write_orders(folder / "orders.csv", rows)), None)
        link = read_recording(a_link(folder))
        settings = running.Settings(seconds=0.5, consent=0)
        result = running.run(day, link, settings, folder, lambda _: None)
    assert result.books.differences == []
    return entered[0]


def test_equal_accounts_show_no_difference(played: Played) -> None:
    assert played.differences() == ""


def test_a_cart_with_one_piece_more_is_found(played: Played) -> None:
    cart = type(played.accounts.cart)()
    cart.CopyFrom(played.accounts.cart)
    cart.cart.lines[0].quantity += 1
    assert "the oracle disagrees: effects/exactly-once" in played.differences(cart=cart)


def test_a_cart_that_is_a_penny_off_is_found(played: Played) -> None:
    cart = type(played.accounts.cart)()
    cart.CopyFrom(played.accounts.cart)
    cart.cart.subtotal.minor_units += 1
    assert "the oracle disagrees: price/totals-exact" in played.differences(cart=cart)


def test_an_effect_that_happened_twice_is_found(played: Played) -> None:
    effects = [*played.accounts.effects, played.accounts.effects[-1]]
    assert "the ledger lists" in played.differences(effects=effects)


def test_an_intent_that_was_lost_is_found(played: Played) -> None:
    captured = [*played.accounts.captured, dataclasses.replace(played.accounts.captured[-1], sequence=32)]
    found = played.differences(captured=captured)
    assert "32 intents were captured, 31 have an outcome" in found
    assert "the watermark is 31" in found


def test_a_device_that_was_told_otherwise_is_found(played: Played) -> None:
    operation = played.accounts.device[0]
    assert operation.outcome is not None
    other = type(operation.outcome)()
    other.CopyFrom(operation.outcome)
    other.state = reason_pb2.OUTCOME_STATE_REJECTED
    device = [dataclasses.replace(operation, outcome=other), *played.accounts.device[1:]]
    assert "operation 1: the device was told otherwise" in played.differences(device=device)


def test_a_price_change_that_the_shopper_was_not_told_of_is_found(played: Played) -> None:
    found = played.differences(price_notices=played.accounts.price_notices + 1)
    assert "the shopper was told of" in found


def test_a_price_that_the_shop_never_charged_is_found(played: Played) -> None:
    feed = PriceFeed(dict.fromkeys((f"{70001 + n}" for n in range(5)), 7))
    found = "\n".join(differences(played.accounts, played.limits, feed))
    assert "the shop charged 7 then" in found


def test_a_device_that_shows_another_cart_is_found(played: Played) -> None:
    assert "the device shows another cart than the server: 70001" in played.differences(
        device_cart={
            **played.accounts.device_cart,
            "70001": 1,
        }
    )
