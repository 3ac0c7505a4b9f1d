"""Budgets of the property tests: `--hypothesis-profile=deep` runs 10,000 examples where a test names no number."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("deep", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
