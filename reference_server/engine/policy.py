"""The server's contract in figures, checked against the floors of the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cartsync.v1 import policy_pb2

from reference_server.engine import instants
from reference_server.profiles import PROFILES

__all__ = ["PROFILES", "Policy"]

_FLOORS: dict[str, int | timedelta] = {
    "replay_window": timedelta(hours=72),
    "queue_retention": timedelta(days=400),
    "max_operation_bytes": 16_384,
    "max_submission_operation_count": 100,
    "max_submission_bytes": 1_048_576,
    "max_line_quantity": 99,
    "max_line_count": 100,
    "max_coupon_count": 1,
    "max_wishlist_entry_count": 100,
    "max_address_count": 10,
    "max_payment_method_count": 5,
}
_CEILINGS: dict[str, tuple[int, str]] = {
    # See ports.MAX_UNIT_PRICE_MINOR.
    "max_line_quantity": (99_999, "totals stay exact only up to"),
    "max_line_count": (500, "totals stay exact only up to"),
    "max_coupon_count": (20, "the protocol allows at most"),
    "max_wishlist_entry_count": (5_000, "the protocol allows at most"),
    "max_address_count": (200, "the protocol allows at most"),
    "max_payment_method_count": (100, "the protocol allows at most"),
}
# On the wire the limit of a profile that is not listed is 0.
_PROFILE_LIMITS = {
    "max_coupon_count": "coupons",
    "max_wishlist_entry_count": "wishlist",
    "max_address_count": "address_book",
    "max_payment_method_count": "payment_methods",
}


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
    profiles: tuple[str, ...] = PROFILES
    max_coupon_count: int = 10
    max_wishlist_entry_count: int = 500
    max_address_count: int = 50
    max_payment_method_count: int = 20
    # Not on the wire: what DEFERRED answers for the server's own troubles ask the client to wait.
    trouble_retry_delay: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        for name, floor in _FLOORS.items():
            if getattr(self, name) < floor:
                raise ValueError(f"{name} is {getattr(self, name)}, but the protocol promises at least {floor}")
        for name, (ceiling, why) in _CEILINGS.items():
            if getattr(self, name) > ceiling:
                raise ValueError(f"{name} is {getattr(self, name)}; {why} {ceiling}")
        if self.outcome_retention < self.replay_window + timedelta(hours=24):
            raise ValueError("outcome_retention must be at least replay_window and 24 hours more")
        if not 1 <= self.quarantine_attempt_count <= 100:
            raise ValueError(f"quarantine_attempt_count is {self.quarantine_attempt_count}; use 1 to 100")
        if self.trouble_retry_delay <= timedelta(0):
            raise ValueError("trouble_retry_delay must be longer than nothing")
        if "core" not in self.profiles:
            raise ValueError('profiles must list "core"')
        unknown = sorted(set(self.profiles) - set(PROFILES))
        if unknown:
            raise ValueError(f"profiles lists {unknown[0]!r}, but this server has {', '.join(PROFILES)} only")

    def has_profile(self, name: str) -> bool:
        """Whether the policy lists the profile; what it does not list is not there (spec: compat/unlisted-profile)."""
        return name in self.profiles

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
            profiles=sorted(set(self.profiles)),
            **self._profile_limits(),
        )

    def _profile_limits(self) -> dict[str, int]:
        return {name: getattr(self, name) for name, profile in _PROFILE_LIMITS.items() if self.has_profile(profile)}
