"""Who waits to be served: each at most once, and by one worker at a time."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class WaitingLine(Generic[_Item]):
    """A line of items for several workers. An item added while it is being served is served once more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[_Item, None] = {}
        self._served: set[_Item] = set()
        self._closed = False
        self._error: Exception | None = None

    def add(self, item: _Item) -> None:
        """Puts an item at the end, unless it waits already."""
        with self._changed:
            self._waiting[item] = None
            self._changed.notify_all()

    def take(self) -> _Item | None:
        """The first item that nobody serves; waits for one. None when the line was closed."""
        with self._changed:
            while not self._closed:
                for item in self._waiting:
                    if item not in self._served:
                        del self._waiting[item]
                        self._served.add(item)
                        return item
                self._changed.wait()
            return None

    def finish(self, item: _Item, *, again: bool) -> None:
        """The item was served; `again` puts it at the end once more."""
        with self._changed:
            self._served.discard(item)
            if again:
                self._waiting[item] = None
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """A worker cannot go on: the line is closed, and `check` and `wait_until_empty` raise the error."""
        with self._changed:
            self._error = self._error or error
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Sends the workers home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raises the error of a worker that failed."""
        with self._changed:
            if self._error is not None:
                raise self._error

    def wait_until_empty(self, seconds: float) -> bool:
        """Waits until nobody waits and nobody is served. False when that took longer than `seconds`."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._error is not None or not (self._waiting or self._served), seconds
            )
            if self._error is not None:
                raise self._error
            return done
