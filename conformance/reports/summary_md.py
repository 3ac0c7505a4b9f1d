"""`summary.md`: the report on one page of Markdown, as GitHub shows it for a job.

It has no links (none would work where it is read) and no markup but its own: what a server answered is text.
"""

from __future__ import annotations

from collections.abc import Iterator

from cartsync.conformance.v1 import report_pb2

from conformance.reports.coverage_table import coverage_table
from conformance.reports.markdown import block, code, plain, prose
from conformance.reports.summary import Gathered, gathered, later, profile_figures, profile_word, unjudged
from conformance.reports.wording import (
    baseline_fault_text,
    count_text,
    duration_text,
    lead_text,
    replay_command,
    reproduction_text,
    run_word_for,
    seconds_of,
    target_title,
    tier_text,
    unlisted_text,
    word_for,
)

LISTED_FINDINGS = 20  # requirements; a job summary has a megabyte for everything
_LISTED_REASONS = 10
_LONGEST_DETAIL = 1_200  # characters of expected and observed each


def to_markdown(report: report_pb2.Report) -> str:
    """The summary, one line feed at the end."""
    word = run_word_for(report.verdict)
    parts = [f"# {word.glyph} {word.text}: {plain(target_title(report.target))}", plain(lead_text(report))]
    parts += [*_profiles(report), *_findings(gathered(report.findings), report), *_baseline(report), *_gaps(report)]
    if newer := later(report):
        parts += [f"## {plain(newer.title)}", f"{plain(newer.meaning)} {plain(newer.counts)}."]
        parts += _stories(newer.groups, report)
    parts.append("\n".join(["## How it was tested", "", "| | |", "|---|---|", *_facts(report)]))
    return "\n\n".join(parts) + "\n"


def _profiles(report: report_pb2.Report) -> Iterator[str]:
    if report.profiles:
        rows = ["| profile | verdict | requirements |", "|---|---|---|"]
        for profile in report.profiles:
            told = profile_word(profile)
            rows.append(f"| {code(profile.name)} | {told.glyph} {told.text} | {profile_figures(profile, report)} |")
        yield "\n".join(rows)
    if unlisted := unlisted_text(report):
        yield plain(unlisted) + "."


def _findings(groups: tuple[Gathered, ...], report: report_pb2.Report) -> Iterator[str]:
    if groups:
        yield "## Findings"
        yield from _stories(groups, report)


def _stories(groups: tuple[Gathered, ...], report: report_pb2.Report) -> Iterator[str]:
    sentences = {result.slug: result for result in (*report.requirements, *report.later_requirements)}
    for group in groups[:LISTED_FINDINGS]:
        finding = group.shortest
        told = word_for(finding.verdict)
        known = ", known" if finding.HasField("known") else ""
        yield f"### {told.glyph} {told.text}{known}: {code(finding.slug)}"
        yield plain(finding.summary) + (f" ({group.more_text})" if group.others else "")
        if requirement := sentences.get(finding.slug):
            yield f"> {requirement.level}: {prose(requirement.statement)}"
        if finding.because:
            yield f"Why: {prose(finding.because)}"
        for name, text in (("Expected", finding.expected), ("Observed", finding.observed)):
            if text:
                yield f"{name}:\n\n{block(_shortened(text))}"
        if again := reproduction_text(finding):
            yield f"Run again: {again}."
        if command := replay_command(finding, report.target):
            yield f"See it again:\n\n{block(command, 'sh')}"
    if len(groups) > LISTED_FINDINGS:
        yield f"And {count_text(len(groups) - LISTED_FINDINGS, 'more requirement')}, in the report."


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "\n… (the rest is in the report)"


def _baseline(report: report_pb2.Report) -> Iterator[str]:
    if not report.baseline.known and not report.baseline.faults:
        return
    yield "## Baseline of known failures"
    rows = ["| requirement | | reason | excused until |", "|---|---|---|---|"]
    rows += [_entry(fault.entry, f"✗ {baseline_fault_text(fault.kind)}") for fault in report.baseline.faults]
    rows += [_entry(known, "– known") for known in report.baseline.known]
    yield "\n".join(rows)


def _entry(entry: report_pb2.KnownFailure, state: str) -> str:
    reason = plain(entry.reason) + (f" ({code(entry.link)})" if entry.link else "")
    return f"| {code(entry.slug)} | {state} | {reason} | {plain(entry.expiry_date)} |"


def _gaps(report: report_pb2.Report) -> Iterator[str]:
    gaps = unjudged(report)
    if not gaps:
        return
    yield "## Not judged"
    rows = [
        f"- {gap.word.glyph} {count_text(len(gap.slugs), 'requirement')} {gap.word.text}"
        + (f": {prose(gap.reason)}" if gap.reason else "")
        for gap in gaps[:_LISTED_REASONS]
    ]
    if len(gaps) > _LISTED_REASONS:
        rows.append(f"- and for {count_text(len(gaps) - _LISTED_REASONS, 'more reason')}, in the report")
    yield "\n".join(rows)


def _facts(report: report_pb2.Report) -> Iterator[str]:
    effort, settings = report.effort, report.settings
    seconds, fuzzing = seconds_of(report.duration), seconds_of(effort.fuzz_duration)
    rate = f", {effort.fuzzed_operation_count / fuzzing:,.0f} a second while fuzzing" if fuzzing > 0 else ""
    limit = f", {duration_text(seconds_of(settings.time_limit))}" if settings.HasField("time_limit") else ""
    seeds = ", ".join(str(shard.seed) for shard in report.shards) or str(settings.seed)
    trouble = f"{count_text(effort.crash_count, 'restart')}, {count_text(effort.fault_count, 'fault')}"
    reached = coverage_table(report.coverage)
    facts = (
        ("edition", code(report.edition.name or report.suite.spec_version)),
        ("suite", code(report.suite.version)),
        ("tier", tier_text(report.tier)),
        ("budget", plain(settings.budget) + limit + (f", {len(report.shards)} shards" if report.shards else "")),
        ("seed", seeds),
        ("plans", f"{effort.plan_count:,}"),
        ("operations judged", f"{effort.operation_count:,}{rate}"),
        ("trouble made", trouble),
        ("coverage", f"{count_text(reached.triple_count, 'triple')} of requirement, state and fault")
        if reached
        else ("", ""),
        ("time", duration_text(seconds)),
    )
    for name, value in facts:
        if name and value:
            yield f"| {name} | {value} |"
