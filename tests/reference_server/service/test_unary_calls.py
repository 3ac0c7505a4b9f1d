from __future__ import annotations

import dataclasses
import json
import logging
import uuid
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import operation_pb2, service_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from live_server import Live, config_in, offer, refused, running, states

from reference_server.assembly import REFERENCE
from reference_server.engine.policy import PROFILES
from reference_server.logs import JsonLines
from reference_server.service.callers import Metadata
from reference_server.service.calls import CallGuard
from reference_server.service.errors import credential_invalid
from reference_server.service.submissions import Submissions
from reference_server.settlement import ContendedError, Settled

SUBMIT_PATH = "/cartsync.v1.CartSyncService/SubmitOperations"


async def test_a_submission_is_applied_and_shows_in_the_cart(live: Live) -> None:
    ann = live.shopper()
    answer = await ann.submit(ann.add(2), ann.add(3))
    assert states(answer) == ["APPLIED", "APPLIED"]
    assert answer.queue.decided_through_sequence == 2
    assert answer.queue.queue_id == ann.queue_id
    reading = await ann.cart()
    assert (reading.cart.lines[0].quantity, reading.queue.decided_through_sequence) == (5, 2)
    assert reading.store_id == answer.store_id != ""


async def test_a_cart_read_without_a_queue_carries_no_queue(live: Live) -> None:
    answer = await live.calls.GetCart(service_pb2.GetCartRequest(cart_id="cart"), metadata=live.shopper().metadata)
    assert not answer.HasField("queue")


async def test_looking_up_tells_decided_from_undecided(live: Live) -> None:
    ann = live.shopper()
    submitted = await ann.submit(ann.add())
    answer = await ann.lookup(1, 2)
    assert [status.decidedness for status in answer.statuses] == [
        service_pb2.DECIDEDNESS_DECIDED,
        service_pb2.DECIDEDNESS_UNDECIDED,
    ]
    assert answer.statuses[0].outcome == submitted.results[0].outcome


async def test_the_policy_names_the_caller_and_the_contract(live: Live) -> None:
    answer = await live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=live.shopper("bob").metadata)
    assert answer.principal == "bob"
    assert answer.store_id
    assert list(answer.policy.profiles) == list(PROFILES)
    assert answer.server_name


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer nobody-knows-this-one"),),
        (("authorization", "Bearer dev:"),),
        (("authorization", "Bearer dev:not/a/name"),),
        (("authorization", "Basic dev:ann"),),
        (("authorization", "Bearer dev:ann"), ("authorization", "Bearer dev:bob")),
    ],
)
async def test_a_call_without_a_known_credential_is_unauthenticated(
    live: Live, metadata: tuple[tuple[str, str], ...]
) -> None:
    with refused() as refusal:
        await live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=metadata)
    assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
    assert refusal.info.domain == "cartsync.v1"


async def test_a_wrong_field_is_named_by_its_path_and_nothing_is_processed(live: Live) -> None:
    ann = live.shopper()
    first, second = ann.add(), ann.add()
    second.operation.idempotency_key = second.operation.idempotency_key.upper()
    with refused() as refusal:
        await ann.submit(first, second)
    assert refusal.row == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert refusal.field == "attempts[1].operation.idempotency_key"
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0


