"""The files of a report's `failures/` folder: what is in them, what marks them, clearing away those of an earlier run.

A failure file tells one story whole, to people and to programs in any language: the requirement and why it is there,
what was expected and observed, the plan, everything that went over the wire, the worlds a correct server could have
been in, and the command that plays it again. `docs/reference/failure-file.md` describes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cartsync.conformance.v1 import report_pb2
from google.protobuf.json_format import MessageToDict

from conformance import SPEC_VERSION
from conformance.requirements import Requirement
from conformance.wire import Event

FOLDER = "failures"
FORMAT = "cartsync-failure/2"
READABLE = ("cartsync-failure/1", FORMAT)
_ANY_VERSION = "cartsync-failure/"


def content_of(
    finding: report_pb2.Finding,
    requirement: Requirement | None,
    *,
    title: str,
    settings: Mapping[str, Any],
    suite: report_pb2.SuiteIdentity,
    target: report_pb2.Target,
    command: str,
    events: Sequence[Event],
    plan: Mapping[str, Any] | None,
    worlds: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """A failure file as JSON values. `settings` has seed, budget, profiles and edition; `events` are redacted."""
    return {
        "format": FORMAT,
        "requirement": finding.slug,
        "level": requirement.level if requirement else "",
        "profile": requirement.profile if requirement else "",
        "statement": requirement.statement if requirement else "",
        "chapter": f"{requirement.chapter} · {requirement.heading}" if requirement else "",
        "because": finding.because,
        "summary": finding.summary,
        "expected": finding.expected,
        "observed": finding.observed,
        "check": finding.check_id,
        "check_title": title,
        **settings,
        "plan": plan,
        "worlds": worlds,
        "suite_version": suite.version,
        "spec_version": SPEC_VERSION,
        "spec_digest": suite.spec_digest,
        "target": {"name": target.name, "version": target.version},
        "command": command,
        "transcript": finding.transcript,
        "reproduction": _reproduction(finding),
        "history": [event.as_json() for event in events],
    }


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Write a failure file; raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def set_reproduction(report_dir: Path, finding: report_pb2.Finding) -> None:
    """Write into the file of a finding what came of running it again; raises OSError or ValueError."""
    if finding.replay_file:
        file = report_dir / finding.replay_file
        content = json.loads(file.read_text(encoding="utf-8"))
        content["reproduction"] = _reproduction(finding)
        write(file, content)


def _reproduction(finding: report_pb2.Finding) -> dict[str, Any] | None:
    if not finding.HasField("reproduction"):
        return None
    told = MessageToDict(finding.reproduction, always_print_fields_with_no_presence=True)
    return {
        "label": told["label"].removeprefix("LABEL_").lower(),
        "attempt_count": told["attemptCount"],
        "reproduced_count": told["reproducedCount"],
    }


def remove_earlier(report_dir: Path, *, replayed: Path | None = None) -> None:
    """Remove the failure files of an earlier run from a report's folder, and nothing else.

    A folder that holds the file being `replayed` is left as it is: replaying must not use up what it reads. Raises
    OSError when a file cannot be removed.
    """
    folder = report_dir / FOLDER
    if replayed is not None and replayed.resolve().parent == folder.resolve():
        return
    for file in sorted(folder.glob("*.json")):
        if _is_failure(file):
            file.unlink()


def _is_failure(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and str(content.get("format", "")).startswith(_ANY_VERSION)
