from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2
from rich.cells import cell_len

from conformance.reports.terminal import progress_for
from conformance.reports.terminal_lines import LineProgress
from conformance.reports.terminal_live import LiveProgress

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal that the tests are started from has no say in them."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _run(report: report_pb2.Report, *, interactive: bool) -> str:
    stream = Terminal()
    progress = progress_for(stream, interactive=interactive, clock=Clock())
    target = report.target
    progress.started(target.name, target.address, ["core"], len(report.requirements), 42, "fast")
    for requirement in report.requirements:
        check = requirement.checks[0]
        progress.check_started(check.check_id, check.title)
        progress.plan_executed(1, 3)
        progress.check_finished(check.check_id, requirement.verdict, 0.25)
    progress.finished(report, Path("/reports/run"))
    return stream.getvalue()


def test_a_log_gets_lines_and_a_terminal_the_live_bar() -> None:
    assert isinstance(progress_for(io.StringIO(), environment={}), LineProgress)
    assert isinstance(progress_for(Terminal(), environment={}), LiveProgress)
    assert isinstance(progress_for(io.StringIO(), interactive=True), LiveProgress)


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_the_environment_can_ask_for_lines(environment: dict[str, str]) -> None:
    assert isinstance(progress_for(Terminal(), environment=environment), LineProgress)


def test_a_terminal_without_unicode_gets_lines() -> None:
    stream = Terminal()
    stream.encoding = "latin-1"
    assert isinstance(progress_for(stream, environment={}), LineProgress)


def test_lines_say_each_check_with_count_verdict_and_time() -> None:
    out = _run(sample_reports.violated(), interactive=False)
    assert "\x1b" not in out
    count = len(sample_reports.violated().requirements)
    assert f"[  1/{count}] ✓ passed          250 ms  Tells the story of `identity/credential-required` once\n" in out
    assert len(re.findall(r"^\[", out, re.MULTILINE)) == count


@pytest.mark.parametrize("interactive", [False, True])
def test_the_summary_has_verdict_profiles_findings_replay_commands_and_the_place_of_the_report(
    interactive: bool,
) -> None:
    core = sample_reports.violated().profiles[0]
    out = ESCAPES.sub("", _run(sample_reports.violated(), interactive=interactive))
    summary = out[out.lower().index("✗ not certified") :]
    for text in (
        f"{core.passed_count} of {core.requirement_count} requirements passed",
        "effects/exactly-once",
        "An add whose answer was lost was applied a second time",
        "Why: An answer is not an effect.",
        "Run again: every time (5 of 5)",
        "  cartsync-conformance replay failures/effects-exactly-once-1.json --launch 'my server'\n",
        "  cartsync-conformance replay /reports/run/failures/deciding-replay-verbatim-1.json --launch 'COMMAND'\n",
        "– 1 requirement not testable: Needs the capability",
        "2,460 plans",
        "/reports/run/report.html",
    ):
        assert text in summary


