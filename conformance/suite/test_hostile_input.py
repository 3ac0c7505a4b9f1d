"""Checks of spec 14.3: what hostile or broken clients send does no harm to the server, nor to anybody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import grpc
import pytest
from cartsync.v1 import operation_pb2, reason_pb2, service_pb2

from conformance.exceptions import ViolationError
from conformance.suite.addresses import HOME, book_of, changed
from conformance.suite.evidence import expect_processed, expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, PendingCall, RpcFailureError, Story

SERVICE = "cartsync.v1.CartSyncService"
# What the transport or the server may say of a request that is none.
BAD_CALL = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DATA_LOSS,
)
FRAMES: dict[str, bytes] = {
    "a length beyond the end": b"\x0a\x7f\x01",
    "an endless number": b"\x10" + b"\xff" * 11,
    "a group without end": b"\x0b\x0b\x0b",
    "a wire type that is none": b"\x0f",
    "field number zero": b"\x02\x00",
    "a text that is no UTF-8": b"\x12\x04\xff\xfe\xfd\xfc",
    "noise": bytes(range(255, 0, -1)),
    "deep nesting": b"\x22\xfa\xff\x03" * 64,
}
METHODS = ("SubmitOperations", "GetCart", "LookupOutcomes")
NASTY = {
    "markup": "<img src=x onerror=alert(1)>",
    "statement": "x'; DELETE FROM lines; --",
    "format": "%s%n{0}${jndi:ldap://x}",
    "path": "../../../../etc/passwd",
    "right to left": "\u202egpj.exe\u202c",
    "zero widths": "te\u200ba\u2060x\ufeff",
    "beyond the basic plane": "\U0001d4c9\U0001f375",
    "combining": "te\u0301a\u030a\u0301",
    "noncharacter": "tea\ufffe",
    "quotes": "'\"`\u201d\\",
    "line separator": "a\u2028b\u2029c",
}


@requirement("security/malformed-frame")
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_what_is_no_message_does_nothing(story: Story, frame: bytes) -> None:
    """Sends bytes that are no message to each call: each ends with an error, and the next call is answered."""
    tea = story.sku()
    phone = story.device()
    operation, _ = put_in_cart(story, phone, tea, 2)
    for method in METHODS:
        _expect_bad(story, partial(phone.connection.call_encoded, f"{SERVICE}/{method}", frame), method)
    expect_processed(story, phone, [operation], {tea: 2})
    put_in_cart(story, phone, tea, 1)


@requirement("security/malformed-frame")
def test_a_submission_cut_short_does_nothing(story: Story) -> None:
    """Sends a good submission of two operations less its last byte: an error, and neither is decided."""
    tea = story.sku()
    phone = story.device()
    operations = phone.add(tea, 2), phone.add(tea, 3)
    encoded = phone.request(*operations).SerializeToString()
    call = f"{SERVICE}/SubmitOperations"
    _expect_bad(story, lambda: phone.connection.call_encoded(call, encoded[:-1]), "a submission cut short")
    expect_untouched(story, phone)
    for result in phone.submit(*operations).results:
        story.expect_applied(result, slug="cart/add-adds")


@requirement("security/oversized-frame")
@pytest.mark.parametrize("factor", [2, 5])
def test_a_request_far_too_large_does_nothing(story: Story, factor: int) -> None:
    """Sends a submission of several times the accepted size: an error, or rejected as too large, and no harm done."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    operation = phone.add(tea, 2)
    operation.session_context.client_name = "x" * (factor * story.policy.max_submission_bytes)
    request = phone.request(operation)
    taken = _taken(story, lambda: phone.connection.submit(request))
    put_in_cart(story, tablet, tea, 1)
    if taken is not None:
        story.expect_refused(taken.results[0], reason_pb2.REASON_OPERATION_TOO_LARGE)
        return
    story.reconnect(phone)
    _expect_nothing_decided(story, phone)


def _expect_nothing_decided(story: Story, phone: Device) -> None:
    """Expect that nothing of the queue is decided, whatever others did to the cart."""
    watermark = phone.lookup(1, 1).queue.decided_through_sequence
    story.expect(watermark == 0, "something of a refused submission is decided", observed=watermark)


@requirement("security/hostile-text")
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_a_text_that_is_allowed_is_kept_exactly(story: Story, text: str) -> None:
    """Uses hostile texts as SKU, session context, coupon code, wish and address: given back exactly, or refused."""
    phone = story.device()
    has = set(story.policy.profiles)
    sku = f"{text}-{story.tag}"
    story.shop.offer(sku, 100)
    operation = phone.add(sku, 2)
    operation.session_context.client_name = text
    operation.session_context.locale = text
    story.expect_applied(phone.submit(operation).only)
    story.expect_lines(phone.cart(), {sku: 2})
    if "coupons" in has:
        story.shop.promotion(sku, amount=1)
        story.expect_applied(phone.submit(phone.apply_coupon(sku)).only)
        story.expect(phone.cart().coupons[0].coupon_code == sku, "a coupon code is given back otherwise")
    if "wishlist" in has:
        story.expect_applied(phone.submit(phone.wish(sku)).only)
        story.expect([entry.sku for entry in phone.wishlist()] == [sku], "a wish is given back otherwise")
    if "address_book" in has:
        address = changed(HOME, recipient=text, address_lines=[text, text])
        address_id = phone.new_key()
        story.expect_applied(phone.submit(phone.put_address(address_id, address)).only)
        story.expect(book_of(phone) == {address_id: address}, "an address is given back otherwise")
    replayed = phone.submit(*phone.log).results
    story.expect(all(result.replayed for result in replayed), "a hostile text does not match itself", observed=replayed)


