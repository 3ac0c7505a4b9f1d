"""The kill benchmark in small: a real client and a real server, killed with -9 in the middle of a drain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_drain.py"


@pytest.mark.parametrize("victim", ["client", "server"])
def test_nothing_is_lost_and_nothing_happens_twice_when_a_side_is_killed_in_the_middle_of_a_drain(
    victim: str,
) -> None:
    command = [sys.executable, str(SCRIPT), "--victim", victim, "--operations", "400", "--kills", "3", "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost, nothing twice" in done.stdout
