"""A run as a pytest plugin: selects the checks, opens the target, turns what pytest sees into verdicts."""

from __future__ import annotations

import contextlib
import random
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from _pytest.runner import runtestprotocol
from cartsync.conformance.v1 import report_pb2

from conformance import SPEC_VERSION
from conformance.exceptions import NotTestableError, TargetUnreachableError, UsageError, ViolationError
from conformance.oracle import Judge, Refutation
from conformance.plans.execute import Play
from conformance.plans.steps import Plan
from conformance.rejudging.notebook import Notebook, history_file
from conformance.rejudging.telling import RecordingJudge
from conformance.reports.terminal import Progress
from conformance.requirements import Register
from conformance.run import failure_files, verdicts
from conformance.run.encore import Encore
from conformance.run.recorder import NoProgress, Recorder
from conformance.run.reruns import run_again
from conformance.run.settings import RunSettings
from conformance.run.smoke import smoke
from conformance.run.turns import REPORT_SECONDS, Turns, is_fuzzed
from conformance.run.verdicts import CheckRecord
from conformance.wire import RpcFailureError, Story, Target
from conformance.wire.shop import ControlFailedError

PLUGIN_NAME = "cartsync-run"
SUITE_PACKAGE = "conformance.suite"
USAGE_EXIT_CODE = 2
SUITE_ERROR_EXIT_CODE = 4
_T = TypeVar("_T")
MOST_UNANSWERED = 5  # so many checks in a row wait for an answer in vain before a run is given up


