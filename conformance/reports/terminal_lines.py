"""Progress as plain lines, for logs: one line for each check, and a sign of life from the long ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TextIO

from cartsync.conformance.v1.report_pb2 import BaselineFault, Report, Verdict

from conformance.explaining.reasons import in_short
from conformance.reports.rates import coverage_lines, rate_text
from conformance.reports.summary import (
    Gathered,
    Unjudged,
    later,
    profile_figures,
    profile_word,
    unjudged,
    worth_telling,
)
from conformance.reports.wording import (
    baseline_fault_text,
    count_text,
    duration_text,
    lead_text,
    one_line,
    replay_command,
    reproduction_text,
    run_word_for,
    seconds_of,
    target_title,
    tier_text,
    unlisted_text,
    word_for,
)

SIGN_OF_LIFE = 5.0  # seconds between lines of one check
LISTED_FINDINGS = 10  # the report has them all
LISTED_REASONS = 8
_WIDTH = 80


class LineProgress:
    """Writes lines and never moves the cursor; what the stream cannot encode is written as an escape."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._check_count = 0
        self._finished_count = 0
        self._title = ""
        self._last_line = clock()

    def started(
        self, target_name: str, address: str, profiles: Sequence[str], check_count: int, seed: int, budget: str
    ) -> None:
        """Say what is about to happen."""
        self._check_count = check_count
        target = f"{one_line(target_name)} at {one_line(address)}" if target_name else one_line(address)
        self._line(f"Certifying {target}")
        self._line(f"profiles {', '.join(profiles)}; {count_text(check_count, 'check')}; budget {budget}; seed {seed}")
        self._line("")

    def check_started(self, check_id: str, title: str) -> None:
        """Remember what runs; nothing is written before it is through or takes long."""
        self._title = one_line(title) or one_line(check_id)
        self._last_line = self._clock()

    def plan_executed(self, plan_count: int, operation_count: int) -> None:
        """Write a line when the check has been silent for a while."""
        if self._clock() - self._last_line >= SIGN_OF_LIFE:
            so_far = f"{count_text(plan_count, 'plan')}, {count_text(operation_count, 'operation')}"
            self._line(f"{self._counter(self._finished_count + 1)} ... {so_far} so far: {self._title}")

    def check_finished(self, check_id: str, verdict: Verdict.ValueType, seconds: float) -> None:
        """Write the check's line."""
        self._finished_count += 1
        word = word_for(verdict)
        title = self._title or one_line(check_id)
        told = f"{word.glyph} {word.text:<12} {duration_text(seconds):>9}"
        self._line(f"{self._counter(self._finished_count)} {told}  {title}")
        self._title = ""

    def note(self, text: str) -> None:
        """Write the note on a line of its own."""
        self._line(f"note: {one_line(text)}")

    def finished(self, report: Report, report_dir: Path) -> None:
        """Write the summary."""
        for line in summary_lines(report, report_dir):
            self._line(line)

    def close(self) -> None:
        """Nothing to take down."""

    def _counter(self, number: int) -> str:
        width = len(str(self._check_count))
        return f"[{number:>{width}}/{max(number, self._check_count)}]"

    def _line(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self._stream.flush()
        self._last_line = self._clock()


def summary_lines(report: Report, report_dir: Path) -> list[str]:
    """The summary as lines: verdict, profiles, findings, what was not judged, what was done, where the report is."""
    word = run_word_for(report.verdict)
    lines = ["", *_paragraph(f"{word.glyph} {word.text.upper()}: {target_title(report.target)}")]
    lines += _paragraph(one_line(lead_text(report)), "  ")
    if report.profiles:
        lines.append("")
        width = max(len(one_line(profile.name)) for profile in report.profiles)
        for profile in report.profiles:
            told = profile_word(profile)
            figures = profile_figures(profile, report)
            lines.append(f"  {one_line(profile.name):<{width}}  {told.glyph} {told.text}, {figures}")
    if unlisted := unlisted_text(report):
        lines += ["", *_paragraph(unlisted, "  ")]
    lines += _finding_lines(worth_telling(report), report, report_dir)
    if gaps := unjudged(report):
        lines += ["", "Not judged:"]
        for gap in gaps[:LISTED_REASONS]:
            lines += _paragraph(gap_text(gap), "  ")
        if len(gaps) > LISTED_REASONS:
            lines.append(f"  and for {count_text(len(gaps) - LISTED_REASONS, 'more reason')}, in the report")
    if entries := baseline_lines(report):
        lines += ["", "Baseline:"]
        for entry in entries:
            lines += _paragraph(entry, "  ")
    if newer := later(report):
        lines += ["", f"{newer.title}:", *_paragraph(newer.meaning, "  "), *_paragraph(newer.counts, "  ")]
        lines += _finding_lines(newer.groups, report, report_dir)
    lines += ["", *_paragraph(effort_text(report))]
    for sentence in (tier_line(report), rate_text(report), *coverage_lines(report)):
        lines += _paragraph(sentence)
    lines += [f"Report: {one_line(str(report_dir / 'report.html'))}"]
    return lines


def _finding_lines(groups: Sequence[Gathered], report: Report, report_dir: Path) -> list[str]:
    lines = []
    for group in groups[:LISTED_FINDINGS]:
        finding = group.shortest
        told = word_for(finding.verdict)
        lines += ["", f"{told.glyph} {told.text}: {one_line(finding.slug)}{more_text(group)}"]
        lines += _paragraph(one_line(finding.summary), "  ")
        if finding.because:
            lines += _paragraph(f"Why: {one_line(in_short(finding.because))}", "  ")
        if again := reproduction_text(finding):
            lines.append(f"  Run again: {again}")
        if command := replay_command(finding, report.target, folder=str(report_dir)):
            lines.append(f"  {command}")
    if len(groups) > LISTED_FINDINGS:
        lines += ["", f"and {count_text(len(groups) - LISTED_FINDINGS, 'more requirement')} in the report"]
    return lines


def more_text(group: Gathered) -> str:
    """Whether the finding is known, and how many more stand behind it; empty when it is new and the only one."""
    known = ", known" if group.shortest.HasField("known") else ""
    return known + (f" ({group.more_text})" if group.others else "")


def baseline_lines(report: Report) -> list[str]:
    """What became of the entries of the baseline, those that fail the run first."""
    faults = [
        f"✗ {one_line(fault.entry.slug)}: {baseline_fault_text(fault.kind)}"
        + (f" on {one_line(fault.entry.expiry_date)}" if fault.kind == BaselineFault.KIND_EXPIRED else "")
        for fault in report.baseline.faults
    ]
    known = [
        f"– {one_line(entry.slug)}: known until {one_line(entry.expiry_date)}: {one_line(entry.reason)}"
        + (f" ({one_line(entry.link)})" if entry.link else "")
        for entry in report.baseline.known
    ]
    return [*faults, *known]


def tier_line(report: Report) -> str:
    """What the server was tested by; empty when the report does not say."""
    told = tier_text(report.tier)
    return f"Tier: {told}" if told else ""


def gap_text(gap: Unjudged) -> str:
    """How many requirements were not judged, and why unless the summary has said so."""
    reason = f": {one_line(gap.reason)}" if gap.reason else ""
    return f"{gap.word.glyph} {count_text(len(gap.slugs), 'requirement')} {gap.word.text}{reason}"


def effort_text(report: Report) -> str:
    """What was done to the server, on one line: checks, plans, operations, kills, time."""
    effort = report.effort
    parts = [
        count_text(effort.check_count, "check"),
        count_text(effort.plan_count, "plan"),
        count_text(effort.operation_count, "operation"),
    ]
    if effort.crash_count:
        parts.append(count_text(effort.crash_count, "restart"))
    return f"{', '.join(parts)} in {duration_text(seconds_of(report.duration))}, seed {report.settings.seed}"


def _paragraph(text: str, indent: str = "") -> list[str]:
    return wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
