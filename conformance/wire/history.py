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
class Status:
    """How a call ended: the status code by name, what was said with it, its details, and what trailed behind."""

    code: str
    message: str = ""
    details: tuple[Message, ...] = ()  # of google.rpc.Status, those that are known
    metadata: tuple[tuple[str, str], ...] = ()  # trailing, without secrets

    def as_json(self) -> dict[str, Any]:
        """The status for a failure file; details in proto3 JSON form under their names."""
        entry: dict[str, Any] = {"code": self.code}
        if self.message:
            entry["message"] = self.message
        if self.details:
            entry["details"] = [{detail.DESCRIPTOR.full_name: MessageToDict(detail)} for detail in self.details]
        if self.metadata:
            entry["trailing_metadata"] = [list(pair) for pair in self.metadata]
        return entry


@dataclass(frozen=True, slots=True)
class Wire:
    """What an event is on the wire.

    A control call has its answer beside it; the cart service's calls are two events, one for each direction.
    """

    direction: str  # "sent" or "received"
    method: str  # "package.Service/Method"
    credential: str = ""  # which of the attempt's credentials, by a name that is no secret
    status: Status | None = None  # of a call that ended
    answer: Message | None = None  # of a control call


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
    wire: Wire | None = None
    quiet: bool = False  # in the failure file, but not worth a place in the timeline

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
        if self.wire is not None:
            entry["direction"] = self.wire.direction
            entry["method"] = self.wire.method
            if self.wire.credential:
                entry["credential"] = self.wire.credential
        if self.message is not None:
            entry["message"] = {self.message.DESCRIPTOR.name: MessageToDict(self.message)}
        if self.wire is not None and self.wire.answer is not None:
            entry["answer"] = {self.wire.answer.DESCRIPTOR.name: MessageToDict(self.wire.answer)}
        if self.wire is not None and self.wire.status is not None:
            entry["status"] = self.wire.status.as_json()
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

    def add(
        self,
        lane: Lane,
        title: str,
        *,
        actor: str = "",
        detail: str = "",
        message: Message | None = None,
        wire: Wire | None = None,
        quiet: bool = False,
    ) -> None:
        """Write down that something happened now."""
        with self._lock:
            self._events.append(Event(self._now(), lane, actor, title, detail, message, wire=wire, quiet=quiet))

    def add_control(self, name: str, request: Message, wire: Wire) -> None:
        """Write down a control call: with what the shop was just said to do, or quietly by itself."""
        with self._lock:
            last = self._events[-1] if self._events else None
            if last is not None and last.lane is Lane.SHOP and last.wire is None:
                self._events[-1] = replace(last, message=request, wire=wire)
            else:
                self._events.append(Event(self._now(), Lane.SHOP, "control", name, "", request, wire=wire, quiet=True))

    def _now(self) -> float:
        now = self.monotonic()
        if self._start is None:
            self._start = now
        return now - self._start

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
