"""A reference server with a clock that is turned by hand, spoken to in bytes.

Two things a server makes up are given fixed names, so that every playing is the same: its `store_id`s, and the tokens
that it hands out. They are exchanged in the bytes themselves, by names of the same length.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from cartsync.v1 import guest_claim_pb2, service_pb2
from google.protobuf.descriptor import MethodDescriptor

from reference_server.assembly import REFERENCE, build
from reference_server.config import Address, Config
from tools.vectors.notation import POOL

BEGIN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # when every exchange begins, by the server's clock
STEP = timedelta(seconds=1)  # from one step to the next
PATIENCE_SECONDS = 20.0
PACKAGE = "cartsync.v1"
CONTROL = "cartsync.conformance.v1.ControlService"
_STATUS_DETAILS = "grpc-status-details-bin"


@dataclass
class TurnedClock:
    """A clock that stands still until it is told."""

    time: datetime = BEGIN

    def now(self) -> datetime:
        """The time it was turned to."""
        return self.time


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call, or one message of a stream, was answered: with bytes, or with a status at its end."""

    code: grpc.StatusCode
    encoded: bytes = b""  # the response; with a code other than OK the google.rpc.Status, empty where none came


def _fixed_store_id(number: int) -> bytes:
    return f"5704e000-0000-4000-8000-{number:012}".encode()


@dataclass
class Session:
    """One server from the beginning of an exchange to its end."""

    channel: grpc.aio.Channel
    control: grpc.aio.Channel
    clock: TurnedClock
    names: list[tuple[bytes, bytes]] = field(default_factory=list)  # what the server calls it, what vectors call it
    _authorizations: dict[str, str] = field(default_factory=dict)
    _store_count: int = 0
    _token_count: int = 0

    def tick(self) -> None:
        """Let a second pass."""
        self.clock.time += STEP

    def name(self, actual: bytes, fixed: bytes) -> None:
        """Call something that the server made up by a fixed name; both are of one length."""
        if len(actual) != len(fixed):
            raise ValueError(f"{len(actual)} bytes cannot be called by {len(fixed)}: lengths are part of the encoding")
        self.names.append((actual, fixed))

    async def learn_store_id(self) -> None:
        """Ask for the store's id, and name it; after every change of it."""
        principal = await self.authorization("nobody")
        call: Any = self.channel.unary_unary(f"/{PACKAGE}.CartSyncService/GetSyncPolicy")
        answered = service_pb2.GetSyncPolicyResponse.FromString(await call(b"", metadata=principal))
        self._store_count += 1
        self.name(answered.store_id.encode(), _fixed_store_id(self._store_count))

    async def authorization(self, principal: str) -> tuple[tuple[str, str], ...]:
        """The metadata of a principal's calls; none for an empty name. Whose name begins with `guest` is a guest."""
        if not principal:
            return ()
        if principal not in self._authorizations:
            guest = principal.startswith("guest")
            request = control_pb2.IssueCredentialRequest(principal=principal, guest=guest)
            issued = await control_pb2_grpc.ControlServiceStub(self.control).IssueCredential(request)
            self._authorizations[principal] = issued.authorization
        return (("authorization", self._authorizations[principal]),)

    async def arrange(self, method: str, request: bytes) -> bytes:
        """Make a control call, which must succeed; the encoded response."""
        call: Any = self.control.unary_unary(f"/{CONTROL}/{method}")
        response: bytes = await call(self._outwards(request), timeout=PATIENCE_SECONDS)
        if method == "RestoreStore":
            await self.learn_store_id()
        return self._inwards(response)

    async def call(self, principal: str, method: str, request: bytes) -> Answer:
        """Make a unary call; `method` is Service/Method."""
        call: Any = self.channel.unary_unary(f"/{PACKAGE}.{method}")
        metadata = await self.authorization(principal)
        try:
            response = await call(self._outwards(request), metadata=metadata, timeout=PATIENCE_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Answer(error.code(), self._inwards(_details(error.trailing_metadata())))
        if method == "GuestService/IssueClaimToken":
            self._learn_claim_token(guest_claim_pb2.IssueClaimTokenResponse.FromString(response).claim_token)
        return Answer(grpc.StatusCode.OK, self._inwards(response))

    def _learn_claim_token(self, actual: str) -> None:
        self._token_count += 1
        self.name(actual.encode(), f"claim-token-{self._token_count}-".encode().ljust(len(actual), b"x"))

    async def open(self, principal: str, method: str) -> Stream:
        """Open a stream; one that takes a single request is told by half-closing after it."""
        call: Any = self.channel.stream_stream(f"/{PACKAGE}.{method}")(
            metadata=await self.authorization(principal), timeout=PATIENCE_SECONDS
        )
        return Stream(self, call)

    def _outwards(self, encoded: bytes) -> bytes:
        for actual, fixed in self.names:
            encoded = encoded.replace(fixed, actual)
        return encoded

    def _inwards(self, encoded: bytes) -> bytes:
        for actual, fixed in self.names:
            encoded = encoded.replace(actual, fixed)
        return encoded


@dataclass
class Stream:
    """One stream, message by message."""

    session: Session
    rpc: Any  # a grpc.aio.StreamStreamCall of bytes

    async def send(self, encoded: bytes) -> None:
        """Send one message."""
        await self.rpc.write(self.session._outwards(encoded))

    async def half_close(self) -> None:
        """Say that nothing more comes."""
        await self.rpc.done_writing()

    async def receive(self) -> Answer | None:
        """The next message, or the status at the end; None when the stream ended with OK."""
        try:
            message = await self.rpc.read()
        except grpc.aio.AioRpcError as error:
            return Answer(error.code(), self.session._inwards(_details(error.trailing_metadata())))
        if message is grpc.aio.EOF:
            code = await self.rpc.code()
            if code is grpc.StatusCode.OK:
                return None
            return Answer(code, self.session._inwards(_details(await self.rpc.trailing_metadata())))
        return Answer(grpc.StatusCode.OK, self.session._inwards(message))

    def cancel(self) -> None:
        """Cut it."""
        self.rpc.cancel()


@contextlib.asynccontextmanager
async def session(directory: Path) -> AsyncIterator[Session]:
    """A server of its own in `directory`, with a store that holds nothing, and the way to speak to it."""
    clock = TurnedClock()
    config = Config(listen=Address("127.0.0.1", 0), control_listen=Address("127.0.0.1", 0), data_dir=directory)
    server = build(config, replace(REFERENCE, clock=lambda: clock))
    await server.start()
    try:
        async with (
            grpc.aio.insecure_channel(str(server.address)) as channel,
            grpc.aio.insecure_channel(str(server.control_address)) as control,
        ):
            opened = Session(channel, control, clock)
            await opened.learn_store_id()
            yield opened
    finally:
        await asyncio.shield(server.stop())


def type_of(method: str, *, response: bool) -> str:
    """The full name of a method's request or response type; `method` is Service/Method of the protocol."""
    service, _, name = method.partition("/")
    return _kind(POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[name], response)


def control_type_of(method: str, *, response: bool) -> str:
    """The same of a method of the control service."""
    return _kind(POOL.FindServiceByName(CONTROL).methods_by_name[method], response)


def _kind(method: MethodDescriptor, response: bool) -> str:
    return str((method.output_type if response else method.input_type).full_name)


def _details(metadata: Any) -> bytes:
    return next((value for key, value in metadata or () if key == _STATUS_DETAILS and isinstance(value, bytes)), b"")
