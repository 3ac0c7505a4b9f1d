from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from live_server import Live, config_in, running


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """The reference server with its control service, on an empty store."""
    async with running(config_in(tmp_path)) as server:
        yield server
