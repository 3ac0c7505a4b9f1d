"""Runs pytest over the suite, in this process and apart from whatever project it is started in."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest
from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.reports.terminal import Progress
from conformance.requirements import Register
from conformance.run.run import PLUGIN_NAME, SUITE_ERROR_EXIT_CODE, Run, check_id_of, slugs_of, title_of
from conformance.run.settings import RunSettings

_INTERRUPTED_EXIT_CODE = 130


def execute(register: Register, settings: RunSettings, progress: Progress) -> tuple[int, report_pb2.Report | None]:
    """Run the selected checks; returns the exit code and the report (None when the suite itself broke down).

    Raises UsageError when nothing is selected, or the report's folder cannot be written. Ctrl-C and SIGTERM end the
    run with the report of what was found by then.
    """
    settings.claim_report_dir()
    run = Run(register, settings, version("cartsync"), progress)
    with _terminated_as_by_ctrl_c():
        _pytest(run, PLUGIN_NAME)
    if run.nothing_selected:
        raise UsageError(f"no check matches {' '.join(settings.only) or 'the profiles'}, so nothing would be tested")
    if run.recorder.interrupted:
        return _INTERRUPTED_EXIT_CODE, run.report
    if run.report is None or run.recorder.broken:
        return SUITE_ERROR_EXIT_CODE, None
    return run.report.exit_code, run.report


@dataclass(frozen=True, slots=True)
class Check:
    """A check as it stands in the suite."""

    check_id: str
    title: str
    slugs: tuple[str, ...]


@dataclass
class _Inventory:
    checks: list[Check] = field(default_factory=list)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            raise RuntimeError(f"the suite cannot be read: {report.longrepr}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.checks = [Check(check_id_of(item), title_of(item), slugs_of(item)) for item in items]


def inventory() -> list[Check]:
    """Every check of the suite, in order; raises RuntimeError when the suite cannot be collected."""
    found = _Inventory()
    code = _pytest(found, "cartsync-inventory", "--collect-only")
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"the suite cannot be collected (pytest exit code {code})")
    return found.checks


def _pytest(plugin: object, name: str, *arguments: str) -> int:
    suite = Path(str(files("conformance") / "suite"))
    with _only_our_plugins():
        return int(
            pytest.main(
                [
                    *arguments,
                    str(suite),
                    f"--rootdir={suite.parent}",
                    f"--confcutdir={suite}",
                    "-c",
                    os.devnull,
                    "--import-mode=importlib",
                    "-p",
                    "conformance.plugin",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:terminal",
                    "-p",
                    "no:faulthandler",
                    "-p",
                    "no:warnings",
                    "-s",
                ],
                plugins=[_Named(name, plugin)],
            )
        )


class _Named:
    """Registers a plugin under a name; pytest's own `plugins` argument gives none."""

    def __init__(self, name: str, plugin: object) -> None:
        self._name = name
        self._plugin = plugin

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._plugin, self._name)


@contextmanager
def _only_our_plugins() -> Iterator[None]:
    """Keep the caller's pytest options and plugins out of a certification."""
    ours = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    saved = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _terminated_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a run in good order, so that no launched server outlives it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
