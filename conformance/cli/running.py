"""The command `run`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.reports.terminal import progress_for
from conformance.requirements import load
from conformance.run import RunSettings
from conformance.run.execute import execute
from conformance.wire import TargetOptions


def run_suite(
    target: TargetOptions,
    *,
    profiles: tuple[str, ...],
    budget: str,
    seed: int,
    report_dir: Path,
    only: tuple[str, ...],
    edition: str = "",
    minutes: float | None = None,
    shard: str = "",
) -> int:
    """Run the suite with live progress; returns the exit code, raises UsageError."""
    register = load()
    settings = RunSettings.checked(
        register,
        target=target,
        profiles=profiles,
        budget=budget,
        seed=seed,
        report_dir=report_dir,
        only=only,
        edition=edition,
        minutes=minutes,
        shard=shard,
    )
    progress = progress_for(sys.stdout)
    try:
        code, report = execute(register, settings, progress)
    finally:
        progress.close()
    if report is None:
        click.echo("The suite itself failed before it could report anything; see the messages above.", err=True)
    return code
