"""The published matrix tells of the mutants and checks that there are."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.mutants import CATALOGUE
from conformance.run.execute import inventory
from tools.reference.matrix import publish, published


def test_every_mutant_is_in_the_published_matrix_and_was_caught_by_what_it_breaks() -> None:
    rows = published().rows
    assert [m.name for m in CATALOGUE if m.name not in rows] == []
    assert [m.name for m in CATALOGUE if rows[m.name].caught_as not in m.breaks] == []


def test_every_check_that_caught_one_is_still_in_the_suite() -> None:
    checks = {check.check_id for check in inventory()}
    assert [row.name for row in published().rows.values() if row.check not in checks] == []


def test_what_is_published_is_what_the_self_test_found(tmp_path: Path) -> None:
    found = {"name": "add-sets", "caught_as": "cart/add-adds", "check_id": "t::a", "named": ["cart/add-adds"]}
    selftest = {
        "seed": 7,
        "budget": "fast",
        "seconds": 60.0,
        "references": [{"certified": True}, {"certified": False}],
        "mutants": [{**found, "seconds": 1.234}],
    }
    publish(json.loads(json.dumps(selftest)), tmp_path / "matrix.json")
    matrix = published(tmp_path / "matrix.json")
    assert (matrix.reference_runs, matrix.reference_certified) == (2, 1)
    assert matrix.rows["add-sets"].check == "t::a"
    assert matrix.rows["add-sets"].seconds == 1.2
    assert "caught 1 of 1 mutants" in matrix.sentence()
