"""A run judges the server it is aimed at, and only it: dying servers, missing control services, right verdicts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = f"{sys.executable} -c 'from reference_server.cli import main; main()' serve"

# A server that dies at the first submission of several operations, as one with a fault in its batching might.
DIES = """
import os
from dataclasses import replace
from reference_server.assembly import REFERENCE
from reference_server.cli import run_server
from reference_server.config import load_config
from reference_server.settlement import Settlement

class Fragile(Settlement):
    async def submit(self, principal, queue_id, attempts, expected_store_id=""):
        if len(attempts) > 1:
            os._exit(9)
        return await super().submit(principal, queue_id, attempts, expected_store_id)

run_server(load_config({}, os.environ, None), replace(REFERENCE, settlement=Fragile))
"""


def conformance(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from conformance.cli import main; main()", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "conformance-report" / "report.json").read_text())
    return report


def test_a_selection_of_checks_that_pass_is_partial_and_never_green(tmp_path: Path) -> None:
    result = conformance("run", "--launch", SERVER, "--only", "identity/*", cwd=tmp_path)
    assert result.returncode == 5, result.stdout + result.stderr
    report = report_in(tmp_path)
    assert {p["verdict"] for p in report["profiles"]} == {"VERDICT_NOT_TESTABLE"}
    passed = [r["slug"] for r in report["requirements"] if r["verdict"] == "VERDICT_PASSED"]
    assert passed
    assert all(slug.startswith("identity/") for slug in passed)


@pytest.fixture
def bare_server(tmp_path: Path) -> Iterator[str]:
    """The reference server as it would run in production: no control service."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSYNC_")}
    process = subprocess.Popen(
        [*shlex.split(SERVER), "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    events = (json.loads(line) for line in process.stdout)
    yield next(str(event["address"]) for event in events if event["event"] == "listening")
    process.terminate()
    process.communicate(timeout=20)


def test_a_server_without_a_control_service_is_partial(tmp_path: Path, bare_server: str) -> None:
    result = conformance("run", "--target", bare_server, "--budget", "fast", cwd=tmp_path)
    assert result.returncode == 5, result.stdout + result.stderr
    report = report_in(tmp_path)
    notes = {r["note"] for r in report["requirements"] if r["verdict"] == "VERDICT_NOT_TESTABLE"}
    assert any("there is no control service" in note for note in notes)
    assert report["findings"] == []


def test_a_server_that_dies_while_it_is_tested_is_in_violation_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    launch = f"{sys.executable} {tmp_path / 'dies.py'}"
    result = conformance(
        "run", "--launch", launch, "--only", "answers/one-per-attempt", "--only", "identity/*", cwd=tmp_path
    )
    assert result.returncode == 1, result.stdout + result.stderr
    report = report_in(tmp_path)
    verdicts = {r["slug"]: r["verdict"] for r in report["requirements"]}
    assert verdicts["answers/one-per-attempt"] == "VERDICT_VIOLATION"
    assert verdicts["identity/principal-stable"] == "VERDICT_PASSED"
    finding = next(f for f in report["findings"] if f["slug"] == "answers/one-per-attempt")
    assert "died" in finding["summary"]


def test_a_violation_leaves_a_file_that_replays_and_passes_on_a_right_server(tmp_path: Path) -> None:
    launch = f"{sys.executable} -m conformance.mutants add-sets"
    found = conformance("run", "--launch", launch, "--only", "cart/add-adds", cwd=tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    (finding, *_) = report_in(tmp_path)["findings"]
    file = str(tmp_path / "conformance-report" / finding["replayFile"])
    again = conformance("replay", file, "--launch", launch, cwd=tmp_path)
    assert again.returncode == 1, again.stdout + again.stderr
    assert f"Reproduced: {finding['slug']}" in again.stdout
    passes = conformance("replay", file, "--launch", SERVER, cwd=tmp_path)
    assert passes.returncode == 0, passes.stdout + passes.stderr
    assert "did not happen" in passes.stdout
    assert Path(file).exists()
    assert not list((tmp_path / "conformance-report" / "replay" / "failures").glob("*.json"))
    conformance("run", "--launch", SERVER, "--only", "cart/add-adds", cwd=tmp_path)
    assert not Path(file).exists()
