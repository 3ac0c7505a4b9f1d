"""Canonical identifiers: 36-character lower-case UUID text with hyphens (spec: submission/canonical-keys)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

_CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

NewId = Callable[[], str]
"""Makes a fresh canonical identifier at each call. Passed in wherever one is needed, so tests can count."""


def is_canonical(text: str) -> bool:
    """Whether `text` has the form of an identifier; only such a one can be on this device."""
    return _CANONICAL.fullmatch(text) is not None


def random_id() -> str:
    """A fresh canonical identifier: a random (version 4) UUID."""
    return str(uuid.uuid4())
