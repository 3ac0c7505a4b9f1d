"""Every requirement has a reason, and it is in the spec."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.explaining.reasons import in_short, reason_for, reasons
from conformance.requirements import load
from conformance.requirements.register import spec_folder

CHAPTER = """# 1 Carts

Profile `core`. A cart *belongs* to somebody, see [there](x.md).

## 1.1 Lines

| a | table |
|---|---|

Lines count what was put in.

Totals are made of money and must be whole.

- **cart/lines** (MUST, core): A server MUST count the lines of what was put in.
- **cart/totals** (MUST, core): A server MUST give totals of whole money.

## 1.2 Nothing to say

- **cart/other** (MUST, core): A server MUST do as told.
"""


def spec(folder: Path, rationale: str) -> Path:
    (folder / "01-carts.md").write_text(CHAPTER)
    (folder / "rationale.md").write_text(rationale)
    return folder


def test_every_requirement_has_a_reason_of_a_paragraph_without_links() -> None:
    for requirement in load().requirements:
        reason = reason_for(requirement.slug)
        assert 40 < len(reason) < 900, requirement.slug
        assert "](" not in reason
        assert "**" not in reason


def test_a_reason_stands_in_the_spec_word_for_word() -> None:
    text = " ".join("".join(path.read_text() for path in sorted(spec_folder().glob("*.md"))).split())
    plain = text.replace("*", "")
    for slug in ("effects/exactly-once", "durability/atomic-commit", "claim/guest-closed", "compat/unknown-fields"):
        assert in_short(reason_for(slug), 60) in plain


def test_a_paragraph_of_the_rationale_that_names_a_requirement_is_its_reason(tmp_path: Path) -> None:
    folder = spec(tmp_path, "# Why\n\n**Lines are few.** They must\nbe [read](x). Hence `cart/lines`,\n`cart/other`.\n")
    assert reasons(folder)["cart/lines"] == "Lines are few. They must be read."
    assert reasons(folder)["cart/other"] == "Lines are few. They must be read."


def test_without_one_the_likest_paragraph_of_the_section_is_the_reason_and_without_prose_that_of_the_chapter(
    tmp_path: Path,
) -> None:
    found = reasons(spec(tmp_path, "# Why\n"))
    assert found["cart/lines"] == "Lines count what was put in."
    assert found["cart/totals"] == "Totals are made of money and must be whole."
    assert found["cart/other"] == "A cart belongs to somebody, see there."


@pytest.mark.parametrize(
    ("rationale", "problem"),
    [
        ("It is so. Hence `cart/gone`.", "rationale.md gives a reason for cart/gone, which no chapter has"),
        ("One. Hence `cart/lines`.\n\nTwo. Hence `cart/lines`.", "rationale.md gives two reasons for cart/lines"),
    ],
)
def test_a_rationale_that_names_what_is_not_there_or_twice_is_refused(
    tmp_path: Path, rationale: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        reasons(spec(tmp_path, rationale))


def test_nobody_has_a_reason_for_an_unknown_requirement() -> None:
    assert reason_for("cart/no-such-thing") == ""


@given(st.lists(st.text("abc ", min_size=1, max_size=40).map(str.strip).filter(bool), min_size=1, max_size=8))
def test_in_short_is_whole_sentences_from_the_beginning(words: list[str]) -> None:
    sentences = [f"A{word}." for word in (" ".join(each.split()) for each in words)]
    reason = " ".join(sentences)
    short = in_short(reason, 50)
    assert reason.startswith(short)
    assert short.endswith(".")
    assert len(short) <= 50 or short == sentences[0]
