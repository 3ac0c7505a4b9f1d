"""A disk that takes nothing more: clients are told to come again, and nothing that was confirmed is lost."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import grpc
import pytest
from live_server import Live, config_in, refused, running, states, submit_message

from reference_server.assembly import REFERENCE
from reference_server.engine.policy import Policy
from reference_server.logs import JsonLines
from reference_server.storage import Store
from reference_server.storage.interface import Retention
from reference_server.storage.sqlite import SqliteStore


class Disk(SqliteStore):
    """A store whose disk can be full: SQLite refuses every page beyond those that are there."""

    async def fill(self) -> None:
        await self._limit("(SELECT page_count FROM pragma_page_count)")

    async def make_room(self) -> None:
        await self._limit("1000000")

    async def _limit(self, pages: str) -> None:
        def limit() -> None:
            count = self._connection.execute(f"SELECT {pages}").fetchone()[0]
            self._connection.execute(f"PRAGMA max_page_count = {count}")

        await self._run(limit)


@dataclasses.dataclass
class Shop:
    live: Live
    disk: Disk


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    disks: list[Disk] = []

    def open_disk(address: str, policy: Policy, **options: Any) -> Store:
        retention = Retention(policy.outcome_retention, policy.queue_retention)
        disks.append(Disk(Path(address.removeprefix("sqlite:")), retention, **options))
        return disks[0]

    parts = dataclasses.replace(REFERENCE, open_store=open_disk)
    async with running(config_in(tmp_path), parts) as live:
        yield Shop(live, disks[0])


async def test_a_submission_on_a_full_disk_is_unavailable_and_applied_once_there_is_room(shop: Shop) -> None:
    ann = shop.live.shopper()
    await ann.submit(ann.add(1))
    await shop.disk.fill()
    attempts = [ann.add(1) for _ in range(200)]
    with refused() as refusal:
        await ann.submit(*attempts)
    assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)
    assert "in doubt" in refusal.message

    # What was confirmed is still there, and nothing of the rest.
    assert await ann.quantity() == 1
    assert (await ann.lookup(1, 2)).queue.decided_through_sequence == 1

    await shop.disk.make_room()
    assert states(await ann.submit(*attempts)) == ["APPLIED"] * 200
    assert await ann.quantity() == 201


async def test_a_stream_on_a_full_disk_ends_as_unavailable_and_earlier_answers_stand(shop: Shop) -> None:
    ann = shop.live.shopper()
    stream = shop.live.calls.Sync(metadata=ann.metadata)
    await stream.write(ann.hello())
    await stream.read()
    await stream.write(submit_message(ann.add(1)))
    answer: Any = await stream.read()
    assert states(answer.outcomes) == ["APPLIED"]
    await shop.disk.fill()
    attempts = [ann.add(1) for _ in range(200)]
    await stream.write(submit_message(*attempts))
    with refused() as refusal:
        await stream.read()
    assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)
    assert await ann.quantity() == 1


async def test_the_log_says_that_the_store_failed_and_why(shop: Shop) -> None:
    lines = StringIO()
    handler = JsonLines(lines)
    log = logging.getLogger("cartsync.server")
    log.addHandler(handler)
    try:
        ann = shop.live.shopper()
        await shop.disk.fill()
        with refused():
            await ann.submit(*(ann.add(1) for _ in range(200)))
    finally:
        log.removeHandler(handler)
    failed = [entry for entry in map(json.loads, lines.getvalue().splitlines()) if entry["event"] == "store_failed"]
    assert len(failed) == 1
    assert "full" in failed[0]["error"]
    assert (failed[0]["level"], failed[0]["principal"]) == ("error", "ann")