class Run:
    """One run. Registered with pytest under PLUGIN_NAME; `report` is there when pytest has ended."""

    def __init__(
        self, register: Register, settings: RunSettings, suite_version: str, progress: Progress | None = None
    ) -> None:
        self.register = register
        self.settings = settings
        self.progress: Progress = progress or NoProgress()
        self.recorder = Recorder(register, settings, suite_version)
        self.report: report_pb2.Report | None = None
        self.nothing_selected = False
        self._target: Target | None = None
        self._stories: list[Story] = []
        self._current: CheckRecord | None = None
        self._unanswered_count = 0  # checks in a row that waited in vain
        self._turns: Turns | None = None  # of a campaign with a time limit
        self._kept: dict[str, Any] = {}
        self._history = Notebook(history_file(settings.report_dir), self.recorder)

    # What checks use, through the fixtures of `conformance.plugin`.

    @property
    def target(self) -> Target:
        """The server under test, open while checks run."""
        if self._target is None:
            raise UsageError("the target is open only while checks run")
        return self._target

    def rng(self, *parts: object) -> random.Random:
        """Randomness of the run's seed and the given names, so that a check draws the same in every run."""
        return random.Random("/".join(map(str, (self.settings.seed, *parts))))  # noqa: S311 - for tests, no secrets

    def story(self, name: str, rng: random.Random) -> Story:
        """A new story; closed, and counted, when the running check ends or by `end_story`."""
        story = Story(self.target, rng, name=name)
        self._stories.append(story)
        return story

    def end_story(self, story: Story) -> None:
        """Close a story that went well, before the check ends."""
        self._stories.remove(story)
        self._count(story)
        story.close()

    def plan_executed(self, plan_count: int) -> None:
        """Say that the running check has executed so many plans."""
        if self._current is not None:
            self._current.plan_count = plan_count
            self.progress.plan_executed(plan_count, self._current.operation_count)

    def plan_told(self, plan: Plan, judge: Judge, refutation: Refutation | None, *, undecided: bool) -> None:
        """Keep what the judge of a plan was told, so that a later suite can judge it again."""
        check = self._current.check_id if self._current is not None else ""
        if isinstance(self.recorder, Encore):
            return
        if isinstance(judge, RecordingJudge):
            self._history.keep(check, plan, judge, refutation, undecided=undecided)

    def plan_played(self, plan: Plan, play: Play) -> None:
        """Count what a plan of the running check reached."""
        if self._current is not None:
            self.recorder.fuzzing.plan_played(self._current.check_id, plan, play)

    def kept(self, name: str, make: Callable[[], _T]) -> _T:
        """What a check keeps from one of its turns to the next, made in the first."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: _T = self._kept[name]
        return kept

    def turn_seconds(self, otherwise: float) -> float:
        """How long the running check may play plans now; `otherwise` where no time limit divides a campaign."""
        if self._turns is None or self._current is None:
            return otherwise
        return self._turns.turn(self._current.check_id, time.monotonic())

    def turn_took(self, new_count: int) -> None:
        """Say how many new triples the running check reached in its turn."""
        if self._turns is not None and self._current is not None:
            self._turns.took(self._current.check_id, new_count)

    def _count(self, story: Story) -> None:
        if self._current is not None:
            self._current.operation_count += story.operation_count

    # pytest hooks.

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a part of the suite that cannot be read: then nothing can be certified."""
        if report.failed:
            self.recorder.broken.append(str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the checks of the requested profiles; write every one of them down."""
        kept, dropped = [], []
        for item in items:
            slugs = slugs_of(item)
            unknown = [slug for slug in slugs if slug not in self.register.by_slug]
            if not slugs or unknown:
                raise pytest.UsageError(f"{item.nodeid} judges no requirement, or an unknown one: {unknown}")
            if self._is_wanted(slugs) and self.settings.selects(check_id_of(item), slugs):
                kept.append(item)
            else:
                dropped.append(item)
        if self.settings.time_limit is not None:
            kept.sort(key=lambda item: is_fuzzed(check_id_of(item)))
        for item in self._of_other_shards(kept):
            kept.remove(item)
            dropped.append(item)
        for item in kept:
            self.recorder.checks[check_id_of(item)] = CheckRecord(check_id_of(item), title_of(item), slugs_of(item))
        items[:] = kept
        self.nothing_selected = not kept
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take out what pytest's own options (`-k`, names of files) left out: that is a selection like any other."""
        left = {check_id_of(item) for item in session.items}
        left_out = [check_id for check_id in self.recorder.checks if check_id not in left]
        if left_out or not any(_is_the_suite(argument) for argument in session.config.args):
            self.settings = self.recorder.settings = replace(self.settings, only=self.settings.only or ("pytest",))
        for check_id in left_out:
            del self.recorder.checks[check_id]

    def _of_other_shards(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """The scripted checks that other shards run; fuzzed ones run in all, each with plans of its own."""
        shard = self.settings.shard
        if shard is None:
            return []
        scripted = [item for item in items if not is_fuzzed(check_id_of(item))]
        return [item for number, item in enumerate(scripted) if not shard.takes(number)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Open the target around all checks, and run none of them when the smoke stage fails."""
        with contextlib.ExitStack() as opened:
            if session.items and not self.recorder.broken:
                self._clear_failures()
                try:
                    self._open_target(opened, session.items)
                except TargetUnreachableError as error:
                    self.recorder.unreachable = str(error)
                    session.items.clear()
            result = yield
            if self._target is not None:
                self._run_again(session)
            return result

    def _clear_failures(self) -> None:
        """The failures of an earlier run would stand beside this run's report as if they were its own."""
        try:
            failure_files.remove_earlier(self.settings.report_dir, replayed=self.settings.replayed)
            self._history.file.unlink(missing_ok=True)
        except OSError as error:
            self.progress.note(f"{error.filename}, of an earlier run, cannot be removed: {error.strerror}")

    def _is_wanted(self, slugs: tuple[str, ...]) -> bool:
        return any(self.register.by_slug[slug].profile in self.settings.profiles for slug in slugs)

    def _leave_out(self, listed: tuple[str, ...], items: list[pytest.Item]) -> None:
        """Take out what is of profiles that the server does not list; it is not tested for them."""
        asked = self.settings.profiles
        self.settings = self.recorder.settings = self.settings.narrowed_to(listed)
        self.recorder.unlisted_profiles = tuple(name for name in asked if name not in self.settings.profiles)
        for item in [item for item in items if not self._is_wanted(slugs_of(item))]:
            items.remove(item)
            del self.recorder.checks[check_id_of(item)]

    def _open_target(self, opened: contextlib.ExitStack, items: list[pytest.Item]) -> None:
        target = Target(self.settings.target)
        self.recorder.describe_target(target.address, target.control_address, target.launched, None)
        opened.enter_context(target)
        opened.callback(self._close_target)
        self._target = target
        introduction = smoke(target)
        description = introduction.description if introduction else None
        self.recorder.describe_target(target.address, target.control_address, target.launched, description)
        if introduction is not None and introduction.profiles is not None:
            self._leave_out(introduction.profiles, items)
        if self.settings.time_limit is not None:
            end = self.recorder.started + self.settings.time_limit - REPORT_SECONDS
            self._turns = Turns(end, sum(is_fuzzed(check_id_of(item)) for item in items))
        self.progress.started(
            self.recorder.target.name,
            target.address,
            self.settings.profiles,
            len(items),
            self.settings.seed,
            self.settings.budget.name,
        )
        if self.settings.edition.name != SPEC_VERSION:
            self.progress.note(f"judged by edition {self.settings.edition.name}; what came later is told beside it")

    def _close_target(self) -> None:
        self.recorder.crash_count = self.target.crash_count
        self._target = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open and close the record of one check."""
        with self._recorded(item):
            return (yield)

    @contextlib.contextmanager
    def _recorded(self, item: pytest.Item) -> Iterator[None]:
        check = self.recorder.checks[check_id_of(item)]
        self._current = check
        self.recorder.fuzzing.check_began(check.check_id)
        self.progress.check_started(check.check_id, check.title)
        try:
            yield
        except KeyboardInterrupt:
            self.recorder.interrupted = True
            raise
        finally:
            for story in self._stories:
                self._count(story)
                story.close()
            self._stories.clear()
            self._current = None
            if check.verdict is None and not self.recorder.interrupted:
                check.verdict, check.note = verdicts.SUITE_ERROR, "the check ended without a result"
            self.recorder.fuzzing.check_took(check.check_id, check.seconds)
            if self._comes_again(check):
                item.session.items.append(item)  # which pytest is going through
            elif check.verdict is not None:
                self.progress.check_finished(check.check_id, check.verdict, check.seconds)

    def _comes_again(self, check: CheckRecord) -> bool:
        """Whether the check gets another turn after all others."""
        if self._turns is None or self.recorder.interrupted or self.recorder.unreachable:
            return False
        if check.verdict != verdicts.PASSED:
            self._turns.leaves(check.check_id)
        return self._turns.comes_again(check.check_id, time.monotonic())

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that somebody stopped the run; pytest calls this for a run that stops itself, too."""
        if not isinstance(excinfo.value, pytest.Session.Interrupted):
            self.recorder.interrupted = True

    def pytest_internalerror(self, excrepr: object) -> None:
        """Remember a failure outside of any check: then nothing can be certified."""
        self.recorder.broken.append(str(excrepr).strip().splitlines()[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn how a phase of a check ended into its verdict."""
        report = yield
        check = self.recorder.checks[check_id_of(item)]
        check.seconds += call.duration
        if call.excinfo is not None:
            self._failed(check, call.excinfo.value)
            if check.verdict == verdicts.NOT_TESTABLE:
                report.outcome = "skipped"
                report.longrepr = (str(item.path), 0, f"not testable: {check.note}")
            if isinstance(self.recorder, Encore):
                pass  # the run is over
            elif self.recorder.unreachable:
                self._stop(item.session, self.recorder.unreachable)
            elif check.verdict == verdicts.VIOLATION and (
                self.settings.stop_at_first or check.blamed in self.settings.stop_at
            ):
                self._stop(item.session, "stopped at the first violation")
        elif call.when == "call" and check.verdict is None:
            check.verdict = verdicts.PASSED
            self._unanswered_count = 0
        return report

    def _stop(self, session: pytest.Session, reason: str) -> None:
        """Run no more checks."""
        session.shouldstop = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make the report, and let pytest end with its exit code."""
        if not self.recorder.checks:
            session.exitstatus = USAGE_EXIT_CODE  # a run without checks tested nothing, so it is no success
            return
        from conformance.reports import write_all

        if trouble := self._history.close():
            self.progress.note(f"{self._history.file} cannot be written: {trouble}")
        report = self.recorder.report()
        try:
            write_all(report, self.settings.report_dir)
        except OSError as error:
            self.progress.note(f"the report cannot be written to {self.settings.report_dir}: {error.strerror}")
            session.exitstatus = SUITE_ERROR_EXIT_CODE
            return
        self.report = report
        self.progress.finished(report, self.settings.report_dir)
        session.exitstatus = report.exit_code

    # Once more.

    def _run_again(self, session: pytest.Session) -> None:
        """Run the story of each violation again, to tell how surely it happens."""
        findings, items = self.recorder.findings, {check_id_of(item): item for item in session.items}
        if not self.settings.reruns or self.recorder.unreachable or not findings:
            return
        left = run_again(
            findings,
            self.settings.reruns,
            lambda finding: self._once_more(items[finding.check_id], finding),
            time.monotonic,
        )
        for finding in findings:
            if finding.HasField("reproduction"):
                with contextlib.suppress(OSError, ValueError):  # the report has it all the same
                    failure_files.set_reproduction(self.settings.report_dir, finding)
        if left:
            self.progress.note(f"{left} violation(s) were not run again: there were too many, or time was up")

    def _once_more(self, item: pytest.Item, finding: report_pb2.Finding) -> str | None:
        """Run a check again with the plan that failed; which requirement was violated, if it came to a result."""
        recorder, settings, progress, turns = self.recorder, self.settings, self.progress, self._turns
        plan = recorder.plans.get(finding.replay_file)
        encore = Encore(self.register, replace(settings, plan=plan, play_count=1), recorder.suite_version)
        check = encore.checks[finding.check_id] = CheckRecord(finding.check_id, title_of(item), slugs_of(item))
        self.recorder, self.settings, self.progress, self._turns = encore, encore.settings, NoProgress(), None
        self._kept.clear()
        try:
            with self._recorded(item):
                runtestprotocol(item, log=False, nextitem=None)
        finally:
            self.recorder, self.settings, self.progress, self._turns = recorder, settings, progress, turns
        return encore.outcome_of(check)

    # Who is at fault.

    def _failed(self, check: CheckRecord, error: BaseException) -> None:
        error = _the_cause(error)
        self._unanswered_count = self._unanswered_count + 1 if _waited_in_vain(error) else 0
        match error:
            case NotTestableError():
                check.verdict, check.note = verdicts.NOT_TESTABLE, str(error)
            case ViolationError():
                self._violated(check, error)
            case TargetUnreachableError() | RpcFailureError():
                self._no_answer(check, error)
            case _:
                check.verdict = verdicts.SUITE_ERROR
                check.note = f"{type(error).__name__}: {error}"
                text = "".join(traceback.format_exception(error))
                self.recorder.found(
                    check, check.slugs[0], check.verdict, check.note, observed=text, events=self._events()
                )
        if self._unanswered_count >= MOST_UNANSWERED and not self.recorder.unreachable:
            self.recorder.unreachable = (
                f"the server at {self.target.address} says that it is healthy, but {self._unanswered_count} checks in "
                f"a row waited for an answer in vain; the last one: {error}"
            )

    def _violated(self, check: CheckRecord, error: ViolationError) -> None:
        slug = error.slug or check.slugs[0]
        requirement = self.recorder.requirement(slug)
        if requirement is None:
            check.verdict, check.note = verdicts.SUITE_ERROR, f"the check blames {slug}, which the spec does not have"
            return
        check.verdict, check.blamed, check.note = verdicts.VIOLATION, slug, error.summary
        self.recorder.found(
            check,
            slug,
            verdicts.VIOLATION if requirement.level == "MUST" else verdicts.WARNING,
            error.summary,
            expected=error.expected,
            observed=error.observed,
            events=self._events(),
            plan=error.plan,
            worlds=error.worlds,
        )

    def _no_answer(self, check: CheckRecord, error: TargetUnreachableError | RpcFailureError) -> None:
        """A call ended badly where an answer was due: the server is wrong, or gone, or only its control service is."""
        healthy = self.target.is_healthy()
        if healthy and isinstance(error, RpcFailureError):
            summary = f"a call ended with {error} where an answer was due"
            self._violated(check, ViolationError(None, summary, expected="an answer", observed=str(error)))
        elif not healthy and self.target.launched:
            summary = "the server died, or stopped answering, while it was tested"
            observed = f"{error}\n{self.target.last_words()}".strip()
            self._violated(check, ViolationError(None, summary, expected="an answer", observed=observed))
            self._start_again()
        else:
            check.verdict = verdicts.UNREACHABLE
            check.note = f"the server at {self.target.address} stopped answering: {error}"
            self.recorder.unreachable = check.note
            self.recorder.found(check, check.slugs[0], check.verdict, check.note, events=self._events())

    def _start_again(self) -> None:
        """Give a server that died the chance to serve the checks that are left."""
        try:
            self.target.kill()
            self.target.start()
        except TargetUnreachableError as error:
            self.recorder.unreachable = str(error)

    def _events(self) -> tuple[Any, ...]:
        return self._stories[-1].history.blamed() if self._stories else ()


def _is_the_suite(argument: str) -> bool:
    """Whether an argument of pytest names the whole suite."""
    return argument == SUITE_PACKAGE or Path(argument) == Path(str(files(SUITE_PACKAGE)))


def slugs_of(item: pytest.Item) -> tuple[str, ...]:
    """The requirements that a check is marked with, in order."""
    marks: Iterator[pytest.Mark] = item.iter_markers("requirement")
    return tuple(dict.fromkeys(str(slug) for mark in marks for slug in mark.args))


def check_id_of(item: pytest.Item) -> str:
    """The check's name within the suite: file and function, with its parameters."""
    path, _, name = item.nodeid.partition("::")
    return f"{path.rpartition('/')[2]}::{name}"


def title_of(item: pytest.Item) -> str:
    """The first line of the check's docstring, with the case where there are several."""
    function = getattr(item, "function", None)
    lines = (getattr(function, "__doc__", None) or item.name).strip().splitlines()
    _, bracket, case = item.name.partition("[")
    return f"{lines[0]} ({case.removesuffix(']')})" if bracket else lines[0]


def _waited_in_vain(error: BaseException) -> bool:
    """Whether a call to the server, or to its control service, got no answer in its time."""
    failed = isinstance(error, RpcFailureError | ControlFailedError)
    return failed and getattr(error, "code", None) is grpc.StatusCode.DEADLINE_EXCEEDED


def _the_cause(error: BaseException) -> BaseException:
    """The first error of a group: fuzzing may report several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
