"""Carries out what the sync machine says, over the durable queue and a transport.

All thinking is in the machine. What is left here is order: a command is carried out whole, and a command that
touches the disk is on the disk, before the machine hears of it. At most one drainer works on a queue
(`client/one-drainer`), by a lock on a file beside it that the operating system lets go of when the process dies,
however it dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cartsync.v1 import operation_pb2
from filelock import FileLock, Timeout
from google.protobuf import duration_pb2

from reference_client.drainer.transport import CallFailedError, Session, Transport
from reference_client.exceptions import QueueBusyError, StoreError
from reference_client.machine import Backoff, SyncMachine
from reference_client.machine import messages as m
from reference_client.machine.backoff import Random
from reference_client.machine.values import Cause, Fate, Notice, PendingOperation, QueueFacts, Settlement
from reference_client.queue import QueueFile

_NANOSECONDS = 10**9


class OutOfPatienceError(Exception):
    """The drain would have to wait longer than it may. `wait` says for what."""

    def __init__(self, wait: m.Wait) -> None:
        super().__init__(wait.message)
        self.wait = wait


@dataclass
class Tally:
    """What a drain did, in numbers of operations."""

    submissions: int = 0
    attempts: int = 0
    duplicates: int = 0
    """Attempts at operations that had been sent before."""
    replayed: int = 0
    fates: dict[Fate, int] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    rebuilt: int = 0

    def enter(self, settlements: Iterable[Settlement], notices: Iterable[Notice]) -> None:
        """Counts what was just written down."""
        for settlement in settlements:
            self.fates[settlement.fate] = self.count(settlement.fate) + 1
            self.replayed += settlement.replayed
        self.notices.extend(notices)

    def count(self, fate: Fate) -> int:
        """How many operations met that fate."""
        return self.fates.get(fate, 0)


Waiting = Callable[[m.Wait], None]
"""Waits as long as the command says, or raises `OutOfPatienceError`."""


@contextmanager
def queue_lock(folder: Path, queue_id: str) -> Iterator[None]:
    """Holds a queue's lock. Raises `QueueBusyError` at once when another drainer has it, and `StoreError`."""
    path = folder / f"{queue_id}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise QueueBusyError("another process is synchronising this queue at the moment") from None
    except OSError as error:
        raise StoreError(f"the queue cannot be locked by {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


class Drainer:
    """Drains one queue until the machine comes to an ending. Use one for one drain, under `queue_lock`."""

    def __init__(
        self,
        queues: QueueFile,
        transport: Transport,
        *,
        random: Random,
        wait: Waiting,
        backoff: Backoff | None = None,
        batch_limit: int | None = None,
        tally: Tally | None = None,
        pace: Callable[[], None] = lambda: None,
    ) -> None:
        self._queues = queues
        self._transport = transport
        self._random = random
        self._wait = wait
        self._backoff = backoff
        self._batch_limit = batch_limit
        self._pace = pace
        self.tally = tally if tally is not None else Tally()

    def drain(self, queue_id: str) -> m.Ending:
        """Drains the queue. Raises `OutOfPatienceError` when it had to wait too long; everything is safe then."""
        facts = self._queues.facts(queue_id)
        machine = SyncMachine(facts, self._random, backoff=self._backoff, batch_limit=self._batch_limit)
        command = machine.handle(m.Started())
        try:
            while not isinstance(command, m.Drained | m.Stopped | m.Halted | m.Replaced):
                command = machine.handle(self._carry_out(command, facts))
        finally:
            self._transport.close()
        return command

    def _carry_out(self, command: m.Command, facts: QueueFacts) -> m.Event:
        queue_id = facts.queue_id
        match command:
            case m.Bind(principal, store_id, policy):
                self.tally.notices.extend(self._queues.bind(queue_id, principal, store_id, policy))
                return m.Stored()
            case m.Load(after, limit):
                operations, last_sequence = self._queues.load(queue_id, after, limit)
                return m.Loaded(operations, last_sequence)
            case m.MarkSent(operations):
                self.tally.duplicates += sum(operation.sent for operation in operations)
                return m.Marked(self._queues.mark_sent(queue_id, operations))
            case m.Record(settlements, notices, confirmed_through):
                late = self._queues.record(queue_id, settlements, notices, confirmed_through)
                self.tally.enter(settlements, [*notices, *late])
                return m.Stored()
            case m.Halt(notice):
                self._queues.halt(queue_id, notice)
                self.tally.notices.append(notice)
                return m.Stored()
            case m.Rebuild(store_id, watermark, statuses):
                plan = self._queues.rebuild(queue_id, store_id, watermark, statuses)
                self.tally.enter(plan.settlements, plan.notices)
                if plan.conflict:
                    return m.Stored()
                self.tally.rebuilt += 1
                return m.Rebuilt()
            case m.Wait():
                if not command.keep_connection:
                    self._transport.close()
                self._wait(command)
                return m.Woken()
        try:
            return self._call(command, facts)
        except CallFailedError as error:
            self._transport.close()
            return m.CallFailed(error.failure)

    def _call(self, command: m.Command, facts: QueueFacts) -> m.Event:
        match command:
            case m.AskPolicy():
                response = self._transport.policy()
                return m.PolicyReceived(response.store_id, response.principal, response.policy)
            case m.Open(store_id, principal):
                session = Session(store_id, facts.queue_id, principal)
                answer = self._transport.open(session, facts.confirmed_through)
                return m.Opened(answer.store_id, answer.watermark)
            case m.Submit(store_id, principal, operations):
                self._pace()
                session = Session(store_id, facts.queue_id, principal)
                self.tally.submissions += 1
                self.tally.attempts += len(operations)
                answer = self._transport.submit(session, [attempt_of(o) for o in operations])
                return m.Answered(answer.store_id, answer.watermark, tuple(answer.results))
            case m.LookUp(store_id, first, last):
                session = Session(store_id, facts.queue_id, facts.principal)
                found = self._transport.look_up(session, first, last)
                return m.LookedUp(found.store_id, found.queue.decided_through_sequence, tuple(found.statuses))
            case _:
                raise AssertionError(f"{type(command).__name__} is no call")


def attempt_of(operation: PendingOperation) -> operation_pb2.OperationAttempt:
    """What leaves for one operation: exactly what was enqueued, and its age at first send."""
    attempt = operation_pb2.OperationAttempt(
        operation=operation_pb2.CartOperation.FromString(operation.outgoing_payload)
    )
    if operation.age_ns is not None and not operation.sends_discard:
        seconds, nanos = divmod(operation.age_ns, _NANOSECONDS)
        attempt.age.CopyFrom(duration_pb2.Duration(seconds=seconds, nanos=nanos))
    return attempt


def is_unreachable(wait: m.Wait) -> bool:
    """Whether the wait is for the network rather than for the server's own reasons."""
    return wait.cause is Cause.UNREACHABLE
