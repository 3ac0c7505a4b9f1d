"""Checks of spec 3.1: what is decided already is answered from its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cartsync.v1 import operation_pb2, reason_pb2
from google.protobuf.message import Message

from conformance.suite.edits import edited
from conformance.suite.evidence import expect_effects, expect_line, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import CLAMP, answer_of

Circumstance = Callable[[Story, str], None]
Change = Callable[[operation_pb2.CartOperation], object]

CIRCUMSTANCES: dict[str, Circumstance] = {
    "the rate limit is reached": lambda story, _: story.shop.rate_limit(0),
    "the backing services are unreachable": lambda story, _: story.shop.backend(available=False),
    "the product is sold out": lambda story, sku: story.shop.offer(sku, 100, available=0),
    "the product is no longer listed": lambda story, sku: story.shop.offer(sku, 100, listed=False),
    "the price is above the limit": lambda story, sku: story.shop.offer(sku, 900),
    "the offer has another currency": lambda story, sku: story.shop.offer(sku, 100, currency="EUR"),
    "the cart is closed": lambda story, _: story.shop.close_cart("main"),
}


@requirement("deciding/duplicates-first")
@pytest.mark.parametrize("circumstance", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES.keys())
def test_a_duplicate_is_answered_from_its_record_even_though(story: Story, circumstance: Circumstance) -> None:
    """Sends an add again when the world has changed so that it would be refused by now."""
    tea = story.sku("tea", 100)
    phone = story.device()
    operation = phone.add(tea, 2, price=100, max_price=100)
    first = story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    circumstance(story, tea)
    story.expect_replayed(phone.submit(operation).only, first)
    expect_effects(story, phone, operation, 1)


@requirement("deciding/duplicates-first")
def test_a_duplicate_is_answered_from_its_record_however_old_it_is(story: Story) -> None:
    """Sends an add again that is far older than the replay window by then."""
    phone = story.device()
    operation, first = put_in_cart(story, phone, story.sku(), 2)
    too_old = story.policy.replay_window.ToTimedelta() + timedelta(days=1)
    story.expect_replayed(phone.submit(operation, age=too_old).only, first)


@requirement("deciding/replay-verbatim")
def test_a_duplicate_is_answered_with_the_recorded_outcome(story: Story) -> None:
    """Sends an add again after price, stock and cart have moved on; the answer is the first one, field for field."""
    tea = story.sku("tea", 255, available=3)
    phone = story.device()
    operation = phone.add(tea, 5, price=200, policy=CLAMP)
    first = story.expect_applied(phone.submit(operation).only, slug="stock/clamp")
    story.shop.offer(tea, 310, available=90)
    story.expect_applied(phone.submit(phone.adjust(tea, 4)).only, slug="cart/adjust-moves")
    for _ in range(3):
        story.expect_replayed(phone.submit(operation).only, first)
    expect_line(story, phone, tea, 7, slug="effects/exactly-once")


@requirement("deciding/replay-verbatim")
def test_every_operation_of_a_batch_is_replayed_as_it_was_answered(story: Story) -> None:
    """Sends five operations in one submission, then each of them and all of them again."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 2), phone.remove(tea), phone.remove(tea), phone.add(tea, 4), phone.set(tea, 1)]
    first = phone.submit(*batch)
    expect_watermark(story, first, 5, slug="answers/watermark")
    for operation, outcome in zip(batch, first.outcomes, strict=True):
        story.expect_replayed(phone.submit(operation).only, outcome)
    for result, outcome in zip(phone.submit(*batch).results, first.outcomes, strict=True):
        story.expect_replayed(result, outcome)
    story.expect_lines(phone.cart(), {tea: 1}, slug="effects/exactly-once")


