"""Runs Spin: writes a verifier for a model, compiles it, explores, replays what it found."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.model.output import Exploration, Trace, read_exploration, read_trace

NEEDED = ("spin", "gcc")
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "--quiet", "spin", "gcc", "libc6-dev")
_WALK_DEPTH = 1_000_000
_TIMEOUT_S = 600.0
_DEEP_TIMEOUT_S = 7_200.0


class SpinError(RuntimeError):
    """Spin, the compiler or a verifier failed; the message says which, and on what."""


@dataclass(frozen=True)
class Model:
    """One model file with the bounds and switches it is compiled with."""

    file: Path
    defines: tuple[str, ...] = ()

    def but(self, *defines: str) -> Model:
        """The same with further switches."""
        return Model(self.file, self.defines + defines)


def missing() -> tuple[str, ...]:
    """The programs that are not installed."""
    return tuple(name for name in NEEDED if shutil.which(name) is None)


def installable() -> bool:
    """Whether apt-get is there to install with."""
    return shutil.which("apt-get") is not None


def install() -> None:
    """Install Spin with apt-get, which must be there and allowed; raises SpinError when it fails."""
    for command in (("apt-get", "update", "--quiet"), INSTALL):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and command is INSTALL:
            raise SpinError(f"{' '.join(command)} failed: {_tail(done.stderr)}")


def version() -> str:
    """Of the installed Spin, such as `6.5.2`."""
    words = _run(("spin", "-V"), Path.cwd(), "spin").split()
    return words[words.index("Version") + 1] if "Version" in words else "unknown"


def explore(model: Model, *, deep: bool = False) -> Exploration:
    """Every reachable state, depth first. An error in it shows in the result, not as an exception.

    `deep` takes longer and needs less memory for each state; every state is stored all the same.
    """
    with tempfile.TemporaryDirectory(prefix="cartsync-model-") as scratch:
        folder = Path(scratch)
        # Optimising pays for itself: these searches are the long ones.
        flags = ("-O2", "-DCOLLAPSE") if deep else ("-O1",)
        _compile(model, folder, *flags, "-DSAFETY", "-DNOREDUCE")
        command = ("./pan", f"-m{_WALK_DEPTH}", "-w25" if deep else "-w22")
        what = f"verifier of {model.file.name}"
        return read_exploration(_run(command, folder, what, _DEEP_TIMEOUT_S if deep else _TIMEOUT_S))


def shortest(model: Model) -> tuple[Exploration, Trace | None]:
    """States breadth first, until the first in which a property is broken; its trace, or None when there is none."""
    with tempfile.TemporaryDirectory(prefix="cartsync-model-") as scratch:
        folder = Path(scratch)
        _compile(model, folder, "-O0", "-DSAFETY", "-DBFS", "-DNOREDUCE")
        found = read_exploration(_run(("./pan", "-w20"), folder, f"verifier of {model.file.name}"))
        if not found.errors:
            return found, None
        trail = next(folder.glob("*.trail"), None)
        if trail is None:
            raise SpinError(f"the verifier of {model.file.name} found an error and left no trail")
        defines = [f"-D{name}" for name in model.defines]
        # Spin ends a replay of a failed assertion with a status of its own; the text is what counts.
        replay = subprocess.run(
            ("spin", "-k", trail.name, *defines, str(model.file)),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return found, read_trace(replay.stdout)


def _compile(model: Model, folder: Path, *flags: str) -> None:
    defines = [f"-D{name}" for name in model.defines]
    _run(("spin", "-a", *defines, str(model.file)), folder, f"spin on {model.file.name}")
    if not (folder / "pan.c").exists():
        raise SpinError(f"spin wrote no verifier for {model.file.name}")
    _run(("gcc", "-w", *flags, "-DVECTORSZ=4096", "-o", "pan", "pan.c"), folder, f"gcc on {model.file.name}")


def _run(command: tuple[str, ...], folder: Path, what: str, seconds: float = _TIMEOUT_S) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        raise SpinError(f"{what} could not be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise SpinError(f"{what} took longer than {seconds:.0f} s") from error
    if done.returncode:
        raise SpinError(f"{what} failed: {_tail(done.stdout + done.stderr)}")
    return done.stdout


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:]) or "it said nothing"
