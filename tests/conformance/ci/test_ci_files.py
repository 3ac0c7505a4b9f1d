"""The GitLab template hands its variables on as arguments, and the container file names what there is."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from conformance.cli import main
from tools.action_check.__main__ import ROOT

TEMPLATE = yaml.safe_load((ROOT / "ci" / "gitlab-cartsync.yml").read_text(encoding="utf-8"))[".cartsync-conformance"]

SUITE = """#!{python}
import json, os, sys
told = {{name: value for name, value in os.environ.items() if name.startswith("CARTSYNC_")}}
print(json.dumps([sys.argv[1:], told]))
sys.exit(5)
"""


def gitlab_job(folder: Path, shell: str, **variables: str) -> tuple[list[str], dict[str, str], int]:
    """Run the template's script as a runner does; the arguments and variables that the suite got, and the exit code."""
    (folder / "bin").mkdir()
    suite = folder / "bin" / "cartsync-conformance"
    suite.write_text(SUITE.format(python=sys.executable))
    suite.chmod(0o755)
    (folder / "cart").mkdir()
    (folder / "cart" / "a-file").touch()  # what a shell would make of the pattern cart/*
    result = subprocess.run(
        [shell, "-e", "-c", "\n".join(TEMPLATE["script"])],
        cwd=folder,
        env={**TEMPLATE["variables"], **variables, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    arguments, environment = json.loads(result.stdout)
    return arguments, environment, result.returncode


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_gitlab_job_hands_its_variables_on_and_ends_with_the_exit_code_of_the_suite(
    tmp_path: Path, shell: str
) -> None:
    launch = "srv --listen {listen}; touch injected"
    arguments, environment, code = gitlab_job(
        tmp_path,
        shell,
        CARTSYNC_LAUNCH=launch,
        CARTSYNC_PROFILES="core watch",
        CARTSYNC_ONLY="cart/*",
        CARTSYNC_SEED="7",
        CARTSYNC_BASELINE="known failures.toml",
    )
    assert code == 5
    assert arguments == [
        *("run", "--report-dir", "conformance-report", "--budget", "standard"),
        *("--profile", "core", "--profile", "watch", "--only", "cart/*"),
        *("--baseline", "known failures.toml", "--seed", "7"),
    ]
    assert environment["CARTSYNC_LAUNCH"] == launch
    assert "CARTSYNC_FIXTURES" not in environment
    assert not (tmp_path / "injected").exists()


def test_every_option_of_the_gitlab_template_is_one_of_the_command_run() -> None:
    assert isinstance(main, click.Group)
    known = {option for parameter in main.commands["run"].params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", "\n".join(TEMPLATE["script"]))) - {"--"} <= known
    read_by_the_suite = {parameter.envvar for parameter in main.commands["run"].params if parameter.envvar}
    assert {"CARTSYNC_TARGET", "CARTSYNC_CONTROL", "CARTSYNC_LAUNCH", "CARTSYNC_FIXTURES"} <= read_by_the_suite


def test_a_gitlab_job_keeps_the_report_and_shows_the_requirements_as_tests() -> None:
    assert TEMPLATE["artifacts"]["reports"]["junit"] == "$CARTSYNC_REPORT_DIR/junit.xml"
    assert TEMPLATE["artifacts"]["when"] == "always"


def copied() -> list[str]:
    """What the container file copies from the checkout into its first stage."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    words = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY (?!--from).*$", text, re.MULTILINE)]
    return [name for names in words for name in names]


def test_the_container_file_copies_all_that_building_the_suite_takes(tmp_path: Path) -> None:
    for name in copied():
        source = ROOT / name
        assert source.exists(), name
        target = tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", tmp_path / "suite", "."], cwd=tmp_path / "source", check=True)
    listed = subprocess.run(
        [sys.executable, "-P", "-S", "-c", LISTING, str(tmp_path / "suite"), *sys.path[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    requirements, place = listed.stdout.split()
    assert int(requirements) >= 250
    assert place.startswith(str(tmp_path / "suite"))


# Takes the installed suite before that of the checkout.
LISTING = """
import sys
sys.path[:0] = [sys.argv[1], *[path for path in sys.argv[2:] if path.endswith("site-packages")]]
import conformance.cli.main
from conformance.requirements import load
print(len(load().requirements), conformance.__file__)
"""


def test_the_container_runs_the_suite_and_not_as_root() -> None:
    stages = (ROOT / "Containerfile").read_text(encoding="utf-8").split("\nFROM ")
    last = stages[-1].splitlines()
    assert 'ENTRYPOINT ["cartsync-conformance"]' in last
    assert "USER 10001" in last
    assert last.index("USER 10001") < last.index('ENTRYPOINT ["cartsync-conformance"]')
