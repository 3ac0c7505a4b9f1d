"""Copies the pages of `docs` to where the site is rendered from, and adds what only the site can have.

- Each requirement, and each named duty of a client, gets an anchor that is its slug; each mention of it becomes a link.
  So does each mention of a reason.
- A link that leaves `docs` leads to what stands for its target in the site: the reference page of a .proto file, a
  copy of any other file. A folder has nothing that stands for it; its link becomes text.
- The navigation is what is there: guides, chapters and generated pages, in the order of their file names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.requirements import Register
from tools.diagrams.stories import DUTY as _DUTY
from tools.diagrams.stories import chapters_of
from tools.reference.markdown import page_of
from tools.reference.reason_page import reason_names

HERE = Path(__file__).parent
_COPIED_PAGES = {"CHANGELOG.md": "project/changelog.md", "CONTRIBUTING.md": "project/contributing.md"}
_STANDS_FOR = {"README.md": "index.md", "docs/README.md": "index.md", **_COPIED_PAGES}
_ITEM = re.compile(r"^- \*\*(?P<slug>[a-z-]+/[a-z0-9-]+)\*\* \((?P<level>[A-Z]+), (?P<profile>[a-z_]+)\): ")
_LINK = re.compile(r"(?P<bang>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_MENTION = re.compile(r"(?<!\[)`(?P<slug>[a-z-]+/[a-z0-9-]+)`(?!\])")
_REASON = re.compile(r"(?<!\[)`(?P<state>(?:REJECTED|DEFERRED|CONFLICT|PURGED) / )?(?P<name>[A-Z][A-Z_]+)`(?!\])")
# These are status codes too: only beside a state they are reasons.
_CODES = frozenset({"INTERNAL"})


class StagingError(Exception):
    """A page cannot be put into the site; the message names it and what is in the way."""


def stage(root: Path, source: Path, register: Register) -> Path:
    """Write pages, files and the configuration below `source`; the path of the configuration.

    Nothing may be at `source` yet.
    """
    docs = source / "docs"
    shutil.copytree(root / "docs", docs)
    shutil.rmtree(docs / "diagrams", ignore_errors=True)
    shutil.copytree(HERE / "assets", docs / "assets")
    chapters = chapters_of(register, root / "docs" / "spec")
    origins = {docs / page.relative_to(root / "docs"): page for page in (root / "docs").rglob("*.md")}
    for name, place in _COPIED_PAGES.items():
        if (root / name).is_file():
            (docs / place).parent.mkdir(exist_ok=True)
            shutil.copy(root / name, docs / place)
            origins[docs / place] = root / name
    for page, origin in origins.items():
        here = _Page(root, docs, page, origin, chapters)
        page.write_text(here.staged(), encoding="utf-8")
    config = source / "zensical.toml"
    config.write_text(
        (HERE / "zensical.toml").read_text(encoding="utf-8").replace('"NAVIGATION"', _toml(navigation(docs))),
        encoding="utf-8",
    )
    return config


class _Page:
    """One page on its way from `origin` in the repository to `page` below the staged `docs`."""

    def __init__(self, root: Path, docs: Path, page: Path, origin: Path, chapters: Mapping[str, str]) -> None:
        self.root, self.docs, self.page, self.origin, self.chapters = root, docs, page, origin, chapters

    def staged(self) -> str:
        text = self.origin.read_text(encoding="utf-8")
        return "".join(
            line if fenced else self._line(line) for line, fenced in fenced_lines(text.splitlines(keepends=True))
        )

    def _line(self, line: str) -> str:
        line = _ITEM.sub(_anchored, line)
        line = _DUTY.sub(r'| <a class="requirement" id="\g<slug>" href="#\g<slug>">\g<slug></a> | \g<says> |', line)
        line = _LINK.sub(self._link, line)
        return _REASON.sub(self._reason, _MENTION.sub(self._mention, line))

    def _reason(self, found: re.Match[str]) -> str:
        name = found["name"]
        page = self.docs / "reference" / "reasons.md"
        if name not in reason_names() or (name in _CODES and not found["state"]) or self.page == page:
            return found[0]
        return f"[{found[0]}]({self._relative(page)}#{name.lower()})"

    def _mention(self, found: re.Match[str]) -> str:
        slug = found["slug"]
        if slug not in self.chapters:
            return found[0]
        return f"[{found[0]}]({self._relative(self.docs / 'spec' / self.chapters[slug])}#{slug})"

    def _link(self, found: re.Match[str]) -> str:
        path, _, fragment = found["target"].partition("#")
        if not path or ":" in path:
            return found[0]
        target = Path(os.path.normpath(self.origin.parent / path))
        place = self._place(target)
        if place is None:
            return found["text"]
        link = self._relative(place) + (f"#{fragment}" if fragment else "")
        return f"{found['bang']}[{found['text']}]({link})"

    def _place(self, target: Path) -> Path | None:
        """Where in the staged docs `target` of the repository is to be found; None when nowhere."""
        root, docs = self.root, self.docs
        if target.is_relative_to(root / "docs") and not target.exists():
            return docs / target.relative_to(root / "docs")  # the check of links tells
        if not target.is_relative_to(root) or not target.exists():
            raise StagingError(f"{self.origin.relative_to(root)} links to {target}, which is not there")
        inside = target.relative_to(root).as_posix()
        if inside in _STANDS_FOR:
            return docs / _STANDS_FOR[inside]
        if target.is_relative_to(root / "docs"):
            place = docs / target.relative_to(root / "docs")
            if target.is_dir():
                return place / "README.md" if (target / "README.md").exists() else None
            return place
        reference = docs / "reference" / "protocol"
        if inside == "proto" or (inside.startswith("proto/") and target.is_dir()):
            return reference / "README.md"
        if target.suffix == ".proto":
            return reference / page_of(Path(inside).relative_to("proto").as_posix())
        if target.is_dir() or target.suffix == ".md":  # a page of the repository, whose links lead elsewhere
            return None
        copy = docs / "files" / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target, copy)
        return copy

    def _relative(self, place: Path) -> str:
        return os.path.relpath(place, self.page.parent)


def fenced_lines(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a code block: fenced, or indented behind an empty line."""
    fence = ""
    empty_before, indented, in_list = True, False, False
    for line in lines:
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if fence:
            yield line, True
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            continue
        if mark:
            fence = mark[1]
            yield line, True
            continue
        if line.strip() and not line.startswith(" "):
            in_list = bool(re.match(r"([-*+]|\d+\.) ", line))
        indented = not in_list and line.startswith("    ") and (empty_before or indented)
        yield line, indented
        empty_before = not line.strip()


