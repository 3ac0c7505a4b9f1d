"""The edge between the oracle's values and the messages on the wire.

Unknown enum values come out as None or as their number, never as an error: a server may answer anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import (
    address_book_pb2,
    address_pb2,
    cart_pb2,
    money_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    policy_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration

from conformance.oracle.address_book import FIELDS
from conformance.oracle.observations import (
    ObservedAddress,
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedCoupon,
    ObservedEffect,
    ObservedLine,
    ObservedLookup,
    ObservedOutcome,
    ObservedPaymentMethod,
    ObservedPaymentMethods,
    ObservedResult,
    ObservedStatus,
    ObservedWish,
    ObservedWishlist,
)
from conformance.oracle.values import (
    Add,
    Address,
    AddToWishlist,
    Adjust,
    Adjustment,
    ApplyCoupon,
    Attempt,
    CardDetails,
    ClaimedLine,
    ClaimGuestCart,
    Clamped,
    DeleteAddress,
    DeletePaymentMethod,
    Details,
    Discard,
    Entry,
    FieldKept,
    Floored,
    Intent,
    Limits,
    Line,
    Money,
    PriceChanged,
    PutAddress,
    Remove,
    RemoveCoupon,
    RemoveFromWishlist,
    SavePaymentMethod,
    Set,
    State,
    Stock,
)

_STOCK = {
    Stock.UNSPECIFIED: operation_pb2.QUANTITY_POLICY_UNSPECIFIED,
    Stock.EXACT: operation_pb2.QUANTITY_POLICY_EXACT,
    Stock.CLAMP: operation_pb2.QUANTITY_POLICY_CLAMP,
}
_STATES = {reason_pb2.OutcomeState.Value(f"OUTCOME_STATE_{state}"): state for state in State}
_SOME_DAY = 1_700_000_000  # seconds since the epoch; any time will do
_PADDING = 20_000  # bytes

# From the oracle to the wire.


def attempt_message(attempt: Attempt) -> operation_pb2.OperationAttempt:
    """An attempt, with an enqueue time and a session context that mean nothing to the outcome."""
    operation = attempt.operation
    message = operation_pb2.OperationAttempt(
        operation=operation_pb2.CartOperation(
            idempotency_key=operation.key,
            sequence=operation.sequence,
            previous_key=operation.previous_key,
            required_features=sorted(operation.features, reverse=attempt.retouched),
        )
    )
    if attempt.retouched:
        message.operation.session_context.locale = "cy-GB"
        message.operation.session_context.client_name = "restored from a backup"
    else:
        message.operation.enqueue_time.seconds = _SOME_DAY + operation.sequence
        message.operation.session_context.locale = "en-GB"
    if attempt.client_name:
        message.operation.session_context.client_name = attempt.client_name
    if attempt.oversized:
        message.operation.session_context.client_version = "x" * _PADDING
    _put_intent(message.operation, operation.intent)
    if attempt.age is not None:
        duration = Duration()
        duration.FromTimedelta(timedelta(seconds=attempt.age))
        message.age.CopyFrom(duration)
    return message


def _put_intent(message: operation_pb2.CartOperation, intent: Intent) -> None:
    match intent:
        case Add():
            message.add_item.SetInParent()
            item = message.add_item
            item.cart_id, item.sku, item.quantity = intent.cart, intent.sku, intent.quantity
            item.quantity_policy = _STOCK[intent.stock]
            if intent.observed is not None:
                item.observed_unit_price.CopyFrom(money_message(intent.observed))
            if intent.limit is not None:
                item.max_unit_price.CopyFrom(money_message(intent.limit))
        case Adjust():
            message.adjust_quantity.CopyFrom(
                operation_pb2.AdjustQuantity(
                    cart_id=intent.cart,
                    sku=intent.sku,
                    delta=intent.delta,
                    quantity_policy=_STOCK[intent.stock],
                    unless_changed_since=intent.guard,
                )
            )
        case Set():
            message.set_quantity.CopyFrom(
                operation_pb2.SetQuantity(
                    cart_id=intent.cart,
                    sku=intent.sku,
                    quantity=intent.quantity,
                    quantity_policy=_STOCK[intent.stock],
                    unless_changed_since=intent.guard,
                )
            )
        case Remove():
            message.remove_item.CopyFrom(
                operation_pb2.RemoveItem(cart_id=intent.cart, sku=intent.sku, unless_changed_since=intent.guard)
            )
        case Discard():
            message.discard.discarded_key = intent.discarded_key
        case None:
            pass
        case _:
            _put_further_intent(message, intent)


def _put_further_intent(message: operation_pb2.CartOperation, intent: Intent) -> None:
    """The intents of the further profiles. SetInParent, so that one with nothing in it is there all the same."""
    match intent:
        case ApplyCoupon():
            message.apply_coupon.SetInParent()
            message.apply_coupon.cart_id, message.apply_coupon.coupon_code = intent.cart, intent.code
        case RemoveCoupon():
            message.remove_coupon.SetInParent()
            message.remove_coupon.cart_id, message.remove_coupon.coupon_code = intent.cart, intent.code
        case AddToWishlist():
            message.add_to_wishlist.SetInParent()
            message.add_to_wishlist.sku = intent.sku
        case RemoveFromWishlist():
            message.remove_from_wishlist.SetInParent()
            message.remove_from_wishlist.sku = intent.sku
        case PutAddress():
            put = operation_pb2.PutAddress(address_id=intent.address_id, base_revision=intent.base)
            put.update_mask.paths.extend(sorted(intent.mask))
            if intent.address is not None:
                put.address.CopyFrom(address_message(intent.address))
            message.put_address.CopyFrom(put)
        case DeleteAddress():
            message.delete_address.CopyFrom(
                operation_pb2.DeleteAddress(address_id=intent.address_id, base_revision=intent.base)
            )
        case SavePaymentMethod():
            message.save_payment_method.CopyFrom(
                operation_pb2.SavePaymentMethod(
                    payment_method_id=intent.method_id,
                    provider=intent.provider,
                    provider_token=intent.token,
                    label=intent.label,
                )
            )
        case DeletePaymentMethod():
            message.delete_payment_method.SetInParent()
            message.delete_payment_method.payment_method_id = intent.method_id
        case ClaimGuestCart():
            message.claim_guest_cart.CopyFrom(
                operation_pb2.ClaimGuestCart(
                    claim_token=intent.token, guest_cart_id=intent.guest_cart, cart_id=intent.cart
                )
            )
        case _:
            pass


def address_message(address: Address) -> address_pb2.Address:
    """An address."""
    return address_pb2.Address(**{name: getattr(address, name) for name in FIELDS})


def money_message(money: Money) -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(currency_code=money.currency, minor_units=money.minor)


# From the wire to the oracle.


def limits(policy: policy_pb2.SyncPolicy) -> Limits:
    """The figures that decisions depend on."""
    return Limits(
        replay_window=policy.replay_window.ToTimedelta().total_seconds(),
        outcome_retention=policy.outcome_retention.ToTimedelta().total_seconds(),
        queue_retention=policy.queue_retention.ToTimedelta().total_seconds(),
        max_line_quantity=policy.max_line_quantity,
        max_line_count=policy.max_line_count,
        max_submission_operation_count=policy.max_submission_operation_count,
        features=frozenset(policy.features),
        profiles=frozenset(policy.profiles),
        max_coupon_count=policy.max_coupon_count,
        max_wishlist_entry_count=policy.max_wishlist_entry_count,
        max_address_count=policy.max_address_count,
        max_payment_method_count=policy.max_payment_method_count,
    )


def answer(queue: service_pb2.QueueState, results: Iterable[outcome_pb2.OperationResult]) -> ObservedAnswer:
    """The answer to one submission, unary or on a stream."""
    observed = tuple(ObservedResult(outcome(result.outcome), result.replayed) for result in results)
    return ObservedAnswer(queue.queue_id, queue.decided_through_sequence, observed)


def outcome(message: outcome_pb2.Outcome) -> ObservedOutcome:
    """One outcome."""
    refusal = message.refusal if message.HasField("refusal") else None
    decided_at = message.decide_time.ToNanoseconds() if message.HasField("decide_time") else None
    return ObservedOutcome(
        key=message.idempotency_key,
        sequence=message.sequence,
        state=_STATES.get(message.state),
        reason=_name(reason_pb2.Reason.DESCRIPTOR, refusal.reason, "REASON_") if refusal else None,
        disposition=_name(reason_pb2.Disposition.DESCRIPTOR, refusal.disposition, "DISPOSITION_") if refusal else None,
        revision=message.revision,
        changed=message.changed,
        line=_line(message.line_change) if message.HasField("line_change") else None,
        adjustments=tuple(found for entry in message.adjustments if (found := _adjustment(entry)) is not None),
        details=_details(refusal) if refusal else Details(),
        decided_at=decided_at,
        has_retry_delay=bool(refusal and refusal.HasField("retry_delay")),
        verbatim=message.SerializeToString(deterministic=True),
        claimed=tuple(_claimed_line(line) for line in message.claimed_lines),
    )


def _claimed_line(message: outcome_pb2.ClaimedLine) -> ClaimedLine:
    return ClaimedLine(
        sku=message.sku,
        guest_quantity=message.guest_quantity,
        before=message.quantity_before,
        after=message.quantity_after,
        limit=_name(reason_pb2.Reason.DESCRIPTOR, message.limit_reason, "REASON_") if message.limit_reason else "",
    )


def _line(message: outcome_pb2.LineChange) -> Line:
    return Line(message.sku, message.quantity_before, message.quantity_after)


def _adjustment(message: outcome_pb2.Adjustment) -> Adjustment | None:
    match message.WhichOneof("adjustment"):
        case "price_changed":
            change = message.price_changed
            return PriceChanged(_money(change.observed_unit_price), _money(change.current_unit_price))
        case "quantity_clamped":
            clamped = message.quantity_clamped
            return Clamped(clamped.requested_quantity, clamped.granted_quantity)
        case "quantity_floored":
            floored = message.quantity_floored
            return Floored(floored.requested_delta, floored.applied_delta)
        case "field_kept":
            return FieldKept(message.field_kept.field, address(message.field_kept.kept))
        case _:
            return None


def _details(refusal: outcome_pb2.Refusal) -> Details:
    return Details(
        expected_sequence=refusal.expected_sequence if refusal.HasField("expected_sequence") else None,
        available=refusal.available_quantity if refusal.HasField("available_quantity") else None,
        price=_money(refusal.current_unit_price) if refusal.HasField("current_unit_price") else None,
        wrong_fields=frozenset(violation.field for violation in refusal.field_violations),
        missing_features=frozenset(refusal.unsupported_features),
    )


def _money(message: money_pb2.Money) -> Money:
    return Money(message.currency_code, message.minor_units)


def snapshot(message: service_pb2.GetCartResponse | service_pb2.WatchCartResponse) -> ObservedCart:
    """A cart as read."""
    cart = message.cart
    return ObservedCart(
        cart=cart.cart_id,
        revision=cart.revision,
        closed=cart.state == cart_pb2.CART_STATE_CLOSED,
        lines=tuple(_cart_line(line) for line in cart.lines),
        subtotal=_money(cart.subtotal) if cart.HasField("subtotal") else None,
        watermark=message.queue.decided_through_sequence if message.HasField("queue") else None,
        coupons=tuple(_coupon(coupon) for coupon in cart.coupons),
        discount_total=_money(cart.discount_total) if cart.HasField("discount_total") else None,
        total=_money(cart.total) if cart.HasField("total") else None,
    )


def _coupon(message: cart_pb2.CartCoupon) -> ObservedCoupon:
    return ObservedCoupon(
        code=message.coupon_code,
        standing=_name(cart_pb2.CouponStanding.DESCRIPTOR, message.standing, "COUPON_STANDING_"),
        discount=_money(message.discount) if message.HasField("discount") else None,
    )


def _cart_line(line: cart_pb2.CartLine) -> ObservedLine:
    return ObservedLine(
        sku=line.sku,
        quantity=line.quantity,
        unit_price=_money(line.unit_price) if line.HasField("unit_price") else None,
        total=_money(line.line_total) if line.HasField("line_total") else None,
        availability=_name(cart_pb2.LineAvailability.DESCRIPTOR, line.availability, "LINE_AVAILABILITY_"),
        available=line.available_quantity if line.HasField("available_quantity") else None,
    )


def lookup(message: service_pb2.LookupOutcomesResponse) -> ObservedLookup:
    """The answer to a look-up."""
    return ObservedLookup(
        queue=message.queue.queue_id,
        watermark=message.queue.decided_through_sequence,
        statuses=tuple(
            ObservedStatus(
                sequence=status.sequence,
                decidedness=_name(service_pb2.Decidedness.DESCRIPTOR, status.decidedness, "DECIDEDNESS_"),
                outcome=outcome(status.outcome) if status.HasField("outcome") else None,
            )
            for status in message.statuses
        ),
    )


def effect(message: control_pb2.Effect) -> ObservedEffect:
    """One entry of the ledger."""
    if message.resource:
        touch: Line | Entry = Entry(message.resource, message.entry_id, message.present)
    else:
        touch = Line(message.sku, message.quantity_before, message.quantity_after)
    return ObservedEffect(
        queue=message.queue_id,
        sequence=message.sequence,
        key=message.idempotency_key,
        cart=message.cart_id,
        revision=message.revision,
        touch=touch,
    )


def wishlist(pages: Sequence[wishlist_pb2.ListWishlistResponse]) -> ObservedWishlist:
    """A wishlist out of its pages, all read while nothing happened."""
    return ObservedWishlist(
        revision=pages[0].revision,
        entries=tuple(
            ObservedWish(entry.sku, entry.add_time.ToNanoseconds() if entry.HasField("add_time") else None)
            for page in pages
            for entry in page.entries
        ),
        watermark=pages[0].queue.decided_through_sequence if pages[0].HasField("queue") else None,
    )


def address_book(message: address_book_pb2.ListAddressesResponse) -> ObservedAddressBook:
    """An address book as read."""
    return ObservedAddressBook(
        revision=message.revision,
        addresses=tuple(
            ObservedAddress(entry.address_id, address(entry.address), entry.change_revision)
            for entry in message.addresses
        ),
        watermark=message.queue.decided_through_sequence if message.HasField("queue") else None,
    )


def address(message: address_pb2.Address) -> Address:
    """An address."""
    values = {name: getattr(message, name) for name in FIELDS}
    return Address(**{**values, "address_lines": tuple(message.address_lines)})


def payment_methods(message: payment_methods_pb2.ListPaymentMethodsResponse) -> ObservedPaymentMethods:
    """The payment methods as read."""
    return ObservedPaymentMethods(
        revision=message.revision,
        methods=tuple(
            ObservedPaymentMethod(
                method_id=method.payment_method_id,
                provider=method.provider,
                label=method.label,
                details=CardDetails(method.brand, method.last_four, method.expiry_month, method.expiry_year),
                change_revision=method.change_revision,
            )
            for method in message.payment_methods
        ),
        watermark=message.queue.decided_through_sequence if message.HasField("queue") else None,
    )


def _name(enum: EnumDescriptor, number: int, prefix: str) -> str:
    value = enum.values_by_number.get(number)
    return value.name.removeprefix(prefix) if value is not None else f"number {number}"
