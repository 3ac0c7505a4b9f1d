"""axe-core, fetched by npm into build/: npm checks the hash in package-lock.json."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_HERE = Path(__file__).parent
_BUILD = _HERE.parents[1] / "build" / "report-check"


class AxeError(Exception):
    """axe-core cannot be had; the message says why."""


def axe_source() -> str:
    """The script of axe-core; raises AxeError."""
    script = _BUILD / "node_modules" / "axe-core" / "axe.min.js"
    lock = _BUILD / "package-lock.json"
    pinned = (_HERE / "package-lock.json").read_bytes()
    if not script.is_file() or not lock.is_file() or lock.read_bytes() != pinned:
        _install()
    return script.read_text(encoding="utf-8")


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise AxeError("reports are checked with axe-core, which npm brings, and there is no npm: install Node 20")
    _BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_HERE / name, _BUILD / name)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=_BUILD,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AxeError(f"npm ci failed in {_BUILD}: {done.stderr.strip()[-500:]}")
