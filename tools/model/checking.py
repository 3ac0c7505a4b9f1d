"""Explores every configuration with all rules in place, then removes the rules one by one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.model import spin
from tools.model.catalogue import CONFIGURATIONS, PROPERTIES, REMOVALS, Configuration, Removal
from tools.model.output import Trace

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Held:
    """A configuration explored to its end with all rules in place."""

    configuration: Configuration
    bounds: tuple[str, ...]
    states: int
    seconds: float
    broken: Trace | None  # what must not be


@dataclass(frozen=True)
class Broken:
    """A removal with the shortest trace that breaks its property; None when nothing broke, which must not be."""

    removal: Removal
    trace: Trace | None


@dataclass(frozen=True)
class Result:
    """Everything that was explored."""

    held: tuple[Held, ...]
    broken: tuple[Broken, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as it must be, one sentence each."""
        return (
            *(
                f"{h.configuration.name}: with all rules in place, {property_named(h.broken.broken)}"
                for h in self.held
                if h.broken
            ),
            *(
                f"{b.removal.configuration} without {b.removal.rule}: {b.removal.breaks} still holds"
                for b in self.broken
                if b.trace is None
            ),
        )


def property_named(number: int) -> str:
    """What is seen when the property with this number is broken, such as `applied twice`."""
    return list(PROPERTIES.values())[number - 1]


def fingerprint(folder: Path) -> str:
    """SHA-256 over the model files, by name."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.pml")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def check(folder: Path, progress: Progress, *, deep: bool = False, only: Iterable[str] = ()) -> Result:
    """Explore and remove, on all processors; raises SpinError and SpinOutputError.

    `only` names rules or configurations; nothing means all.
    """
    wanted = set(only)
    configurations = [c for c in CONFIGURATIONS if not wanted or c.name in wanted]
    removals = [r for r in REMOVALS if not wanted or wanted & {r.rule, r.configuration}]
    folder = folder.resolve()
    by_name = {c.name: c for c in CONFIGURATIONS}

    def explored(configuration: Configuration) -> Held:
        bounds = configuration.deep if deep else configuration.bounds
        began = time.monotonic()
        model = spin.Model(folder / configuration.file, bounds)
        found = spin.explore(model, deep=deep)
        trace = spin.shortest(model)[1] if found.errors else None
        progress(configuration.name)
        return Held(configuration, bounds, found.states, time.monotonic() - began, trace)

    def removed(removal: Removal) -> Broken:
        configuration = by_name[removal.configuration]
        model = spin.Model(folder / configuration.file, configuration.bounds)
        _, trace = spin.shortest(model.but(f"WITHOUT={removal.rule}", f"ONLY={removal.breaks}"))
        progress(f"without {removal.rule}")
        return Broken(removal, trace)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        held = [pool.submit(explored, configuration) for configuration in configurations]
        broken = [pool.submit(removed, removal) for removal in removals]
        return Result(tuple(f.result() for f in held), tuple(f.result() for f in broken))
