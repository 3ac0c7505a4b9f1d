"""What the client refuses itself (spec: section 15.8), and what it gives up when it learns that nobody offers it."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, policy_pb2
from offline_shopper import SERVER, Shopper

from reference_client import InvalidIntentError, account_intents, intents
from reference_client.machine import messages as m
from reference_client.queue.admission import admit
from reference_client.queue.rows import OperationState

CARD = "4111 1111 1111 1111"


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


def test_one_refused_intent_keeps_all_of_a_batch_from_the_disk(shopper: Shopper) -> None:
    with pytest.raises(InvalidIntentError, match=r"^apply_coupon.coupon_code: ") as refused:
        shopper.queues.enqueue(SERVER, [intents.remove_item("A"), intents.apply_coupon(CARD)])
    assert CARD not in str(refused.value)
    assert list(shopper.records()) == []


def test_a_card_number_in_the_session_context_of_a_discard_is_refused(shopper: Shopper) -> None:
    shopper.add("A")
    with pytest.raises(InvalidIntentError, match=r"^session_context.locale: "):
        shopper.queues.discard(SERVER, 1, operation_pb2.SessionContext(locale=CARD))
    assert not any(record.discard_requested for record in shopper.records())


def test_an_intent_of_a_profile_that_the_last_policy_did_not_list_is_refused_at_once(shopper: Shopper) -> None:
    shopper.server.profiles = ["core", "wishlist", "a_profile_of_next_year"]
    shopper.sync()
    with pytest.raises(InvalidIntentError, match="does not offer coupons"):
        shopper.queues.enqueue(SERVER, [intents.apply_coupon("TEA10")])
    shopper.queues.enqueue(SERVER, [account_intents.add_to_wishlist("A")])
    assert [record.sequence for record in shopper.records()] == [1]


def test_what_was_written_down_before_a_policy_was_known_is_never_sent_where_nobody_offers_it(
    shopper: Shopper,
) -> None:
    shopper.server.profiles = ["core"]
    shopper.add("A")
    shopper.keep("X")
    shopper.add("B")

    assert isinstance(shopper.sync(), m.Drained)

    sent = {attempt.operation.WhichOneof("intent") for r in shopper.link.sent for attempt in r.attempts}
    assert sent == {"add_item", "discard"}
    assert shopper.server.store.lines == {"A": 1, "B": 1}
    assert [r.state for r in shopper.records()] == [
        OperationState.APPLIED,
        *[OperationState.DISCARDED] * 4,
        OperationState.APPLIED,
    ]
    assert shopper.kinds_told() == ["not_offered"] * 4


def test_what_was_sent_already_is_asked_about_and_not_given_up(shopper: Shopper) -> None:
    shopper.keep("X")
    shopper.link.submit_fault = "lose_answer"
    shopper.sync()
    shopper.server.profiles = ["core"]

    assert isinstance(shopper.sync(), m.Drained)

    assert {r.state for r in shopper.records()} == {OperationState.APPLIED}
    assert shopper.kinds_told() == []


def test_a_feature_that_the_server_lacks_is_told_before_anything_is_written_down() -> None:
    operation = intents.requiring(intents.remove_item("A"), "gift_wrap", "notes")
    admit(operation, None)
    admit(operation, policy_pb2.SyncPolicy(features=["gift_wrap", "notes"]))
    with pytest.raises(InvalidIntentError, match="this server lacks notes"):
        admit(operation, policy_pb2.SyncPolicy(features=["gift_wrap"]))


def test_an_operation_larger_than_any_server_must_take_waits_for_a_policy_that_takes_it() -> None:
    operation = intents.requiring(intents.remove_item("A"), "x" * 20_000)
    with pytest.raises(InvalidIntentError, match="16,384 bytes"):
        admit(operation, None)
    admit(operation, policy_pb2.SyncPolicy(max_operation_bytes=32_768, features=["x" * 20_000]))
