"""The embedded store: what survives, what is compared, what is pruned, what is saved and put back."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reference_server.engine import instants
from reference_server.engine.policy import Policy
from reference_server.engine.state import CartHead, Changes, Effect, Line, QueueMark, Record
from reference_server.storage import Operand, Store, StoreFailedError, UnknownSaveError, Wanted, open_store

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NOW_US = instants.to_us(NOW)
WANTED = Wanted("ada", "queue", (Operand(1, "key-1", "basket", "apple"), Operand(2, "key-2", "basket", "apple")))


@asynccontextmanager
async def opened(address: str = "sqlite::memory:", *, keep_effects: bool = True) -> AsyncIterator[Store]:
    store = open_store(address, Policy(), keep_effects=keep_effects)
    try:
        yield store
    finally:
        await store.close()


def record(sequence: int, decide_time_us: int = NOW_US) -> Record:
    return Record(sequence, f"key-{sequence}", b"digest", 1, b"", decide_time_us)


def first_add(store: Store, queue_id: str = "queue") -> Changes:
    """The changes of a queue's first add to the basket."""
    return Changes(
        store_id=store.store_id,
        principal="ada",
        queue_id=queue_id,
        contact_time_us=NOW_US,
        expected_queue=QueueMark(),
        queue=QueueMark(1, "key-1"),
        records=(record(1),),
        expected_carts={"basket": None},
        carts={"basket": CartHead(1, "GBP", NOW_US, 1)},
        lines={("basket", "apple"): Line(2, 1, queue_id, 0)},
        effects=(Effect(queue_id, 1, "key-1", "basket", 1, "apple", 0, 2),),
    )


async def test_what_was_committed_is_read_back_whole() -> None:
    async with opened() as store:
        changes = first_add(store)
        assert await store.commit(changes)
        reading = await store.read(WANTED)
        assert reading.queue == changes.queue
        assert reading.records == {1: record(1)}
        assert reading.carts == changes.carts
        assert reading.lines == changes.lines
        assert reading.contact_time_us == NOW_US
        assert await store.effects("ada") == list(changes.effects)
        assert await store.effects("bob") == []


async def test_a_commit_is_refused_whole_when_anything_it_expects_no_longer_holds() -> None:
    async with opened() as store:
        assert await store.commit(first_add(store))
        again = replace(
            first_add(store),
            expected_queue=QueueMark(1, "key-1"),
            queue=QueueMark(2, "key-2"),
            records=(record(2),),
            expected_carts={"basket": CartHead(1, "GBP", NOW_US, 1)},
        )
        head = CartHead(1, "GBP", NOW_US, 1)
        for stale in (
            replace(again, store_id="another"),
            replace(again, expected_queue=QueueMark()),
            replace(again, expected_queue=QueueMark(1, "another-key")),
            replace(again, expected_carts={"basket": None}),
            replace(again, expected_carts={"basket": replace(head, revision=2)}),
            replace(again, expected_carts={"basket": replace(head, closed=True)}),
            replace(again, expected_carts={"basket": head, "other": head}),
        ):
            assert not await store.commit(stale)
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")
        assert await store.commit(again)


async def test_a_commit_that_fails_half_way_leaves_nothing() -> None:
    async with opened() as store:
        twice_one_sequence = replace(first_add(store), records=(record(1), record(1)))
        with pytest.raises(StoreFailedError):
            await store.commit(twice_one_sequence)
        reading = await store.read(WANTED)
        assert (reading.queue, reading.carts, reading.records) == (QueueMark(), {}, {})
        assert await store.commit(first_add(store))


async def test_principals_and_queues_are_apart() -> None:
    async with opened() as store:
        await store.commit(first_add(store))
        for wanted in (replace(WANTED, principal="bob"), replace(WANTED, queue_id="other")):
            reading = await store.read(wanted)
            assert (reading.queue, reading.records, reading.key_uses) == (QueueMark(), {}, {})
        assert (await store.read(replace(WANTED, principal="bob"))).carts == {}


async def test_failures_are_counted_by_key_and_forgotten_once_decided() -> None:
    async with opened() as store:
        failed = Changes(
            store_id=store.store_id,
            principal="ada",
            queue_id="queue",
            contact_time_us=NOW_US,
            expected_queue=QueueMark(),
            queue=QueueMark(),
            failures=((1, "key-1"),),
        )
        assert await store.commit(failed)
        assert await store.commit(failed)
        assert (await store.read(WANTED)).failures == {(1, "key-1"): 2}
        assert await store.commit(first_add(store))
        assert (await store.read(WANTED)).failures == {}


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    address = f"sqlite:{tmp_path / 'deep' / 'store.sqlite'}"
    async with opened(address) as store:
        store_id = store.store_id
        await store.commit(first_add(store))
        before = await store.read(WANTED)
    async with opened(address) as store:
        assert store.store_id == store_id
        assert await store.read(WANTED) == before
        assert len(await store.effects("ada")) == 1


async def test_commits_survive_a_process_that_dies_without_closing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    script = """
import asyncio, os, sys
from reference_server.engine.policy import Policy
from reference_server.engine.state import Changes, QueueMark
from reference_server.storage import open_store

async def commit_and_die():
    store = open_store(f"sqlite:{sys.argv[1]}", Policy())
    changes = Changes(store.store_id, "ada", "queue", 1, QueueMark(), QueueMark(1, "key-1"))
    os._exit(7 if await store.commit(changes) else 8)

asyncio.run(commit_and_die())
"""
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
    assert await died.wait() == 7
    async with opened(f"sqlite:{path}") as store:
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")


