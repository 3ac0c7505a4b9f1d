"""The fuzzed checks of a campaign take turns until its time is up; who still finds new triples gets longer ones. Pure.

Scripted checks come first and run once. Then every fuzzed check has its turn, and another one after all others: all of
the same length to begin with, then twice as long when the last turn reached something new, half as long when not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FUZZ_FILE = "test_fuzz.py"
FIRST_ROUNDS = 3  # so many turns of the first length fit into the time, unless they are longer than
FIRST_TURN = 10.0  # seconds
LONGEST_FACTOR, SHORTEST_FACTOR = 8.0, 0.5  # of the first length
REPORT_SECONDS = 5.0  # kept back of a campaign's time, for the report


def is_fuzzed(check_id: str) -> bool:
    """Whether a check plays drawn plans."""
    return check_id.startswith(f"{FUZZ_FILE}::")


@dataclass
class Turns:
    """Whose turn lasts how long. `end` is when the campaign's time is up; the caller says what time it is."""

    end: float
    check_count: int  # fuzzed checks that take part
    _first: float = 0.0  # how long first turns are
    _seconds: dict[str, float] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)

    def turn(self, check_id: str, now: float) -> float:
        """How many seconds this turn may last; 0 when time is up."""
        left = max(0.0, self.end - now)
        self._first = self._first or min(FIRST_TURN, left / (FIRST_ROUNDS * max(1, self.check_count)))
        return min(self._seconds.setdefault(check_id, self._first), left)

    def took(self, check_id: str, new_count: int) -> None:
        """A turn is over and reached so many new triples."""
        wanted = self._seconds[check_id] * (2.0 if new_count else 0.5)
        self._seconds[check_id] = min(LONGEST_FACTOR * self._first, max(SHORTEST_FACTOR * self._first, wanted))

    def leaves(self, check_id: str) -> None:
        """A check takes no more turns: it found what is wrong, or cannot be played."""
        self._over.add(check_id)

    def comes_again(self, check_id: str, now: float) -> bool:
        """Whether a check gets another turn."""
        return check_id in self._seconds and check_id not in self._over and now < self.end
