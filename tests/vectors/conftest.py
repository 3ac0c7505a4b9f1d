"""The vectors as they stand in docs/spec, for every test of this folder."""

from __future__ import annotations

import pytest
from recorded_vectors import EXCHANGES, VECTORS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each exchange, or each vector, by its name."""
    if "exchange_name" in metafunc.fixturenames:
        metafunc.parametrize("exchange_name", sorted(EXCHANGES))
    if "vector_name" in metafunc.fixturenames:
        metafunc.parametrize("vector_name", sorted(VECTORS))
