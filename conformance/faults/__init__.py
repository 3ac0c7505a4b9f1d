"""Faults at the wire: a TCP proxy between the suite and the server that loses, keeps and repeats bytes as planned."""

from __future__ import annotations

from conformance.faults.link import Link
from conformance.faults.plan import Fault, Harm

__all__ = ["Fault", "Harm", "Link"]
