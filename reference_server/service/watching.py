"""WatchCart: the snapshot of a cart now, and again whenever it has changed (spec: chapter 12).

Each answer is a whole snapshot, so a watch needs no memory of what happened: it is woken, reads cart and watermark of
one instant, and sends them when they are news. What happens while a slow reader holds up a write leaves a single
raised flag; when the reader reads on, it gets the latest. A watch is woken by commits of this process, and looks by
itself every few seconds: for what another process committed, for a store put back, for prices, and for a credential
that has expired.

`is_news` is the pure part: what to send next, given what was sent last and what is there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from cartsync.v1 import cart_pb2, service_pb2

from reference_server.commits import Commits
from reference_server.ports import BackendUnavailableError
from reference_server.service.errors import unavailable
from reference_server.service.submissions import Submissions
from reference_server.settlement import CartReading

LOOK_SECONDS = 5.0
RESTART_RETRY_DELAY = timedelta(seconds=1)

Write = Callable[[service_pb2.WatchCartResponse], Awaitable[None]]
Wait = Callable[[asyncio.Event], Awaitable[None]]


async def change_or_time(changed: asyncio.Event) -> None:
    """Wait until a commit was announced, at most `LOOK_SECONDS`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(changed.wait(), LOOK_SECONDS)


def is_news(sent: service_pb2.WatchCartResponse | None, latest: service_pb2.WatchCartResponse) -> bool:
    """Whether `latest` is to be sent after `sent` (None: nothing was sent yet).

    Never when revision or watermark would go back (spec: watch/never-back); otherwise when anything but the time of
    pricing differs.
    """
    if sent is None:
        return True
    if latest.cart.revision < sent.cart.revision:
        return False
    if latest.queue.decided_through_sequence < sent.queue.decided_through_sequence:
        return False
    return latest.queue != sent.queue or _without_time(latest.cart) != _without_time(sent.cart)


def _without_time(cart: cart_pb2.Cart) -> cart_pb2.Cart:
    copy = cart_pb2.Cart()
    copy.CopyFrom(cart)
    copy.ClearField("price_time")
    return copy


class Watches:
    """Every watch of this server."""

    def __init__(self, submissions: Submissions, commits: Commits, wait: Wait = change_or_time) -> None:
        self._submissions = submissions
        self._commits = commits
        self._wait = wait
        self._stopping = asyncio.Event()

    def stop_all(self) -> None:
        """End every watch, and every later one, because the server stops."""
        self._stopping.set()

    async def watch(
        self,
        principal: str,
        request: service_pb2.WatchCartRequest,
        write: Write,
        check_admitted: Callable[[], None],
    ) -> None:
        """Send snapshots until the client or the server ends it.

        Ends by raising CallError only: wrong arguments, STORE_CHANGED, UNAVAILABLE when the server stops, or what
        `check_admitted` raises when the credential is no longer good.
        """
        following = asyncio.ensure_future(self._follow(principal, request, write, check_admitted))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                return following.result()
            raise unavailable("The server is stopping.", RESTART_RETRY_DELAY)
        finally:
            await _cancel(following, stopping)

    async def _follow(
        self,
        principal: str,
        request: service_pb2.WatchCartRequest,
        write: Write,
        check_admitted: Callable[[], None],
    ) -> None:
        # Watched before the first reading, so that no commit falls between the two.
        with self._commits.watched(principal, request.cart_id, request.queue_id) as changed:
            latest: service_pb2.WatchCartResponse | None = await self.snapshot(principal, request, request.store_id)
            sent: service_pb2.WatchCartResponse | None = None
            while True:
                if latest is not None and self.is_news(sent, latest):
                    await write(latest)
                    sent = latest
                await self._wait(changed)
                check_admitted()
                changed.clear()
                assert sent is not None, "the first snapshot is always news"
                latest = await self._priced_snapshot(principal, request, sent.store_id)

    def is_news(self, sent: service_pb2.WatchCartResponse | None, latest: service_pb2.WatchCartResponse) -> bool:
        """Whether to send what was read; see `is_news` of this module."""
        return is_news(sent, latest)

    async def snapshot(
        self, principal: str, request: service_pb2.WatchCartRequest, store_id: str
    ) -> service_pb2.WatchCartResponse:
        """Cart and watermark of one instant, as GetCart reads them (spec: watch/atomic, watch/same-as-read).

        Raises CallError, STORE_CHANGED when the store is no longer `store_id`, and BackendUnavailableError.
        """
        reading = await self._submissions.cart(principal, request.cart_id, request.queue_id, store_id)
        return watch_response(request.queue_id, reading)

    async def _priced_snapshot(
        self, principal: str, request: service_pb2.WatchCartRequest, store_id: str
    ) -> service_pb2.WatchCartResponse | None:
        try:
            return await self.snapshot(principal, request, store_id)
        except BackendUnavailableError:
            return None  # what was sent still stands; the next look may have prices again


def watch_response(queue_id: str, reading: CartReading) -> service_pb2.WatchCartResponse:
    """A reading as it is sent."""
    queue = None
    if reading.decided_through_sequence is not None:
        queue = service_pb2.QueueState(queue_id=queue_id, decided_through_sequence=reading.decided_through_sequence)
    return service_pb2.WatchCartResponse(store_id=reading.store_id, cart=reading.cart, queue=queue)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
