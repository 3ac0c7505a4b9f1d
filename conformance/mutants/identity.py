"""Who is calling, and which store is answering."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the reference server

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import grpc.aio
from cartsync.conformance.v1 import control_pb2_grpc
from cartsync.v1 import operation_pb2, service_pb2, service_pb2_grpc

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.clock import OffsetClock, SystemClock
from reference_server.config import Config
from reference_server.control.servicer import ControlServicer
from reference_server.credentials import Credentials, DevelopmentCredentials
from reference_server.engine.state import CartContents, Changes, Reading, RecordRange
from reference_server.service.errors import CallError, principal_mismatch, store_changed
from reference_server.service.servicer import CartSyncServicer
from reference_server.service.submissions import QueueAddress, Submissions
from reference_server.settlement import CartReading, Lookup, Settled, Settlement
from reference_server.storage import Operand, Wanted
from reference_server.storage.sqlite import SqliteStore

_Context = grpc.aio.ServicerContext[Any, Any]
_EVERYBODY = "everybody"


class _KnowsEveryToken(DevelopmentCredentials):
    def principal(self, token: str, now: datetime) -> str | None:
        """Whoever shows an unknown token is the same stranger."""
        return f"stranger-{len(token)}"


def _every_token(config: Config) -> Credentials:  # noqa: ARG001 - whatever was configured
    return _KnowsEveryToken()


class _NamesTheCredential(CartSyncServicer):
    """The principal of a call is that of its credential, with something of the credential behind it."""

    async def GetSyncPolicy(
        self, request: service_pb2.GetSyncPolicyRequest, context: _Context
    ) -> service_pb2.GetSyncPolicyResponse:
        response = await super().GetSyncPolicy(request, context)
        shown = dict(context.invocation_metadata() or ()).get("authorization", "")
        response.principal += f"~{zlib.crc32(str(shown).encode())}"
        return response

    async def SubmitOperations(
        self, request: service_pb2.SubmitOperationsRequest, context: _Context
    ) -> service_pb2.SubmitOperationsResponse:
        request.expected_principal = request.expected_principal.partition("~")[0]
        return await super().SubmitOperations(request, context)


class _SharedQueues(SqliteStore):
    """Queues are found by their id alone, whoever asks."""

    async def read(self, wanted: Wanted) -> Reading:
        mine = await super().read(wanted)
        shared = await super().read(replace(wanted, principal=_EVERYBODY))
        return replace(
            mine,
            queue=shared.queue,
            records=shared.records,
            key_uses=shared.key_uses,
            failures=shared.failures,
            contact_time_us=shared.contact_time_us,
        )

    async def commit(self, changes: Changes) -> bool:
        shared = replace(changes, principal=_EVERYBODY, carts={}, lines={}, expected_carts={}, effects=())
        mine = replace(changes, records=(), failures=())
        if not await super().commit(shared):
            return False
        current = await super().read(Wanted(changes.principal, changes.queue_id, (Operand(1, ""),)))
        return await super().commit(replace(mine, expected_queue=current.queue))

    async def read_range(self, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
        return await super().read_range(_EVERYBODY, queue_id, first, last)


class _SharedCarts(SqliteStore):
    """Carts are found by their id alone, whoever asks."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        mine = await super().read_cart(principal, cart_id, queue_id)
        owner = await self._run(lambda: self._reading(lambda: self._owner(cart_id)))
        if mine.head is not None or owner is None:
            return mine
        theirs = await super().read_cart(owner, cart_id)
        return replace(theirs, decided_through_sequence=mine.decided_through_sequence)

    def _owner(self, cart_id: str) -> str | None:
        row = self._connection.execute("SELECT principal FROM carts WHERE cart_id = ?", (cart_id,)).fetchone()
        return None if row is None else str(row[0])


class _DrainsIntoAnyAccount(Submissions):
    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        try:
            super().check_queue(principal, request, prefix)
        except CallError as error:
            if error.reason != principal_mismatch().reason:
                raise


class _PrincipalOptional(Submissions):
    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        if request.expected_principal:
            super().check_queue(principal, request, prefix)


class _PublicControl(ControlServicer):
    """Answers Describe; there is nothing behind the other methods."""

    def __init__(self) -> None:
        self._server_version = ""
        self._clock = OffsetClock(SystemClock())


def _with_control(servicer: CartSyncServicer, server: grpc.aio.Server) -> None:
    service_pb2_grpc.add_CartSyncServiceServicer_to_server(servicer, server)
    control_pb2_grpc.add_ControlServiceServicer_to_server(_PublicControl(), server)


class _AnyStore(Settlement):
    """Tells its id, and takes requests meant for another store."""

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        return await super().submit(principal, queue_id, attempts)


