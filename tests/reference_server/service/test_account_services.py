from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import (
    address_book_pb2,
    guest_claim_pb2,
    payment_methods_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from live_server import Live, Shopper, config_in, refused, running, states

from reference_server.config import Config
from reference_server.service.page_tokens import after_revision, page_token

READS: list[tuple[str, str, Any]] = [
    ("wishlist", "ListWishlist", wishlist_pb2.ListWishlistRequest),
    ("address_book", "ListAddresses", address_book_pb2.ListAddressesRequest),
    ("payment_methods", "ListPaymentMethods", payment_methods_pb2.ListPaymentMethodsRequest),
]


async def listed(shopper: Shopper, service: str, method: str, request: Any) -> Any:
    return await getattr(getattr(shopper.live, service), method)(request, metadata=shopper.metadata)


async def wishes(shopper: Shopper, **fields: Any) -> wishlist_pb2.ListWishlistResponse:
    request = wishlist_pb2.ListWishlistRequest(queue_id=shopper.queue_id, **fields)
    answer: wishlist_pb2.ListWishlistResponse = await listed(shopper, "wishlist", "ListWishlist", request)
    return answer


def claim_token(shopper: Shopper) -> Any:
    return shopper.live.guests.IssueClaimToken(guest_claim_pb2.IssueClaimTokenRequest(), metadata=shopper.metadata)


async def test_a_wishlist_is_read_in_the_order_it_was_written_with_the_watermark(live: Live) -> None:
    ann = live.shopper()
    assert states(await ann.submit(ann.wish("B"), ann.wish("A"), ann.wish("B"))) == ["APPLIED"] * 3
    answer = await wishes(ann)
    assert [entry.sku for entry in answer.entries] == ["B", "A"]
    assert all(entry.add_time.seconds for entry in answer.entries)
    assert (answer.revision, answer.next_page_token) == (2, "")
    assert (answer.queue.queue_id, answer.queue.decided_through_sequence) == (ann.queue_id, 3)


async def test_pages_show_every_entry_once_whatever_comes_and_goes_meanwhile(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(*[ann.wish(f"SKU-{number}") for number in range(5)])
    first = await wishes(ann, page_size=2)
    await ann.submit(ann.draft(remove_from_wishlist={"sku": "SKU-1"}), ann.wish("NEW"))
    second = await wishes(ann, page_size=2, page_token=first.next_page_token)
    third = await wishes(ann, page_size=2, page_token=second.next_page_token)
    shown = [[entry.sku for entry in page.entries] for page in (first, second, third)]
    assert shown == [["SKU-0", "SKU-1"], ["SKU-2", "SKU-3"], ["SKU-4", "NEW"]]
    assert third.next_page_token == ""


async def test_a_page_has_at_most_200_entries_and_as_many_as_the_server_likes_when_not_asked(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(*[ann.wish(f"SKU-{number}") for number in range(201)])
    assert [len((await wishes(ann, page_size=size)).entries) for size in (0, 1, 200, 500)] == [100, 1, 200, 200]


async def test_a_page_token_of_somebody_else_or_cut_is_refused(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    await ann.submit(ann.wish("A"), ann.wish("B"))
    token = (await wishes(ann, page_size=1)).next_page_token
    for shopper, wrong in ((bob, token), (ann, token[:-1]), (ann, token + "0"), (ann, "page-2")):
        with refused() as refusal:
            await wishes(shopper, page_token=wrong)
        assert (refusal.row, refusal.field) == ((grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"), "page_token")


async def test_a_negative_page_size_is_refused(live: Live) -> None:
    with refused() as refusal:
        await wishes(live.shopper(), page_size=-1)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, "page_size")


@given(st.integers(1, 2**63 - 1), st.text(max_size=10))
def test_a_page_token_reads_back_for_its_principal_alone(revision: int, other: str) -> None:
    token = page_token("ann", revision)
    assert after_revision("ann", token) == revision
    assert after_revision("bob", token) is None
    assert after_revision("ann", other) == (0 if other == "" else None)


async def test_addresses_are_read_by_id_with_the_revision_of_their_last_change(live: Live) -> None:
    ann = live.shopper()
    first, second = sorted(str(uuid.uuid4()) for _ in range(2))
    await ann.submit(ann.address(second), ann.address(first, "Bill"), ann.address(first, "Bob"))
    answer = await listed(
        ann, "address_book", "ListAddresses", address_book_pb2.ListAddressesRequest(queue_id=ann.queue_id)
    )
    assert [(entry.address_id, entry.address.recipient, entry.change_revision) for entry in answer.addresses] == [
        (first, "Bob", 3),
        (second, "Ann", 1),
    ]
    assert answer.addresses[0].address.address_lines == ["1 High Street"]
    assert (answer.revision, answer.queue.decided_through_sequence) == (3, 3)


async def test_payment_methods_show_what_the_provider_said_and_never_the_token(live: Live) -> None:
    ann = live.shopper()
    name = str(uuid.uuid4())
    assert states(await ann.submit(ann.card(name), ann.card(str(uuid.uuid4()), "stolen"))) == ["APPLIED", "REJECTED"]
    answer = await listed(ann, "payment_methods", "ListPaymentMethods", payment_methods_pb2.ListPaymentMethodsRequest())
    assert list(answer.payment_methods) == [
        payment_methods_pb2.PaymentMethod(
            payment_method_id=name,
            provider="demo",
            label="mine",
            brand="visa",
            last_four="4242",
            expiry_month=12,
            expiry_year=2030,
            change_revision=1,
        )
    ]
    assert not answer.HasField("queue")
    assert b"demo-visa-4242" not in answer.SerializeToString()


@pytest.mark.parametrize(("service", "method", "request_type"), READS)
async def test_what_one_principal_has_does_not_exist_for_another(
    live: Live, service: str, method: str, request_type: Any
) -> None:
    ann, eve, nobody = live.shopper("ann"), live.shopper("eve"), live.shopper("nobody")
    eve.queue_id = ann.queue_id
    await ann.submit(ann.wish("SKU"), ann.address(str(uuid.uuid4())), ann.card(str(uuid.uuid4())))
    request = request_type(queue_id=ann.queue_id)
    seen = await listed(eve, service, method, request)
    assert seen == await listed(nobody, service, method, request)
    assert (seen.revision, seen.queue.decided_through_sequence) == (0, 0)


async def test_ids_of_another_principal_are_free_to_use(live: Live) -> None:
    ann, eve = live.shopper("ann"), live.shopper("eve")
    name = str(uuid.uuid4())
    await ann.submit(ann.address(name), ann.card(name))
    delete = eve.draft(delete_address={"address_id": name})
    answer = await eve.submit(delete, eve.draft(delete_payment_method={"payment_method_id": name}))
    assert [(result.outcome.changed, result.outcome.revision) for result in answer.results] == [(False, 0)] * 2
    edit = eve.draft(
        put_address={
            "address_id": name,
            "base_revision": 1,
            "update_mask": {"paths": ["recipient"]},
            "address": {"recipient": "Eve"},
        }
    )
    refusal = (await eve.submit(edit)).results[0].outcome.refusal
    assert refusal.reason == reason_pb2.REASON_ADDRESS_NOT_FOUND
    answer = await listed(ann, "address_book", "ListAddresses", address_book_pb2.ListAddressesRequest())
    assert [entry.address.recipient for entry in answer.addresses] == ["Ann"]


@pytest.mark.parametrize(("service", "method", "request_type"), READS)
async def test_a_malformed_queue_id_and_another_store_are_refused(
    live: Live, service: str, method: str, request_type: Any
) -> None:
    ann = live.shopper()
    with refused() as refusal:
        await listed(ann, service, method, request_type(queue_id="mine"))
    assert (refusal.row, refusal.field) == ((grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"), "queue_id")
    with refused() as refusal:
        await listed(ann, service, method, request_type(store_id="old"))
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED")
    store_id = (await ann.cart()).store_id
    assert refusal.info.metadata["store_id"] == store_id
    assert (await listed(ann, service, method, request_type(store_id=store_id))).store_id == store_id


@pytest.mark.parametrize(("service", "method", "request_type"), READS)
async def test_a_stranger_reads_nothing(live: Live, service: str, method: str, request_type: Any) -> None:
    with refused() as refusal:
        await getattr(getattr(live, service), method)(request_type())
    assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")


async def test_a_guest_is_given_a_token_and_an_account_takes_its_cart_over_once(live: Live) -> None:
    guest, ann = live.shopper("guest-7"), live.shopper("ann")
    await guest.submit(guest.add(2))
    token = (await claim_token(guest)).claim_token
    assert 1 <= len(token) <= 1024
    assert (await claim_token(guest)).claim_token
    claim = {"claim_token": token, "guest_cart_id": "cart", "cart_id": "cart"}
    answer = await ann.submit(ann.draft(claim_guest_cart=claim), ann.draft(claim_guest_cart=claim))
    assert [(result.outcome.changed, states(answer)[index]) for index, result in enumerate(answer.results)] == [
        (True, "APPLIED"),
        (False, "APPLIED"),
    ]
    assert await ann.quantity() == 2
    late = (await guest.submit(guest.add(1))).results[0].outcome
    assert late.refusal.reason == reason_pb2.REASON_PRINCIPAL_CLAIMED
    assert (await claim_token(guest)).claim_token


async def test_an_account_has_nothing_to_claim(live: Live) -> None:
    with refused() as refusal:
        await claim_token(live.shopper("ann"))
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_A_GUEST")


async def test_a_claim_token_is_for_the_current_store_alone(live: Live) -> None:
    guest = live.shopper("guest-7")
    with refused() as refusal:
        await live.guests.IssueClaimToken(
            guest_claim_pb2.IssueClaimTokenRequest(store_id="old"), metadata=guest.metadata
        )
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED")


async def test_a_server_with_fewer_profiles_does_not_have_their_services_limits_and_intents(tmp_path: Path) -> None:
    async with running(config_in(tmp_path, profiles=("core",))) as live:
        ann = live.shopper()
        policy = (await live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=ann.metadata)).policy
        assert list(policy.profiles) == ["core"]
        assert policy.max_coupon_count == policy.max_wishlist_entry_count == 0
        assert policy.max_address_count == policy.max_payment_method_count == 0
        calls = [
            *(listed(ann, service, method, request_type()) for service, method, request_type in READS),
            claim_token(ann),
            live.calls.WatchCart(service_pb2.WatchCartRequest(cart_id="cart"), metadata=ann.metadata).read(),
            live.calls.Sync(metadata=ann.metadata).read(),
        ]
        for call in calls:
            with refused() as refusal:
                await call
            assert refusal.code is grpc.StatusCode.UNIMPLEMENTED
        answer = await ann.submit(ann.wish("A"), ann.add())
        assert [result.outcome.refusal.reason for result in answer.results] == [
            reason_pb2.REASON_UNSUPPORTED_INTENT,
            reason_pb2.REASON_UNSPECIFIED,
        ]


async def test_health_knows_every_service_by_name(live: Live) -> None:
    stub = health_pb2_grpc.HealthStub(live.channel)
    for name in ("WishlistService", "AddressBookService", "PaymentMethodService", "GuestService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=f"cartsync.v1.{name}"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_saving_payment_methods_has_a_limit_of_its_own(tmp_path: Path) -> None:
    assert Config().payment_rate_limit is not None
    async with running(config_in(tmp_path)) as live:
        ann = live.shopper()
        limit = control_pb2.SetRateLimitRequest(
            principal="ann", remaining_operation_count=1, scope=control_pb2.RATE_LIMIT_SCOPE_PAYMENT_METHODS
        )
        await live.control.SetRateLimit(limit)
        second = ann.card(str(uuid.uuid4()))
        first = Shopper(live, "ann")
        assert states(await first.submit(first.add(), first.card(str(uuid.uuid4())), first.add())) == ["APPLIED"] * 3
        answer = await ann.submit(second)
        assert answer.results[0].outcome.refusal.reason == reason_pb2.REASON_RATE_LIMITED
        assert answer.results[0].outcome.refusal.retry_delay != Duration()
        limit.ClearField("remaining_operation_count")
        await live.control.SetRateLimit(limit)
        assert states(await ann.submit(second)) == ["APPLIED"]
