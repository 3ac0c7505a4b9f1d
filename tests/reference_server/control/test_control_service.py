from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import cart_pb2, money_pb2, reason_pb2, service_pb2
from google.protobuf.duration_pb2 import Duration
from live_server import Live, config_in, offer, refused, running, states

DAY = 86_400
HOLD_BEFORE_COMMIT = control_pb2.SetFailPointRequest(
    principal="ann",
    fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
    action=control_pb2.FAIL_ACTION_HOLD,
)


async def held(live: Live, principal: str = "ann", timeout: float = 10) -> None:
    await live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal=principal), timeout=timeout)


async def release(live: Live, principal: str = "ann") -> None:
    await live.control.ReleaseFailPoints(control_pb2.ReleaseFailPointsRequest(principal=principal))


async def advance(live: Live, seconds: int) -> None:
    await live.control.AdvanceClock(control_pb2.AdvanceClockRequest(duration=Duration(seconds=seconds)))


async def limit(live: Live, count: int | None) -> None:
    await live.control.SetRateLimit(control_pb2.SetRateLimitRequest(principal="ann", remaining_operation_count=count))


async def test_describe_lists_every_capability_and_the_clock(live: Live) -> None:
    before = (await live.control.Describe(control_pb2.DescribeRequest())).current_time.ToDatetime()
    await advance(live, 3600)
    answer = await live.control.Describe(control_pb2.DescribeRequest())
    assert answer.name
    assert list(answer.capabilities) == list(range(1, 16))
    assert answer.current_time.ToDatetime() - before >= timedelta(hours=1)


async def test_an_issued_credential_speaks_for_its_principal_only(live: Live) -> None:
    tokens = [
        (await live.control.IssueCredential(control_pb2.IssueCredentialRequest(principal=name))).authorization
        for name in ("guest-1", "guest-1", "guest-2")
    ]
    assert len(set(tokens)) == 3
    principals = [
        (
            await live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", token),))
        ).principal
        for token in tokens
    ]
    assert principals == ["guest-1", "guest-1", "guest-2"]


async def test_a_closed_cart_takes_nothing_and_an_unknown_one_is_not_found(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add(2))
    await live.control.CloseCart(control_pb2.CloseCartRequest(principal="ann", cart_id="cart"))
    answer = await ann.submit(ann.add())
    assert answer.results[0].outcome.refusal.reason == reason_pb2.REASON_CART_CLOSED
    assert (await ann.cart()).cart.state == cart_pb2.CART_STATE_CLOSED
    with refused() as refusal:
        await live.control.CloseCart(control_pb2.CloseCartRequest(principal="ann", cart_id="other"))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


async def test_a_rate_limit_counts_down_over_new_decisions_and_can_be_lifted(live: Live) -> None:
    ann = live.shopper()
    await limit(live, 2)
    attempts = [ann.add() for _ in range(3)]
    first = await ann.submit(*attempts)
    assert states(first) == ["APPLIED", "APPLIED", "DEFERRED"]
    assert first.results[2].outcome.refusal.reason == reason_pb2.REASON_RATE_LIMITED
    assert first.results[2].outcome.refusal.retry_delay.ToTimedelta() > timedelta(0)
    assert states(await ann.submit(*attempts[:2])) == ["APPLIED", "APPLIED"]
    assert states(await ann.submit(attempts[2])) == ["DEFERRED"]
    await limit(live, None)
    assert states(await ann.submit(attempts[2])) == ["APPLIED"]


