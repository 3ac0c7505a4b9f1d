"""What rules have to say about an intent: refusals in their order, or an effect.

Each file of rules has a `Bid`, an intent beside everything that its rules look at; `RULES`, reason, requirement and
rule in the order in which they decide; and `effect`, what a bid that no rule refuses does. A rule gives the details of
its refusal, or None when it has nothing against the bid. The first rule that refuses decides (spec:
deciding/refusal-order).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from conformance.oracle.values import Adjustment, ClaimedLine, Details, Line

_Bid = TypeVar("_Bid")
Resource_co = TypeVar("Resource_co", covariant=True)

Refused = tuple[str, str, Details]
"""Reason, requirement, details."""

Rules = tuple[tuple[str, str, Callable[[_Bid], Details | None]], ...]


@dataclass(frozen=True, slots=True)
class Effect(Generic[Resource_co]):
    """What an applied operation does. `resource` is as it leaves it; None: as it was. `rule` is the requirement."""

    rule: str
    resource: Resource_co | None = None
    line: Line | None = None
    adjustments: frozenset[Adjustment] = frozenset()
    claimed: tuple[ClaimedLine, ...] = ()


def refusals_by(rules: Rules[_Bid], bid: _Bid) -> list[Refused]:
    """Every refusal that applies, in order."""
    found = ((reason, slug, rule(bid)) for reason, slug, rule in rules)
    return [(reason, slug, details) for reason, slug, details in found if details is not None]
