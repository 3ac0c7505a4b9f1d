"""What unary calls and streams have in common: check a request as a whole, then have it settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cartsync.v1 import operation_pb2, policy_pb2

from reference_server.engine import submission_checks
from reference_server.engine.policy import Policy
from reference_server.service.errors import principal_mismatch, request_invalid, store_changed
from reference_server.settlement import CartReading, Lookup, Settled, Settlement, StoreChangedError


class QueueAddress(Protocol):
    """What `SubmitOperationsRequest` and `Hello` have in common."""

    @property
    def queue_id(self) -> str:
        """The queue."""
        ...

    @property
    def expected_principal(self) -> str:
        """Whose queue the client takes it for."""
        ...


class Submissions:
    """Settlement as the service sees it: what is wrong with a request raises CallError."""

    def __init__(self, settlement: Settlement, policy: Policy) -> None:
        self._settlement = settlement
        self._policy = policy

    @property
    def store_id(self) -> str:
        """The store's current id."""
        return self._settlement.store_id

    def policy_message(self) -> policy_pb2.SyncPolicy:
        """The contract as it goes on the wire."""
        return self._policy.message()

    def has_profile(self, name: str) -> bool:
        """Whether the policy lists the profile."""
        return self._policy.has_profile(name)

    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        """Raise CallError unless `request` names a queue of the caller's (spec: identity/expected-principal)."""
        violations = submission_checks.queue_id_violations(request.queue_id, f"{prefix}queue_id")
        violations += submission_checks.expected_principal_violations(
            request.expected_principal, f"{prefix}expected_principal"
        )
        if violations:
            raise request_invalid(violations)
        if request.expected_principal != principal:
            raise principal_mismatch()

    async def settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        store_id: str,
        prefix: str = "",
    ) -> Settled:
        """Check the attempts and settle them.

        Raises CallError, and nothing was processed (spec: submission/all-or-nothing).
        """
        violations = submission_checks.violations(attempts, self._policy)
        if violations:
            raise request_invalid([(prefix + path, description) for path, description in violations])
        try:
            return await self._settlement.submit(principal, queue_id, attempts, store_id)
        except StoreChangedError as error:
            raise store_changed(error.current) from None

    async def watermark(self, principal: str, queue_id: str, store_id: str) -> tuple[int, str]:
        """The queue's watermark and the store's id; raises CallError."""
        try:
            return await self._settlement.watermark(principal, queue_id, store_id)
        except StoreChangedError as error:
            raise store_changed(error.current) from None

    async def cart(self, principal: str, cart_id: str, queue_id: str, store_id: str) -> CartReading:
        """A cart priced now; `queue_id` may be empty. Raises CallError and BackendUnavailableError."""
        violations = submission_checks.cart_id_violations(cart_id)
        if queue_id:
            violations += submission_checks.queue_id_violations(queue_id)
        if violations:
            raise request_invalid(violations)
        try:
            return await self._settlement.cart(principal, cart_id, queue_id, store_id)
        except StoreChangedError as error:
            raise store_changed(error.current) from None

    async def lookup(self, principal: str, queue_id: str, first: int, last: int, store_id: str) -> Lookup:
        """What was decided for a range of sequences; raises CallError."""
        violations = submission_checks.queue_id_violations(queue_id)
        violations += submission_checks.lookup_range_violations(first, last, self._policy)
        if violations:
            raise request_invalid(violations)
        try:
            return await self._settlement.lookup(principal, queue_id, first, last, store_id)
        except StoreChangedError as error:
            raise store_changed(error.current) from None
