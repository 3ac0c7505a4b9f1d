"""Making a failing plan smaller: fewer steps first, then plainer ones, as long as it fails and time is left.

Any part of a plan is a plan, so steps are left out in ever smaller runs; then fields are put back to their defaults
and numbers down. A smaller plan that fails for another requirement is as welcome: the smallest story tells best.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from conformance.oracle import Refutation
from conformance.plans.steps import Plan, Product, Step

Player = Callable[[Plan], "Refutation | None"]
"""Plays one plan; gives what it found wrong, or None."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A plan that was seen to fail, and how."""

    plan: Plan
    refutation: Refutation


def shrink(failure: Failure, player: Player, *, end: float, monotonic: Callable[[], float] = time.monotonic) -> Failure:
    """The smallest failure found until `end` (by `monotonic`). What the player raises ends it with what there is."""
    tried = {failure.plan}
    smallest = failure

    def improves(candidates: Iterator[Plan]) -> bool:
        """Whether one of the candidates fails too; that one is now the smallest."""
        nonlocal smallest
        for plan in candidates:
            if plan in tried:
                continue
            tried.add(plan)
            if monotonic() > end:
                raise _TimeIsUpError
            refutation = player(plan)
            if refutation is not None:
                smallest = Failure(plan, refutation)
                return True
        return False

    with contextlib.suppress(Exception):  # out of time, or a server that died of a plan and has made its point
        progress = True
        while progress:
            progress = False
            size = max(1, len(smallest.plan.steps) // 2)
            while size:
                if improves(_without_some(smallest.plan, size)):
                    progress = True
                else:
                    size //= 2
            while improves(_plainer_plans(smallest.plan)):
                progress = True
    return smallest


class _TimeIsUpError(Exception):
    """No time is left."""


def _without_some(plan: Plan, size: int) -> Iterator[Plan]:
    """The plan without so many steps in a row, the last ones first."""
    end = len(plan.steps)
    while end > 0:
        start = max(0, end - size)
        yield replace(plan, steps=plan.steps[:start] + plan.steps[end:])
        end = start


def _plainer_plans(plan: Plan) -> Iterator[Plan]:
    for index, step in enumerate(plan.steps):
        for plainer in _plainer(step):
            yield replace(plan, steps=(*plan.steps[:index], plainer, *plan.steps[index + 1 :]))
    for index, product in enumerate(plan.products):
        plain = Product(product.sku, product.price)
        if plain != product:
            yield replace(plan, products=(*plan.products[:index], plain, *plan.products[index + 1 :]))


def _plainer(step: Step) -> Iterator[Step]:
    """The step with one field at its default, or one number nearer to it."""
    for field in dataclasses.fields(step):
        value = getattr(step, field.name)
        if field.default is not dataclasses.MISSING and value != field.default:
            yield _with(step, field.name, field.default)
        elif isinstance(value, int) and not isinstance(value, bool) and value > 1:
            yield _with(step, field.name, value // 2)


def _with(step: Step, name: str, value: object) -> Step:
    changed: Step = replace(cast("Any", step), **{name: value})
    return changed