class _AnyStoreForReads(Settlement):
    async def cart(self, principal: str, cart_id: str, queue_id: str = "", expected_store_id: str = "") -> CartReading:
        return await super().cart(principal, cart_id, queue_id)

    async def lookup(self, principal: str, queue_id: str, first: int, last: int, expected_store_id: str = "") -> Lookup:
        return await super().lookup(principal, queue_id, first, last)


class _HidesCurrentStore(Submissions):
    async def settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        store_id: str,
        prefix: str = "",
    ) -> Settled:
        try:
            return await super().settle(principal, queue_id, attempts, store_id, prefix)
        except CallError as error:
            raise store_changed("") if error.reason == store_changed("").reason else error from None


class _KeepsIdOverRestore(SqliteStore):
    def _restore(self, name: str) -> str:
        fresh, self._new_store_id = self._new_store_id, lambda: self._store_id
        try:
            return super()._restore(name)
        finally:
            self._new_store_id = fresh


class _NewIdAtStart(SqliteStore):
    def _open(self) -> tuple[sqlite3.Connection, str]:
        connection, _ = super()._open()
        store_id = self._new_store_id()
        connection.execute("UPDATE store SET store_id = ?", (store_id,))
        return connection, store_id


class _OldIdAgain(SqliteStore):
    """Counts its restores from the copy it was restored from, so the second restore has the id of the first."""

    def _restore(self, name: str) -> str:
        first = self._store_id.partition("/")[0]
        fresh: Callable[[], str]
        fresh, self._new_store_id = self._new_store_id, lambda: f"{first}/{name}"
        try:
            return super()._restore(name)
        finally:
            self._new_store_id = fresh


class _RestoresCartsOnly(SqliteStore):
    """Puts carts back, but keeps the queues and records of the lost time."""

    def _restore(self, name: str) -> str:
        tables = ("queues", "records", "failures")
        kept = {table: self._connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608
        store_id = super()._restore(name)
        for table, rows in kept.items():
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
            for row in rows:
                marks = ", ".join("?" * len(row))
                self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
        return store_id


MUTANTS = (
    Mutant(
        "lets-strangers-in",
        "Takes a token that nobody was given.",
        ("identity/credential-required",),
        "credentials",
        _every_token,
    ),
    Mutant(
        "names-the-credential",
        "Calls one principal by another name for each of its credentials.",
        ("identity/principal-stable",),
        "servicer",
        _NamesTheCredential,
    ),
    Mutant(
        "queues-shared-by-principals",
        "Finds a queue by its id alone, so that one principal's records answer another.",
        ("identity/principal-isolation",),
        "open_store",
        stored_in(_SharedQueues),
    ),
    Mutant(
        "carts-shown-to-others",
        "Shows a cart to every principal that knows its id.",
        ("identity/principal-isolation",),
        "open_store",
        stored_in(_SharedCarts),
    ),
    Mutant(
        "drains-into-any-account",
        "Decides a queue for whoever is signed in, although the client expects another principal.",
        ("identity/expected-principal",),
        "submissions",
        _DrainsIntoAnyAccount,
    ),
    Mutant(
        "expected-principal-optional",
        "Takes a submission that does not say whose queue it is.",
        ("identity/expected-principal-required",),
        "submissions",
        _PrincipalOptional,
    ),
    Mutant(
        "control-on-the-public-port",
        "Offers the conformance control service to everybody.",
        ("identity/control-hidden",),
        "add_service",
        _with_control,
    ),
    Mutant(
        "store-id-unchecked",
        "Decides operations that were meant for the store before the restore.",
        ("store/changed-refused",),
        "settlement",
        _AnyStore,
    ),
    Mutant(
        "store-id-unchecked-by-reads",
        "Answers reads and look-ups that were meant for another store.",
        ("store/changed-refused",),
        "settlement",
        _AnyStoreForReads,
    ),
    Mutant(
        "store-changed-to-what",
        "Refuses a request for another store without naming its own id.",
        ("store/changed-names-current",),
        "submissions",
        _HidesCurrentStore,
    ),
    Mutant(
        "restored-store-keeps-its-id",
        "Keeps its store id when it is put back to an earlier state.",
        ("store/new-id-after-restore",),
        "open_store",
        stored_in(_KeepsIdOverRestore),
    ),
    Mutant(
        "restores-to-an-id-it-had-before",
        "Takes the same new id each time the same copy is put back.",
        ("store/new-id-after-restore",),
        "open_store",
        stored_in(_OldIdAgain),
    ),
    Mutant(
        "restores-carts-only",
        "Puts the carts back but still answers from the records of the time that is lost.",
        ("store/restored-watermark",),
        "open_store",
        stored_in(_RestoresCartsOnly),
    ),
    Mutant(
        "new-store-id-at-every-start",
        "Takes a new store id when it is restarted, although nothing was lost.",
        ("store/id-survives-restart",),
        "open_store",
        stored_in(_NewIdAtStart),
    ),
)
