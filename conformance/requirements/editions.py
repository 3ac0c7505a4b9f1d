"""Editions of the spec: the requirements that a released one consists of, and how editions are named and ordered.

A released edition is frozen in its contract, `compat/EDITION/contract.json`. The edition of this suite may be a working
copy that is not released yet: its requirements are those that stand in the chapters.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from conformance import SPEC_VERSION
from conformance.requirements.register import Register, Requirement, load

_NAME = re.compile(r"(?P<major>[1-9][0-9]*)\.(?P<minor>[0-9]+)(?:-draft\.(?P<draft>[1-9][0-9]*))?")
_NO_DRAFT = 1 << 31  # 1.0 comes after every 1.0-draft.N


@dataclass(frozen=True, slots=True)
class Edition:
    """The set of requirements that a server is judged by."""

    name: str
    released: bool  # frozen for good; otherwise the working copy
    register: Register

    def later(self, present: Register) -> Register:
        """What `present` has beyond it."""
        return Register(tuple(r for r in present.requirements if r.slug not in self.register.by_slug))


class UnknownEditionError(ValueError):
    """There is no edition of this name; the message names those that there are."""


def editions_folder() -> Path:
    """The released contracts: package data of a wheel, `compat` of a source checkout."""
    packaged = Path(__file__).parent / "released"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "compat"


def order_of(name: str) -> tuple[int, int, int]:
    """The place of an edition among others; raises ValueError for what is no name of an edition."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no edition: it is named like 1.0, 1.2 or 1.0-draft.3")
    return int(found["major"]), int(found["minor"]), int(found["draft"] or _NO_DRAFT)


def major_of(name: str) -> int:
    """The major version of an edition, within which nothing is taken back."""
    return order_of(name)[0]


def released_editions(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the released editions, oldest first."""
    contracts = (folder or editions_folder()).glob("*/contract.json")
    return tuple(sorted((path.parent.name for path in contracts if _NAME.fullmatch(path.parent.name)), key=order_of))


def known_editions(folder: Path | None = None) -> tuple[str, ...]:
    """Names of all editions that a server can be judged by, oldest first, the present one last."""
    return tuple(sorted({*released_editions(folder), SPEC_VERSION}, key=order_of))


def present_edition(register: Register) -> Edition:
    """The edition of this suite, with the requirements of `register`."""
    return Edition(SPEC_VERSION, SPEC_VERSION in released_editions(), register)


def load_edition(name: str, folder: Path | None = None) -> Edition:
    """An edition by its name; that of the suite as it stands in the chapters until it is released.

    Raises UnknownEditionError for an unknown name, ValueError for a contract or a chapter that cannot be read.
    """
    if name in released_editions(folder):
        return Edition(name, True, _frozen((folder or editions_folder()) / name / "contract.json"))
    if name == SPEC_VERSION:
        return Edition(name, False, load())
    known = ", ".join(known_editions(folder))
    raise UnknownEditionError(f"edition {name!r} is unknown; the editions of this suite are {known}")


def first_editions(folder: Path | None = None) -> dict[str, str]:
    """The first released edition of each requirement that is in one."""
    first: dict[str, str] = {}
    for name in released_editions(folder):
        for slug in load_edition(name, folder).register.by_slug:
            first.setdefault(slug, name)
    return first


def _frozen(contract: Path) -> Register:
    try:
        entries = json.loads(contract.read_text(encoding="utf-8"))["requirements"]
        return Register(tuple(Requirement(**entry) for entry in entries))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{contract} is no contract ({error}); install the suite again") from error
