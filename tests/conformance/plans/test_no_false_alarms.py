"""A correct server is never accused, whatever is lost, delayed, repeated, overlapped or restarted."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_server import EVERYTHING, ToyStage

from conformance.oracle import TooManyWorldsError
from conformance.oracle.world import SOLE
from conformance.plans.execute import execute
from conformance.plans.family import Family
from conformance.plans.stage import principal_of
from conformance.plans.strategies import FAMILIES, plans

OF_THE_CORE = [
    family
    for family in FAMILIES
    if family.possible(EVERYTHING) and {principal_of(device) for device in family.devices} == {SOLE}
]
"""What a server in memory with one principal can play; the others are played on the reference server."""


@pytest.mark.parametrize("family", OF_THE_CORE, ids=lambda family: family.name)
def test_a_correct_server_passes_every_plan(family: Family) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(plans(family, EVERYTHING), st.integers(0, 2**32))
    def passes(plan, seed):  # type: ignore[no-untyped-def]
        with contextlib.suppress(TooManyWorldsError):
            execute(plan, ToyStage(seed))

    passes()
