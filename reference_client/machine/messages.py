"""What the machine asks its shell to do, and what the shell reports back.

A *command* is carried out whole before its *event* is handed in; there is never more than one under way. Commands
that touch the durable queue are on disk when their event is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

from cartsync.v1 import outcome_pb2, policy_pb2, service_pb2

from reference_client.machine.values import (
    CallFailure,
    Cause,
    Notice,
    PendingOperation,
    Settlement,
    StopReason,
)

# ---- commands ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskPolicy:
    """Call `GetSyncPolicy`. Answered by `PolicyReceived` or `CallFailed`."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Write down whose queue it is and which store was seen, before anything of it is sent. `Stored`."""

    principal: str
    store_id: str
    policy: policy_pb2.SyncPolicy


@dataclass(frozen=True, slots=True)
class Open:
    """Open a stream (or learn the watermark by a unary call). `Opened` or `CallFailed`."""

    store_id: str
    principal: str


@dataclass(frozen=True, slots=True)
class Load:
    """Read the operations above `after`, ascending, at most `limit`. `Loaded`."""

    after: int
    limit: int


@dataclass(frozen=True, slots=True)
class MarkSent:
    """Write down that these operations were sent, and their ages. `Marked`, before the first byte leaves."""

    operations: tuple[PendingOperation, ...]


@dataclass(frozen=True, slots=True)
class Submit:
    """Send these operations as one submission. `Answered` or `CallFailed`."""

    store_id: str
    principal: str
    operations: tuple[PendingOperation, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Write down, in one transaction, what was learnt. `Stored`."""

    settlements: tuple[Settlement, ...]
    notices: tuple[Notice, ...]
    confirmed_through: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait so long, or give up for now. `Woken`."""

    seconds: float
    cause: Cause
    message: str
    keep_connection: bool = False
    """The connection is in order; otherwise close it."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Call `LookupOutcomes` under this store id. `LookedUp` or `CallFailed`."""

    store_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Settle what the changed store has decided and re-enqueue the rest in a new queue, in one transaction.

    `Rebuilt` when the queue was replaced, `Stored` when it was halted because another copy of it is alive.
    """

    store_id: str
    watermark: int
    statuses: tuple[service_pb2.SequenceStatus, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """Write down that this queue is in conflict and stays with the shopper from now on. `Stored`."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Drained:
    """Ending: everything enqueued is decided."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Ending: nothing was lost and nothing more can be done until somebody acts."""

    reason: StopReason
    message: str


@dataclass(frozen=True, slots=True)
class Halted:
    """Ending: the queue is in conflict; what remains of it waits for the shopper."""

    message: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """Ending: the queue was retired after the store had changed. Its successor is drained by a new machine."""


Ending = Drained | Stopped | Halted | Replaced
Command = AskPolicy | Bind | Open | Load | MarkSent | Submit | Record | Wait | LookUp | Rebuild | Halt | Ending

# ---- events --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The shell holds the queue's lock and begins."""


@dataclass(frozen=True, slots=True)
class PolicyReceived:
    """`GetSyncPolicy` was answered."""

    store_id: str
    principal: str
    policy: policy_pb2.SyncPolicy


@dataclass(frozen=True, slots=True)
class Opened:
    """The server knows who we are and says how far the queue has come."""

    store_id: str
    watermark: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The operations asked for, and the last sequence ever assigned in this queue."""

    operations: tuple[PendingOperation, ...]
    last_sequence: int


@dataclass(frozen=True, slots=True)
class Marked:
    """The mark is on disk; the operations now carry their ages."""

    operations: tuple[PendingOperation, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The submission was answered."""

    store_id: str
    watermark: int
    results: tuple[outcome_pb2.OperationResult, ...]


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The call ended without a usable answer. What it carried is in doubt."""

    failure: CallFailure


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What was decided, under the store id asked for."""

    store_id: str
    watermark: int
    statuses: tuple[service_pb2.SequenceStatus, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was to be written down is on disk."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The queue is retired and has a successor."""


@dataclass(frozen=True, slots=True)
class Woken:
    """The time to wait is over."""


Event = (
    Started | PolicyReceived | Opened | Loaded | Marked | Answered | CallFailed | LookedUp | Stored | Rebuilt | Woken
)
