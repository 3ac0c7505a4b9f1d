"""The command `replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.requirements import load
from conformance.run import NoProgress, RunSettings
from conformance.run.execute import execute
from conformance.run.recorder import FAILURE_FORMAT
from conformance.wire import TargetOptions


def replay_file(file: Path, target: TargetOptions, report_dir: Path) -> int:
    """Run the check of a failure file again, with its seed and its plan; returns the exit code."""
    failure = read_failure(file)
    register = load()
    settings = RunSettings.checked(
        register,
        target=target,
        budget=failure["budget"],
        seed=failure["seed"],
        report_dir=report_dir,
        only=(_literally(failure["check"]),),
        plan=failure["plan"],
        stop_at_first=True,
    )
    click.echo(f"Replaying {failure['check']}: {failure['requirement']}")
    code, report = execute(register, settings, NoProgress())
    if report is None:
        click.echo("The suite itself failed; see the messages above.", err=True)
        return code
    return _said(failure["requirement"], report)


def read_failure(file: Path) -> dict[str, Any]:
    """Read a failure file; raises UsageError that says what is wrong with it."""
    try:
        failure = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a failure file: {error}") from error
    if not isinstance(failure, dict) or failure.get("format") != FAILURE_FORMAT:
        raise UsageError(f"{file} is no failure file: its format is not {FAILURE_FORMAT!r}")
    kinds = {"check": str, "requirement": str, "seed": int, "budget": str}
    for name, kind in kinds.items():
        if not isinstance(failure.get(name), kind):
            raise UsageError(f"{file}: {name!r} is missing or not of type {kind.__name__}")
    if failure.setdefault("plan", None) is not None and not isinstance(failure["plan"], dict):
        raise UsageError(f"{file}: 'plan' is not an object")
    return failure


def _said(slug: str, report: report_pb2.Report) -> int:
    """Print what came of the replay, and the exit code for it."""
    violations = [f for f in report.findings if f.verdict in (report_pb2.VERDICT_VIOLATION, report_pb2.VERDICT_WARNING)]
    for finding in violations:
        again = "Reproduced" if finding.slug == slug else "Another violation"
        click.echo(f"{again}: {finding.slug}: {finding.summary}")
        click.echo(f"  expected: {_one_line(finding.expected)}")
        click.echo(f"  observed: {_one_line(finding.observed)}")
    if violations:
        return 1
    if report.verdict == report_pb2.RUN_VERDICT_UNREACHABLE:
        click.echo(report.summary, err=True)
        return 3
    errors = [finding for finding in report.findings if finding.verdict == report_pb2.VERDICT_SUITE_ERROR]
    if errors:
        click.echo(f"The suite itself failed: {errors[0].summary}", err=True)
        return 4
    untested = [
        check
        for result in report.requirements
        for check in result.checks
        if check.verdict == report_pb2.VERDICT_NOT_TESTABLE and result.slug == slug
    ]
    if untested and not any(
        check.verdict == report_pb2.VERDICT_PASSED for result in report.requirements for check in result.checks
    ):
        click.echo(f"This story could not be told to this target, so nothing is known of {slug}.", err=True)
        return 5
    click.echo(f"It did not happen: this server keeps {slug} in this story.")
    return 0


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"


def _literally(name: str) -> str:
    """A pattern that matches this check's name only: brackets of parameters are no character classes."""
    return "".join(f"[{c}]" if c in "[*?" else c for c in name)
