"""What the composite action of `action.yml` asks of the suite, and what a report means to GitHub Actions. Pure.

Inputs arrive in the environment, one variable each (`INPUTS`), never as part of a shell script. A runner reads commands
(`::error …::`) out of everything that a step prints, and a server under test may answer with one. So what the suite
prints stands between `::stop-commands::TOKEN` and `::TOKEN::`, with a token that is drawn for each run, and every text
in an annotation is escaped.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.reports.summary import Gathered, gathered
from conformance.reports.wording import baseline_fault_text, one_line, replay_command, reproduction_text, visible

PREFIX = "CARTSYNC_ACTION_"  # an input's variable: its name in capitals, with underscores, after this

# Option of `cartsync-conformance run` for each input that is handed on as it is.
_OPTIONS = {
    "target": "--target",
    "control": "--control",
    "launch": "--launch",
    "fixtures": "--fixtures",
    "baseline": "--baseline",
    "budget": "--budget",
    "minutes": "--minutes",
    "shard": "--shard",
    "seed": "--seed",
    "edition": "--edition",
    "reruns": "--reruns",
    "report-dir": "--report-dir",
}
_REPEATED = {"profiles": "--profile", "only": "--only"}  # inputs that hold several, divided by blanks or lines

INPUTS = (*_OPTIONS, *_REPEATED, "fail-on")

FAIL_ON = {
    "partial": "whatever is neither certified nor as the baseline has it",
    "violation": "as partial, but a result that is only partial passes",
    "never": "nothing; the outputs tell",
}

# What the outputs call an exit code other than 0, also when there is no report.
VERDICTS = {
    1: "violation",
    2: "usage",
    3: "unreachable",
    4: "suite-error",
    5: "partial",
    130: "interrupted",
}

_SUITE_ERROR = 4

MOST_ANNOTATIONS = 50  # a runner shows ten of a kind for each step
_LONGEST = 3_000  # characters of one annotation

# Files and tokens of the runner that neither the suite nor a launched server has any use for.
_KEPT_BACK = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of the action, by their names in `action.yml`; an input that is not given is empty."""

    values: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Inputs:
        """Read them; raises UsageError for an unknown `fail-on`."""
        values = {
            name: environment.get(PREFIX + name.upper().replace("-", "_"), "").strip("\n").strip() for name in INPUTS
        }
        values["fail-on"] = values["fail-on"] or "partial"
        if values["fail-on"] not in FAIL_ON:
            raise UsageError(f"fail-on {values['fail-on']!r} is unknown; choose one of {', '.join(FAIL_ON)}")
        return cls(values)

    @property
    def report_dir(self) -> str:
        """Where the report goes."""
        return self.values["report-dir"] or "conformance-report"

    def arguments(self) -> list[str]:
        """The arguments of `cartsync-conformance`. Each value stays one argument, whatever it holds."""
        words = ["run"]
        for name, option in _OPTIONS.items():
            if value := self.values[name]:
                words.append(f"{option}={value}")
        for name, option in _REPEATED.items():
            try:
                words += [f"{option}={value}" for value in shlex.split(self.values[name].replace(",", " "))]
            except ValueError as error:
                raise UsageError(f"{name} {self.values[name]!r} cannot be split into words: {error}") from error
        return words


def environment_for_suite(environment: Mapping[str, str], programs: str) -> dict[str, str]:
    """The environment without what belongs to the runner; a control secret stays.

    `programs`, the folder of the suite's own commands, comes last in the PATH: so the suite names itself shortly in the
    commands it prints, and a launched server finds its own Python first.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _KEPT_BACK and not name.startswith(("ACTIONS_", PREFIX))
    }
    return kept | {"PATH": os.pathsep.join(filter(None, (environment.get("PATH", ""), programs)))}


def outcome(exit_code: int, report: report_pb2.Report | None) -> tuple[str, int]:
    """What the outputs `verdict` and `exit-code` say: "certified" only for a report that is.

    `exit_code` is that of the suite's process, below zero when a signal ended it.
    """
    known_good = {
        report_pb2.RUN_VERDICT_CERTIFIED: "certified",
        report_pb2.RUN_VERDICT_AS_BASELINE: "as-baseline",
    }
    if exit_code == 0 and report is not None and report.verdict in known_good:
        return known_good[report.verdict], 0
    if exit_code in VERDICTS:
        return VERDICTS[exit_code], exit_code
    return VERDICTS[_SUITE_ERROR], _SUITE_ERROR


def fails(fail_on: str, verdict: str) -> bool:
    """Whether the job fails. A call that cannot mean anything always fails it."""
    if verdict in ("certified", "as-baseline"):
        return False
    return verdict == "usage" or fail_on == "partial" or (fail_on == "violation" and verdict != "partial")


# Workflow commands.


def stop_commands(token: str) -> str:
    """The line after which nothing printed is a command, until `resume_commands`."""
    return f"::stop-commands::{token}"


def resume_commands(token: str) -> str:
    """The line that ends what `stop_commands` began."""
    return f"::{token}::"


def annotation(level: str, title: str, message: str) -> str:
    """One annotation of level error, warning or notice, on one line."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def output(name: str, value: str, delimiter: str) -> str:
    """One output for the file GITHUB_OUTPUT. `delimiter` is drawn at random, so that no value can hold it."""
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def annotations_of(report: report_pb2.Report) -> Iterator[str]:
    """One for each requirement with a finding, then one for each entry of the baseline that fails the run."""
    groups = gathered(report.findings)
    for group in groups[:MOST_ANNOTATIONS]:
        yield _of_finding(group, report)
    if len(groups) > MOST_ANNOTATIONS:
        yield annotation("notice", "Cartsync", f"{len(groups) - MOST_ANNOTATIONS} more are in the report.")
    for fault in report.baseline.faults:
        what = baseline_fault_text(fault.kind)
        yield annotation("error", f"Cartsync baseline: {one_line(fault.entry.slug)}", f"{what}. {fault.entry.reason}")
    if not groups and report.verdict not in (
        report_pb2.RUN_VERDICT_CERTIFIED,
        report_pb2.RUN_VERDICT_AS_BASELINE,
    ):
        level = "warning" if report.verdict == report_pb2.RUN_VERDICT_PARTIAL else "error"
        yield annotation(level, "Cartsync", visible(report.summary))


def _of_finding(group: Gathered, report: report_pb2.Report) -> str:
    finding = group.shortest
    level = "warning" if finding.verdict == report_pb2.VERDICT_WARNING else "error"
    if finding.HasField("known"):
        level = "notice"
    statement = next((r.statement for r in report.requirements if r.slug == finding.slug), "")
    more = f" ({group.more_text})" if group.others else ""
    lines = [finding.summary + more, statement and f"The spec: {statement}"]
    lines += [finding.known.reason and f"Known: {finding.known.reason}"]
    lines += [
        f"{name}: {text}" for name, text in (("Expected", finding.expected), ("Observed", finding.observed)) if text
    ]
    if again := reproduction_text(finding):
        lines.append(f"Run again: {again}")
    if command := replay_command(finding, report.target):
        lines.append(f"See it again: {command}")
    text = visible("\n".join(line for line in lines if line))
    return annotation(
        level, f"Cartsync: {one_line(finding.slug)}", text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    )
