"""Coupons: profile `coupons`."""

from __future__ import annotations

from datetime import timedelta

from cartsync.v1 import operation_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tools.vectors.script import CART, MUG, TEA, Device, Play, exchange, money
from tools.vectors.session import BEGIN


def apply(device: Device, code: str, cart_id: str = CART) -> operation_pb2.OperationAttempt:
    """A coupon put on a cart."""
    return device.draft(apply_coupon=operation_pb2.ApplyCoupon(cart_id=cart_id, coupon_code=code))


def remove(device: Device, code: str, cart_id: str = CART) -> operation_pb2.OperationAttempt:
    """A coupon taken off a cart."""
    return device.draft(remove_coupon=operation_pb2.RemoveCoupon(cart_id=cart_id, coupon_code=code))


def at(since_begin: timedelta) -> Timestamp:
    """An instant, from the beginning of the exchange."""
    return Timestamp(seconds=int((BEGIN + since_begin).timestamp()))


@exchange(
    "coupons",
    "Coupons and what they take off",
    "coupons/apply",
    "coupons/share-off",
    "coupons/amount-off",
    "coupons/minimum",
    "coupons/snapshot-shows-all",
    "coupons/totals",
    "coupons/remove",
    "coupons/standing-current",
    profile="coupons",
)
async def coupons(play: Play) -> None:
    """A share of the whole subtotal, rounded down to the minor unit, and an amount off, in the order they were put on.
    The amount has a minimum: while the subtotal is below it the coupon stays on the cart, takes nothing and says
    why."""
    await play.offer(TEA, 425)
    await play.arrange("PutPromotion", coupon_code="TEATIME15", basis_points_off=1500, stackable=True)
    await play.arrange(
        "PutPromotion", coupon_code="TWO-OFF", amount_off=money(200), min_subtotal=money(1000), stackable=True
    )
    phone = play.device()
    await phone.submit(phone.add(TEA, 1), apply(phone, "TEATIME15"), apply(phone, "TWO-OFF"))
    await phone.cart(note="15 % of 425 is 63.75: it takes off 63. The other one does not reach its minimum.")
    await phone.submit(phone.add(TEA, 2))
    await phone.cart(note="15 % of 1,275 is 191.25, and 200 beside it.")
    await phone.submit(remove(phone, "TEATIME15"), remove(phone, "TEATIME15"))
    await phone.cart()


@exchange(
    "coupons-refused",
    "Coupons that are refused",
    "coupons/apply-cart",
    "coupons/unknown",
    "coupons/start-and-end",
    "coupons/eligible-principals",
    "coupons/currency",
    "coupons/already-applied",
    "coupons/once-per-principal",
    "coupons/stackable",
    profile="coupons",
)
async def refused(play: Play) -> None:
    """One coupon for each rule of chapter 8, in the order of its table."""
    await play.offer(TEA, 425)
    await play.arrange("PutPromotion", coupon_code="ONCE", amount_off=money(50), one_per_principal=True, stackable=True)
    await play.arrange("PutPromotion", coupon_code="EARLY", amount_off=money(50), start_time=at(timedelta(days=1)))
    await play.arrange("PutPromotion", coupon_code="LATE", amount_off=money(50), end_time=at(timedelta(0)))
    await play.arrange("PutPromotion", coupon_code="FOR-BOB", amount_off=money(50), eligible_principals=["bob"])
    await play.arrange("PutPromotion", coupon_code="EUROS", amount_off=money(50, "EUR"))
    await play.arrange("PutPromotion", coupon_code="ALONE", amount_off=money(50))
    phone = play.device()
    await phone.submit(
        apply(phone, "ONCE"),
        phone.add(TEA, 1),
        phone.add(TEA, 1, cart_id="other"),
        apply(phone, "ONCE"),
        apply(phone, "ONCE"),
        apply(phone, "NO-SUCH-CODE"),
        apply(phone, "EARLY"),
        apply(phone, "LATE"),
        apply(phone, "FOR-BOB"),
        apply(phone, "EUROS"),
        apply(phone, "ONCE", "other"),
        apply(phone, "ALONE"),
    )


@exchange(
    "coupon-expired",
    "A coupon that expires on the cart",
    "coupons/ineligible-takes-nothing",
    "coupons/standing-current",
    "coupons/start-and-end",
    "deciding/replay-verbatim",
    profile="coupons",
)
async def expired(play: Play) -> None:
    """The coupon was good when it was put on. When its time is over it takes nothing off and says so, and a duplicate
    of the operation is still answered with the recorded outcome."""
    await play.offer(MUG, 799)
    await play.arrange("PutPromotion", coupon_code="TODAY", basis_points_off=1000, end_time=at(timedelta(hours=1)))
    phone = play.device()
    await phone.submit(phone.add(MUG, 1, 799))
    put_on = apply(phone, "TODAY")
    await phone.submit(put_on)
    await phone.cart()
    await play.arrange("AdvanceClock", duration=timedelta(hours=2))
    await phone.submit(put_on)
    await phone.cart()
