"""The stories that implementers get wrong: read from `docs/diagrams`, told on one page with a picture each."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from conformance.requirements import Register
from tools.diagrams.faults import DiagramError
from tools.diagrams.sequences import drawn

PAGE = PurePosixPath("docs/spec/stories.md")
PICTURES = PurePosixPath("docs/images/diagrams")
_KEYS = {"title", "happens", "wrong", "decided_by", "lanes", "steps"}
DUTY = re.compile(r"^\| `(?P<slug>client/[a-z-]+)` \| (?P<says>[^|]+) \|")


@dataclass(frozen=True, slots=True)
class Duty:
    """Something a client does so that the whole is exactly once. It is no requirement, but it has a name."""

    slug: str
    chapter: str  # file name
    says: str


@dataclass(frozen=True, slots=True)
class Story:
    """One story, as its file has it."""

    name: str  # of the file, without number and suffix
    title: str
    happens: str
    wrong: tuple[str, ...]
    decided_by: tuple[str, ...]  # slugs of requirements, then of client duties
    lanes: Mapping[str, str]
    steps: tuple[str, ...]

    @property
    def picture(self) -> PurePosixPath:
        """Where its picture is, from the repository."""
        return PICTURES / f"story-{self.name}.svg"


def read_stories(folder: Path) -> tuple[Story, ...]:
    """The stories in the order of their files; DiagramError names the file and what is missing in it."""
    return tuple(_story(path) for path in sorted(folder.glob("story-*.toml")))


def _story(path: Path) -> Story:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DiagramError(f"{path}: {error}") from error
    if set(told) != _KEYS:
        raise DiagramError(f"{path}: has {', '.join(sorted(told))}; a story has {', '.join(sorted(_KEYS))}")
    return Story(
        re.sub(r"^story-\d+-", "", path.stem),
        told["title"],
        " ".join(told["happens"].split()),
        tuple(told["wrong"]),
        tuple(told["decided_by"]),
        told["lanes"],
        tuple(told["steps"]),
    )


def duties(spec: Path) -> dict[str, Duty]:
    """The named duties of a client by their slugs: rows `| `client/name` | what it says | …` of a table."""
    return {
        found["slug"]: Duty(found["slug"], chapter.name, found["says"])
        for chapter in sorted(spec.glob("[0-9]*.md"))
        for line in chapter.read_text(encoding="utf-8").splitlines()
        if (found := DUTY.match(line))
    }


def story_pictures(stories: Sequence[Story]) -> dict[str, str]:
    """The picture of each story by its path from the repository."""
    return {str(story.picture): drawn(story.title, story.happens, story.lanes, story.steps) for story in stories}


def story_page(stories: Sequence[Story], chapters: Mapping[str, str]) -> str:
    """The page. `chapters` has the chapter of each slug; DiagramError names a slug that is not among them."""
    lines = [
        "# Stories",
        "",
        f"Informative. {_count(len(stories)).capitalize()} stories that implementers get wrong: what happens, what",
        "goes wrong there, and which requirements and duties decide it. Time runs downwards; a crossed line is",
        "lost on its way.",
        "",
        "Generated from `docs/diagrams` by `make docs`.",
        "",
    ]
    for number, story in enumerate(stories, start=1):
        picture = os.path.relpath(story.picture, PAGE.parent)
        lines += [f"## {number} {story.title}", "", story.happens, "", f"![{story.title}]({picture})", ""]
        lines += ["What goes wrong:", "", *(f"- {wrong}" for wrong in story.wrong), ""]
        lines += [f"Decided by {', '.join(_link(story, slug, chapters) for slug in story.decided_by)}.", ""]
    return "\n".join(lines)


def _link(story: Story, slug: str, chapters: Mapping[str, str]) -> str:
    if slug not in chapters:
        raise DiagramError(f"the story {story.name!r} is decided by {slug}, which is no requirement and no client duty")
    return f"[{slug}]({chapters[slug]}#{slug})"


def _count(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[number] if number < len(words) else str(number)


def chapters_of(register: Register, spec: Path) -> dict[str, str]:
    """File name of the chapter of every requirement and every client duty, by slug."""
    chapters = {requirement.slug: requirement.chapter for requirement in register.requirements}
    return chapters | {duty.slug: duty.chapter for duty in duties(spec).values()}
