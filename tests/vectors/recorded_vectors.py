"""The recorded vectors, read once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.vectors.files import recorded

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "spec" / "vectors"

_RECORDED = recorded(FOLDER)
EXCHANGES: Mapping[str, dict[str, Any]] = _RECORDED.exchanges
MESSAGES: Mapping[str, dict[str, Any]] = _RECORDED.messages
VECTORS: Mapping[str, dict[str, Any]] = {**MESSAGES, **EXCHANGES}
assert len(VECTORS) == len(EXCHANGES) + len(MESSAGES)

each_exchange = pytest.mark.parametrize("exchange_name", sorted(EXCHANGES))
each_vector = pytest.mark.parametrize("vector_name", sorted(VECTORS))
