"""No false alarms: servers that do everything otherwise that the spec leaves open pass every scripted check."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from conformance.mutants.different import SERVERS

# Those that differ in one thing, or are slow, are asked for that part here; `--right NAME` stands for all of it.
ONLY = {"unhurried": "effects/*", "journal": "durability/*"}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.timeout(300)
def test_a_server_that_is_right_in_its_own_way_passes(tmp_path: Path, name: str) -> None:
    # Scripted checks only: fuzzing has tests of its own against false alarms, and these are to take seconds.
    result = subprocess.run(
        [
            *(sys.executable, "-c", "from conformance.cli import main; main()"),
            *(
                "run",
                "--launch",
                f"{sys.executable} -m conformance.mutants --right {name}",
                "--only",
                ONLY.get(name, "test_[!f]*"),
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 5, result.stdout + result.stderr  # a selection never certifies
    report = json.loads((tmp_path / "conformance-report" / "report.json").read_text())
    assert report["findings"] == []
    not_run = [r["slug"] for r in report["requirements"] if r["verdict"] != "VERDICT_PASSED"]
    passed = [r["slug"] for r in report["requirements"] if r["verdict"] == "VERDICT_PASSED"]
    assert [slug for slug in not_run if fnmatchcase(slug, ONLY.get(name, "*"))] == []
    assert passed
