"""`cartsync claim` and `cartsync watch` as a shopper meets them, with the reference server at the other end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from test_client_at_reference_server import Run, device_at, serving

from reference_client.cli.settings import ExitCode
from reference_client.drainer.grpc_transport import GrpcTransport
from reference_client.queue.database import FILE_NAME

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
from reference_client.cli import main
main()
"""
PROVIDER_TOKEN = "demo-visa-4242"
"""One that the reference server's demo provider stands by."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An account of this test's own."""
    return str(request.node.name)[-40:]


@pytest.fixture
def guest(server: str, tmp_path: Path, name: str) -> Run:
    return device_at(server, tmp_path / "guest", f"guest-{name}")


@pytest.fixture
def account(server: str, tmp_path: Path, name: str) -> Run:
    return device_at(server, tmp_path / "account", name)


def claim(account: Run, folder: Path, guest_token: str, *options: str) -> Result:
    (folder / "guest-token").write_text(guest_token)
    files = ["--guest-dir", str(folder / "guest"), "--guest-token-file", str(folder / "guest-token")]
    return account("--json", "claim", *files, *options)


def lines(run: Run, cart: str = "main") -> dict[str, int]:
    shown = json.loads(run("--json", "show", "--cart", cart).stdout)
    return {line["sku"]: line["confirmed_quantity"] for line in shown["lines"]}


def test_what_a_guest_asked_for_is_in_the_account_settled_or_not(
    guest: Run, account: Run, tmp_path: Path, name: str
) -> None:
    guest("add", "LANTERN-WHITE", "-q", "2", "--price", "3.39GBP")
    guest("sync")
    guest("add", "MUG-RED", "-q", "9", "--price", "8.50GBP", "--clamp")
    account("add", "LANTERN-WHITE", "--price", "3.39GBP")

    result = claim(account, tmp_path, f"dev:guest-{name}")

    assert result.exit_code == ExitCode.OK, result.output
    report = json.loads(result.stdout)
    assert report["status"] == "done"
    assert [(x["sku"], x["quantity_before"], x["guest_quantity"], x["quantity_after"]) for x in report["lines"]] == [
        ("LANTERN-WHITE", 1, 2, 3),
        ("MUG-RED", 0, 3, 3),
    ]
    assert lines(account) == {"LANTERN-WHITE": 3, "MUG-RED": 3}


def test_what_the_guest_s_device_asks_for_after_the_claim_goes_into_the_account(
    guest: Run, account: Run, tmp_path: Path, name: str
) -> None:
    guest("add", "LANTERN-WHITE", "--price", "3.39GBP")
    claim(account, tmp_path, f"dev:guest-{name}")
    guest("add", "CAKE-TIN", "--price", "12.75GBP")
    told = guest("sync")
    assert told.exit_code == ExitCode.NEEDS_SHOPPER
    assert "`cartsync claim`" in told.stderr

    report = json.loads(claim(account, tmp_path, f"dev:guest-{name}").stdout)

    assert (report["status"], report["adopted_count"], report["lines"]) == ("done", 1, [])
    assert lines(account) == {"LANTERN-WHITE": 1, "CAKE-TIN": 1}
    assert "CLOSED" in guest("--json", "show").stdout.upper()


def test_carts_go_where_they_are_told_to(guest: Run, account: Run, tmp_path: Path, name: str) -> None:
    guest("add", "LANTERN-WHITE", "--price", "3.39GBP", "--cart", "one")
    guest("add", "CAKE-TIN", "--price", "12.75GBP", "--cart", "two")
    result = claim(account, tmp_path, f"dev:guest-{name}", "--cart", "mine")
    assert result.exit_code == ExitCode.OK, result.output
    assert lines(account, "mine") == {"LANTERN-WHITE": 1, "CAKE-TIN": 1}


def test_an_account_that_is_no_guest_has_nothing_to_claim(account: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "guest").mkdir()
    result = claim(account, tmp_path, f"dev:other-{name}")
    assert result.exit_code == ExitCode.NEEDS_SHOPPER
    assert "not that of a guest" in json.loads(result.stdout)["message"]


def test_guest_and_account_in_one_folder_or_without_a_credential_are_wrong_usage(account: Run, tmp_path: Path) -> None:
    (tmp_path / "account").mkdir()
    (tmp_path / "guest").mkdir()
    same = account("claim", "--guest-dir", str(tmp_path / "account"), "--guest-token", "dev:guest-x")
    nobody = account("claim", "--guest-dir", str(tmp_path / "guest"))
    bad_cart = claim(account, tmp_path, "dev:guest-x", "--cart", "not a cart")
    for result, says in ((same, "a directory each"), (nobody, "--guest-token-file"), (bad_cart, "1 to 64 characters")):
        assert result.exit_code == ExitCode.USAGE
        assert says in result.stderr