@requirement("deciding/replay-verbatim")
def test_a_no_change_is_replayed_even_when_there_would_be_a_change_by_then(story: Story) -> None:
    """Removes a missing line, adds it, and sends the removal again."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    put_in_cart(story, phone, cake)
    removal = phone.remove(tea)
    first = story.expect_applied(phone.submit(removal).only, changed=False, slug="cart/remove-missing")
    put_in_cart(story, phone, tea, 2)
    story.expect_replayed(phone.submit(removal).only, first)
    expect_line(story, phone, tea, 2, slug="effects/exactly-once")


@requirement("deciding/replay-verbatim")
def test_a_duplicate_of_another_connection_gets_the_recorded_outcome(story: Story) -> None:
    """Sends the duplicate over a new connection, as after a cut."""
    phone = story.device()
    operation, first = put_in_cart(story, phone, story.sku(), 2)
    story.reconnect(phone)
    story.expect_replayed(phone.submit(operation).only, first)


@requirement("deciding/replayed-flag")
def test_only_what_was_recorded_before_is_flagged_as_replayed(story: Story) -> None:
    """Sends duplicates and new operations in one submission, then operations that are refused without a record."""
    tea = story.sku()
    phone = story.device()
    first, second, third = phone.add(tea), phone.add(tea), phone.add(tea)
    answers = [phone.submit(first, second), phone.submit(first, second, third)]
    conflict = phone.submit(edited(first, idempotency_key=phone.new_key()))
    phone.add(tea)
    gap = phone.submit(phone.add(tea))
    flags = [[result.replayed for result in answer.results] for answer in (*answers, conflict, gap)]
    expected = [[False, False], [True, True, False], [False], [False]]
    story.expect(flags == expected, "the replayed flags are wrong", expected=expected, observed=flags)


def _in_place_of_the_add(change: Callable[[str, str], operation_pb2.CartOperation]) -> Change:
    def put(operation: operation_pb2.CartOperation) -> None:
        cart_id, sku = operation.add_item.cart_id, operation.add_item.sku
        operation.MergeFrom(change(cart_id, sku))

    return put


PAYLOAD_CHANGES: dict[str, Change] = {
    "cart_id": lambda o: setattr(o.add_item, "cart_id", "other"),
    "sku": lambda o: setattr(o.add_item, "sku", o.add_item.sku + "s"),
    "quantity": lambda o: setattr(o.add_item, "quantity", 3),
    "observed price": lambda o: setattr(o.add_item.observed_unit_price, "minor_units", 99),
    "observed currency": lambda o: setattr(o.add_item.observed_unit_price, "currency_code", "EUR"),
    "price limit": lambda o: setattr(o.add_item.max_unit_price, "minor_units", 101),
    "no price limit": lambda o: o.add_item.ClearField("max_unit_price"),
    "quantity policy": lambda o: setattr(o.add_item, "quantity_policy", CLAMP),
    "required feature": lambda o: o.required_features.append("gift-wrap"),
    "kind of intent": _in_place_of_the_add(
        lambda cart_id, sku: operation_pb2.CartOperation(
            remove_item=operation_pb2.RemoveItem(cart_id=cart_id, sku=sku),
        )
    ),
    "no intent": lambda o: o.ClearField("add_item"),
}


@requirement("deciding/payload-mismatch")
@pytest.mark.parametrize("change", PAYLOAD_CHANGES.values(), ids=PAYLOAD_CHANGES.keys())
def test_the_recorded_key_with_another_payload_is_a_conflict(story: Story, change: Change) -> None:
    """Sends a decided operation again with one field of its payload changed; the record stays what it was."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2, headroom=0)
    first = story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    changed = edited(operation)
    change(changed)
    answer = phone.submit(changed)
    story.expect_refused(answer.only, reason_pb2.REASON_PAYLOAD_MISMATCH)
    expect_watermark(story, answer, 1)
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_replayed(phone.submit(operation).only, first)


