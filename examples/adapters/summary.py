"""A report of the suite as one page of Markdown: what was violated, and the stories of the two costly findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RETRIED = "test_effects.py::test_an_applied_operation_of_each_kind_has_its_effect_and_only_once"
AT_ONCE = "test_effects.py::test_adds_that_several_devices_send_at_once_all_count[two devices]"


def summary(report_dir: Path) -> str:
    """The page for one report folder; story sections are left out when the finding is not there."""
    report = json.loads((report_dir / "report.json").read_text())
    failures = [json.loads(path.read_text()) for path in sorted((report_dir / "failures").glob("*.json"))]
    target, settings = report["target"], report["settings"]
    judged_by = f"suite {report['suite']['version']}, edition {report['edition']['name']}"
    sections = [
        f"# {target['name']} {target['version']}",
        f"Judged on {report['startTime'][:10]} by {judged_by}, budget {settings['budget']}, seed {settings['seed']}. "
        f"{report['summary']}",
        "| requirement | the first thing seen |\n|---|---|\n" + "\n".join(_rows(report["findings"])),
    ]
    for title, check in (("A retried add", RETRIED), ("Two adds at once", AT_ONCE)):
        for failure in failures:
            if failure["check"] == check:
                sections.append(f"## {title}\n\n```text\n{story(failure)}\n```")
                break
    return "\n\n".join(sections) + "\n"


def _rows(findings: list[dict[str, Any]]) -> list[str]:
    seen: dict[str, str] = {}
    for finding in findings:
        if finding["verdict"] == "VERDICT_VIOLATION":
            seen.setdefault(finding["slug"], finding["summary"].replace("|", "\\|").replace("\n", " ")[:160])
    return [f"| {slug} | {words} |" for slug, words in sorted(seen.items())]


def story(failure: dict[str, Any]) -> str:
    """The timeline of a failure as text, without what the suite asks before it begins."""
    lines = [
        f"{entry['offset_seconds'] * 1000:6.0f} ms  {entry['actor']:10} {entry['title']}"
        for entry in failure["history"]
        if "GetSyncPolicy" not in entry["title"]
    ]
    lines.append(f"expected: {failure['expected']}")
    lines.append(f"observed: {failure['observed']}")
    return "\n".join(lines)
