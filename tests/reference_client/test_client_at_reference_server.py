"""Offline stories of every profile, settled with the reference server by the command line, as shoppers live them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reference_client import CartClient, account_intents
from reference_client.cli.commands import cli
from reference_client.cli.settings import ExitCode
from reference_client.queue.database import FILE_NAME

Run = Callable[..., Result]
Device = Callable[[str], Run]


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[str]:
    command = [sys.executable, "-m", "reference_server.cli", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(folder), *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            entries = map(json.loads, process.stdout)
            yield next(entry["address"] for entry in entries if entry["event"] == "listening")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


def device_at(server: str, folder: Path, principal: str) -> Run:
    def run(*arguments: str, stdin: str = "", token: str = f"dev:{principal}") -> Result:
        environment = {"CARTSYNC_CLIENT_DIR": str(folder), "CARTSYNC_TOKEN": token, "CARTSYNC_SERVER": server}
        return CliRunner().invoke(cli, list(arguments), env=environment, input=stdin)

    return run


@pytest.fixture
def device(server: str, tmp_path: Path, request: pytest.FixtureRequest) -> Device:
    """Makes devices of one account, which is this test's own."""
    return lambda name: device_at(server, tmp_path / name, request.node.name[-40:])


def seen(run: Run, *arguments: str) -> Any:
    result = run("--json", *arguments)
    assert result.exit_code == ExitCode.OK, result.output
    return json.loads(result.stdout)


def synced(run: Run, code: ExitCode = ExitCode.OK) -> Any:
    result = run("--json", "sync")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_coupon_waits_on_the_cart_and_then_takes_off_its_share(device: Device) -> None:
    run = device("phone")
    run("add", "LANTERN-WHITE", "-q", "2", "--price", "3.39GBP")
    run("coupon", "apply", "TEA10")
    run("coupon", "apply", "NO-SUCH")
    assert "TEA10\t\tnot settled yet" in run("show").stdout

    report = synced(run, ExitCode.NEEDS_SHOPPER)
    assert (report["applied"], report["rejected"]) == (2, 1)

    cart = seen(run, "show")
    (coupon,) = cart["coupons"]
    assert (coupon["coupon_code"], coupon["standing"], coupon["discount"]["minor_units"]) == ("TEA10", "QUALIFIES", 67)
    assert (cart["subtotal"]["minor_units"], cart["total"]["minor_units"], cart["sums_are_current"]) == (678, 611, True)
    assert "COUPON_UNKNOWN" in run("notifications").stdout
    run("coupon", "remove", "TEA10")
    assert "to be taken off" in run("show").stdout
    synced(run)
    assert seen(run, "show")["coupons"] == []


def test_a_wishlist_of_several_pages_is_read_whole_by_another_device(
    device: Device, server: str, tmp_path: Path
) -> None:
    phone, tablet = device("phone"), device("tablet")
    skus = [f"WISH-{number:03}" for number in range(205)]
    with CartClient(tmp_path / "phone", server) as client:
        client.enqueue([account_intents.add_to_wishlist(sku) for sku in (*skus, skus[0])])
    assert synced(phone)["applied"] == 206

    synced(tablet)
    assert seen(tablet, "wishlist", "list", "--page-size", "1000")["entry_count"] == 205
    page = seen(tablet, "wishlist", "list", "--page", "3", "--page-size", "100")
    assert [entry["sku"] for entry in page["entries"]] == skus[200:]
    tablet("wishlist", "remove", "WISH-000")
    assert seen(tablet, "wishlist", "list")["entries"][0] == {"sku": "WISH-000", "standing": "removed"}
    synced(tablet)
    synced(phone)
    assert seen(phone, "wishlist", "list")["entries"][0] == {"sku": "WISH-001", "standing": "confirmed"}


