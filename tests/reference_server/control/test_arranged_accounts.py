"""What the control service arranges for promotions, payment tokens, guests and credentials that expire."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import (
    cart_pb2,
    guest_claim_pb2,
    money_pb2,
    payment_methods_pb2,
    reason_pb2,
    service_pb2,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from live_server import Live, Shopper, config_in, refused, running, states

GBP = money_pb2.Money(currency_code="GBP", minor_units=100)
DAY = 86_400


async def put(live: Live, **fields: Any) -> None:
    await live.control.PutPromotion(control_pb2.PutPromotionRequest(**{"coupon_code": "CODE", **fields}))


async def put_token(live: Live, **fields: Any) -> None:
    given = {"provider": "psp", "provider_token": "tok-1", "valid": True, **fields}
    await live.control.PutPaymentToken(control_pb2.PutPaymentTokenRequest(**given))


async def reason_of(shopper: Shopper, **intent: Any) -> str:
    """What an operation is refused for; empty when it is applied."""
    outcome = (await shopper.submit(shopper.draft(**intent))).results[0].outcome
    return reason_pb2.Reason.Name(outcome.refusal.reason).removeprefix("REASON_") if outcome.refusal.reason else ""


def coupon(code: str = "CODE") -> dict[str, str]:
    return {"cart_id": "cart", "coupon_code": code}


def saving(provider_token: str = "tok-1") -> dict[str, str]:
    return {"payment_method_id": str(uuid.uuid4()), "provider": "psp", "provider_token": provider_token}


async def test_a_promotion_is_in_force_until_it_is_replaced_or_withdrawn(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(2))
    await put(live, amount_off=GBP)
    assert await reason_of(ann, apply_coupon=coupon()) == ""
    assert (await ann.cart()).cart.discount_total.minor_units == 100
    await put(live, basis_points_off=5_000)
    assert (await ann.cart()).cart.discount_total.minor_units == 339
    await put(live, withdrawn=True)
    shown = (await ann.cart()).cart.coupons[0]
    assert (shown.standing, shown.discount.minor_units) == (cart_pb2.COUPON_STANDING_WITHDRAWN, 0)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"start_time": Timestamp(seconds=2**33)}, "COUPON_NOT_STARTED"),
        ({"end_time": Timestamp(seconds=1)}, "COUPON_EXPIRED"),
        ({"eligible_principals": ["bob", "cid"]}, "COUPON_NOT_ELIGIBLE"),
        ({"eligible_principals": ["bob", "ann"]}, ""),
        ({"min_subtotal": money_pb2.Money(currency_code="EUR", minor_units=0)}, "CURRENCY_MISMATCH"),
        ({"min_subtotal": GBP, "stackable": True, "one_per_principal": True}, ""),
        ({"withdrawn": True}, "COUPON_UNKNOWN"),
    ],
)
async def test_every_term_of_a_promotion_reaches_the_rules(live: Live, terms: dict[str, Any], reason: str) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(1))
    await put(live, basis_points_off=1, **terms)
    assert await reason_of(ann, apply_coupon=coupon()) == reason


async def test_a_withdrawn_code_of_the_shops_own_is_unknown(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(1))
    await put(live, coupon_code="TEA10", withdrawn=True)
    assert await reason_of(ann, apply_coupon=coupon("TEA10")) == "COUPON_UNKNOWN"


async def test_a_provider_stands_by_the_tokens_it_was_told_of_and_no_longer_when_told_so(live: Live) -> None:
    ann = live.shopper()
    assert await reason_of(ann, save_payment_method=saving()) == "PAYMENT_TOKEN_INVALID"
    await put_token(live, brand="amex", last_four="0005", expiry_month=1, expiry_year=2031)
    assert await reason_of(ann, save_payment_method=saving()) == ""
    request = payment_methods_pb2.ListPaymentMethodsRequest()
    kept = (await live.payment_methods.ListPaymentMethods(request, metadata=ann.metadata)).payment_methods[0]
    assert (kept.provider, kept.brand, kept.last_four, kept.expiry_month, kept.expiry_year) == (
        "psp",
        "amex",
        "0005",
        1,
        2031,
    )
    await put_token(live, valid=False)
    assert await reason_of(ann, save_payment_method=saving()) == "PAYMENT_TOKEN_INVALID"


async def test_an_outage_takes_promotions_and_payment_provider_with_it(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(1))
    await put(live, amount_off=GBP)
    await put_token(live)
    outage = control_pb2.SetBackendAvailabilityRequest(principal="ann", available=False)
    await live.control.SetBackendAvailability(outage)
    applying, keeping = ann.draft(apply_coupon=coupon()), ann.draft(save_payment_method=saving())
    answer = await ann.submit(applying, keeping)
    assert answer.results[0].outcome.refusal.reason == reason_pb2.REASON_BACKEND_UNAVAILABLE
    other = live.shopper()
    answer = await other.submit(other.draft(save_payment_method=saving()))
    assert answer.results[0].outcome.refusal.reason == reason_pb2.REASON_BACKEND_UNAVAILABLE
    outage.available = True
    await live.control.SetBackendAvailability(outage)
    assert states(await ann.submit(applying, keeping)) == ["APPLIED", "APPLIED"]


async def issued(live: Live, principal: str, **fields: Any) -> Shopper:
    request = control_pb2.IssueCredentialRequest(principal=principal, **fields)
    shopper = live.shopper(principal)
    shopper.authorization = (await live.control.IssueCredential(request)).authorization
    return shopper


async def test_who_is_a_guest_is_settled_when_the_principal_is_made(live: Live) -> None:
    guest, account = await issued(live, "visitor", guest=True), await issued(live, "guest-by-name-alone")
    again = await issued(live, "visitor")
    request = guest_claim_pb2.IssueClaimTokenRequest()
    for shopper in (guest, again):
        assert (await live.guests.IssueClaimToken(request, metadata=shopper.metadata)).claim_token
    with refused() as refusal:
        await live.guests.IssueClaimToken(request, metadata=account.metadata)
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_A_GUEST")


async def test_a_credential_is_good_for_its_lifetime_by_the_servers_clock(live: Live) -> None:
    short, long = await issued(live, "ann", lifetime=Duration(seconds=10)), await issued(live, "ann")

    async def advance(seconds: int) -> None:
        await live.control.AdvanceClock(control_pb2.AdvanceClockRequest(duration=Duration(seconds=seconds)))

    assert (await short.cart()).store_id
    await advance(10)
    with refused() as refusal:
        await short.cart()
    assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
    await advance(400 * DAY)
    assert (await long.cart()).store_id


async def test_a_credential_of_the_longest_lifetime_is_good(live: Live) -> None:
    assert (await (await issued(live, "ann", lifetime=Duration(seconds=2**62))).cart()).store_id


async def test_the_ledger_tells_what_was_changed_beside_lines(live: Live) -> None:
    ann, name = live.shopper(), str(uuid.uuid4())
    await put_token(live)
    method = {**saving(), "payment_method_id": name}
    attempts = [
        ann.add(1),
        ann.draft(apply_coupon=coupon("TEA10")),
        ann.wish("A"),
        ann.draft(remove_from_wishlist={"sku": "A"}),
        ann.address(name),
        ann.draft(save_payment_method=method),
        ann.draft(delete_payment_method={"payment_method_id": name}),
        ann.draft(delete_payment_method={"payment_method_id": name}),
    ]
    assert states(await ann.submit(*attempts)) == ["APPLIED"] * 8
    effects = (await live.control.ListEffects(control_pb2.ListEffectsRequest(principal="ann"))).effects
    told = [(each.sequence, each.cart_id, each.resource, each.entry_id, each.present) for each in effects]
    assert told == [
        (1, "cart", "", "", False),
        (2, "cart", "coupon", "TEA10", True),
        (3, "", "wishlist", "A", True),
        (4, "", "wishlist", "A", False),
        (5, "", "address", name, True),
        (6, "", "payment_method", name, True),
        (7, "", "payment_method", name, False),
    ]
    assert [each.revision for each in effects] == [1, 2, 1, 2, 1, 1, 2]


async def test_all_of_it_survives_a_restart_and_tokens_are_kept_as_hashes(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    async with running(config) as live:
        await put(
            live,
            amount_off=GBP,
            min_subtotal=GBP,
            start_time=Timestamp(seconds=1),
            end_time=Timestamp(seconds=2**33),
            eligible_principals=["visitor"],
            one_per_principal=True,
            stackable=True,
        )
        await put(live, coupon_code="TEA10", withdrawn=True)
        await put_token(live, provider_token="tok-kept-as-hash", brand="visa")
        await put_token(live, provider_token="tok-gone", valid=False)
        guest = await issued(live, "visitor", guest=True, lifetime=Duration(seconds=DAY))
        await live.control.SetRateLimit(
            control_pb2.SetRateLimitRequest(
                principal="visitor",
                remaining_operation_count=1,
                scope=control_pb2.RATE_LIMIT_SCOPE_PAYMENT_METHODS,
            )
        )
    for file in tmp_path.iterdir():
        assert b"tok-kept-as-hash" not in file.read_bytes()
    async with running(config) as live:
        guest.live = live
        await guest.submit(guest.add(1))
        assert await reason_of(guest, apply_coupon=coupon()) == ""
        assert await reason_of(guest, apply_coupon=coupon("TEA10")) == "COUPON_UNKNOWN"
        assert await reason_of(guest, save_payment_method=saving("tok-kept-as-hash")) == ""
        last = guest.draft(save_payment_method=saving("tok-gone"))
        assert states(await guest.submit(last)) == ["DEFERRED"]
        request = guest_claim_pb2.IssueClaimTokenRequest()
        assert (await live.guests.IssueClaimToken(request, metadata=guest.metadata)).claim_token
        await live.control.AdvanceClock(control_pb2.AdvanceClockRequest(duration=Duration(seconds=DAY)))
        with refused() as refusal:
            await live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=guest.metadata)
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


def promotion(**fields: Any) -> control_pb2.PutPromotionRequest:
    return control_pb2.PutPromotionRequest(**{"coupon_code": "CODE", **fields})


def token(**fields: Any) -> control_pb2.PutPaymentTokenRequest:
    return control_pb2.PutPaymentTokenRequest(**{"provider": "psp", "provider_token": "t", "valid": True, **fields})


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        ("PutPromotion", control_pb2.PutPromotionRequest(), "coupon_code"),
        ("PutPromotion", promotion(coupon_code=" X", basis_points_off=1), "coupon_code"),
        ("PutPromotion", promotion(), "discount"),
        ("PutPromotion", promotion(basis_points_off=0), "basis_points_off"),
        ("PutPromotion", promotion(basis_points_off=10_001), "basis_points_off"),
        ("PutPromotion", promotion(amount_off=money_pb2.Money(minor_units=1)), "amount_off.currency_code"),
        (
            "PutPromotion",
            promotion(amount_off=money_pb2.Money(currency_code="GBP")),
            "amount_off.minor_units",
        ),
        (
            "PutPromotion",
            promotion(basis_points_off=1, min_subtotal=money_pb2.Money(currency_code="GBP", minor_units=-1)),
            "min_subtotal.minor_units",
        ),
        ("PutPromotion", promotion(basis_points_off=1, eligible_principals=["ann", "a b"]), "eligible_principals[1]"),
        ("PutPaymentToken", token(provider=""), "provider"),
        ("PutPaymentToken", token(provider_token="a b"), "provider_token"),
        ("PutPaymentToken", token(last_four="42424"), "last_four"),
        ("PutPaymentToken", token(expiry_month=13), "expiry_month"),
        ("PutPaymentToken", token(expiry_year=-1), "expiry_year"),
        ("PutPaymentToken", token(brand="x" * 65), "brand"),
        ("SetRateLimit", control_pb2.SetRateLimitRequest(principal="ann", scope=9), "scope"),  # type: ignore[arg-type]
        ("IssueCredential", control_pb2.IssueCredentialRequest(principal="ann", lifetime=Duration()), "lifetime"),
    ],
)
async def test_a_wrong_field_is_named(live: Live, method: str, request_message: Any, field: str) -> None:
    with refused() as refusal:
        await getattr(live.control, method)(request_message)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)
