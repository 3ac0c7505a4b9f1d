"""`python -m conformance.ci`: run the suite as the composite action does, for GitHub Actions.

Always exits with 0 when it could tell what came of the run: a later step of the action fails the job, when the report
has been uploaded. Its outputs are `verdict`, `exit-code`, `report-dir` and `fail`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from pathlib import Path

from cartsync.conformance.v1 import report_pb2

from conformance.ci import github
from conformance.exceptions import UsageError
from conformance.reports import ReportFormatError, from_json

_USAGE_EXIT_CODE = 2
_SUMMARY = "summary.md"


def main() -> int:
    """Run, tell, and return the exit code of the step."""
    try:
        inputs = github.Inputs.of(os.environ)
        arguments = inputs.arguments()
    except UsageError as error:
        print(github.annotation("error", "Cartsync", str(error)))
        return _USAGE_EXIT_CODE
    folder = Path(inputs.report_dir)
    for stale in ("report.json", _SUMMARY):
        with contextlib.suppress(OSError):  # what is in the way, the suite itself complains about
            (folder / stale).unlink()
    code = _run_suite(arguments)
    report = _report_in(folder)
    verdict, exit_code = github.outcome(code, report)
    if report is None:
        message = f"There is no report: the run ended with exit code {code} ({verdict}); its last lines say why."
        print(github.annotation("error", "Cartsync", message))
        _append("GITHUB_STEP_SUMMARY", f"# ✗ No report\n\n{message}\n")
    else:
        print("\n".join(github.annotations_of(report)))
        _append("GITHUB_STEP_SUMMARY", (folder / _SUMMARY).read_text(encoding="utf-8"))
    delimiter = f"cartsync-{secrets.token_hex(16)}"
    for name, value in (
        ("verdict", verdict),
        ("exit-code", str(exit_code)),
        ("report-dir", str(folder)),
        ("fail", str(github.fails(inputs.values["fail-on"], verdict)).lower()),
    ):
        _append("GITHUB_OUTPUT", github.output(name, value, delimiter))
    return 0


def _run_suite(arguments: list[str]) -> int:
    token = secrets.token_hex(16)
    print(github.stop_commands(token), flush=True)
    try:
        return subprocess.run(  # noqa: S603 - the suite itself, with arguments that no shell reads
            [sys.executable, "-P", "-m", "conformance.cli", *arguments],
            env=github.environment_for_suite(os.environ, str(Path(sys.executable).parent)),
            check=False,
        ).returncode
    finally:
        print(f"\n{github.resume_commands(token)}", flush=True)


def _report_in(folder: Path) -> report_pb2.Report | None:
    try:
        return from_json((folder / "report.json").read_bytes())
    except (OSError, ReportFormatError):
        return None


def _append(variable: str, text: str) -> None:
    """Write to a file that the runner reads; without a runner, to standard output."""
    if name := os.environ.get(variable):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text)
    else:
        print(f"{variable}:\n{text}")


if __name__ == "__main__":
    sys.exit(main())
