"""The sync machine: drains one queue, without any input or output.

Theory of operation. `handle(event)` takes what just happened and returns the one thing to do next. The shell does
it whole, then hands in what came of it. Time and chance come from outside; so every schedule of losses, crashes
and late answers can be played against the machine in a test, and a crash needs no code of its own: a new
machine on the same durable queue is all there is to recovering from one.

Sending always begins at the lowest sequence without an outcome on this device (`client/fifo`), also when the server
is further on: what it decided before comes back as replays, and so the answers that were lost are learnt.
One submission is under way at a time. Nothing is lost by that, since a submission carries hundreds of
operations, and an answer always belongs to what was sent last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cartsync.v1 import service_pb2

from reference_client.machine import messages as m
from reference_client.machine import notices
from reference_client.machine.backoff import Backoff, Random
from reference_client.machine.batching import fit
from reference_client.machine.failures import Again, GiveUp, StoreIsAnother, meaning_of
from reference_client.machine.judging import GoOn, InConflict, StoreLostState, TryLater, Verdict, judge
from reference_client.machine.states import STATE_OF_COMMAND, TRANSITIONS, State
from reference_client.machine.values import Cause, Limits, PendingOperation, QueueFacts, StopReason


class IllegalTransitionError(Exception):
    """The shell reported something that cannot happen in this state. The machine is as it was."""


class SyncMachine:
    """Drains one queue. `facts` is what was durable when it began; `random` draws from [0, 1).

    `batch_limit` keeps submissions smaller than the server would allow (operations, 1 or more).
    """

    def __init__(
        self,
        facts: QueueFacts,
        random: Random,
        *,
        backoff: Backoff | None = None,
        batch_limit: int | None = None,
    ) -> None:
        self.state = State.RESTING
        self._queue_id = facts.queue_id
        self._principal = facts.principal
        self._store_id = facts.store_id
        self._confirmed = facts.confirmed_through
        self._random = random
        self._backoff = backoff or Backoff()
        self._batch_limit = batch_limit
        self._limits = Limits()
        self._failures = 0
        self._server_watermark = 0
        self._sent: tuple[PendingOperation, ...] = ()
        self._after_record: m.Command | None = None
        self._restored_store = ""
        self._statuses: tuple[service_pb2.SequenceStatus, ...] = ()
        self._restored_watermark = 0
        self._handlers: Mapping[tuple[State, type[m.Event]], Callable[..., m.Command]] = MappingProxyType(
            {
                (State.RESTING, m.Started): lambda _: m.AskPolicy(),
                (State.ASKING_POLICY, m.PolicyReceived): self._policy_received,
                (State.BINDING, m.Stored): lambda _: m.Open(self._store_id, self._principal),
                (State.OPENING, m.Opened): self._opened,
                (State.LOADING, m.Loaded): self._loaded,
                (State.MARKING, m.Marked): self._marked,
                (State.SUBMITTING, m.Answered): self._answered,
                (State.RECORDING, m.Stored): self._recorded,
                (State.WAITING, m.Woken): self._woken,
                (State.LOOKING_UP, m.LookedUp): self._looked_up,
                (State.REBUILDING, m.Rebuilt): lambda _: m.Replaced(),
                (State.REBUILDING, m.Stored): lambda _: m.Halted(
                    "the server's store changed, and another copy of this queue is in use"
                ),
                (State.HALTING, m.Stored): lambda _: m.Halted(
                    "the queue is in conflict; what remains of it waits for your decision"
                ),
            }
        )
        self._keep_connection = False

    def handle(self, event: m.Event) -> m.Command:
        """Takes in what happened and returns what to do next; an `Ending` when there is nothing more to do.

        Raises `IllegalTransitionError` for an event that the table in `states` does not allow; nothing changes.
        """
        allowed = TRANSITIONS[self.state].get(type(event))
        if allowed is None:
            raise IllegalTransitionError(f"{type(event).__name__} while {self.state.name}")
        if isinstance(event, m.CallFailed):
            command = self._call_failed(event)
        else:
            command = self._handlers[self.state, type(event)](event)
        state = STATE_OF_COMMAND[type(command)]
        assert state in allowed, f"{type(event).__name__} led from {self.state.name} to {state.name}"
        self.state = state
        return command

    # ---- making contact --------------------------------------------------------------------------------------

    def _policy_received(self, event: m.PolicyReceived) -> m.Command:
        if not event.principal or not event.store_id:
            message = "the server's policy names no principal or no store: it does not keep the protocol"
            return m.Stopped(StopReason.INCOMPATIBLE, message)
        if self._principal and event.principal != self._principal:
            message = (
                f"this queue belongs to {self._principal!r}, the credential to {event.principal!r}. Sign in as "
                "the former, or use another data directory for the latter"
            )
            return m.Stopped(StopReason.PRINCIPAL_MISMATCH, message)
        self._limits = Limits.of(event.policy)
        if self._store_id and event.store_id != self._store_id:
            return self._store_changed(event.store_id)
        self._principal, self._store_id = event.principal, event.store_id
        return m.Bind(event.principal, event.store_id, event.policy)

    def _opened(self, event: m.Opened) -> m.Command:
        if event.store_id != self._store_id:
            return self._store_changed(event.store_id)
        if event.watermark < self._confirmed:
            return self._store_changed(self._store_id)
        self._server_watermark = max(self._server_watermark, event.watermark)
        return self._load()

    # ---- draining --------------------------------------------------------------------------------------------

    def _load(self) -> m.Load:
        limit = self._limits.operation_count
        if self._batch_limit is not None:
            limit = min(limit, self._batch_limit)
        return m.Load(self._confirmed, max(1, limit))

    def _loaded(self, event: m.Loaded) -> m.Command:
        if event.operations:
            return m.MarkSent(fit(event.operations, self._limits))
        if self._server_watermark > event.last_sequence:
            return m.Halt(notices.ROLLED_BACK)
        return m.Drained()

    def _marked(self, event: m.Marked) -> m.Command:
        self._sent = event.operations
        return m.Submit(self._store_id, self._principal, event.operations)

    def _answered(self, event: m.Answered) -> m.Command:
        if event.store_id != self._store_id:
            return self._store_changed(event.store_id)
        self._server_watermark = max(self._server_watermark, event.watermark)
        judgement = judge(self._sent, event.results, self._confirmed)
        if judgement.is_progress:
            self._failures = 0
        self._confirmed = judgement.confirmed_through
        command = self._carry_out(judgement.verdict)
        if judgement.settlements or judgement.notices:
            self._after_record = command
            return m.Record(judgement.settlements, judgement.notices, judgement.confirmed_through)
        return command

    def _recorded(self, event: m.Stored) -> m.Command:
        del event
        assert self._after_record is not None
        command, self._after_record = self._after_record, None
        return command

    def _carry_out(self, verdict: Verdict) -> m.Command:
        match verdict:
            case GoOn():
                return self._load()
            case TryLater(floor, message):
                return self._wait(floor, Cause.DEFERRED, message, keep_connection=True)
            case StoreLostState():
                return self._store_changed(self._store_id)
            case InConflict(notice):
                return m.Halt(notice)

    # ---- trouble ---------------------------------------------------------------------------------------------

    def _wait(self, floor: float, cause: Cause, message: str, *, keep_connection: bool = False) -> m.Wait:
        self._failures += 1
        self._keep_connection = keep_connection
        seconds = self._backoff.delay(self._failures, floor, self._random)
        return m.Wait(seconds, cause, message, keep_connection)

    def _woken(self, event: m.Woken) -> m.Command:
        del event
        return self._load() if self._keep_connection else m.AskPolicy()

    def _call_failed(self, event: m.CallFailed) -> m.Command:
        failure = event.failure
        said = f": {failure.message}" if failure.message else ""
        match meaning_of(failure):
            case GiveUp(reason, message):
                return m.Stopped(reason, message)
            case StoreIsAnother(store_id):
                return self._store_changed(store_id)
            case Again(floor, smaller):
                if smaller and self.state is State.SUBMITTING and len(self._sent) > 1:
                    self._batch_limit = len(self._sent) // 2
                return self._wait(floor, Cause.UNREACHABLE, f"{failure.code}{said}")

    # ---- a server that lost state ----------------------------------------------------------------------------

    def _store_changed(self, store_id: str) -> m.Command:
        """Asks, under the store's new id, how far it has come (`client/store-change-recovers`).

        From here on nothing of this queue is sent any more: requests that are still on their way carry the
        old id and are refused, so what the look-up shows as undecided stays undecided.
        """
        if not store_id:
            return self._wait(0.0, Cause.UNREACHABLE, "the server's store changed, and it did not say to which")
        self._restored_store = store_id
        self._statuses = ()
        self._restored_watermark = -1
        return self._look_up(self._confirmed + 1)

    def _look_up(self, first: int) -> m.LookUp:
        return m.LookUp(self._restored_store, first, first + self._limits.operation_count - 1)

    def _looked_up(self, event: m.LookedUp) -> m.Command:
        if event.store_id != self._restored_store:
            return self._store_changed(event.store_id)
        if self._restored_watermark not in {-1, event.watermark}:
            return self._wait(0.0, Cause.DEFERRED, "the queue moved while it was looked up")
        self._restored_watermark = event.watermark
        decided = tuple(s for s in event.statuses if s.sequence <= event.watermark)
        self._statuses += decided
        through = self._confirmed + len(self._statuses)
        if through >= event.watermark:
            return m.Rebuild(self._restored_store, event.watermark, self._statuses)
        if not decided:
            return self._wait(0.0, Cause.DEFERRED, "the server's look-up left out sequences")
        return self._look_up(through + 1)
