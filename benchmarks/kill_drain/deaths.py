"""The drain, and the deaths in the middle of it."""

from __future__ import annotations

import enum
import random
import time
from dataclasses import dataclass

from benchmarks.kill_drain.exceptions import DrainError
from benchmarks.kill_drain.processes import Processes, Watch


class Victim(enum.StrEnum):
    """Which side dies."""

    CLIENT = "client"
    SERVER = "server"


class Instant(enum.Enum):
    """When it dies."""

    RANDOM = enum.auto()
    AFTER_COMMIT = enum.auto()
    """The server only: something was committed, and the answer never leaves."""


@dataclass(frozen=True, slots=True)
class Death:
    """One death in the middle of the drain."""

    instant: Instant
    watermark: int
    """Of the queue, as soon as there was a server again."""
    in_doubt: int
    """How many operations the client had sent without an outcome on its disk."""


def draw_instants(draw: random.Random, kills: int, aborts: int) -> list[Instant]:
    """`kills` deaths at random instants and `aborts` after a commit, in any order."""
    instants = [Instant.RANDOM] * kills + [Instant.AFTER_COMMIT] * aborts
    draw.shuffle(instants)
    return instants


def drain(
    processes: Processes, victim: Victim, queue_id: str, count: int, instants: list[Instant], draw: random.Random
) -> list[Death]:
    """Lets a queue of `count` operations drain, the victim dying at each instant and started again at once.

    Raises DrainError when a death comes too late or the queue does not drain.
    """
    deaths: list[Death] = []
    # One death in each of as many equal stretches, so that every one lands before the drain is over.
    stretch = (count * 0.9) / max(1, len(instants))
    with Watch(processes, queue_id) as watch:
        processes.start_client()
        for number, instant in enumerate(instants, 1):
            watch.until(max(1, int(stretch * (number - 1) + draw.random() * stretch * 0.8)))
            too_late = DrainError(f"death {number} came too late: the drain was over; use more --operations")
            if not _die(processes, victim, instant, draw):
                raise too_late
            with processes.device() as device:
                in_doubt = sum(operation.in_doubt for operation in device.operations(queue_id))
            if victim is Victim.SERVER:
                processes.start_server()
            reached = watch.until(0)
            if reached >= count and not in_doubt:
                raise too_late
            deaths.append(Death(instant, reached, in_doubt))
            if victim is Victim.CLIENT:
                processes.start_client()
        watch.until(count)
    assert processes.client is not None
    code = processes.client.wait(timeout=60)
    if code not in {0, 1}:  # 1: some were rejected, as they should be
        raise DrainError(f"the client ended with exit code {code}; see the logs (--keep)")
    return deaths


def _die(processes: Processes, victim: Victim, instant: Instant, draw: random.Random) -> bool:
    if instant is Instant.AFTER_COMMIT:
        return processes.die_after_commit()
    time.sleep(draw.random() * 0.03)
    return processes.kill(processes.client if victim is Victim.CLIENT else processes.server)
