"""The command `replay`."""

from __future__ import annotations

from pathlib import Path

import click
from cartsync.conformance.v1 import report_pb2

from conformance.requirements import load
from conformance.run import NoProgress
from conformance.run.execute import execute
from conformance.run.replay import read_failure, replay_settings
from conformance.wire import TargetOptions


def replay_file(file: Path, target: TargetOptions, report_dir: Path) -> int:
    """Run the check of a failure file again, with its seed and its plan; returns the exit code."""
    failure = read_failure(file)
    settings = replay_settings(file, target, report_dir)
    click.echo(f"Replaying {failure['check']}: {failure['requirement']}")
    code, report = execute(load(), settings, NoProgress())
    if report is None:
        click.echo("The suite itself failed; see the messages above.", err=True)
        return code
    return _said(failure["requirement"], report)


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
