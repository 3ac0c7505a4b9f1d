"""Reads the register out of the spec's chapters: the text is the only place a requirement is written.

A requirement is a list item `- **slug** (LEVEL, profile): sentence`, the sentence running on over indented lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LEVELS = ("MUST", "SHOULD", "MAY")

_ITEM = re.compile(
    r"^- \*\*(?P<slug>[a-z-]+/[a-z0-9-]+)\*\* \((?P<level>[A-Z]+), (?P<profile>[a-z_]+)\): (?P<text>.+)$"
)
_HEADING = re.compile(r"^#+ (?P<heading>.+)$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of the spec under its stable name."""

    slug: str  # "chapter/name", never changes
    level: str  # MUST, SHOULD or MAY
    profile: str
    statement: str
    chapter: str  # file name of the chapter
    heading: str  # nearest heading above it


@dataclass(frozen=True)
class Register:
    """All requirements in the order of the spec."""

    requirements: tuple[Requirement, ...]

    @cached_property
    def by_slug(self) -> dict[str, Requirement]:
        """Requirements by slug."""
        return {requirement.slug: requirement for requirement in self.requirements}

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names of the profiles, in the order they first occur."""
        return tuple(dict.fromkeys(requirement.profile for requirement in self.requirements))

    @property
    def digest(self) -> str:
        """SHA-256 over slugs, levels, profiles and statements, lower-case hexadecimal."""
        text = "\n".join(f"{r.slug}\t{r.level}\t{r.profile}\t{r.statement}" for r in self.requirements)
        return hashlib.sha256(text.encode()).hexdigest()

    def of_profiles(self, profiles: Iterable[str]) -> tuple[Requirement, ...]:
        """The requirements of the named profiles."""
        wanted = set(profiles)
        return tuple(r for r in self.requirements if r.profile in wanted)


def spec_folder() -> Path:
    """The chapters: package data of a wheel, `docs/spec` of a source checkout."""
    packaged = Path(__file__).parent / "spec"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "docs" / "spec"


def load(folder: Path | None = None) -> Register:
    """Read every numbered chapter of `folder`.

    Raises ValueError, naming file and line, for a slug used twice, an unknown level or an item that names a
    requirement but cannot be read.
    """
    requirements: dict[str, Requirement] = {}
    for chapter in sorted((folder or spec_folder()).glob("[0-9]*.md")):
        for line_number, requirement in _read(chapter):
            if requirement.slug in requirements:
                raise ValueError(f"{chapter.name}:{line_number}: {requirement.slug} is named a second time")
            if requirement.level not in LEVELS:
                raise ValueError(f"{chapter.name}:{line_number}: level {requirement.level} is none of {LEVELS}")
            requirements[requirement.slug] = requirement
    return Register(tuple(requirements.values()))


def _read(chapter: Path) -> Iterator[tuple[int, Requirement]]:
    heading = ""
    lines = chapter.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if found := _HEADING.match(line):
            heading = found["heading"]
        if not line.startswith("- **"):
            continue
        item = _ITEM.match(line)
        if item is None:
            raise ValueError(f"{chapter.name}:{index + 1}: not of the form '- **slug** (LEVEL, profile): sentence'")
        sentence = [item["text"]]
        for continuation in lines[index + 1 :]:
            if not continuation.startswith("  "):
                break
            sentence.append(continuation.strip())
        yield (
            index + 1,
            Requirement(item["slug"], item["level"], item["profile"], " ".join(sentence), chapter.name, heading),
        )
