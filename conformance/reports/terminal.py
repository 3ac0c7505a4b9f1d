"""How a run looks while it goes on, and what it says at the end.

Two ways to show the same run: a live bar for a person at a terminal (`terminal_live`), and plain lines for logs
(`terminal_lines`). Both are a `Progress`; callers take the one that fits from `progress_for`.

Lifecycle: `started`, then for each check `check_started`, any number of `plan_executed`, `check_finished`; then
`finished`. `note` may come at any time. `finished` may come without `started`, when the target was never reached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol, TextIO

from cartsync.conformance.v1.report_pb2 import Report, Verdict


class Progress(Protocol):
    """Watches a run from its start to its report."""

    def started(
        self, target_name: str, address: str, profiles: Sequence[str], check_count: int, seed: int, budget: str
    ) -> None:
        """The target answered and `check_count` checks are about to run."""

    def check_started(self, check_id: str, title: str) -> None:
        """A check begins; `title` says in one line what it does."""

    def plan_executed(self, plan_count: int, operation_count: int) -> None:
        """The running check has executed so many plans and judged so many operations in all."""

    def check_finished(self, check_id: str, verdict: Verdict.ValueType, seconds: float) -> None:
        """The running check is through, after `seconds`."""

    def note(self, text: str) -> None:
        """Something worth telling that is no verdict: the server was started, a limit was found."""

    def finished(self, report: Report, report_dir: Path) -> None:
        """Print the summary; the files of the report are in `report_dir`. Ends the display."""

    def close(self) -> None:
        """End the display without a summary, after an interruption; harmless at any time."""


def progress_for(
    stream: TextIO,
    *,
    interactive: bool | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], float] = monotonic,
) -> Progress:
    """The display that fits `stream`: live at a terminal, else plain lines.

    `interactive` overrules the choice. Without it, NO_COLOR, CI or TERM=dumb in `environment` (default: that of the
    process) ask for plain lines. `clock` gives seconds that never go back.
    """
    if interactive is None:
        interactive = _is_interactive(stream, os.environ if environment is None else environment)
    if interactive:
        # rich takes a tenth of a second to import, which a log has no use for.
        from conformance.reports.terminal_live import LiveProgress

        return LiveProgress(stream, clock)
    from conformance.reports.terminal_lines import LineProgress

    return LineProgress(stream, clock)


def _is_interactive(stream: TextIO, environment: Mapping[str, str]) -> bool:
    if environment.get("NO_COLOR") or environment.get("CI") or environment.get("TERM") == "dumb":
        return False
    # The live display draws with characters that older encodings do not have.
    return stream.isatty() and (stream.encoding or "").lower().startswith("utf")
