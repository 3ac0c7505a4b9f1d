"""Why the spec calls for a requirement, in the spec's own words.

The rationale ends its paragraphs with the requirements that they are the reason for ("Hence `deciding/…`, `claim/…`.").
Of a requirement that none of them names, the paragraph of its own section that has most words in common with it says
why; of a section without prose, that of the chapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from conformance.requirements.register import Requirement, load, spec_folder

_HENCE = re.compile(r"\s*\bHence (?P<slugs>`[a-z-]+/[a-z0-9-]+`(?:,\s+`[a-z-]+/[a-z0-9-]+`)*)\.$")
_TITLE = re.compile(r"^\*\*(?P<title>[^*]+)\*\*\s*")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([^*\n]+?)\*{1,2}(?![\w*])")
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`\"])")
_WORD = re.compile(r"[a-z]{4,}")


def reason_for(slug: str) -> str:
    """The reason for a requirement: one paragraph, with words of the protocol in back-ticks; empty if unknown."""
    return _reasons().get(slug, "")


def in_short(reason: str, length: int = 260) -> str:
    """The first sentences of a reason, as many as fit into so many characters, and one at least."""
    kept = ""
    for sentence in _SENTENCE.split(reason):
        if kept and len(kept) + 1 + len(sentence) > length:
            break
        kept = f"{kept} {sentence}".strip()
    return kept


@cache
def _reasons() -> Mapping[str, str]:
    return reasons(spec_folder())


def reasons(folder: Path) -> dict[str, str]:
    """The reason for every requirement of the chapters in `folder`, by slug.

    Raises ValueError, naming it, for a slug in the rationale that is no requirement or is named there twice.
    """
    register = load(folder)
    found = _of_the_rationale((folder / "rationale.md").read_text(encoding="utf-8"))
    unknown = sorted(set(found) - set(register.by_slug))
    if unknown:
        raise ValueError(f"rationale.md gives a reason for {unknown[0]}, which no chapter has")
    for requirement in register.requirements:
        if requirement.slug not in found:
            found[requirement.slug] = _nearest(requirement, (folder / requirement.chapter).read_text(encoding="utf-8"))
    return found


def _of_the_rationale(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for paragraph in _paragraphs(text):
        hence = _HENCE.search(paragraph)
        if hence is None:
            continue
        title = _TITLE.match(paragraph)
        body = paragraph[title.end() if title else 0 : hence.start()]
        for slug in re.findall(r"`([^`]+)`", hence["slugs"]):
            if slug in found:
                raise ValueError(f"rationale.md gives two reasons for {slug}")
            found[slug] = _plain(f"{title['title']} {body}" if title else body)
    return found


def _nearest(requirement: Requirement, chapter: str) -> str:
    """The paragraph of the requirement's section, or else of the chapter's beginning, that says most about it."""
    sections = list(_sections(chapter))
    own = next((prose for heading, prose in sections if heading == requirement.heading and prose), ())
    beginning = next((prose for _, prose in sections if prose), ())
    candidates = [*own, *(paragraph for paragraph in beginning if paragraph not in own)]
    wanted = _words(requirement.statement)

    def likeness(paragraph: str) -> float:
        words = _words(paragraph)
        return len(words & wanted) / (8 + len(words))  # a long paragraph has something of everything

    return _plain(max(candidates, key=likeness, default=""))


def _sections(chapter: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Each heading with the paragraphs of prose below it."""
    heading, prose = "", list[str]()
    for paragraph in _paragraphs(chapter):
        if paragraph.startswith("#"):
            yield heading, tuple(prose)
            heading, prose = paragraph.lstrip("# "), []
        elif not re.match(r"- |\||```|\d+\. |<", paragraph) and not paragraph.endswith(":"):
            prose.append(paragraph)
    yield heading, tuple(prose)


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text):
        yield " ".join(block.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(word[:7] for word in _WORD.findall(text.lower()) if word not in _COMMON)


_COMMON = frozenset(
    (
        "must",
        "server",
        "with",
        "that",
        "which",
        "what",
        "when",
        "from",
        "this",
        "there",
        "other",
        "than",
        "each",
        "they",
    )
)


def _plain(markdown: str) -> str:
    """Text without links and emphasis; code stays in its back-ticks."""
    text = _LINK.sub(r"\1", " ".join(markdown.split()))
    text = re.sub(r"^Profile `[a-z_]+`\. ", "", text)
    return _EMPHASIS.sub(r"\1", text).strip()