async def test_the_file_is_the_owners_alone_and_durable_by_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with opened(f"sqlite:{path}") as store:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await store.commit(first_add(store))
        second = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("SELECT * FROM queues").fetchall()
        second.close()
    with sqlite3.connect(path) as alone:
        assert alone.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_the_ledger_is_kept_only_when_asked_for() -> None:
    async with opened(keep_effects=False) as store:
        await store.commit(first_add(store))
        assert await store.effects("ada") == []


# Pruning


async def test_records_go_after_their_retention_and_not_before() -> None:
    retention = Policy().outcome_retention
    async with opened() as store:
        await store.commit(first_add(store))
        assert await store.prune_due(NOW + retention) == 0
        assert await store.prune_due(NOW + retention + timedelta(microseconds=1)) == 1
        found = await store.read_range("ada", "queue", 1, 1)
        assert (found.decided_through_sequence, found.outcomes) == (1, {})


async def test_pruning_goes_on_step_by_step_until_all_that_is_due_is_gone() -> None:
    count = 1_201
    async with opened() as store:
        many = replace(
            first_add(store),
            queue=QueueMark(count, f"key-{count}"),
            records=tuple(record(sequence) for sequence in range(1, count + 1)),
        )
        await store.commit(many)
        assert await store.prune_due(NOW + timedelta(days=31)) == count


async def test_a_watermark_goes_only_after_its_retention_since_the_last_contact() -> None:
    kept = Policy().queue_retention
    async with opened() as store:
        await store.commit(first_add(store))
        await store.prune_due(NOW + kept)
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")
        await store.touch("ada", "queue", instants.to_us(NOW + kept))
        await store.prune_due(NOW + kept + kept)
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")
        await store.prune_due(NOW + kept + kept + timedelta(days=2))
        assert (await store.read(WANTED)).queue == QueueMark()


async def test_contact_time_never_goes_back() -> None:
    async with opened() as store:
        await store.commit(first_add(store))
        await store.touch("ada", "queue", 5)
        assert (await store.read(WANTED)).contact_time_us == NOW_US


# Saving and restoring


@pytest.mark.parametrize("on_disk", [True, False])
async def test_a_restored_store_is_as_it_was_under_a_new_id(tmp_path: Path, on_disk: bool) -> None:
    async with opened(f"sqlite:{tmp_path / 'store.sqlite'}" if on_disk else "sqlite::memory:") as store:
        await store.commit(first_add(store))
        before = await store.read(WANTED)
        await store.save("monday.1")
        await store.commit(first_add(store, "other"))
        await store.close_cart("ada", "basket")
        ids = {store.store_id, await store.restore("monday.1"), await store.restore("monday.1")}
        assert len(ids) == 3
        assert store.store_id in ids
        assert await store.read(WANTED) == replace(before, store_id=store.store_id)
        assert (await store.read_range("ada", "other", 1, 1)).decided_through_sequence == 0


async def test_a_restored_file_stays_durable_and_keeps_its_new_id_over_a_restart(tmp_path: Path) -> None:
    address = f"sqlite:{tmp_path / 'store.sqlite'}"
    async with opened(address) as store:
        await store.save("empty")
        await store.commit(first_add(store))
    async with opened(address) as store:
        new_id = await store.restore("empty")
        await store.commit(first_add(store))
    async with opened(address) as store:
        assert store.store_id == new_id
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")


async def test_saving_again_replaces_what_was_saved() -> None:
    async with opened() as store:
        await store.save("one")
        await store.commit(first_add(store))
        await store.save("one")
        await store.restore("one")
        assert (await store.read(WANTED)).queue == QueueMark(1, "key-1")


async def test_an_unknown_or_impossible_save_name_is_refused(tmp_path: Path) -> None:
    async with opened(f"sqlite:{tmp_path / 'store.sqlite'}") as store:
        with pytest.raises(UnknownSaveError, match="never"):
            await store.restore("never")
        for name in ("", "../x", "a/b", "x" * 65):
            with pytest.raises(ValueError, match="1 to 64 characters"):
                await store.save(name)


# Opening and closing


@pytest.mark.parametrize("address", ["", "sqlite:", "postgres:x", "/tmp/x"])
def test_an_address_of_another_form_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(ValueError, match="sqlite:PATH"):
        open_store(address, Policy())


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear shop, " * 1000)
    with pytest.raises(StoreFailedError, match="cannot open"):
        open_store(f"sqlite:{path}", Policy())


async def test_a_closed_store_says_so_and_closing_again_does_nothing() -> None:
    async with opened() as store:
        await store.close()
        await store.close()
        with pytest.raises(StoreFailedError, match="closed"):
            await store.read(WANTED)


async def test_neither_repr_nor_error_of_a_reading_shows_the_digest_key() -> None:
    async with opened() as store:
        reading = await store.read(WANTED)
        assert len(reading.digest_key) == 32
        assert repr(reading.digest_key) not in repr(reading)


async def test_every_folder_made_for_a_store_is_synced_to_the_medium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr("os.fsync", fsync)
    store = open_store(f"sqlite:{tmp_path / 'a' / 'b' / 'store.sqlite'}", Policy())
    await store.close()
    assert synced == [made.stat().st_ino for made in (tmp_path, tmp_path / "a")]
