"""Contracts at both ends of what the spec allows."""

from __future__ import annotations

from datetime import timedelta

from reference_server.config import Config
from reference_server.engine.policy import Policy

DAY = timedelta(days=1)


def generous(_: Config) -> Policy:
    """Far above every floor."""
    return Policy(
        replay_window=30 * DAY,
        outcome_retention=90 * DAY,
        queue_retention=800 * DAY,
        max_operation_bytes=1 << 20,
        max_submission_operation_count=2_000,
        max_submission_bytes=8 << 20,
        quarantine_attempt_count=100,
        features=("gift-wrap",),
        trouble_retry_delay=timedelta(hours=1),
    )


def frugal(_: Config) -> Policy:
    """Exactly on every floor."""
    return Policy(
        replay_window=3 * DAY,
        outcome_retention=4 * DAY,
        queue_retention=400 * DAY,
        max_operation_bytes=16_384,
        max_submission_operation_count=100,
        max_submission_bytes=1 << 20,
        max_line_quantity=99,
        max_line_count=100,
        max_coupon_count=1,
        max_wishlist_entry_count=100,
        quarantine_attempt_count=1,
    )