async def test_an_outage_strikes_one_principal_only(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    request = control_pb2.SetBackendAvailabilityRequest(principal="ann", available=False)
    await live.control.SetBackendAvailability(request)
    attempt = ann.add()
    answer = await ann.submit(attempt)
    assert answer.results[0].outcome.refusal.reason == reason_pb2.REASON_BACKEND_UNAVAILABLE
    assert states(await bob.submit(bob.add())) == ["APPLIED"]
    request.available = True
    await live.control.SetBackendAvailability(request)
    assert states(await ann.submit(attempt)) == ["APPLIED"]


async def test_advancing_the_clock_prunes_before_it_answers(live: Live) -> None:
    ann = live.shopper()
    attempt = ann.add(2)
    await ann.submit(attempt)
    await advance(live, 29 * DAY)
    assert (await ann.lookup(1, 1)).statuses[0].decidedness == service_pb2.DECIDEDNESS_DECIDED
    await advance(live, 2 * DAY)
    assert (await ann.lookup(1, 1)).statuses[0].decidedness == service_pb2.DECIDEDNESS_PURGED
    assert states(await ann.submit(attempt)) == ["PURGED"]
    assert await ann.quantity() == 2


async def test_a_held_submission_waits_for_release_even_when_its_caller_has_gone(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    await live.control.SetFailPoint(HOLD_BEFORE_COMMIT)
    attempt = ann.add(2)
    call = asyncio.ensure_future(ann.submit(attempt))
    await held(live)
    call.cancel()
    assert states(await bob.submit(bob.add())) == ["APPLIED"]
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0
    await release(live)
    answer = await ann.submit(attempt)
    assert states(answer) == ["APPLIED"]
    assert await ann.quantity() == 2


async def test_after_commit_everything_is_durable_and_only_the_answer_waits(live: Live) -> None:
    ann = live.shopper()
    await live.control.SetFailPoint(
        control_pb2.SetFailPointRequest(
            principal="ann",
            fail_point=control_pb2.FAIL_POINT_AFTER_COMMIT,
            action=control_pb2.FAIL_ACTION_HOLD,
        )
    )
    call = asyncio.ensure_future(ann.submit(ann.add(2)))
    await held(live)
    assert not call.done()
    assert (await ann.cart()).queue.decided_through_sequence == 1
    await release(live)
    assert states(await call) == ["APPLIED"]


async def test_waiting_for_a_held_submission_ends_at_the_deadline(live: Live) -> None:
    with refused() as refusal:
        await held(live, timeout=0.05)
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_thrown_failure_defers_the_operation_and_keeps_what_came_before(live: Live) -> None:
    ann = live.shopper()
    await live.control.SetFailPoint(
        control_pb2.SetFailPointRequest(
            principal="ann",
            fail_point=control_pb2.FAIL_POINT_WHILE_DECIDING,
            action=control_pb2.FAIL_ACTION_THROW,
            sequence=2,
            hit_count=2,
        )
    )
    attempts = [ann.add() for _ in range(3)]
    for _ in range(2):
        answer = await ann.submit(*attempts)
        assert states(answer) == ["APPLIED", "DEFERRED", "DEFERRED"]
        assert answer.results[1].outcome.refusal.reason == reason_pb2.REASON_INTERNAL
    assert states(await ann.submit(*attempts)) == ["APPLIED"] * 3


async def test_a_restored_store_shows_what_was_saved_under_a_new_id(live: Live) -> None:
    ann = live.shopper()
    saved = await ann.submit(ann.add(2))
    await live.control.SaveStore(control_pb2.SaveStoreRequest(name="tuesday"))
    await ann.submit(ann.add(5))
    restored = await live.control.RestoreStore(control_pb2.RestoreStoreRequest(name="tuesday"))
    assert restored.store_id != saved.store_id
    reading = await ann.cart()
    assert reading.store_id == restored.store_id
    assert (reading.cart.lines[0].quantity, reading.queue.decided_through_sequence) == (2, 1)
    with refused() as refusal:
        await live.control.RestoreStore(control_pb2.RestoreStoreRequest(name="never"))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


async def test_the_ledger_lists_every_change_in_order(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    attempts = [ann.add(2), ann.add(3)]
    await ann.submit(*attempts)
    await bob.submit(bob.add())
    effects = (await live.control.ListEffects(control_pb2.ListEffectsRequest(principal="ann"))).effects
    assert [(e.sequence, e.revision, e.quantity_before, e.quantity_after) for e in effects] == [
        (1, 1, 0, 2),
        (2, 2, 2, 5),
    ]
    assert effects[0] == control_pb2.Effect(
        queue_id=ann.queue_id,
        sequence=1,
        idempotency_key=attempts[0].operation.idempotency_key,
        cart_id="cart",
        revision=1,
        sku="LANTERN-WHITE",
        quantity_before=0,
        quantity_after=2,
    )


PRICE = money_pb2.Money(currency_code="GBP", minor_units=1)


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        ("IssueCredential", control_pb2.IssueCredentialRequest(principal="a b"), "principal"),
        ("IssueCredential", control_pb2.IssueCredentialRequest(), "principal"),
        ("PutOffer", control_pb2.PutOfferRequest(sku=" x", unit_price=PRICE), "sku"),
        ("PutOffer", control_pb2.PutOfferRequest(sku="x"), "unit_price"),
        (
            "PutOffer",
            control_pb2.PutOfferRequest(sku="x", unit_price=money_pb2.Money(currency_code="gbp")),
            "unit_price.currency_code",
        ),
        (
            "PutOffer",
            control_pb2.PutOfferRequest(sku="x", unit_price=money_pb2.Money(currency_code="GBP", minor_units=-1)),
            "unit_price.minor_units",
        ),
        (
            "PutOffer",
            control_pb2.PutOfferRequest(sku="x", unit_price=PRICE, available_quantity=-1),
            "available_quantity",
        ),
        ("CloseCart", control_pb2.CloseCartRequest(principal="ann", cart_id="/"), "cart_id"),
        (
            "SetRateLimit",
            control_pb2.SetRateLimitRequest(principal="ann", remaining_operation_count=-1),
            "remaining_operation_count",
        ),
        ("SetBackendAvailability", control_pb2.SetBackendAvailabilityRequest(), "principal"),
        ("AdvanceClock", control_pb2.AdvanceClockRequest(duration=Duration(seconds=-1)), "duration"),
        ("AdvanceClock", control_pb2.AdvanceClockRequest(duration=Duration(seconds=2**62)), "duration"),
        ("SetFailPoint", control_pb2.SetFailPointRequest(principal="ann"), "fail_point"),
        (
            "SetFailPoint",
            control_pb2.SetFailPointRequest(principal="ann", fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT),
            "action",
        ),
        (
            "SetFailPoint",
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
                action=control_pb2.FAIL_ACTION_THROW,
            ),
            "action",
        ),
        (
            "SetFailPoint",
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
                action=control_pb2.FAIL_ACTION_HOLD,
                hit_count=0,
            ),
            "hit_count",
        ),
        (
            "SetFailPoint",
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_WHILE_DECIDING,
                action=control_pb2.FAIL_ACTION_THROW,
            ),
            "sequence",
        ),
        ("SaveStore", control_pb2.SaveStoreRequest(name="../up"), "name"),
        ("RestoreStore", control_pb2.RestoreStoreRequest(), "name"),
        ("ListEffects", control_pb2.ListEffectsRequest(), "principal"),
    ],
)
async def test_a_wrong_field_of_a_control_call_is_named(
    live: Live, method: str, request_message: Any, field: str
) -> None:
    with refused() as refusal:
        await getattr(live.control, method)(request_message)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(config_in(tmp_path, control_secret="made-for-this-run")) as server:
        yield server


