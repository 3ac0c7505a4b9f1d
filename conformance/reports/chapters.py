"""Where in the spec a requirement stands: reading the `chapter` text, and grouping by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cartsync.conformance.v1 import report_pb2

# "03-deciding.md, 3.1 Decided already" with any punctuation between file and heading.
_FILE_AND_HEADING = re.compile(r"^(?P<file>\S+?\.md)\b[\s#,;:>·—–-]*(?P<heading>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A file of the spec and a heading in it; either may be empty."""

    file_name: str
    heading: str

    @property
    def title(self) -> str:
        """The heading, or the file where there is none."""
        return self.heading or self.file_name or "Requirements"

    @property
    def stem(self) -> str:
        """The file without folder and ending, for example `03-deciding`; the heading where there is no file."""
        name = self.file_name.rpartition("/")[2].removesuffix(".md") or self.heading
        return name.replace(".", "-")


def place_of(chapter: str) -> Place:
    """Read `RequirementResult.chapter`. A text that names no file is all heading."""
    found = _FILE_AND_HEADING.match(chapter.strip())
    return Place(found["file"], found["heading"].strip()) if found else Place("", chapter.strip())


def by_place(
    requirements: Sequence[report_pb2.RequirementResult],
) -> list[tuple[Place, list[report_pb2.RequirementResult]]]:
    """Requirements under their headings, in the order given."""
    return [
        (place_of(chapter), list(group))
        for chapter, group in groupby(requirements, key=lambda requirement: requirement.chapter)
    ]
