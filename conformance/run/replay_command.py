"""The one line that plays a failure file again: it works as it is printed, and holds no secret."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from conformance.fixtures import Fixtures
from conformance.wire import TargetOptions

_SCRIPT = "cartsync-conformance"
_SECRET = re.compile(r"(?i)(secret|password|passwd|token|api[-_]?key|credential)")


def replay_command(file: Path, options: TargetOptions, program: Iterable[str]) -> str:
    """The command for a failure file, named as the report's folder was named.

    The control service's secret is left to the environment variable CARTSYNC_CONTROL_SECRET; what looks like a secret
    in a launch command is replaced by the word SECRET.
    """
    words = [*program, "replay", str(file)]
    for option in fields(options):
        value = getattr(options, option.name)
        if isinstance(value, Fixtures):
            value = value.file
        named = isinstance(value, str | Path)
        if value and named and option.repr:  # what its repr hides is a secret
            text = without_secrets(value) if option.name == "launch" else str(value)
            words += [f"--{option.name.replace('_', '-')}", text]
    return shlex.join(words)


def program_as_typed(
    argv: str | None = None, *, which: Callable[[str], str | None] = shutil.which, python: str = sys.executable
) -> tuple[str, ...]:
    """How this program is called in a shell: by its bare name only where that finds it."""
    started = Path(sys.argv[0] if argv is None else argv)
    found = which(_SCRIPT)
    if started.name == _SCRIPT:
        return (_SCRIPT,) if found and Path(found).resolve() == started.resolve() else (str(started),)
    beside = Path(python).with_name(_SCRIPT)
    if found and Path(found).resolve() == beside.resolve():
        return (_SCRIPT,)
    return (python, "-m", "conformance.cli")


def without_secrets(launch: str) -> str:
    """A launch command whose words that look like secrets are replaced; as it was where it cannot be split."""
    try:
        words = shlex.split(launch)
    except ValueError:
        return launch
    shown: list[str] = []
    hide_next = False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide_next and not word.startswith("-"):
            shown.append("SECRET")
        elif equals and _SECRET.search(name):
            shown.append(f"{name}=SECRET")
        else:
            shown.append(word)
        hide_next = not equals and word.startswith("-") and bool(_SECRET.search(word))
    return shlex.join(shown) if shown != words else launch
