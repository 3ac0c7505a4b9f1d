"""Builds and runs one language's project, in a copy of it below `build/stubs-check/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.stubs_check.expectation import fault
from tools.stubs_check.languages import EXAMPLES, WORK, Language
from tools.stubs_check.shop import Shop

STEP_SECONDS = 900
LEFT_BEHIND = ("gen", "target", "out", "dist", "node_modules")
"""What the tools make inside a project: never copied from the sources."""

_PROTOC = """#!/bin/sh
exec "{python}" -m grpc_tools.protoc "$@"
"""


@dataclass(frozen=True)
class Result:
    """What came of one language."""

    language: Language
    skipped: str = ""
    """Why it was not attempted; empty when it was."""
    failure: str = ""
    """What went wrong; empty when nothing did."""
    file_count: int = 0
    """How many generated files were compiled; 0 when that failed."""
    seconds: float = 0.0


class StepFailedError(Exception):
    """A command ended badly; the text says which and shows the end of its output."""


def check(language: Language, shop: Shop) -> Result:
    """Generates, compiles and runs. Never raises for what the language's tools do."""
    if missing := what_is_missing(language):
        return Result(language, skipped=missing)
    began = time.monotonic()
    files = 0
    try:
        folder = copied(language)
        files = built(language, folder)
        principal = f"{language.name}-shopper"
        words = {"{address}": shop.address, "{token}": f"dev:{principal}"}
        said = step(tuple(_filled(word, words) for word in language.run), folder)
        failure = fault(said, shop.effects(principal))
    except StepFailedError as error:
        failure = str(error)
    return Result(
        language,
        failure=failure,
        file_count=files,
        seconds=time.monotonic() - began,
    )


def built(language: Language, folder: Path) -> int:
    """Generates and compiles; returns how many files were generated. Raises `StepFailedError`."""
    for command in language.build:
        step(command, folder)
    count = sum(path.is_file() for path in folder.glob(language.generated))
    if not count:
        raise StepFailedError(f"no generated file is there: none matches {language.generated}")
    return count


def what_is_missing(language: Language) -> str:
    """Names the first thing the language needs that is not there, and what to do; empty when all are."""
    for need in language.needs:
        if shutil.which(need.program) is None:
            return f"{need.program} is not on PATH: {need.remedy}"
        command = (need.program, *need.probe)
        if need.probe and subprocess.run(command, capture_output=True, check=False).returncode:
            return f"`{' '.join(command)}` says no: {need.remedy}"
    return ""


def copied(language: Language) -> Path:
    """Brings the copy up to date and returns its folder. Unchanged files are left alone, so that builds stay quick."""
    source, copy = EXAMPLES / language.name, WORK / language.name
    wanted = {path: (source / path).read_bytes() for path in _sources(source)}
    for path in _sources(copy):
        if path not in wanted:
            (copy / path).unlink()
    for path, content in wanted.items():
        target = copy / path
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return copy


def _sources(folder: Path) -> list[Path]:
    """The files of a project, relative to it, without those that its tools made."""
    tops = [path for path in folder.glob("*") if path.name not in LEFT_BEHIND and not path.name.startswith(".")]
    return sorted(path.relative_to(folder) for top in tops for path in (top, *top.rglob("*")) if path.is_file())


def step(command: tuple[str, ...], folder: Path) -> str:
    """Runs one command and returns what it printed. Raises `StepFailedError`."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=STEP_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepFailedError(f"{' '.join(command)} took longer than {STEP_SECONDS} seconds") from None
    except OSError as error:
        raise StepFailedError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()[-30:]
        raise StepFailedError(f"`{' '.join(command)}` ended with {done.returncode} in {folder}\n" + "\n".join(said))
    return done.stdout


def environment() -> dict[str, str]:
    """The caller's, with this interpreter's programs (buf) first on PATH and a protoc for those that ask for one.

    Python finds the stubs generated just now, not those that are installed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PROTOC": str(protoc()), "PYTHONPATH": "gen"}


def protoc() -> Path:
    """A protoc at a path of its own: the one of grpcio-tools, which is pinned, whatever the machine has."""
    path = WORK / "bin" / "protoc"
    text = _PROTOC.format(python=sys.executable)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return path


def _filled(word: str, words: dict[str, str]) -> str:
    for placeholder, value in words.items():
        word = word.replace(placeholder, value)
    return word
