"""Markdown, in the few forms the generated pages need, and the links between them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tools.reference.descriptors import Enum, File, Message, Service

PACKAGE = "cartsync.v1"  # the protocol proper; whatever else there is serves tests
PROTOCOL = PurePosixPath("docs/reference/protocol")
REASONS = PurePosixPath("docs/reference/reasons.md")
RPCS = PurePosixPath("docs/reference/rpcs.md")
_CODE = re.compile(r"(?<!\[)`(?P<name>[^`]+)`(?!\])")
_STATES = "APPLIED|REJECTED|DEFERRED|CONFLICT|PURGED"


def page_of(name: str) -> str:
    """File name of the page of a .proto file: `cartsync/conformance/v1/control.proto` -> `conformance-control.md`."""
    parts = name.removesuffix(".proto").split("/")
    return "-".join(part for part in parts if part != "cartsync" and not re.fullmatch(r"v\d+", part)) + ".md"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a cell may run over lines, and a bar in it is text."""
    lines = [_row(columns), "|" + "---|" * len(columns)]
    return [*lines, *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def one_line(text: str) -> str:
    """A comment on one line, its paragraphs set apart by a break."""
    return "<br>".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def tables_in(comment: str) -> tuple[str, list[list[list[str]]]]:
    """The prose of a comment, and its tables: rows of cells, the first row the heading."""
    prose: list[str] = []
    tables: list[list[list[str]]] = []
    inside = False
    for line in comment.split("\n"):
        if not line.startswith("|"):
            prose.append(line)
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            tables.append([])
        inside = True
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            tables[-1].append(cells)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(prose)).strip(), tables


@dataclass(frozen=True)
class Places:
    """Where each name of the protocol is told about: page and anchor, pages relative to the repository."""

    of: Mapping[str, tuple[PurePosixPath, str]]

    @classmethod
    def known(cls, files: Iterable[File], reasons: Iterable[str]) -> Places:
        """The places of all messages, enums, services, calls and reasons; the reasons by their short names."""
        of: dict[str, tuple[PurePosixPath, str]] = {}
        for file in files:
            page = PROTOCOL / page_of(file.name)
            kinds: list[Message | Enum | Service] = [*file.messages, *file.enums, *file.services]
            for kind in kinds:
                anchor = kind.name.lower().replace(".", "")
                of.setdefault(kind.name, (page, anchor))
                of[kind.full_name] = (page, anchor)
            for enum in file.enums:
                of.update({value.name: (page, enum.name.lower()) for value in enum.values})
            for service in file.services:
                of.update({method.name: (RPCS, method.name.lower()) for method in service.methods})
        for reason in reasons:
            of[reason] = of[f"REASON_{reason}"] = (REASONS, reason.lower())
        return cls(of)

    def linked(self, text: str, page: PurePosixPath) -> str:
        """`text` with every name in it a link, as seen from `page`; a name's own section is not linked to twice."""
        return _CODE.sub(lambda found: self.link(found["name"], page), text)

    def link(self, name: str, page: PurePosixPath, shown: str = "") -> str:
        """One name as a link, or as code when nothing is known of it. `Message.field` leads to the message."""
        short = re.sub(rf"^(?:{_STATES}) / ", "", name)
        place = self.of.get(short) or self.of.get(short.partition(".")[0])
        code = f"`{shown or name}`"
        if place is None:
            return code
        target, anchor = place
        where = "" if target == page else os.path.relpath(target, page.parent)
        return f"[{code}]({where}#{anchor})"
