"""A campaign over several machines: which part of it one of them runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.exceptions import UsageError

MOST_SHARDS = 1_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index`, from 1, of `count`."""

    index: int
    count: int

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """Read "2/8"; raises UsageError."""
        found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        index, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= index <= count <= MOST_SHARDS:
            raise UsageError(f"--shard {text!r} is no part of a whole; for example --shard 2/8 is the second of eight")
        return cls(index, count)

    def takes(self, number: int) -> bool:
        """Whether the check of this number, from 0, is run here."""
        return number % self.count == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
