"""Generates the `cartsync` package (message and service stubs, types, and the .proto files themselves).

Runs as the build hook of every wheel and editable install, and by hand through `make stubs`. The result goes
to `build/stubs/cartsync`, or below the folder named on the command line; it is never edited and never committed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
STUBS = ROOT / "build" / "stubs"


class StubsBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only in hatchling's own typing
    """Generates the stubs before a wheel or an editable install is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, and put the package into the wheel (an editable install finds it in place)."""
        if self.target_name != "wheel":
            return
        generate()
        if version != "editable":
            build_data["force_include"][str(STUBS / "cartsync")] = "cartsync"


def generate(destination: Path = STUBS) -> None:
    """Write the package below `destination`, replacing what was there; raises SystemExit when protoc fails."""
    from grpc_tools import protoc

    well_known = str(resources.files("grpc_tools") / "_proto")
    sources = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.rglob("*.proto"))
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        code = protoc.main(
            [
                "protoc",
                f"--plugin=protoc-gen-mypy={_plugin('protoc-gen-mypy')}",
                f"--plugin=protoc-gen-mypy_grpc={_plugin('protoc-gen-mypy_grpc')}",
                f"-I{PROTO}",
                f"-I{well_known}",
                f"--python_out={scratch}",
                f"--grpc_python_out={scratch}",
                f"--mypy_out=quiet:{scratch}",
                f"--mypy_grpc_out=quiet:{scratch}",
                *sources,
            ]
        )
        if code:
            raise SystemExit(f"protoc failed with exit code {code}; see its messages above")
        package = Path(scratch) / "cartsync"
        for source in sources:
            shutil.copyfile(PROTO / source, Path(scratch) / source)
        for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
            (folder / "__init__.py").write_text('"""Generated from the .proto files beside it."""\n')
        (package / "py.typed").touch()
        shutil.rmtree(destination / "cartsync", ignore_errors=True)
        destination.mkdir(parents=True, exist_ok=True)
        package.rename(destination / "cartsync")


def _plugin(name: str) -> str:
    """Path of a protoc plugin that was installed beside this interpreter, or on PATH in an isolated build."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing: install mypy-protobuf into {sys.prefix}")
    return found


if __name__ == "__main__":
    generate(*map(Path, sys.argv[1:2]))
