"""`python -m tools.model`: explore the formal model, and compare with what its pages say.

Exit codes: 0 all as it must be · 1 a property fails, a removed rule breaks nothing, or a page is stale · 2 Spin is
missing or failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tools.model import pages, spin
from tools.model.checking import Result, check, fingerprint
from tools.model.output import SpinOutputError

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "spec" / "model"


def main(arguments: list[str] | None = None) -> int:
    """Explore, print, compare or write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.model", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write traces.md and the tables of README.md")
    parser.add_argument("--deep", action="store_true", help="larger bounds; minutes and gigabytes, pages untouched")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="these rules or configurations")
    asked = parser.parse_args(arguments)
    if asked.write and (asked.deep or asked.only):
        parser.error("--write needs everything at its usual bounds: leave out --deep and --only")
    try:
        _have_spin()
        began = time.monotonic()
        result = check(FOLDER, _progress, deep=asked.deep, only=asked.only)
        _progress("")
        print(pages.terminal(result, time.monotonic() - began))
        for fault in result.faults:
            print(fault, file=sys.stderr)
        if result.faults:
            return 1
        if not result.held and not result.broken:
            parser.error(f"nothing is called {' or '.join(asked.only)}")
        if asked.deep or asked.only:
            return 0
        return _write(result) if asked.write else _compare(result)
    except (spin.SpinError, SpinOutputError, pages.PageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _have_spin() -> None:
    lacking = spin.missing()
    if not lacking:
        return
    if os.geteuid() == 0 and spin.installable():
        print(f"installing {' and '.join(lacking)}: {' '.join(spin.INSTALL)}", file=sys.stderr)
        spin.install()
        return
    raise spin.SpinError(
        f"the formal model needs {' and '.join(lacking)}: on Debian and Ubuntu `sudo apt-get install spin gcc`, with "
        "Homebrew `brew install spin`, elsewhere https://spinroot.com"
    )


def _write(result: Result) -> int:
    facts = pages.Facts(fingerprint(FOLDER), spin.version())
    readme = FOLDER / "README.md"
    written = pages.readme_with(readme.read_text(encoding="utf-8"), result)
    readme.write_text(written, encoding="utf-8")
    (FOLDER / "traces.md").write_text(pages.traces_page(result, facts), encoding="utf-8")
    return 0


def _compare(result: Result) -> int:
    page = (FOLDER / "traces.md").read_text(encoding="utf-8")
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    facts = pages.Facts(fingerprint(FOLDER), spin.version())
    said = pages.facts_of(page)
    fresh = pages.traces_page(result, facts)
    # Another Spin may number states otherwise and so find another trace of the same length.
    same = page == fresh if said.spin == facts.spin else pages.outcomes_of(page) == pages.outcomes_of(fresh)
    if said.models == facts.models and same and readme == pages.readme_with(readme, result):
        return 0
    print("docs/spec/model/README.md or traces.md is stale: run `make model ARGS=--write`", file=sys.stderr)
    return 1


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
