"""What of a released contract is no longer kept. Pure.

Within a major version everything may grow and nothing may be taken back:

| released                        | may                                  | may not                                |
|---------------------------------|--------------------------------------|----------------------------------------|
| a custom option (reason policy) | be joined by others                  | change or vanish                       |
| a requirement                   | be put in better words, become softer | vanish, become harder, change profile  |
| a worked example                | be titled and explained better       | vanish, or change in what is on the wire |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.requirements.editions import major_of
from conformance.requirements.register import LEVELS
from tools.release.contract import Contract


@dataclass(frozen=True, slots=True)
class Breach:
    """One promise of a released edition that the present tree does not keep."""

    edition: str
    what: str  # names what changed, from what to what
    way_out: str  # what to do instead

    def __str__(self) -> str:
        return f"{self.edition} promised otherwise: {self.what}\n    {self.way_out}"


def breaches(released: Contract, present: Contract) -> list[Breach]:
    """Every promise of `released` that `present` breaks; none at all across major versions."""
    if major_of(released.edition) != major_of(present.edition):
        return []
    found = (*_options(released, present), *_requirements(released, present), *_vectors(released, present))
    return [Breach(released.edition, what, way_out) for what, way_out in found]


def notes(released: Contract, present: Contract) -> list[str]:
    """What is allowed and yet worth a look: sentences put otherwise, levels made softer."""
    now = {requirement.slug: requirement for requirement in present.requirements}
    told = []
    for before in released.requirements:
        after = now.get(before.slug)
        if after is None:
            continue
        if _rank(after.level) < _rank(before.level):
            told.append(f"requirement {before.slug} was {before.level} and is {after.level}")
        if after.statement != before.statement:
            told.append(f"requirement {before.slug} is put otherwise than in {released.edition}")
    return told


def _options(released: Contract, present: Contract) -> Iterator[tuple[str, str]]:
    for element, options in released.options.items():
        short = element.rpartition(".")[2]
        for option, value in options.items():
            now = present.options.get(element, {}).get(option)
            name = option.rpartition(".")[2]
            if now is None:
                yield (
                    f"{short} has no {name} any more; it was {_told(value)}",
                    f"put {element} back with its option: clients of {released.edition} act by it",
                )
            elif not _kept(value, now):
                yield (
                    f"{name} of {short} was {_told(value)} and is {_told(now)}",
                    f"put it back, and add a new value beside {element} for the new meaning",
                )


def _kept(before: Any, after: Any) -> bool:
    """Whether all that was said is still said; a message option may say more."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(key in after and _kept(value, after[key]) for key, value in before.items())
    return bool(before == after)


def _requirements(released: Contract, present: Contract) -> Iterator[tuple[str, str]]:
    now = {requirement.slug: requirement for requirement in present.requirements}
    for before in released.requirements:
        after = now.get(before.slug)
        if after is None:
            yield (
                f"requirement {before.slug} is gone from the spec",
                f"put its sentence back into docs/spec/{before.chapter}: a requirement leaves with a major version",
            )
            continue
        if _rank(after.level) > _rank(before.level):
            yield (
                f"requirement {before.slug} was {before.level} and is {after.level}",
                f"keep {before.level}, and write the harder sentence under a slug of its own: it counts from the next "
                "edition on",
            )
        if after.profile != before.profile:
            yield (
                f"requirement {before.slug} was of profile {before.profile} and is of {after.profile}",
                f"keep it in {before.profile}, and write the other profile's sentence under a slug of its own",
            )


def _vectors(released: Contract, present: Contract) -> Iterator[tuple[str, str]]:
    for name, digest in released.vectors.items():
        now = present.vectors.get(name)
        if now is None:
            yield (
                f"worked example {name} is gone",
                f"take docs/spec/vectors/{name}.json from {released.edition} again: implementers test against it",
            )
        elif now != digest:
            yield (
                f"worked example {name} is another one on the wire (digest {digest[:12]}… became {now[:12]}…)",
                f"take docs/spec/vectors/{name}.json from {released.edition} again; new bytes make a new example",
            )


def _rank(level: str) -> int:
    """The harder, the higher."""
    return -LEVELS.index(level)


def _told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else str(value)
