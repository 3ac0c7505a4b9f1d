"""A failing check once more, beside the run: what it finds is looked at and not written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.run import verdicts
from conformance.run.recorder import Recorder
from conformance.run.verdicts import CheckRecord, Verdict
from conformance.wire import Event


@dataclass
class Encore(Recorder):
    """Records nothing but which requirement was violated."""

    violated: str = ""

    def found(
        self,
        check: CheckRecord,
        slug: str,
        verdict: Verdict,
        summary: str,
        *,
        expected: str = "",
        observed: str = "",
        events: Sequence[Event] = (),
        plan: Mapping[str, Any] | None = None,
        worlds: Mapping[str, Any] | None = None,
    ) -> None:
        """Remember the requirement."""
        del check, summary, expected, observed, events, plan, worlds
        if verdict in (verdicts.VIOLATION, verdicts.WARNING):
            self.violated = slug

    def outcome_of(self, check: CheckRecord) -> str | None:
        """The requirement that was violated, "" for none, None when the check came to no result."""
        if self.unreachable or check.verdict not in (verdicts.PASSED, verdicts.VIOLATION):
            return None
        return self.violated
