"""A gate before a server that lets through what a browser can call, and loses and repeats some of it on the way.

Browsers have no bidirectional streams, nor streams from the client: whatever passes a gRPC-Web or Connect proxy is
unary or streams from the server. The gate knows each method's kind from the descriptors and forwards bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import grpc
from cartsync.v1 import address_book_pb2, guest_claim_pb2, payment_methods_pb2, service_pb2, wishlist_pb2
from google.protobuf.descriptor import MethodDescriptor

FILES = (service_pb2, wishlist_pb2, address_book_pb2, payment_methods_pb2, guest_claim_pb2)
Fault = Callable[[str], str]
"""Of a method's name: "ok", or one of FAULTS."""

FAULTS = ("lose_request", "lose_answer", "repeat")


def no_fault(_method: str) -> str:
    return "ok"


@dataclass
class Gate(grpc.GenericRpcHandler):
    """Where a browser's calls arrive. Not the faults but the answer to "which calls were made?" is what it keeps."""

    server: grpc.Channel
    methods: dict[str, MethodDescriptor]
    """By the path of the call, for example "/cartsync.v1.CartSyncService/GetCart"."""
    fault: Fault = no_fault
    address: str = ""
    called: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    faults_met: list[str] = field(default_factory=list)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        path = handler_call_details.method
        method = self.methods.get(path)
        if method is None or method.client_streaming:
            self.refused.append(path.rpartition("/")[2])
            return None
        self.called.append(method.name)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            fault = self.fault(method.name)
            self.faults_met.append(fault)
            if fault == "lose_request":
                context.abort(grpc.StatusCode.UNAVAILABLE, "the request was lost")
            if fault == "repeat":
                self._forward(path, request, context)
            said = self._forward(path, request, context)
            if fault == "lose_answer":
                context.abort(grpc.StatusCode.UNAVAILABLE, "the answer was lost")
            return said

        def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            forward: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.server.unary_stream(path)
            call = forward(request, metadata=_credential(context))
            context.add_callback(lambda: _cancelled(call))
            with _errors_of_the_server(context):
                yield from call

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(answer)

    def _forward(self, path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        forward: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.server.unary_unary(path)
        with _errors_of_the_server(context):
            return forward(request, metadata=_credential(context), timeout=10)


@contextmanager
def gate_before(address: str, fault: Fault = no_fault) -> Iterator[Gate]:
    """Opens a gate before the server at `address`, for every service of the protocol."""
    methods = {
        f"/{service.full_name}/{method.name}": method
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    with grpc.insecure_channel(address) as channel:
        gate = Gate(channel, methods, fault)
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        server.add_generic_rpc_handlers((gate,))
        gate.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield gate
        finally:
            server.stop(grace=None).wait()


def _cancelled(call: grpc.Call) -> None:
    call.cancel()


def _credential(context: grpc.ServicerContext) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((key, value) for key, value in context.invocation_metadata() if key == "authorization")


@contextmanager
def _errors_of_the_server(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        call = cast(grpc.Call, error)  # what a call raises is both; the stubs cannot say so
        context.set_trailing_metadata(tuple(call.trailing_metadata() or ()))
        context.abort(call.code(), call.details() or "")
