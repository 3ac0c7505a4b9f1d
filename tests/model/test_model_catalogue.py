"""Every rule of the model is a requirement or a duty, and every trace is played by a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from conformance.mutants import CATALOGUE
from conformance.requirements import load
from conformance.run.execute import inventory
from tools.model import pages
from tools.model.catalogue import CONFIGURATIONS, PROPERTIES, REMOVALS, Configuration, Removal
from tools.model.checking import fingerprint, property_named

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "docs" / "spec" / "model"
RULES = (MODEL / "rules.pml").read_text(encoding="utf-8")
DUTIES = set(
    re.findall(r"^\| `(client/[a-z-]+)`", (ROOT / "docs/spec/15-client-behaviour.md").read_text("utf-8"), re.M)
)
NUMBERED = dict(re.findall(r"^#define ([A-Z_]+) +(\d+) +/\*", RULES, re.M))
SLUGS = {requirement.slug for requirement in load().requirements}
by_name = pytest.mark.parametrize("removal", REMOVALS, ids=lambda r: f"{r.rule}-{r.breaks}")


@pytest.fixture(scope="module")
def checks() -> set[str]:
    """Every check of the suite; collecting them takes a second."""
    return {check.check_id for check in inventory()}


def names_in(path: Path) -> set[str]:
    """The names of the test functions in a file."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_rule_of_the_model_is_removed_once_or_more_and_no_other() -> None:
    assert {r.rule for r in REMOVALS} == NUMBERED.keys() - PROPERTIES.keys()
    assert len({(r.rule, r.breaks) for r in REMOVALS}) == len(REMOVALS)


def test_the_properties_have_the_numbers_that_the_models_print() -> None:
    assert [name for name in NUMBERED if name in PROPERTIES] == list(PROPERTIES)
    for number, (name, says) in enumerate(PROPERTIES.items(), 1):
        assert NUMBERED[name] == str(number)
        assert property_named(number) == says


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.name)
def test_a_configuration_states_the_properties_that_its_model_checks(configuration: Configuration) -> None:
    text = (MODEL / configuration.file).read_text(encoding="utf-8")
    assert set(re.findall(r"holds\(([A-Z_]+)", text)) == set(configuration.holds)


@by_name
def test_a_removed_rule_is_looked_at_by_its_model_and_breaks_a_property_of_it(removal: Removal) -> None:
    configuration = next(c for c in CONFIGURATIONS if c.name == removal.configuration)
    assert removal.breaks in configuration.holds
    texts = [(MODEL / name).read_text(encoding="utf-8") for name in (configuration.file, "deciding.pml")]
    assert any(f"REMOVED({removal.rule})" in text for text in texts)


@by_name
def test_a_rule_is_a_requirement_of_the_register_or_a_duty_of_the_client(removal: Removal) -> None:
    assert removal.slugs
    assert set(removal.slugs) <= SLUGS | DUTIES


@by_name
def test_a_trace_is_played_by_a_check_or_a_test_that_exists(removal: Removal, checks: set[str]) -> None:
    assert removal.checks or removal.tests, "nothing plays this trace"
    assert set(removal.checks) <= checks
    for test in removal.tests:
        file, _, name = test.partition("::")
        assert name in names_in(ROOT / "tests" / file)


@by_name
def test_a_fault_of_the_server_has_a_mutant_that_breaks_the_requirement(removal: Removal) -> None:
    mutants = {mutant.name: mutant for mutant in CATALOGUE}
    assert set(removal.mutants) <= mutants.keys()
    faults_of_the_server = {slug for slug in removal.slugs if not slug.startswith("client/")}
    if removal.checks and faults_of_the_server:
        assert faults_of_the_server & {slug for name in removal.mutants for slug in mutants[name].breaks}


def test_the_pages_are_of_these_models() -> None:
    page = (MODEL / "traces.md").read_text(encoding="utf-8")
    assert pages.facts_of(page).models == fingerprint(MODEL), "run `make model ARGS=--write`"
    told = [heading.removeprefix("## ").rpartition(": ")[0] for heading in pages.outcomes_of(page)]
    assert told == [pages.anchor_text(removal) for removal in REMOVALS]
    readme = (MODEL / "README.md").read_text(encoding="utf-8")
    for removal in REMOVALS:
        assert f"| `{removal.rule}` | {removal.without} |" in readme