async def test_with_a_secret_only_those_who_know_it_may_control(guarded: Live) -> None:
    for metadata in (
        (),
        (("cartsync-control-secret", "guess"),),
        (("cartsync-control-secret", "made-for-this-run"), ("cartsync-control-secret", "guess")),
    ):
        with refused() as refusal:
            await guarded.control.Describe(control_pb2.DescribeRequest(), metadata=metadata)
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED
        assert "made-for-this-run" not in refusal.message
    await guarded.control.Describe(
        control_pb2.DescribeRequest(), metadata=(("cartsync-control-secret", "made-for-this-run"),)
    )


async def test_what_was_arranged_survives_a_restart_and_fail_points_do_not(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    async with running(config) as live:
        ann = live.shopper()
        await live.control.PutOffer(offer("KEPT", minor_units=777, available_quantity=9))
        await limit(live, 1)
        await live.control.SetBackendAvailability(
            control_pb2.SetBackendAvailabilityRequest(principal="bob", available=False)
        )
        await advance(live, 10 * DAY)
        issued = await live.control.IssueCredential(control_pb2.IssueCredentialRequest(principal="ann"))
        await live.control.SetFailPoint(HOLD_BEFORE_COMMIT)
        moved = (await live.control.Describe(control_pb2.DescribeRequest())).current_time
    async with running(config) as live:
        ann.live = live
        policy = await live.calls.GetSyncPolicy(
            service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", issued.authorization),)
        )
        assert policy.principal == "ann"
        assert states(await ann.submit(ann.add(sku="KEPT"), ann.add(sku="KEPT"))) == ["APPLIED", "DEFERRED"]
        assert (await ann.cart()).cart.lines[0].unit_price.minor_units == 777
        bob = live.shopper("bob")
        assert states(await bob.submit(bob.add())) == ["DEFERRED"]
        now = (await live.control.Describe(control_pb2.DescribeRequest())).current_time
        assert now.ToDatetime() >= moved.ToDatetime()
    async with running(config_in(tmp_path, control_listen=None)) as live:
        with refused() as refusal:
            await live.calls.GetSyncPolicy(
                service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", issued.authorization),)
            )
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


async def test_credentials_are_kept_as_hashes(tmp_path: Path) -> None:
    async with running(config_in(tmp_path)) as live:
        issued = await live.control.IssueCredential(control_pb2.IssueCredentialRequest(principal="ann"))
    token = issued.authorization.removeprefix("Bearer ").encode()
    for file in tmp_path.iterdir():
        assert token not in file.read_bytes()
