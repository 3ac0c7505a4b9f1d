"""Reading the standard rich details of a gRPC status (`ErrorInfo`, `BadRequest`, `RetryInfo`)."""

from __future__ import annotations

from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from reference_client.machine.values import CallFailure

_DETAILS = "grpc-status-details-bin"


def failure_of(error: grpc.RpcError) -> CallFailure:
    """What the client has to know about a failed call. Details that cannot be read are as if not sent."""
    call = cast(grpc.Call, error)  # what a call raises is both; the stubs cannot say so
    reason = field = store_id = ""
    retry_seconds = 0.0
    for detail in _status(call).details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        try:
            if detail.Unpack(info):
                reason, store_id = info.reason, info.metadata.get("store_id", "")
            elif detail.Unpack(bad) and bad.field_violations:
                field = bad.field_violations[0].field
            elif detail.Unpack(retry):
                retry_seconds = retry.retry_delay.ToNanoseconds() / 1e9
        except DecodeError:
            continue
    return CallFailure(call.code().name, reason, call.details() or "", field, store_id, retry_seconds)


def _status(call: grpc.Call) -> status_pb2.Status:
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
