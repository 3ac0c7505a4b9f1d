"""A baseline: failures that are known and excused for a time, so that a run fails only for what is new. Pure.

    [[known]]
    requirement = "stock/clamp"
    reason = "Half of what is there is not taken yet"
    link = "https://tracker.example/1234"
    expires = 2026-12-31

An entry excuses violations of exactly its requirement, up to and including its last day. It fails the run as soon as
the requirement is met, or its last day is over: a baseline only ever gets shorter.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError

EXPIRY = timedelta(days=30)  # of an entry that the suite writes

_KEYS = {"requirement", "reason", "link", "expires"}
_UNEXPECTED_PASS = report_pb2.BaselineFault.KIND_UNEXPECTED_PASS
_EXPIRED = report_pb2.BaselineFault.KIND_EXPIRED


@dataclass(frozen=True, slots=True)
class Entry:
    """One requirement that is known not to be met."""

    slug: str
    reason: str
    expires: date  # the last day on which it is excused
    link: str = ""

    def message(self) -> report_pb2.KnownFailure:
        """The entry as a report has it."""
        return report_pb2.KnownFailure(
            slug=self.slug, reason=self.reason, link=self.link, expiry_date=self.expires.isoformat()
        )


Baseline = tuple[Entry, ...]


def read_baseline(path: Path, known_slugs: Collection[str]) -> Baseline:
    """Read a baseline file; raises UsageError that names the entry, what is wrong with it and what would be right."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--baseline {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--baseline {path} is no TOML: {error}") from error
    known = content.get("known", [])
    if set(content) - {"known"} or not isinstance(known, list) or not all(isinstance(entry, dict) for entry in known):
        raise UsageError(f"--baseline {path}: it has entries of the form [[known]], and nothing else")
    entries: list[Entry] = []
    for number, values in enumerate(known, start=1):
        try:
            entries.append(_entry(values, known_slugs, entries))
        except _WrongError as error:
            name = values.get("requirement") or "without requirement"
            raise UsageError(f"--baseline {path}: entry {number} ({name}) {error}") from error
    return tuple(entries)


class _WrongError(Exception):
    """An entry is wrong; the message says how."""


def _entry(values: Mapping[str, Any], known_slugs: Collection[str], before: Sequence[Entry]) -> Entry:
    if unknown := sorted(set(values) - _KEYS):
        raise _WrongError(f"has an unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    slug, reason, link = (values.get(name, "") for name in ("requirement", "reason", "link"))
    if not isinstance(slug, str) or slug not in known_slugs:
        raise _WrongError("names no requirement of the spec; `cartsync-conformance requirements` lists them")
    if any(slug == other.slug for other in before):
        raise _WrongError("is there twice; leave one of the two")
    if not isinstance(reason, str) or not reason.strip():
        raise _WrongError("has no reason; say in a few words why it is not met yet")
    if not isinstance(link, str):
        raise _WrongError(f"has the link {link!r}; give a text, or leave it out")
    expires = values.get("expires")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise _WrongError("has no last day; give expires = YYYY-MM-DD, without quotes")
    return Entry(slug, reason.strip(), expires, link.strip())


def compare(
    baseline: Baseline, requirements: Sequence[report_pb2.RequirementResult], today: date, *, complete: bool
) -> report_pb2.BaselineResult:
    """What becomes of each entry. Entries of requirements that the run leaves out are neither known nor at fault.

    A requirement is met only by a `complete` run: of one that leaves checks out, nothing is said to be met.
    """
    verdicts = {result.slug: result.verdict for result in requirements}
    result = report_pb2.BaselineResult()
    for entry in baseline:
        verdict = verdicts.get(entry.slug)
        if verdict is None or (verdict == report_pb2.VERDICT_PASSED and not complete):
            continue
        if verdict == report_pb2.VERDICT_PASSED:
            result.faults.add(entry=entry.message(), kind=_UNEXPECTED_PASS)
        elif entry.expires < today:
            result.faults.add(entry=entry.message(), kind=_EXPIRED)
        else:
            result.known.add().CopyFrom(entry.message())
    return result


def baseline_text(report: report_pb2.Report, known: Baseline, today: date) -> str:
    """A baseline file of the violations of a report: known reasons are kept, new ones are left to be filled in."""
    parts = [
        "# Known failures: each excuses violations of its requirement up to its last day, and only these.\n"
        "# Say why it is not met yet; a run refuses an entry without a reason.\n"
    ]
    entries = {entry.slug: entry for entry in known}
    for result in report.requirements:
        if result.verdict != report_pb2.VERDICT_VIOLATION:
            continue
        entry = entries.get(result.slug, Entry(result.slug, "", today + EXPIRY))
        told = next((finding.summary for finding in report.findings if finding.slug == result.slug), "")
        parts.append(
            "\n[[known]]\n"
            + (f"# {' '.join(told.split())}\n" if told else "")
            + f"requirement = {_quoted(entry.slug)}\nreason = {_quoted(entry.reason)}\nlink = {_quoted(entry.link)}\n"
            f"expires = {entry.expires.isoformat()}\n"
        )
    return "".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)  # a basic string of TOML is one of JSON