@requirement("security/flood")
def test_others_are_served_while_one_principal_floods(story: Story) -> None:
    """Floods the server from many connections of one principal; another one's operations are decided meanwhile."""
    tea = story.sku()
    flooder = f"flood-{story.tag}"
    victim = story.device("victim")
    put_in_cart(story, victim, tea, 1)
    calls = _flood(story, flooder, tea)
    try:
        for _ in range(10):
            _served(story, victim, tea)
    finally:
        for call in calls:
            call.cancel()
    story.expect_lines(victim.cart(), {tea: 11})


@requirement("security/flood")
def test_others_are_served_while_one_principal_holds_streams_open(story: Story) -> None:
    """Opens many streams and watches of one principal and leaves them; another one's operations are decided."""
    tea = story.sku()
    has = set(story.policy.profiles)
    flooder = f"flood-{story.tag}"
    victim = story.device("victim")
    connections = [story.connect("flood", flooder) for _ in range(4)]
    cuts: list[Callable[[], None]] = []
    for number in range(120):
        connection = connections[number % len(connections)]
        if "streaming" in has:
            stream = connection.stream()
            stream.hello(victim.new_key(), story.contract(flooder).principal)
            cuts.append(stream.cut)
        if "watch" in has:
            cuts.append(connection.watch(service_pb2.WatchCartRequest(cart_id="main")).cut)
    try:
        for _ in range(10):
            _served(story, victim, tea)
    finally:
        for cut in cuts:
            cut()
    story.expect_lines(victim.cart(), {tea: 10})


@requirement("security/still-there")
def test_hostile_calls_take_nothing_away(story: Story) -> None:
    """Confirms operations, sends every hostile frame, credential and size there is, and looks: all is as it was."""
    tea = story.sku()
    phone = story.device()
    recorded = [put_in_cart(story, phone, tea, quantity) for quantity in (1, 2, 3)]
    before = phone.cart()
    attacker = story.connect("attacker", f"bad-{story.tag}")
    nobody = story.connect_with("Bearer nobody")
    for frame in FRAMES.values():
        for connection in (attacker, nobody):
            for method in METHODS:
                _swallow(partial(connection.call_encoded, f"{SERVICE}/{method}", frame))
    for connection in (attacker, nobody):
        _swallow(partial(connection.submit, phone.request(*phone.log)))
        _swallow(partial(connection.submit, phone.request(phone.discard_of(phone.log[-1]))))
        _swallow(partial(connection.submit, _next_in_line(phone, tea)))
    huge = operation_pb2.CartOperation()
    huge.CopyFrom(phone.log[0])
    huge.session_context.client_name = "x" * (3 * story.policy.max_submission_bytes)
    _swallow(lambda: attacker.submit(phone.request(huge)))
    for operation, outcome in recorded:
        story.expect_replayed(phone.submit(operation).only, outcome)
    after = phone.cart()
    for cart in (before, after):
        cart.ClearField("price_time")
    story.expect(before == after, "hostile calls changed a cart", expected=before, observed=after)
    expect_processed(story, phone, phone.log, {tea: 6})


def _next_in_line(phone: Device, sku: str) -> service_pb2.SubmitOperationsRequest:
    """A removal that would be next in the device's queue, as somebody else would forge it; the log is left alone."""
    forged = phone.copy("forged")
    return forged.request(forged.remove(sku))


def _flood(story: Story, principal: str, sku: str) -> list[PendingCall]:
    """Submissions of a principal over several connections, sent without waiting for any answer."""
    devices = [story.device("flood", principal=principal, cart_id=f"flood-{number}") for number in range(8)]
    for device in devices:
        device.add(sku, 1)
        for _ in range(49):
            device.adjust(sku, 1)
    return [device.submit_later(*device.log) for _ in range(25) for device in devices]


def _served(story: Story, victim: Device, sku: str) -> None:
    operation = victim.add(sku, 1)
    try:
        story.expect_applied(victim.submit(operation).only)
    except RpcFailureError as failure:
        raise ViolationError(
            None,
            f"while another principal flooded the server, an operation was answered with {failure}",
            expected="APPLIED within 10 s",
            observed=str(failure),
        ) from failure


def _taken(
    story: Story, submit: Callable[[], service_pb2.SubmitOperationsResponse]
) -> service_pb2.SubmitOperationsResponse | None:
    """The answer to a submission that may be refused as a whole; None when it was."""
    try:
        return submit()
    except RpcFailureError as failure:
        story.expect(failure.code in BAD_CALL, f"an oversized submission ended with {failure}")
        return None


def _expect_bad(story: Story, call: Callable[[], object], what: str) -> None:
    try:
        answer = call()
    except RpcFailureError as failure:
        story.expect(
            failure.code in BAD_CALL, f"{what} that is no message ended with {failure}", observed=failure.code.name
        )
        return
    raise ViolationError(None, f"{what} that is no message was answered", expected="an error", observed=str(answer))


def _swallow(call: Callable[[], object]) -> None:
    try:
        call()
    except RpcFailureError:
        return
