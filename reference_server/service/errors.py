"""The status errors of the service table, with their rich details.

A handler raises `CallError`; the guard in front of every call turns it into the status that leaves. Details
follow google.rpc: ErrorInfo says which row of the table it is, BadRequest which field is wrong, RetryInfo when
to come again. They travel in the trailing metadata, which clients bound at about 8 KiB, so they are kept short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "cartsync.v1"
STATUS_DETAILS_KEY = "grpc-status-details-bin"

MAX_VIOLATIONS = 8
MAX_TEXT_LENGTH = 200

Violation = tuple[str, str]  # path of the field from the request, what is wrong and what would be right


class CallError(Exception):
    """Ends a call with a status. `reason` is its ErrorInfo.reason, empty when the table names none."""

    def __init__(
        self, code: grpc.StatusCode, message: str, *, reason: str = "", details: Sequence[Message] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.details = tuple(details)

    def status(self) -> status_pb2.Status:
        """The google.rpc.Status that travels in the trailing metadata."""
        packed = []
        for detail in self.details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        return status_pb2.Status(code=self.code.value[0], message=self.message, details=packed)

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The status as trailing metadata."""
        return ((STATUS_DETAILS_KEY, self.status().SerializeToString()),)


def _with_info(
    code: grpc.StatusCode,
    message: str,
    reason: str,
    *,
    metadata: Mapping[str, str] | None = None,
    details: Sequence[Message] = (),
    domain: str = DOMAIN,
) -> CallError:
    info = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata or {})
    return CallError(code, message, reason=reason, details=[info, *details])


def credential_invalid() -> CallError:
    """No, unknown or expired credential (spec: identity/credential-required)."""
    return _with_info(
        grpc.StatusCode.UNAUTHENTICATED,
        "The credential is missing, unknown to this server, or expired: send a valid one as "
        "`authorization: Bearer <token>`.",
        "CREDENTIAL_INVALID",
    )


def request_invalid(violations: Sequence[Violation], *, domain: str = DOMAIN) -> CallError:
    """Fields are wrong; `violations` has at least one (spec: errors/field-path)."""
    shown = [
        error_details_pb2.BadRequest.FieldViolation(
            field=field[:MAX_TEXT_LENGTH], description=description[:MAX_TEXT_LENGTH]
        )
        for field, description in violations[:MAX_VIOLATIONS]
    ]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return _with_info(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{shown[0].field}: {shown[0].description}{more}",
        "REQUEST_INVALID",
        details=[error_details_pb2.BadRequest(field_violations=shown)],
        domain=domain,
    )


def store_changed(current_store_id: str) -> CallError:
    """`store_id` is not the store's (spec: store/changed-refused, store/changed-names-current)."""
    return _with_info(
        grpc.StatusCode.FAILED_PRECONDITION,
        "The store is not the one the client last saw: look up what this one has decided.",
        "STORE_CHANGED",
        metadata={"store_id": current_store_id},
    )


def principal_mismatch() -> CallError:
    """`expected_principal` is another (spec: identity/expected-principal)."""
    return _with_info(
        grpc.StatusCode.FAILED_PRECONDITION,
        "The queue belongs to another principal than the credential: sign in again.",
        "PRINCIPAL_MISMATCH",
    )


def not_a_guest() -> CallError:
    """An account asks for a claim token (spec: claim/token)."""
    return _with_info(
        grpc.StatusCode.FAILED_PRECONDITION,
        "Only a guest has a cart that could be claimed, and the credential is that of an account.",
        "NOT_A_GUEST",
    )


def not_listed(profile: str) -> CallError:
    """The call belongs to a profile that the policy does not list."""
    return CallError(grpc.StatusCode.UNIMPLEMENTED, f"This server does not have the profile {profile}.")


def stream_superseded() -> CallError:
    """A newer stream of the same queue began (spec: sync/superseded)."""
    return _with_info(
        grpc.StatusCode.ABORTED,
        "A newer stream of this queue began: leave the queue to it.",
        "STREAM_SUPERSEDED",
    )


def unavailable(message: str, retry_delay: timedelta) -> CallError:
    """Not now; the client sends the same again after `retry_delay`."""
    return CallError(grpc.StatusCode.UNAVAILABLE, message, details=[_retry_info(retry_delay)])


def too_many_calls(retry_delay: timedelta) -> CallError:
    """The principal has more calls in work than it may; nothing of this one was looked at (spec: security/flood)."""
    return CallError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Too many calls of this principal at a time: wait for some to end, then send the same.",
        details=[_retry_info(retry_delay)],
    )


def _retry_info(retry_delay: timedelta) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromTimedelta(retry_delay)
    return error_details_pb2.RetryInfo(retry_delay=delay)


def internal() -> CallError:
    """The server failed. What happened stands in its log, never in the answer."""
    return CallError(
        grpc.StatusCode.INTERNAL, "The server failed to answer; what was sent is in doubt: send the same again."
    )
