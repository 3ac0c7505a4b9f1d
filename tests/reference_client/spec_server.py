"""The deciding rules of the specification on half a page, in memory: something to drain into.

Of carts it knows adds only, sells every product but those whose name begins with BAD, and counts no stock; beside carts
it keeps whatever is put there under a name. Everything about queues is complete: watermark, chain, records, conflicts,
gaps, pruning, discards, a store that is put back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from cartsync.v1 import (
    address_book_pb2,
    cart_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    policy_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)

from reference_client.drainer.transport import CallFailedError
from reference_client.machine.values import CallFailure

PRINCIPAL = "shopper-1"


@dataclass
class DecidedQueue:
    watermark: int = 0
    last_key: str = ""
    records: dict[int, tuple[str, bytes, outcome_pb2.Outcome]] = field(default_factory=dict)


@dataclass
class Store:
    queues: dict[str, DecidedQueue] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    kept: dict[str, operation_pb2.CartOperation] = field(default_factory=dict)
    """Coupons, wishes, addresses, payment methods: by `thing_of`, what put it there."""
    effects: list[tuple[str, int, str, str]] = field(default_factory=list)
    """(queue_id, sequence, key, thing), in the order made."""


class SpecServer:
    def __init__(self) -> None:
        self.store = Store()
        self.store_id = "store-1"
        self.deferrals: list[int] = []
        """Reasons with which the next decisions are deferred."""
        self.profiles = ["address_book", "core", "coupons", "guest_claim", "payment_methods", "wishlist"]
        self._saved = Store()

    # ---- what operators do

    def save(self) -> None:
        self._saved = copy.deepcopy(self.store)

    def restore(self) -> None:
        self.store = copy.deepcopy(self._saved)
        self.store_id = f"store-{int(self.store_id.removeprefix('store-')) + 1}"

    def prune(self) -> None:
        for queue in self.store.queues.values():
            queue.records.clear()

    # ---- what clients call

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        policy = policy_pb2.SyncPolicy(
            max_submission_operation_count=100, max_submission_bytes=1_048_576, profiles=self.profiles
        )
        return service_pb2.GetSyncPolicyResponse(store_id=self.store_id, policy=policy, principal=PRINCIPAL)

    def check(self, store_id: str, principal: str = PRINCIPAL) -> None:
        if store_id and store_id != self.store_id:
            raise CallFailedError(CallFailure("FAILED_PRECONDITION", "STORE_CHANGED", store_id=self.store_id))
        if principal != PRINCIPAL:
            raise CallFailedError(CallFailure("FAILED_PRECONDITION", "PRINCIPAL_MISMATCH"))

    def watermark(self, queue_id: str) -> int:
        return self.store.queues.get(queue_id, DecidedQueue()).watermark

    def submit(self, request: service_pb2.SubmitOperationsRequest) -> service_pb2.SubmitOperationsResponse:
        self.check(request.store_id, request.expected_principal)
        results = []
        stopped = False
        for attempt in request.attempts:
            if stopped:
                result = refused(attempt.operation, reason_pb2.REASON_PREDECESSOR_NOT_DECIDED)
            else:
                result = self._decide(request.queue_id, attempt.operation)
            stopped = stopped or result.outcome.state in {
                reason_pb2.OUTCOME_STATE_DEFERRED,
                reason_pb2.OUTCOME_STATE_CONFLICT,
            }
            results.append(result)
        return service_pb2.SubmitOperationsResponse(
            store_id=self.store_id,
            queue=service_pb2.QueueState(
                queue_id=request.queue_id, decided_through_sequence=self.watermark(request.queue_id)
            ),
            results=results,
        )

    def _decide(self, queue_id: str, operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
        queue = self.store.queues.setdefault(queue_id, DecidedQueue())
        kind = operation.WhichOneof("intent") or ""
        meaning = kind.encode() + getattr(operation, kind).SerializeToString(deterministic=True)
        if operation.sequence <= queue.watermark:
            record = queue.records.get(operation.sequence)
            if record is None:
                return refused(operation, reason_pb2.REASON_OUTCOME_PURGED)
            key, recorded_meaning, outcome = record
            if key != operation.idempotency_key:
                return refused(operation, reason_pb2.REASON_SEQUENCE_CONFLICT)
            if recorded_meaning != meaning:
                return refused(operation, reason_pb2.REASON_PAYLOAD_MISMATCH)
            return outcome_pb2.OperationResult(outcome=outcome, replayed=True)
        if operation.sequence > queue.watermark + 1:
            gap = refused(operation, reason_pb2.REASON_SEQUENCE_GAP)
            gap.outcome.refusal.expected_sequence = queue.watermark + 1
            return gap
        if operation.previous_key != queue.last_key:
            return refused(operation, reason_pb2.REASON_QUEUE_DIVERGED)
        is_discard = operation.WhichOneof("intent") == "discard"
        if self.deferrals and not is_discard:
            return refused(operation, self.deferrals.pop(0))
        result = self._apply(queue_id, operation)
        queue.watermark = operation.sequence
        queue.last_key = operation.discard.discarded_key if is_discard else operation.idempotency_key
        queue.records[operation.sequence] = (operation.idempotency_key, meaning, result.outcome)
        return result

    def _apply(self, queue_id: str, operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
        if operation.WhichOneof("intent") == "discard":
            return applied(operation)
        if operation.WhichOneof("intent") != "add_item":
            return self._keep(queue_id, operation)
        sku = operation.add_item.sku
        if sku.startswith("BAD"):
            return refused(operation, reason_pb2.REASON_SKU_UNKNOWN)
        before = self.store.lines.get(sku, 0)
        after = before + operation.add_item.quantity
        self.store.lines[sku] = after
        self.store.effects.append((queue_id, operation.sequence, operation.idempotency_key, sku))
        result = applied(operation)
        result.outcome.revision = len(self.store.effects)
        result.outcome.changed = True
        change = outcome_pb2.LineChange(sku=sku, quantity_before=before, quantity_after=after)
        result.outcome.line_change.CopyFrom(change)
        return result

    def _keep(self, queue_id: str, operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
        result = applied(operation)
        thing = thing_of(operation)
        removes = (operation.WhichOneof("intent") or "").startswith(("remove", "delete"))
        if removes == (thing in self.store.kept):
            self.store.effects.append((queue_id, operation.sequence, operation.idempotency_key, thing))
            result.outcome.changed = True
        if removes:
            self.store.kept.pop(thing, None)
        else:
            self.store.kept[thing] = operation
        result.outcome.revision = len(self.store.effects)
        return result

    def look_up(self, request: service_pb2.LookupOutcomesRequest) -> service_pb2.LookupOutcomesResponse:
        self.check(request.store_id)
        queue = self.store.queues.get(request.queue_id, DecidedQueue())
        statuses = []
        for sequence in range(request.first_sequence, request.last_sequence + 1):
            status = service_pb2.SequenceStatus(sequence=sequence, decidedness=service_pb2.DECIDEDNESS_UNDECIDED)
            if sequence in queue.records:
                status.decidedness = service_pb2.DECIDEDNESS_DECIDED
                status.outcome.CopyFrom(queue.records[sequence][2])
            elif sequence <= queue.watermark:
                status.decidedness = service_pb2.DECIDEDNESS_PURGED
            statuses.append(status)
        state = service_pb2.QueueState(queue_id=request.queue_id, decided_through_sequence=queue.watermark)
        return service_pb2.LookupOutcomesResponse(store_id=self.store_id, queue=state, statuses=statuses)

    def claim_token(self, store_id: str) -> str:
        """A token for the account's claim; this server's only shopper is no guest."""
        self.check(store_id)
        raise CallFailedError(CallFailure("FAILED_PRECONDITION", "NOT_A_GUEST"))

    def cart(self, request: service_pb2.GetCartRequest) -> service_pb2.GetCartResponse:
        self.check(request.store_id)
        cart = cart_pb2.Cart(cart_id=request.cart_id, revision=len(self.store.effects))
        cart.lines.extend(cart_pb2.CartLine(sku=sku, quantity=n) for sku, n in sorted(self.store.lines.items()))
        cart.coupons.extend(
            cart_pb2.CartCoupon(coupon_code=o.apply_coupon.coupon_code, standing=cart_pb2.COUPON_STANDING_QUALIFIES)
            for o in self._kept("apply_coupon")
        )
        return service_pb2.GetCartResponse(store_id=self.store_id, cart=cart, queue=self._queue_state(request.queue_id))

    def _kept(self, kind: str) -> list[operation_pb2.CartOperation]:
        return [operation for operation in self.store.kept.values() if operation.WhichOneof("intent") == kind]

    def _queue_state(self, queue_id: str) -> service_pb2.QueueState:
        return service_pb2.QueueState(queue_id=queue_id, decided_through_sequence=self.watermark(queue_id))

    def wishlist(self, store_id: str, queue_id: str) -> wishlist_pb2.ListWishlistResponse:
        self.check(store_id)
        return wishlist_pb2.ListWishlistResponse(
            store_id=self.store_id,
            queue=self._queue_state(queue_id),
            revision=len(self.store.effects),
            entries=[wishlist_pb2.WishlistEntry(sku=o.add_to_wishlist.sku) for o in self._kept("add_to_wishlist")],
        )

    def addresses(self, store_id: str, queue_id: str) -> address_book_pb2.ListAddressesResponse:
        self.check(store_id)
        return address_book_pb2.ListAddressesResponse(
            store_id=self.store_id,
            queue=self._queue_state(queue_id),
            revision=len(self.store.effects),
            addresses=[
                address_book_pb2.AddressEntry(address_id=o.put_address.address_id, address=o.put_address.address)
                for o in self._kept("put_address")
            ],
        )

    def payment_methods(self, store_id: str, queue_id: str) -> payment_methods_pb2.ListPaymentMethodsResponse:
        self.check(store_id)
        methods = [o.save_payment_method for o in self._kept("save_payment_method")]
        return payment_methods_pb2.ListPaymentMethodsResponse(
            store_id=self.store_id,
            queue=self._queue_state(queue_id),
            revision=len(self.store.effects),
            payment_methods=[
                payment_methods_pb2.PaymentMethod(
                    payment_method_id=m.payment_method_id,
                    provider=m.provider,
                    label=m.label,
                    brand="visa",
                    last_four="4242",
                    expiry_month=12,
                    expiry_year=2030,
                )
                for m in methods
            ],
        )


def thing_of(operation: operation_pb2.CartOperation) -> str:
    """What an operation puts somewhere or takes away, under a name that nothing else has."""
    kind = operation.WhichOneof("intent") or ""
    intent = getattr(operation, kind)
    match kind:
        case "add_item":
            return str(intent.sku)
        case "apply_coupon" | "remove_coupon":
            return f"coupon {intent.coupon_code}"
        case "add_to_wishlist" | "remove_from_wishlist":
            return f"wish {intent.sku}"
        case "put_address" | "delete_address":
            return f"address {intent.address_id}"
        case "save_payment_method" | "delete_payment_method":
            return f"payment method {intent.payment_method_id}"
        case _:
            return kind


def applied(operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
    return outcome_pb2.OperationResult(
        outcome=outcome_pb2.Outcome(
            idempotency_key=operation.idempotency_key,
            sequence=operation.sequence,
            state=reason_pb2.OUTCOME_STATE_APPLIED,
        )
    )


def refused(operation: operation_pb2.CartOperation, reason: int) -> outcome_pb2.OperationResult:
    """The refusal that the reason's own policy, read from the protocol file, prescribes."""
    value = reason_pb2.Reason.DESCRIPTOR.values_by_number[reason]
    policy = value.GetOptions().Extensions[reason_pb2.reason_policy]
    result = applied(operation)
    result.outcome.state = policy.state
    result.outcome.refusal.reason = reason_pb2.Reason.ValueType(reason)
    result.outcome.refusal.disposition = policy.disposition
    return result


def adds(*skus: str) -> Sequence[operation_pb2.CartOperation]:
    from reference_client import Price, intents

    return [intents.add_item(sku, quantity=1, price=Price("GBP", 255)) for sku in skus]
