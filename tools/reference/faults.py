"""What is wrong with the sources of the generated pages."""

from __future__ import annotations


class SourceError(Exception):
    """A source says too little or contradicts another one; the message names it, and what is missing."""
