"""Answers the calls of cartsync.v1.PaymentMethodService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

from typing import Any

import grpc.aio
from cartsync.v1 import payment_methods_pb2, payment_methods_pb2_grpc

from reference_server.engine.listings import Listings
from reference_server.engine.state import PAYMENT_METHODS
from reference_server.service.account_reads import AccountReads, queue_state
from reference_server.service.calls import current_call


class PaymentMethodServicer(payment_methods_pb2_grpc.PaymentMethodServiceServicer):
    """Reads the caller's payment methods. Callers are known and errors leave by the guard in front of it."""

    def __init__(self, reads: AccountReads, listings: Listings) -> None:
        self._reads = reads
        self._listings = listings

    async def ListPaymentMethods(
        self, request: payment_methods_pb2.ListPaymentMethodsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> payment_methods_pb2.ListPaymentMethodsResponse:
        """Read all payment methods in ascending order of their ids (spec: payment/listing)."""
        contents = await self._reads.collection(
            current_call().principal, PAYMENT_METHODS, request.queue_id, request.store_id
        )
        return payment_methods_pb2.ListPaymentMethodsResponse(
            store_id=contents.store_id,
            queue=queue_state(request.queue_id, contents),
            revision=contents.head.revision,
            payment_methods=self._listings.payment_methods(contents),
        )
