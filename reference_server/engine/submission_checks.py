"""Checks of a request as a whole (chapter 2): what is wrong here is the client's bug and ends the call.

Each function returns violations as (path from the request, what is wrong and what would be right), in the order
of the fields; none means that the request may be processed. Nothing here looks at the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cartsync.v1 import operation_pb2

from reference_server.engine.identifiers import CANONICAL_FORM, CART_ID_FORM, is_canonical_uuid, is_cart_id
from reference_server.engine.policy import Policy

Violation = tuple[str, str]


def violations(attempts: Sequence[operation_pb2.OperationAttempt], policy: Policy) -> list[Violation]:
    """What is wrong with the attempts of a submission (spec: submission/*)."""
    if not attempts:
        return [("attempts", "is empty; send at least one attempt")]
    limit = policy.max_submission_operation_count
    if len(attempts) > limit:
        return [("attempts", f"has {len(attempts)} operations; send at most {limit} at a time")]
    return list(_attempt_violations(attempts))


def queue_id_violations(queue_id: str, path: str = "queue_id") -> list[Violation]:
    """Spec: submission/canonical-queue-id."""
    return [] if is_canonical_uuid(queue_id) else [(path, CANONICAL_FORM)]


def cart_id_violations(cart_id: str, path: str = "cart_id") -> list[Violation]:
    """Spec: snapshot/arguments."""
    return [] if is_cart_id(cart_id) else [(path, CART_ID_FORM)]


def expected_principal_violations(expected_principal: str, path: str = "expected_principal") -> list[Violation]:
    """Spec: identity/expected-principal-required. That it is the caller's is checked apart, with another code."""
    return [] if expected_principal else [(path, "is empty; send the principal that GetSyncPolicy answered")]


def lookup_range_violations(first_sequence: int, last_sequence: int, policy: Policy) -> list[Violation]:
    """Spec: lookup/range-checked."""
    if first_sequence < 1:
        return [("first_sequence", "is below 1; sequences start at 1")]
    if last_sequence < first_sequence:
        return [("last_sequence", "is below first_sequence; the range must hold at least one sequence")]
    limit = policy.max_submission_operation_count
    if last_sequence - first_sequence + 1 > limit:
        return [("last_sequence", f"makes the range too long; ask for at most {limit} sequences")]
    return []


def _attempt_violations(attempts: Sequence[operation_pb2.OperationAttempt]) -> Iterator[Violation]:
    expected_sequence: int | None = None
    for index, attempt in enumerate(attempts):
        path = f"attempts[{index}].operation"
        if not attempt.HasField("operation"):
            yield path, "is missing; every attempt carries its operation"
            expected_sequence = None if expected_sequence is None else expected_sequence + 1
            continue
        operation = attempt.operation
        if not is_canonical_uuid(operation.idempotency_key):
            yield f"{path}.idempotency_key", CANONICAL_FORM
        if operation.sequence < 1:
            yield f"{path}.sequence", "is below 1; sequences start at 1"
        elif expected_sequence is not None and operation.sequence != expected_sequence:
            yield f"{path}.sequence", f"must be {expected_sequence}, the successor of the operation before it"
        expected_sequence = operation.sequence + 1
        yield from _link_violations(operation, path)
        yield from _discard_violations(operation, path)


def _link_violations(operation: operation_pb2.CartOperation, path: str) -> Iterator[Violation]:
    path = f"{path}.previous_key"
    if operation.sequence == 1:
        if operation.previous_key:
            yield path, "must be empty at sequence 1; nothing comes before it"
    elif not operation.previous_key:
        yield path, "is empty; above sequence 1 it names the operation before"
    elif not is_canonical_uuid(operation.previous_key):
        yield path, CANONICAL_FORM


def _discard_violations(operation: operation_pb2.CartOperation, path: str) -> Iterator[Violation]:
    if operation.WhichOneof("intent") != "discard":
        return
    path = f"{path}.discard.discarded_key"
    if not is_canonical_uuid(operation.discard.discarded_key):
        yield path, CANONICAL_FORM
    elif operation.discard.discarded_key == operation.idempotency_key:
        yield path, "must not be the discard's own idempotency_key; a discard has a key of its own"
