"""What a run leaves behind: `report.html` for people, `report.json` for programs, `junit.xml` for CI systems.

Beside them, from the same report: `summary.md` for the page of a CI job, and `badge.svg` for a README.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cartsync.conformance.v1 import report_pb2

from conformance.reports.badge import to_svg
from conformance.reports.html import to_html
from conformance.reports.junit import to_xml
from conformance.reports.report_json import ReportFormatError, from_json, to_json
from conformance.reports.summary_md import to_markdown

__all__ = [
    "Paths",
    "ReportFormatError",
    "from_json",
    "to_html",
    "to_json",
    "to_markdown",
    "to_svg",
    "to_xml",
    "write_all",
]


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the files of one report are."""

    html: Path
    json: Path
    junit: Path
    summary: Path
    badge: Path


def write_all(report: report_pb2.Report, directory: Path) -> Paths:
    """Write all forms into `directory`, made where missing, in place of those of an earlier run.

    Each file is there whole or not at all, and none is written when one of them cannot be rendered. Raises OSError
    when the folder cannot be written.
    """
    paths = Paths(
        directory / "report.html",
        directory / "report.json",
        directory / "junit.xml",
        directory / "summary.md",
        directory / "badge.svg",
    )
    texts = {
        paths.json: to_json(report),
        paths.junit: to_xml(report),
        paths.html: to_html(report),
        paths.summary: to_markdown(report),
        paths.badge: to_svg(report),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        _write(path, text)
    return paths


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            # Temporary files are private; a report is as readable as any other file the user makes.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
