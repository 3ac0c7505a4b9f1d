"""Checks of deciding/refusal-order: of several rules that refuse an operation, the first in the tables is reported.

Steps 2 to 10 of chapter 3 are flaws that one add can have all at once, so each step is tried against its neighbour
alone and against everything behind it. The cart rules of chapter 6 need stories of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.edits import padded
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story
from conformance.wire.device import EXACT


@dataclass
class Draft:
    """An operation about to be sent, and the world it will meet."""

    story: Story
    phone: Device
    sku: str
    operation: operation_pb2.CartOperation
    age: timedelta = field(default_factory=timedelta)


def _behind_a_gap(draft: Draft) -> None:
    draft.operation.sequence += 1


def _diverged(draft: Draft) -> None:
    draft.operation.previous_key = draft.phone.new_key()


def _rate_limited(draft: Draft) -> None:
    draft.story.shop.rate_limit(0)


def _with_a_used_key(draft: Draft) -> None:
    draft.operation.idempotency_key = draft.phone.log[0].idempotency_key


def _with_a_missing_feature(draft: Draft) -> None:
    draft.operation.required_features.append("x-nobody-has-this")


def _without_intent(draft: Draft) -> None:
    draft.operation.ClearField("add_item")


def _too_large(draft: Draft) -> None:
    draft.operation = padded(draft.operation, draft.story.policy.max_operation_bytes + 1)


def _malformed(draft: Draft) -> None:
    draft.operation.add_item.quantity = -1


def _too_old(draft: Draft) -> None:
    draft.age = draft.story.policy.replay_window.ToTimedelta() + timedelta(hours=1)


def _without_backend(draft: Draft) -> None:
    draft.story.shop.backend(available=False)


def _on_a_closed_cart(draft: Draft) -> None:
    draft.story.shop.close_cart(draft.phone.cart_id)


@dataclass(frozen=True)
class Step:
    """A step of the table, as a flaw of an add."""

    name: str
    inflict: Callable[[Draft], None]
    reason: reason_pb2.Reason.ValueType


STEPS = (
    Step("gap", _behind_a_gap, reason_pb2.REASON_SEQUENCE_GAP),
    Step("diverged", _diverged, reason_pb2.REASON_QUEUE_DIVERGED),
    Step("rate limited", _rate_limited, reason_pb2.REASON_RATE_LIMITED),
    Step("key reused", _with_a_used_key, reason_pb2.REASON_KEY_REUSED),
    Step("feature missing", _with_a_missing_feature, reason_pb2.REASON_UNSUPPORTED_FEATURE),
    Step("no intent", _without_intent, reason_pb2.REASON_UNSUPPORTED_INTENT),
    Step("too large", _too_large, reason_pb2.REASON_OPERATION_TOO_LARGE),
    Step("malformed", _malformed, reason_pb2.REASON_MALFORMED),
    Step("too old", _too_old, reason_pb2.REASON_REPLAY_WINDOW_EXPIRED),
    Step("no backend", _without_backend, reason_pb2.REASON_BACKEND_UNAVAILABLE),
    Step("cart closed", _on_a_closed_cart, reason_pb2.REASON_CART_CLOSED),
)
NEIGHBOURS = tuple(itertools.pairwise(STEPS))
_INTENT = next(step for step in STEPS if step.name == "no intent")
_SIZE = next(step for step in STEPS if step.name == "too large")


@requirement("deciding/refusal-order")
@pytest.mark.parametrize(
    ("first", "second"), NEIGHBOURS, ids=[f"{first.name} before {second.name}" for first, second in NEIGHBOURS]
)
def test_of_two_refusals_the_first_is_reported(story: Story, first: Step, second: Step) -> None:
    """Sends an add that two neighbouring rules of chapter 3 refuse."""
    _expect_first(story, first, [first, second])


@requirement("deciding/refusal-order")
@pytest.mark.parametrize("first", range(len(STEPS) - 1), ids=[f"{step.name} before all later" for step in STEPS[:-1]])
def test_of_many_refusals_the_first_is_reported(story: Story, first: int) -> None:
    """Sends an add that one rule of chapter 3 and every rule behind it refuse."""
    _expect_first(story, STEPS[first], list(STEPS[first:]))


def _expect_first(story: Story, first: Step, steps: list[Step]) -> None:
    if _SIZE in steps and story.policy.max_operation_bytes + 1024 >= story.policy.max_submission_bytes:
        steps.remove(_SIZE)  # no operation can be too large inside a submission that is not
    if first not in steps:
        return
    if _INTENT in steps and first is not _INTENT:
        later_about_the_intent = [step for step in steps if step.inflict is _malformed]
        if later_about_the_intent:
            steps.remove(_INTENT)  # an add cannot be malformed and missing
    elif _INTENT in steps:
        steps = [step for step in steps if step.inflict is not _malformed]
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    draft = Draft(story, phone, tea, phone.add(tea, 1))
    # The size comes last: what else changes the operation would change it again.
    for step in sorted(steps, key=lambda step: step is _SIZE):
        step.inflict(draft)
    answer = phone.submit(draft.operation, age=draft.age or None)
    story.expect_refused(answer.only, first.reason)


# The cart rules. Each story returns the operation that two rules refuse, and the reason of the first.
Refused = tuple[operation_pb2.CartOperation, reason_pb2.Reason.ValueType]


def _closed_before_guard(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    _, first = put_in_cart(story, phone, tea)
    put_in_cart(story, story.device("tablet"), tea)
    story.shop.close_cart(phone.cart_id)
    return phone.set(tea, 1, guard=first.revision), reason_pb2.REASON_CART_CLOSED


def _closed_before_unknown_sku(story: Story, phone: Device) -> Refused:
    put_in_cart(story, phone, story.sku())
    story.shop.close_cart(phone.cart_id)
    return phone.add(f"unknown-{story.tag}"), reason_pb2.REASON_CART_CLOSED


def _no_cart_before_unknown_sku(story: Story, phone: Device) -> Refused:
    story.needs_unmade_cart()
    return phone.set(f"unknown-{story.tag}", 2), reason_pb2.REASON_CART_NOT_FOUND


def _no_cart_before_unlisted(story: Story, phone: Device) -> Refused:
    story.needs_unmade_cart()
    return phone.adjust(story.sku(listed=False), 2), reason_pb2.REASON_CART_NOT_FOUND


def _guard_before_unlisted(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    _, first = put_in_cart(story, phone, tea)
    put_in_cart(story, story.device("tablet"), tea)
    story.shop.offer(tea, 100, listed=False)
    return phone.adjust(tea, 1, guard=first.revision), reason_pb2.REASON_LINE_CHANGED


def _guard_before_stock(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    _, first = put_in_cart(story, phone, tea)
    put_in_cart(story, story.device("tablet"), tea)
    story.shop.offer(tea, 100, available=0)
    return phone.set(tea, 9, guard=first.revision), reason_pb2.REASON_LINE_CHANGED


def _unknown_sku_before_currency(story: Story, phone: Device) -> Refused:
    put_in_cart(story, phone, story.sku())
    return phone.add(f"unknown-{story.tag}", currency="EUR"), reason_pb2.REASON_SKU_UNKNOWN


def _unlisted_before_currency(story: Story, phone: Device) -> Refused:
    put_in_cart(story, phone, story.sku())
    return phone.add(story.sku("cake", listed=False), currency="EUR"), reason_pb2.REASON_SKU_UNLISTED


def _unlisted_before_price_limit(story: Story, phone: Device) -> Refused:
    return phone.add(story.sku(price=300, listed=False), max_price=200), reason_pb2.REASON_SKU_UNLISTED


def _currency_before_price_limit(story: Story, phone: Device) -> Refused:
    tea = story.sku(price=300)
    return phone.add(tea, currency="EUR", max_price=200), reason_pb2.REASON_CURRENCY_MISMATCH


def _price_limit_before_line_limit(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    limit = story.policy.max_line_quantity
    put_in_cart(story, phone, tea, limit)
    story.shop.offer(tea, 300)
    return phone.add(tea, 1, max_price=200), reason_pb2.REASON_PRICE_ABOVE_LIMIT


def _price_limit_before_stock(story: Story, phone: Device) -> Refused:
    return phone.add(story.sku(price=300, available=0), max_price=200), reason_pb2.REASON_PRICE_ABOVE_LIMIT


def _line_limit_before_stock(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    limit = story.policy.max_line_quantity
    put_in_cart(story, phone, tea, limit)
    story.shop.offer(tea, 100, available=1)
    return phone.add(tea, 1), reason_pb2.REASON_LINE_LIMIT_EXCEEDED


def _currency_before_line_limit(story: Story, phone: Device) -> Refused:
    tea = story.sku()
    put_in_cart(story, phone, tea, story.policy.max_line_quantity)
    story.shop.offer(tea, 100, currency="EUR")
    return phone.adjust(tea, 1), reason_pb2.REASON_CURRENCY_MISMATCH


CART_RULES: tuple[Callable[[Story, Device], Refused], ...] = (
    _closed_before_guard,
    _closed_before_unknown_sku,
    _no_cart_before_unknown_sku,
    _no_cart_before_unlisted,
    _guard_before_unlisted,
    _guard_before_stock,
    _unknown_sku_before_currency,
    _unlisted_before_currency,
    _unlisted_before_price_limit,
    _currency_before_price_limit,
    _currency_before_line_limit,
    _price_limit_before_line_limit,
    _price_limit_before_stock,
    _line_limit_before_stock,
)


@requirement("deciding/refusal-order")
@pytest.mark.parametrize("arrange", CART_RULES, ids=[rule.__name__.strip("_").replace("_", " ") for rule in CART_RULES])
def test_of_two_cart_rules_the_first_is_reported(story: Story, arrange: Callable[[Story, Device], Refused]) -> None:
    """Sends an operation that two cart rules of chapter 6 refuse."""
    phone = story.device()
    operation, reason = arrange(story, phone)
    story.expect_refused(phone.submit(operation).only, reason)


@requirement("limits/line-count", "deciding/refusal-order")
def test_a_line_too_many_is_refused_before_stock_is_looked_at(story: Story) -> None:
    """Fills a cart with as many lines as it may have; one more is refused, sold out or not, and an old one may grow."""
    limit = story.policy.max_line_count
    phone = story.device()
    size = min(story.policy.max_submission_operation_count, 100)
    skus = [story.sku(f"tea{number}") for number in range(limit)]
    for start in range(0, limit, size):
        answer = phone.submit(*(phone.add(sku) for sku in skus[start : start + size]))
        for result in answer.results:
            story.expect_applied(result)
    in_stock = phone.add(story.sku("cake"))
    story.expect_refused(phone.submit(in_stock).only, reason_pb2.REASON_LINE_LIMIT_EXCEEDED)
    sold_out = phone.add(story.sku("pie", available=0), policy=EXACT)
    story.expect_refused(
        phone.submit(sold_out).only, reason_pb2.REASON_LINE_LIMIT_EXCEEDED, slug="deciding/refusal-order"
    )
    story.expect_applied(phone.submit(phone.add(skus[0])).only)
