"""Answers the calls of cartsync.v1.GuestService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

from typing import Any

import grpc.aio
from cartsync.v1 import guest_claim_pb2, guest_claim_pb2_grpc

from reference_server.ports import Guests
from reference_server.service.account_reads import AccountReads
from reference_server.service.calls import current_call
from reference_server.service.errors import not_a_guest


class GuestServicer(guest_claim_pb2_grpc.GuestServiceServicer):
    """Gives guests their claim tokens. Callers are known and errors leave by the guard in front of it."""

    def __init__(self, reads: AccountReads, guests: Guests) -> None:
        self._reads = reads
        self._guests = guests

    async def IssueClaimToken(
        self, request: guest_claim_pb2.IssueClaimTokenRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> guest_claim_pb2.IssueClaimTokenResponse:
        """Make a token by which an account can take over the caller's cart (spec: claim/token)."""
        principal = current_call().principal
        if not self._guests.is_guest(principal):
            raise not_a_guest()
        token, store_id = await self._reads.claim_token(principal, request.store_id)
        return guest_claim_pb2.IssueClaimTokenResponse(store_id=store_id, claim_token=token)
