"""What the check calls good and what it does not, and what it does when something is missing or fails."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tools.stubs_check import project
from tools.stubs_check.__main__ import main, verdict
from tools.stubs_check.expectation import EFFECTS, SAYS, fault
from tools.stubs_check.languages import Language, Need, languages
from tools.stubs_check.project import Result, check, copied, what_is_missing
from tools.stubs_check.shop import Shop
from tools.stubs_check.table import show

GOOD = "\n".join(SAYS) + "\n"
GO = languages()["go"]
PYTHON = sys.executable


class Ledger(Shop):
    """A shop without a server, in which everything has gone well."""

    def effects(self, principal: str) -> tuple[tuple[int, str, int, int], ...]:
        return EFFECTS


SHOP = Ledger("127.0.0.1:1", "127.0.0.1:2")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Language:
    """A language whose generator is Python and whose program is a text file."""
    monkeypatch.setattr(project, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr(project, "WORK", tmp_path / "work")
    (tmp_path / "examples" / "toy").mkdir(parents=True)
    (tmp_path / "examples" / "toy" / "program.txt").write_text(GOOD)
    generate = "import pathlib; pathlib.Path('gen').mkdir(exist_ok=True); pathlib.Path('gen/stub.txt').touch()"
    return Language(
        name="toy",
        title="Toy",
        generator="nothing",
        runtime="nothing",
        program="program.txt",
        needs=(),
        build=((PYTHON, "-c", generate),),
        generated="gen/*.txt",
        run=(PYTHON, "-c", "print(open('program.txt').read())", "{address}", "{token}"),
    )


def shown(*results: Result) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(results, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_what_every_program_says_is_right_with_and_without_the_prefix_and_with_colours_set_back() -> None:
    assert fault(GOOD, EFFECTS) == ""
    assert fault(GOOD.replace(" APPLIED", " OUTCOME_STATE_APPLIED"), EFFECTS) == ""
    assert fault(f"\x1b[0m{GOOD}\x1b[0m", EFFECTS) == ""


@pytest.mark.parametrize(
    ("output", "named"),
    [
        (GOOD.replace("replayed true", "replayed false"), "replayed false"),
        (GOOD.replace("line 2", "line 4"), "line 4"),
        (GOOD.replace("APPLIED", "REJECTED"), "REJECTED"),
        (GOOD + "operation 3 APPLIED replayed false\n", "operation 3"),
        ("", "nothing"),
    ],
    ids=["the duplicate not replayed", "added twice", "refused", "said too much", "said nothing"],
)
def test_a_program_that_says_anything_else_is_at_fault(output: str, named: str) -> None:
    assert named in fault(output, EFFECTS).partition("and said")[2]


def test_a_duplicate_that_left_an_effect_is_found_though_the_program_says_all_is_well() -> None:
    assert "ledger" in fault(GOOD, (*EFFECTS, (2, "MUG-BLUE", 1, 2)))
    assert "ledger" in fault(GOOD, EFFECTS[:1])


def test_a_language_that_generates_compiles_and_runs_is_shown_with_its_files(toy: Language) -> None:
    result = check(toy, SHOP)
    assert (result.failure, result.skipped, result.file_count) == ("", "", 1)
    assert "1 file " in shown(result)
    assert "yes" in shown(result)


def test_a_missing_program_skips_the_language_and_the_table_says_what_to_install(toy: Language) -> None:
    absent = dataclasses.replace(toy, needs=(Need("no-such-compiler", "install a compiler"),))
    result = check(absent, SHOP)
    assert "no-such-compiler is not on PATH: install a compiler" in result.skipped
    assert "skipped: no-such-compiler" in shown(result)


def test_a_program_whose_libraries_are_missing_skips_the_language_too(toy: Language) -> None:
    need = Need(Path(PYTHON).name, "install the library", probe=("-c", "raise SystemExit(1)"))
    assert "says no: install the library" in what_is_missing(dataclasses.replace(toy, needs=(need,)))


def test_a_build_that_fails_is_shown_with_its_command_and_the_end_of_its_output(toy: Language) -> None:
    broken = dataclasses.replace(toy, build=((PYTHON, "-c", "raise SystemExit('no such type')"),))
    result = check(broken, SHOP)
    assert "no such type" in result.failure
    assert "FAILED" in shown(result)
    assert "no such type" in shown(result)


def test_a_build_that_generates_nothing_fails(toy: Language) -> None:
    assert "no generated file" in check(dataclasses.replace(toy, build=()), SHOP).failure


def test_a_program_that_cannot_be_started_fails(toy: Language) -> None:
    assert "cannot be run" in check(dataclasses.replace(toy, run=("./no-such-program",)), SHOP).failure


def test_a_copy_follows_its_project_and_leaves_alone_what_has_not_changed(toy: Language, tmp_path: Path) -> None:
    source = tmp_path / "examples" / "toy"
    (source / "src").mkdir()
    (source / "src" / "old.txt").write_text("old")
    copy = copied(toy)
    (copy / "gen").mkdir()
    (copy / "gen" / "made.txt").write_text("made by a tool")
    before = (copy / "program.txt").stat().st_mtime_ns

    (source / "src" / "old.txt").rename(source / "src" / "new.txt")
    copied(toy)
    assert sorted(path.name for path in copy.rglob("*.txt")) == ["made.txt", "new.txt", "program.txt"]
    assert (copy / "program.txt").stat().st_mtime_ns == before


def test_the_exit_code_tells_failed_from_skipped_from_good() -> None:
    console = Console(file=io.StringIO())
    good, bad, skipped = Result(GO, file_count=1), Result(GO, failure="it broke"), Result(GO, skipped="no compiler")
    assert verdict([good], ["go"], console) == 0
    assert verdict([skipped], [], console) == 0
    assert verdict([skipped], ["go"], console) == 3
    assert verdict([good, bad], [], console) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--require", "go,cobol"], "cobol"), (["--only", "java", "--require", "go"], "--require")],
)
def test_a_wrong_call_ends_with_2_and_says_why(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert named in capsys.readouterr().err
