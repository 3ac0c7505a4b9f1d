"""Answers the calls of cartsync.v1.WishlistService."""

# ruff: noqa: N802, ARG002 - names and arguments are those of the generated base class

from __future__ import annotations

from typing import Any

import grpc.aio
from cartsync.v1 import wishlist_pb2, wishlist_pb2_grpc

from reference_server.engine.listings import Listings
from reference_server.engine.state import WISHLIST, Entry
from reference_server.service.account_reads import AccountReads, queue_state
from reference_server.service.calls import current_call
from reference_server.service.errors import Violation
from reference_server.service.page_tokens import after_revision, page_token

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 100


class WishlistServicer(wishlist_pb2_grpc.WishlistServiceServicer):
    """Reads the caller's wishlist. Callers are known and errors leave by the guard in front of it."""

    def __init__(self, reads: AccountReads, listings: Listings) -> None:
        self._reads = reads
        self._listings = listings

    async def ListWishlist(
        self, request: wishlist_pb2.ListWishlistRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> wishlist_pb2.ListWishlistResponse:
        """Read one page (spec: wishlist/paging, wishlist/atomic)."""
        principal = current_call().principal
        contents = await self._reads.collection(
            principal,
            WISHLIST,
            request.queue_id,
            request.store_id,
            after_revision=after_revision(principal, request.page_token) or 0,
            limit=self.page_size(request.page_size),
            violations=self.violations(principal, request),
        )
        last = contents.entries[-1][1] if contents.entries else None
        return wishlist_pb2.ListWishlistResponse(
            store_id=contents.store_id,
            queue=queue_state(request.queue_id, contents),
            revision=contents.head.revision,
            entries=self._listings.wishlist_entries(contents),
            next_page_token=self.next_page_token(principal, last) if contents.more and last else "",
        )

    def violations(self, principal: str, request: wishlist_pb2.ListWishlistRequest) -> list[Violation]:
        """What is wrong with the page that is asked for (spec: wishlist/page-arguments)."""
        found = []
        if request.page_size < 0:
            found.append(("page_size", "must be 0 or more"))
        if after_revision(principal, request.page_token) is None:
            found.append(("page_token", "must be the next_page_token of an earlier page, or empty for the first one"))
        return found

    def page_size(self, asked: int) -> int:
        """How many entries a page has at most (spec: wishlist/page-size)."""
        return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)

    def next_page_token(self, principal: str, last: Entry) -> str:
        """Where the page behind the entry `last` begins."""
        return page_token(principal, last.added_revision)
