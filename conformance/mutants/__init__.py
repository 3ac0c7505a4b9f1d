"""Wrong servers, each wrong in one named way: the proof that the suite finds what it promises to find.

Every mutant is the reference server with exactly one part exchanged (`reference_server.assembly.Parts`). The files
tell them by story; `catalogue` lists them all; `python -m conformance.mutants NAME` serves one. Only here, and in
the self-test, does the suite know the reference server.
"""

from conformance.mutants.catalogue import CATALOGUE, UnknownMutantError, find
from conformance.mutants.mutant import Mutant

__all__ = ["CATALOGUE", "Mutant", "UnknownMutantError", "find"]
