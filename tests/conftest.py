"""Budgets of the property tests.

`pytest --hypothesis-profile=deep --timeout=0` runs 10,000 examples where a test names no number of its own.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("deep", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
