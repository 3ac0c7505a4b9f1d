"""Spec 1.1: principals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import grpc
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import operation_pb2
from google.protobuf import message_factory
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from conformance.suite.evidence import expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.reads import reads_by_profile
from conformance.wire.device import Device
from conformance.wire.story import Story

_NO_CREDENTIALS = {
    "no credential": "",
    "an unknown token": "Bearer nobody-was-ever-given-this-token",
    "an empty token": "Bearer",
    "a credential of another scheme": "Basic bm9ib2R5Om5vdGhpbmc=",
}
_CLOSED_DOORS = (
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)


@requirement("identity/credential-required")
def test_nobody_gets_in_without_a_credential(story: Story) -> None:
    """Calls everything with no credential and with unknown ones; all are UNAUTHENTICATED, and nothing is done."""
    phone = story.device()
    operation = phone.add(story.sku())
    for words, authorization in _NO_CREDENTIALS.items():
        stranger = phone.over(story.connect_with(authorization))
        for name, call in _calls(story, stranger, operation):
            story.expect_status(call, grpc.StatusCode.UNAUTHENTICATED, what=f"{name} with {words}")
    expect_untouched(story, phone)


@requirement("identity/principal-stable")
def test_a_principal_has_one_name_whatever_its_credential(story: Story) -> None:
    """Asks with two credentials of one principal and with one of another: one name each, never the same."""
    other = f"{story.principal_name}-b"
    names = [story.connect().policy().principal for _ in range(2)]
    story.expect(names[0], "GetSyncPolicy answers with an empty principal", expected="a name", observed="''")
    story.expect(names[0] == names[1], "one principal has two names", expected=names[0], observed=names[1])
    stranger = story.connect("other", other).policy().principal
    story.expect(stranger, "GetSyncPolicy answers with an empty principal", expected="a name", observed="''")
    story.expect(stranger != names[0], "two principals have one name", expected="two names", observed=stranger)


@requirement("identity/principal-isolation")
def test_the_same_identifiers_under_two_principals_name_different_things(story: Story) -> None:
    """Two principals use the same queue, keys and cart id; neither sees or disturbs the other."""
    story.needs_unmade_cart()
    sku = story.sku()
    alice = story.device("alice")
    bob = _under_the_same_names(story, alice, "bob")
    mine = story.expect_applied(alice.submit(alice.add(sku, 2)).only, slug="cart/add-adds")

    found = bob.lookup(1, 1)
    story.expect(
        found.queue.decided_through_sequence == 0 and not found.statuses[0].HasField("outcome"),
        "one principal's look-up shows what another's queue of the same id had decided",
        expected="watermark 0, undecided",
        observed=found,
    )
    seen = bob.read_cart()
    story.expect(
        seen.queue.decided_through_sequence == 0 and seen.cart.revision == 0 and not seen.cart.lines,
        "one principal's cart shows what another put into its own cart of the same id",
        expected="an empty cart, watermark 0",
        observed=seen,
    )
    operation = bob.add(sku, 5)
    operation.idempotency_key = alice.log[0].idempotency_key
    theirs = bob.submit(operation).only
    story.expect_applied(theirs)
    story.expect(not theirs.replayed, "one principal's operation is answered from another's record", expected="anew")
    story.expect_lines(bob.cart(), {sku: 5})
    story.expect_lines(alice.cart(), {sku: 2})
    story.expect_replayed(alice.submit(alice.log[0]).only, mine)


@requirement("identity/expected-principal")
def test_a_queue_does_not_drain_into_another_account(story: Story) -> None:
    """Submits under the name of another principal, real or not: PRINCIPAL_MISMATCH, and nothing is done for either."""
    alice = story.device("alice")
    bob = _under_the_same_names(story, alice, "bob")
    operation = alice.add(story.sku())
    for name in (bob.principal, f"{alice.principal}x"):
        story.expect_status(
            partial(alice.connection.submit, alice.request(operation, principal=name)),
            grpc.StatusCode.FAILED_PRECONDITION,
            reason="PRINCIPAL_MISMATCH",
            what="a submission of one principal that expects another",
        )
    expect_untouched(story, alice)
    story.expect(
        bob.lookup(1, 1).queue.decided_through_sequence == 0 and not bob.cart().lines,
        "a submission was processed for the principal it expected, not for the caller",
    )
    story.expect_applied(alice.submit(operation).only, slug="cart/add-adds")
    story.expect_status(
        partial(alice.connection.submit, alice.request(operation, principal=bob.principal)),
        grpc.StatusCode.FAILED_PRECONDITION,
        reason="PRINCIPAL_MISMATCH",
        what="a duplicate that expects another principal",
    )


@requirement("identity/expected-principal-required")
def test_a_submission_says_whom_it_expects(story: Story) -> None:
    """Leaves expected_principal empty: INVALID_ARGUMENT, and nothing is done."""
    phone = story.device()
    operation = phone.add(story.sku())
    story.expect_status(
        partial(phone.connection.submit, phone.request(operation, principal="")),
        grpc.StatusCode.INVALID_ARGUMENT,
        what="a submission without expected_principal",
    )
    expect_untouched(story, phone)


@requirement("identity/control-hidden")
def test_the_public_listener_does_not_answer_control_calls(story: Story) -> None:
    """Calls every method of the control service on the public port, with credential and secret: none is there."""
    service = control_pb2.DESCRIPTOR.services_by_name["ControlService"]
    secret = story.target.options.control_secret
    metadata: tuple[tuple[str, str | bytes], ...] = (("authorization", story.shop.credential()),)
    metadata += (("cartsync-control-secret", secret),) if secret else ()
    with story.target.channel() as channel:
        for method in service.methods:
            call: grpc.UnaryUnaryMultiCallable[Message, bytes] = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=bytes,
            )
            request = message_factory.GetMessageClass(method.input_type)()
            try:
                call(request, timeout=2.0, metadata=metadata)
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            story.expect(
                code in _CLOSED_DOORS,
                f"the public listener answers ControlService.{method.name}",
                expected="UNIMPLEMENTED",
                observed=code.name,
            )


@requirement("identity/control-hidden")
def test_the_public_listener_does_not_list_the_control_service(story: Story) -> None:
    """Asks the public port's reflection, where there is one, for its services: the control service is not listed."""
    hidden = control_pb2.DESCRIPTOR.services_by_name["ControlService"].full_name
    with story.target.channel() as channel:
        listed = _listed_services(channel, (("authorization", story.shop.credential()),))
    story.expect(
        hidden not in listed,
        "the public listener lists the conformance control service",
        expected=f"no {hidden}",
        observed=", ".join(listed),
    )


def _listed_services(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...]) -> list[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    try:
        answers = list(stub.ServerReflectionInfo(iter([request]), timeout=5.0, metadata=metadata))
    except grpc.RpcError:
        return []  # reflection is nobody's duty
    return [service.name for answer in answers for service in answer.list_services_response.service]


def _calls(
    story: Story, device: Device, operation: operation_pb2.CartOperation
) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "SubmitOperations", partial(device.submit, operation)
    yield "GetCart", device.read_cart
    yield "LookupOutcomes", partial(device.lookup, 1, 1)
    yield "GetSyncPolicy", device.connection.policy
    yield from reads_by_profile(story, device).items()
    if "guest_claim" in story.policy.profiles:
        yield "IssueClaimToken", device.connection.claim_token


def _under_the_same_names(story: Story, device: Device, name: str) -> Device:
    """A device of another principal with the same queue id and cart id."""
    other = story.device(name, cart_id=device.cart_id, principal=f"{story.principal_name}-{name}")
    other.queue_id = device.queue_id
    return other
