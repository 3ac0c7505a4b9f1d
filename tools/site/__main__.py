"""`python -m tools.site build` writes build/site; `check` opens all of it in a headless browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.site.browser import BrowserError, check_in_browser
from tools.site.building import SITE, BuildError, build
from tools.site.links import broken_links_of_site


def main() -> int:
    """Run one command. Exit codes: 0 fine, 1 something is wrong with the site, 2 a tool is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="write build/site and check its links")
    check = commands.add_parser("check", help="open every page of build/site in a headless Chromium")
    check.add_argument("--screenshots", type=Path, help="folder to write pictures of some pages to")
    arguments = parser.parse_args()
    try:
        problems = _build() if arguments.command == "build" else _check(arguments.screenshots)
    except (BuildError, BrowserError) as error:
        print(error, file=sys.stderr)
        return 2
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _build() -> list[str]:
    pages = build()
    problems = broken_links_of_site(SITE)
    if not problems:
        print(f"build/site: {pages} pages, every link leads somewhere. Open build/site/index.html")
    return problems


def _check(screenshots: Path | None) -> list[str]:
    if not (SITE / "index.html").is_file():
        raise BuildError("there is no build/site: run `make site` first")
    seen = check_in_browser(SITE, screenshots)
    if not seen.problems:
        print(
            f"build/site in {seen.browser}: {seen.pages} pages, {seen.links} links, {seen.searches} searches; "
            "no error in the console, nothing from another origin, nothing broken"
        )
    return seen.problems


if __name__ == "__main__":
    raise SystemExit(main())
