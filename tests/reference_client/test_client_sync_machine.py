"""The sync machine by itself: its table, what it makes of answers and of failed calls, how long it waits."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, policy_pb2, reason_pb2
from hypothesis import given
from hypothesis import strategies as st
from offline_shopper import Shopper
from spec_server import PRINCIPAL, applied, refused

from reference_client.machine import Backoff, IllegalTransitionError, SyncMachine
from reference_client.machine import messages as m
from reference_client.machine.batching import fit
from reference_client.machine.failures import Again, GiveUp, StoreIsAnother, meaning_of
from reference_client.machine.judging import GoOn, InConflict, StoreLostState, TryLater, judge
from reference_client.machine.states import STATE_OF_COMMAND, TRANSITIONS, State
from reference_client.machine.values import (
    CallFailure,
    Cause,
    Fate,
    Limits,
    PendingOperation,
    QueueFacts,
    StopReason,
)

FACTS = QueueFacts("00000000-0000-4000-8000-000000000001")
EVENTS: list[m.Event] = [
    m.Started(),
    m.PolicyReceived("store-1", PRINCIPAL, policy_pb2.SyncPolicy()),
    m.Opened("store-1", 0),
    m.Loaded((), 0),
    m.Marked(()),
    m.Answered("store-1", 0, ()),
    m.CallFailed(CallFailure("UNAVAILABLE")),
    m.LookedUp("store-1", 0, ()),
    m.Stored(),
    m.Rebuilt(),
    m.Woken(),
]


def machine(facts: QueueFacts = FACTS) -> SyncMachine:
    return SyncMachine(facts, lambda: 0.5, backoff=Backoff(base=1.0, cap=8.0))


def pending(sequence: int, sku: str = "A") -> PendingOperation:
    key = f"00000000-0000-4000-8000-{sequence:012d}"
    operation = operation_pb2.CartOperation(
        idempotency_key=key, sequence=sequence, add_item=operation_pb2.AddItem(sku=sku, quantity=1)
    )
    return PendingOperation(sequence, key, operation.SerializeToString())


def sent(operation: PendingOperation) -> operation_pb2.CartOperation:
    return operation_pb2.CartOperation.FromString(operation.payload)


def submitting(*operations: PendingOperation) -> SyncMachine:
    """A machine that has just sent these."""
    it = machine()
    for event in (EVENTS[0], EVENTS[1], m.Stored(), m.Opened("store-1", 0)):
        it.handle(event)
    it.handle(m.Loaded(operations, len(operations)))
    assert isinstance(it.handle(m.Marked(operations)), m.Submit)
    return it


# ---- the table -----------------------------------------------------------------------------------------------


def test_the_table_knows_every_state_and_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.RESTING}.union(*(to for row in TRANSITIONS.values() for to in row.values()))
    assert reached == set(State)
    assert set(STATE_OF_COMMAND.values()) == set(State) - {State.RESTING}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_an_event_that_the_table_does_not_allow_raises_and_changes_nothing(state: State, event: m.Event) -> None:
    if type(event) in TRANSITIONS[state]:
        return
    it = machine()
    it.state = state
    before = {k: v for k, v in vars(it).items() if not k.startswith("_handlers")}
    with pytest.raises(IllegalTransitionError, match=type(event).__name__):
        it.handle(event)
    assert {k: v for k, v in vars(it).items() if not k.startswith("_handlers")} == before


def test_the_binding_and_the_mark_are_on_disk_before_anything_is_sent() -> None:
    it = machine()
    order = [it.handle(EVENTS[0]), it.handle(EVENTS[1]), it.handle(m.Stored()), it.handle(m.Opened("store-1", 0))]
    order.append(it.handle(m.Loaded((pending(1),), 1)))
    order.append(it.handle(m.Marked((pending(1),))))
    assert [type(command) for command in order] == [m.AskPolicy, m.Bind, m.Open, m.Load, m.MarkSent, m.Submit]


# ---- who and where -------------------------------------------------------------------------------------------


def test_a_queue_of_another_account_stops_before_anything_is_sent() -> None:
    it = machine(QueueFacts(FACTS.queue_id, principal="somebody-else"))
    it.handle(m.Started())
    stopped = it.handle(EVENTS[1])
    assert isinstance(stopped, m.Stopped)
    assert stopped.reason is StopReason.PRINCIPAL_MISMATCH
    assert "somebody-else" in stopped.message


@pytest.mark.parametrize(("store_id", "principal"), [("", PRINCIPAL), ("store-1", "")])
def test_a_server_that_names_no_store_or_principal_is_not_trusted_with_anything(store_id: str, principal: str) -> None:
    it = machine()
    it.handle(m.Started())
    stopped = it.handle(m.PolicyReceived(store_id, principal, policy_pb2.SyncPolicy()))
    assert isinstance(stopped, m.Stopped)
    assert stopped.reason is StopReason.INCOMPATIBLE


@pytest.mark.parametrize(
    ("code", "reason", "means"),
    [
        ("UNAUTHENTICATED", "CREDENTIAL_INVALID", StopReason.UNAUTHENTICATED),
        ("PERMISSION_DENIED", "", StopReason.UNAUTHENTICATED),
        ("FAILED_PRECONDITION", "PRINCIPAL_MISMATCH", StopReason.PRINCIPAL_MISMATCH),
        ("FAILED_PRECONDITION", "SOMETHING_NEW", StopReason.REFUSED),
        ("INVALID_ARGUMENT", "REQUEST_INVALID", StopReason.REQUEST_INVALID),
        ("UNIMPLEMENTED", "", StopReason.INCOMPATIBLE),
        ("ABORTED", "STREAM_SUPERSEDED", StopReason.SUPERSEDED),
    ],
)
def test_what_only_somebody_else_can_mend_stops_and_consumes_nothing(code: str, reason: str, means: StopReason) -> None:
    stopped = submitting(pending(1)).handle(m.CallFailed(CallFailure(code, reason)))
    assert isinstance(stopped, m.Stopped)
    assert stopped.reason is means


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "UNKNOWN"])
def test_any_other_failure_means_all_in_doubt_and_the_same_again_later(code: str) -> None:
    assert meaning_of(CallFailure(code, retry_seconds=3.0)) == Again(3.0)
    waiting = submitting(pending(1)).handle(m.CallFailed(CallFailure(code)))
    assert isinstance(waiting, m.Wait)
    assert waiting.cause is Cause.UNREACHABLE


def test_an_invalid_request_names_the_field_and_whose_bug_it_is() -> None:
    meaning = meaning_of(CallFailure("INVALID_ARGUMENT", field="attempts[0].operation.sequence"))
    assert isinstance(meaning, GiveUp)
    assert "attempts[0].operation.sequence" in meaning.message
    assert "bug of the client" in meaning.message


def test_a_changed_store_is_looked_up_under_its_new_id() -> None:
    failure = CallFailure("FAILED_PRECONDITION", "STORE_CHANGED", store_id="store-2")
    assert meaning_of(failure) == StoreIsAnother("store-2")
    assert submitting(pending(1)).handle(m.CallFailed(failure)) == m.LookUp("store-2", 1, 100)


def test_a_changed_store_without_a_name_is_asked_for_its_name_again() -> None:
    it = submitting(pending(1))
    failure = CallFailure("FAILED_PRECONDITION", "STORE_CHANGED")
    assert isinstance(it.handle(m.CallFailed(failure)), m.Wait)
    assert it.handle(m.Woken()) == m.AskPolicy()


def test_a_message_too_large_is_sent_in_halves() -> None:
    it = submitting(*(pending(n) for n in range(1, 9)))
    assert isinstance(it.handle(m.CallFailed(CallFailure("RESOURCE_EXHAUSTED"))), m.Wait)
    for event in (m.Woken(), EVENTS[1], m.Stored()):
        it.handle(event)
    assert it.handle(m.Opened("store-1", 0)) == m.Load(0, 4)


def test_a_message_refused_for_now_because_of_too_many_calls_is_sent_again_whole_after_the_delay() -> None:
    it = submitting(pending(1), pending(2))
    wait = it.handle(m.CallFailed(CallFailure("RESOURCE_EXHAUSTED", retry_seconds=3.0)))
    assert isinstance(wait, m.Wait)
    assert wait.seconds >= 3.0
    it.handle(m.Woken())
    it.handle(m.PolicyReceived("store-1", PRINCIPAL, policy_pb2.SyncPolicy()))
    it.handle(m.Stored())
    assert it.handle(m.Opened("store-1", 0)) == m.Load(0, 100)


def test_a_queue_without_the_watermark_it_once_had_is_looked_up_although_the_store_kept_its_name() -> None:
    it = machine(QueueFacts(FACTS.queue_id, PRINCIPAL, "store-1", confirmed_through=7))
    for event in (EVENTS[0], EVENTS[1], m.Stored()):
        it.handle(event)
    assert it.handle(m.Opened("store-1", 6)) == m.LookUp("store-1", 8, 107)


# ---- judging answers -----------------------------------------------------------------------------------------


def test_an_answer_under_another_key_or_sequence_settles_nothing() -> None:
    operation = pending(1)
    other_key, other_sequence = applied(sent(operation)), applied(sent(operation))
    other_key.outcome.idempotency_key = pending(2).key
    other_sequence.outcome.sequence = 2
    for result in (other_key, other_sequence):
        judgement = judge([operation], [result], 0)
        assert judgement.settlements == ()
        assert isinstance(judgement.verdict, TryLater)
        assert judgement.confirmed_through == 0


def test_nothing_behind_an_undecided_operation_is_settled_even_if_the_server_says_so() -> None:
    first, second = pending(1), pending(2)
    results = [refused(sent(first), reason_pb2.REASON_INTERNAL), applied(sent(second))]
    assert judge([first, second], results, 0).settlements == ()


def test_a_terminal_rejection_is_told_and_does_not_stop_the_rest() -> None:
    first, second = pending(1), pending(2)
    judgement = judge([first, second], [refused(sent(first), reason_pb2.REASON_SKU_UNKNOWN), applied(sent(second))], 0)
    assert [s.fate for s in judgement.settlements] == [Fate.REJECTED, Fate.APPLIED]
    assert judgement.verdict == GoOn()
    assert [(n.kind, n.needs_action) for n in judgement.notices] == [("rejected", False)]


def test_a_rejection_that_the_shopper_can_do_something_about_says_what() -> None:
    result = refused(sent(pending(1)), reason_pb2.REASON_PRICE_ABOVE_LIMIT)
    result.outcome.refusal.current_unit_price.currency_code = "GBP"
    result.outcome.refusal.current_unit_price.minor_units = 301
    (notice,) = judge([pending(1)], [result], 0).notices
    assert notice.needs_action
    assert "the price is now 3.01 GBP" in notice.message


@pytest.mark.parametrize(
    ("state", "disposition", "fate", "verdict", "acts"),
    [
        (reason_pb2.OUTCOME_STATE_REJECTED, reason_pb2.DISPOSITION_TERMINAL, Fate.REJECTED, GoOn, False),
        (reason_pb2.OUTCOME_STATE_REJECTED, reason_pb2.DISPOSITION_RETRY_AFTER_ACTION, Fate.REJECTED, GoOn, True),
        (reason_pb2.OUTCOME_STATE_REJECTED, reason_pb2.DISPOSITION_UNSPECIFIED, Fate.REJECTED, GoOn, True),
        (reason_pb2.OUTCOME_STATE_DEFERRED, reason_pb2.DISPOSITION_RETRY, None, TryLater, None),
        (reason_pb2.OUTCOME_STATE_DEFERRED, reason_pb2.DISPOSITION_RETRY_AFTER_ACTION, None, TryLater, True),
        (reason_pb2.OUTCOME_STATE_CONFLICT, reason_pb2.DISPOSITION_RETRY_AFTER_ACTION, None, InConflict, None),
        (reason_pb2.OUTCOME_STATE_PURGED, reason_pb2.DISPOSITION_TERMINAL, Fate.UNKNOWN, GoOn, True),
        (reason_pb2.OUTCOME_STATE_UNSPECIFIED, reason_pb2.DISPOSITION_UNSPECIFIED, None, TryLater, None),
        (77, reason_pb2.DISPOSITION_TERMINAL, None, TryLater, None),
    ],
)
def test_a_reason_from_the_future_is_handled_by_state_and_disposition(
    state: reason_pb2.OutcomeState.ValueType,
    disposition: reason_pb2.Disposition.ValueType,
    fate: Fate | None,
    verdict: type,
    acts: bool | None,
) -> None:
    result = applied(sent(pending(1)))
    result.outcome.state = state
    result.outcome.refusal.reason = reason_pb2.Reason.ValueType(4711)
    result.outcome.refusal.disposition = disposition
    judgement = judge([pending(1)], [result], 0)
    assert [s.fate for s in judgement.settlements] == ([fate] if fate else [])
    assert isinstance(judgement.verdict, verdict)
    assert [n.needs_action for n in judgement.notices] == ([] if acts is None else [acts])


def test_a_gap_at_or_below_what_was_confirmed_means_that_the_store_lost_state() -> None:
    gap = refused(sent(pending(8)), reason_pb2.REASON_SEQUENCE_GAP)
    gap.outcome.refusal.expected_sequence = 7
    assert judge([pending(8)], [gap], 7).verdict == StoreLostState()
    gap.outcome.refusal.expected_sequence = 8
    assert isinstance(judge([pending(8)], [gap], 7).verdict, TryLater)


# ---- waiting and batching ------------------------------------------------------------------------------------


@given(failures=st.integers(1, 10_000), floor=st.floats(-5, 1e6), chance=st.floats(0, 1, exclude_max=True))
def test_the_server_s_delay_is_a_floor_and_the_jitter_stays_in_its_window(
    failures: int, floor: float, chance: float
) -> None:
    backoff = Backoff(base=0.25, cap=60.0)
    delay = backoff.delay(failures, floor, lambda: chance)
    assert max(0.0, floor) <= delay <= max(0.0, floor) + min(60.0, 0.25 * 2 ** min(failures, 60))


def test_the_window_grows_with_each_failure_and_starts_anew_after_progress() -> None:
    shopper = Shopper()
    shopper.add("A", "B")
    shopper.server.deferrals = [reason_pb2.REASON_INTERNAL] * 3
    shopper.sync(waits=3, batch_limit=1)
    shopper.server.deferrals = [reason_pb2.REASON_INTERNAL]
    shopper.add("C")
    shopper.sync(waits=3)
    assert [wait.seconds for wait in shopper.waits] == [0.125, 0.25, 0.5, 0.125]
    assert {wait.cause for wait in shopper.waits} == {Cause.DEFERRED}


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=30),
    count=st.integers(1, 10),
    room=st.integers(2000, 9000),
)
def test_a_submission_keeps_both_limits_and_is_never_empty(sizes: list[int], count: int, room: int) -> None:
    operations = [PendingOperation(n, f"k{n}", b"x" * size) for n, size in enumerate(sizes, 1)]
    batch = fit(operations, Limits(count, room))
    assert batch == tuple(operations[: len(batch)])
    assert 1 <= len(batch) <= count
    assert len(batch) == 1 or sum(len(o.payload) for o in batch) < room


def test_limits_never_fall_below_the_floors_that_every_server_keeps() -> None:
    assert Limits.of(policy_pb2.SyncPolicy(max_submission_operation_count=3)) == Limits(100, 1_048_576)
    assert Limits.of(policy_pb2.SyncPolicy(max_submission_operation_count=500)).operation_count == 500
