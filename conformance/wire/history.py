"""What happened in one attempt, in order: the evidence that a failure file and a timeline are made of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from cartsync.conformance.v1 import report_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


class Lane(Enum):
    """Who acts; the value is the lane of the report's timeline."""

    DEVICE = report_pb2.LANE_DEVICE
    NETWORK = report_pb2.LANE_NETWORK
    SERVER = report_pb2.LANE_SERVER
    SHOP = report_pb2.LANE_SHOP


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `message` is what went over the wire with it, if anything did."""

    offset_seconds: float  # since the attempt began
    lane: Lane
    actor: str  # which of several, for example "phone"; may be empty
    title: str
    detail: str = ""
    message: Message | None = None
    culprit: bool = False

    def as_json(self) -> dict[str, Any]:
        """The event for a failure file, with the message in proto3 JSON form."""
        entry: dict[str, Any] = {
            "offset_seconds": round(self.offset_seconds, 6),
            "lane": self.lane.name.lower(),
            "actor": self.actor,
            "title": self.title,
        }
        if self.detail:
            entry["detail"] = self.detail
        if self.message is not None:
            entry["message"] = {self.message.DESCRIPTOR.name: MessageToDict(self.message)}
        if self.culprit:
            entry["culprit"] = True
        return entry


@dataclass
class History:
    """The events of one attempt; safe to write to from several threads."""

    monotonic: Callable[[], float] = time.monotonic
    _events: list[Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _start: float | None = None

    def add(self, lane: Lane, title: str, *, actor: str = "", detail: str = "", message: Message | None = None) -> None:
        """Write down that something happened now."""
        with self._lock:
            now = self.monotonic()
            if self._start is None:
                self._start = now
            self._events.append(Event(now - self._start, lane, actor, title, detail, message))

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything so far, in order."""
        with self._lock:
            return tuple(self._events)

    def blamed(self) -> tuple[Event, ...]:
        """Everything so far, with the last thing the server did marked as the culprit."""
        events = list(self.events)
        for index in range(len(events) - 1, -1, -1):
            if events[index].lane is Lane.SERVER:
                events[index] = replace(events[index], culprit=True)
                break
        return tuple(events)
