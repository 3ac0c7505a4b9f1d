"""What is printed in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.kill_drain.accounts import Accounts
from benchmarks.kill_drain.deaths import Death, Instant, Victim

_NAMES = {
    Instant.RANDOM: "killed with -9, at random",
    Instant.AFTER_COMMIT: "died after commit, unanswered",
}


def rows(
    victim: Victim, deaths: Sequence[Death], accounts: Accounts, drain_seconds: float, oracle_seconds: float
) -> list[tuple[str, str]]:
    """The tally as names and values."""
    told = accounts.told
    attempts = sum(operation.send_count for operation in told)
    states = Counter(operation.state.value for operation in told)
    lines = [line for answer in accounts.carts for line in answer.cart.lines]
    return [
        *_deaths(victim, deaths),
        ("operations written down", f"{len(told)}"),
        *((f"  {state}", f"{number}") for state, number in sorted(states.items())),
        ("attempts sent", f"{attempts}"),
        ("  duplicates among them", f"{attempts - len(told)}"),
        ("outcomes learnt from a replay", f"{sum(operation.replayed for operation in told)}"),
        ("effects in the server's ledger", f"{len(accounts.effects)}"),
        ("final carts", f"{len(accounts.carts)}, {len(lines)} lines, {sum(line.quantity for line in lines)} units"),
        ("seconds of draining", f"{drain_seconds:.1f}"),
        ("seconds of the oracle", f"{oracle_seconds:.1f}"),
    ]


def _deaths(victim: Victim, deaths: Sequence[Death]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for instant, name in _NAMES.items():
        of_these = [death for death in deaths if death.instant is instant]
        if of_these:
            found += [
                (f"{victim} {name}", f"{len(of_these)} times"),
                ("  when the watermark was at", ", ".join(str(death.watermark) for death in of_these)),
                ("  operations in doubt then", ", ".join(str(death.in_doubt) for death in of_these)),
            ]
    return found


def printed(tally: Sequence[tuple[str, str]]) -> str:
    """The tally in two columns."""
    width = max(len(name) for name, _ in tally)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in tally)
