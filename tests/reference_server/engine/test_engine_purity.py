"""The engine decides; it does not talk, and it does not remember."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from reference_server import engine


def test_the_engine_imports_neither_grpc_nor_sqlite() -> None:
    names = [f"reference_server.engine.{module.name}" for module in pkgutil.iter_modules(engine.__path__)]
    assert "reference_server.engine.deciding" in names
    script = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(sorted({'grpc', 'sqlite3', 'asyncio', 'socket'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
