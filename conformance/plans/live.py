"""The stage around a real server under test: a story with a device's connection for each name in the plan.

Holds and deaths are arranged at fail points, so that a plan comes out the same each time it is played; only a plain
cut and a kill strike at an instant that nobody chose.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import grpc
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2
from cartsync.v1 import service_pb2 as service

from conformance.exceptions import NotTestableError, TargetUnreachableError
from conformance.oracle import translation
from conformance.oracle.observations import ObservedAnswer, ObservedCart, ObservedEffect, ObservedLookup
from conformance.oracle.values import Limits, Offer, Submission
from conformance.plans.stage import ANSWERS_MISSING, ANSWERS_TOO_MANY, CallRefusedError, Means
from conformance.wire import Connection, Lane, PendingCall, RpcFailureError, Story
from conformance.wire.shop import ControlFailedError

OVERTAKE_SECONDS = 0.3  # a submission that waits longer while another is held waits for it, as under a lock
CUT_SECONDS = 0.005  # a cut strikes within this time after the sending
BACKUP = "fuzz"

_CAPABILITIES = {
    Means.OFFERS: control.CAPABILITY_OFFERS,
    Means.CLOSE_CART: control.CAPABILITY_CLOSE_CART,
    Means.RATE_LIMIT: control.CAPABILITY_RATE_LIMIT,
    Means.BACKEND: control.CAPABILITY_BACKEND,
    Means.CLOCK: control.CAPABILITY_CLOCK,
    Means.HOLD: control.CAPABILITY_HOLD,
    Means.RESTORE: control.CAPABILITY_RESTORE,
    Means.EFFECTS: control.CAPABILITY_EFFECTS,
}
_Answer = TypeVar("_Answer")


def means_of(story: Story) -> frozenset[Means]:
    """What can be done to the story's target."""
    means = {m for m, capability in _CAPABILITIES.items() if story.shop.offers_capability(capability)}
    if story.target.launched:
        means.add(Means.KILL)
        if story.shop.offers_capability(control.CAPABILITY_ABORT):
            means.add(Means.ABORT)
    if "streaming" in story.policy.profiles:
        means.add(Means.STREAM)
    return frozenset(means)


