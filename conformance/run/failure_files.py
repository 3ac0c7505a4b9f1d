"""The files of a report's `failures/` folder: what marks them, and clearing away those of an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = "failures"
FORMAT = "cartsync-failure/1"
_ANY_VERSION = "cartsync-failure/"


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
