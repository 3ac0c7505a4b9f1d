"""Coupons, wishlist, addresses and payment methods: intents, what the shopper sees of them, and is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cartsync.v1 import address_book_pb2, address_pb2, cart_pb2, operation_pb2, outcome_pb2, reason_pb2
from hypothesis import given
from hypothesis import strategies as st
from offline_shopper import SERVER, Shopper

from reference_client import InvalidIntentError, account_intents, intents
from reference_client.account import Account
from reference_client.account_projection import Standing, project_addresses, project_wishlist
from reference_client.machine.judging import judge
from reference_client.machine.notices import about
from reference_client.machine.recovery import plan_recovery
from reference_client.machine.values import Fate, PendingOperation
from reference_client.projection import project
from reference_client.queue.rows import OperationRecord, OperationState

ID = "11111111-1111-4111-8111-111111111111"
HOME = {"recipient": "Ann", "address_lines": ["1 High Street"], "region_code": "GB"}


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


@pytest.fixture
def account(shopper: Shopper) -> Account:
    return Account(shopper.queues, SERVER, lambda operations: shopper.queues.enqueue(SERVER, operations))


def record(
    operation: operation_pb2.CartOperation,
    state: OperationState = OperationState.PENDING,
    outcome: outcome_pb2.Outcome | None = None,
    *,
    discarded: bool = False,
) -> OperationRecord:
    return OperationRecord("q", 1, "k", state, operation, 0, discarded, outcome, False)


def pending(operation: operation_pb2.CartOperation) -> PendingOperation:
    return PendingOperation(1, "k", operation.SerializeToString())


# ---- intents -------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[str, Callable[[], object]]] = {
    "coupon empty": ("coupon", lambda: intents.apply_coupon("")),
    "coupon spaced": ("coupon", lambda: intents.remove_coupon("TEA ")),
    "coupon long": ("coupon", lambda: intents.apply_coupon("x" * 65)),
    "wish control": ("sku", lambda: account_intents.add_to_wishlist("a\x00b")),
    "wish surrogate": ("sku", lambda: account_intents.remove_from_wishlist("\ud800")),
    "address id": ("address", lambda: account_intents.put_address("home", HOME)),
    "address nothing": ("address", lambda: account_intents.put_address(ID, {})),
    "address field": ("address", lambda: account_intents.put_address(ID, {"telephone": "1"})),
    "address new": (
        "region_code",
        lambda: account_intents.put_address(ID, {**HOME, "region_code": ""}, base_revision=0),
    ),
    "address region": ("region_code", lambda: account_intents.put_address(ID, {"region_code": "gb"})),
    "address lines": ("address_lines", lambda: account_intents.put_address(ID, {"address_lines": ["x"] * 6})),
    "address line": ("address_lines", lambda: account_intents.put_address(ID, {"address_lines": ["x", ""]})),
    "address text": ("recipient", lambda: account_intents.put_address(ID, {"recipient": "x" * 201})),
    "address postal": ("postal_code", lambda: account_intents.put_address(ID, {"postal_code": "x" * 33})),
    "address label": ("label", lambda: account_intents.put_address(ID, {"label": "x" * 65})),
    "address control": ("locality", lambda: account_intents.put_address(ID, {"locality": "a\nb"})),
    "address emptied": ("recipient", lambda: account_intents.put_address(ID, {"recipient": ""})),
    "address base": ("base-revision", lambda: account_intents.delete_address(ID, base_revision=-1)),
    "payment id": ("payment method", lambda: account_intents.delete_payment_method("card")),
    "payment provider": (
        "provider",
        lambda: account_intents.save_payment_method(ID, provider="a b", provider_token="t"),
    ),
    "payment token": (
        "provider-token",
        lambda: account_intents.save_payment_method(ID, provider="demo", provider_token=""),
    ),
    "payment label": (
        "label",
        lambda: account_intents.save_payment_method(ID, provider="demo", provider_token="t", label="x" * 65),
    ),
}


@pytest.mark.parametrize(("field", "make"), WRONG.values(), ids=WRONG)
def test_what_no_server_takes_is_refused_by_the_name_of_its_field(field: str, make: Callable[[], object]) -> None:
    with pytest.raises(InvalidIntentError) as refused:
        make()
    assert refused.value.field == field


@given(st.dictionaries(st.sampled_from(account_intents.ADDRESS_FIELDS), st.just("GB"), min_size=1))
def test_the_mask_names_what_was_given_and_nothing_else(values: dict[str, str]) -> None:
    intent = account_intents.put_address(ID, values).put_address
    assert set(intent.update_mask.paths) == set(values)
    assert all(bool(getattr(intent.address, field)) == (field in values) for field in account_intents.ADDRESS_FIELDS)


def test_a_base_revision_above_0_is_a_guard_that_no_other_store_understands() -> None:
    assert intents.guard_of(account_intents.put_address(ID, HOME, base_revision=7)) == 7
    assert intents.guard_of(account_intents.delete_address(ID, base_revision=7)) == 7
    assert intents.guard_of(account_intents.put_address(ID, HOME, base_revision=0)) is None
    edit = pending(account_intents.put_address(ID, {"label": "Home"}, base_revision=7))
    new = PendingOperation(2, "l", account_intents.put_address(ID, HOME, base_revision=0).SerializeToString())
    plan = plan_recovery([edit, new], [], 0, [])
    assert (plan.left, [o.sequence for o in plan.reissue]) == ((1,), [2])
    assert [notice.kind for notice in plan.notices] == ["guard_lost", "moved"]


# ---- what the shopper sees -----------------------------------------------------------------------------------


def test_pending_coupons_are_shown_as_pending_and_sums_as_not_current() -> None:
    cart = cart_pb2.Cart(
        cart_id="main",
        coupons=[
            cart_pb2.CartCoupon(coupon_code="OLD", standing=cart_pb2.COUPON_STANDING_EXPIRED),
            cart_pb2.CartCoupon(coupon_code="GOES", standing=cart_pb2.COUPON_STANDING_QUALIFIES),
        ],
    )
    steps = [record(intents.apply_coupon("NEW")), record(intents.remove_coupon("GOES"))]
    view = project("main", cart, 0, [*steps, record(intents.apply_coupon("NOT"), discarded=True)])
    assert [(c.coupon_code, c.on_cart, c.wanted, c.is_pending) for c in view.coupons] == [
        ("OLD", True, True, False),
        ("GOES", True, False, True),
        ("NEW", False, True, True),
    ]
    assert view.coupons[0].standing == cart_pb2.COUPON_STANDING_EXPIRED
    assert not view.sums_are_current
    assert project("main", cart, 0, []).sums_are_current


def test_an_applied_coupon_beyond_the_snapshot_is_on_the_cart() -> None:
    view = project("main", None, None, [record(intents.apply_coupon("NEW"), OperationState.APPLIED)])
    assert [(c.coupon_code, c.is_pending) for c in view.coupons] == [("NEW", False)]


def test_what_a_claim_brought_is_in_the_view_before_the_next_snapshot() -> None:
    outcome = outcome_pb2.Outcome(
        claimed_lines=[outcome_pb2.ClaimedLine(sku="A", guest_quantity=2, quantity_before=1, quantity_after=3)]
    )
    claim = operation_pb2.CartOperation(claim_guest_cart=operation_pb2.ClaimGuestCart(cart_id="main"))
    cart = cart_pb2.Cart(lines=[cart_pb2.CartLine(sku="A", quantity=1)])
    (line,) = project("main", cart, 0, [record(claim, OperationState.APPLIED, outcome)]).lines
    assert (line.sku, line.quantity, line.confirmed_quantity) == ("A", 3, 3)


def test_wishes_are_shown_in_the_order_they_were_added_and_on_their_way_out(shopper: Shopper, account: Account) -> None:
    for sku in ("A", "B", "A"):
        account.wish(sku)
    shopper.sync()
    account.wish("C")
    account.unwish("A")
    account.wish("D")
    account.unwish("D")
    assert [(w.sku, w.standing) for w in account.wishlist()] == [
        ("A", Standing.REMOVED),
        ("B", Standing.CONFIRMED),
        ("C", Standing.ADDED),
    ]
    account.wish("A")
    assert [(w.sku, w.standing) for w in account.wishlist()][-1] == ("A", Standing.ADDED)


names = st.sampled_from("ABC")


@given(st.lists(st.tuples(st.booleans(), names), max_size=12), st.integers(0, 12))
def test_a_list_looks_the_same_whether_its_operations_are_settled_or_not(
    moves: list[tuple[bool, str]], settled: int
) -> None:
    operations = [
        (account_intents.add_to_wishlist if add else account_intents.remove_from_wishlist)(n) for add, n in moves
    ]
    applied = [record(o, OperationState.APPLIED) for o in operations]
    mixed = applied[:settled] + [record(o) for o in operations[settled:]]
    will_be = {w.sku for w in project_wishlist(None, mixed) if w.standing is not Standing.REMOVED}
    assert will_be == {w.sku for w in project_wishlist(None, applied)}


def test_an_edited_address_shows_what_it_will_be_and_a_deleted_one_that_it_goes() -> None:
    book = address_book_pb2.ListAddressesResponse(
        addresses=[
            address_book_pb2.AddressEntry(
                address_id=ID, address=address_pb2.Address(recipient="Ann", locality="Leeds", address_lines=["1", "2"])
            )
        ]
    )
    edit = account_intents.put_address(ID, {"locality": "York", "address_lines": ["3"], "company": ""})
    (view,) = project_addresses(book, [record(edit)])
    assert (view.address.recipient, view.address.locality, list(view.address.address_lines)) == ("Ann", "York", ["3"])
    assert view.standing is Standing.CHANGED
    (view,) = project_addresses(book, [record(edit), record(account_intents.delete_address(ID))])
    assert view.standing is Standing.REMOVED
    assert book.addresses[0].address.locality == "Leeds", "the snapshot itself is left alone"


def kept(**fields: Any) -> outcome_pb2.Outcome:
    (field,) = fields
    one = outcome_pb2.FieldKept(field=field, kept=address_pb2.Address(**fields))
    return outcome_pb2.Outcome(adjustments=[outcome_pb2.Adjustment(field_kept=one)])


def test_a_kept_field_is_shown_as_the_server_kept_it() -> None:
    edit = account_intents.put_address(ID, {**HOME, "locality": "York"})
    (view,) = project_addresses(None, [record(edit, OperationState.APPLIED, kept(locality="Hull"))])
    assert (view.address.locality, view.address.recipient, view.standing) == ("Hull", "Ann", Standing.CONFIRMED)


def test_an_edit_is_based_on_the_address_book_that_the_shopper_saw(shopper: Shopper, account: Account) -> None:
    address_id, _ = account.add_address(HOME)
    account.edit_address(address_id, {"label": "Home"})
    shopper.sync()
    queue = shopper.queues.open_active(SERVER)
    shopper.queues.save_account_snapshot(SERVER, shopper.server.addresses(queue.store_id, queue.queue_id))
    account.edit_address(address_id, {"label": "Old home"})
    account.edit_address(address_id, {"company": "Ltd"}, guarded=False)
    account.delete_address(address_id)

    revision = len(shopper.server.store.effects)
    puts = [r.operation for r in shopper.records()]
    bases = [getattr(o, o.WhichOneof("intent") or "") for o in puts]
    assert [b.base_revision if b.HasField("base_revision") else None for b in bases] == [0, 0, revision, None, revision]


def test_an_address_nobody_here_has_seen_is_not_edited(account: Account) -> None:
    with pytest.raises(InvalidIntentError, match="not known on this device"):
        account.edit_address(ID, {"label": "Home"})
    with pytest.raises(InvalidIntentError, match="not known on this device"):
        account.delete_address(ID)


def test_a_payment_method_is_shown_as_its_provider_described_it_and_never_its_token(
    shopper: Shopper, account: Account
) -> None:
    method_id, _ = account.save_payment_method(provider="demo", provider_token="tok_secret", label="Daily")
    (before,) = account.payment_methods()
    assert (before.standing, before.brand, before.label) == (Standing.ADDED, "", "Daily")
    shopper.sync()
    queue = shopper.queues.open_active(SERVER)
    shopper.queues.save_account_snapshot(SERVER, shopper.server.payment_methods(queue.store_id, queue.queue_id))
    (after,) = account.payment_methods()
    assert (after.payment_method_id, after.brand, after.last_four, after.expiry_year) == (
        method_id,
        "visa",
        "4242",
        2030,
    )
    told = " ".join(n.message for n in shopper.queues.notifications())
    assert "tok_secret" not in f"{before} {after} {told} {intents.describe(next(iter(shopper.records())).operation)}"


def test_an_older_list_never_replaces_a_newer_one(shopper: Shopper, account: Account) -> None:
    account.wish("A")
    shopper.sync()
    queue = shopper.queues.open_active(SERVER)
    older = shopper.server.wishlist(queue.store_id, queue.queue_id)
    account.wish("B")
    shopper.sync()
    assert shopper.queues.save_account_snapshot(SERVER, shopper.server.wishlist("", queue.queue_id))
    assert not shopper.queues.save_account_snapshot(SERVER, older)
    assert [w.sku for w in account.wishlist()] == ["A", "B"]
    shopper.server.restore()
    assert shopper.queues.save_account_snapshot(SERVER, shopper.server.wishlist("", queue.queue_id))


# ---- what the shopper is told, also by a server that is newer ----------------------------------------------------


def test_all_kept_fields_of_an_edit_are_told_at_once() -> None:
    outcome = kept(locality="Hull")
    outcome.MergeFrom(kept(address_lines=["1", "2"]))
    outcome.adjustments.add().field_kept.field = "floor_of_next_year"
    (notice,) = about(pending(account_intents.put_address(ID, HOME)), Fate.APPLIED, outcome)
    assert notice.kind == "field_kept"
    assert notice.message.endswith(
        "another device was there first: locality stays 'Hull'; address_lines stays '1, 2'; "
        "floor_of_next_year stays as it was"
    )


def answer(state: int, reason: int, disposition: int) -> outcome_pb2.OperationResult:
    outcome = outcome_pb2.Outcome(idempotency_key="k", sequence=1)
    # As a newer server writes it: values that no name stands for here.
    outcome.MergeFromString(outcome_pb2.Outcome(state=reason_pb2.OutcomeState.ValueType(state)).SerializeToString())
    outcome.refusal.reason = reason_pb2.Reason.ValueType(reason)
    outcome.refusal.disposition = reason_pb2.Disposition.ValueType(disposition)
    return outcome_pb2.OperationResult(outcome=outcome)


@pytest.mark.parametrize(
    ("disposition", "needs_action"),
    [(reason_pb2.DISPOSITION_TERMINAL, False), (reason_pb2.DISPOSITION_RETRY_AFTER_ACTION, True), (77, True)],
)
def test_a_reason_of_next_year_goes_by_its_disposition(disposition: int, needs_action: bool) -> None:
    judgement = judge(
        [pending(intents.apply_coupon("TEA10"))], [answer(reason_pb2.OUTCOME_STATE_REJECTED, 999, disposition)], 0
    )
    assert [s.fate for s in judgement.settlements] == [Fate.REJECTED]
    (notice,) = judgement.notices
    assert (notice.message, notice.needs_action) == ("apply coupon TEA10: rejected, REASON 999", needs_action)


def test_a_state_of_next_year_is_as_good_as_a_lost_answer() -> None:
    judgement = judge([pending(intents.apply_coupon("TEA10"))], [answer(42, 999, reason_pb2.DISPOSITION_TERMINAL)], 0)
    assert (judgement.settlements, judgement.confirmed_through) == ((), 0)
    assert "unknown to this client" in str(judgement.verdict)


def test_an_adjustment_of_next_year_sends_the_shopper_to_look() -> None:
    outcome = outcome_pb2.Outcome(adjustments=[outcome_pb2.Adjustment()])
    (notice,) = about(pending(intents.apply_coupon("TEA10")), Fate.APPLIED, outcome)
    assert notice.kind == "adjusted"


def test_an_intent_of_next_year_in_this_queue_is_named_as_such() -> None:
    unknown = operation_pb2.CartOperation()
    unknown.MergeFromString(bytes((0xFA, 0x07, 0x00)))  # field 127, of nothing this version knows
    assert intents.describe(unknown) == "an intent this version does not know"
    assert (intents.cart_of(unknown), intents.profile_of(unknown)) == ("", "core")
