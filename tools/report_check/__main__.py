"""`python -m tools.report_check`: writes sample reports to build/report-check and looks at them in Chromium."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.reports import to_html
from tools.report_check.axe import AxeError, axe_source
from tools.report_check.browser import AIM_SECONDS, look_at
from tools.report_check.samples import LONG, samples
from tools.site.browser import BrowserError

_BUILD = Path(__file__).parents[2] / "build" / "report-check"


def main() -> int:
    """Run the check. Exit codes: 0 fine, 1 something is wrong with a report, 2 a tool is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.report_check", description=__doc__)
    parser.add_argument("reports", nargs="*", type=Path, help="report.html files to look at besides")
    parser.add_argument("--screenshots", type=Path, help="folder to write pictures to")
    arguments = parser.parse_args()
    pages = {}
    for name, report in samples().items():
        pages[name] = _BUILD / f"{name}.html"
        pages[name].parent.mkdir(parents=True, exist_ok=True)
        pages[name].write_text(to_html(report), encoding="utf-8")
    pages |= {f"given-{number}": path.resolve() for number, path in enumerate(arguments.reports, start=1)}
    try:
        seen = look_at(pages, axe_source(), arguments.screenshots)
    except (BrowserError, AxeError) as error:
        print(error, file=sys.stderr)
        return 2
    for problem in seen.problems:
        print(problem, file=sys.stderr)
    told = "" if seen.seconds["long"] <= AIM_SECONDS else f", more than the {AIM_SECONDS:.0f} s aimed for"
    print(
        f"{len(pages)} reports in {seen.browser}, wide, narrow and dark: {len(seen.problems)} problems, "
        f"{seen.axe_rules} rules of axe met; a story of {LONG:,} events opens in {seen.seconds['long']:.2f} s{told}"
    )
    return 1 if seen.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
