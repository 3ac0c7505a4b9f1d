"""Guest and account together, whatever is lost, late, repeated or killed: every intent has its effect once.

Each add is of a product of its own, so the account's cart tells how often it was applied in the end.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cartsync.v1 import reason_pb2
from faulty_link import FAULTS
from guest_shop import Shop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_client import CartClient, NothingToDiscardError
from reference_client.claiming import ClaimReport, ClaimStatus
from reference_client.queue.rows import OperationState

Step = tuple[str, int]

STEPS = (
    "guest_adds",
    "guest_adds_bad",
    "guest_discards",
    "guest_syncs",
    "account_adds",
    "account_syncs",
    "guest_is_put_off",
    "late",
    "claim",
    *(f"guest_sends:{fault}" for fault in ("delay", "lose_answer", "crash_after")),
    *(f"claim:{fault}" for fault in FAULTS),
)
asides = st.lists(st.integers(0, 5), max_size=10)
faults: st.SearchStrategy[list[str]] = st.one_of(
    st.just([]), st.lists(st.sampled_from(("ok", "ok", *FAULTS)), max_size=50)
)


def scripts(*more: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.sampled_from((*STEPS, "claim", *more)), st.integers(0, 5)), min_size=1, max_size=14)


relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_FOLDER = tempfile.TemporaryDirectory(prefix="cartsync-claims-")  # nothing but locks is in it
_names = itertools.count()


def fresh_shop() -> Shop:
    return Shop(Path(_FOLDER.name))


def replayed(fault_list: list[str]) -> Callable[[], str]:
    left = iter(fault_list)
    return lambda: next(left, "ok")


def discard(client: CartClient, sequence: int) -> None:
    try:
        client.discard(sequence)
    except NothingToDiscardError:
        return


def play(shop: Shop, script: list[Step], fault_list: list[str], meanwhile: list[int]) -> None:
    """Lets two devices live through a script, and everything go wrong that is in the fault list."""
    shop.fail_by(replayed(fault_list))
    also = iter(meanwhile)

    def meanwhile_at_the_guest() -> None:
        match next(also, 0):
            case 1 | 2 | 3 as sequence:
                discard(shop.guest, sequence)
            case 4 | 5:
                shop.add(shop.guest, f"MEANWHILE-{next(_names)}")

    shop.account_link.during_submit = meanwhile_at_the_guest
    for number, (step, argument) in enumerate(script):
        match step:
            case "guest_adds":
                shop.add(shop.guest, *(f"G-{number}-{n}" for n in range(argument % 3 + 1)))
            case "guest_adds_bad":
                shop.add(shop.guest, f"BAD-{number}")
            case "guest_discards":
                discard(shop.guest, argument)
            case "guest_syncs":
                shop.survive(partial(shop.guest.sync, patience=float(argument)))
            case "account_adds":
                shop.add(shop.account, f"A-{number}")
            case "account_syncs":
                shop.survive(partial(shop.account.sync, patience=float(argument)))
            case "guest_is_put_off":
                shop.guest_side.deferrals += [reason_pb2.REASON_BACKEND_UNAVAILABLE] * argument * 5
            case "late":
                shop.deliver_late()
            case "claim":
                shop.survive(partial(shop.claim, patience=float(argument)))
            case "save":
                shop.save()
            case "restore":
                shop.restore()
            case "prune":
                shop.guest_side.prune()
                shop.account_side.prune()
            case _ if step.startswith("guest_sends:"):
                shop.add(shop.guest, f"G-{number}")
                shop.guest_link.submit_fault = step.removeprefix("guest_sends:")
                shop.survive(partial(shop.guest.sync, patience=0.0))
            case _:  # a claim while the guest has something undecided, and something goes wrong at one of its steps
                shop.add(shop.guest, f"G-{number}")
                shop.guest_side.deferrals = [reason_pb2.REASON_BACKEND_UNAVAILABLE] * 20
                shop.fail_by(replayed(["ok"] * (argument * 4 + number % 4) + [step.removeprefix("claim:")]))
                shop.survive(partial(shop.claim, patience=2.0))
                shop.fail_by(replayed(fault_list))


def settle(shop: Shop) -> ClaimReport:
    shop.account_link.during_submit = lambda: None
    shop.guest_side.deferrals = []
    for _ in range(3):
        report = shop.claim_to_the_end()
    return report


def fates(shop: Shop) -> dict[str, OperationState]:
    """What became of each product: by the account's queue where it was taken over, else by the guest's."""
    moved = {sku: state for sku, state in shop.states(shop.guest).items() if state is not OperationState.MOVED}
    return moved | shop.states(shop.account)


def check_books(shop: Shop) -> None:
    lines = shop.account_side.store.lines
    assert all(quantity == 1 for quantity in lines.values()), f"an intent was applied twice: {lines}"
    for sku, state in fates(shop).items():
        match state:
            case OperationState.APPLIED:
                assert lines.get(sku) == 1, f"{sku}: told applied"
            case OperationState.REJECTED | OperationState.DISCARDED:
                assert sku not in lines, f"{sku}: told {state.value}"
            case _:
                raise AssertionError(f"{sku} is {state.value} after everything was settled")
    known = set(fates(shop))
    assert known >= set(shop.states(shop.guest)), "what was marked as moved is nowhere"


@relaxed
@given(script=scripts(), fault_list=faults, meanwhile=asides)
def test_everything_the_guest_asked_for_is_in_the_account_once_or_known_not_to_be(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shop = fresh_shop()
    play(shop, script, fault_list, meanwhile)
    report = settle(shop)
    assert report.status is ClaimStatus.DONE
    check_books(shop)
    applied = {sku for sku, state in shop.states(shop.guest).items() if state is OperationState.APPLIED}
    assert applied <= set(shop.guest_side.store.lines), "told applied at the guest, and it was not"


@relaxed
@given(script=scripts("prune"), fault_list=faults, meanwhile=asides)
def test_nothing_is_applied_twice_when_records_are_pruned_between(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shop = fresh_shop()
    play(shop, script, fault_list, meanwhile)
    assert settle(shop).status is ClaimStatus.DONE
    assert all(quantity == 1 for quantity in shop.account_side.store.lines.values())
    for sku, state in fates(shop).items():
        if sku not in shop.account_side.store.lines:
            assert state in {OperationState.REJECTED, OperationState.DISCARDED, OperationState.UNKNOWN}, sku
    unknown = [sku for sku, state in fates(shop).items() if state is OperationState.UNKNOWN]
    told = [n.kind for client in (shop.guest, shop.account) for n in client.notifications()]
    assert told.count("outcome_unknown") >= len(unknown)


@relaxed
@given(script=scripts("save", "restore", "restore"), fault_list=faults, meanwhile=asides)
def test_a_store_that_is_put_back_makes_nothing_twice_and_loses_nothing_in_silence(
    script: list[Step], fault_list: list[str], meanwhile: list[int]
) -> None:
    shop = fresh_shop()
    play(shop, script, fault_list, meanwhile)
    assert settle(shop).status is ClaimStatus.DONE
    assert all(quantity == 1 for quantity in shop.account_side.store.lines.values()), shop.account_side.store.lines
    told = " ".join(n.kind for client in (shop.guest, shop.account) for n in client.notifications())
    for sku, state in fates(shop).items():
        if sku not in shop.account_side.store.lines and state is OperationState.APPLIED:
            assert "lost" in told, f"{sku} is gone and nobody was told"
