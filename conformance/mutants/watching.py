"""Watches that show too little, too late, too much, or the wrong thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cartsync.v1 import service_pb2

from conformance.mutants.mutant import Mutant
from reference_server.commits import Commits
from reference_server.engine.identifiers import is_canonical_uuid
from reference_server.service.submissions import Submissions
from reference_server.service.watching import Watches, Write

_Request = service_pb2.WatchCartRequest
_Response = service_pb2.WatchCartResponse
_Key = tuple[str, str]


class _WaitsForAChange(Watches):
    """Says nothing before something has changed."""

    async def watch(self, principal: str, request: _Request, write: Write, check_admitted: Callable[[], None]) -> None:
        with self._commits.watched(principal, request.cart_id, request.queue_id) as changed:
            await changed.wait()
        await super().watch(principal, request, write, check_admitted)


class _OwnChangesOnly(Watches):
    """Shows what the queue asked for has done, and nobody else's changes."""

    def is_news(self, sent: _Response | None, latest: _Response) -> bool:
        return super().is_news(sent, latest) and (sent is None or latest.queue != sent.queue)


class _ChangesOnly(Watches):
    """Tells nothing when the watermark alone has moved."""

    def is_news(self, sent: _Response | None, latest: _Response) -> bool:
        return super().is_news(sent, latest) and (sent is None or latest.cart.revision != sent.cart.revision)


class _GoesBack(Watches):
    """Sends the snapshot from before once more behind each new one."""

    async def watch(self, principal: str, request: _Request, write: Write, check_admitted: Callable[[], None]) -> None:
        before: list[_Response] = []

        async def twice(snapshot: _Response) -> None:
            await write(snapshot)
            for older in before:
                await write(older)
            before[:] = [snapshot]

        await super().watch(principal, request, twice, check_admitted)


class _WatermarkApart(Watches):
    """Sends a new cart with the watermark of the reading before."""

    def __init__(self, submissions: Submissions, commits: Commits) -> None:
        super().__init__(submissions, commits)
        self._watermarks: dict[tuple[str, str, str], int] = {}

    async def snapshot(self, principal: str, request: _Request, store_id: str) -> _Response:
        latest = await super().snapshot(principal, request, store_id)
        if latest.HasField("queue"):
            key = principal, request.cart_id, request.queue_id
            watermark = latest.queue.decided_through_sequence
            latest.queue.decided_through_sequence = self._watermarks.get(key, watermark)
            self._watermarks[key] = watermark
        return latest


class _Thin(Watches):
    """Leaves the prices out of what it sends."""

    async def snapshot(self, principal: str, request: _Request, store_id: str) -> _Response:
        latest = await super().snapshot(principal, request, store_id)
        for line in latest.cart.lines:
            line.ClearField("line_total")
        return latest


class _BeginsWhereItWas(Watches):
    """Begins a watch with what an earlier one was sent last."""

    def __init__(self, submissions: Submissions, commits: Commits) -> None:
        super().__init__(submissions, commits)
        self._sent: dict[_Key, _Response] = {}

    async def watch(self, principal: str, request: _Request, write: Write, check_admitted: Callable[[], None]) -> None:
        key = principal, request.cart_id

        async def remembering(snapshot: _Response) -> None:
            self._sent[key] = snapshot
            await write(snapshot)

        if key in self._sent:
            await write(self._sent[key])
        await super().watch(principal, request, remembering, check_admitted)


class _OneAfterTheOther(Watches):
    """Writes to one watch at a time, whoever does not read."""

    def __init__(self, submissions: Submissions, commits: Commits) -> None:
        super().__init__(submissions, commits)
        self._turn = asyncio.Lock()

    async def watch(self, principal: str, request: _Request, write: Write, check_admitted: Callable[[], None]) -> None:
        async def in_turn(snapshot: _Response) -> None:
            async with self._turn:
                await write(snapshot)

        await super().watch(principal, request, in_turn, check_admitted)


class _FirstComeFirstShown(Watches):
    """Shows the cart of whoever watched a cart of that id first."""

    def __init__(self, submissions: Submissions, commits: Commits) -> None:
        super().__init__(submissions, commits)
        self._owners: dict[str, str] = {}

    async def snapshot(self, principal: str, request: _Request, store_id: str) -> _Response:
        owner = self._owners.setdefault(request.queue_id or request.cart_id, principal)
        return await super().snapshot(owner, request, store_id)


