"""Progress for a person at a terminal: a calm live bar while it runs, a panel at the end.

Every text goes through `rich.text.Text`, never through markup, so that nothing a server says is taken for a style.
"""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from cartsync.conformance.v1 import report_pb2
from cartsync.conformance.v1.report_pb2 import Report, Verdict
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from conformance.explaining.reasons import in_short
from conformance.reports.rates import coverage_lines, rate_text
from conformance.reports.summary import Gathered, later, profile_figures, profile_word, unjudged, worth_telling
from conformance.reports.terminal_lines import (
    LISTED_FINDINGS,
    LISTED_REASONS,
    baseline_lines,
    effort_text,
    gap_text,
    more_text,
    tier_line,
)
from conformance.reports.wording import (
    Word,
    count_text,
    duration_text,
    lead_text,
    one_line,
    replay_command,
    reproduction_text,
    run_word_for,
    target_title,
    unlisted_text,
    word_for,
)


class Unbroken(Text):
    """A line to copy: the terminal may wrap it, but no line feed is put into it."""

    def __init__(self, text: str) -> None:
        super().__init__(text, style="cyan")


_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "mute": "bright_black"}
_WIDEST = 100  # columns; longer lines are no longer read at a glance
_NEWS = (
    report_pb2.VERDICT_VIOLATION,
    report_pb2.VERDICT_WARNING,
    report_pb2.VERDICT_SUITE_ERROR,
    report_pb2.VERDICT_UNREACHABLE,
)