def test_a_claim_without_a_server_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "guest").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        run = device_at(f"127.0.0.1:{taken.getsockname()[1]}", tmp_path / "account", "alice")
        result = claim(run, tmp_path, "dev:guest-x", "--patience", "0")
    assert result.exit_code == ExitCode.NOT_NOW


def test_a_payment_method_that_the_guest_had_not_settled_keeps_its_token_on_the_way(
    guest: Run, account: Run, tmp_path: Path, name: str
) -> None:
    guest("add", "LANTERN-WHITE", "--price", "3.39GBP")
    claim(account, tmp_path, f"dev:guest-{name}")
    guest("payment", "save", "--provider", "demo", "--provider-token-file", "-", stdin=PROVIDER_TOKEN)
    assert guest("sync").exit_code == ExitCode.NEEDS_SHOPPER

    report = json.loads(claim(account, tmp_path, f"dev:guest-{name}").stdout)

    assert (report["status"], report["adopted_count"]) == ("done", 1)
    assert "4242" in account("payment", "list").stdout
    for folder in ("guest", "account"):
        assert PROVIDER_TOKEN.encode() not in (tmp_path / folder / FILE_NAME).read_bytes()


def test_the_claim_token_is_in_nothing_that_is_shown_and_off_the_disk_when_the_claim_is_settled(
    guest: Run, account: Run, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []
    ask = GrpcTransport.claim_token

    def note(transport: GrpcTransport, store_id: str) -> str:
        tokens.append(ask(transport, store_id))
        return tokens[-1]

    monkeypatch.setattr(GrpcTransport, "claim_token", note)
    guest("add", "LANTERN-WHITE", "--price", "3.39GBP")
    result = claim(account, tmp_path, f"dev:guest-{name}")
    (token,) = tokens
    shown = [result, *(account(*words) for words in (["status", "--all"], ["--json", "status", "--all"], ["show"]))]
    assert "take over" in shown[1].output
    assert not [one.output for one in shown if token in one.output]
    assert token.encode() not in (tmp_path / "account" / FILE_NAME).read_bytes()


# ---- watching ----------------------------------------------------------------------------------------------------


def test_once_shows_the_cart_as_the_server_has_it(account: Run, tmp_path: Path, server: str, name: str) -> None:
    other = device_at(server, tmp_path / "other", name)
    other("add", "LANTERN-WHITE", "-q", "2", "--price", "3.39GBP")
    other("sync")
    result = account("--json", "watch", "--once")
    assert result.exit_code == ExitCode.OK, result.output
    assert [(x["sku"], x["quantity"]) for x in json.loads(result.stdout)["lines"]] == [("LANTERN-WHITE", 2)]
    assert lines(account) == {"LANTERN-WHITE": 2}


def test_a_watch_shows_another_device_s_change_and_ends_well_when_interrupted(
    account: Run, tmp_path: Path, server: str, name: str
) -> None:
    environment = {
        **os.environ,
        "CARTSYNC_CLIENT_DIR": str(tmp_path / "account"),
        "CARTSYNC_TOKEN": f"dev:{name}",
        "CARTSYNC_SERVER": server,
    }
    command = [sys.executable, "-c", INTERRUPTIBLE, "--json", "watch"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert quantities(process.stdout.readline()) == {}
            other = device_at(server, tmp_path / "other", name)
            other("add", "LANTERN-WHITE", "--price", "3.39GBP")
            other("sync")
            assert quantities(process.stdout.readline()) == {"LANTERN-WHITE": 1}
            account("adjust", "LANTERN-WHITE", "2")
            assert quantities(process.stdout.readline()) == {"LANTERN-WHITE": 3}
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == ExitCode.OK
            assert process.stderr.read().strip() == "Stopped watching."
        finally:
            process.kill()


def quantities(text: str) -> dict[str, int]:
    document: dict[str, Any] = json.loads(text)
    return {line["sku"]: line["quantity"] for line in document["lines"]}


def test_a_watch_without_a_server_gives_up_when_told_to(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        run = device_at(f"127.0.0.1:{taken.getsockname()[1]}", tmp_path / "account", "alice")
        result = run("watch", "--once", "--patience", "0")
    assert result.exit_code == ExitCode.NOT_NOW
    assert "All intents are safe" in result.stderr


def test_a_watch_with_another_shopper_s_credential_shows_nothing(account: Run) -> None:
    account("add", "LANTERN-WHITE", "--price", "3.39GBP")
    account("sync")
    result = account("watch", "--once", token="dev:somebody-else")
    assert result.exit_code == ExitCode.NEEDS_SHOPPER
    assert result.stdout == ""
    assert "Sign in as the former" in result.stderr
