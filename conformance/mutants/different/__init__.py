"""Servers that are right, and other than the reference wherever the spec lets them be: the suite must pass them all.

`python -m conformance.mutants --right NAME` serves one.
"""

from __future__ import annotations

from dataclasses import replace

from conformance.mutants.different.answers import Coarse, LaterVersion, QuarantinesAtOnce
from conformance.mutants.different.locking import Locking
from conformance.mutants.different.pace import Unhurried
from conformance.mutants.different.policies import frugal, generous
from conformance.mutants.different.storage import JournalStore, NeverPrunes
from conformance.mutants.mutant import stored_in
from reference_server.assembly import REFERENCE, Parts

SERVERS: dict[str, Parts] = {
    # Far above every floor, keeps records for ever, counts in steps of seven, speaks a later minor version.
    "generous": replace(
        REFERENCE, policy=generous, decider=Coarse, servicer=LaterVersion, open_store=stored_in(NeverPrunes)
    ),
    # Exactly on every floor; sets an operation aside at its first failure.
    "frugal": replace(REFERENCE, policy=frugal, decider=QuarantinesAtOnce),
    # One submission of a principal at a time; commits operation by operation.
    "locking": replace(REFERENCE, settlement=Locking),
    # Decisions are a journal of changes, and all else is in memory.
    "journal": replace(REFERENCE, open_store=stored_in(JournalStore)),
    # Slow, and never equally slow.
    "unhurried": replace(REFERENCE, settlement=Unhurried),
}
"""By name."""