class LiveProgress:
    """A bar that redraws itself a few times a second; what is worth keeping scrolls by above it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        console = Console(file=stream, force_terminal=True, highlight=False, emoji=False, markup=False)
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._clock = clock
        self._start = clock()
        self._check_count = 0
        self._verdicts: Counter[Verdict.ValueType] = Counter()
        self._title = ""
        self._work = ""
        self._spinner = Spinner("dots", style="cyan")
        # The streams stay as they are: pytest has its own hand on them.
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def started(
        self, target_name: str, address: str, profiles: Sequence[str], check_count: int, seed: int, budget: str
    ) -> None:
        """Say what is about to happen, and show the bar."""
        self._check_count = check_count
        self._start = self._clock()
        heading = Text("Certifying ", style="bold")
        heading.append(one_line(target_name) or one_line(address), style="bold cyan")
        if target_name:
            heading.append(f" at {one_line(address)}", style="default")
        settings = (
            f"profiles {', '.join(profiles)} · {count_text(check_count, 'check')} · budget {budget} · seed {seed}"
        )
        self._print(heading)
        self._print(Text(settings, style="bright_black"))
        self._print(Text(""))
        self._live.start()
        atexit.register(self.close)

    def check_started(self, check_id: str, title: str) -> None:
        """Show what runs."""
        self._title = one_line(title) or one_line(check_id)
        self._work = ""

    def plan_executed(self, plan_count: int, operation_count: int) -> None:
        """Show how far the check is."""
        self._work = f"{count_text(plan_count, 'plan')}, {count_text(operation_count, 'operation')}"

    def check_finished(self, check_id: str, verdict: Verdict.ValueType, seconds: float) -> None:
        """Count the verdict; bad news stays on the screen."""
        self._verdicts[verdict] += 1
        if verdict in _NEWS:
            line = _told(word_for(verdict))
            line.append(f"  {self._title or one_line(check_id)}", style="default")
            line.append(f"  {duration_text(seconds)}", style="bright_black")
            self._print(line)
        self._title = self._work = ""

    def note(self, text: str) -> None:
        """Leave the note on the screen."""
        self._print(Text(one_line(text), style="bright_black"))

    def finished(self, report: Report, report_dir: Path) -> None:
        """Take the bar down and print the summary."""
        self.close()
        for part in summary(report, report_dir):
            self._print(part)

    def close(self) -> None:
        """Take the bar down and give the cursor back."""
        if self._live.is_started:
            self._live.stop()
        atexit.unregister(self.close)

    def _print(self, renderable: RenderableType) -> None:
        if isinstance(renderable, Unbroken):
            self._console.print(renderable, soft_wrap=True)
        else:
            self._console.print(renderable, width=self._width)

    def _render(self) -> RenderableType:
        done = sum(self._verdicts.values())
        elapsed = int(self._clock() - self._start)
        by_glyph: Counter[tuple[str, str]] = Counter()
        for verdict, count in self._verdicts.items():
            by_glyph[word_for(verdict).glyph, word_for(verdict).tone] += count
        counts = Text("  ", no_wrap=True).join(
            Text(f"{glyph} {by_glyph[glyph, tone]}", style=_STYLES[tone])
            for glyph, tone in sorted(by_glyph, key=lambda told: tuple(_STYLES).index(told[1]))
        )
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_column(no_wrap=True)
        bar.add_column(no_wrap=True, justify="right")
        bar.add_row(
            ProgressBar(total=max(1, self._check_count), completed=done, complete_style="cyan", finished_style="cyan"),
            Text(f"{done}/{self._check_count}"),
            counts,
            Text(f"{elapsed // 60}:{elapsed % 60:02d}"),
        )
        now = Table.grid(padding=(0, 1), expand=True)
        now.add_column(width=1)
        now.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        now.add_column(no_wrap=True, justify="right")
        now.add_row(self._spinner, Text(self._title), Text(self._work, style="bright_black"))
        grid = Table.grid(expand=False)
        grid.add_column(width=self._width)
        grid.add_row(Group(bar, now))
        return grid


def summary(report: Report, report_dir: Path) -> Iterator[RenderableType]:
    """The panel, the findings with their replay commands, what was not judged, and where the report is."""
    yield _verdict_panel(report)
    if told := unlisted_text(report):
        yield _indented(told)
        yield Text("")
    yield from _findings(worth_telling(report), report, report_dir)
    if gaps := unjudged(report):
        yield Text("Not judged", style="bold")
        for gap in gaps[:LISTED_REASONS]:
            yield _indented(gap_text(gap))
        if len(gaps) > LISTED_REASONS:
            yield _indented(f"and for {count_text(len(gaps) - LISTED_REASONS, 'more reason')}, in the report")
        yield Text("")
    if entries := baseline_lines(report):
        yield Text("Baseline", style="bold")
        for entry in entries:
            yield _indented(entry)
        yield Text("")
    if newer := later(report):
        yield Text(newer.title, style="bold")
        yield _indented(newer.meaning)
        yield _indented(newer.counts)
        yield Text("")
        yield from _findings(newer.groups, report, report_dir)
    yield Text(effort_text(report), style="bright_black")
    for told in (tier_line(report), rate_text(report), *coverage_lines(report)):
        if told:
            yield Text(told, style="bright_black")
    yield Unbroken(f"Report  {one_line(str(report_dir / 'report.html'))}")


def _findings(groups: Sequence[Gathered], report: Report, report_dir: Path) -> Iterator[RenderableType]:
    for group in groups[:LISTED_FINDINGS]:
        finding = group.shortest
        heading = _told(word_for(finding.verdict))
        heading.append(f"  {one_line(finding.slug)}", style="bold default")
        heading.append(more_text(group), style="bright_black")
        yield heading
        yield _indented(one_line(finding.summary))
        if finding.because:
            yield _indented(f"Why: {one_line(in_short(finding.because))}")
        if again := reproduction_text(finding):
            yield _indented(f"Run again: {again}")
        if command := replay_command(finding, report.target, folder=str(report_dir)):
            yield Unbroken(f"  {command}")
        yield Text("")
    if len(groups) > LISTED_FINDINGS:
        yield Text(f"and {count_text(len(groups) - LISTED_FINDINGS, 'more requirement')} in the report\n")


def _indented(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, 2))


def _verdict_panel(report: Report) -> RenderableType:
    word = run_word_for(report.verdict)
    style = _STYLES[word.tone]
    heading = Text(f"{word.glyph} {word.text}", style=f"bold {style}")
    heading.append(f"  {target_title(report.target)}", style="bold default")
    body: list[RenderableType] = [heading, Text(one_line(lead_text(report)))]
    if report.profiles:
        table = Table.grid(padding=(0, 3, 0, 0))
        for profile in report.profiles:
            figures = Text(profile_figures(profile, report))
            table.add_row(Text(one_line(profile.name)), _told(profile_word(profile)), figures)
        body += [Text(""), table]
    return Padding(Panel(Group(*body), box=box.ROUNDED, border_style=style, padding=(1, 2)), (1, 0))


def _told(word: Word) -> Text:
    return Text(f"{word.glyph} {word.text}", style=_STYLES[word.tone])
