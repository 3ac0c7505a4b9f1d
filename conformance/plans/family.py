"""A family of plans: one kind of trouble, as a set of weighted moves that some devices make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.plans.stage import Means
from conformance.plans.steps import Enqueueing, Step

Move = st.SearchStrategy[tuple[Step, ...]]


NOTHING: frozenset[Means] = frozenset()


def needing(*means: Means) -> frozenset[Means]:
    """What a move or a family needs."""
    return frozenset(means)


def no_opening(family: Family) -> Move:
    """A plan that begins with the first intents."""
    del family
    return st.just(())


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of trouble: how its plans begin, the devices in it, its moves with weights, and how long plans get."""

    name: str
    devices: tuple[str, ...]
    moves: tuple[tuple[int, Callable[[Family], Move], frozenset[Means]], ...]
    intents: Callable[[Family], st.SearchStrategy[Enqueueing]]
    most_moves: int = 12
    opening: Callable[[Family], Move] = no_opening
    needs: frozenset[Means] = NOTHING

    def possible(self, means: frozenset[Means]) -> bool:
        """Whether plans of this family can be played at all."""
        return self.needs <= means


def device_of(family: Family) -> st.SearchStrategy[str]:
    """One of the family's devices."""
    return st.sampled_from(family.devices)
