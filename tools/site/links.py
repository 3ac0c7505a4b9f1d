"""Says which links lead nowhere: in the built pages, and in the Markdown as a code host shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from tools.diagrams.stories import DUTY
from tools.site.staging import fenced_lines

_BASE = "http://site.invalid/"
_LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("image", "href")}


class _Page(HTMLParser):
    """The anchors of a page, where it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if tag == "a" and name == "href":
                self.links.append(value)
            if (tag, name) in _LOADS:
                self.loads.append(value)


def broken_links_of_site(site: Path) -> list[str]:
    """One line for each link to a page or anchor that is not there, and for each thing loaded from elsewhere."""
    pages = {page: _Page(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}
    return [problem for page, parsed in pages.items() for problem in _broken(site, pages, page, parsed)]


def _broken(site: Path, pages: dict[Path, _Page], page: Path, parsed: _Page) -> Iterator[str]:
    here = page.relative_to(site).as_posix()
    for load in parsed.loads:
        if urlsplit(load).netloc:
            yield f"{here} loads {load} from the network"
    for link in dict.fromkeys([*parsed.links, *(load for load in parsed.loads if not urlsplit(load).netloc)]):
        parts = urlsplit(urljoin(f"{_BASE}{here}", link))
        if parts.hostname != urlsplit(_BASE).hostname:
            continue
        target = site / unquote(parts.path).lstrip("/")
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            yield f"{here} links to {link}, which is not there"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"{here} links to {link}, but that page has no such anchor"


_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"#{1,6} (?P<text>.+)")
_REQUIREMENT = re.compile(r"- \*\*(?P<slug>[a-z-]+/[a-z0-9-]+)\*\* \(")

_ID = re.compile(r'<[^>]* id="(?P<id>[^"]+)"')


def broken_links_of_markdown(files: Iterable[Path]) -> list[str]:
    """One line for each relative link of `files` to a file or anchor that is not there.

    An anchor is a heading, as code hosts make anchors of headings, an `id`, or the slug of a requirement: that one
    exists in the site only, elsewhere the link leads to the chapter.
    """
    problems: list[str] = []
    anchors: dict[Path, set[str]] = {}
    for file in files:
        for number, (line, fenced) in enumerate(fenced_lines(file.read_text(encoding="utf-8").splitlines()), start=1):
            if fenced:
                continue
            for found in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
                path, _, fragment = found["target"].partition("#")
                if ":" in path:
                    continue
                target = (file.parent / unquote(path)).resolve() if path else file.resolve()
                if not target.exists():
                    problems.append(f"{file}:{number}: {found['target']} is not there")
                elif fragment and target.suffix == ".md":
                    if target not in anchors:
                        anchors[target] = anchors_of_markdown(target.read_text(encoding="utf-8"))
                    if unquote(fragment) not in anchors[target]:
                        problems.append(f"{file}:{number}: {found['target']} is an anchor that is not there")
    return problems


def anchors_of_markdown(text: str) -> set[str]:
    """The anchors that a page of Markdown has."""
    anchors: set[str] = set()
    for line, fenced in fenced_lines(text.splitlines()):
        if fenced:
            continue
        anchors |= {found["id"] for found in _ID.finditer(line)}
        if found := _REQUIREMENT.match(line) or DUTY.match(line):
            anchors.add(found["slug"])
        if found := _HEADING.match(line):
            words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found["text"]).strip().lower())
            anchors.add(_unused(words.replace(" ", "-"), anchors))
    return anchors


def _unused(anchor: str, taken: set[str]) -> str:
    if anchor not in taken:
        return anchor
    return next(f"{anchor}-{number}" for number in range(1, len(taken) + 2) if f"{anchor}-{number}" not in taken)
