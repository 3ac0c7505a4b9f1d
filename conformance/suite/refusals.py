"""One way to provoke each reason for a refusal, with the details that it has to carry.

Each entry returns the refused result, or None where this server need never refuse so. That the server refuses at all
is another requirement's business, named as the owner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cartsync.v1 import money_pb2, operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.edits import edited, padded
from conformance.wire.device import Device
from conformance.wire.story import Story

Result = outcome_pb2.OperationResult | None


@dataclass(frozen=True, slots=True)
class Refused:
    """How a reason comes about."""

    reason: reason_pb2.Reason.ValueType
    owner: str  # the requirement that calls for the refusal
    provoke: Callable[[Story], Result]
    details: outcome_pb2.Refusal  # those of its details that are known beforehand
    delayed: bool = False  # whether it carries a retry_delay


def _payload_mismatch(story: Story) -> Result:
    phone, operation = _decided(story)
    other = edited(operation)
    other.add_item.quantity += 1
    return phone.submit(other).only


def _sequence_conflict(story: Story) -> Result:
    phone, operation = _decided(story)
    return phone.submit(edited(operation, idempotency_key=phone.new_key())).only


def _diverged(story: Story) -> Result:
    phone, operation = _decided(story)
    return phone.submit(edited(phone.add(operation.add_item.sku), previous_key=phone.new_key())).only


def _gap(story: Story) -> Result:
    phone, operation = _decided(story)
    phone.add(operation.add_item.sku)
    return phone.submit(phone.add(operation.add_item.sku)).only


def _predecessor(story: Story) -> Result:
    phone, operation = _decided(story)
    phone.add(operation.add_item.sku)
    return phone.submit(phone.add(operation.add_item.sku), phone.add(operation.add_item.sku)).results[1]


def _rate_limited(story: Story) -> Result:
    phone, sku = story.device(), story.sku()
    story.shop.rate_limit(0)
    return phone.submit(phone.add(sku)).only


def _backend_unavailable(story: Story) -> Result:
    phone, sku = story.device(), story.sku()
    story.shop.backend(available=False)
    return phone.submit(phone.add(sku)).only


def _internal(story: Story) -> Result:
    phone, sku = story.device(), story.sku()
    story.shop.throw(1)
    result = phone.submit(phone.add(sku)).only
    at_once = story.policy.quarantine_attempt_count == 1 and result.outcome.refusal.reason == _R.REASON_QUARANTINED
    return None if at_once else result  # a server that sets aside at the first failure need not defer it


def _quarantined(story: Story) -> Result:
    phone, sku = story.device(), story.sku()
    limit = story.policy.quarantine_attempt_count
    operation = phone.add(sku)
    story.shop.throw(1, limit)
    for _ in range(limit):
        phone.submit(operation)
    return phone.submit(operation).only


def _purged(story: Story) -> Result:
    phone, operation = _decided(story)
    story.shop.advance(story.policy.outcome_retention.ToTimedelta() + timedelta(days=1))
    result = phone.submit(operation).only
    return None if result.replayed else result  # a server need not prune


def _key_reused(story: Story) -> Result:
    phone, operation = _decided(story)
    return phone.submit(edited(phone.add(operation.add_item.sku), idempotency_key=operation.idempotency_key)).only


def _unsupported_feature(story: Story) -> Result:
    phone = story.device()
    operation = phone.add(story.sku())
    operation.required_features.append("no-such-feature")
    return phone.submit(operation).only


def _unsupported_intent(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.enqueue(operation_pb2.CartOperation())).only


def _too_large(story: Story) -> Result:
    phone = story.device()
    operation = padded(phone.add(story.sku()), story.policy.max_operation_bytes + 16)
    if phone.request(operation).ByteSize() > story.policy.max_submission_bytes:
        return None
    return phone.submit(operation).only


def _malformed(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(story.sku(), 0)).only


def _expired(story: Story) -> Result:
    phone = story.device()
    age = story.policy.replay_window.ToTimedelta() + timedelta(hours=1)
    return phone.submit(phone.add(story.sku()), age=age).only


def _cart_closed(story: Story) -> Result:
    phone, operation = _decided(story)
    story.shop.close_cart(phone.cart_id)
    return phone.submit(phone.add(operation.add_item.sku)).only


def _cart_not_found(story: Story) -> Result:
    story.needs_unmade_cart()
    phone = story.device()
    return phone.submit(phone.set(story.sku(), 2)).only


def _line_changed(story: Story) -> Result:
    phone, operation = _decided(story)
    revision = phone.cart().revision
    tablet = story.device("tablet")
    story.expect_applied(tablet.submit(tablet.add(operation.add_item.sku)).only, slug="cart/add-adds")
    return phone.submit(phone.set(operation.add_item.sku, 5, guard=revision)).only


def _sku_unknown(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(f"nothing-{story.tag}")).only


def _sku_unlisted(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(story.sku(listed=False))).only


def _currency_mismatch(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(story.sku(), currency="EUR")).only


def _price_above_limit(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(story.sku(price=150), price=100, max_price=120)).only


def _line_limit(story: Story) -> Result:
    phone = story.device()
    sku = story.sku(price=1)
    full = phone.add(sku, story.policy.max_line_quantity, price=1)
    story.expect_applied(phone.submit(full).only, slug="limits/line-quantity")
    return phone.submit(phone.add(sku, price=1)).only


def _insufficient_inventory(story: Story) -> Result:
    phone = story.device()
    return phone.submit(phone.add(story.sku(available=3), 4)).only


def _decided(story: Story) -> tuple[Device, operation_pb2.CartOperation]:
    phone = story.device()
    operation = phone.add(story.sku(), 2)
    story.expect_applied(phone.submit(operation).only, slug="cart/add-adds")
    return phone, operation


_NONE = outcome_pb2.Refusal()
_R = reason_pb2

REFUSALS = (
    Refused(_R.REASON_PAYLOAD_MISMATCH, "deciding/payload-mismatch", _payload_mismatch, _NONE),
    Refused(_R.REASON_SEQUENCE_CONFLICT, "deciding/sequence-conflict", _sequence_conflict, _NONE),
    Refused(_R.REASON_QUEUE_DIVERGED, "deciding/chain-checked", _diverged, _NONE),
    Refused(_R.REASON_SEQUENCE_GAP, "deciding/gap-deferred", _gap, outcome_pb2.Refusal(expected_sequence=2)),
    Refused(_R.REASON_PREDECESSOR_NOT_DECIDED, "deciding/stop-after-deferral", _predecessor, _NONE),
    Refused(_R.REASON_RATE_LIMITED, "rate/deferred", _rate_limited, _NONE, delayed=True),
    Refused(_R.REASON_BACKEND_UNAVAILABLE, "backend/deferred", _backend_unavailable, _NONE, delayed=True),
    Refused(_R.REASON_INTERNAL, "poison/internal-deferred", _internal, _NONE, delayed=True),
    Refused(_R.REASON_QUARANTINED, "poison/quarantined", _quarantined, _NONE),
    Refused(_R.REASON_OUTCOME_PURGED, "retention/purged-not-executed", _purged, _NONE),
    Refused(_R.REASON_KEY_REUSED, "deciding/key-reused", _key_reused, _NONE),
    Refused(
        _R.REASON_UNSUPPORTED_FEATURE,
        "deciding/unsupported-feature",
        _unsupported_feature,
        outcome_pb2.Refusal(unsupported_features=["no-such-feature"]),
    ),
    Refused(_R.REASON_UNSUPPORTED_INTENT, "deciding/unsupported-intent", _unsupported_intent, _NONE),
    Refused(_R.REASON_OPERATION_TOO_LARGE, "deciding/too-large", _too_large, _NONE),
    Refused(
        _R.REASON_MALFORMED,
        "deciding/malformed",
        _malformed,
        outcome_pb2.Refusal(field_violations=[outcome_pb2.FieldViolation(field="add_item.quantity")]),
    ),
    Refused(_R.REASON_REPLAY_WINDOW_EXPIRED, "retention/window-enforced", _expired, _NONE),
    Refused(_R.REASON_CART_CLOSED, "cart/closed", _cart_closed, _NONE),
    Refused(_R.REASON_CART_NOT_FOUND, "cart/missing-cart", _cart_not_found, _NONE),
    Refused(_R.REASON_LINE_CHANGED, "guard/refuses", _line_changed, _NONE),
    Refused(_R.REASON_SKU_UNKNOWN, "stock/unknown-sku", _sku_unknown, _NONE),
    Refused(_R.REASON_SKU_UNLISTED, "stock/unlisted", _sku_unlisted, _NONE),
    Refused(_R.REASON_CURRENCY_MISMATCH, "price/currency", _currency_mismatch, _NONE),
    Refused(
        _R.REASON_PRICE_ABOVE_LIMIT,
        "price/limit",
        _price_above_limit,
        outcome_pb2.Refusal(current_unit_price=money_pb2.Money(currency_code="GBP", minor_units=150)),
    ),
    Refused(_R.REASON_LINE_LIMIT_EXCEEDED, "limits/line-quantity", _line_limit, _NONE),
    Refused(
        _R.REASON_INSUFFICIENT_INVENTORY,
        "stock/exact",
        _insufficient_inventory,
        outcome_pb2.Refusal(available_quantity=3),
    ),
)
