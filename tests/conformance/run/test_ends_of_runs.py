"""However a run ends, it ends soon, leaves no server behind, and half a run never counts as a whole one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from conformance.cli import main; main()"]
SERVER = f"{sys.executable} -c 'from reference_server.cli import main; main()' serve"

# A server that answers the first submission, which is that of the smoke stage, and no other.
FALLS_SILENT = """
import asyncio, os
from dataclasses import replace
from reference_server.assembly import REFERENCE
from reference_server.cli import run_server
from reference_server.config import load_config
from reference_server.settlement import Settlement

class FallsSilent(Settlement):
    answered = 0
    async def submit(self, *arguments, **named):
        self.answered += 1
        if self.answered > 1:
            await asyncio.Event().wait()
        return await super().submit(*arguments, **named)

run_server(load_config({}, os.environ, None), replace(REFERENCE, settlement=FallsSilent))
"""


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "conformance-report" / "report.json").read_text())
    return report


# A test run in the background of a shell hands down that Ctrl-C is ignored; a person's terminal does not.
HEEDS_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from conformance.cli import main; main()"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_reports_what_it_found_and_takes_its_server_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    pid_file = tmp_path / "pid"
    launch = f"sh -c 'echo $$ > {pid_file}; exec {SERVER.replace(chr(39), chr(34))}'"
    run = subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, "run", "--launch", launch],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert run.stdout is not None
    for line in run.stdout:
        if "passed" in line:
            break
    run.send_signal(number)
    said = run.stdout.read()
    assert run.wait(timeout=30) == 130, said
    assert "Traceback" not in said
    report = report_in(tmp_path)
    assert report["summary"].startswith("Interrupted after")
    assert report["verdict"] == "RUN_VERDICT_PARTIAL"
    assert "VERDICT_SUITE_ERROR" not in {r["verdict"] for r in report["requirements"]}
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.timeout(200)
def test_a_server_that_falls_silent_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text(FALLS_SILENT)
    result = subprocess.run(
        [*COMMAND, "run", "--launch", f"{sys.executable} {tmp_path / 'silent.py'}", "--only", "cart/*"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    report = report_in(tmp_path)
    verdicts = [r["verdict"] for r in report["requirements"] if r["slug"].startswith("cart/")]
    assert "VERDICT_VIOLATION" in verdicts
    assert "VERDICT_UNREACHABLE" in verdicts
    assert "VERDICT_PASSED" not in verdicts
    assert "5 checks in a row waited for an answer in vain" in json.dumps(report)


@pytest.mark.parametrize("replayed", [False, True])
def test_a_report_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path, replayed: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "failure.json").write_text(
        json.dumps(
            {
                "format": "cartsync-failure/1",
                "check": "test_policy.py::test_the_policy_keeps_the_retention_floors",
                "requirement": "policy/retention-floors",
                "seed": 1,
                "budget": "fast",
            }
        )
    )
    command = ["replay", "failure.json"] if replayed else ["run"]
    result = subprocess.run(
        [*COMMAND, *command, "--launch", SERVER, "--report-dir", "file/inside"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2, result.stdout + result.stderr
    assert "--report-dir file/inside cannot be written" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_plugins_named_in_the_environment_do_not_leak_in(tmp_path: Path) -> None:
    result = subprocess.run(
        [*COMMAND, "requirements", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTEST_PLUGINS": "no_such_plugin", "PYTEST_ADDOPTS": "--no-such-option"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
