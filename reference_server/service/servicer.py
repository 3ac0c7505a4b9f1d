"""Answers the calls of cartsync.v1.CartSyncService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio
from cartsync.v1 import service_pb2, service_pb2_grpc

from reference_server.service.calls import current_call, decoded
from reference_server.service.errors import not_listed
from reference_server.service.submissions import Submissions
from reference_server.service.sync_stream import Claims, Read, SyncStream, Write
from reference_server.service.watching import Watches

SERVER_NAME = "cartsync-reference-server"

MakeStream = Callable[[Submissions, Claims, str, Read, Write], SyncStream]


class CartSyncServicer(service_pb2_grpc.CartSyncServiceServicer):
    """One small method for each call. Callers are known and errors leave by the guard in front of it."""

    def __init__(
        self,
        submissions: Submissions,
        claims: Claims,
        make_stream: MakeStream,
        server_version: str,
        watches: Watches,
    ) -> None:
        self._submissions = submissions
        self._claims = claims
        self._make_stream = make_stream
        self._server_version = server_version
        self._watches = watches

    async def SubmitOperations(
        self, request: service_pb2.SubmitOperationsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.SubmitOperationsResponse:
        """Settle one submission."""
        principal = current_call().principal
        self._submissions.check_queue(principal, request)
        settled = await self._submissions.settle(principal, request.queue_id, request.attempts, request.store_id)
        current_call().count(settled.results)
        return service_pb2.SubmitOperationsResponse(
            store_id=settled.store_id,
            queue=service_pb2.QueueState(
                queue_id=request.queue_id, decided_through_sequence=settled.decided_through_sequence
            ),
            results=settled.results,
        )

    async def GetCart(
        self, request: service_pb2.GetCartRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetCartResponse:
        """Read a cart, priced now, and a queue's watermark of the same instant."""
        reading = await self._submissions.cart(
            current_call().principal, request.cart_id, request.queue_id, request.store_id
        )
        queue = None
        if reading.decided_through_sequence is not None:
            queue = service_pb2.QueueState(
                queue_id=request.queue_id, decided_through_sequence=reading.decided_through_sequence
            )
        return service_pb2.GetCartResponse(store_id=reading.store_id, cart=reading.cart, queue=queue)

    async def LookupOutcomes(
        self, request: service_pb2.LookupOutcomesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.LookupOutcomesResponse:
        """Read what was decided."""
        lookup = await self._submissions.lookup(
            current_call().principal,
            request.queue_id,
            request.first_sequence,
            request.last_sequence,
            request.store_id,
        )
        return service_pb2.LookupOutcomesResponse(
            store_id=lookup.store_id,
            queue=service_pb2.QueueState(
                queue_id=request.queue_id, decided_through_sequence=lookup.decided_through_sequence
            ),
            statuses=lookup.statuses,
        )

    async def GetSyncPolicy(
        self, request: service_pb2.GetSyncPolicyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetSyncPolicyResponse:
        """Tell the contract, and the caller's own name."""
        return service_pb2.GetSyncPolicyResponse(
            store_id=self._submissions.store_id,
            policy=self._submissions.policy_message(),
            principal=current_call().principal,
            server_name=SERVER_NAME,
            server_version=self._server_version,
        )

    async def Sync(  # type: ignore[override]  # grpc.aio takes a coroutine that writes, as well as a generator
        self,
        request_iterator: AsyncIterator[service_pb2.SyncRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        """Answer a stream of submissions."""
        self.check_profile("streaming")

        async def read() -> service_pb2.SyncRequest | None:
            message = await context.read()
            return None if message is grpc.aio.EOF else decoded(message)

        await self._make_stream(self._submissions, self._claims, current_call().principal, read, context.write).run()

    async def WatchCart(  # type: ignore[override]  # grpc.aio takes a coroutine that writes, as well as a generator
        self, request: service_pb2.WatchCartRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Send the cart, and again whenever it has changed."""
        self.check_profile("watch")
        call = current_call()
        await self._watches.watch(call.principal, request, context.write, call.check_admitted)

    def check_profile(self, name: str) -> None:
        """Raise CallError (UNIMPLEMENTED) unless the policy lists the profile."""
        if not self._submissions.has_profile(name):
            raise not_listed(name)
