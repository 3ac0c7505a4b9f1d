"""Who may use the server under test now, when several processes test the same one.

Most checks keep to a principal of their own and go on beside each other. Some do what everybody notices: they move the
clock, put the store back, hold a submission. Those are alone with the server. It is a lock of readers and writers over
two files: whoever wants the server passes the gate, so one who waits to be alone is not overtaken for ever by others
who come and go. The operating system lets go of both when a process dies.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class ServerLock:
    """The lock of one run; `folder` is the same for all its processes, each of which has a lock object of its own."""

    def __init__(self, folder: Path) -> None:
        self._gate = folder / "gate.lock"
        self._server = folder / "server.lock"

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Use the server beside others, while nobody is alone with it."""
        with self._entered(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Use the server while nobody else does."""
        with self._entered(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _entered(self, kind: int) -> Iterator[None]:
        with self._server.open("ab") as server:
            with self._gate.open("ab") as gate:
                _lock(gate, fcntl.LOCK_EX)
                _lock(server, kind)
            yield


def _lock(file: IO[bytes], kind: int) -> None:
    fcntl.flock(file, kind)  # let go when the file is closed