def test_two_devices_edit_one_address_and_who_was_later_is_told_what_stays(device: Device) -> None:
    phone, tablet = device("phone"), device("tablet")
    home = ("--recipient", "Ann", "--line", "1 High Street", "--locality", "Leeds", "--region", "GB")
    address_id = seen(phone, "address", "put", *home)["address_id"]
    synced(phone)
    synced(tablet)
    phone("address", "put", address_id, "--locality", "York", "--label", "Home")
    tablet("address", "put", address_id, "--locality", "Hull", "--company", "Ltd")
    synced(phone)

    result = tablet("sync")

    assert "another device was there first: locality stays 'York'" in result.stderr
    (address,) = seen(tablet, "address", "list")
    assert (address["locality"], address["label"], address["company"]) == ("York", "Home", "Ltd")
    phone("address", "delete", address_id)
    assert synced(phone, ExitCode.NEEDS_SHOPPER)["rejected"] == 1
    assert "ADDRESS_CHANGED" in phone("notifications").stdout
    phone("address", "delete", address_id)
    assert synced(phone)["applied"] == 1, "the sync before has read what the other device wrote"
    assert seen(phone, "address", "list") == []


def test_a_payment_method_is_saved_by_a_token_that_is_shown_nowhere(device: Device, tmp_path: Path) -> None:
    run = device("phone")
    results = [run("payment", "save", "--provider", "demo", "--provider-token-file", "-", stdin="demo-visa-4242\n")]
    results.append(run("payment", "save", "--provider", "demo", "--provider-token-file", "-", stdin="stolen-token"))
    results.append(run("sync"))
    results += [run(*words) for words in (["payment", "list"], ["status", "--all"], ["--json", "payment", "list"])]
    results.append(run("notifications"))
    assert "PAYMENT_TOKEN_INVALID" in results[-1].stdout
    for result in results:
        assert "demo-visa-4242" not in result.output
        assert "stolen-token" not in result.output
    kept = (tmp_path / "phone" / FILE_NAME).read_bytes()
    assert b"demo-visa-4242" not in kept, "what is settled needs its token no more"
    assert b"stolen-token" not in kept
    (method,) = seen(run, "payment", "list")
    assert (method["brand"], method["last_four"], method["expiry_month"], method["expiry_year"]) == (
        "visa", "4242", 12, 2030,
    )  # fmt: skip
    run("payment", "delete", method["payment_method_id"])
    synced(run)
    assert seen(run, "payment", "list") == []


def test_what_a_server_does_not_offer_is_given_up_before_it_is_sent_and_refused_from_then_on(tmp_path: Path) -> None:
    with serving(tmp_path / "server", "--profiles", "core,streaming") as address:
        run = device_at(address, tmp_path / "phone", "ann")
        assert "known after the first synchronisation" in run("wishlist", "add", "KITE").stderr
        run("add", "LANTERN-WHITE", "--price", "3.39GBP")

        result = run("sync")

        assert result.exit_code == ExitCode.NEEDS_SHOPPER
        assert "Synchronised: 1 applied, 1 discarded." in result.stdout
        assert "wish for KITE: not sent, this server does not offer wishlist" in result.stderr
        again = run("coupon", "apply", "TEA10")
        assert again.exit_code == ExitCode.USAGE
        assert again.stderr == "cartsync: intent: this server does not offer coupons; nothing was kept\n"


def test_no_byte_of_a_card_number_is_on_this_device_nor_at_the_server(tmp_path: Path) -> None:
    number, spelled = "4111111111111111", "4111-1111-1111-1111"
    with serving(tmp_path / "server") as address:
        run = device_at(address, tmp_path / "phone", "ann")
        home = ("address", "put", "--recipient", "Ann", "--line", "1 High Street", "--region", "GB")
        tried = [
            run("coupon", "apply", spelled),
            run(*home, "--delivery-instructions", f"charge {number}"),
            run("payment", "save", "--provider", "demo", "--provider-token-file", "-", stdin=number),
            run("payment", "save", "--provider", "demo", "--provider-token-file", "-", "--label", spelled, stdin="t"),
        ]
        assert {result.exit_code for result in tried} == {ExitCode.USAGE}
        assert run("add", "5012345678900", "--price", "1GBP").exit_code == ExitCode.OK, "a GTIN is no card number"
        run(*home)
        tried += [run("sync"), run("notifications"), run("status", "--all")]
    for result in tried:
        assert number not in result.output
        assert spelled not in result.output
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 2
    for file in files:
        content = file.read_bytes()
        assert number.encode() not in content, file
        assert spelled.encode() not in content, file