def title_of(page: Path) -> str:
    """The first heading of a page, without its mark-up; the file name when it has none."""
    for line, fenced in fenced_lines(page.read_text(encoding="utf-8").splitlines()):
        if not fenced and line.startswith("# "):
            return line.removeprefix("# ").replace("`", "").strip()
    return page.stem


def navigation(docs: Path) -> list[object]:
    """The navigation tree: tabs for guides, specification, reference and project, each with what its folder holds."""
    tree: list[object] = [{"Home": "index.md"}]
    for tab, folder in (
        ("Guides", "guides"),
        ("Specification", "spec"),
        ("Reference", "reference"),
        ("Project", "project"),
    ):
        if (docs / folder).is_dir():
            tree.append({tab: _entries(docs, docs / folder)})
    return tree


def _entries(docs: Path, folder: Path) -> list[object]:
    """What a folder holds, in the order its README.md links to it; what that does not name follows by name."""
    index = folder / "README.md"
    text = index.read_text(encoding="utf-8") if index.exists() else ""
    linked = [found["target"].partition("#")[0] for found in _LINK.finditer(text)]

    def place(path: Path) -> tuple[bool, int, str]:
        name = f"{path.name}/README.md" if path.is_dir() else path.name
        return path != index, linked.index(name) if name in linked else len(linked), path.name

    entries: list[object] = []
    for path in sorted(folder.iterdir(), key=place):
        relative = path.relative_to(docs).as_posix()
        if path.is_dir() and any(path.rglob("*.md")):
            readme = path / "README.md"
            title = title_of(readme) if readme.exists() else path.name.capitalize()
            entries.append({title: _entries(docs, path)})
        elif path.suffix == ".md":
            entries.append(relative if path == index else {title_of(path): relative})
    return entries


def _anchored(found: re.Match[str]) -> str:
    slug, level, profile = found["slug"], found["level"], found["profile"]
    return (
        f'- <a class="requirement" id="{slug}" href="#{slug}">{slug}</a> '
        f'<span class="level level-{level.lower()}">{level} · {profile}</span> '
    )


def _toml(value: object) -> str:
    """A list, dict or string as inline TOML; JSON strings are TOML strings."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)
