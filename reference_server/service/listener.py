"""Ports: a gRPC server on one address, with health and reflection beside its service."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from reference_server.config import Address

# What a message may be larger than a submission's limit: ids around the attempts, and room for new fields.
MESSAGE_SLACK_BYTES = 65_536
MAX_METADATA_BYTES = 32_768


class CannotListenError(Exception):
    """The address is taken or not this machine's; the message says so."""


class TlsFilesError(Exception):
    """Certificate or key cannot be used; the message says which."""


@dataclass(frozen=True)
class TlsFiles:
    """Certificate chain and key, PEM."""

    certificate: Path
    key: Path


def make_server(interceptors: Sequence[grpc.aio.ServerInterceptor], max_message_bytes: int) -> grpc.aio.Server:
    """A server that is not listening yet."""
    return grpc.aio.server(
        interceptors=interceptors,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes + MESSAGE_SLACK_BYTES),
            ("grpc.max_send_message_length", -1),
            # Otherwise a second server on the same port would silently take half of the connections.
            ("grpc.so_reuseport", 0),
            # Mobile clients keep streams open through pings; answering them must not count as abuse.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            # Phones vanish without a word; their streams should not stay for hours.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.max_concurrent_streams", 1_000),
            # An overlong credential is to be refused as one, not by the transport (spec: security/hostile-credential).
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
        ],
    )


def bind(server: grpc.aio.Server, address: Address, tls: TlsFiles | None = None) -> Address:
    """Listen on `address` and say which one it became. Raises CannotListenError or TlsFilesError."""
    try:
        if tls is None:
            port = server.add_insecure_port(str(address))
        else:
            port = server.add_secure_port(str(address), _server_credentials(tls))
    except RuntimeError:
        port = 0
    if port == 0:
        raise CannotListenError(f"cannot listen on {address}: {_why_not(address)}")
    return Address(address.host, port)


_NOT_LISTENING = {
    errno.EADDRINUSE: "it is in use. Stop what listens there, or choose another port.",
    errno.EADDRNOTAVAIL: "this machine has no such address. Choose one that it has.",
    errno.EACCES: "that is not permitted. Choose a port above 1023, or grant the permission.",
}
_SOME_REASON = "it is in use, or no address of this machine, or not permitted. Choose another address."


def _why_not(address: Address) -> str:
    """gRPC does not tell why it cannot listen, so the system is asked once more."""
    try:
        for family, kind, protocol, _, place in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                probe.listen()
    except OSError as error:
        return _NOT_LISTENING.get(error.errno or 0, _SOME_REASON)
    return _SOME_REASON


def _server_credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    try:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        # gRPC would only say that it cannot listen. The password keeps OpenSSL from asking the terminal for one.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            tls.certificate, tls.key, password=lambda: ""
        )
    except ssl.SSLError as error:
        raise TlsFilesError(
            f"{tls.certificate} and {tls.key}: are no certificate chain and its key ({error.reason or 'not PEM'})."
            " Give both as unencrypted PEM."
        ) from None
    except OSError as error:
        raise TlsFilesError(f"{error.filename}: cannot be read ({error.strerror}). Give a readable PEM file.") from None
    return grpc.ssl_server_credentials([pair])


async def add_health(server: grpc.aio.Server) -> health.aio.HealthServicer:
    """Put the standard health service on `server`, NOT_SERVING until `serving` is told."""
    servicer = health.aio.HealthServicer()
    await servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer


async def serving(servicer: health.aio.HealthServicer, *service_names: str) -> None:
    """Say that the server, and the services by their names, are ready."""
    for name in ("", *service_names):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)


def add_reflection(server: grpc.aio.Server, *services: ServiceDescriptor) -> None:
    """Let tools ask for the schema of the services, and of nothing else this process knows.

    The pool is the listener's own: the default one would show the control service to whoever asks by name
    (spec: identity/control-hidden).
    """
    pool = descriptor_pool.DescriptorPool()
    for file in (*(service.file for service in services), health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        _add_with_imports(pool, file)
    names = [service.full_name for service in services]
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection([*names, health_name, reflection.SERVICE_NAME], server, pool=pool)


def _add_with_imports(pool: descriptor_pool.DescriptorPool, file: FileDescriptor) -> None:
    try:
        pool.FindFileByName(file.name)
    except KeyError:
        for imported in file.dependencies:
            _add_with_imports(pool, imported)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        pool.Add(proto)
