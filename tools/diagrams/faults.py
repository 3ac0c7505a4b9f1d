"""What is wrong with the text a diagram is made from."""

from __future__ import annotations


class DiagramError(Exception):
    """A diagram cannot be drawn; the message names its file, what is wrong in it and what would be right."""
