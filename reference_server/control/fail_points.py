"""Trouble on demand: submissions that wait, die with the server, or fail while being decided."""

from __future__ import annotations

import asyncio
import enum
import os
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

NO_SEQUENCE = 0


class Point(enum.Enum):
    """Where trouble strikes."""

    BEFORE_COMMIT = enum.auto()
    AFTER_COMMIT = enum.auto()
    WHILE_DECIDING = enum.auto()


class Action(enum.Enum):
    """What the trouble is."""

    HOLD = enum.auto()
    ABORT = enum.auto()
    THROW = enum.auto()


class InjectedError(RuntimeError):
    """Thrown at a fail point, standing for any bug."""


def die() -> None:
    """End the process at once, as kill -9 does: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class _Armed:
    action: Action
    hits_left: int


@dataclass
class _Gate:
    """Where the submissions of one principal are held."""

    held: list[asyncio.Event] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class FailPoints:
    """Implements `ports.Interventions`; everything is apart for each principal and forgotten at the end."""

    def __init__(self, die: Callable[[], None] = die) -> None:
        self._die = die
        self._armed: dict[tuple[str, Point, int], _Armed] = {}
        self._gates: defaultdict[str, _Gate] = defaultdict(_Gate)

    def arm(self, principal: str, point: Point, action: Action, hit_count: int, sequence: int = NO_SEQUENCE) -> None:
        """Let trouble strike `hit_count` times (1 or more); `sequence` counts for WHILE_DECIDING only."""
        key_sequence = sequence if point is Point.WHILE_DECIDING else NO_SEQUENCE
        self._armed[principal, point, key_sequence] = _Armed(action, hit_count)

    async def await_held(self, principal: str) -> None:
        """Wait until a submission of the principal is held; at once when one is."""
        await self._gates[principal].arrived.wait()

    def release(self, principal: str) -> None:
        """Disarm the principal's fail points and let go what is held there."""
        for key in [key for key in self._armed if key[0] == principal]:
            del self._armed[key]
        gate = self._gates[principal]
        gate.arrived.clear()
        for event in gate.held:
            event.set()
        gate.held.clear()

    async def before_commit(self, principal: str) -> None:
        """Strike where everything is decided and nothing durable."""
        await self._strike(principal, Point.BEFORE_COMMIT)

    async def after_commit(self, principal: str) -> None:
        """Strike where everything is durable and the answer has not left."""
        await self._strike(principal, Point.AFTER_COMMIT)

    def while_deciding(self, principal: str, sequence: int) -> None:
        """Strike inside one decision; raises InjectedError."""
        if self._take(principal, Point.WHILE_DECIDING, sequence) is Action.THROW:
            raise InjectedError(f"fail point while deciding sequence {sequence}")

    async def _strike(self, principal: str, point: Point) -> None:
        action = self._take(principal, point, NO_SEQUENCE)
        if action is Action.ABORT:
            self._die()
        elif action is Action.HOLD:
            gate = self._gates[principal]
            released = asyncio.Event()
            gate.held.append(released)
            gate.arrived.set()
            await released.wait()

    def _take(self, principal: str, point: Point, sequence: int) -> Action | None:
        armed = self._armed.get((principal, point, sequence))
        if armed is None:
            return None
        armed.hits_left -= 1
        if armed.hits_left == 0:
            del self._armed[principal, point, sequence]
        return armed.action
