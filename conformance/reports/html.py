"""`report.html`: the report as one page for people, complete in itself.

The page loads nothing: style, script, icon and pictures are inside it, and its content security policy forbids the
rest, so that a text which a hostile server smuggled in could neither run nor call home even if escaping failed. It
reads in full without its script, which only filters, copies and unfolds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count

from cartsync.conformance.v1 import report_pb2
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.reports.chapters import by_place
from conformance.reports.coverage_table import coverage_table
from conformance.reports.rates import rate_of, unmet_faults, unmet_requirements, unmet_states
from conformance.reports.story import Story, lay_out
from conformance.reports.summary import Gathered, gathered, later, profile_figures, profile_word, tally, unjudged
from conformance.reports.wording import (
    NOT_SELECTED,
    baseline_fault_text,
    count_text,
    duration_text,
    lead_text,
    one_line,
    replay_command,
    reproduction_text,
    requirement_word,
    run_word_for,
    seconds_of,
    target_title,
    tier_text,
    time_text,
    unlisted_text,
    visible,
    word_for,
)

_PLAIN_SLUG = re.compile(r"[a-z0-9]+(?:[/_-][a-z0-9]+)*")
_CODE_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class _FindingView:
    number: int
    finding: report_pb2.Finding
    requirement: report_pb2.RequirementResult | None  # None when the report does not list it
    command: str
    story: Story | None


@dataclass(frozen=True, slots=True)
class _GroupView:
    """The findings of one requirement: the one with the shortest story, and those folded behind it."""

    lead: _FindingView
    others: tuple[_FindingView, ...]
    more_text: str


def to_html(report: report_pb2.Report) -> str:
    """The report as one HTML page; every text of the report is escaped and made visible."""
    by_slug = {requirement.slug: requirement for requirement in (*report.requirements, *report.later_requirements)}
    numbers = count(1)

    def view(finding: report_pb2.Finding) -> _FindingView:
        return _FindingView(
            number=next(numbers),
            finding=finding,
            requirement=by_slug.get(finding.slug),
            command=replay_command(finding, report.target),
            story=lay_out(finding.timeline),
        )

    def views(gathered_findings: Iterable[Gathered]) -> list[_GroupView]:
        return [
            _GroupView(view(group.shortest), tuple(map(view, group.others)), group.more_text)
            for group in gathered_findings
        ]

    groups = views(gathered(report.findings))
    newer = later(report)
    later_groups = views(newer.groups if newer else ())
    groups_by_slug: dict[str, list[_GroupView]] = defaultdict(list)
    for group in (*groups, *later_groups):
        groups_by_slug[group.lead.finding.slug].append(group)
    environment, script_source = _environment()
    return environment.get_template("report.html.j2").render(
        report=report,
        rate=rate_of(report),
        unmet_faults=unmet_faults(report),
        unmet_states=unmet_states(report),
        unmet_requirements=unmet_requirements(report),
        run_word=run_word_for(report.verdict),
        target_title=target_title(report.target),
        lead=lead_text(report),
        groups=groups,
        groups_by_slug=groups_by_slug,
        later=newer,
        unlisted=unlisted_text(report),
        later_groups=later_groups,
        not_selected=NOT_SELECTED,
        anchors=_anchors(report),
        places=by_place(report.requirements),
        totals=tally(report.requirements),
        unjudged=unjudged(report),
        script_source=script_source,
        coverage=coverage_table(report.coverage),
    )


@cache
def _environment() -> tuple[Environment, str]:
    environment = Environment(
        loader=PackageLoader("conformance.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible_output,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        again=reproduction_text,
        codes=_code_spans,
        count=count_text,
        fault=baseline_fault_text,
        line=one_line,
        profile_figures=profile_figures,
        profile_tally=_profile_tally,
        requirement_word=requirement_word,
        profile_word=profile_word,
        seconds=seconds_of,
        span=duration_text,
        tally=tally,
        tier=tier_text,
        time=time_text,
        word=word_for,
    )
    script = environment.get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.globals["script"] = Markup(script)  # noqa: S704 - the module's own file
    return environment, f"'sha256-{digest}'"


def _visible_output(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code_spans(text: str) -> Markup:
    """Escaped text in which `back-ticked` words are set as code."""
    pieces = _CODE_SPAN.split(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )


def _profile_tally(profile: report_pb2.ProfileResult, report: report_pb2.Report) -> object:
    return tally([requirement for requirement in report.requirements if requirement.profile == profile.name])


def _anchors(report: report_pb2.Report) -> dict[str, str]:
    """Fragment ids of requirements: the slug itself, so that links outlive the run, where it is a plain one."""
    return {
        requirement.slug: requirement.slug if _PLAIN_SLUG.fullmatch(requirement.slug) else f"requirement-{number}"
        for number, requirement in enumerate((*report.requirements, *report.later_requirements), start=1)
    }
