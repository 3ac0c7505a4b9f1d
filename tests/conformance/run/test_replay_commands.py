"""The command that is printed works as it is printed, and tells no secret."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.run.replay_command import program_as_typed, replay_command, without_secrets
from conformance.wire import TargetOptions

FILE = Path("out/failures/001-a b.json")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
def test_a_launch_command_comes_back_from_the_shell_as_it_was_given(launch: str) -> None:
    words = shlex.split(replay_command(FILE, TargetOptions(launch=launch), ("cartsync-conformance",)))
    assert words[:3] == ["cartsync-conformance", "replay", "out/failures/001-a b.json"]
    assert words[3:] == ["--launch", without_secrets(launch)]


def test_every_option_of_the_target_is_named_but_no_secret() -> None:
    options = TargetOptions(target="host:1", control="host:2", control_secret="hush")
    command = replay_command(FILE, options, ("x",))
    assert command == "x replay 'out/failures/001-a b.json' --target host:1 --control host:2"


@pytest.mark.parametrize(
    ("launch", "shown"),
    [
        ("serve --listen {listen}", "serve --listen {listen}"),
        ("serve --db-password hush --port 1", "serve --db-password SECRET --port 1"),
        ("env API_KEY=hush serve", "env API_KEY=SECRET serve"),
        ("serve --secret=hush", "serve --secret=SECRET"),
        ("serve 'open", "serve 'open"),
    ],
)
def test_what_looks_like_a_secret_in_a_launch_command_is_not_shown(launch: str, shown: str) -> None:
    assert without_secrets(launch) == shown


def test_the_program_goes_by_its_bare_name_only_where_a_shell_finds_it(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "cartsync-conformance"
    python = str(tmp_path / "bin" / "python")
    typed = ".venv/bin/cartsync-conformance"
    assert program_as_typed(str(script), which=lambda _: str(script), python=python) == ("cartsync-conformance",)
    assert program_as_typed(typed, which=lambda _: None, python=python) == (typed,)
    assert program_as_typed(typed, which=lambda _: "/elsewhere/cartsync-conformance", python=python) == (typed,)
    assert program_as_typed("/x/pytest", which=lambda _: None, python=python) == (python, "-m", "conformance.cli")
    assert program_as_typed("/x/pytest", which=lambda _: str(script), python=python) == ("cartsync-conformance",)
