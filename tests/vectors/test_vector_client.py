"""The reference client does with each recorded outcome what its state and disposition say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2
from recorded_vectors import EXCHANGES, MESSAGES

from reference_client.machine.judging import GoOn, InConflict, TryLater, judge
from reference_client.machine.values import Fate, PendingOperation
from tools.vectors.notation import message_of
from tools.vectors.script import steps_in

OUTCOMES = sorted(name for name in MESSAGES if name.startswith("outcome-"))
FATES = {
    reason_pb2.OUTCOME_STATE_APPLIED: Fate.APPLIED,
    reason_pb2.OUTCOME_STATE_REJECTED: Fate.REJECTED,
    reason_pb2.OUTCOME_STATE_PURGED: Fate.UNKNOWN,
}


def pending(outcome: outcome_pb2.Outcome) -> PendingOperation:
    """The operation that an outcome answers, as the client has it: sent, its outcome unknown."""
    operation = operation_pb2.CartOperation(
        idempotency_key=outcome.idempotency_key, sequence=outcome.sequence, add_item=operation_pb2.AddItem(sku="TEA")
    )
    return PendingOperation(outcome.sequence, outcome.idempotency_key, operation.SerializeToString(), sent=True)


def outcome_of(name: str) -> Any:
    return message_of(MESSAGES[name]["message"])


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_client_handles_the_outcome_as_its_disposition_says(name: str) -> None:
    outcome = outcome_of(name)
    confirmed = outcome.sequence - 1
    if outcome.refusal.HasField("expected_sequence"):
        confirmed = outcome.refusal.expected_sequence - 1  # otherwise the server would ask for what it had confirmed
    judgement = judge([pending(outcome)], [outcome_pb2.OperationResult(outcome=outcome)], confirmed)
    told_to_act = [notice for notice in judgement.notices if notice.needs_action]
    if outcome.state in FATES:
        (settlement,) = judgement.settlements
        assert settlement.fate is FATES[outcome.state]
        assert isinstance(judgement.verdict, GoOn)
        assert judgement.confirmed_through == outcome.sequence
        settled = (reason_pb2.DISPOSITION_UNSPECIFIED, reason_pb2.DISPOSITION_TERMINAL)
        needed = outcome.refusal.disposition not in settled
        if outcome.state == reason_pb2.OUTCOME_STATE_PURGED:
            assert judgement.notices, "the shopper is told that nobody knows"
        else:
            assert bool(told_to_act) == needed
        return
    assert judgement.settlements == ()
    assert judgement.confirmed_through == confirmed
    if outcome.state == reason_pb2.OUTCOME_STATE_CONFLICT:
        assert isinstance(judgement.verdict, InConflict)
        return
    assert isinstance(judgement.verdict, TryLater)
    delay = outcome.refusal.retry_delay.ToNanoseconds() / 1e9
    assert judgement.verdict.floor_seconds == delay
    assert not told_to_act


def answers() -> Iterator[tuple[Any, Any]]:
    """Every submission of the exchanges with its answer."""
    for vector in EXCHANGES.values():
        for step in steps_in(vector["steps"]):
            if step.get("call") == "CartSyncService/SubmitOperations" and "response" in step:
                yield message_of(step["request"]), message_of(step["response"])


def test_the_client_settles_from_every_recorded_answer_what_is_final_and_no_more() -> None:
    seen = 0
    for request, response in answers():
        sent = [
            PendingOperation(
                attempt.operation.sequence,
                attempt.operation.idempotency_key,
                attempt.operation.SerializeToString(),
                sent=True,
            )
            for attempt in request.attempts
        ]
        judgement = judge(sent, response.results, sent[0].sequence - 1)
        finals = []
        for result in response.results:
            if result.outcome.state not in FATES:
                break
            finals.append(result.outcome.sequence)
        assert [settlement.sequence for settlement in judgement.settlements] == finals
        seen += 1
    assert seen > 30
