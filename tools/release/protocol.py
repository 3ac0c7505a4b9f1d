"""Messages, fields, numbers and types of the protocol, compared through `buf`, which works without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


class BufError(RuntimeError):
    """`buf` is missing, or could not read what it was given; the message says which."""


def changes(root: Path, descriptors: Path) -> list[str]:
    """What in `root`'s protocol breaks clients or servers built from `descriptors`; one line each, with its place.

    Raises BufError when the two cannot be compared; a protocol that cannot be built is for `descriptors` to tell.
    """
    result = _buf("breaking", "--against", str(descriptors), "--error-format", "json", cwd=root)
    if result.returncode == 0:
        return []
    try:
        found = [json.loads(line) for line in result.stdout.splitlines() if line.strip()]
        lines = [f"{entry['path']}:{entry.get('start_line', 1)}: {entry['message']}" for entry in found]
    except (ValueError, KeyError, TypeError):
        lines = []
    if not lines:
        raise BufError(f"buf breaking failed: {(result.stderr or result.stdout).strip()}")
    return lines


def descriptors(root: Path) -> bytes:
    """The protocol of `root` as an encoded FileDescriptorSet, without positions and comments; raises BufError."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "set.binpb"
        result = _buf("build", "--exclude-source-info", "--output", str(out), cwd=root)
        if result.returncode:
            raise BufError(f"the protocol cannot be built:\n{(result.stderr or result.stdout).strip()}")
        return out.read_bytes()


def _buf(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / "buf"
    program = str(beside) if beside.exists() else shutil.which("buf")
    if program is None:
        raise BufError(f"buf is missing: install buf-bin into {sys.prefix}, as `make stubs` does")
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