class _AnyQueue(Watches):
    """Watches without a queue where the queue id is none."""

    async def watch(self, principal: str, request: _Request, write: Write, check_admitted: Callable[[], None]) -> None:
        if not is_canonical_uuid(request.queue_id):
            request.queue_id = ""
        await super().watch(principal, request, write, check_admitted)


class _AnyStore(Watches):
    """Never asks whether the store is still the one that was watched."""

    async def snapshot(self, principal: str, request: _Request, store_id: str) -> _Response:  # noqa: ARG002
        return await super().snapshot(principal, request, "")


class _StaysOverARestore(Watches):
    """Looks at the store's id at the beginning only."""

    async def snapshot(self, principal: str, request: _Request, store_id: str) -> _Response:
        return await super().snapshot(principal, request, store_id if store_id == request.store_id else "")


class _EndsAfterOne(Watches):
    """Sends one change and no more."""

    def is_news(self, sent: _Response | None, latest: _Response) -> bool:
        first_seen = sent is None or sent.cart.revision == 0
        return super().is_news(sent, latest) and first_seen


MUTANTS = (
    Mutant(
        "watch-waits-for-a-change",
        "Sends no snapshot before the cart has changed.",
        ("watch/first-snapshot", "watch/resume", "watch/changes-arrive", "watch/never-back", "watch/atomic"),
        "watches",
        _WaitsForAChange,
    ),
    Mutant(
        "watch-of-own-changes",
        "Shows the changes of the queue asked for, and nobody else's.",
        ("watch/changes-arrive", "watch/resume", "watch/slow-reader", "watch/apart"),
        "watches",
        _OwnChangesOnly,
    ),
    Mutant(
        "watch-ends-after-one",
        "Sends the first change of a cart and no further one.",
        ("watch/changes-arrive", "watch/watermark-arrives", "watch/same-as-read", "watch/slow-reader"),
        "watches",
        _EndsAfterOne,
    ),
    Mutant(
        "watch-of-changes-only",
        "Sends nothing when the watermark alone has moved.",
        ("watch/watermark-arrives",),
        "watches",
        _ChangesOnly,
    ),
    Mutant(
        "watch-goes-back",
        "Sends an older snapshot once more behind each newer one.",
        ("watch/never-back", "watch/changes-arrive", "watch/atomic", "watch/resume"),
        "watches",
        _GoesBack,
    ),
    Mutant(
        "watch-with-the-watermark-before",
        "Sends a cart with the watermark of an earlier instant.",
        ("watch/atomic", "watch/watermark-arrives", "watch/first-snapshot"),
        "watches",
        _WatermarkApart,
    ),
    Mutant(
        "watch-without-totals",
        "Leaves the line totals out of the snapshots it sends.",
        ("watch/same-as-read",),
        "watches",
        _Thin,
    ),
    Mutant(
        "watch-begins-where-it-was",
        "Begins a watch with the last snapshot of an earlier one.",
        ("watch/resume", "watch/first-snapshot", "watch/never-back", "watch/slow-reader"),
        "watches",
        _BeginsWhereItWas,
    ),
    Mutant(
        "watches-one-after-the-other",
        "Writes to one watch at a time, so that a reader that does not read holds up the others.",
        ("watch/slow-reader",),
        "watches",
        _OneAfterTheOther,
    ),
    Mutant(
        "watch-of-whoever-came-first",
        "Shows a queue or cart id as the principal has it that named it first.",
        ("watch/apart",),
        "watches",
        _FirstComeFirstShown,
    ),
    Mutant(
        "watch-with-any-queue-id",
        "Watches without a queue where the queue id is malformed.",
        ("watch/arguments",),
        "watches",
        _AnyQueue,
    ),
    Mutant(
        "watch-of-any-store",
        "Watches for whatever store the client expects.",
        ("watch/arguments", "watch/store-changed"),
        "watches",
        _AnyStore,
    ),
    Mutant(
        "watch-stays-over-a-restore",
        "Lets a watch live through a restore of the store.",
        ("watch/store-changed",),
        "watches",
        _StaysOverARestore,
    ),
)
