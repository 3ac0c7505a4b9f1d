"""Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token."""

import sys
import uuid

import grpc
from cartsync.v1 import money_pb2, operation_pb2, reason_pb2, service_pb2, service_pb2_grpc


def add(sequence: int, previous: str, sku: str, quantity: int, pence: int) -> operation_pb2.OperationAttempt:
    """The operation that puts a product into the cart at the price the shopper saw, in pence."""
    item = operation_pb2.AddItem(
        cart_id="groceries",
        sku=sku,
        quantity=quantity,
        observed_unit_price=money_pb2.Money(currency_code="GBP", minor_units=pence),
        quantity_policy=operation_pb2.QUANTITY_POLICY_EXACT,
    )
    key = str(uuid.uuid4())
    operation = operation_pb2.CartOperation(
        idempotency_key=key, sequence=sequence, previous_key=previous, add_item=item
    )
    return operation_pb2.OperationAttempt(operation=operation)


metadata = (("authorization", f"Bearer {sys.argv[2]}"),)
with grpc.insecure_channel(sys.argv[1]) as channel:
    shop = service_pb2_grpc.CartSyncServiceStub(channel)
    me = shop.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=metadata)
    print(f"replay window {me.policy.replay_window.seconds // 3600} hours")

    tea = add(1, "", "TEA-EARL-GREY-50", 2, 425)
    mug = add(2, tea.operation.idempotency_key, "MUG-BLUE", 1, 850)
    hello = service_pb2.Hello(store_id=me.store_id, queue_id=str(uuid.uuid4()), expected_principal=me.principal)
    submits = [service_pb2.Submit(attempts=[attempt]) for attempt in (tea, mug, mug)]
    requests = [service_pb2.SyncRequest(hello=hello), *(service_pb2.SyncRequest(submit=s) for s in submits)]
    for response in shop.Sync(iter(requests), metadata=metadata):
        for result in response.outcomes.results:
            state = reason_pb2.OutcomeState.Name(result.outcome.state)
            print(f"operation {result.outcome.sequence} {state} replayed {str(result.replayed).lower()}")
    answer = shop.GetCart(service_pb2.GetCartRequest(store_id=me.store_id, cart_id="groceries"), metadata=metadata)
    for line in answer.cart.lines:
        print(f"line {line.quantity} {line.sku} {line.line_total.minor_units} {line.line_total.currency_code}")
