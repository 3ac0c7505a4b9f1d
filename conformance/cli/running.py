"""The command `run`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from conformance.exceptions import UsageError
from conformance.reports.terminal import progress_for
from conformance.requirements import load
from conformance.run import RunSettings
from conformance.run.baseline import baseline_text, read_baseline
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
    baseline: Path | None = None,
    write_baseline: Path | None = None,
    reruns: int = 0,
) -> int:
    """Run the suite with live progress; returns the exit code, raises UsageError."""
    register = load()
    today = datetime.now(UTC).date()
    known = read_baseline(baseline, register.by_slug) if baseline is not None else None
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
        baseline=known,
        today=today,
        reruns=reruns,
    )
    progress = progress_for(sys.stdout)
    try:
        code, report = execute(register, settings, progress)
    finally:
        progress.close()
    if report is None:
        click.echo("The suite itself failed before it could report anything; see the messages above.", err=True)
    elif write_baseline is not None:
        _write(write_baseline, baseline_text(report, known or (), today))
    return code


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--write-baseline {file} cannot be written: {error.strerror or error}") from error
    click.echo(f"Baseline: {file}; give each entry a reason before it is used")
