"""The history of a run, written while it goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import SPEC_VERSION
from conformance.oracle import Refutation
from conformance.plans.files import to_json
from conformance.plans.steps import Plan
from conformance.redaction import redacted_text
from conformance.rejudging.histories import FILE_NAME, Writer
from conformance.rejudging.telling import RecordingJudge

if TYPE_CHECKING:
    from conformance.run.recorder import Recorder


def history_file(report_dir: Path, worker: str | None = None) -> Path:
    """Where a run keeps its history: in the report's folder, under a name of its own for each pytest-xdist worker."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "") if worker is None else worker
    name, dot, ending = FILE_NAME.partition(".")
    return report_dir / (f"{name}-{worker}{dot}{ending}" if worker else FILE_NAME)


class Notebook:
    """Writes down every plan. A history that cannot be written stops no run: `close` says why it is not there."""

    def __init__(self, file: Path, recorder: Recorder) -> None:
        self.file = file
        self._recorder = recorder
        self._writer = Writer(file)
        self._trouble = ""

    def keep(
        self, check_id: str, plan: Plan, judge: RecordingJudge, refutation: Refutation | None, *, undecided: bool
    ) -> None:
        """Write down one plan with what its judge was told."""
        if self._trouble:
            return
        tale, lossy = judge.tale.as_json()
        entry = {
            "check": check_id,
            "plan": to_json(plan),
            **tale,
            "verdict": None if refutation is None else _verdict(refutation, judge),
            "undecided": undecided,
        }
        if lossy:
            entry["lossy"] = True
        try:
            self._writer.begin(self._header())
            self._writer.plan(entry)
        except OSError as error:
            self._trouble = error.strerror or str(error)

    def close(self) -> str:
        """End the file; returns why it could not be written, empty when all is well."""
        try:
            self._writer.close()
        except OSError as error:
            self._trouble = error.strerror or str(error)
        return self._trouble

    def _header(self) -> dict[str, object]:
        recorder = self._recorder
        return {
            "suite_version": recorder.suite_version,
            "spec_version": SPEC_VERSION,
            "spec_digest": recorder.register.digest,
            "seed": recorder.settings.seed,
            "budget": recorder.settings.budget.name,
            "target": {"name": recorder.target.name, "version": recorder.target.version},
        }


def _verdict(refutation: Refutation, judge: RecordingJudge) -> dict[str, str]:
    return {
        "requirement": refutation.slug,
        "summary": redacted_text(refutation.summary),
        "expected": redacted_text(refutation.expected),
        "observed": redacted_text(refutation.observed),
        "by": "judge" if judge.refuted else "player",
    }
