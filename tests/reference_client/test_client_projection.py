"""What the shopper sees: the last snapshot with everything since on top."""

from __future__ import annotations

from cartsync.v1 import cart_pb2, money_pb2, operation_pb2, outcome_pb2, service_pb2
from hypothesis import given
from hypothesis import strategies as st
from offline_shopper import SERVER, Shopper

from reference_client import Price, intents
from reference_client.projection import LineView, project
from reference_client.queue.rows import OperationRecord, OperationState

GBP_1 = Price("GBP", 100)


def snapshot(**lines: int) -> cart_pb2.Cart:
    price = money_pb2.Money(currency_code="GBP", minor_units=250)
    return cart_pb2.Cart(
        cart_id="main",
        revision=7,
        lines=[cart_pb2.CartLine(sku=sku, quantity=n, unit_price=price) for sku, n in lines.items()],
    )


def record(
    operation: operation_pb2.CartOperation,
    state: OperationState = OperationState.PENDING,
    *,
    discarded: bool = False,
    change: tuple[int, int] | None = None,
) -> OperationRecord:
    outcome = None
    if change is not None:
        sku = intents.line_of(operation)[1]
        line_change = outcome_pb2.LineChange(sku=sku, quantity_before=change[0], quantity_after=change[1])
        outcome = outcome_pb2.Outcome(line_change=line_change)
    return OperationRecord("q", 1, "k", state, operation, 0, discarded, outcome, False)


def quantities(cart: cart_pb2.Cart | None, *records: OperationRecord) -> dict[str, int]:
    return {line.sku: line.quantity for line in project("main", cart, 0, records).lines if line.quantity}


def add(sku: str, quantity: int = 1) -> operation_pb2.CartOperation:
    return intents.add_item(sku, quantity=quantity, price=GBP_1)


def test_pending_operations_are_laid_over_the_snapshot_in_order() -> None:
    steps = [add("A", 2), intents.adjust_quantity("A", -9), intents.set_quantity("B", 4), intents.remove_item("C")]
    assert quantities(snapshot(A=1, C=3), *(record(step) for step in steps)) == {"B": 4}


def test_an_operation_to_be_discarded_is_not_shown() -> None:
    assert quantities(None, record(add("A")), record(add("B"), discarded=True)) == {"A": 1}


def test_an_applied_operation_beyond_the_snapshot_counts_by_what_the_server_granted() -> None:
    view = project("main", snapshot(A=1), 0, [record(add("A", 5), OperationState.APPLIED, change=(1, 3))])
    (line,) = view.lines
    assert (line.quantity, line.confirmed_quantity, line.is_pending) == (3, 3, False)
    assert view.pending_count == 0


def test_a_line_on_its_way_out_is_still_shown_as_such() -> None:
    (line,) = project("main", snapshot(A=2), 0, [record(intents.remove_item("A"))]).lines
    assert (line.quantity, line.confirmed_quantity, line.is_pending) == (0, 2, True)


def test_the_server_s_price_is_shown_and_before_there_is_one_an_estimate() -> None:
    lines = {line.sku: line for line in project("main", snapshot(A=1), 0, [record(add("A")), record(add("B"))]).lines}
    assert (lines["A"].unit_price, lines["A"].price_is_estimate) == (
        money_pb2.Money(currency_code="GBP", minor_units=250),
        False,
    )
    assert (lines["B"].unit_price, lines["B"].price_is_estimate) == (GBP_1.as_message(), True)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(-5, 5).filter(bool)), max_size=20))
def test_no_line_ever_goes_below_nothing(moves: list[tuple[str, int]]) -> None:
    view = project("main", None, None, [record(intents.adjust_quantity(sku, delta)) for sku, delta in moves])
    assert all(line.quantity >= 0 and isinstance(line, LineView) for line in view.lines)
    assert [line.sku for line in view.lines] == sorted(line.sku for line in view.lines)


def test_each_operation_is_counted_once_at_every_moment_of_a_drain() -> None:
    shopper = Shopper()
    shopper.add("A", "B")

    def seen() -> dict[str, int]:
        kept = shopper.queues.snapshot(SERVER, "main")
        on_top = shopper.queues.on_top(SERVER, "main")
        return {line.sku: line.quantity for line in project("main", kept.cart if kept else None, 0, on_top).lines}

    def read_cart() -> None:
        request = service_pb2.GetCartRequest(cart_id="main", queue_id=shopper.active_id)
        shopper.queues.save_snapshot(SERVER, shopper.server.cart(request))

    assert seen() == {"A": 1, "B": 1}
    shopper.link.submit_fault = "lose_answer"
    shopper.sync(batch_limit=1)
    read_cart()
    assert seen() == {"A": 1, "B": 1}, "A is in the snapshot although its answer was lost"
    shopper.sync()
    assert seen() == {"A": 1, "B": 1}, "B is applied and not yet in the snapshot"
    read_cart()
    assert seen() == {"A": 1, "B": 1}
    assert shopper.queues.on_top(SERVER, "main") == ()


def test_an_older_snapshot_never_replaces_a_newer_one() -> None:
    shopper = Shopper()
    shopper.add("A")
    shopper.sync()
    request = service_pb2.GetCartRequest(cart_id="main", queue_id=shopper.active_id)
    older = shopper.server.cart(request)
    shopper.add("B")
    shopper.sync()
    assert shopper.queues.save_snapshot(SERVER, shopper.server.cart(request))
    assert not shopper.queues.save_snapshot(SERVER, older)
    shopper.server.restore()
    assert shopper.queues.save_snapshot(SERVER, shopper.server.cart(request)), "another store begins anew"
