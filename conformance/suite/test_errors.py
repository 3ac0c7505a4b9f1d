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
    for name, call, owner, _ in _wrong_requests(story, phone):
        story.expect_status(call, INVALID, reason="REQUEST_INVALID", what=name, slug=owner)
    mismatch = partial(phone.connection.submit, phone.request(phone.log[0], principal="somebody"))
    failed = grpc.StatusCode.FAILED_PRECONDITION
    for code, reason, owner, calls in (
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID", "identity/credential-required", _every_call(stranger)),
        (failed, "STORE_CHANGED", "store/changed-refused", _every_call(elsewhere)[:-1]),
        (failed, "PRINCIPAL_MISMATCH", "identity/expected-principal", [("SubmitOperations", mismatch)]),
    ):
        for name, call in calls:
            story.expect_status(call, code, reason=reason, what=name, slug=owner)


@requirement("errors/field-path")
def test_every_wrong_field_is_named_by_its_path(story: Story) -> None:
    """Breaks one field of a request after another: BadRequest names it by its path from the request, first."""
    phone = story.device()
    for name, call, owner, fields in _wrong_requests(story, phone):
        failure = story.expect_status(call, INVALID, what=name, slug=owner)
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


def _wrong_requests(story: Story, phone: Device) -> Iterator[tuple[str, Callable[[], object], str, tuple[str, ...]]]:
    """Requests with one thing wrong: in words, as a call, what refuses them, and the paths that name the field."""
    connection = phone.connection
    for wrong in wrong_submissions(phone, story.sku()):
        yield wrong.name, partial(connection.submit, wrong.request(phone)), wrong.slug, (wrong.field,)
    operation = phone.log[0]
    no_principal = partial(connection.submit, phone.request(operation, principal=""))
    yield (
        "a submission without principal",
        no_principal,
        "identity/expected-principal-required",
        ("expected_principal",),
    )
    nowhere = phone.over(connection)
    nowhere.queue_id = phone.queue_id[:-1]
    canonical = "submission/canonical-queue-id"
    yield "a submission for no queue", partial(nowhere.submit, operation), canonical, ("queue_id",)
    yield "a look-up of no queue", partial(nowhere.lookup, 1, 1), canonical, ("queue_id",)
    yield "GetCart with a malformed queue", nowhere.read_cart, "snapshot/arguments", ("queue_id",)
    for cart_id in ("", "a cart", "c" * 65):
        request = service_pb2.GetCartRequest(cart_id=cart_id)
        call = partial(connection.get_cart, request)
        yield f"GetCart of cart {cart_id[:6]!r}", call, "snapshot/arguments", ("cart_id",)
    # The range as a whole is wrong where its ends do not fit together, so either end may be named.
    ends = ("last_sequence", "first_sequence")
    limit = story.policy.max_submission_operation_count
    for words, first, last, fields in (
        ("from 0", 0, 1, ends[1:]),
        ("that is inverted", 3, 2, ends),
        ("that is too long", 1, limit + 1, ends),
    ):
        yield f"a look-up {words}", partial(phone.lookup, first, last), "lookup/range-checked", fields
