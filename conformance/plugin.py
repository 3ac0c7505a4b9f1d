"""The pytest plugin: options, the `requirement` marker and the fixtures that checks use.

Loaded wherever cartsync is installed; does nothing until a target is given or a run is registered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.requirements import Register
    from conformance.run import Budget, Run, RunSettings
    from conformance.run.workers import Controller
    from conformance.wire import Story, Target

_RUN_PLUGIN = "cartsync-run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; `cartsync-conformance run --help` explains them."""
    group = parser.getgroup("cartsync", "Cartsync conformance")
    group.addoption("--cartsync-target", default="", metavar="HOST:PORT", help="the server under test")
    group.addoption("--cartsync-control", default="", metavar="HOST:PORT", help="its control service")
    group.addoption("--cartsync-control-secret", default="", metavar="SECRET", help="the control service's secret")
    group.addoption("--cartsync-launch", default="", metavar="COMMAND", help="starts the server under test")
    group.addoption("--cartsync-fixtures", type=Path, default=None, metavar="FILE", help="accounts and products")
    group.addoption("--cartsync-baseline", type=Path, default=None, metavar="FILE", help="known failures")
    group.addoption("--cartsync-reruns", type=int, default=3, metavar="K", help="how often violations are run again")
    group.addoption("--cartsync-profile", action="append", default=[], metavar="NAME", help="profile to certify")
    group.addoption("--cartsync-budget", default="standard", help="fast, standard or deep")
    group.addoption("--cartsync-seed", type=int, default=0, help="everything random comes from it")
    group.addoption("--cartsync-edition", default="", metavar="NAME", help="edition of the spec that decides")
    group.addoption("--cartsync-report-dir", type=Path, default=Path("conformance-report"), metavar="DIR")
    group.addoption("--cartsync-plan", type=Path, default=None, metavar="FILE", help="replay the plan in this file")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and a run when one is asked for by options."""
    config.addinivalue_line("markers", "requirement(*slugs): the requirements of the spec that a check judges")
    asked_for = config.getoption("--cartsync-target") or config.getoption("--cartsync-launch")
    if asked_for and not config.pluginmanager.has_plugin(_RUN_PLUGIN):
        config.pluginmanager.register(_run_of_options(config), _RUN_PLUGIN)


def _run_of_options(config: pytest.Config) -> Run | Controller:
    """The run that the options ask for; over several processes, this one's part in it."""
    from conformance.exceptions import UsageError
    from conformance.requirements import load
    from conformance.run import Run

    register, suite_version = load(), version("cartsync")
    try:
        settings = _settings_of_options(config, register)
        settings.claim_report_dir()
        if (workerinput := getattr(config, "workerinput", None)) is not None:
            from conformance.run.workers import Worker, worker_folder

            return Worker(register, settings, suite_version, worker_folder(workerinput), workerinput["workerid"])
        if config.getoption("dist", "no") != "no":
            from conformance.run.workers import Controller, see_that_it_can_be_divided

            see_that_it_can_be_divided(settings.target, config.getoption("dist"), config.getoption("tx") or [])
            return Controller(register, settings, suite_version)
    except (UsageError, OSError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    return Run(register, settings, suite_version)


def _settings_of_options(config: pytest.Config, register: Register) -> RunSettings:
    from conformance.fixtures import read_fixtures
    from conformance.run import RunSettings
    from conformance.run.baseline import read_baseline
    from conformance.wire import TargetOptions

    plan_file: Path | None = config.getoption("--cartsync-plan")
    fixtures_file: Path | None = config.getoption("--cartsync-fixtures")
    baseline_file: Path | None = config.getoption("--cartsync-baseline")
    return RunSettings.checked(
        register,
        target=TargetOptions(
            target=config.getoption("--cartsync-target"),
            control=config.getoption("--cartsync-control"),
            launch=config.getoption("--cartsync-launch"),
            control_secret=config.getoption("--cartsync-control-secret")
            or os.environ.get("CARTSYNC_CONTROL_SECRET", ""),
            fixtures=read_fixtures(fixtures_file, os.environ) if fixtures_file else None,
        ),
        baseline=read_baseline(baseline_file, register.by_slug) if baseline_file else None,
        today=datetime.now(UTC).date(),
        reruns=config.getoption("--cartsync-reruns"),
        profiles=tuple(config.getoption("--cartsync-profile")),
        budget=config.getoption("--cartsync-budget"),
        seed=config.getoption("--cartsync-seed"),
        report_dir=config.getoption("--cartsync-report-dir"),
        edition=config.getoption("--cartsync-edition"),
        plan=json.loads(plan_file.read_text(encoding="utf-8")) if plan_file else None,
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the checks come to, below what pytest says of them."""
    run: Run | Controller | None = config.pluginmanager.get_plugin(_RUN_PLUGIN)
    if run is None or run.report is None:
        return
    from conformance.reports.terminal_lines import summary_lines

    terminalreporter.section("Cartsync conformance")
    for line in summary_lines(run.report, run.settings.report_dir):
        terminalreporter.write_line(line)


@pytest.fixture
def cartsync_run(request: pytest.FixtureRequest) -> Run:
    """The run that this check is part of."""
    run: Run | None = request.config.pluginmanager.get_plugin(_RUN_PLUGIN)
    if run is None:
        raise pytest.UsageError("give --cartsync-target HOST:PORT or --cartsync-launch COMMAND to run the suite")
    return run


@pytest.fixture
def target(cartsync_run: Run) -> Target:
    """The server under test."""
    return cartsync_run.target


@pytest.fixture
def story(cartsync_run: Run, request: pytest.FixtureRequest) -> Story:
    """A principal, carts and products of the check's own."""
    name = request.node.name
    short = name.partition("[")[0].removeprefix("test_").replace("_", "-")
    return cartsync_run.story(short, cartsync_run.rng(name))


@pytest.fixture
def budget(cartsync_run: Run) -> Budget:
    """How much fuzzing may do."""
    return cartsync_run.settings.budget


@pytest.fixture
def replayed_plan(cartsync_run: Run) -> Mapping[str, Any] | None:
    """The one plan to execute in place of drawn ones; None in an ordinary run."""
    return cartsync_run.settings.plan
