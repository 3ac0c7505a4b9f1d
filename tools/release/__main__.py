"""`python -m tools.release check` and `python -m tools.release freeze`.

Exit codes: 0 everything released is kept · 1 something is not · 2 it could not be compared or frozen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance import SPEC_VERSION
from tools.release.archive import ReleaseError, compare, freeze
from tools.release.protocol import BufError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("command", choices=("check", "freeze"))
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to look at (default: this one)")
    parser.add_argument("--edition", default=SPEC_VERSION, help="its edition (default: %(default)s)")
    asked = parser.parse_args(arguments)
    try:
        return _freeze(asked.root, asked.edition) if asked.command == "freeze" else _check(asked.root, asked.edition)
    except (BufError, ReleaseError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _check(root: Path, edition: str) -> int:
    found = compare(root, edition)
    for note in found.noted:
        print(f"note: {note}")
    for breach in found.broken:
        print(breach, file=sys.stderr)
    against = ", ".join(found.editions) or "no released edition"
    if found.broken:
        print(f"{edition} does not keep what was released: {len(found.broken)} change(s) above", file=sys.stderr)
        return 1
    print(f"{edition} keeps everything that was released ({against})")
    return 0


def _freeze(root: Path, edition: str) -> int:
    folder = freeze(root, edition)
    print(f"{edition} is frozen in {folder}: commit it, and name the next edition in conformance/__init__.py")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
