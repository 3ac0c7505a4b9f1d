"""What every small program has to say, and what must have happened in the shop by then."""

from __future__ import annotations

import re
from collections.abc import Sequence

SAYS = (
    "replay window 168 hours",
    "operation 1 APPLIED replayed false",
    "operation 2 APPLIED replayed false",
    "operation 2 APPLIED replayed true",
    "line 1 MUG-BLUE 850 GBP",
    "line 2 TEA-EARL-GREY-50 850 GBP",
)
"""Two operations and a duplicate of the second; then the cart."""

EFFECTS = ((1, "TEA-EARL-GREY-50", 0, 2), (2, "MUG-BLUE", 0, 1))
"""Sequence, SKU, quantity before and after of each change in the server's ledger: the duplicate made none."""

Effect = tuple[int, str, int, int]


def fault(output: str, effects: Sequence[Effect]) -> str:
    """What is wrong with a program's output and with what it did; empty when both are as they should be.

    Some languages print an enum value by its full name, some without the prefix; both are right. Maven sets the
    terminal's colours back before and after what a program says.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output).replace("OUTCOME_STATE_", "")
    said = tuple(line.rstrip() for line in plain.splitlines() if line.strip())
    if said != SAYS:
        return "it should have said\n" + _indented(SAYS) + "\nand said\n" + _indented(said or ("nothing",))
    if tuple(effects) != EFFECTS:
        return f"the server's ledger should hold {list(EFFECTS)} and holds {list(effects)}"
    return ""


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
