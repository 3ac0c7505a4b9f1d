"""`cartsync-conformance selftest` and `python -m conformance.mutants`, as people call them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.cli.selftesting import SelfTest, run_selftest
from conformance.mutants import CATALOGUE


def mutants(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance.mutants", *arguments], capture_output=True, text=True, check=False
    )


def test_a_mutant_that_does_not_exist_is_wrong_usage() -> None:
    done = mutants("accept-gap")
    assert done.returncode == 2
    assert "did you mean accepts-a-gap" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_mutant_at_all_is_wrong_usage() -> None:
    assert mutants().returncode == 2


def test_the_list_has_every_mutant() -> None:
    listed = mutants("--list")
    assert listed.returncode == 0
    assert [mutant.name for mutant in CATALOGUE if f"{mutant.name}: {mutant.does}" not in listed.stdout] == []


def test_a_self_test_of_an_unknown_mutant_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["selftest", "--mutant", "accept-gap"])
    assert result.exit_code == 2
    assert "did you mean accepts-a-gap" in result.output


def test_a_self_test_with_an_unknown_budget_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["selftest", "--budget", "lavish"])
    assert result.exit_code == 2
    assert "fast" in result.output


@pytest.mark.timeout(240)
def test_wrong_servers_are_caught_and_their_failures_pass_on_the_reference_server(tmp_path: Path) -> None:
    """One of each part that mutants exchange most: decider, cart rules, store, stream."""
    names = ("recomputes-replays", "add-sets", "check-then-insert", "half-close-ends-with-an-error")
    chosen = [word for name in names for word in ("--mutant", name)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "conformance.cli", "selftest", *chosen),
            *("--replays", "1", "--output", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    matrix = json.loads((tmp_path / "matrix.json").read_text(encoding="utf-8"))
    assert [mutant["name"] for mutant in matrix["mutants"] if mutant["caught_as"] in mutant["breaks"]] == list(names)
    assert [replay["name"] for replay in matrix["replays"] if replay["good"]] == list(names)
    assert "4 of 4 mutants caught" in done.stdout
    assert "| recomputes-replays |" in (tmp_path / "matrix.md").read_text(encoding="utf-8")


def test_a_trial_that_comes_to_no_result_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = dataclasses.replace(CATALOGUE[0], name="nobody-serves-this")
    test = SelfTest(
        (nobody,), seed_count=0, seed=1, budget="fast", jobs=1, output=tmp_path, replay_count=0, whole=False
    )
    assert run_selftest(test) == 4
    said = capsys.readouterr().err
    assert "UnknownMutantError" in said
    assert str(tmp_path / "nobody-serves-this" / "suite.log") in said
