"""Between the coupon rules and the state: what they judge by, and what an applied coupon changes.

A coupon is an entry of the collection of its cart's coupons, in the order of the cart's revisions. Its coming and
going is a change of the cart, guarded by the cart's compare-and-set; that of the carts it is on is guarded by a
head of its own, because two carts have nothing else in common.
"""

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import operation_pb2

from reference_server.engine.coupon_rules import CouponCase, CouponOutcome
from reference_server.engine.entry_rules import Change
from reference_server.engine.promotions import PromotionLookup
from reference_server.engine.state import CollectionHead, Effect, Entry, coupons_of, uses_of
from reference_server.engine.working import Working, Writes

CouponIntent = operation_pb2.ApplyCoupon | operation_pb2.RemoveCoupon


def coupon_case(kind: str, intent: CouponIntent, principal: str, now_us: int, working: Working) -> CouponCase:
    """Put together what an operation on a coupon is judged by, but for the promotions."""
    uses = working.collection(uses_of(intent.coupon_code))
    is_used_here = working.entry((uses_of(intent.coupon_code), intent.cart_id)) is not None
    return CouponCase(
        kind=kind,
        coupon_code=intent.coupon_code,
        principal=principal,
        now_us=now_us,
        cart=working.cart(intent.cart_id),
        applied=tuple(working.entries_of(coupons_of(intent.cart_id))),
        other_use_count=uses.entry_count - is_used_here,
    )


def look_up(case: CouponCase, promotions: PromotionLookup) -> None:
    """Find out what the code, and each one beside it, stands for now. Raises BackendUnavailableError."""
    case.promotions = {code: promotions(code) for code in (case.coupon_code, *case.applied)}


def coupon_writes(
    case: CouponCase, answer: CouponOutcome, cart_id: str, working: Working, change: Change, effect: Effect
) -> Writes:
    """What a coupon that came or went changes; `change` is that of the cart, `effect` what the ledger tells of it."""
    assert case.cart is not None, "a coupon comes and goes with a cart only"
    uses = working.collection(uses_of(case.coupon_code))
    uses_after = CollectionHead(
        revision=uses.revision + 1,
        update_time_us=max(change.time_us, uses.update_time_us),
        entry_count=uses.entry_count + (1 if answer.present else -1),
    )
    on_cart, in_use = (
        Entry(revision, revision, b"") if answer.present else None
        for revision in (change.revision, uses_after.revision)
    )
    return Writes(
        carts={cart_id: replace(case.cart, revision=change.revision, update_time_us=change.time_us)},
        collections={uses_of(case.coupon_code): uses_after},
        entries={
            (coupons_of(cart_id), case.coupon_code): on_cart,
            (uses_of(case.coupon_code), cart_id): in_use,
        },
        effects=(effect,),
    )
