"""How much work a run may do. Scripted checks always run whole; budgets bound the fuzzing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds for each fuzzed check."""

    name: str
    plan_count: int  # most plans a check draws
    seconds: float  # no new plan is drawn after this long
    shrink_seconds: float  # a failing plan is made smaller for at most this long


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget("fast", plan_count=40, seconds=1.5, shrink_seconds=5),
        Budget("standard", plan_count=400, seconds=6, shrink_seconds=10),
        Budget("deep", plan_count=20_000, seconds=180, shrink_seconds=60),
    )
}
