"""Writes the worked examples of docs/spec/vectors and the page about them, or (--check) fails when one is stale.

Every exchange is played against the reference server, with fixed keys and a fixed clock. A recorded answer that differs
in texts for people only is kept as it is.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from conformance.requirements import load
from tools.vectors.files import fresh, recorded, stale, write
from tools.vectors.page import pages

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "docs" / "spec"
FOLDER = SPEC / "vectors"


def main() -> int:
    """Write, or compare; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.vectors", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    parser.add_argument("--anew", action="store_true", help="keep no recorded answer, not even for its texts")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # of the servers that are played against
    before = None if asked.anew or not FOLDER.is_dir() else recorded(FOLDER)
    vectors = fresh(before)
    told = pages(vectors, load())
    if not asked.check:
        write(FOLDER, vectors)
        for name, text in told.items():
            (SPEC / name).write_text(text, encoding="utf-8")
        for path in set(FOLDER.rglob("*.md")) - {SPEC / name for name in told}:
            path.unlink()
        return 0
    old = [f"vectors/{name}" for name in stale(FOLDER, vectors)]
    old += [name for name, text in told.items() if _read(SPEC / name) != text]
    for name in old:
        print(f"docs/spec/{name} is stale: run `make docs` and commit it", file=sys.stderr)
    return 1 if old else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