@pytest.mark.parametrize("interactive", [False, True])
def test_prose_of_the_summary_stays_within_eighty_columns(interactive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for sample in (sample_reports.violated, sample_reports.partial, sample_reports.unreachable):
        stream = Terminal()
        progress_for(stream, interactive=interactive).finished(sample(), Path("/reports"))
        lines = ESCAPES.sub("", stream.getvalue()).splitlines()
        assert [line for line in lines if cell_len(line) > 80 and "cartsync-conformance replay" not in line] == []


@pytest.mark.parametrize("interactive", [False, True])
def test_the_summary_can_come_without_a_start(interactive: bool) -> None:
    stream = Terminal()
    progress_for(stream, interactive=interactive).finished(sample_reports.unreachable(), Path("/reports"))
    assert "Nothing listens on 127.0.0.1:50051" in ESCAPES.sub("", stream.getvalue())


@pytest.mark.parametrize("interactive", [False, True])
def test_hostile_texts_reach_the_terminal_spelled_out(interactive: bool) -> None:
    out = _run(sample_reports.hostile(), interactive=interactive)
    assert "\x1b[31m \u202e" not in out
    assert "\\x1b[31m \\u202e" in ESCAPES.sub("", out)
    assert not set("\x00\u202e\uffff") & set(out)


def test_the_live_display_keeps_bad_news_and_gives_the_cursor_back() -> None:
    out = _run(sample_reports.violated(), interactive=True)
    shown = ESCAPES.sub("", out)
    assert "✗ violation  Tells the story of `effects/exactly-once` once" in shown
    assert "✓ passed  Tells" not in shown
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")


def test_closing_after_an_interruption_gives_the_cursor_back_and_may_be_repeated() -> None:
    stream = Terminal()
    progress = progress_for(stream, interactive=True)
    progress.started("", "127.0.0.1:1", ["core"], 3, 1, "fast")
    progress.check_started("a", "")
    progress.close()
    progress.close()
    assert stream.getvalue().count("\x1b[?25h") == 1


def test_a_long_check_shows_a_sign_of_life_every_five_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = progress_for(stream, interactive=False, clock=clock)
    progress.started("x", "127.0.0.1:1", ["core"], 9, 1, "fast")
    progress.check_started("fuzz", "Executes drawn plans")
    for second in range(12):
        clock.now = float(second)
        progress.plan_executed(second * 10, second * 100)
    progress.check_finished("fuzz", report_pb2.VERDICT_PASSED, 12)
    assert [line for line in stream.getvalue().splitlines() if line.startswith("[")] == [
        "[1/9] ... 50 plans, 500 operations so far: Executes drawn plans",
        "[1/9] ... 100 plans, 1,000 operations so far: Executes drawn plans",
        "[1/9] ✓ passed          12.0 s  Executes drawn plans",
    ]


def test_a_stream_that_cannot_encode_the_glyphs_still_gets_the_words() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    progress_for(stream, interactive=False).finished(sample_reports.violated(), Path("/reports"))
    assert b"NOT CERTIFIED" in raw.getvalue()


def test_plain_lines_do_not_load_rich() -> None:
    script = (
        "import sys; from conformance.reports.terminal import progress_for; "
        "progress_for(sys.stderr, interactive=False); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("found", "hidden"), [(10, ""), (25, "and 15 more requirements in the report")])
def test_many_findings_are_cut_with_a_word(found: int, hidden: str) -> None:
    report = sample_reports.unreachable()
    for number in range(found):
        report.findings.add(slug=f"deciding/number-{number}", verdict=report_pb2.VERDICT_VIOLATION)
    shows: list[Callable[[], str]] = []
    for interactive in (False, True):
        stream = Terminal()
        progress_for(stream, interactive=interactive).finished(report, Path("/reports"))
        shows.append(stream.getvalue)
    for show in shows:
        assert ("more requirement" in show()) == bool(hidden)
        assert hidden in show()
        assert "deciding/number-10" not in show()


@pytest.mark.parametrize("interactive", [False, True])
def test_findings_of_one_requirement_are_shown_once_by_the_shortest_story(interactive: bool) -> None:
    report = sample_reports.unreachable()
    for event_count in (5, 2, 9):
        finding = report.findings.add(slug="cart/add-adds", verdict=report_pb2.VERDICT_VIOLATION)
        finding.summary = f"told in {event_count}"
        finding.timeline.extend(report_pb2.TimelineEvent() for _ in range(event_count))
    stream = Terminal()
    progress_for(stream, interactive=interactive).finished(report, Path("/reports"))
    shown = ESCAPES.sub("", stream.getvalue())
    assert shown.count("cart/add-adds") == 1
    assert "(and 2 more findings like it)" in shown
    assert "told in 2" in shown
    assert "told in 5" not in shown


@pytest.mark.parametrize("interactive", [False, True])
def test_many_reasons_are_cut_with_a_word(interactive: bool) -> None:
    report = sample_reports.partial()
    for number, requirement in enumerate(report.requirements[:20]):
        requirement.verdict, requirement.note = report_pb2.VERDICT_NOT_TESTABLE, f"reason {number}"
    stream = Terminal()
    progress_for(stream, interactive=interactive).finished(report, Path("/reports"))
    assert "reason 7" in stream.getvalue()
    assert "reason 8" not in stream.getvalue()
    assert re.search(r"and for \d+ more reasons, in the report", stream.getvalue())


@pytest.mark.parametrize("interactive", [False, True])
def test_a_server_that_is_gone_is_told_once_and_not_as_requirements_that_did_not_pass(interactive: bool) -> None:
    report = sample_reports.partial()
    report.verdict, report.exit_code = report_pb2.RUN_VERDICT_UNREACHABLE, 3
    report.summary = "the server at here stopped answering"
    report.findings.add(
        slug="cart/add-adds", verdict=report_pb2.VERDICT_UNREACHABLE, summary="the server at here stopped answering"
    )
    for requirement in report.requirements:
        requirement.verdict, requirement.note = report_pb2.VERDICT_UNREACHABLE, report.summary
    for profile in report.profiles:
        profile.verdict, profile.passed_count = report_pb2.VERDICT_UNREACHABLE, 0
    stream = Terminal()
    progress_for(stream, interactive=interactive).finished(report, Path("/reports"))
    shown = ESCAPES.sub("", stream.getvalue())
    assert shown.count("stopped answering") == 1
    assert f"{report.profiles[0].requirement_count} requirements not judged" in shown
    assert "passed" not in shown
    assert f"{len(report.requirements)} requirements unreachable\n" in re.sub(" +\n", "\n", shown)


@pytest.mark.parametrize("interactive", [False, True])
def test_a_selection_says_what_it_left_out_and_no_word_twice(interactive: bool) -> None:
    report = sample_reports.selected()
    core = report.profiles[0]
    stream = Terminal()
    progress_for(stream, interactive=interactive).finished(report, Path("/reports"))
    shown = ESCAPES.sub("", stream.getvalue())
    left_out = core.requirement_count - 2
    assert f"1 of {core.requirement_count} requirements passed, {left_out} not selected" in shown
    assert "requirements not selected: left out by the selection of this run" in shown
    assert "not testable" not in shown
    assert shown.lower().count("not certified") == 1
    assert f"1 of {len(report.requirements)} requirements are violated." in shown