async def test_the_details_of_a_request_with_very_many_faults_stay_small(live: Live) -> None:
    ann = live.shopper()
    attempts = [operation_pb2.OperationAttempt(operation=operation_pb2.CartOperation()) for _ in range(100)]
    with refused() as refusal:
        await ann.submit(*attempts)
    assert refusal.field == "attempts[0].operation.idempotency_key"
    assert len(refusal.violations) == 8


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"queue_id": "not-a-uuid"}, "queue_id"),
        ({"expected_principal": ""}, "expected_principal"),
        ({"attempts": []}, "attempts"),
    ],
)
async def test_every_part_of_a_submission_is_checked(live: Live, request_fields: dict[str, Any], field: str) -> None:
    ann = live.shopper()
    fields = {
        "queue_id": ann.queue_id,
        "expected_principal": "ann",
        "attempts": [ann.add()],
        **request_fields,
    }
    with refused() as refusal:
        await live.calls.SubmitOperations(service_pb2.SubmitOperationsRequest(**fields), metadata=ann.metadata)
    assert (refusal.row, refusal.field) == ((grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"), field)


@pytest.mark.parametrize(
    ("request_fields", "field"), [({"cart_id": "no/cart"}, "cart_id"), ({"queue_id": "X"}, "queue_id")]
)
async def test_a_malformed_cart_or_queue_id_of_a_read_is_invalid(
    live: Live, request_fields: dict[str, str], field: str
) -> None:
    request = service_pb2.GetCartRequest(**{"cart_id": "cart", **request_fields})
    with refused() as refusal:
        await live.calls.GetCart(request, metadata=live.shopper().metadata)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [(0, 1, "first_sequence"), (2, 1, "last_sequence"), (1, 100_000, "last_sequence")],
)
async def test_a_wrong_range_is_invalid(live: Live, first: int, last: int, field: str) -> None:
    with refused() as refusal:
        await live.shopper().lookup(first, last)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_a_submission_for_another_principal_is_refused(live: Live) -> None:
    ann = live.shopper("ann")
    request = ann.submission(ann.add())
    request.expected_principal = "bob"
    with refused() as refusal:
        await live.calls.SubmitOperations(request, metadata=ann.metadata)
    assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "PRINCIPAL_MISMATCH")


async def test_every_call_with_another_store_id_is_refused_naming_the_current_one(live: Live) -> None:
    ann = live.shopper()
    current = (await ann.cart()).store_id
    other = str(uuid.uuid4())
    submission = ann.submission(ann.add())
    submission.store_id = other
    calls: list[Any] = [
        live.calls.SubmitOperations(submission, metadata=ann.metadata),
        live.calls.GetCart(service_pb2.GetCartRequest(cart_id="cart", store_id=other), metadata=ann.metadata),
        live.calls.LookupOutcomes(
            service_pb2.LookupOutcomesRequest(queue_id=ann.queue_id, first_sequence=1, last_sequence=1, store_id=other),
            metadata=ann.metadata,
        ),
    ]
    for call in calls:
        with refused() as refusal:
            await call
        assert refusal.row == (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED")
        assert refusal.info.metadata["store_id"] == current
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0


async def test_a_message_that_is_no_message_is_the_clients_fault(live: Live) -> None:
    call: Any = live.channel.unary_unary(SUBMIT_PATH)
    with refused() as refusal:
        await call(b"\xff\xff\xff", metadata=live.shopper().metadata)
    assert refusal.row == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert refusal.field == "request"


async def test_a_message_above_the_limit_is_resource_exhausted(live: Live) -> None:
    ann = live.shopper()
    attempt = ann.add()
    attempt.operation.session_context.client_name = "x" * 5_000_000
    with refused() as refusal:
        await ann.submit(attempt)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_cart_that_cannot_be_priced_now_is_unavailable_with_a_delay(live: Live) -> None:
    ann = live.shopper()
    await ann.submit(ann.add())
    await live.control.SetBackendAvailability(
        control_pb2.SetBackendAvailabilityRequest(principal="ann", available=False)
    )
    with refused() as refusal:
        await ann.cart()
    assert refusal.code is grpc.StatusCode.UNAVAILABLE
    assert refusal.retry_seconds == 1.0


class _Failing(Submissions):
    error: Exception = RuntimeError("secret detail of a bug")

    async def settle(self, *args: Any, **kwargs: Any) -> Settled:
        raise self.error


class _Contended(_Failing):
    error = ContendedError("too many")


async def test_a_bug_is_internal_and_tells_the_client_nothing_of_it(tmp_path: Path) -> None:
    lines = StringIO()
    handler = JsonLines(lines)
    log = logging.getLogger("cartsync.server")
    log.addHandler(handler)
    try:
        async with running(config_in(tmp_path), dataclasses.replace(REFERENCE, submissions=_Failing)) as live:
            ann = live.shopper()
            with refused() as refusal:
                await ann.submit(ann.add())
    finally:
        log.removeHandler(handler)
    assert refusal.code is grpc.StatusCode.INTERNAL
    assert "secret" not in refusal.message
    failed = [entry for entry in map(json.loads, lines.getvalue().splitlines()) if entry["event"] == "call_failed"]
    assert "secret detail of a bug" in failed[0]["traceback"]


async def test_contention_is_unavailable_with_a_delay(tmp_path: Path) -> None:
    parts = dataclasses.replace(REFERENCE, submissions=_Contended)
    async with running(config_in(tmp_path), parts) as live:
        ann = live.shopper()
        with refused() as refusal:
            await ann.submit(ann.add())
    assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)