@requirement("deciding/payload-mismatch")
@pytest.mark.parametrize("make", ["adjust", "set", "remove"])
def test_a_guard_is_part_of_the_payload(story: Story, make: str) -> None:
    """Sends a decided operation without guard again with guard 0, which is another payload."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    build = {
        "adjust": lambda: phone.adjust(tea, 1),
        "set": lambda: phone.set(tea, 2),
        "remove": lambda: phone.remove(tea),
    }
    operation = build[make]()
    story.expect_applied(phone.submit(operation).only, slug="cart/line-change")
    guarded = edited(operation)
    getattr(guarded, str(guarded.WhichOneof("intent"))).unless_changed_since = 0
    story.expect_refused(phone.submit(guarded).only, reason_pb2.REASON_PAYLOAD_MISMATCH)


@requirement("deciding/payload-mismatch")
def test_another_discarded_key_is_another_payload(story: Story) -> None:
    """Sends a decided discard again, naming another key as discarded."""
    phone = story.device()
    discard = phone.discard_of(phone.add(story.sku()))
    first = story.expect_applied(phone.submit(discard).only, changed=False, slug="discard/cancels-undecided")
    other = edited(discard)
    other.discard.discarded_key = phone.new_key()
    story.expect_refused(phone.submit(other).only, reason_pb2.REASON_PAYLOAD_MISMATCH)
    story.expect_replayed(phone.submit(discard).only, first)


ELSEWHERE_CHANGES: dict[str, Change] = {
    "enqueue_time": lambda o: o.enqueue_time.FromSeconds(1_700_000_000),
    "session_context": lambda o: o.session_context.MergeFrom(
        operation_pb2.SessionContext(locale="de-AT", client_name="till", client_version="9")
    ),
}


@requirement("deciding/payload-by-meaning")
@pytest.mark.parametrize("change", ELSEWHERE_CHANGES.values(), ids=ELSEWHERE_CHANGES.keys())
def test_what_is_not_payload_may_differ(story: Story, change: Change) -> None:
    """Sends a decided operation again with another value outside its payload; it is a duplicate all the same."""
    phone = story.device()
    operation, first = put_in_cart(story, phone, story.sku(), 2)
    changed = edited(operation)
    change(changed)
    _expect_same_payload(story, phone, changed)
    story.expect_replayed(phone.submit(changed).only, first)


@requirement("deciding/payload-by-meaning")
def test_the_age_is_not_payload(story: Story) -> None:
    """Sends a decided operation again with another age, and without one."""
    phone = story.device()
    operation = phone.add(story.sku(), 2)
    first = story.expect_applied(phone.submit(operation, age=timedelta(seconds=5)).only, slug="cart/add-adds")
    for age in (timedelta(hours=2), None):
        story.expect_replayed(phone.submit(operation, age=age).only, first)


@requirement("deciding/payload-by-meaning")
def test_order_and_repetition_of_features_carry_no_meaning(story: Story) -> None:
    """Sends an operation again with its required features in another order, one of them twice."""
    phone = story.device()
    operation = phone.add(story.sku())
    operation.required_features.extend(["x-gift-wrap", "x-by-drone"])
    first = story.expect_refused(
        phone.submit(operation).only, reason_pb2.REASON_UNSUPPORTED_FEATURE, slug="deciding/unsupported-feature"
    )
    reordered = edited(operation)
    del reordered.required_features[:]
    reordered.required_features.extend(["x-by-drone", "x-gift-wrap", "x-by-drone"])
    _expect_same_payload(story, phone, reordered)
    story.expect_replayed(phone.submit(reordered).only, first)


@requirement("deciding/payload-by-meaning")
def test_the_encoding_carries_no_meaning(story: Story) -> None:
    """Sends the same operation encoded with its fields in descending order."""
    phone = story.device()
    operation = phone.add(story.sku(), 2, headroom=400)
    first = story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    answer = answer_of(phone.connection.submit_encoded(_encoded_backwards(phone.request(operation))))
    story.expect_replayed(answer.only, first)


@requirement("deciding/sequence-conflict")
@pytest.mark.parametrize("quantity", [2, 3], ids=["same payload", "other payload"])
def test_another_key_behind_the_watermark_is_a_conflict(story: Story, quantity: int) -> None:
    """Sends an operation of another key at a decided sequence; the record stays and nothing is applied."""
    tea = story.sku()
    phone = story.device()
    operation, first = put_in_cart(story, phone, tea, 2)
    intruder = edited(operation, idempotency_key=phone.new_key())
    intruder.add_item.quantity = quantity
    answer = phone.submit(intruder)
    story.expect_refused(answer.only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    expect_watermark(story, answer, 1)
    expect_effects(story, phone, intruder, 0)
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_refused(phone.submit(intruder).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    story.expect_replayed(phone.submit(operation).only, first)


@requirement("deciding/sequence-conflict")
def test_the_key_of_another_sequence_is_a_conflict_too(story: Story) -> None:
    """Sends the key decided at sequence 2 at sequence 1: it is matched by sequence, not looked up by key."""
    tea = story.sku()
    phone = story.device()
    first_operation, first = put_in_cart(story, phone, tea, 1)
    second_operation, second = put_in_cart(story, phone, tea, 2)
    swapped = edited(first_operation, idempotency_key=second_operation.idempotency_key)
    story.expect_refused(phone.submit(swapped).only, reason_pb2.REASON_SEQUENCE_CONFLICT)
    story.expect_replayed(phone.submit(first_operation).only, first)
    story.expect_replayed(phone.submit(second_operation).only, second)


@requirement("deciding/sequence-conflict")
def test_a_rejection_is_not_overwritten_by_another_key(story: Story) -> None:
    """Sends another key at a sequence that was rejected, when the operation would be accepted by then."""
    tea = story.sku("tea", available=0)
    phone = story.device()
    operation = phone.add(tea)
    first = story.expect_refused(
        phone.submit(operation).only, reason_pb2.REASON_INSUFFICIENT_INVENTORY, slug="stock/exact"
    )
    story.shop.offer(tea, 100)
    story.expect_refused(
        phone.submit(edited(operation, idempotency_key=phone.new_key())).only, reason_pb2.REASON_SEQUENCE_CONFLICT
    )
    story.expect_lines(phone.cart(), {})
    story.expect_replayed(phone.submit(operation).only, first)


def _expect_same_payload(story: Story, phone: Device, operation: operation_pb2.CartOperation) -> None:
    outcome = phone.submit(operation).only.outcome
    story.expect(
        outcome.state != reason_pb2.OUTCOME_STATE_CONFLICT,
        "an operation of equal payload is taken for another one",
        expected="the recorded outcome",
        observed=outcome,
    )


def _encoded_backwards(message: Message) -> bytes:
    """The message with its fields in descending order, at every level: another encoding of the same value."""
    return b"".join(_field_pieces(message))


def _field_pieces(message: Message) -> Iterator[bytes]:
    for field, value in reversed(message.ListFields()):
        if field.message_type is None:
            piece = type(message)()
            piece.CopyFrom(message)
            for other, _ in message.ListFields():
                if other is not field and other.name != field.name:
                    piece.ClearField(other.name)
            yield piece.SerializeToString()
            continue
        for part in [value] if isinstance(value, Message) else value:
            body = _encoded_backwards(part)
            yield _varint(field.number << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
