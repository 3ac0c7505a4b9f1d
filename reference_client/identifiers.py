"""Canonical identifiers: 36-character lower-case UUID text with hyphens (spec: submission/canonical-keys)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

NewId = Callable[[], str]
"""Makes a fresh canonical identifier at each call. Passed in wherever one is needed, so tests can count."""


def random_id() -> str:
    """A fresh canonical identifier: a random (version 4) UUID."""
    return str(uuid.uuid4())
