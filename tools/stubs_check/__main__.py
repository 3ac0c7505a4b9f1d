"""Command line: `python -m tools.stubs_check`.

Exit codes: 0 nothing that was attempted failed, and everything required was attempted; 1 something failed;
2 the call itself is wrong; 3 a required language was skipped because its tools are missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from tools.stubs_check.languages import LANES, ORDER, Language, languages
from tools.stubs_check.project import Result, check
from tools.stubs_check.shop import Shop, ShopError, open_shop
from tools.stubs_check.table import as_markdown, show

FAILED, SKIPPED = 1, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check and returns the exit code."""
    options = _options(arguments)
    known = languages()
    if options.markdown:
        sys.stdout.write(as_markdown(list(known.values())))
        return 0
    wanted = options.only or ORDER
    lanes = [[known[name] for name in lane if name in wanted] for lane in LANES]
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with open_shop() as shop, ThreadPoolExecutor(max_workers=len(lanes)) as pool:
            found = [result for lane in pool.map(lambda lane: _lane(lane, shop), lanes) for result in lane]
    except ShopError as error:
        console.print(str(error), markup=False)
        return FAILED
    results = sorted(found, key=lambda result: ORDER.index(result.language.name))
    show(results, console)
    return verdict(results, options.require, console)


def verdict(results: Sequence[Result], required: Sequence[str], console: Console) -> int:
    """The exit code for these results; says which required languages were skipped."""
    if any(result.failure for result in results):
        return FAILED
    absent = [result.language.title for result in results if result.skipped and result.language.name in required]
    if absent:
        console.print(f"\nRequired, but skipped: {', '.join(absent)}")
        return SKIPPED
    return 0


def _lane(lane: Sequence[Language], shop: Shop) -> list[Result]:
    return [check(language, shop) for language in lane]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.stubs_check", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--require", type=_names, default=(), metavar="LANGUAGES", help="fail when one of these is skipped (go,java,…)"
    )
    parser.add_argument("--only", type=_names, default=(), metavar="LANGUAGES", help="look at these only")
    parser.add_argument("--markdown", action="store_true", help="print the guide's table and stop")
    options = parser.parse_args(arguments)
    if options.only and set(options.require) - set(options.only):
        parser.error("--require names a language that --only leaves out")
    return options


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in ORDER:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ORDER)}")
    return names


if __name__ == "__main__":
    raise SystemExit(main())
