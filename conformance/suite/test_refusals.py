"""Checks of spec 3.4: refusals before the cart is looked at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import padded
from conformance.suite.evidence import expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import CLAMP

UNKNOWN_FEATURE = "x-nobody-has-this"
UNKNOWN_INTENT_FIELD = 1999  # of CartOperation; no edition of the protocol uses it
ENVELOPE_BYTES = 1024  # what a submission needs beside its one operation, generously


@requirement("deciding/unsupported-feature")
def test_an_operation_that_requires_an_unknown_feature_is_rejected(story: Story) -> None:
    """Requires an unknown feature beside those that the server lists: rejected, naming only the unknown one."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea)
    operation.required_features.extend([*story.policy.features, UNKNOWN_FEATURE])
    answer = phone.submit(operation)
    outcome = story.expect_refused(answer.only, reason_pb2.REASON_UNSUPPORTED_FEATURE)
    named = list(outcome.refusal.unsupported_features)
    story.expect(
        named == [UNKNOWN_FEATURE],
        "the rejection does not name exactly the feature that is missing",
        expected=[UNKNOWN_FEATURE],
        observed=named,
    )
    expect_watermark(story, answer, 1)
    story.expect_lines(phone.cart(), {})


@requirement("deciding/unsupported-feature")
def test_all_missing_features_are_named(story: Story) -> None:
    """Requires two unknown features."""
    phone = story.device()
    operation = phone.add(story.sku())
    wanted = {UNKNOWN_FEATURE, "x-nor-this"}
    operation.required_features.extend(wanted)
    outcome = story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_UNSUPPORTED_FEATURE)
    named = set(outcome.refusal.unsupported_features)
    story.expect(named == wanted, "the rejection does not name all missing features", expected=wanted, observed=named)


@requirement("deciding/unsupported-feature")
def test_features_that_the_server_lists_may_be_required(story: Story) -> None:
    """Requires every feature of the policy, which may be none."""
    phone = story.device()
    operation = phone.add(story.sku())
    operation.required_features.extend(story.policy.features)
    story.expect_applied(phone.submit(operation).only)


@requirement("deciding/unsupported-intent")
@pytest.mark.parametrize("kind", ["none at all", "one of a later edition"])
def test_an_operation_without_a_known_intent_is_rejected_and_the_queue_goes_on(story: Story, kind: str) -> None:
    """Sends an operation with no intent that this edition knows, and one behind it."""
    tea = story.sku()
    phone = story.device()
    intent = operation_pb2.CartOperation()
    if kind != "none at all":
        body = operation_pb2.RemoveItem(cart_id="main", sku=tea).SerializeToString()
        tag = UNKNOWN_INTENT_FIELD << 3 | 2
        intent.MergeFromString(bytes([tag & 0x7F | 0x80, tag >> 7, len(body)]) + body)
    answer = phone.submit(phone.enqueue(intent), phone.add(tea))
    story.expect_refused(answer.results[0], reason_pb2.REASON_UNSUPPORTED_INTENT)
    story.expect_applied(answer.results[1], slug="deciding/rejection-advances")
    expect_watermark(story, answer, 2)


@requirement("deciding/unsupported-intent")
def test_an_unknown_intent_does_not_wait_for_backing_services(story: Story) -> None:
    """Sends an operation without intent while catalogue and stock are unreachable: rejected, not deferred."""
    phone = story.device()
    story.shop.backend(available=False)
    answer = phone.submit(phone.enqueue(operation_pb2.CartOperation()))
    story.expect_refused(answer.only, reason_pb2.REASON_UNSUPPORTED_INTENT)


@requirement("deciding/too-large")
def test_an_operation_above_the_size_limit_is_rejected(story: Story) -> None:
    """Sends an operation one byte above the limit, and one exactly at it."""
    limit = story.policy.max_operation_bytes
    tea = story.sku()
    phone = story.device()
    if limit + ENVELOPE_BYTES < story.policy.max_submission_bytes:
        answer = phone.submit(padded(phone.add(tea), limit + 1))
        story.expect_refused(answer.only, reason_pb2.REASON_OPERATION_TOO_LARGE)
        expect_watermark(story, answer, 1)
        story.expect_lines(phone.cart(), {})
        story.expect_applied(phone.submit(padded(phone.add(tea), limit)).only)


