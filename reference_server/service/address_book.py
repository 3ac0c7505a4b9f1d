"""Answers the calls of cartsync.v1.AddressBookService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

from typing import Any

import grpc.aio
from cartsync.v1 import address_book_pb2, address_book_pb2_grpc

from reference_server.engine.listings import Listings
from reference_server.engine.state import ADDRESS_BOOK
from reference_server.service.account_reads import AccountReads, queue_state
from reference_server.service.calls import current_call


class AddressBookServicer(address_book_pb2_grpc.AddressBookServiceServicer):
    """Reads the caller's address book. Callers are known and errors leave by the guard in front of it."""

    def __init__(self, reads: AccountReads, listings: Listings) -> None:
        self._reads = reads
        self._listings = listings

    async def ListAddresses(
        self, request: address_book_pb2.ListAddressesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> address_book_pb2.ListAddressesResponse:
        """Read all addresses in ascending order of their ids (spec: address/listing)."""
        contents = await self._reads.collection(
            current_call().principal, ADDRESS_BOOK, request.queue_id, request.store_id
        )
        return address_book_pb2.ListAddressesResponse(
            store_id=contents.store_id,
            queue=queue_state(request.queue_id, contents),
            revision=contents.head.revision,
            addresses=self._listings.addresses(contents),
        )
