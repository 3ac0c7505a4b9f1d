"""Servers that let in whom they should not, or show what they should keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc
from cartsync.v1 import operation_pb2

from conformance.mutants.mutant import Mutant
from reference_server.credentials import Credentials, bearer_token
from reference_server.engine.policy import Policy
from reference_server.ports import Clock
from reference_server.service.callers import Callers, Metadata
from reference_server.service.errors import CallError, credential_invalid
from reference_server.service.submissions import QueueAddress, Submissions
from reference_server.settlement import CartReading, Lookup, Settled, Settlement

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class _NeverExpires(Callers):
    def now(self) -> datetime:
        return _LONG_AGO


class _ExpiresADayLate(Callers):
    def now(self) -> datetime:
        return super().now() - timedelta(days=1)


class _ExpiresEarly(Callers):
    def now(self) -> datetime:
        return super().now() + timedelta(hours=2)


class _LocksOut(Callers):
    """Admits a principal no more once it has come with a credential that expired."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        super().__init__(credentials, clock)
        self._principals: dict[str, str] = {}
        self._locked: set[str] = set()

    def admit(self, metadata: Metadata) -> str:
        token = self.token(metadata) or ""
        try:
            principal = super().admit(metadata)
        except CallError:
            self._locked.add(self._principals.get(token, ""))
            raise
        self._principals[token] = principal
        if principal in self._locked:
            raise credential_invalid()
        return principal


class _AnyEnding(Callers):
    """Takes a token with one character too many for the token."""

    def admit(self, metadata: Metadata) -> str:
        try:
            return super().admit(metadata)
        except CallError:
            return super().admit([(key, value[:-1]) for key, value in metadata])


class _AnyScheme(Callers):
    def token(self, metadata: Metadata) -> str | None:
        values = [value for key, value in metadata if key == "authorization" and isinstance(value, str)]
        return values[0].partition(" ")[2].strip() or None if len(values) == 1 else None


class _FirstOfTwo(Callers):
    def token(self, metadata: Metadata) -> str | None:
        first = next((entry for entry in metadata if entry[0] == "authorization"), None)
        return None if first is None else bearer_token([first])


class _FailsAtLongOnes(Callers):
    """Fails with an exception of its own where the credential is very long."""

    def token(self, metadata: Metadata) -> str | None:
        if any(len(value) > 4_096 for _, value in metadata):
            raise ValueError("the credential does not fit its column")
        return super().token(metadata)


class _RepeatsTheCredential(Callers):
    def admit(self, metadata: Metadata) -> str:
        try:
            return super().admit(metadata)
        except CallError as error:
            sent = next((value for key, value in metadata if key == "authorization"), "nothing")
            raise CallError(
                error.code, f"{sent!r} opens nothing here.", reason=error.reason, details=error.details
            ) from None


class _TellsOthersQueues(Submissions):
    """Says that a queue is somebody else's."""

    def __init__(self, settlement: Settlement, policy: Policy) -> None:
        super().__init__(settlement, policy)
        self._owners: dict[str, str] = {}

    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        super().check_queue(principal, request, prefix)
        self._check(principal, request.queue_id)

    async def lookup(self, principal: str, queue_id: str, first: int, last: int, store_id: str) -> Lookup:
        self._check(principal, queue_id)
        return await super().lookup(principal, queue_id, first, last, store_id)

    def _check(self, principal: str, queue_id: str) -> None:
        if self._owners.setdefault(queue_id, principal) != principal:
            raise CallError(grpc.StatusCode.PERMISSION_DENIED, "This queue belongs to somebody else.")


class _TellsOthersCarts(Submissions):
    """Says that a cart with this id and queue is somebody else's."""

    def __init__(self, settlement: Settlement, policy: Policy) -> None:
        super().__init__(settlement, policy)
        self._owners: dict[str, str] = {}

    async def cart(self, principal: str, cart_id: str, queue_id: str, store_id: str) -> CartReading:
        reading = await super().cart(principal, cart_id, queue_id, store_id)
        if reading.decided_through_sequence:
            self._owners[queue_id] = principal
        elif self._owners.get(queue_id, principal) != principal:
            raise CallError(grpc.StatusCode.NOT_FOUND, "There is such a queue, but not for you.")
        return reading

    async def settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        store_id: str,
        prefix: str = "",
    ) -> Settled:
        settled = await super().settle(principal, queue_id, attempts, store_id, prefix)
        self._owners.setdefault(queue_id, principal)
        return settled


MUTANTS = (
    Mutant(
        "credentials-never-expire",
        "Admits callers with credentials that have expired.",
        ("security/expired-credential", "security/credential-renewed"),
        "callers",
        _NeverExpires,
    ),
    Mutant(
        "credentials-expire-a-day-late",
        "Admits callers for a day after their credentials have expired.",
        ("security/expired-credential", "security/credential-renewed"),
        "callers",
        _ExpiresADayLate,
    ),
    Mutant(
        "credentials-expire-early",
        "Refuses callers whose credentials are good for some time yet.",
        ("security/expired-credential", "security/credential-renewed"),
        "callers",
        _ExpiresEarly,
    ),
    Mutant(
        "locks-out-for-an-expired-credential",
        "Admits a principal no more once it has come with an expired credential.",
        ("security/credential-renewed", "security/expired-credential"),
        "callers",
        _LocksOut,
    ),
    Mutant(
        "credentials-with-any-ending",
        "Takes a credential with a character too many for the credential.",
        ("security/hostile-credential", "security/credential-not-shown"),
        "callers",
        _AnyEnding,
    ),
    Mutant(
        "credentials-of-any-scheme",
        "Takes a token under whatever scheme it comes.",
        ("security/hostile-credential",),
        "callers",
        _AnyScheme,
    ),
    Mutant(
        "first-of-two-credentials",
        "Admits a caller with two credentials by the first.",
        ("security/hostile-credential",),
        "callers",
        _FirstOfTwo,
    ),
    Mutant(
        "fails-at-long-credentials",
        "Ends calls with a very long credential as a failure of its own.",
        ("security/hostile-credential",),
        "callers",
        _FailsAtLongOnes,
    ),
    Mutant(
        "repeats-the-credential",
        "Repeats the credential in the message of the error.",
        ("security/credential-not-shown",),
        "callers",
        _RepeatsTheCredential,
    ),
    Mutant(
        "tells-others-queues",
        "Answers for another principal's queue that it is somebody else's.",
        ("security/nothing-detectable", "identity/principal-isolation"),
        "submissions",
        _TellsOthersQueues,
    ),
    Mutant(
        "tells-others-carts",
        "Answers for another principal's cart and queue that they are not for the caller.",
        ("security/nothing-detectable", "identity/principal-isolation"),
        "submissions",
        _TellsOthersCarts,
    ),
)