@requirement("deciding/too-large")
def test_the_operations_around_a_too_large_one_are_decided(story: Story) -> None:
    """Sends a too large operation between two small ones."""
    limit = story.policy.max_operation_bytes
    tea = story.sku()
    phone = story.device()
    if limit + ENVELOPE_BYTES < story.policy.max_submission_bytes:
        answer = phone.submit(phone.add(tea, 1), padded(phone.add(tea, 2), limit + 1), phone.add(tea, 4))
        story.expect_refused(answer.results[1], reason_pb2.REASON_OPERATION_TOO_LARGE)
        story.expect_applied(answer.results[2], slug="deciding/rejection-advances")
        story.expect_lines(phone.cart(), {tea: 5})


# The field that is wrong, and what makes it so.
Wrong = tuple[str, Callable[[operation_pb2.CartOperation], object]]

LONG = "x" * 65

WRONG_ADDS: tuple[Wrong, ...] = (
    ("add_item.cart_id", lambda o: o.add_item.ClearField("cart_id")),
    ("add_item.cart_id", lambda o: setattr(o.add_item, "cart_id", LONG)),
    ("add_item.cart_id", lambda o: setattr(o.add_item, "cart_id", "my cart")),
    ("add_item.cart_id", lambda o: setattr(o.add_item, "cart_id", "café")),
    ("add_item.sku", lambda o: o.add_item.ClearField("sku")),
    ("add_item.sku", lambda o: setattr(o.add_item, "sku", LONG)),
    ("add_item.sku", lambda o: setattr(o.add_item, "sku", " tea")),
    ("add_item.sku", lambda o: setattr(o.add_item, "sku", "tea ")),
    ("add_item.sku", lambda o: setattr(o.add_item, "sku", "green\ntea")),
    ("add_item.sku", lambda o: setattr(o.add_item, "sku", "green\x7ftea")),
    ("add_item.quantity", lambda o: o.add_item.ClearField("quantity")),
    ("add_item.quantity", lambda o: setattr(o.add_item, "quantity", -1)),
    ("add_item.quantity", lambda o: setattr(o.add_item, "quantity", -(2**31))),
    ("add_item.observed_unit_price", lambda o: o.add_item.ClearField("observed_unit_price")),
    ("add_item.observed_unit_price", lambda o: setattr(o.add_item.observed_unit_price, "minor_units", -1)),
    ("add_item.observed_unit_price", lambda o: o.add_item.observed_unit_price.ClearField("currency_code")),
    ("add_item.observed_unit_price", lambda o: setattr(o.add_item.observed_unit_price, "currency_code", "gbp")),
    ("add_item.observed_unit_price", lambda o: setattr(o.add_item.observed_unit_price, "currency_code", "GBPX")),
    ("add_item.observed_unit_price", lambda o: setattr(o.add_item.observed_unit_price, "currency_code", "G1P")),
    ("add_item.max_unit_price", lambda o: setattr(o.add_item.max_unit_price, "minor_units", 500)),
    ("add_item.max_unit_price", lambda o: _set_limit(o, -1)),
    ("add_item.quantity_policy", lambda o: o.add_item.ClearField("quantity_policy")),
)
WRONG_ADJUSTMENTS: tuple[Wrong, ...] = (
    ("adjust_quantity.cart_id", lambda o: o.adjust_quantity.ClearField("cart_id")),
    ("adjust_quantity.cart_id", lambda o: setattr(o.adjust_quantity, "cart_id", "a/b")),
    ("adjust_quantity.sku", lambda o: o.adjust_quantity.ClearField("sku")),
    ("adjust_quantity.sku", lambda o: setattr(o.adjust_quantity, "sku", LONG)),
    ("adjust_quantity.delta", lambda o: o.adjust_quantity.ClearField("delta")),
    ("adjust_quantity.quantity_policy", lambda o: o.adjust_quantity.ClearField("quantity_policy")),
    ("adjust_quantity.unless_changed_since", lambda o: setattr(o.adjust_quantity, "unless_changed_since", -1)),
)
WRONG_SETS: tuple[Wrong, ...] = (
    ("set_quantity.cart_id", lambda o: o.set_quantity.ClearField("cart_id")),
    ("set_quantity.cart_id", lambda o: setattr(o.set_quantity, "cart_id", LONG)),
    ("set_quantity.sku", lambda o: o.set_quantity.ClearField("sku")),
    ("set_quantity.sku", lambda o: setattr(o.set_quantity, "sku", "tea ")),
    ("set_quantity.quantity", lambda o: setattr(o.set_quantity, "quantity", -1)),
    ("set_quantity.quantity_policy", lambda o: o.set_quantity.ClearField("quantity_policy")),
    ("set_quantity.unless_changed_since", lambda o: setattr(o.set_quantity, "unless_changed_since", -1)),
)
WRONG_REMOVALS: tuple[Wrong, ...] = (
    ("remove_item.cart_id", lambda o: o.remove_item.ClearField("cart_id")),
    ("remove_item.cart_id", lambda o: setattr(o.remove_item, "cart_id", "my cart")),
    ("remove_item.sku", lambda o: o.remove_item.ClearField("sku")),
    ("remove_item.sku", lambda o: setattr(o.remove_item, "sku", "\x01tea")),
    ("remove_item.unless_changed_since", lambda o: setattr(o.remove_item, "unless_changed_since", -1)),
)