class LiveStage:
    """Plays on the target of one story. Implements `Stage`."""

    def __init__(self, story: Story, means: frozenset[Means] | None = None) -> None:
        self._story = story
        self._connections: dict[str, Connection] = {}
        self._ids = random.Random(story.tag)  # noqa: S311 - new in every playing, so that no two plans share a queue
        self._means = means if means is not None else means_of(story)
        contract = story.contract()
        self._limits = translation.limits(contract.policy)
        self._principal = contract.principal
        self._store_id = contract.store_id

    @property
    def limits(self) -> Limits:
        """The server's policy."""
        return self._limits

    @property
    def means(self) -> frozenset[Means]:
        """What can be done to the server."""
        return self._means

    def own_name(self, name: str) -> str:
        """A product or cart of this story's own."""
        return f"{name}-{self._story.tag}"

    def new_id(self) -> str:
        """A fresh canonical UUID."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    # The shop.

    def put_offer(self, sku: str, offer: Offer) -> None:
        """Put an offer in force."""
        self._story.shop.offer(
            sku, offer.price.minor, currency=offer.price.currency, listed=offer.listed, available=offer.available
        )

    def close_cart(self, cart_id: str) -> bool:
        """Close a cart; False when the server knows none."""
        try:
            self._story.shop.close_cart(cart_id)
        except ControlFailedError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    def set_rate_limit(self, remaining: int | None) -> None:
        """Put a rate limit in force, or lift it."""
        self._story.shop.rate_limit(remaining)

    def set_backend(self, available: bool) -> None:
        """Make the backing services reachable or not."""
        self._story.shop.backend(available=available)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._story.shop.advance(timedelta(seconds=seconds))

    def save(self) -> None:
        """Take a backup."""
        self._story.shop.save(BACKUP)

    def restore(self) -> None:
        """Put the backup back, and use the store's new id."""
        self._store_id = self._story.shop.restore(BACKUP)

    def restart(self) -> None:
        """Stop the server in good order and start it again."""
        self._story.restart()
        self._reconnect()

    def kill(self) -> None:
        """Kill the server and start it again."""
        self._story.kill()
        self._reconnect()

    # The network.

    def submit(self, device: str, submission: Submission) -> ObservedAnswer | None:
        """Send and wait for the answer."""
        answer = self._asked(lambda: self._connection(device).submit(self._request(submission)))
        return None if answer is None else _answer_of(answer)

    def stream(self, device: str, submissions: Sequence[Submission], *, cut: bool) -> Sequence[ObservedAnswer]:
        """Send over a stream, everything before the first answer."""
        answers: list[ObservedAnswer] = []
        stream = self._connection(device).stream()
        stream.hello(submissions[0].queue, self._principal, self._store_id)
        for submission in submissions:
            stream.submit(_attempts(submission))
        if not cut:
            stream.half_close()
        wanted = len(submissions) - int(cut)
        with contextlib.suppress(_LostError):
            while len(answers) < wanted:
                heard = self._heard(stream.hear)
                if heard is None:
                    told = f"after {len(answers)} answers to {len(submissions)} submissions"
                    raise CallRefusedError("OK", ANSWERS_MISSING, told)
                if heard.WhichOneof("message") == "outcomes":
                    answers.append(translation.answer(heard.outcomes.queue, heard.outcomes.results))
            if not cut and self._heard(stream.hear) is not None:
                raise CallRefusedError("OK", ANSWERS_TOO_MANY, f"more answers than {len(submissions)} submissions")
        stream.cut()
        return answers

    def cut(self, device: str, submission: Submission) -> None:
        """Send, and cut the connection at once."""
        pending = self._connection(device).submit_later(self._request(submission))
        pending.wait(self._story.rng.uniform(0.0, CUT_SECONDS))
        pending.cancel()
        self._new_connection(device)

    def hold_and_cut(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send, hold before or after the commit, cut, let go on."""
        point = control.FAIL_POINT_AFTER_COMMIT if committed else control.FAIL_POINT_BEFORE_COMMIT
        with self._held(device, submission, point) as (pending, held):
            pending.cancel()
        self._new_connection(device)
        return held

    def crash_at_commit(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send, and let the server die before or after the commit."""
        self._story.shop.abort(control.FAIL_POINT_AFTER_COMMIT if committed else control.FAIL_POINT_BEFORE_COMMIT)
        pending = self._connection(device).submit_later(self._request(submission))
        died = self._story.target.await_exit()
        pending.cancel()  # a call that nothing refers to any more would be given up before the server has it
        self._story.history.add(Lane.SERVER, "dies at the fail point" if died else "did not die at the fail point")
        if not died:
            self._story.target.kill()
        self._story.start_again()
        self._reconnect()
        return died

    def kill_during(self, device: str, submission: Submission) -> None:
        """Send, and kill the server at once."""
        pending = self._connection(device).submit_later(self._request(submission))
        pending.wait(self._story.rng.uniform(0.0, CUT_SECONDS))
        self.kill()
        pending.cancel()

    def race(
        self, left: tuple[str, Submission], right: tuple[str, Submission], *, held: bool
    ) -> tuple[ObservedAnswer | None, ObservedAnswer | None]:
        """Send two submissions at once, over two connections."""
        (device, first), (other, second) = left, right
        rival = self._connection(other if other != device else f"{other} again")
        if held:
            with self._held(device, first, control.FAIL_POINT_BEFORE_COMMIT) as (leading, _):
                following = rival.submit_later(self._request(second))
                following.wait(OVERTAKE_SECONDS)
        else:
            leading = self._connection(device).submit_later(self._request(first))
            following = rival.submit_later(self._request(second))
        answers = [self._asked(pending.result) for pending in (leading, following)]
        one, two = (None if answer is None else _answer_of(answer) for answer in answers)
        return one, two

    @contextlib.contextmanager
    def _held(
        self, device: str, submission: Submission, point: control.FailPoint.ValueType
    ) -> Iterator[tuple[PendingCall, bool]]:
        self._story.shop.hold(point)
        try:
            pending = self._connection(device).submit_later(self._request(submission))
            held = True
            try:
                self._story.shop.await_held()
            except NotTestableError:
                held = False
            yield pending, held
        finally:
            self._story.shop.release()

    # Reading.

    def cart(self, device: str, cart_id: str, queue_id: str) -> ObservedCart | None:
        """Read a cart."""
        request = service.GetCartRequest(store_id=self._store_id, cart_id=cart_id, queue_id=queue_id)
        answer = self._asked(lambda: self._connection(device).get_cart(request))
        return None if answer is None else translation.snapshot(answer)

    def look_up(self, device: str, queue_id: str, first: int, last: int) -> ObservedLookup | None:
        """Look up outcomes."""
        request = service.LookupOutcomesRequest(
            store_id=self._store_id, queue_id=queue_id, first_sequence=first, last_sequence=last
        )
        answer = self._asked(lambda: self._connection(device).lookup(request))
        return None if answer is None else translation.lookup(answer)

    def effects(self) -> Sequence[ObservedEffect]:
        """Read the ledger."""
        return [translation.effect(effect) for effect in self._story.shop.effects()]

    # Inside.

    def _request(self, submission: Submission) -> service.SubmitOperationsRequest:
        return service.SubmitOperationsRequest(
            store_id=self._store_id,
            queue_id=submission.queue,
            expected_principal=self._principal,
            attempts=_attempts(submission),
        )

    def _connection(self, device: str) -> Connection:
        if device not in self._connections:
            self._connections[device] = self._story.connect(device)
        return self._connections[device]

    def _new_connection(self, device: str) -> None:
        self._connections.pop(device).close()

    def _reconnect(self) -> None:
        for device in list(self._connections):
            self._new_connection(device)

    def _heard(self, hear: Callable[[], _Answer]) -> _Answer:
        try:
            return hear()
        except RpcFailureError as failure:
            if failure.is_lost or failure.reason == "STREAM_SUPERSEDED":
                raise _LostError from failure
            raise CallRefusedError(failure.code.name, failure.reason, failure.message) from failure

    def _asked(self, call: Callable[[], _Answer]) -> _Answer | None:
        """The answer; None when it was lost. Raises CallRefusedError, and for a dead server what ended the call."""
        try:
            return self._heard(call)
        except _LostError as lost:
            if self._story.target.is_healthy():
                return None
            if self._story.target.launched and lost.__cause__ is not None:
                raise lost.__cause__ from None  # it died of what it was sent, which is its fault
            raise TargetUnreachableError(f"the server stopped answering: {lost.__cause__}") from lost


class _LostError(Exception):
    """An answer was lost."""


def _attempts(submission: Submission) -> list[operation_pb2.OperationAttempt]:
    return [translation.attempt_message(attempt) for attempt in submission.attempts]


def _answer_of(response: service.SubmitOperationsResponse) -> ObservedAnswer:
    return translation.answer(response.queue, response.results)
