"""The commands coupon, wishlist, address and payment: what they say, what they refuse, and that they are offline."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cartsync.v1 import cart_pb2, payment_methods_pb2, service_pb2
from click.testing import CliRunner, Result

from reference_client import CartClient
from reference_client import client as client_module
from reference_client.cli import showing
from reference_client.cli.commands import cli
from reference_client.cli.settings import ExitCode
from reference_client.projection import project

Run = Callable[..., Result]
HOME = ("--recipient", "Ann", "--line", "1 High Street", "--line", "Flat 2", "--region", "GB", "--label", "Home")
ID = "11111111-1111-4111-8111-111111111111"
SERVER = "127.0.0.1:7443"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(client_module, "_connect_by_grpc", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), env={"CARTSYNC_CLIENT_DIR": str(tmp_path)}, input=stdin)

    return run


def test_everything_is_written_down_and_shown_without_a_network(run: Run) -> None:
    made = json.loads(run("--json", "address", "put", *HOME).stdout)
    address_id = made["address_id"]
    for arguments in (
        ["coupon", "apply", "TEA10"],
        ["coupon", "remove", "OTHER"],
        ["wishlist", "add", "KITE"],
        ["wishlist", "remove", "KITE"],
        ["address", "put", address_id, "--company", "Ltd", "--delivery-instructions", ""],
        ["payment", "save", "--provider", "demo", "--provider-token-file", "-"],
        ["payment", "delete", ID],
    ):
        result = run(*arguments, stdin="tok_1\n")
        assert result.exit_code == ExitCode.OK, result.output
        assert result.stdout.startswith("Kept as ")
    assert run("wishlist", "list").stdout == ""
    assert run("address", "list").stdout == (
        f"{address_id}\tHome\tAnn, Ltd, 1 High Street, Flat 2, GB\tnot settled yet\n"
    )
    assert run("payment", "list").stdout.endswith("\tdemo\tnot settled yet\n")
    assert "Never synchronised." in run("payment", "list").stderr
    intents = [line.split("\t")[1] for line in run("status").stdout.splitlines()]
    assert intents[:3] == [
        f"write recipient, address_lines, region_code, label of address {address_id[:8]}",
        "apply coupon TEA10",
        "remove coupon OTHER",
    ]
    assert "tok_1" not in run("status").output


def test_a_long_wishlist_is_shown_page_by_page(run: Run, tmp_path: Path) -> None:
    with CartClient(tmp_path, SERVER) as client:
        for number in range(7):
            client.account.wish(f"KITE-{number}")
    assert run("wishlist", "list", "--page-size", "3", "--page", "3").stdout == "KITE-6\tnot settled yet\n"
    assert "Shown: 7 to 7 of 7" in run("wishlist", "list", "--page-size", "3", "--page", "3").stderr
    assert "Shown: none of 7" in run("wishlist", "list", "--page", "9").stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["coupon", "apply", " TEA10"], "coupon: must have no control character and no space at either end"),
        (["wishlist", "add", ""], "sku: must be 1 to 64 characters"),
        (["wishlist", "list", "--page", "0"], "--page"),
        (["address", "put", "--recipient", "Ann"], "address_lines: is needed for a new address"),
        (["address", "put"], "address: nothing to write; give at least one of recipient"),
        (["address", "put", ID, "--label", "Home"], "address: is not known on this device"),
        (["address", "put", *HOME, "--region", "gb"], "region_code: must be two capital letters"),
        (["address", "delete", "home"], "address: is not known on this device"),
        (["payment", "save", "--provider", "demo"], "--provider-token-file"),
        (["payment", "save", "--provider", "demo", "--provider-token-file", "/nowhere"], "/nowhere cannot be read"),
        (["payment", "save", "--provider", "a b", "--provider-token-file", "-"], "provider: must be 1 to 64"),
        (["payment", "save", "--provider", "demo", "--provider-token-file", "-", "--replace", "x"], "36 characters"),
        (["payment", "delete", "\udcff"], "payment method: must be named by its id"),
    ],
    ids=lambda value: " ".join(value).encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_wrong_usage_is_explained_in_a_sentence(run: Run, arguments: list[str], says: str) -> None:
    result = run(*arguments, stdin="tok_1")
    assert result.exit_code == ExitCode.USAGE, result.output
    assert says in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert "waiting" not in run("status").stdout


def test_what_a_newer_server_calls_a_coupon_or_a_line_is_shown_without_a_guess(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cart = cart_pb2.Cart(cart_id="main")
    cart.coupons.add(coupon_code="TEA10", standing=cart_pb2.CouponStanding.ValueType(99))
    cart.lines.add(sku="KITE", quantity=1, availability=cart_pb2.LineAvailability.ValueType(98))
    view = project("main", cart, 0, [])
    shown = showing.cart_json(view)
    assert (shown["coupons"][0]["standing"], shown["lines"][0]["availability"]) == ("99", "98")
    showing.show_cart(view)
    assert capsys.readouterr().out == "KITE\t1\tno price\t\nTEA10\t\t\n"


def test_a_payment_method_is_shown_with_brand_last_digits_and_expiry(run: Run, tmp_path: Path) -> None:
    method = payment_methods_pb2.PaymentMethod(payment_method_id=ID, provider="demo", label="Daily", brand="visa")
    method.last_four, method.expiry_month, method.expiry_year = "4242", 3, 2030
    response = payment_methods_pb2.ListPaymentMethodsResponse(
        store_id="s", revision=1, queue=service_pb2.QueueState(queue_id=ID), payment_methods=[method]
    )
    with CartClient(tmp_path, SERVER) as client:
        client.queues.save_account_snapshot(SERVER, response)
    assert run("payment", "list").stdout == f"{ID}\tDaily\tvisa …4242 until 03/2030\tdemo\t\n"
    assert json.loads(run("--json", "payment", "list").stdout)[0]["expiry_year"] == 2030


def test_no_record_of_this_device_shows_a_provider_s_token_when_printed(run: Run, tmp_path: Path) -> None:
    run("payment", "save", "--provider", "demo", "--provider-token-file", "-", stdin="tok_secret")
    with CartClient(tmp_path, SERVER) as client:
        records = client.operations()
        pending = client.queues.load(client.queue().queue_id, 0, 10)
    assert records[0].operation.save_payment_method.provider_token == "tok_secret"
    assert "tok_secret" not in f"{records!r} {pending!r}"
