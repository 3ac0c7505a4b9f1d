"""What is not written down at all, because no server could ever accept it (spec: section 15.8). Pure.

Stands before the only door to the disk, so it holds for every way in: the command line, the library, whatever is
enqueued again. What an older policy did not list is asked of the last one seen; before any was seen only the floors
count, and the drain looks again when it knows (`unoffered`).
"""

from __future__ import annotations

from cartsync.v1 import operation_pb2, policy_pb2

from reference_client.card_numbers import card_number_field
from reference_client.exceptions import InvalidIntentError
from reference_client.intents import profile_of

_FLOOR_BYTES = 16_384
_OVERHEAD_BYTES = 160
"""Room for what is added when an intent becomes an operation: two keys, the sequence, the time."""


def admit(operation: operation_pb2.CartOperation, policy: policy_pb2.SyncPolicy | None) -> None:
    """Raises `InvalidIntentError` when the operation could never be accepted. The error repeats nothing of it."""
    field = card_number_field(operation)
    if field is not None:
        raise InvalidIntentError(
            field, "holds what looks like a payment card number. It was not kept anywhere; leave it out"
        )
    most = max(_FLOOR_BYTES, policy.max_operation_bytes if policy is not None else 0)
    if operation.ByteSize() + _OVERHEAD_BYTES > most:
        raise InvalidIntentError("intent", f"is too large: all of it must fit into {most:,} bytes")
    if policy is None:
        return
    if unoffered(operation, policy):
        raise InvalidIntentError("intent", f"this server does not offer {offer_of(operation)}; nothing was kept")
    missing = sorted(set(operation.required_features) - set(policy.features))
    if missing:
        raise InvalidIntentError("required-features", f"this server lacks {', '.join(missing)}")


def unoffered(operation: operation_pb2.CartOperation, policy: policy_pb2.SyncPolicy) -> bool:
    """Whether the operation is of a profile that the policy does not list, and so must not be sent."""
    profile = profile_of(operation)
    return profile != "core" and profile not in policy.profiles


def offer_of(operation: operation_pb2.CartOperation) -> str:
    """The profile of an operation, for people."""
    return profile_of(operation).replace("_", " ")
