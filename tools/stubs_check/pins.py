"""Reads versions from the places that pin them, so that no table can name another one."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "stubs"


def go(module: str) -> str:
    """Version of a module in the Go project."""
    return _found(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", EXAMPLES / "go" / "go.mod", module)


def npm(package: str) -> str:
    """Version of a package in the TypeScript project."""
    lock = json.loads((EXAMPLES / "typescript" / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def cargo(crate: str) -> str:
    """Version of a crate in the Rust project."""
    lock = tomllib.loads((EXAMPLES / "rust" / "Cargo.lock").read_text(encoding="utf-8"))
    return next(str(entry["version"]) for entry in lock["package"] if entry["name"] == crate)


def maven(project: str, name: str) -> str:
    """Version that a Maven project gives to a property ("grpc.version") or to a plugin (its artifactId)."""
    name = re.escape(name)
    pattern = rf"<{name}>([^<]+)</|<artifactId>{name}</artifactId>\s*<version>([^<]+)</"
    return _found(pattern, EXAMPLES / project / "pom.xml", name)


def python(package: str) -> str:
    """Version of a package in this project's own environment."""
    return _found(rf"^{re.escape(package)}==([^\s;]+)", ROOT / "requirements.lock", package)


def _found(pattern: str, file: Path, what: str) -> str:
    found = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"{file.relative_to(ROOT)} pins no version of {what}")
    return next(group for group in found.groups() if group)
