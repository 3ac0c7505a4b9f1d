"""`make model`: says how to get Spin, fails when something holds that must not, and when its pages are stale."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tools.model import __main__ as command
from tools.model import pages, spin
from tools.model.catalogue import CONFIGURATIONS, REMOVALS
from tools.model.checking import Broken, Held, Result, check, fingerprint
from tools.model.output import Step, Trace

TRACE = Trace((Step("client", "puts operation 1 on disk"), Step("afterwards", "the client submits")), broken=7)
ALL_WELL = Result(
    tuple(Held(c, c.bounds, 1_234, 0.5, None) for c in CONFIGURATIONS), tuple(Broken(r, TRACE) for r in REMOVALS)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the models whose pages were written from a run in which all was well."""
    folder = tmp_path / "model"
    shutil.copytree(command.FOLDER, folder)
    monkeypatch.setattr(command, "FOLDER", folder)
    monkeypatch.setattr(spin, "missing", lambda: ())
    monkeypatch.setattr(spin, "version", lambda: "6.5.2")
    monkeypatch.setattr(command, "check", lambda *_, **__: ALL_WELL)
    assert command.main(["--write"]) == 0
    return folder


def test_without_spin_it_says_where_one_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spin, "missing", lambda: ("spin",))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main([]) == 2
    assert "needs spin: on Debian and Ubuntu `sudo apt-get install spin gcc`" in capsys.readouterr().err


def test_root_with_apt_installs_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(spin, "missing", lambda: ("spin",))
    monkeypatch.setattr(spin, "installable", lambda: True)
    monkeypatch.setattr(spin, "install", lambda: installed.append("spin"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert command.main([]) == 0
    assert installed == ["spin"]
    assert "installing spin: apt-get install" in capsys.readouterr().err


def test_pages_that_say_what_was_found_are_fine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    printed = capsys.readouterr().out
    for removal in REMOVALS:
        assert removal.rule in printed


@pytest.mark.parametrize("page", ["README.md", "traces.md"])
def test_a_page_that_says_something_else_is_stale(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / page).read_text(encoding="utf-8")
    (folder / page).write_text(text.replace("1+d", "9+d", 1), encoding="utf-8")
    assert command.main([]) == 1
    assert "make model ARGS=--write" in capsys.readouterr().err


def test_a_model_that_changed_makes_its_pages_stale(folder: Path) -> None:
    model = folder / "rules.pml"
    model.write_text(model.read_text(encoding="utf-8") + "/* and more */\n", encoding="utf-8")
    assert command.main([]) == 1


def test_another_spin_may_walk_another_way_of_the_same_length(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Trace((Step("shopper", "does something else"), TRACE.steps[1]), broken=7)
    found = Result(ALL_WELL.held, tuple(Broken(r, elsewhere) for r in REMOVALS))
    monkeypatch.setattr(command, "check", lambda *_, **__: found)
    assert command.main([]) == 1, "the same Spin finds the same trace"
    monkeypatch.setattr(spin, "version", lambda: "7.0")
    assert command.main([]) == 0


def test_a_rule_that_nothing_needs_is_a_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Result(ALL_WELL.held, (Broken(REMOVALS[0], None), *ALL_WELL.broken[1:]))
    monkeypatch.setattr(command, "check", lambda *_, **__: found)
    assert command.main([]) == 1
    told = capsys.readouterr()
    assert "NOTHING BREAKS" in told.out
    assert "one-queue without DUPLICATES_FIRST: REFUSED_IS_TRUE still holds" in told.err


def test_a_property_that_fails_with_all_rules_in_place_is_a_fault_with_its_trace(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = CONFIGURATIONS[0]
    found = Result((Held(first, first.bounds, 7, 0.1, TRACE), *ALL_WELL.held[1:]), ALL_WELL.broken)
    monkeypatch.setattr(command, "check", lambda *_, **__: found)
    assert command.main([]) == 1
    told = capsys.readouterr()
    assert "BROKEN: queue stuck" in told.out
    assert "client: puts operation 1 on disk" in told.out
    assert "one-queue: with all rules in place, queue stuck" in told.err


def test_pages_are_written_from_everything_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--write", "--deep"])
    assert ended.value.code == 2
    assert "leave out --deep and --only" in capsys.readouterr().err


def test_a_name_that_nothing_has_is_wrong_usage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "check", lambda *_, **__: Result((), ()))
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "nothing-of-the-kind"])
    assert ended.value.code == 2


@pytest.mark.parametrize("place", ["explored", "rules"])
def test_a_readme_without_a_place_for_its_table_is_refused(place: str) -> None:
    readme = (command.FOLDER / "README.md").read_text(encoding="utf-8").replace(f"<!-- end of {place} -->", "")
    with pytest.raises(pages.PageError, match=place):
        pages.readme_with(readme, ALL_WELL)


def test_a_page_that_does_not_say_what_it_was_made_from_is_refused() -> None:
    with pytest.raises(pages.PageError, match="does not say"):
        pages.facts_of("# Traces\n")


def test_every_byte_of_a_model_counts(tmp_path: Path) -> None:
    (tmp_path / "a.pml").write_text("byte x;\n")
    before = fingerprint(tmp_path)
    (tmp_path / "a.pml").write_text("byte y;\n")
    assert fingerprint(tmp_path) != before


@pytest.mark.skipif(bool(spin.missing()), reason="spin is not installed; `make model` says how")
def test_a_rule_removed_is_found_missing_by_the_checker_itself() -> None:
    result = check(command.FOLDER, lambda _: None, only=["CANCEL_BY_DISCARD"])
    (broken,) = result.broken
    assert broken.trace is not None
    assert broken.trace.length == "4"
    assert result.faults == ()


@pytest.mark.skipif(bool(spin.missing()), reason="spin is not installed; `make model` says how")
def test_a_model_that_spin_does_not_understand_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pml"
    wrong.write_text("byte x = = 1;\n")
    with pytest.raises(spin.SpinError, match=r"spin on wrong\.pml failed"):
        spin.explore(spin.Model(wrong))
