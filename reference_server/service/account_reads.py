"""What the services beside the cart's have in common: one reading of a principal's things, checked and told apart."""

from __future__ import annotations

from typing import Protocol

from cartsync.v1 import service_pb2

from reference_server.engine import submission_checks
from reference_server.engine.state import CollectionContents
from reference_server.service.errors import Violation, request_invalid, store_changed
from reference_server.settlement import StoreChangedError


class AccountSettlement(Protocol):
    """What is asked of `settlement.Settlement`. Each method raises StoreChangedError."""

    async def collection(
        self,
        principal: str,
        name: str,
        queue_id: str = "",
        expected_store_id: str = "",
        *,
        after_revision: int = 0,
        limit: int | None = None,
    ) -> CollectionContents:
        """Entries of a collection in the order of addition, with the watermark of a queue at the same instant."""
        ...

    async def claim_token(self, guest: str, expected_store_id: str = "") -> tuple[str, str]:
        """The token by which an account can claim `guest`, and the id of the store that gives it."""
        ...


class AccountReads:
    """Settlement as these services see it: what is wrong with a request raises CallError."""

    def __init__(self, settlement: AccountSettlement) -> None:
        self._settlement = settlement

    async def collection(
        self,
        principal: str,
        name: str,
        queue_id: str,
        store_id: str,
        *,
        after_revision: int = 0,
        limit: int | None = None,
        violations: list[Violation] | None = None,
    ) -> CollectionContents:
        """Entries of a collection; `queue_id` may be empty, `violations` are those found before."""
        wrong = list(violations or ())
        if queue_id:
            wrong += submission_checks.queue_id_violations(queue_id)
        if wrong:
            raise request_invalid(wrong)
        try:
            return await self._settlement.collection(
                principal, name, queue_id, store_id, after_revision=after_revision, limit=limit
            )
        except StoreChangedError as error:
            raise store_changed(error.current) from None

    async def claim_token(self, guest: str, store_id: str) -> tuple[str, str]:
        """A claim token and the id of the store that gives it."""
        try:
            return await self._settlement.claim_token(guest, store_id)
        except StoreChangedError as error:
            raise store_changed(error.current) from None


def queue_state(queue_id: str, contents: CollectionContents) -> service_pb2.QueueState | None:
    """The queue asked for as it is answered; None when none was."""
    if contents.decided_through_sequence is None:
        return None
    return service_pb2.QueueState(queue_id=queue_id, decided_through_sequence=contents.decided_through_sequence)
