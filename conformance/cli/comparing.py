"""The command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.exceptions import UsageError

if TYPE_CHECKING:
    from cartsync.conformance.v1 import report_pb2

_FILE = click.Path(path_type=Path)


@click.command(epilog="Exit codes: 0 nothing is worse · 1 something is · 2 usage.")
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def compare(before: Path, after: Path, form: str) -> None:
    """Say what got better and what got worse from report BEFORE to report AFTER.

    Each is a report.json, or the folder of a report.
    """
    from conformance.reports import comparison_forms
    from conformance.reports.comparison import compare as compared

    forms = {
        "text": comparison_forms.to_text,
        "markdown": comparison_forms.to_markdown,
        "json": comparison_forms.to_json,
    }
    found = compared(_report(before, "BEFORE"), _report(after, "AFTER"))
    click.echo(forms[form](found), nl=False)
    raise SystemExit(1 if found.is_worse else 0)


def _report(path: Path, name: str) -> report_pb2.Report:
    from conformance.reports import ReportFormatError, from_json

    file = path / "report.json" if path.is_dir() else path
    try:
        return from_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{name} {file} cannot be read: {error.strerror or error}") from error
    except ReportFormatError as error:
        raise UsageError(f"{name} {file} is {error}") from error
