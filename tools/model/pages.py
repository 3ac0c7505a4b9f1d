"""Writes what was found: the page of traces, the tables of the README, and the table on the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.model.catalogue import PROPERTIES, Removal
from tools.model.checking import Broken, Held, Result, property_named
from tools.model.output import Step, Trace

SUITE = "../../../conformance/suite/"
TESTS = "../../../tests/"
_BEGIN, _END = "<!-- written by make model ARGS=--write: {} -->", "<!-- end of {} -->"
_FACT = re.compile(r"^- (models|spin): `(.+)`$", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """What a page of traces says it was written from."""

    models: str  # fingerprint of the model files
    spin: str  # version


class PageError(ValueError):
    """A page has not the form that is written into it."""


def facts_of(page: str) -> Facts:
    """What the page says it was written from; raises PageError when it does not say."""
    said = dict(_FACT.findall(page))
    if said.keys() != {"models", "spin"}:
        raise PageError("the page of traces does not say from which models and by which Spin it was written")
    return Facts(said["models"], said["spin"])


def outcomes_of(page: str) -> tuple[str, ...]:
    """The headings of the traces: rule, property and length of each, whatever path the checker took."""
    return tuple(line for line in page.splitlines() if line.startswith("## "))


def traces_page(result: Result, facts: Facts) -> str:
    """docs/spec/model/traces.md."""
    lines = [
        "# Traces",
        "",
        "Written by `make model ARGS=--write` from the models; the [README](README.md) tells how they are made.",
        "Each trace is a shortest one, found breadth first. `+d` is for draining: faults cease, and the queues are "
        "submitted until nothing changes.",
        "",
        f"- models: `{facts.models}`",
        f"- spin: `{facts.spin}`",
        "",
    ]
    for broken in result.broken:
        lines += _trace_section(broken)
    return "\n".join(lines).rstrip() + "\n"


def _trace_section(broken: Broken) -> list[str]:
    removal, trace = broken.removal, broken.trace
    if trace is None:
        return []
    lines = [
        f"## {anchor_text(removal)}: {trace.length}",
        "",
        f"{removal.without[0].upper()}{removal.without[1:]}. What breaks: *{PROPERTIES[removal.breaks]}* "
        f"({', '.join(f'`{slug}`' for slug in removal.slugs)}).",
        "",
        "| step | who | what happens |",
        "|---|---|---|",
    ]
    lines += [_step_row(number, step) for number, step in enumerate(trace.steps, 1)]
    return [*lines, "", _played_by(removal), ""]


def anchor_text(removal: Removal) -> str:
    """Heading of a trace, without its length."""
    return f"Without {removal.rule}, {removal.breaks}"


def _step_row(number: int, step: Step) -> str:
    what = "<br>".join((step.event, *(f"— {line}" for line in step.follows)))
    return f"| {number} | {step.actor} | {what} |"


def _played_by(removal: Removal) -> str:
    played = [f"`{check}`" for check in removal.checks] + [f"`tests/{test}`" for test in removal.tests]
    text = f"Played by {' and '.join(played)}."
    if removal.mutants:
        text += f" A server with this fault: {', '.join(f'`{name}`' for name in removal.mutants)}."
    return text


def readme_with(readme: str, result: Result) -> str:
    """The README with its two tables replaced; raises PageError when the places are not marked."""
    return _replaced(_replaced(readme, "explored", _explored_table(result.held)), "rules", _rules_table(result.broken))


def _replaced(text: str, name: str, table: str) -> str:
    begin, end = _BEGIN.format(name), _END.format(name)
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise PageError(f"the README does not mark the place of the table {name!r}")
    return f"{before}{begin}\n{table}{end}{after}"


def _explored_table(held: tuple[Held, ...]) -> str:
    rows = ["| configuration | model | bounds | explored | states |", "|---|---|---|---|---:|"]
    for h in held:
        c = h.configuration
        rows.append(f"| {c.name} | [`{c.file}`]({c.file}) | `{' '.join(h.bounds)}` | {c.covers} | {h.states:,} |")
    return "\n".join(rows) + "\n"


def _rules_table(broken: tuple[Broken, ...]) -> str:
    rows = [
        "| removed | what is wrong then | requirement or duty | breaks | shortest trace |",
        "|---|---|---|---|---:|",
    ]
    for b in broken:
        r = b.removal
        slugs = ", ".join(f"`{slug}`" for slug in r.slugs)
        length = b.trace.length if b.trace else "none"
        link = f"[{length}](traces.md#{_anchor(f'{anchor_text(r)}: {length}')})"
        rows.append(f"| `{r.rule}` | {r.without} | {slugs} | {PROPERTIES[r.breaks]} | {link} |")
    return "\n".join(rows) + "\n"


def _anchor(heading: str) -> str:
    """The anchor that Markdown renderers make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def terminal(result: Result, seconds: float) -> str:
    """What `make model` prints."""
    lines = [f"{'configuration':<16}{'states':>12}  {'time':>7}  all rules in place"]
    for h in result.held:
        verdict = (
            f"BROKEN: {property_named(h.broken.broken)}"
            if h.broken
            else f"{len(h.configuration.holds)} properties hold"
        )
        lines.append(f"{h.configuration.name:<16}{h.states:>12,}  {h.seconds:>5.1f} s  {verdict}")
        if h.broken:
            lines += [f"  {line}" for line in _plain(h.broken)]
    lines += ["", f"{'rule removed':<24}{'model':<16}{'steps':>6}  what breaks"]
    for b in result.broken:
        steps, breaks = (b.trace.length, PROPERTIES[b.removal.breaks]) if b.trace else ("-", "NOTHING BREAKS")
        lines.append(f"{b.removal.rule:<24}{b.removal.configuration:<16}{steps:>6}  {breaks}")
    states = sum(h.states for h in result.held)
    lines += ["", f"{states:,} states explored to the end, {len(result.broken)} rules removed, {seconds:.0f} s"]
    return "\n".join(lines)


def _plain(trace: Trace) -> list[str]:
    lines = []
    for number, step in enumerate(trace.steps, 1):
        lines += [f"{number:>3}  {step.actor}: {step.event}", *(f"       {line}" for line in step.follows)]
    return lines
