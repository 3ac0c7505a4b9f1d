"""A shopper's device in memory: durable queues that survive the crashes of everything around them."""

from __future__ import annotations

import itertools
import sqlite3
import uuid
from collections.abc import Callable, Iterable

from cartsync.v1 import operation_pb2
from faulty_link import CrashError, FaultyLink, no_fault
from spec_server import SpecServer, adds, thing_of

from reference_client import account_intents, intents
from reference_client.clock import Reading
from reference_client.drainer.drainer import Drainer, OutOfPatienceError
from reference_client.exceptions import NothingToDiscardError
from reference_client.machine import messages as m
from reference_client.queue.database import prepare
from reference_client.queue.queue_file import QueueFile
from reference_client.queue.rows import OperationRecord, OperationState

SERVER = "shop.example:443"
_WRITES = ("bind", "mark_sent", "record", "halt", "rebuild", "transact")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.reading = Reading(wall_ns=1_790_000_000 * 10**9, boot_id="boot-1", boot_ns=10**12)

    def __call__(self) -> Reading:
        return self.reading

    def pass_seconds(self, seconds: float) -> None:
        ns = int(seconds * 1e9)
        now = self.reading
        self.reading = Reading(now.wall_ns + ns, now.boot_id, now.boot_ns + ns)


class CrashingQueues(QueueFile):
    """Queues whose owner dies just before or just after a write, when told to."""

    next_fault: Callable[[], str] = staticmethod(no_fault)

    def __getattribute__(self, name: str) -> object:
        value = super().__getattribute__(name)
        if name not in _WRITES:
            return value
        fault = self.next_fault()

        def write(*arguments: object) -> object:
            if fault == "crash_before":
                raise CrashError
            result = value(*arguments)
            if fault == "crash_after":
                raise CrashError
            return result

        return write


class Shopper:
    def __init__(self, server: SpecServer | None = None) -> None:
        self.server = server or SpecServer()
        self.clock = Clock()
        ids = itertools.count(1)
        self.queues = CrashingQueues(
            prepare(sqlite3.connect(":memory:", isolation_level=None)),
            read_clock=self.clock,
            new_id=lambda: f"00000000-0000-4000-8000-{next(ids):012d}",
        )
        self.link = FaultyLink(self.server)
        self.waits: list[m.Wait] = []

    def fail_by(self, next_fault: Callable[[], str]) -> None:
        """From now on calls and writes go wrong as `next_fault` says."""
        self.link.next_fault = next_fault
        self.queues.next_fault = next_fault

    def add(self, *skus: str) -> None:
        self.queues.enqueue(SERVER, adds(*skus))

    def keep(self, name: str) -> None:
        """A coupon, a wish, an address and a payment method of that name, each its own intent."""
        named = str(uuid.uuid5(uuid.NAMESPACE_OID, name))
        home = {"recipient": name, "address_lines": ["1 High Street"], "region_code": "GB"}
        self.queues.enqueue(
            SERVER,
            [
                intents.apply_coupon(name),
                account_intents.add_to_wishlist(name),
                account_intents.put_address(named, home, base_revision=0),
                account_intents.save_payment_method(named, provider="demo", provider_token="t", label=name),
            ],
        )

    def discard(self, sequence: int) -> bool:
        try:
            self.queues.discard(SERVER, sequence, operation_pb2.SessionContext())
        except NothingToDiscardError:
            return False
        return True

    @property
    def active_id(self) -> str:
        return self.queues.open_active(SERVER).queue_id

    def sync(self, *, waits: int = 0, batch_limit: int | None = None) -> m.Ending | None:
        """Drains until an ending; None when it crashed or would have to wait more than `waits` times."""
        left = itertools.count(waits, -1)

        def wait(command: m.Wait) -> None:
            self.waits.append(command)
            if next(left) <= 0:
                raise OutOfPatienceError(command)

        while True:
            drainer = Drainer(self.queues, self.link, random=lambda: 0.5, wait=wait, batch_limit=batch_limit)
            try:
                ending = drainer.drain(self.active_id)
            except (CrashError, OutOfPatienceError):
                return None
            if not isinstance(ending, m.Replaced):
                return ending

    def sync_to_the_end(self) -> m.Ending:
        """Everything works now, and what is still on its way arrives in between."""
        self.fail_by(no_fault)
        for _ in range(50):
            self.link.deliver_late()
            ending = self.sync(waits=20, batch_limit=2)
            if ending is not None and not self.link.late:
                return ending
        raise AssertionError("the drain does not come to an end")

    def records(self) -> Iterable[OperationRecord]:
        """Every operation of every queue, oldest first."""
        for queue in self.queues.queues():
            yield from self.queues.operations(queue.queue_id)

    def states(self) -> dict[str, OperationState]:
        """What the device knows of each thing put somewhere; of one that was moved, what became of it last."""
        return {thing_of(record.operation): record.state for record in self.records()}

    def kinds_told(self) -> list[str]:
        return [n.kind for n in self.queues.notifications()]
