"""Builds refusals. State and disposition come from the reason table in `reason.proto` and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cartsync.v1 import outcome_pb2, reason_pb2

from reference_server.engine import instants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cartsync.v1 import money_pb2

Reason = reason_pb2.Reason

REASON_POLICIES: dict[int, reason_pb2.ReasonPolicy] = {
    value.number: value.GetOptions().Extensions[reason_pb2.reason_policy]
    for value in reason_pb2.Reason.DESCRIPTOR.values
    if value.number != reason_pb2.REASON_UNSPECIFIED
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer that an operation was not applied; the reason's policy says what follows from it."""

    refusal: outcome_pb2.Refusal

    @property
    def policy(self) -> reason_pb2.ReasonPolicy:
        """The reason's table entry."""
        return REASON_POLICIES[self.refusal.reason]


def refuse(
    reason: reason_pb2.Reason.ValueType,
    message: str,
    *,
    retry_delay: timedelta | None = None,
    expected_sequence: int | None = None,
    available_quantity: int | None = None,
    current_unit_price: money_pb2.Money | None = None,
    field_violations: Iterable[outcome_pb2.FieldViolation] = (),
    unsupported_features: Iterable[str] = (),
) -> Refused:
    """A refusal with the details that `Refusal` names for the reason (spec: answers/details)."""
    return Refused(
        outcome_pb2.Refusal(
            reason=reason,
            disposition=REASON_POLICIES[reason].disposition,
            message=message,
            retry_delay=None if retry_delay is None else instants.duration(retry_delay),
            expected_sequence=expected_sequence,
            available_quantity=available_quantity,
            current_unit_price=current_unit_price,
            field_violations=field_violations,
            unsupported_features=unsupported_features,
        )
    )
