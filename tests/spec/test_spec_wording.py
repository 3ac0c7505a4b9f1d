"""The chapters say MUST only where they are held to it, and every hard question has an answer that can be looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.requirements import load
from conformance.requirements.register import Requirement, spec_folder

KEYWORDS = re.compile(r"\b(MUST|SHOULD|MAY|SHALL|REQUIRED|RECOMMENDED|OPTIONAL)\b")
SLUG = re.compile(r"`([a-z-]+/[a-z0-9-]+)`")
QUESTIONS = """
key comes again after its record was pruned|same key with another payload|Another key at a sequence|gap|
duplicate behind the watermark|cloned queue|queue restored from a backup|server restored from a backup|
Two queues, one key|clock wrong by years|clock that steps back mid-queue|after the price rose|after the price fell|
after the product was unlisted|Stock gone between two attempts|coupon that expired between two attempts|
removal against a concurrent add|set against a concurrent set|checked out while the device was offline|
Part of a batch|poison operation|crash between commit and answer|Two live streams of one queue|
stream cut during half-close|unknown intent|unknown field|unknown reason|credential that expires mid-drain|
Rate-limited for ever|Cancelling an operation that is in doubt|account was switched on a shared device|
claimed while an answer is lost
"""
CHAPTERS = sorted(spec_folder().glob("[0-9]*.md"))


def prose(chapter: Path) -> Iterator[str]:
    """The lines of a chapter that belong to no requirement, without what stands in backticks."""
    in_item = False
    for line in chapter.read_text(encoding="utf-8").splitlines():
        in_item = line.startswith("- **") or (in_item and line.startswith("  "))
        if not in_item:
            yield re.sub(r"`[^`]*`", "", line)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_words_of_rfc_2119_stand_in_requirements_only(chapter: Path) -> None:
    assert [line for line in prose(chapter) if KEYWORDS.search(line)] == []


@pytest.mark.parametrize("requirement", load().requirements, ids=lambda requirement: requirement.slug)
def test_a_requirement_is_one_sentence_with_the_word_of_its_level(requirement: Requirement) -> None:
    statement, level = requirement.statement, requirement.level
    assert re.search(rf"\b{level}\b", statement), statement
    assert statement.endswith("."), statement
    assert not re.search(r"[.] [A-Z]", statement), statement


@pytest.mark.parametrize("question", [part.strip() for part in QUESTIONS.split("|")])
def test_a_hard_question_has_an_answer_with_requirements_that_exist(question: str) -> None:
    rows = (spec_folder() / "18-hard-questions.md").read_text(encoding="utf-8").splitlines()
    answers = [row for row in rows if row.startswith("|") and question in row.split("|")[1]]
    assert len(answers) >= 1, question
    for answer in answers:
        named = SLUG.findall(answer)
        assert named, answer
        assert set(named) <= set(load().by_slug), answer
