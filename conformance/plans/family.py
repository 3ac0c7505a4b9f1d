"""A family of plans: one kind of trouble, as a set of weighted moves that some devices make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.stage import Means
from conformance.plans.steps import Step

Move = st.SearchStrategy[tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of trouble: the devices in it, its moves with weights, and how long its plans get."""

    name: str
    devices: tuple[str, ...]
    moves: tuple[tuple[int, Callable[[Family], Move], frozenset[Means]], ...]
    intents: Callable[[Family], st.SearchStrategy[steps.Enqueue]]
    most_moves: int = 12
    needs: frozenset[Means] = frozenset()

    def possible(self, means: frozenset[Means]) -> bool:
        """Whether plans of this family can be played at all."""
        return self.needs <= means


def device_of(family: Family) -> st.SearchStrategy[str]:
    """One of the family's devices."""
    return st.sampled_from(family.devices)
