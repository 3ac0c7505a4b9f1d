"""Plans made of plans: parts left out, repeated, moved, and taken over from other plans of the same family.

Any part of a plan is a plan, and so is any mixture: a step that makes no sense where it stands does nothing. Values of
fields come from steps of the same kind in the other plans, so that nothing is drawn that the family would not draw.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from conformance.plans.steps import Enqueue, Kill, Plan, Race, Restart, RestoreStore, Send, Step, Times

MOST_STEPS = 40
"""No plan grows longer than this; two short ones reach more in the same time."""
MOST_COSTLY = 3
"""So many restarts and races at most in one plan, which cost as much time as a hundred operations."""

MOST_BULK = 2
"""And so many times a submission full of operations."""

Steps = tuple[Step, ...]


def varied(plan: Plan, donor: Plan, rng: random.Random) -> Plan:
    """Another plan: `plan` with one to three changes, some of them with what `donor` has."""
    steps, products = plan.steps, plan.products
    for _ in range(rng.randint(1, 3)):
        steps = rng.choice(_VARIATIONS)(steps, donor.steps, rng)
    if donor.products and rng.random() < 0.25:
        products = donor.products
    return replace(plan, products=products, steps=_bounded(steps))


def _spliced(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """The beginning of one, then the end of the other."""
    return steps[: rng.randint(0, len(steps))] + other[rng.randint(0, len(other)) :]


def _with_part(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """A few steps of the other, somewhere in between."""
    start, at = rng.randint(0, len(other)), rng.randint(0, len(steps))
    return steps[:at] + other[start : start + rng.randint(1, 4)] + steps[at:]


def _without_part(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """A few steps less."""
    del other
    start = rng.randint(0, len(steps))
    return steps[:start] + steps[start + rng.randint(1, 3) :]


def _repeated(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """A few steps once more, at once or later."""
    del other
    start = rng.randint(0, len(steps))
    part = steps[start : start + rng.randint(1, 3)]
    at = rng.randint(min(start + len(part), len(steps)), len(steps))
    return steps[:at] + part + steps[at:]


def _moved(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """One step earlier or later."""
    del other
    if len(steps) < 2:
        return steps
    taken = rng.randrange(len(steps))
    rest = steps[:taken] + steps[taken + 1 :]
    at = rng.randint(0, len(rest))
    return (*rest[:at], steps[taken], *rest[at:])


def _with_field(steps: Steps, other: Steps, rng: random.Random) -> Steps:
    """One field as a step of the same kind has it in the other."""
    pairs = [(index, step) for index, step in enumerate(steps) for lender in other if type(lender) is type(step)]
    if not pairs:
        return steps
    index, step = rng.choice(pairs)
    lender = rng.choice([lender for lender in other if type(lender) is type(step)])
    unlike = [
        field.name for field in dataclasses.fields(step) if getattr(step, field.name) != getattr(lender, field.name)
    ]
    if not unlike:
        return steps
    name = rng.choice(unlike)
    changed: Step = replace(cast("Any", step), **{name: getattr(lender, name)})
    return (*steps[:index], changed, *steps[index + 1 :])


_VARIATIONS: tuple[Callable[[Steps, Steps, random.Random], Steps], ...] = (
    _spliced,
    _with_part,
    _with_part,
    _without_part,
    _repeated,
    _moved,
    _with_field,
    _with_field,
)


def _bounded(steps: Sequence[Step]) -> Steps:
    """Not too many steps, nor too many that cost much."""
    kept: list[Step] = []
    costly = bulk = 0
    for step in steps[:MOST_STEPS]:
        if isinstance(step, Enqueue) and step.times is not Times.ONCE:
            bulk += 1
            if bulk > MOST_BULK:
                continue
        costs = isinstance(step, Restart | Kill | RestoreStore | Race) or (isinstance(step, Send) and step.fate.kills)
        costly += costs
        if not costs or costly <= MOST_COSTLY:
            kept.append(step)
    return tuple(kept)
