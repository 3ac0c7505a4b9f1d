"""The server's contract in figures, checked against the floors of the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cartsync.v1 import policy_pb2

from reference_server.engine import instants

_FLOORS: dict[str, int | timedelta] = {
    "replay_window": timedelta(hours=72),
    "queue_retention": timedelta(days=400),
    "max_operation_bytes": 16_384,
    "max_submission_operation_count": 100,
    "max_submission_bytes": 1_048_576,
    "max_line_quantity": 99,
    "max_line_count": 100,
}
# Above these a line total or subtotal could leave int64; see ports.MAX_UNIT_PRICE_MINOR.
_CEILINGS: dict[str, int] = {"max_line_quantity": 99_999, "max_line_count": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the server promises; the defaults are the reference values.

    Raises ValueError naming the field when a figure is below the protocol's floor.
    spec: policy/retention-floors, policy/limit-floors
    """

    replay_window: timedelta = timedelta(days=7)
    outcome_retention: timedelta = timedelta(days=30)
    queue_retention: timedelta = timedelta(days=400)
    max_operation_bytes: int = 32_768
    max_submission_operation_count: int = 500
    max_submission_bytes: int = 4_194_304
    catalog_staleness: timedelta = timedelta(0)
    max_line_quantity: int = 99_999
    max_line_count: int = 500
    quarantine_attempt_count: int = 5
    features: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ("core", "streaming")
    # Not on the wire: what DEFERRED answers for the server's own troubles ask the client to wait.
    trouble_retry_delay: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        for name, floor in _FLOORS.items():
            if getattr(self, name) < floor:
                raise ValueError(f"{name} is {getattr(self, name)}, but the protocol promises at least {floor}")
        for name, ceiling in _CEILINGS.items():
            if getattr(self, name) > ceiling:
                raise ValueError(f"{name} is {getattr(self, name)}; totals stay exact only up to {ceiling}")
        if self.outcome_retention < self.replay_window + timedelta(hours=24):
            raise ValueError("outcome_retention must be at least replay_window and 24 hours more")
        if not 1 <= self.quarantine_attempt_count <= 100:
            raise ValueError(f"quarantine_attempt_count is {self.quarantine_attempt_count}; use 1 to 100")
        if self.trouble_retry_delay <= timedelta(0):
            raise ValueError("trouble_retry_delay must be longer than nothing")
        if "core" not in self.profiles:
            raise ValueError('profiles must list "core"')

    def message(self) -> policy_pb2.SyncPolicy:
        """The policy as it goes on the wire (spec: policy/complete)."""
        return policy_pb2.SyncPolicy(
            key_scope=policy_pb2.KEY_SCOPE_QUEUE,
            replay_behavior=policy_pb2.REPLAY_BEHAVIOR_VERBATIM,
            replay_window=instants.duration(self.replay_window),
            outcome_retention=instants.duration(self.outcome_retention),
            queue_retention=instants.duration(self.queue_retention),
            max_operation_bytes=self.max_operation_bytes,
            max_submission_operation_count=self.max_submission_operation_count,
            max_submission_bytes=self.max_submission_bytes,
            catalog_staleness=instants.duration(self.catalog_staleness),
            max_line_quantity=self.max_line_quantity,
            max_line_count=self.max_line_count,
            quarantine_attempt_count=self.quarantine_attempt_count,
            features=sorted(self.features),
            profiles=sorted(self.profiles),
        )
