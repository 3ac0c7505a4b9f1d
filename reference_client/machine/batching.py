"""How many operations go into one submission (spec: submission/floors)."""

from __future__ import annotations

from collections.abc import Sequence

from reference_client.machine.values import Limits, PendingOperation

_ENVELOPE_BYTES = 1_024
"""Room for everything in a submission but its attempts: store id, queue id, principal."""

_ATTEMPT_BYTES = 40
"""Room around each encoded operation: tags, lengths, and the age."""


def fit(operations: Sequence[PendingOperation], limits: Limits) -> tuple[PendingOperation, ...]:
    """The longest prefix of `operations` that one submission may carry, and at least one.

    One that is too large alone is sent alone: the server says so, and only the server's word moves a queue.
    """
    room = limits.submission_bytes - _ENVELOPE_BYTES
    count = 0
    for operation in operations[: limits.operation_count]:
        room -= len(operation.outgoing_payload) + _ATTEMPT_BYTES
        if room < 0 and count > 0:
            break
        count += 1
    return tuple(operations[:count])
