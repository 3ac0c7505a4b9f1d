"""What can go wrong with the benchmark itself, apart from what it looks for."""

from __future__ import annotations


class DrainError(Exception):
    """The drain could not be watched to its end, or a death came too late to be one in the middle of it."""
