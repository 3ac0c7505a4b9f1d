"""What can go wrong, in the order in which it can, and whose move it is."""

from __future__ import annotations


class UsageError(Exception):
    """The files or flags given cannot be played; the message says which, why and what to give instead."""


class PlayError(Exception):
    """The day could not be played to its end: a device or the server failed. The message says which and how."""
