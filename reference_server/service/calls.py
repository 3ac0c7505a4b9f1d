"""What stands in front of every call: who calls, how many at a time, how errors leave, one line in the log.

`CallGuard` wraps every method of the services it guards; health and reflection pass by it. Inside a handler
`current_call()` says who is calling and takes the counts for the log line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
from cartsync.v1 import outcome_pb2, reason_pb2
from google.protobuf.message import DecodeError

from reference_server.logs import log_event
from reference_server.ports import BackendUnavailableError
from reference_server.service.call_limits import CallLimits
from reference_server.service.callers import Metadata
from reference_server.service.errors import (
    DOMAIN,
    CallError,
    credential_invalid,
    internal,
    request_invalid,
    unavailable,
)
from reference_server.settlement import ContendedError
from reference_server.storage import StoreFailedError

RETRY_DELAY = timedelta(seconds=1)

Admit = Callable[[Metadata], str]


@dataclass
class Call:
    """One call while it runs."""

    method: str
    principal: str
    check_admitted: Callable[[], None] = lambda: None  # raises CallError once the credential is no longer good
    operation_count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def count(self, results: Iterable[outcome_pb2.OperationResult]) -> None:
        """Take what was answered into the log line."""
        for result in results:
            self.operation_count += 1
            state = reason_pb2.OutcomeState.Name(result.outcome.state)
            self.outcomes[state.removeprefix("OUTCOME_STATE_").lower()] += 1
            if result.replayed:
                self.outcomes["replayed"] += 1


_CURRENT: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call that the running handler answers; raises LookupError outside of one."""
    return _CURRENT.get()


class Undecodable:
    """Stands in for a message that is no message of its type."""


def lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """`deserialize`, giving `Undecodable` where it would raise: a client's bug is not the server's failure."""

    def attempt(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return Undecodable()

    return attempt


def _of_one_message(
    answer: Callable[[Any, Any], Awaitable[Any]], decode: Callable[[bytes], Any], domain: str
) -> Callable[[Any, Any], Awaitable[Any]]:
    """`answer`, which takes one request, as one that takes a stream of them.

    So the request is read once the caller is admitted: what is small on the wire may be large in memory, and strangers
    get none of it. A half that is closed without a whole message is answered; the library itself would never do so.
    """

    async def of_stream(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        data = await context.read()
        request = Undecodable() if data is grpc.aio.EOF else decode(data)
        return await answer(decoded(request, domain), context)

    return of_stream


def decoded(message: Any, domain: str = DOMAIN) -> Any:
    """`message`, unless it is Undecodable: then raises the INVALID_ARGUMENT for it."""
    if isinstance(message, Undecodable):
        raise request_invalid([("request", "must be a protobuf message of the method's type")], domain=domain)
    return message


class CallGuard(grpc.aio.ServerInterceptor):
    """Admits callers, turns exceptions into statuses and logs every call of the guarded services."""

    def __init__(
        self,
        prefixes: str | tuple[str, ...],
        admit: Admit,
        domain: str = DOMAIN,
        log_level: int = logging.INFO,
        limits: CallLimits | None = None,
    ) -> None:
        """Guard methods whose path begins with one of `prefixes`.

        `admit` names the principal that the metadata stands for, or raises CallError; `limits` says how many calls
        of it may be in work (None: any number).
        """
        self._prefixes = prefixes
        self._admit = admit
        self._domain = domain
        self._log_level = log_level
        self._limits = limits

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a guarded method."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(self._prefixes):
            return handler
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._guarded(method, handler.stream_stream, is_stream=True),
                request_deserializer=lenient(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        decode = lenient(handler.request_deserializer)
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._guarded(method, _of_one_message(handler.unary_stream, decode, self._domain), is_stream=True),
                response_serializer=handler.response_serializer,
            )
        return grpc.stream_unary_rpc_method_handler(
            self._guarded(method, _of_one_message(handler.unary_unary, decode, self._domain), is_stream=False),
            response_serializer=handler.response_serializer,
        )

    def _guarded(
        self, method: str, answer: Callable[[Any, Any], Awaitable[Any]], *, is_stream: bool
    ) -> Callable[..., Awaitable[Any]]:
        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.perf_counter()
            call = Call(method, principal="")
            code = grpc.StatusCode.OK
            reason = ""
            try:
                metadata = tuple(context.invocation_metadata() or ())
                call.principal = self._admit(metadata)
                call.check_admitted = lambda: self._check_still(call.principal, metadata)
                _CURRENT.set(call)
                with self._held(call.principal, is_stream):
                    return await answer(request, context)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:
                refusal = self._refusal(call, error)
                code, reason = refusal.code, refusal.reason
            finally:
                _log_call(self._log_level, call, code, reason, time.perf_counter() - started)
            return await context.abort(refusal.code, refusal.message, refusal.trailing_metadata())

        return run

    def _check_still(self, principal: str, metadata: Metadata) -> None:
        if self._admit(metadata) != principal:
            raise credential_invalid()

    def _held(self, principal: str, is_stream: bool) -> contextlib.AbstractContextManager[None]:
        if self._limits is None:
            return contextlib.nullcontext()
        return self._limits.holding(principal, is_stream=is_stream)

    def _refusal(self, call: Call, error: Exception) -> CallError:
        if isinstance(error, CallError):
            return error
        if isinstance(error, BackendUnavailableError):
            return unavailable("Prices cannot be had now.", RETRY_DELAY)
        if isinstance(error, ContendedError):
            return unavailable("Too many others are changing the same carts.", RETRY_DELAY)
        if isinstance(error, StoreFailedError):
            log_event(logging.ERROR, "store_failed", error=str(error), method=call.method, principal=call.principal)
            return unavailable("The store failed; what was sent is in doubt: send the same again.", RETRY_DELAY)
        log_event(logging.ERROR, "call_failed", exc_info=error, method=call.method, principal=call.principal)
        return internal()


def _log_call(level: int, call: Call, code: grpc.StatusCode, reason: str, seconds: float) -> None:
    fields: dict[str, Any] = {
        "method": call.method,
        "principal": call.principal,
        "code": code.name,
        "duration_ms": round(seconds * 1000, 3),
    }
    if reason:
        fields["reason"] = reason
    if call.operation_count:
        fields["operation_count"] = call.operation_count
        fields["outcomes"] = dict(call.outcomes)
    log_event(level, "call", **fields)
