"""Requests that are refused as a whole, each with the path of the field that is wrong."""

from __future__ import annotations

import uuid

import pytest
from cartsync.v1 import operation_pb2

from reference_server.engine import submission_checks
from reference_server.engine.policy import Policy

POLICY = Policy()
Attempt = operation_pb2.OperationAttempt


def key(number: int) -> str:
    return str(uuid.UUID(int=number))


def attempts(count: int = 3, first: int = 1) -> list[operation_pb2.OperationAttempt]:
    return [
        Attempt(
            operation=operation_pb2.CartOperation(
                idempotency_key=key(sequence),
                sequence=sequence,
                previous_key=key(sequence - 1) if sequence > 1 else "",
            )
        )
        for sequence in range(first, first + count)
    ]


def paths(sent: list[operation_pb2.OperationAttempt]) -> list[str]:
    return [path for path, _ in submission_checks.violations(sent, POLICY)]


def test_consecutive_chained_attempts_are_right() -> None:
    assert paths(attempts()) == []
    assert paths(attempts(500, first=77)) == []


def test_no_attempts_and_too_many_are_wrong() -> None:
    assert paths([]) == ["attempts"]
    assert paths(attempts(501)) == ["attempts"]


def test_an_attempt_without_operation_is_wrong() -> None:
    sent = attempts()
    sent[1].ClearField("operation")
    assert paths(sent) == ["attempts[1].operation"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        key(7).upper().replace("0", "A"),
        key(7).replace("-", ""),
        "{" + key(7) + "}",
        key(7) + "\n",
        "urn:uuid:" + key(7),
        key(7).replace("0", "٠"),
    ],
)
def test_keys_that_are_not_canonical_are_wrong(text: str) -> None:
    sent = attempts()
    sent[1].operation.idempotency_key = text
    assert paths(sent) == ["attempts[1].operation.idempotency_key"]
    assert submission_checks.queue_id_violations(text)[0][0] == "queue_id"
    sent = attempts()
    sent[2].operation.previous_key = text
    assert paths(sent) == ["attempts[2].operation.previous_key"]


def test_keys_of_any_uuid_version_are_right() -> None:
    assert submission_checks.queue_id_violations("ffffffff-ffff-ffff-ffff-ffffffffffff") == []
    assert submission_checks.queue_id_violations(key(0)) == []


@pytest.mark.parametrize("sequence", [0, -1, 1, 3, 2**62])
def test_sequences_that_do_not_follow_are_wrong(sequence: int) -> None:
    sent = attempts(2)
    sent[1].operation.sequence = sequence
    assert "attempts[1].operation.sequence" in paths(sent)


def test_a_first_link_is_empty_and_every_other_is_not() -> None:
    sent = attempts()
    sent[0].operation.previous_key = key(9)
    sent[1].operation.previous_key = ""
    assert paths(sent) == ["attempts[0].operation.previous_key", "attempts[1].operation.previous_key"]


@pytest.mark.parametrize("discarded", ["", "nothing", key(1)])
def test_a_discard_names_another_canonical_key(discarded: str) -> None:
    sent = attempts(1)
    sent[0].operation.discard.discarded_key = discarded
    assert paths(sent) == ["attempts[0].operation.discard.discarded_key"]


@pytest.mark.parametrize("cart_id", ["", "a b", "é", "x" * 65, "a/b", "a\n"])
def test_malformed_cart_ids_are_wrong(cart_id: str) -> None:
    assert submission_checks.cart_id_violations(cart_id)[0][0] == "cart_id"
    assert submission_checks.cart_id_violations("A-z_0.9" + "x" * 57) == []


def test_an_expected_principal_is_required() -> None:
    assert submission_checks.expected_principal_violations("")[0][0] == "expected_principal"
    assert submission_checks.expected_principal_violations("ada") == []


@pytest.mark.parametrize(
    ("first", "last", "path"), [(0, 1, "first_sequence"), (5, 4, "last_sequence"), (1, 501, "last_sequence")]
)
def test_a_lookup_range_starts_at_1_is_not_inverted_and_not_too_long(first: int, last: int, path: str) -> None:
    assert submission_checks.lookup_range_violations(first, last, POLICY)[0][0] == path
    assert submission_checks.lookup_range_violations(1, 500, POLICY) == []
