"""The marker that ties a check to the requirements it judges."""

from __future__ import annotations

import pytest


def requirement(*slugs: str) -> pytest.MarkDecorator:
    """Mark a check with the requirements it judges; the first is the one a failure counts against by default."""
    return pytest.mark.requirement(*slugs)
