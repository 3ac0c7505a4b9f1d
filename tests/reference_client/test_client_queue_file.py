"""The durable queue on a real disk: killed writers, several processes, a broken file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cartsync.v1 import cart_pb2, service_pb2
from faulty_link import FaultyLink
from offline_shopper import SERVER as SHOP
from offline_shopper import Shopper
from spec_server import SpecServer, adds

from reference_client import CartClient, QueueBusyError, StoreError
from reference_client.drainer.drainer import queue_lock
from reference_client.machine.values import Notice
from reference_client.queue.database import FILE_NAME
from reference_client.queue.queue_file import QueueFile
from reference_client.queue.rows import QueueRecord

SERVER = "shop.example:443"

WRITER = """
import sys
from reference_client import CartClient
client = CartClient(sys.argv[1], "shop.example:443")
print("ready", flush=True)
while True:
    place = client.add("A", price="1.00GBP")
    print(place.sequence, place.key, flush=True)
"""

HOLDER = """
import sys, time
from pathlib import Path
from reference_client.drainer.drainer import queue_lock
with queue_lock(Path(sys.argv[1]), "q"):
    print("held", flush=True)
    time.sleep(60)
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_whatever_was_acknowledged_is_there_after_kill_9_and_the_chain_goes_on(tmp_path: Path) -> None:
    draw = random.Random(7)
    acknowledged: list[tuple[int, str]] = []
    for _ in range(4):
        process = start(WRITER, tmp_path)
        assert process.stdout is not None
        for _ in range(draw.randint(1, 25)):
            sequence, key = process.stdout.readline().split()
            acknowledged.append((int(sequence), key))
        process.send_signal(signal.SIGKILL)
        whole = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        acknowledged += [(int(line.split()[0]), line.split()[1]) for line in whole]
        process.wait()

    with CartClient(tmp_path, SERVER) as client:
        operations = client.operations()
        stored = [(o.sequence, o.key) for o in operations]
        assert set(acknowledged) <= set(stored)
        assert [s for s, _ in stored] == list(range(1, len(stored) + 1))
        assert [o.operation.previous_key for o in operations] == ["", *(o.key for o in operations[:-1])]
        assert len(stored) - len(acknowledged) <= 4, "at most the one that was being written, for each kill"
        assert client.add("A", price="1.00GBP").sequence == len(stored) + 1


def test_several_processes_that_write_at_once_share_one_queue_and_leave_no_gap(tmp_path: Path) -> None:
    writers = [start(WRITER, tmp_path) for _ in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(10):
            writer.stdout.readline()
    for writer in writers:
        writer.kill()
        writer.wait()
    with CartClient(tmp_path, SERVER) as client:
        sequences = [o.sequence for o in client.operations()]
        assert sequences == list(range(1, len(sequences) + 1))
        assert len(sequences) >= 30
        assert len(client.queues.queues()) == 1


def test_a_queue_has_one_drainer_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    holder = start(HOLDER, tmp_path)
    with pytest.raises(QueueBusyError), queue_lock(tmp_path, "q"):
        pytest.fail("two drainers at once")
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with queue_lock(tmp_path, "q"):
        pass


def test_the_next_sequence_does_not_come_from_what_remains(tmp_path: Path) -> None:
    queues = QueueFile.open(tmp_path)
    (first, second) = queues.enqueue(SERVER, adds("A", "B"))
    queues._database.execute("DELETE FROM operations")
    (third,) = queues.enqueue(SERVER, adds("C"))
    assert third.sequence == 3
    assert queues.operations(first.queue_id)[0].operation.previous_key == second.key


def test_what_is_written_is_synced_to_the_medium(tmp_path: Path) -> None:
    queues = QueueFile.open(tmp_path)
    connection = queues._database.conn
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)


def test_each_server_has_a_queue_of_its_own(tmp_path: Path) -> None:
    queues = QueueFile.open(tmp_path)
    (one,), (other,) = queues.enqueue("a:1", adds("A")), queues.enqueue("b:1", adds("A"))
    assert one.queue_id != other.queue_id
    assert queues.carts("a:1") == ["main"]


def test_settled_history_is_forgotten_after_a_month_and_the_counting_goes_on(tmp_path: Path) -> None:
    queues = QueueFile.open(tmp_path)
    (place,) = queues.enqueue(SERVER, adds("A"))
    queues._database.execute("UPDATE operations SET state = 'applied', settle_wall_ns = 1, in_snapshot = 1")
    queues.prune()
    assert queues.operations(place.queue_id) == []
    assert queues.enqueue(SERVER, adds("B"))[0].sequence == 2


def test_what_was_resolved_is_forgotten_after_a_month_too() -> None:
    shopper = Shopper()
    shopper.add("A")
    queue_id = shopper.active_id
    shopper.queues.halt(queue_id, Notice("conflict", "a copy is live"))
    shopper.queues.resolve(queue_id, None, reissue=False)
    cart = cart_pb2.Cart(cart_id="main")
    shopper.queues.save_snapshot(SHOP, service_pb2.GetCartResponse(store_id="s", cart=cart))
    shopper.clock.pass_seconds(31 * 24 * 3600)
    shopper.queues.prune()
    assert shopper.queues.operations(queue_id) == []


def test_only_the_shopper_reads_the_queues_and_every_new_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr("os.fsync", fsync)
    folder = tmp_path / "share" / "cartsync"
    QueueFile.open(folder).close()
    assert (folder / FILE_NAME).stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert synced == [made.stat().st_ino for made in (tmp_path, tmp_path / "share")]


def test_a_drainer_that_waited_for_the_lock_leaves_a_queue_alone_that_was_halted_meanwhile(tmp_path: Path) -> None:
    server = SpecServer()

    class Late(CartClient):
        """Finds the active queue, and is overtaken before it has the lock."""

        overtaken = False

        def queue(self) -> QueueRecord:
            found = super().queue()
            if not self.overtaken:
                self.overtaken = True
                self.queues.halt(found.queue_id, Notice("conflict", "a copy is live"))
            return found

    with Late(tmp_path, SERVER, connect=lambda _: FaultyLink(server)) as client:
        halted = client.add("A", price="1.00GBP")
        report = client.sync(patience=0)
        assert report.tally.attempts == 0
        assert [o.send_count for o in client.operations(halted.queue_id)] == [0]


def test_a_file_that_is_no_store_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("this is a shopping list, not a database, and long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="--data-dir"):
        QueueFile.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--data-dir"):
        QueueFile.open(tmp_path / "file" / "below")
