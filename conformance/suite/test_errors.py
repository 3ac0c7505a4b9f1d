"""Spec 2.2: the status errors that end a call, and what they carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import grpc
from cartsync.v1 import service_pb2

from conformance.suite.marks import requirement
from conformance.suite.wrong import wrong_submissions
from conformance.wire.device import Device
from conformance.wire.story import Story

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@requirement("errors/error-info")
def test_every_error_says_why_to_a_program(story: Story) -> None:
    """Provokes each status error in each call: ErrorInfo with domain cartsync.v1 and the reason of the table."""
    phone = story.device()
    stranger = phone.over(story.connect_with(""))
    elsewhere = phone.over(phone.connection)
    elsewhere.store_id = "another store"
    wrong = [(name, call) for name, call, _ in _wrong_requests(story, phone)]
    operation = phone.log[0]
    for code, reason, calls in (
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID", _every_call(stranger)),
        (grpc.StatusCode.FAILED_PRECONDITION, "STORE_CHANGED", _every_call(elsewhere)[:-1]),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "PRINCIPAL_MISMATCH",
            [("SubmitOperations", partial(phone.connection.submit, phone.request(operation, principal="somebody")))],
        ),
        (INVALID, "REQUEST_INVALID", wrong),
    ):
        for name, call in calls:
            story.expect_status(call, code, reason=reason, what=name)


@requirement("errors/field-path")
def test_every_wrong_field_is_named_by_its_path(story: Story) -> None:
    """Breaks one field of a request after another: BadRequest names it by its path from the request, first."""
    phone = story.device()
    for name, call, fields in _wrong_requests(story, phone):
        failure = story.expect_status(call, INVALID, what=name)
        first = failure.fields[0] if failure.fields else ""
        story.expect(
            first in fields,
            f"the INVALID_ARGUMENT of {name} names the field {first or '(none)'}",
            expected=" or ".join(fields),
            observed=", ".join(failure.fields),
        )


def _every_call(device: Device) -> list[tuple[str, Callable[[], object]]]:
    return [
        ("SubmitOperations", partial(device.submit, device.discard_of(device.add("tea")))),
        ("GetCart", device.read_cart),
        ("LookupOutcomes", partial(device.lookup, 1, 1)),
        ("GetSyncPolicy", device.connection.policy),
    ]


def _wrong_requests(story: Story, phone: Device) -> Iterator[tuple[str, Callable[[], object], tuple[str, ...]]]:
    """Requests with one thing wrong: in words, as a call, and the paths that name it."""
    connection = phone.connection
    for wrong in wrong_submissions(phone, story.sku()):
        yield wrong.name, partial(connection.submit, wrong.request(phone)), (wrong.field,)
    operation = phone.log[0]
    no_principal = phone.request(operation, principal="")
    yield "a submission without principal", partial(connection.submit, no_principal), ("expected_principal",)

    nowhere = phone.over(connection)
    nowhere.queue_id = phone.queue_id[:-1]
    yield "a submission for no queue", partial(nowhere.submit, operation), ("queue_id",)
    yield "a look-up of no queue", partial(nowhere.lookup, 1, 1), ("queue_id",)
    yield "GetCart with a malformed queue", nowhere.read_cart, ("queue_id",)
    for cart_id in ("", "a cart", "c" * 65):
        request = service_pb2.GetCartRequest(cart_id=cart_id)
        yield f"GetCart of cart {cart_id[:6]!r}", partial(connection.get_cart, request), ("cart_id",)
    # The range as a whole is wrong where its ends do not fit together, so either end may be named.
    ends = ("last_sequence", "first_sequence")
    limit = story.policy.max_submission_operation_count
    yield "a look-up from 0", partial(phone.lookup, 0, 1), ("first_sequence",)
    yield "an inverted look-up", partial(phone.lookup, 3, 2), ends
    yield "a look-up that is too long", partial(phone.lookup, 1, limit + 1), ends
