"""What a vendor offers to be tested by, from the least to the most."""

from __future__ import annotations

from cartsync.conformance.v1 import report_pb2

BLACK_BOX = report_pb2.TIER_BLACK_BOX
CONTROL = report_pb2.TIER_CONTROL
LAUNCH = report_pb2.TIER_LAUNCH


def tier_of(control_address: str, *, launched: bool) -> report_pb2.Tier.ValueType:
    """The tier of a target; a launched server without a control service is a black box that can be killed."""
    if not control_address:
        return BLACK_BOX
    return LAUNCH if launched else CONTROL
