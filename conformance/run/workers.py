"""A run over several processes, with pytest-xdist: each worker runs some of the checks, the controller reports on all.

With a launch command every worker starts a server of its own, on ports of its own. With one server that is running
already, checks that disturb everybody are alone with it (see `server_lock`). Which ones do is not written down
anywhere, so it cannot be forgotten: a check begins beside others, and when it is about to do such a thing it is given
up, before anything was done, and begun again alone. Nothing is lost by that, for every attempt makes its principals and
products anew. Fuzzed checks, which nearly all come to it, and those that flood the server are alone from the start.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import TargetUnreachableError, UsageError
from conformance.rejudging.notebook import history_file
from conformance.requirements import Register
from conformance.run import failure_files
from conformance.run.recorder import Recorder
from conformance.run.run import SUITE_ERROR_EXIT_CODE, USAGE_EXIT_CODE, Run, check_id_of, slugs_of
from conformance.run.server_lock import ServerLock
from conformance.run.settings import RunSettings
from conformance.run.turns import is_fuzzed
from conformance.run.verdicts import CheckRecord
from conformance.run.worker_files import WorkerFile, put_together
from conformance.wire import TargetOptions

_FLOODS = "security/flood"
_FOLDER = "cartsync_folder"  # how a worker is told where to leave its files


class _NeedsTheServerAloneError(BaseException):
    """The check is about to disturb others. Not an Exception, so that no check and no fuzzing takes it for a result."""


class Worker(Run):
    """The part of a run that one worker has. Its results go into a file; it makes no report."""

    def __init__(self, register: Register, settings: RunSettings, suite_version: str, folder: Path, name: str) -> None:
        super().__init__(register, settings, suite_version)
        self.recorder.worker = f"{name}-"
        self._file = WorkerFile(folder, name)
        self._lock = ServerLock(folder)
        self._shares = not settings.target.launch  # whether the server is that of other workers too
        self._is_alone = False
        self._gives_up = False  # the running check is about to disturb others
        self._needed_alone: set[str] = set()
        self._is_over = False  # no more checks are run

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Open the target around the checks; the list of them must stay as the controller was told it."""
        with contextlib.ExitStack() as opened:
            if session.items and not self.recorder.broken:
                # Alone also where each has a server of its own: its ports are taken before another looks for some.
                with self._lock.alone():
                    try:
                        self._open_target(opened, list(session.items))
                        self.target.before_disturbing = self._before_disturbing
                    except TargetUnreachableError as error:
                        self._stop(session, str(error))
                        self.recorder.unreachable = str(error)
            self._file.begin(self.recorder)
            result = yield
            if self._target is not None:
                with self._alone():
                    self._run_again(session)
            return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(  # type: ignore[override]  # here it runs the check, there it stands around that
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool:
        """Run one check, beside others where that does."""
        check = self.recorder.checks.get(check_id_of(item))
        if self._is_over or check is None or self._target is None:
            return True  # the controller is told that it is through
        before = len(self.recorder.findings)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with self._recorded(item):
            reports = self._reports(item, nextitem, check)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        self._file.check(check, self.recorder.findings[before:])
        return True

    def _reports(self, item: pytest.Item, nextitem: pytest.Item | None, check: CheckRecord) -> list[pytest.TestReport]:
        if not self._shares:
            return runtestprotocol(item, log=False, nextitem=nextitem)
        if not self._is_for_one(item):
            with self._lock.beside_others():
                reports = runtestprotocol(item, log=False, nextitem=nextitem)
            if not self._gives_up:
                return reports
            self._forget(check)
        with self._alone():
            return runtestprotocol(item, log=False, nextitem=nextitem)

    def _is_for_one(self, item: pytest.Item) -> bool:
        check_id = check_id_of(item)
        return is_fuzzed(check_id) or _FLOODS in slugs_of(item) or check_id in self._needed_alone

    @contextlib.contextmanager
    def _alone(self) -> Generator[None, None, None]:
        if not self._shares:
            yield
            return
        with self._lock.alone():
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    def _before_disturbing(self) -> None:
        if self._shares and not self._is_alone:
            self._gives_up = True
            raise _NeedsTheServerAloneError

    def _forget(self, check: CheckRecord) -> None:
        """Make as if the check had not begun."""
        self._gives_up = False
        self._needed_alone.add(check.check_id)
        for story in self._stories:
            story.close()
        self._stories.clear()
        fresh = CheckRecord(check.check_id, check.title, check.slugs)
        for field in fields(fresh):
            setattr(check, field.name, getattr(fresh, field.name))

    def _failed(self, check: CheckRecord, error: BaseException) -> None:
        if not self._gives_up:  # after that, whatever comes is of an attempt that does not count
            super()._failed(check, error)

    def _stop(self, session: pytest.Session, reason: str) -> None:
        """Run no more checks; the other workers go on until they come to the same end."""
        del session, reason
        self._is_over = True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Leave behind what the controller needs."""
        del session
        self._history.close()
        self._file.end(self.recorder)


class Controller:
    """The process that gives the checks to the workers, and makes one report of what they found."""

    def __init__(self, register: Register, settings: RunSettings, suite_version: str) -> None:
        self.settings = settings
        self.recorder = Recorder(register, settings, suite_version)
        self.report: report_pb2.Report | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="cartsync-workers-"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker that is about to start where to leave its files."""
        node.workerinput[_FOLDER] = str(self._folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Clear away what an earlier run left where the workers will write."""
        with contextlib.suppress(OSError):  # the report cannot be written there either, and says so
            failure_files.remove_earlier(self.settings.report_dir)
            name = history_file(self.settings.report_dir, "").name
            for file in self.settings.report_dir.glob(name.replace(".", "*.", 1)):
                file.unlink()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that somebody stopped the run; pytest calls this for a run that stops itself, too."""
        if not isinstance(excinfo.value, pytest.Session.Interrupted):
            self.recorder.interrupted = True

    def pytest_internalerror(self, excrepr: object) -> None:
        """Remember a failure outside of any check: then nothing can be certified."""
        self.recorder.broken.append(str(excrepr).strip().splitlines()[-1])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Put together what the workers found, and let pytest end with its exit code."""
        put_together(self.recorder, self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        if not self.recorder.checks:
            session.exitstatus = USAGE_EXIT_CODE
            return
        from conformance.reports import write_all

        report = self.recorder.report()
        try:
            write_all(report, self.settings.report_dir)
        except OSError:
            session.exitstatus = SUITE_ERROR_EXIT_CODE
            return
        self.report = report
        session.exitstatus = report.exit_code


def worker_folder(workerinput: dict[str, Any]) -> Path:
    """Where this worker leaves its files, as the controller told it."""
    return Path(workerinput[_FOLDER])


def see_that_it_can_be_divided(target: TargetOptions, dist: str, specs: list[str]) -> None:
    """Raise UsageError for a run that cannot be done by several processes."""
    if dist == "each":
        raise UsageError("--dist each runs every check in every worker; a run divides them: choose load or worksteal")
    if not all(spec.rpartition("*")[2].startswith("popen") for spec in specs):
        raise UsageError("the workers of a run must be on this machine: use -n, or --tx with popen")
    if target.launch and (target.target or target.control):
        raise UsageError(
            "every worker launches a server of its own, on ports of its own: "
            "leave out --cartsync-target and --cartsync-control, or -n"
        )
    if target.fixtures is not None:
        raise UsageError("the accounts of --cartsync-fixtures can be used by one process at a time: leave out -n")
