"""What each process of a run over several leaves behind, and putting it together: one JSON object a line.

`begin` has the checks and the server as the process found it, `check` the result of one check with its findings, `end`
what is known when all is over. A file without an end is of a process that died.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cartsync.conformance.v1 import report_pb2
from google.protobuf import json_format

from conformance.run.recorder import Recorder
from conformance.run.verdicts import CheckRecord

_ENDING = ".jsonl"


class WorkerFile:
    """Written by one process while it goes on; every line is there for good when the method returns."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._path = folder / f"{worker}{_ENDING}"

    def begin(self, recorder: Recorder) -> None:
        """The checks of the run and the server, when it was reached or could not be."""
        self._write(
            "begin",
            {
                "checks": [(c.check_id, c.title, c.slugs) for c in recorder.checks.values()],
                "target": json_format.MessageToDict(recorder.target),
                "only": recorder.settings.only,
                "profiles": recorder.settings.profiles,
                "unlisted_profiles": recorder.unlisted_profiles,
            },
        )

    def check(self, check: CheckRecord, findings: list[report_pb2.Finding]) -> None:
        """The result of one check, with the findings that it added."""
        self._write("check", {"record": asdict(check), "findings": [json_format.MessageToDict(f) for f in findings]})

    def end(self, recorder: Recorder) -> None:
        """Everything that is not of one check."""
        self._write(
            "end",
            {
                "crash_count": recorder.crash_count,
                "unreachable": recorder.unreachable,
                "broken": recorder.broken,
                "interrupted": recorder.interrupted,
                "findings": [json_format.MessageToDict(f) for f in recorder.findings],  # with what came of reruns
                "fuzzing": recorder.fuzzing.as_json(),
            },
        )

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **content}) + "\n")


def put_together(recorder: Recorder, folder: Path) -> None:
    """Take what all processes left in `folder` into one recorder, as if it had seen everything itself."""
    parts = {path.stem: list(_lines(path)) for path in sorted(folder.glob(f"*{_ENDING}"))}
    for lines in parts.values():
        for line in lines:
            if line["kind"] == "begin":
                _begin(recorder, line)
    order = {check_id: number for number, check_id in enumerate(recorder.checks)}
    for worker, lines in parts.items():
        for line in lines:
            if line["kind"] == "check":
                _check(recorder, line)
        if lines and lines[-1]["kind"] == "end":
            _end(recorder, lines[-1], order)
            _findings(recorder, lines[-1])
            continue
        if not recorder.interrupted:
            recorder.broken.append(f"the process {worker} of pytest-xdist died before it was through")
        for line in lines:
            if line["kind"] == "check":
                _findings(recorder, line)
    recorder.findings.sort(key=lambda finding: order.get(finding.check_id, len(order)))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # the process died over this line


def _begin(recorder: Recorder, line: dict[str, Any]) -> None:
    for check_id, title, slugs in line["checks"]:
        recorder.checks.setdefault(check_id, CheckRecord(check_id, title, tuple(slugs)))
    if not recorder.target.name:
        json_format.ParseDict(line["target"], recorder.target)
    recorder.settings = replace(recorder.settings, only=tuple(line["only"]))
    # Who could not reach the server does not know what it lists.
    if line["unlisted_profiles"]:
        recorder.settings = replace(recorder.settings, profiles=tuple(line["profiles"]))
        recorder.unlisted_profiles = tuple(line["unlisted_profiles"])


def _check(recorder: Recorder, line: dict[str, Any]) -> None:
    record = CheckRecord(**{**line["record"], "slugs": tuple(line["record"]["slugs"])})
    recorder.checks[record.check_id] = record


def _findings(recorder: Recorder, line: dict[str, Any]) -> None:
    recorder.findings.extend(json_format.ParseDict(found, report_pb2.Finding()) for found in line["findings"])


def _end(recorder: Recorder, line: dict[str, Any], order: dict[str, int]) -> None:
    recorder.crash_count += line["crash_count"]
    recorder.unreachable = recorder.unreachable or line["unreachable"]
    recorder.broken += [reason for reason in line["broken"] if reason not in recorder.broken]
    recorder.interrupted = recorder.interrupted or line["interrupted"]
    recorder.fuzzing.absorb(line["fuzzing"], order)
