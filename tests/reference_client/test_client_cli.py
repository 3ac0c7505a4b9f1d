"""The command line: what it says, what it exits with, and that only `sync` ever touches the network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cartsync.v1 import service_pb2
from click.testing import CliRunner, Result
from faulty_link import FaultyLink
from spec_server import SpecServer

from reference_client import client as client_module
from reference_client.cli.commands import cli
from reference_client.cli.settings import ExitCode, default_data_dir
from reference_client.client import SyncReport, SyncStatus
from reference_client.drainer.drainer import queue_lock
from reference_client.drainer.endpoint import Endpoint
from reference_client.machine.values import StopReason
from reference_client.queue.database import FILE_NAME

TOKEN = "a-very-secret-credential"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, token: str = TOKEN) -> Result:
        environment = {"CARTSYNC_CLIENT_DIR": str(tmp_path / "data"), "CARTSYNC_TOKEN": token}
        return CliRunner().invoke(cli, list(arguments), env=environment)

    return run


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> SpecServer:
    """A model server that `sync` reaches instead of the network."""
    server = SpecServer()

    def connect(endpoint: Endpoint) -> FaultyLink:
        assert endpoint.token == TOKEN
        return FaultyLink(server)

    monkeypatch.setattr(client_module, "_connect_by_grpc", connect)
    return server


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(client_module, "_connect_by_grpc", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
def test_everything_but_sync_answers_without_a_network(run: Run) -> None:
    for arguments in (
        ["add", "TEAPOT", "--price", "2.55GBP", "-q", "3"],
        ["adjust", "TEAPOT", "-1"],
        ["set", "CUP", "4"],
        ["remove", "CUP"],
        ["discard", "4"],
        ["show"],
        ["status"],
        ["notifications"],
        ["queue", "list"],
    ):
        result = run(*arguments)
        assert result.exit_code == ExitCode.OK, result.output
    view = json.loads(run("--json", "show").stdout)
    assert view["pending_count"] == 3
    assert [(line["sku"], line["quantity"], line["confirmed_quantity"]) for line in view["lines"]] == [
        ("CUP", 4, 0),
        ("TEAPOT", 2, 0),
    ]


def test_a_day_offline_and_the_evening_online(run: Run, shop: SpecServer) -> None:
    run("add", "TEAPOT", "--price", "2.55GBP")
    run("add", "BAD-SKU", "--price-minor", "100", "--currency", "GBP")

    result = run("sync")

    assert result.exit_code == ExitCode.NEEDS_SHOPPER
    assert "1 applied, 1 rejected" in result.stdout
    assert shop.store.lines == {"TEAPOT": 1}
    assert "SKU_UNKNOWN" in run("notifications", "--clear").stdout
    assert json.loads(run("--json", "notifications").stdout) == []
    assert run("sync").exit_code == ExitCode.OK
    assert run("show").stdout == "TEAPOT\t1\tno price\t\n"
    assert [o["state"] for o in json.loads(run("--json", "status", "--all").stdout)["operations"]] == [
        "applied",
        "rejected",
    ]


def test_no_server_means_try_later_and_all_intents_are_safe(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        server = f"127.0.0.1:{taken.getsockname()[1]}"
        run("--server", server, "add", "TEAPOT", "--price", "2.55GBP")
        result = run("--server", server, "sync", "--patience", "0")
    assert result.exit_code == ExitCode.NOT_NOW
    assert "All intents are safe" in result.stderr
    assert "Not synchronised: 1 still waiting." in result.stdout
    assert "TEAPOT" in run("--server", server, "status").stdout


def test_a_first_synchronisation_without_a_server_says_that_one_thing(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = run("--server", f"127.0.0.1:{taken.getsockname()[1]}", "sync", "--patience", "0")
    assert result.exit_code == ExitCode.NOT_NOW
    assert result.stdout == ""
    assert result.stderr.startswith("The server is not reached")


def test_what_waits_for_another_server_is_mentioned(run: Run, shop: SpecServer) -> None:
    run("--server", "127.0.0.1:7001", "add", "TEAPOT", "--price", "2.55GBP")
    result = run("--server", "127.0.0.1:7002", "sync")
    assert result.stdout == "Synchronised: nothing to send.\n"
    assert "1 intent waits for 127.0.0.1:7001, which is another server." in result.stderr
    assert "waits for" not in run("--server", "127.0.0.1:7001", "sync").stderr


def test_what_a_server_says_at_the_end_is_one_sentence(run: Run, shop: SpecServer) -> None:
    report = SyncReport(SyncStatus.STOPPED, "The credential is unknown.", StopReason.UNAUTHENTICATED)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client_module.CartClient, "sync", lambda *_, **__: report)
        assert run("sync").stderr == "Stopped: The credential is unknown.\n"


def test_what_the_server_lost_is_said_at_once(run: Run, shop: SpecServer) -> None:
    run("add", "A", "--price", "1GBP")
    run("sync")
    shop.restore()
    run("add", "B", "--price", "1GBP")

    result = run("sync")

    assert result.exit_code == ExitCode.NEEDS_SHOPPER
    assert "These changes had been confirmed and are gone from it: add 1 × A" in result.stderr
    assert json.loads(run("--json", "notifications").stdout)[0]["kind"] == "lost"


def test_sync_reports_to_programs(run: Run, shop: SpecServer) -> None:
    run("add", "TEAPOT", "--price", "2.55GBP")
    report = json.loads(run("--json", "sync").stdout)
    assert (report["status"], report["applied"], report["pending_count"]) == ("drained", 1, 0)


def test_a_credential_comes_from_a_file_and_is_shown_nowhere(run: Run, shop: SpecServer, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    run("add", "TEAPOT", "--price", "2.55GBP", token="")
    result = run("--token-file", str(secret), "sync", token="")
    assert result.exit_code == ExitCode.OK
    assert TOKEN not in result.output
    assert TOKEN.encode() not in (tmp_path / "data" / FILE_NAME).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "X"], "--price 2.55GBP"),
        (["add", "X", "--price", "2.555GBP"], "GBP has 2 decimal places"),
        (["add", "X", "--price", "cheap"], "not an amount"),
        (["add", "X", "--price-minor", "5"], "needs --currency"),
        (["add", "X", "--price", "1GBP", "--price-minor", "5"], "same thing"),
        (["add", "X", "--price", "1GBP", "--max-price", "1EUR"], "must be in GBP"),
        (["add", "X", "--price", "1GBP", "-q", "0"], "quantity: must be"),
        (["add", " X", "--price", "1GBP"], "sku: must have"),
        (["add", "X", "--price", "1GBP", "--cart", "my cart"], "cart: must be"),
        (["set", "X", "-q"], "No such option"),
        (["adjust", "X", "0"], "delta: must not be 0"),
        (["discard", "9"], "no operation 9"),
        (["queue", "show", "nonsense"], "no queue nonsense"),
        (["queue", "resolve", "nonsense"], "--ask-again or --abandon"),
        (["--server", "nowhere", "show"], "HOST:PORT"),
        (["buy"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_explained_in_a_sentence(run: Run, arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_sync_without_a_credential_says_where_one_goes(run: Run) -> None:
    result = run("sync", token="")
    assert result.exit_code == ExitCode.USAGE
    assert "--token-file" in result.stderr


def test_a_broken_store_is_named_with_a_way_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE_NAME).write_text("not a database" * 100)
    result = run("add", "X", "--price", "1GBP")
    assert result.exit_code == ExitCode.STORE
    assert "--data-dir" in result.stderr


def test_a_second_drainer_is_told_to_come_back(run: Run, shop: SpecServer, tmp_path: Path) -> None:
    run("add", "TEAPOT", "--price", "2.55GBP")
    queue_id = json.loads(run("--json", "status").stdout)["queue"]["queue_id"]
    with queue_lock(tmp_path / "data", queue_id):
        result = run("sync")
    assert result.exit_code == ExitCode.NOT_NOW
    assert "another process" in result.stderr
    assert shop.store.lines == {}


def test_a_queue_in_conflict_is_shown_and_resolved(run: Run, shop: SpecServer) -> None:
    run("add", "A", "--price", "1GBP")
    run("sync")
    queue = next(iter(shop.store.queues.values()))
    queue.last_key = "99999999-0000-4000-8000-000000000001"
    run("add", "B", "--price", "1GBP")

    assert run("sync").exit_code == ExitCode.NEEDS_SHOPPER
    (halted,) = json.loads(run("--json", "status").stdout)["halted_queues"]
    assert "in doubt" in run("queue", "show", halted["queue_id"]).stdout
    assert (
        "1 of the operations in it: asked for again"
        in run("queue", "resolve", halted["queue_id"], "--ask-again").stdout
    )
    assert run("sync").exit_code == ExitCode.OK
    assert shop.store.lines == {"A": 1, "B": 1}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "arguments",
    [
        ["discard", "99999999999999999999"],
        ["discard", "0"],
        ["queue", "show", "\udcff"],
        ["queue", "show", "0"],
        ["queue", "resolve", "\udcff", "--abandon"],
        ["--server", "\udcff:1", "add", "A", "--price", "1GBP"],
        ["--server", "127.0.0.1:99999", "sync"],
        ["--server", "127.0.0.1:0", "sync"],
        ["--server", "127.0.0.1:https", "sync"],
        ["--server", "127.0.0.1", "sync"],
        ["--deadline", "nan", "sync"],
        ["--deadline", "1e300", "sync"],
        ["sync", "--patience", "nan"],
        ["sync", "--watch", "--interval", "1e300"],
        ["sync", "--patience", "inf"],
    ],
)
def test_values_out_of_this_world_are_wrong_usage(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert isinstance(result.exception, SystemExit)


def test_a_credential_that_cannot_be_sent_keeps_nobody_from_adding(run: Run) -> None:
    assert run("add", "A", "--price", "1.00GBP", token="clé").exit_code == ExitCode.OK
    result = run("sync", "--patience", "0", token="clé")
    assert result.exit_code == ExitCode.USAGE
    assert "is it the right file?" in result.output
    assert "clé" not in result.output


def test_a_lock_that_cannot_be_taken_is_a_trouble_of_the_store(run: Run, shop: SpecServer, tmp_path: Path) -> None:
    run("add", "A", "--price", "1.00GBP")
    queue_id = json.loads(run("--json", "status").output)["queue"]["queue_id"]
    (tmp_path / "data" / f"{queue_id}.lock").mkdir()
    result = run("sync")
    assert result.exit_code == ExitCode.STORE
    assert "cannot be locked" in result.output


def test_nothing_a_server_says_moves_the_cursor(run: Run, shop: SpecServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = shop.submit

    def submit(request: service_pb2.SubmitOperationsRequest) -> service_pb2.SubmitOperationsResponse:
        response = answer(request)
        for result in response.results:
            result.outcome.refusal.message = "\x1b[2Jall is well\x9b1A"
        return response

    monkeypatch.setattr(shop, "submit", submit)
    run("add", "BAD-SKU", "--price", "1.00GBP")
    said = [run("sync"), run("notifications"), run("status", "--all")]
    for result in said:
        assert "\ufffd[2Jall is well" in result.output
        assert "\x1b" not in result.output
        assert "\x9b" not in result.output


def test_the_data_directory_follows_the_xdg_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_data_dir() == Path("/data/cartsync")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert default_data_dir() == Path.home() / ".local" / "share" / "cartsync"
