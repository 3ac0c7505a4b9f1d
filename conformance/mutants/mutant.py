"""What a mutant is: a name, what it does wrong, what that breaks, and the one part that makes it so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reference_server.assembly import REFERENCE, OpenStore, Parts
from reference_server.engine.cart_rules import CartRules
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.storage import Retention
from reference_server.storage.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Mutant:
    """A server that is wrong in one way.

    A run of the suite catches it when a violation names one of `breaks`; the first is what it is about, the others
    are consequences under which it may rightly be found first.
    """

    name: str  # kebab-case
    does: str  # one sentence on what it does wrong
    breaks: tuple[str, ...]  # slugs of requirements
    part: str  # the field of `Parts` that is exchanged
    by: Any  # what stands there instead

    def parts(self) -> Parts:
        """The parts of the reference server, this one exchanged."""
        return replace(REFERENCE, **{self.part: self.by})


def judged_by(rules: type[CartRules]) -> Callable[[Policy], Decider]:
    """A decider with these cart rules."""
    return lambda policy: Decider(policy, rules(policy))


def stored_in(kind: type[SqliteStore], retention: Callable[[Policy], Retention] | None = None) -> OpenStore:
    """An opener of stores of this kind; `retention` in place of what the policy promises."""

    def open_store(address: str, policy: Policy, *, keep_effects: bool = False) -> SqliteStore:
        place = address.removeprefix("sqlite:")
        kept = retention(policy) if retention else Retention(policy.outcome_retention, policy.queue_retention)
        return kind(None if place == ":memory:" else Path(place), kept, keep_effects=keep_effects)

    return open_store


def moved(steps: tuple[str, ...], step: str, before: str) -> tuple[str, ...]:
    """The steps with one of them asked right before another one."""
    rest = [name for name in steps if name != step]
    index = rest.index(before)
    return (*rest[:index], step, *rest[index:])
