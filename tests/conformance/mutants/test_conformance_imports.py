"""The suite certifies anybody's server, so it may know none: neither the reference server nor its parts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import conformance

ROOT = Path(conformance.__file__).parent
KNOWS_THE_SERVER = {"mutants", "cli/selftesting.py"}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def outside_of_the_self_test() -> list[Path]:
    files = [
        file
        for file in ROOT.rglob("*.py")
        if file.relative_to(ROOT).parts[0] not in KNOWS_THE_SERVER
        and file.relative_to(ROOT).as_posix() not in KNOWS_THE_SERVER
    ]
    assert len(files) > 50
    return files


def test_only_mutants_and_their_self_test_import_the_reference_server() -> None:
    wrong = {
        file.relative_to(ROOT).as_posix(): name
        for file in outside_of_the_self_test()
        for name in imported(file)
        if name.split(".")[0] in ("reference_server", "reference_client") or name.startswith("conformance.mutants")
    }
    assert wrong == {}


def test_the_oracle_talks_to_nobody() -> None:
    wrong = {
        f"{file.name} imports {name}"
        for file in (ROOT / "oracle").glob("*.py")
        for name in imported(file)
        if name.split(".")[0] in ("grpc", "sqlite3", "pytest", "hypothesis", "asyncio")
    }
    assert wrong == set()
