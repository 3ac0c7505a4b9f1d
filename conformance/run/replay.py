"""Failure files, read back: what a run needs to tell the same story again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conformance.exceptions import UsageError
from conformance.plans.files import PlanFormatError, from_json
from conformance.requirements import load
from conformance.run import failure_files
from conformance.run.settings import RunSettings
from conformance.wire import TargetOptions

_WAY_OUT = "give a file of a report's failures/ folder"


def replay_settings(file: Path, target: TargetOptions, report_dir: Path) -> RunSettings:
    """A run of the one check of a failure file, with its seed and its plan; raises UsageError."""
    failure = read_failure(file)
    return RunSettings.checked(
        load(),
        target=target,
        profiles=failure["profiles"],
        budget=failure["budget"],
        seed=failure["seed"],
        report_dir=report_dir,
        only=(_literally(failure["check"]),),
        plan=failure["plan"],
        replayed=file,
        stop_at_first=True,
    )


def read_failure(file: Path) -> dict[str, Any]:
    """Read a failure file; raises UsageError that says what is wrong with it."""
    try:
        failure = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no failure file: it is not JSON; {_WAY_OUT}") from error
    if not isinstance(failure, dict) or failure.get("format") not in failure_files.READABLE:
        readable = " or ".join(map(repr, failure_files.READABLE))
        raise UsageError(f"{file} is no failure file: its format is not {readable}; {_WAY_OUT}")
    kinds = {"check": str, "requirement": str, "seed": int, "budget": str}
    for name, kind in kinds.items():
        if not isinstance(failure.get(name), kind):
            raise UsageError(f"{file}: {name!r} is missing or not of type {kind.__name__}")
    profiles = failure.get("profiles", [])  # files of the first edition do not name them
    known = load().profiles
    if not isinstance(profiles, list) or not all(name in known for name in profiles):
        raise UsageError(f"{file}: 'profiles' is no list of {', '.join(known)}")
    failure["profiles"] = tuple(profiles)
    if failure.setdefault("plan", None) is not None:
        try:
            from_json(failure["plan"])
        except PlanFormatError as error:
            raise UsageError(f"{file}: its plan cannot be read: {error}") from error
    return failure


def _literally(name: str) -> str:
    """A pattern that matches this check's name only: brackets of parameters are no character classes."""
    return "".join(f"[{c}]" if c in "[*?" else c for c in name)
