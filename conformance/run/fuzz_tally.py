"""What all fuzzed checks of a run did together: triples reached, operations judged, faults, and a digest of it all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from cartsync.conformance.v1 import report_pb2

from conformance.plans.coverage import NO_FAULT, Coverage, Triple, fault_of
from conformance.plans.execute import Play
from conformance.plans.files import to_json
from conformance.plans.steps import Plan


class FuzzTally:
    """Told of every check that runs and every plan that was played."""

    def __init__(self) -> None:
        self.coverage = Coverage()
        self.operation_count = 0
        self.fault_count = 0
        self._seconds_of: dict[str, float] = {}
        self._digests: dict[str, str] = {}  # of the plans of each check, chained

    def check_began(self, check_id: str) -> None:
        """A check runs, or goes on after others had a turn."""
        self._digests.setdefault(check_id, "")

    def plan_played(self, check_id: str, plan: Plan, play: Play) -> None:
        """A plan was played, to its end or until something was found."""
        self.coverage.add(play.lookout.triples)
        self.operation_count += play.judge.judged_count
        self.fault_count += sum(fault_of(step) != NO_FAULT for step in plan.steps)
        self._seconds_of.setdefault(check_id, 0.0)
        text = json.dumps(to_json(plan), sort_keys=True, separators=(",", ":"))
        self._digests[check_id] = hashlib.sha256(f"{self._digests.get(check_id, '')}\n{text}".encode()).hexdigest()

    def check_took(self, check_id: str, seconds: float) -> None:
        """A check took so long by now, all its turns together; those that play no plans do not count."""
        if check_id in self._seconds_of:
            self._seconds_of[check_id] = seconds

    @property
    def digest(self) -> str:
        """SHA-256 over the checks that ran, in the order they began, each with the plans that it played, in order."""
        lines = "".join(f"{check_id} {digest}\n" for check_id, digest in self._digests.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Everything that it was told, for the process that puts the parts of a run together."""
        return {
            "operations": self.operation_count,
            "faults": self.fault_count,
            "seconds": self._seconds_of,
            "digests": self._digests,
            "coverage": [[*triple, count] for triple, count in sorted(self.coverage.counts.items())],
        }

    def absorb(self, part: Mapping[str, Any], order: Mapping[str, int]) -> None:
        """Take in what `as_json` of another part of the run holds; `order` is the place of each check."""
        self.operation_count += part["operations"]
        self.fault_count += part["faults"]
        self._seconds_of |= part["seconds"]
        self._digests |= part["digests"]
        self._digests = dict(sorted(self._digests.items(), key=lambda item: order[item[0]]))
        self.coverage.add(Counter({Triple(*names): count for *names, count in part["coverage"]}))

    def tell(self, report: report_pb2.Report) -> None:
        """Write it into a report."""
        report.settings.plan_digest = self.digest
        report.effort.fault_count = self.fault_count
        report.effort.fuzzed_operation_count = self.operation_count
        report.effort.fuzz_duration.FromNanoseconds(int(sum(self._seconds_of.values()) * 1e9))
        report.coverage.extend(
            report_pb2.CoverageCell(requirement=triple.requirement, state=triple.state, fault=triple.fault, count=count)
            for triple, count in sorted(self.coverage.counts.items())
        )
