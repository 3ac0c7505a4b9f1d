"""The command `merge`: the reports of all shards of a campaign, made one."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.reports import ReportFormatError, from_json, write_all
from conformance.reports.terminal import progress_for
from conformance.requirements import load
from conformance.requirements.editions import UnknownEditionError, load_edition
from conformance.run import failure_files
from conformance.run.execute import inventory
from conformance.run.merging import ShardReport, merged, replay_files


def merge_reports(files: Sequence[Path], report_dir: Path) -> int:
    """Merge reports, given as files or as their folders; returns the exit code of the whole. Raises UsageError."""
    paths = [path / "report.json" if path.is_dir() else path for path in files]
    if any(path.parent.resolve() == report_dir.resolve() for path in paths):
        raise UsageError(f"--report-dir {report_dir} holds one of the reports: choose another for the whole")
    shards = [ShardReport(str(path), _read(path)) for path in paths]
    name = shards[0].report.edition.name if shards else ""
    try:
        edition = load_edition(name)
    except UnknownEditionError as error:
        raise UsageError(f"{shards[0].name}: {error}") from error
    checks = [(check.check_id, check.slugs) for check in inventory()]
    report = merged(shards, load(), edition, checks)
    folders = {shard.name: path.parent for shard, path in zip(shards, paths, strict=True)}
    try:
        report_dir.mkdir(parents=True, exist_ok=True)
        failure_files.remove_earlier(report_dir)
        for shard, old, new in replay_files(shards):
            _copy(folders[shard.name] / failure_files.FOLDER / PurePosixPath(old).name, report_dir / new)
        for finding in (*report.findings, *report.later_findings):
            if finding.replay_file:
                finding.replay_command = _for_file(finding.replay_command, report_dir / finding.replay_file)
        write_all(report, report_dir)
    except OSError as error:
        raise UsageError(f"{error.filename or report_dir}: {error.strerror or error}") from error
    progress_for(sys.stdout, interactive=False if not sys.stdout.isatty() else None).finished(report, report_dir)
    return report.exit_code


def _read(path: Path) -> report_pb2.Report:
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; give a shard's report.json") from error
    except ReportFormatError as error:
        raise UsageError(f"{path} is {error}") from error


def _copy(source: Path, target: Path) -> None:
    """Copy a failure file, with the command that plays it again from where it is now."""
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{source} cannot be read: {error.strerror or error}; keep reports with their files"
        ) from error
    except ValueError as error:
        raise UsageError(f"{source} is no failure file: it is not JSON; keep reports with their files") from error
    if isinstance(content.get("command"), str):
        content["command"] = _for_file(content["command"], target)
    failure_files.write(target, content)


def _for_file(command: str, file: Path) -> str:
    """A command `… replay FILE …` with another file in it."""
    try:
        words = shlex.split(command)
        words[words.index("replay") + 1] = str(file)
    except (ValueError, IndexError):
        return command
    return shlex.join(words)
