"""The mutants themselves: what the catalogue promises about each of them."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest

from conformance.mutants import CATALOGUE, UnknownMutantError, find
from conformance.requirements import load
from reference_server.assembly import REFERENCE, Parts, build
from reference_server.config import Config

# The wrong servers that every edition of the suite must catch.
ALWAYS_THERE = (
    "answers-before-commit",
    "forgets-keys-on-restart",
    "re-executes-after-pruning",
    "check-then-insert",
    "collapses-two-adds",
    "honours-the-observed-price",
    "caches-a-deferred-answer",
    "skips-the-watermark-on-rejection",
    "loses-the-last-of-a-batch",
    "accepts-a-gap",
    "ignores-the-key-chain",
    "goes-on-after-a-conflict",
    "discards-what-was-decided",
)


def test_every_mutant_has_a_name_of_its_own() -> None:
    repeated = [name for name, count in Counter(mutant.name for mutant in CATALOGUE).items() if count > 1]
    assert repeated == []


def test_the_classic_mistakes_are_among_the_mutants() -> None:
    assert set(ALWAYS_THERE) <= {mutant.name for mutant in CATALOGUE}


def test_a_mutant_says_in_one_sentence_what_it_does() -> None:
    wrong = [
        mutant.name
        for mutant in CATALOGUE
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", mutant.name) or not re.fullmatch(r"[A-Z][^.]+\.", mutant.does)
    ]
    assert wrong == []


def test_a_mutant_breaks_requirements_of_the_spec() -> None:
    known = set(load().by_slug)
    assert {mutant.name: mutant.breaks for mutant in CATALOGUE if not set(mutant.breaks) <= known} == {}
    assert [mutant.name for mutant in CATALOGUE if not mutant.breaks] == []


def test_a_mutant_differs_from_the_reference_server_in_one_part() -> None:
    for mutant in CATALOGUE:
        parts = mutant.parts()
        exchanged = [
            field.name
            for field in dataclasses.fields(Parts)
            if getattr(parts, field.name) is not getattr(REFERENCE, field.name)
        ]
        assert exchanged == [mutant.part], mutant.name


def test_every_mutant_can_be_put_together(tmp_path: Path) -> None:
    for mutant in CATALOGUE:
        build(Config(data_dir=tmp_path), mutant.parts())


def test_every_requirement_has_a_server_that_breaks_it() -> None:
    broken = {slug for mutant in CATALOGUE for slug in mutant.breaks}
    assert sorted(set(load().by_slug) - broken) == []


def test_an_unknown_name_is_answered_with_those_that_come_close() -> None:
    with pytest.raises(UnknownMutantError, match="did you mean accepts-a-gap"):
        find("accept-gap")
