"""The register of requirements is what the chapters of the spec say, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cartsync.v1 import reason_pb2

from conformance.requirements import load
from conformance.requirements.register import spec_folder
from conformance.run.execute import Check, inventory


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return inventory()


def test_every_must_has_a_check_and_every_check_a_requirement(checks: list[Check]) -> None:
    register = load()
    judged = {slug for check in checks for slug in check.slugs}
    assert {r.slug for r in register.requirements if r.level == "MUST"} - judged == set()
    assert judged - set(register.by_slug) == set()
    assert all(check.slugs for check in checks)


def test_no_two_checks_share_a_name(checks: list[Check]) -> None:
    names = [check.check_id for check in checks]
    assert len(names) == len(set(names))


def test_every_statement_uses_the_word_of_its_level_and_ends_as_a_sentence() -> None:
    for requirement in load().requirements:
        words = re.findall(r"\b(MUST|SHOULD|MAY)\b", requirement.statement)
        assert words, requirement.slug
        assert set(words) == {requirement.level}, requirement.slug
        assert requirement.statement.endswith("."), requirement.slug


def test_the_words_of_rfc_2119_stand_in_requirements_only() -> None:
    for chapter in sorted(spec_folder().glob("[0-9]*.md")):
        text = re.sub(r"^- \*\*.*?(?=\n\S|\n\n|\Z)", "", chapter.read_text(), flags=re.MULTILINE | re.DOTALL)
        told = re.sub(r"`[^`]*`", "", text)  # a level may be named as one
        assert not re.search(r"\b(MUST|SHOULD|MAY|SHALL)\b", told), chapter.name


def test_every_reason_in_the_protocol_is_named_by_the_spec() -> None:
    text = "".join(chapter.read_text() for chapter in spec_folder().glob("[0-9]*.md"))
    for name in reason_pb2.Reason.keys()[1:]:
        assert name.removeprefix("REASON_") in text, name


def test_a_slug_named_twice_is_refused_with_file_and_line(tmp_path: Path) -> None:
    item = "- **a/b** (MUST, core): A server MUST be.\n"
    (tmp_path / "01-x.md").write_text(item + item)
    with pytest.raises(ValueError, match=r"01-x\.md:2: a/b is named a second time"):
        load(tmp_path)


@pytest.mark.parametrize(
    "item", ["- **a/b** MUST: no level.", "- **a/b** (must, core): lower case.", "- **a b** (MUST, x): y."]
)
def test_an_item_that_cannot_be_read_is_refused_rather_than_overlooked(tmp_path: Path, item: str) -> None:
    (tmp_path / "01-x.md").write_text(item + "\n")
    with pytest.raises(ValueError, match=r"01-x\.md:1"):
        load(tmp_path)


def test_a_sentence_runs_on_over_indented_lines(tmp_path: Path) -> None:
    (tmp_path / "01-x.md").write_text("# 1 X\n\n- **a/b** (MUST, core): A server MUST\n  go on.\n\nProse.\n")
    (requirement,) = load(tmp_path).requirements
    assert requirement.statement == "A server MUST go on."
    assert requirement.heading == "1 X"
