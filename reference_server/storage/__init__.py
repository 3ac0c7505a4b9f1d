"""Remembers: what was decided, how far queues have come, what is in carts. `interface` says what a store can do."""

from __future__ import annotations

from reference_server.engine.operands import Operand
from reference_server.storage.interface import (
    Retention,
    Store,
    StoreError,
    StoreFailedError,
    UnknownSaveError,
    Wanted,
)
from reference_server.storage.opening import open_store

__all__ = [
    "Operand",
    "Retention",
    "Store",
    "StoreError",
    "StoreFailedError",
    "UnknownSaveError",
    "Wanted",
    "open_store",
]