@requirement("deciding/malformed")
def test_an_add_with_a_wrong_field_is_rejected(story: Story) -> None:
    """Sends adds, each with one field missing or out of its range."""
    tea = story.sku()
    phone = story.device()
    for field, break_it in WRONG_ADDS:
        _expect_malformed(story, phone, phone.add(tea, 2), field, break_it)
    story.expect_lines(phone.cart(), {})


@requirement("deciding/malformed")
@pytest.mark.parametrize("delta", [1, -1], ids=["up", "down"])
def test_an_adjustment_with_a_wrong_field_is_rejected(story: Story, delta: int) -> None:
    """Sends adjustments, each with one field missing or out of its range; the policy is required down too."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    for field, break_it in WRONG_ADJUSTMENTS:
        _expect_malformed(story, phone, phone.adjust(tea, delta), field, break_it)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("deciding/malformed")
@pytest.mark.parametrize("quantity", [9, 0], ids=["to nine", "to nothing"])
def test_a_set_with_a_wrong_field_is_rejected(story: Story, quantity: int) -> None:
    """Sends sets, each with one field missing or out of its range; the policy is required at 0 too."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    for field, break_it in WRONG_SETS:
        _expect_malformed(story, phone, phone.set(tea, quantity), field, break_it)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("deciding/malformed")
def test_a_removal_with_a_wrong_field_is_rejected(story: Story) -> None:
    """Sends removals, each with one field missing or out of its range."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 5)
    for field, break_it in WRONG_REMOVALS:
        _expect_malformed(story, phone, phone.remove(tea), field, break_it)
    story.expect_lines(phone.cart(), {tea: 5})


@requirement("deciding/malformed")
def test_fields_at_the_edges_of_their_ranges_are_no_reason(story: Story) -> None:
    """Uses a cart id and a SKU of 64 characters, a price of nothing, a limit of nothing and a guard of 0."""
    cart_id = "A.z_9-" + "c" * 58
    phone = story.device(cart_id=cart_id)
    sku = f"é{story.tag} ".ljust(63, "ß") + "茶"
    story.shop.offer(sku, 0)
    operations = [
        phone.add(sku, 1, price=0, max_price=0, policy=CLAMP),
        phone.adjust(sku, 1, guard=0),
        phone.set(sku, 0, guard=0),
        phone.remove(sku, guard=0),
    ]
    for result in phone.submit(*operations).results:
        story.expect_applied(result, changed=None)


def _expect_malformed(
    story: Story,
    phone: Device,
    operation: operation_pb2.CartOperation,
    field: str,
    break_it: Callable[[operation_pb2.CartOperation], object],
) -> None:
    break_it(operation)
    outcome = story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_MALFORMED)
    story.expect(
        _names(outcome, field),
        f"the rejection of an operation with a wrong {field} names no such field",
        expected=field,
        observed=[violation.field for violation in outcome.refusal.field_violations],
    )


def _names(outcome: outcome_pb2.Outcome, field: str) -> bool:
    """Whether a violation names the field or, inside a message, one of its own fields."""
    return any(
        violation.field == field or violation.field.startswith(field + ".")
        for violation in outcome.refusal.field_violations
    )


def _set_limit(operation: operation_pb2.CartOperation, minor_units: int) -> None:
    operation.add_item.max_unit_price.currency_code = "GBP"
    operation.add_item.max_unit_price.minor_units = minor_units
