"""What a network does to one connection: a fault as a frozen value, and the state machine that carries it out.

Theory of operation. A relay is told of every frame that comes from either side, and says what becomes of it as a list
of actions; it reads no clock and touches no socket. A fault strikes once, at the first frame that begins it:

| harm            | strikes at the first     | and then |
|-----------------|--------------------------|----------|
| CUT_BEFORE_SEND | HEADERS of the client    | both sides are cut, and the server has seen no request |
| CUT_REQUEST     | DATA of the client       | `after` bytes of the frame are delivered, both sides are cut |
| CUT_ANSWER      | DATA of the server       | `after` bytes of the frame are delivered, both sides are cut |
| LOSE_ANSWER     | DATA of the server       | it is thrown away, both sides are cut; what it answers was committed |
| ZOMBIE          | DATA of the client       | it is kept, the client is cut; `release` delivers it to the server |
| HOLD_ANSWER     | DATA of the server       | it and all behind it are kept until `release` delivers them |
| DRIP            | DATA of the client       | it arrives `after` bytes at a time |

One Sync stream cannot be answered in another order by a network: TCP keeps it. Two connections can, by HOLD_ANSWER.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from conformance.faults.frames import DATA, HEADERS, Frame


class Harm(StrEnum):
    """What is done."""

    CUT_BEFORE_SEND = "cut_before_send"
    CUT_REQUEST = "cut_request"
    CUT_ANSWER = "cut_answer"
    LOSE_ANSWER = "lose_answer"
    ZOMBIE = "zombie"
    HOLD_ANSWER = "hold_answer"
    DRIP = "drip"


@dataclass(frozen=True, slots=True)
class Fault:
    """One harm. `after` counts bytes of the frame it strikes, header included; `reset`: cut with RST, not with FIN."""

    harm: Harm
    after: int = 0
    reset: bool = False


class Side(StrEnum):
    """An end of the connection."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Deliver:
    """Bytes go to a side, as one or in `pieces`."""

    to: Side
    content: bytes
    piece: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection to a side ends."""

    side: Side
    reset: bool


@dataclass(frozen=True, slots=True)
class Note:
    """What the history is to say."""

    text: str


Action = Deliver | Cut | Note


@dataclass
class Relay:
    """One connection under a fault."""

    fault: Fault | None
    struck: bool = False
    _kept: list[bytes] = field(default_factory=list)

    def from_client(self, frame: Frame) -> list[Action]:
        """What becomes of a frame of the client's."""
        fault = self.fault
        if fault is None:
            return [Deliver(Side.SERVER, frame.encoded)]
        if self.struck and fault.harm is Harm.ZOMBIE:
            self._kept.append(frame.encoded)
            return []
        match fault.harm:
            case Harm.CUT_BEFORE_SEND if frame.kind == HEADERS:
                return self._cut(f"cut before {len(frame.encoded)} bytes of headers left")
            case Harm.CUT_REQUEST if frame.kind == DATA:
                part = frame.encoded[: fault.after]
                told = f"cut after {len(part)} of {len(frame.encoded)} bytes of the request"
                return [Deliver(Side.SERVER, part), *self._cut(told)]
            case Harm.ZOMBIE if frame.kind == DATA:
                self.struck = True
                self._kept.append(frame.encoded)
                told = f"cut the client off and kept {len(frame.encoded)} bytes of its request"
                return [Cut(Side.CLIENT, fault.reset), Note(told)]
            case Harm.DRIP if frame.kind == DATA:
                told = f"let {len(frame.encoded)} bytes of the request through, {max(1, fault.after)} at a time"
                return [Note(told), Deliver(Side.SERVER, frame.encoded, max(1, fault.after))]
        return [Deliver(Side.SERVER, frame.encoded)]

    def from_server(self, frame: Frame) -> list[Action]:
        """What becomes of a frame of the server's."""
        fault = self.fault
        if fault is None:
            return [Deliver(Side.CLIENT, frame.encoded)]
        if self.struck and fault.harm is Harm.HOLD_ANSWER:
            self._kept.append(frame.encoded)
            return []
        match fault.harm:
            case Harm.LOSE_ANSWER if frame.kind == DATA:
                return self._cut(f"threw away {frame.content_count} bytes of the answer")
            case Harm.CUT_ANSWER if frame.kind == DATA:
                part = frame.encoded[: fault.after]
                told = f"cut after {len(part)} of {len(frame.encoded)} bytes of the answer"
                return [Deliver(Side.CLIENT, part), *self._cut(told)]
            case Harm.HOLD_ANSWER if frame.kind == DATA:
                self.struck = True
                self._kept.append(frame.encoded)
                return [Note(f"holds {frame.content_count} bytes of the answer")]
        return [Deliver(Side.CLIENT, frame.encoded)]

    def release(self) -> list[Action]:
        """Deliver what was kept."""
        kept, self._kept, fault = b"".join(self._kept), [], self.fault
        if not kept or fault is None:
            return []
        to = Side.SERVER if fault.harm is Harm.ZOMBIE else Side.CLIENT
        self.fault = None
        return [Note(f"delivers {len(kept)} bytes it had kept to the {to}"), Deliver(to, kept)]

    def _cut(self, told: str) -> list[Action]:
        reset = self.fault is not None and self.fault.reset
        self.struck = True
        return [Note(told), Cut(Side.CLIENT, reset), Cut(Side.SERVER, reset)]
