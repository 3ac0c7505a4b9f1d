"""Whatever is lost, late, repeated or killed: in the end every intent has its effect once, or is known not to.

Each add is of a product of its own, so that the cart itself tells how often it was applied. So is each coupon, wish,
address and payment method; putting one there twice shows as two effects.
"""

from __future__ import annotations

from collections.abc import Callable

from cartsync.v1 import reason_pb2
from faulty_link import FAULTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from offline_shopper import SERVER, Shopper

from reference_client.account import Account
from reference_client.drainer.transport import Session
from reference_client.machine import messages as m
from reference_client.projection import project
from reference_client.queue.rows import OperationState

Step = tuple[str, int]

STEPS = (
    "add",
    "add_bad",
    "keep",
    "sync",
    "discard",
    "defer",
    "pass_time",
    "late",
    *(f"sync:{fault}" for fault in FAULTS),
)
faults: st.SearchStrategy[list[str]] = st.one_of(
    st.just([]), st.lists(st.sampled_from(("ok", "ok", *FAULTS)), max_size=40)
)
sequences = st.lists(st.integers(0, 6), max_size=8)
DEFERRALS = (
    reason_pb2.REASON_RATE_LIMITED,
    reason_pb2.REASON_BACKEND_UNAVAILABLE,
    reason_pb2.REASON_INTERNAL,
)


def steps(*more: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.sampled_from((*STEPS, "add", *more)), st.integers(0, 6)), min_size=1, max_size=20)


def replayed(fault_list: list[str]) -> Callable[[], str]:
    left = iter(fault_list)
    return lambda: next(left, "ok")


def play(shopper: Shopper, script: list[Step], fault_list: list[str], meanwhile: list[int]) -> None:
    """Lets a shopper live through a script, and everything go wrong that is in the fault list."""
    shopper.fail_by(replayed(fault_list))
    discards = iter(meanwhile)

    def discard_meanwhile() -> None:
        shopper.discard(next(discards, 0))

    shopper.link.during_submit = discard_meanwhile
    for number, (step, argument) in enumerate(script):
        match step:
            case "add":
                shopper.add(*(f"SKU-{number}-{n}" for n in range(argument % 4 + 1)))
            case "add_bad":
                shopper.add(f"BAD-{number}")
            case "keep":
                shopper.keep(f"KEPT-{number}")
            case "late":
                shopper.link.deliver_late()
            case "sync":
                shopper.sync(waits=argument, batch_limit=argument % 3 + 1)
            case "discard":
                shopper.discard(argument)
            case "defer":
                shopper.server.deferrals.append(DEFERRALS[argument % 3])
            case "pass_time":
                shopper.clock.pass_seconds(argument * 1000.0)
            case "prune":
                shopper.server.prune()
            case "save":
                shopper.server.save()
            case "restore":
                shopper.server.restore()
            case _:
                shopper.link.submit_fault = step.removeprefix("sync:")
                shopper.sync(batch_limit=argument % 3 + 1)


def check_books(shopper: Shopper) -> None:
    """What the device believes of every product, coupon, wish … is what the server's store and ledger say."""
    store = shopper.server.store
    lines = {**store.lines, **dict.fromkeys(store.kept, 1)}
    effects = [sku for _, _, _, sku in shopper.server.store.effects]
    assert len(effects) == len(set(effects)), "an intent was applied twice"
    for sku, state in shopper.states().items():
        match state:
            case OperationState.APPLIED:
                assert lines.get(sku) == 1, f"{sku}: told applied"
            case OperationState.REJECTED | OperationState.DISCARDED | OperationState.LOST:
                assert sku not in lines, f"{sku}: told {state.value}"
            case OperationState.UNKNOWN:
                assert lines.get(sku, 0) <= 1
            case _:
                raise AssertionError(f"{sku} is {state.value} after everything was settled")


def check_view(shopper: Shopper) -> None:
    """After reading the cart the shopper's view is the server's cart."""
    queue = shopper.queues.open_active(SERVER)
    response = shopper.link.cart(Session(queue.store_id, queue.queue_id, queue.principal), "main")
    assert shopper.queues.save_snapshot(SERVER, response)
    snapshot = shopper.queues.snapshot(SERVER, "main")
    assert snapshot is not None
    view = project("main", snapshot.cart, 0, shopper.queues.on_top(SERVER, "main"))
    assert {line.sku: line.quantity for line in view.lines} == shopper.server.store.lines
    assert view.pending_count == 0
    session = Session(queue.store_id, queue.queue_id, queue.principal)
    link, queues = shopper.link, shopper.queues
    for kept in (link.wishlist(session), link.addresses(session), link.payment_methods(session)):
        assert queues.save_account_snapshot(SERVER, kept)
    account = Account(queues, SERVER, lambda operations: queues.enqueue(SERVER, operations))
    seen = {f"coupon {c.coupon_code}" for c in view.coupons if c.on_cart and c.wanted}
    seen |= {f"wish {w.sku}" for w in account.wishlist()}
    seen |= {f"address {a.address_id}" for a in account.addresses()}
    seen |= {f"payment method {m.payment_method_id}" for m in account.payment_methods()}
    assert seen == set(shopper.server.store.kept)


relaxed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(script=steps(), fault_list=faults, meanwhile=sequences)
def test_every_intent_is_settled_exactly_once_whatever_the_network_and_crashes_do(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shopper = Shopper()
    play(shopper, script, fault_list, meanwhile)

    assert isinstance(shopper.sync_to_the_end(), m.Drained)

    check_books(shopper)
    check_view(shopper)
    assert len(shopper.queues.queues()) == 1
    records = {r[0]: r[2] for q in shopper.server.store.queues.values() for r in q.records.values()}
    for record in shopper.records():
        if record.outcome is not None:
            assert records[record.outcome.idempotency_key] == record.outcome, "told otherwise than recorded"


@relaxed
@given(script=steps("prune"), fault_list=faults, meanwhile=sequences)
def test_nothing_is_applied_twice_and_nothing_is_claimed_wrongly_when_records_are_pruned(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shopper = Shopper()
    play(shopper, script, fault_list, meanwhile)

    assert isinstance(shopper.sync_to_the_end(), m.Drained)

    check_books(shopper)
    unknown = [sku for sku, state in shopper.states().items() if state is OperationState.UNKNOWN]
    assert shopper.kinds_told().count("outcome_unknown") == len(unknown)


@relaxed
@given(script=steps("save", "restore"), fault_list=faults, meanwhile=sequences)
def test_a_server_that_lost_state_ends_with_every_intent_applied_once_or_known_to_be_lost(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shopper = Shopper()
    play(shopper, script, fault_list, meanwhile)

    assert isinstance(shopper.sync_to_the_end(), m.Drained)

    check_books(shopper)
    check_view(shopper)
    if OperationState.LOST in shopper.states().values():
        assert "lost" in shopper.kinds_told()
