"""Wishlists that are read wrong: pages, their sizes, tokens and watermarks."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the reference server and its generated base classes

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc.aio
from cartsync.v1 import wishlist_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.state import WISHLIST, CollectionContents, Entry
from reference_server.service.calls import current_call
from reference_server.service.errors import Violation
from reference_server.service.page_tokens import after_revision, page_token
from reference_server.service.wishlist import WishlistServicer
from reference_server.storage.sqlite import SqliteStore


class _PagesByPosition(WishlistServicer):
    """A page begins behind as many entries as were shown before it."""

    async def ListWishlist(
        self, request: wishlist_pb2.ListWishlistRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> wishlist_pb2.ListWishlistResponse:
        principal = current_call().principal
        skipped = after_revision(principal, request.page_token) or 0
        first = wishlist_pb2.ListWishlistRequest()
        first.CopyFrom(request)
        if skipped:
            first.page_token = ""
        every = await self._all(first, context)
        size = self.page_size(request.page_size)
        shown = every.entries[skipped : skipped + size]
        more = len(every.entries) > skipped + size
        del every.entries[:]
        every.entries.extend(shown)
        every.next_page_token = page_token(principal, skipped + size) if more else ""
        return every

    async def _all(
        self, request: wishlist_pb2.ListWishlistRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> wishlist_pb2.ListWishlistResponse:
        answer = await super().ListWishlist(request, context)
        following = wishlist_pb2.ListWishlistRequest(page_token=answer.next_page_token)
        while following.page_token:
            page = await super().ListWishlist(following, context)
            answer.entries.extend(page.entries)
            following.page_token = page.next_page_token
        return answer


class _SkipsOne(WishlistServicer):
    """A page begins behind the entry that the one before ended before."""

    def next_page_token(self, principal: str, last: Entry) -> str:
        return page_token(principal, last.added_revision + 1)


class _RepeatsOne(WishlistServicer):
    """A page begins with the entry that the one before ended with."""

    def next_page_token(self, principal: str, last: Entry) -> str:
        return page_token(principal, max(1, last.added_revision - 1))


class _FirstPageOnly(WishlistServicer):
    def next_page_token(self, principal: str, last: Entry) -> str:
        return ""


class _PagesBySku(_PagesByPosition):
    """Pages go through the entries in the order of their SKUs."""

    async def _all(
        self, request: wishlist_pb2.ListWishlistRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> wishlist_pb2.ListWishlistResponse:
        answer = await super()._all(request, context)
        entries = sorted(answer.entries, key=lambda entry: entry.sku)
        del answer.entries[:]
        answer.entries.extend(entries)
        return answer


class _AnySize(WishlistServicer):
    def page_size(self, asked: int) -> int:
        return asked or 100


class _AllByDefault(WishlistServicer):
    """Shows the whole wishlist to whoever asks for no particular size."""

    def page_size(self, asked: int) -> int:
        return super().page_size(asked) if asked else 1_000_000


class _OneMore(WishlistServicer):
    def page_size(self, asked: int) -> int:
        return min(super().page_size(asked) + 1, 200)


class _AlwaysAHundred(WishlistServicer):
    def page_size(self, asked: int) -> int:
        return 100


class _LenientSize(WishlistServicer):
    """Takes a negative page size for none."""

    def violations(self, principal: str, request: wishlist_pb2.ListWishlistRequest) -> list[Violation]:
        return [found for found in super().violations(principal, request) if found[0] != "page_size"]

    def page_size(self, asked: int) -> int:
        return super().page_size(max(0, asked))


class _LenientToken(WishlistServicer):
    """Begins anew with a token it does not know."""

    def violations(self, principal: str, request: wishlist_pb2.ListWishlistRequest) -> list[Violation]:
        return [found for found in super().violations(principal, request) if found[0] != "page_token"]


class _UnknownQueueIsNone(WishlistServicer):
    """Takes a malformed queue_id for one that it knows nothing of."""

    async def ListWishlist(
        self, request: wishlist_pb2.ListWishlistRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> wishlist_pb2.ListWishlistResponse:
        if len(request.queue_id) == 36:
            return await super().ListWishlist(request, context)
        asked = wishlist_pb2.ListWishlistRequest()
        asked.CopyFrom(request)
        asked.ClearField("queue_id")
        return await super().ListWishlist(asked, context)


class _TwoInstants(SqliteStore):
    """The entries first, then, when the rest of the work is done, the watermark."""

    async def read_collection(
        self, principal: str, name: str, queue_id: str = "", *, after_revision: int = 0, limit: int | None = None
    ) -> CollectionContents:
        contents = await super().read_collection(principal, name, queue_id, after_revision=after_revision, limit=limit)
        if name != WISHLIST or not queue_id:
            return contents
        await asyncio.sleep(0.02)
        later = await super().read_collection(principal, name, queue_id)
        return replace(contents, decided_through_sequence=later.decided_through_sequence)


class _WatermarkBeforeTheEntries(SqliteStore):
    """Tells of the watermark of an entry before the entry is there."""

    async def read_collection(
        self, principal: str, name: str, queue_id: str = "", *, after_revision: int = 0, limit: int | None = None
    ) -> CollectionContents:
        if name != WISHLIST or not queue_id:
            return await super().read_collection(principal, name, queue_id, after_revision=after_revision, limit=limit)
        before = await super().read_collection(principal, name, queue_id)
        await asyncio.sleep(0.02)
        contents = await super().read_collection(principal, name, queue_id, after_revision=after_revision, limit=limit)
        return replace(contents, decided_through_sequence=before.decided_through_sequence)


MUTANTS = (
    Mutant(
        "wishlist-pages-by-position",
        "Begins a page behind as many entries as were shown before.",
        ("wishlist/paging",),
        "wishlist",
        _PagesByPosition,
    ),
    Mutant(
        "wishlist-pages-skip-one",
        "Leaves out an entry between two pages.",
        (
            "wishlist/paging",
            "wishlist/full",
            "wishlist/add",
        ),
        "wishlist",
        _SkipsOne,
    ),
    Mutant(
        "wishlist-pages-repeat-one",
        "Begins a page with the last entry of the page before.",
        (
            "wishlist/paging",
            "wishlist/full",
        ),
        "wishlist",
        _RepeatsOne,
    ),
    Mutant(
        "wishlist-has-one-page",
        "Shows only the first page of a wishlist.",
        (
            "wishlist/paging",
            "wishlist/full",
        ),
        "wishlist",
        _FirstPageOnly,
    ),
    Mutant(
        "wishlist-pages-by-sku",
        "Pages through a wishlist in order of the SKUs.",
        (
            "wishlist/paging",
            "wishlist/add",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/remove",
            "wishlist/add-again",
        ),
        "wishlist",
        _PagesBySku,
    ),
    Mutant(
        "wishlist-pages-of-any-size",
        "Shows as many entries as are asked for.",
        ("wishlist/page-size",),
        "wishlist",
        _AnySize,
    ),
    Mutant(
        "whole-wishlist-by-default",
        "Shows the whole wishlist where no size of page is asked for.",
        (
            "wishlist/page-size",
            "wishlist/full",
        ),
        "wishlist",
        _AllByDefault,
    ),
    Mutant(
        "wishlist-page-of-one-more",
        "Shows one entry more than is asked for.",
        ("wishlist/page-size",),
        "wishlist",
        _OneMore,
    ),
    Mutant(
        "wishlist-page-size-ignored",
        "Shows pages of a hundred, whatever is asked for.",
        ("wishlist/page-size",),
        "wishlist",
        _AlwaysAHundred,
    ),
    Mutant(
        "negative-page-size",
        "Takes a negative page size for none.",
        ("wishlist/page-arguments",),
        "wishlist",
        _LenientSize,
    ),
    Mutant(
        "begins-anew-with-a-wrong-token",
        "Shows the first page to a token it does not know.",
        ("wishlist/page-arguments",),
        "wishlist",
        _LenientToken,
    ),
    Mutant(
        "malformed-queue-is-no-queue",
        "Shows a wishlist without a queue when the queue_id is malformed.",
        ("wishlist/page-arguments",),
        "wishlist",
        _UnknownQueueIsNone,
    ),
    Mutant(
        "wishlist-before-watermark",
        "Reads the wishlist first and the watermark later.",
        ("wishlist/atomic",),
        "open_store",
        stored_in(_TwoInstants),
    ),
    Mutant(
        "watermark-before-wishlist",
        "Reads the watermark first and the wishlist later.",
        ("wishlist/atomic",),
        "open_store",
        stored_in(_WatermarkBeforeTheEntries),
    ),
)
