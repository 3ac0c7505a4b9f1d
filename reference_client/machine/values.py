"""The values that the sync machine, the durable queue and the drainer hand to each other. All are frozen."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from cartsync.v1 import outcome_pb2, policy_pb2


@dataclass(frozen=True, slots=True)
class PendingDiscard:
    """The shopper's wish to cancel one operation. It goes out at that operation's sequence, in its place."""

    key: str
    payload: bytes = field(repr=False)
    too_late: bool = False
    """The server has said that the sequence was decided by another key: the original is sent again, behind
    the watermark, to learn what became of it."""


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """One operation whose outcome this client does not know."""

    sequence: int
    key: str
    payload: bytes = field(repr=False)
    """The encoded `CartOperation`, as it was when it was enqueued and as it will be at every attempt."""
    age_ns: int | None = None
    """Its age at first send in nanoseconds; None while it is unsent, or when the age is unknown."""
    sent: bool = False
    """It may have reached the server. Once true this never becomes false."""
    discard: PendingDiscard | None = None

    @property
    def sends_discard(self) -> bool:
        """Whether what leaves at this sequence is the discard."""
        return self.discard is not None and not self.discard.too_late

    @property
    def outgoing_key(self) -> str:
        """The key of what leaves at this sequence, by which the answer is matched."""
        return self.discard.key if self.discard is not None and self.sends_discard else self.key

    @property
    def outgoing_payload(self) -> bytes:
        """The encoded operation that leaves at this sequence."""
        return self.discard.payload if self.discard is not None and self.sends_discard else self.payload


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What the client durably knows of a queue when it begins to drain it."""

    queue_id: str
    principal: str = ""
    """Whose queue it is, for life; empty until the first contact has bound it."""
    store_id: str = ""
    """The store last seen; empty: none yet."""
    confirmed_through: int = 0
    """Every operation up to this sequence has an outcome on this device."""


class Fate(enum.Enum):
    """What became of one operation, as far as this client is concerned."""

    APPLIED = "applied"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"
    """Decided so long ago that the server's record is gone: nobody knows any more whether it was applied."""
    DISCARD_TOO_LATE = "discard_too_late"
    """Not a fate of the operation but of its discard: the original was first. The operation stays pending
    until its own outcome is known."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One thing learnt from the server about one sequence, to be made durable."""

    sequence: int
    fate: Fate
    outcome: outcome_pb2.Outcome
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the shopper should be told."""

    kind: str
    """A stable name for programs, for example `price_changed` or `rejected`."""
    message: str
    sequence: int = 0
    """The operation it is about; 0: the queue as a whole."""
    needs_action: bool = False
    """Whether it is for the shopper to do something, rather than to know."""


class Cause(enum.Enum):
    """Why the client waits."""

    UNREACHABLE = "unreachable"
    """The server was not reached, or the call broke off. All that was under way is in doubt."""
    DEFERRED = "deferred"
    """The server answered: not now."""


class StopReason(enum.Enum):
    """Why the client stops although operations may remain. They stay as they are."""

    UNAUTHENTICATED = "unauthenticated"
    PRINCIPAL_MISMATCH = "principal_mismatch"
    REQUEST_INVALID = "request_invalid"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class CallFailure:
    """How a call ended that did not end well. Names are those of gRPC status codes and `ErrorInfo` reasons."""

    code: str
    reason: str = ""
    message: str = ""
    field: str = ""
    """The first offending field of an `INVALID_ARGUMENT`."""
    store_id: str = ""
    """The server's current store, with `STORE_CHANGED`."""
    retry_seconds: float = 0.0
    """The least to wait, from `RetryInfo`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one submission. The defaults hold before any policy was seen (spec: policy floors)."""

    operation_count: int = 100
    submission_bytes: int = 1_048_576

    @classmethod
    def of(cls, policy: policy_pb2.SyncPolicy) -> Limits:
        """The limits a policy grants, never below the floors that every server keeps."""
        floor = cls()
        return cls(
            operation_count=max(floor.operation_count, policy.max_submission_operation_count),
            submission_bytes=max(floor.submission_bytes, policy.max_submission_bytes),
        )
