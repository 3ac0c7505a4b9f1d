"""A comparison of two reports as lines for a terminal, as Markdown for a pull request, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from conformance.reports.comparison import Change, Comparison, Fact, Trend
from conformance.reports.markdown import code, plain
from conformance.reports.wording import count_text, one_line

_TITLES = {Trend.WORSE: "Worse", Trend.BETTER: "Better", Trend.UNSURE: "No longer tested, was violated"}
_GLYPHS = {Trend.WORSE: "✗", Trend.BETTER: "✓", Trend.UNSURE: "–"}


def headline(comparison: Comparison) -> str:
    """The whole in one sentence."""
    worse, better = len(comparison.of(Trend.WORSE)), len(comparison.of(Trend.BETTER))
    before, after = (word.text for word in comparison.verdict)
    verdict = f"{before} as before" if before == after else f"{after}, was {before.lower()}"
    told = [
        f"{count_text(number, 'requirement')} {trend}"
        for number, trend in ((worse, "worse"), (better, "better"))
        if number
    ]
    if not told:
        lost = any(change.trend is Trend.WORSE for change in comparison.profiles)
        told = ["a profile is worse"] if lost else ["no requirement is better or worse"]
    return f"{verdict}: {', '.join(told)}."


def to_text(comparison: Comparison) -> str:
    """Lines for a terminal, a line feed at the end."""
    lines = [headline(comparison)]
    lines += [f"  {fact.name}: {one_line(fact.before)} -> {one_line(fact.after)}" for fact in comparison.setup]
    for title, changes in _groups(comparison):
        lines += ["", f"{title}:"]
        for change in changes:
            lines.append(f"  {_GLYPHS[change.trend]} {one_line(change.name)}: {_words(change)}")
            if change.note and change.trend is not Trend.BETTER:
                lines.append(f"      {one_line(change.note)}")
    for title, findings in _finding_groups(comparison):
        lines += ["", f"{title}:", *(f"  {one_line(slug)}: {one_line(summary)}" for slug, summary in findings)]
    lines += ["", *(f"{_row(fact)}" for fact in comparison.effort)]
    return "\n".join(lines) + "\n"


def to_markdown(comparison: Comparison) -> str:
    """Markdown without links, a line feed at the end."""
    parts = [f"# {plain(headline(comparison))}"]
    for title, changes in _groups(comparison):
        parts.append(f"## {title}")
        rows = ["| | before | now | |", "|---|---|---|---|"]
        rows += [
            f"| {code(change.name)} | {change.before.glyph} {change.before.text} "
            f"| {change.after.glyph} {change.after.text} "
            f"| {plain(change.note) if change.trend is not Trend.BETTER else ''} |"
            for change in changes
        ]
        parts.append("\n".join(rows))
    for title, findings in _finding_groups(comparison):
        parts += [f"## {title}", "\n".join(f"- {code(slug)}: {plain(summary)}" for slug, summary in findings)]
    rows = ["| | before | now |", "|---|---|---|"]
    rows += [
        f"| {fact.name} | {plain(fact.before)} | {plain(fact.after)} |"
        for fact in (*comparison.setup, *comparison.effort)
    ]
    parts += ["## The runs", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def to_json(comparison: Comparison) -> str:
    """JSON, indented, a line feed at the end; `worse` tells what the exit code tells."""
    content = {
        "worse": comparison.is_worse,
        "summary": headline(comparison),
        "verdict": {"before": comparison.verdict[0].text, "after": comparison.verdict[1].text},
        "requirements": [_change(change) for change in comparison.requirements],
        "profiles": [_change(change) for change in comparison.profiles],
        "newFindings": [{"slug": f.slug, "checkId": f.check_id, "summary": f.summary} for f in comparison.new_findings],
        "goneFindings": [
            {"slug": f.slug, "checkId": f.check_id, "summary": f.summary} for f in comparison.gone_findings
        ],
        "setup": {fact.name: {"before": fact.before, "after": fact.after} for fact in comparison.setup},
        "effort": {fact.name: {"before": fact.before, "after": fact.after} for fact in comparison.effort},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _change(change: Change) -> dict[str, str]:
    return {
        "name": change.name,
        "trend": change.trend.value,
        "before": change.before.text,
        "after": change.after.text,
        "note": change.note,
    }


def _groups(comparison: Comparison) -> Iterator[tuple[str, Sequence[Change]]]:
    if comparison.profiles:
        yield "Profiles", comparison.profiles
    for trend, title in _TITLES.items():
        if changes := comparison.of(trend):
            yield title, changes


def _finding_groups(comparison: Comparison) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for title, findings in (
        ("Violated as before, found by other checks too", comparison.new_findings),
        ("Violated as before, no longer found by these checks", comparison.gone_findings),
    ):
        if findings:
            yield title, [(finding.slug, finding.summary) for finding in findings]


def _words(change: Change) -> str:
    return f"{change.before.text} -> {change.after.text}"


def _row(fact: Fact) -> str:
    return f"{fact.name}: {fact.before} -> {fact.after}" if fact.before != fact.after else f"{fact.name}: {fact.after}"
