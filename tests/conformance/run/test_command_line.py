"""The command line ends with the documented exit code and one sentence, whatever it is aimed at."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PATIENCE_SECONDS = 15  # the bound that the exit code for an unreachable target must keep


def conformance(*arguments: str, cwd: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", "from conformance.cli import main; main()", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result, time.monotonic() - start


def said(result: subprocess.CompletedProcess[str]) -> str:
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def silent_listener() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for connection in held:
            connection.close()


@pytest.fixture(params=["with health", "without health"])
def other_service(request: pytest.FixtureRequest) -> Iterator[str]:
    """A gRPC server that knows nothing of carts."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    if request.param == "with health":
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_nothing_listening_is_unreachable_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result, seconds = conformance("run", "--target", f"127.0.0.1:{port}", cwd=tmp_path)
    assert result.returncode == 3
    assert seconds < PATIENCE_SECONDS
    assert "nothing that speaks gRPC is listening there" in said(result)
    assert "Traceback" not in said(result)


def test_a_listener_that_says_nothing_is_unreachable(tmp_path: Path, silent_listener: str) -> None:
    result, seconds = conformance("run", "--target", silent_listener, cwd=tmp_path)
    assert result.returncode == 3
    assert seconds < PATIENCE_SECONDS
    assert f"no healthy server at {silent_listener}" in said(result)
    assert "Traceback" not in said(result)


def test_a_server_of_another_service_is_unreachable(tmp_path: Path, other_service: str) -> None:
    result, seconds = conformance("run", "--target", other_service, cwd=tmp_path)
    assert result.returncode == 3
    assert seconds < PATIENCE_SECONDS
    assert "does not offer cartsync.v1.CartSyncService" in said(result)
    assert "Traceback" not in said(result)


def test_an_unreachable_target_still_leaves_a_report(tmp_path: Path) -> None:
    conformance("run", "--target", "127.0.0.1:1", "--report-dir", "out", cwd=tmp_path)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["verdict"] == "RUN_VERDICT_UNREACHABLE"
    assert report["exitCode"] == 3


def test_a_command_that_cannot_be_started_is_unreachable(tmp_path: Path) -> None:
    result, _ = conformance("run", "--launch", "no-such-server --listen {listen}", cwd=tmp_path)
    assert result.returncode == 3
    assert "'no-such-server' cannot be started" in said(result)


def test_a_launched_server_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    launch = f"{sys.executable} -c \"print('no disk'); raise SystemExit(7)\""
    result, _ = conformance("run", "--launch", launch, cwd=tmp_path)
    assert result.returncode == 3
    assert "exit code 7" in said(result)
    assert "no disk" in said(result)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "nothing to test"),
        (["run", "--no-such-flag"], "--no-such-flag"),
        (
            ["run", "--target", "127.0.0.1:1", "--profile", "teleport"],
            "are core, streaming, coupons",
        ),
        (["run", "--target", "127.0.0.1:1", "--budget", "huge"], "fast, standard, deep"),
        (["run", "--target", "nowhere"], "is no HOST:PORT"),
        (["run", "--target", "127.0.0.1:1", "--only", "no/such-check"], "no check matches no/such-check"),
        (["run", "--target", "127.0.0.1:1", "--seed", "-1"], "--seed"),
        (["replay", "no-such-file"], "no-such-file"),
        (["requirements", "--profile", "teleport"], "teleport"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_a_call_that_means_nothing_is_a_usage_error(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result, _ = conformance(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert sentence in said(result)
    assert "Traceback" not in said(result)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": "other"}',
        '{"format": "cartsync-failure/1", "check": 3}',
        '{"format": "cartsync-failure/1", "check": "c", "requirement": "r", "seed": 1, "budget": "fast", "plan": {}}',
    ],
)
def test_a_file_that_is_no_failure_file_is_a_usage_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "failure.json").write_text(content)
    result, _ = conformance("replay", "failure.json", "--target", "127.0.0.1:1", cwd=tmp_path)
    assert result.returncode == 2
    assert "failure.json" in said(result)
    assert "Traceback" not in said(result)


def test_a_file_of_another_kind_cannot_be_replayed_and_the_right_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A shop\n")
    result, _ = conformance("replay", "README.md", "--target", "127.0.0.1:1", cwd=tmp_path)
    assert result.returncode == 2
    sentence = "README.md is no failure file: it is not JSON; give a file of a report's failures/ folder"
    assert sentence in said(result)


def test_options_and_plugins_of_the_callers_own_pytest_do_not_leak_in(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('loaded')\n")
    result, _ = conformance("requirements", "--format", "json", cwd=tmp_path)
    assert result.returncode == 0, said(result)
    assert len(json.loads(result.stdout)) >= 60
