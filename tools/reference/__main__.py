"""`python -m tools.reference` writes every generated page and picture; `--check` fails when one is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

from tools.diagrams.faults import DiagramError
from tools.reference.everything import GROUPS, OWNED, ROOT, generated
from tools.reference.faults import SourceError


def main() -> int:
    """Write the files, or compare them. Exit codes: 0 fine, 1 stale or a source is wrong, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"only these of {', '.join(GROUPS)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    groups = arguments.groups or GROUPS
    try:
        files = generated(groups)
    except (SourceError, DiagramError) as error:
        print(error, file=sys.stderr)
        return 1
    orphans = _orphans(files, groups)
    return _compare(files, orphans) if arguments.check else _write(files, orphans)


def _orphans(files: dict[str, str], groups: Collection[str]) -> list[Path]:
    owned = (path for pattern, group in OWNED.items() if group in groups for path in ROOT.glob(pattern))
    return [path for path in owned if path.relative_to(ROOT).as_posix() not in files]


def _compare(files: dict[str, str], orphans: list[Path]) -> int:
    stale = [name for name, text in files.items() if _read(name) != text]
    for name in stale:
        print(f"{name} is stale: run `make docs` and commit it", file=sys.stderr)
    for path in orphans:
        print(f"{path.relative_to(ROOT)} is made from nothing any more: run `make docs`", file=sys.stderr)
    return 1 if stale or orphans else 0


def _write(files: dict[str, str], orphans: list[Path]) -> int:
    for name, text in files.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
    for path in orphans:
        path.unlink()
    return 0


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