async def test_what_a_stranger_sends_is_not_even_read() -> None:
    def admit(metadata: Metadata) -> str:
        raise credential_invalid()

    def decode(data: bytes) -> Any:
        raise AssertionError("decoded although nobody was admitted")

    handler: Any = grpc.unary_unary_rpc_method_handler(Mock(), request_deserializer=decode)

    async def continuation(details: grpc.HandlerCallDetails) -> Any:
        return handler

    context = AsyncMock()
    context.invocation_metadata = lambda: ()
    guarded = await CallGuard("/", admit).intercept_service(continuation, Mock(method=SUBMIT_PATH))
    assert guarded.request_deserializer is None
    await guarded.stream_unary(None, context)
    context.read.assert_not_awaited()
    assert context.abort.await_args.args[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_every_call_is_logged_with_counts_and_without_anything_secret(live: Live) -> None:
    lines = StringIO()
    handler = JsonLines(lines)
    log = logging.getLogger("cartsync.server")
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        ann = live.shopper()
        attempt = ann.add(sku="MUG-BLUE", cart_id="birthday")
        await ann.submit(attempt)
        await ann.submit(attempt)
        with refused():
            await live.calls.GetSyncPolicy(
                service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", "Bearer stolen-token-text"),)
            )
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    calls = [entry for entry in map(json.loads, lines.getvalue().splitlines()) if entry["event"] == "call"]
    assert [(entry["principal"], entry["code"], entry.get("outcomes")) for entry in calls] == [
        ("ann", "OK", {"applied": 1}),
        ("ann", "OK", {"applied": 1, "replayed": 1}),
        ("", "UNAUTHENTICATED", None),
    ]
    assert calls[0]["operation_count"] == 1
    assert calls[0]["duration_ms"] > 0
    for secret in ("stolen-token-text", "dev:", "MUG-BLUE", "birthday"):
        assert secret not in lines.getvalue()


async def test_health_says_serving_for_the_server_and_the_service(live: Live) -> None:
    stub = health_pb2_grpc.HealthStub(live.channel)
    for service in ("", "cartsync.v1.CartSyncService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_public_listener_shows_nothing_of_the_control_service(live: Live) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(live.channel)
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="cartsync.v1.CartSyncService"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="cartsync.conformance.v1.ControlService"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="cartsync/conformance/v1/control.proto"),
    ]
    listed, public, *hidden = [answer async for answer in stub.ServerReflectionInfo(iter(questions))]
    assert [entry.name for entry in listed.list_services_response.service] == [
        "cartsync.v1.AddressBookService",
        "cartsync.v1.CartSyncService",
        "cartsync.v1.GuestService",
        "cartsync.v1.PaymentMethodService",
        "cartsync.v1.WishlistService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    ]
    assert public.file_descriptor_response.file_descriptor_proto
    assert [answer.WhichOneof("message_response") for answer in hidden] == ["error_response"] * 2
    call: Any = live.channel.unary_unary("/cartsync.conformance.v1.ControlService/Describe")
    with refused() as refusal:
        await call(b"", metadata=live.shopper().metadata)
    assert refusal.code is grpc.StatusCode.UNIMPLEMENTED


async def test_the_same_ids_of_two_principals_name_different_things(live: Live) -> None:
    ann, bob = live.shopper("ann"), live.shopper("bob")
    bob.queue_id = ann.queue_id
    await ann.submit(ann.add(2))
    assert await bob.quantity() == 0
    assert states(await bob.submit(bob.add(7))) == ["APPLIED"]
    assert (await ann.quantity(), await bob.quantity()) == (2, 7)


async def test_an_arranged_offer_is_sold_at_its_price(live: Live) -> None:
    await live.control.PutOffer(offer("NEW-THING", minor_units=500))
    ann = live.shopper()
    await ann.submit(ann.add(sku="NEW-THING"))
    assert (await ann.cart()).cart.subtotal.minor_units == 500
