"""The guide tells of commands that exist, and of every duty of chapter 15 with the place that keeps it and its test."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from reference_client.cli.commands import cli

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "reference-client.md").read_text(encoding="utf-8")
CHAPTER = (ROOT / "docs" / "spec" / "15-client-behaviour.md").read_text(encoding="utf-8")
CLIENT, TESTS = ROOT / "reference_client", Path(__file__).parent

_CLAIMED = re.compile(
    r"^\| (?P<name>[^|]+) \| (?P<where>[^|]+) \| `(?P<file>test_\w+\.py)`: `(?P<test>test_\w+)` \|$", re.M
)
CLAIMS = list(_CLAIMED.finditer(GUIDE))
SHOWN = [line.strip()[2:] for line in GUIDE.splitlines() if line.startswith("    $ cartsync ")]


def test_every_duty_of_the_chapter_has_its_row_in_the_order_of_the_chapter() -> None:
    duties = re.findall(r"^\| `(client/[a-z-]+)` \|", CHAPTER, re.M)
    assert len(duties) > 15
    assert [c["name"].strip("`") for c in CLAIMS if c["name"].startswith("`")] == duties


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["name"])
def test_what_keeps_a_duty_is_where_the_guide_says_and_so_is_its_test(claim: re.Match[str]) -> None:
    files = re.findall(r"`([\w/]+\.py)`", claim["where"])
    assert files
    sources = [(CLIENT / file).read_text(encoding="utf-8") for file in files]
    for function in re.findall(r"`([a-z_]+)`", claim["where"]):
        assert any(f"def {function}(" in source for source in sources), function
    assert f"def {claim['test']}(" in (TESTS / claim["file"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_that_the_guide_shows_exists_with_its_options(line: str) -> None:
    command, words = find(shlex.split(line)[1:])
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("command", [*cli.commands])
def test_every_command_is_in_the_guide(command: str) -> None:
    assert re.search(rf"^\| .*`{command}\b.* \|$", GUIDE, re.M), f"the table of commands lacks {command}"


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and what is left of them."""
    command: click.Command = cli
    shared = {option: one for one in cli.params if isinstance(one, click.Option) for option in one.opts}
    while words[0].startswith("--"):
        words = words[1 if shared[words[0]].is_flag else 2 :]
    while isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    return command, words
