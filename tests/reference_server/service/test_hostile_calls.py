from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import guest_claim_pb2, operation_pb2, service_pb2
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from live_server import Live, config_in, refused, running, states
from raw_http2 import called, has_status, message

from reference_server.clock import SystemClock
from reference_server.credentials import DevelopmentCredentials
from reference_server.logs import JsonLines, WithoutMetadata
from reference_server.service.call_limits import CallLimits
from reference_server.service.callers import Callers
from reference_server.service.errors import CallError

POLICY_PATH = "/cartsync.v1.CartSyncService/GetSyncPolicy"
SUBMIT_PATH = "/cartsync.v1.CartSyncService/SubmitOperations"
CARD_NUMBER = "4111 1111 1111 1111"
UNAUTHENTICATED, INVALID_ARGUMENT = 16, 3


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that any logger says, in the form of the server's log."""
    lines = StringIO()
    handler = JsonLines(lines)
    handler.addFilter(WithoutMetadata())
    root, server = logging.getLogger(), logging.getLogger("cartsync.server")
    level = server.level
    root.addHandler(handler)
    server.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    server.setLevel(level)


def codes(lines: StringIO) -> list[str]:
    return [entry["code"] for entry in map(json.loads, lines.getvalue().splitlines()) if entry["event"] == "call"]


# Credentials.


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer dev:"],
        [b"Basic ZGV2OmFubg=="],
        [b"dev:ann"],
        [b"Bearer dev:ann", b"Bearer dev:ann"],
        [b"Bearer dev:ann, Bearer dev:bob"],
        [b"Bearer dev:ann\0"],
        [b"Bearer dev:ann\n"],
        [b"Bearer dev:\xc3\xa9mile"],
        [b"Bearer dev:ann\xff\xfe"],
        [b"\xff" * 100],
        [b"Bearer " + b"x" * 5_000],
        [b"Bearer " + b"x" * 30_000],
    ],
    ids=lambda values: f"{len(values)}-{values[0][:18]!r}-{len(values[0])}" if values else "none",
)
async def test_whatever_is_no_credential_is_unauthenticated_and_is_not_logged(
    live: Live, logged: StringIO, authorization: list[bytes]
) -> None:
    answer = await called(live.server.address, POLICY_PATH, authorization, message(b""))
    assert has_status(answer, UNAUTHENTICATED)
    assert codes(logged) == ["UNAUTHENTICATED"]
    for value in authorization:
        token = value.removeprefix(b"Bearer ").removeprefix(b"Basic ").rstrip(b"\0\n\xff\xfe")
        if len(token) > 4 and token != b"Bearer":
            assert token not in answer
            assert token.decode("utf-8", "replace") not in logged.getvalue()


@given(st.lists(st.tuples(st.just("authorization"), st.text() | st.binary()), max_size=3))
def test_no_metadata_makes_admitting_fail_otherwise_than_by_refusing(metadata: list[tuple[str, str | bytes]]) -> None:
    callers = Callers(DevelopmentCredentials(), SystemClock())
    if callers.token(metadata) is not None and "dev:" in str(metadata):
        return
    with pytest.raises(CallError) as caught:
        callers.admit(metadata)
    assert caught.value.reason == "CREDENTIAL_INVALID"


async def test_an_expired_credential_opens_nothing_and_a_new_one_goes_on_with_the_queue(live: Live) -> None:
    ann = live.shopper()
    issued = await live.control.IssueCredential(
        control_pb2.IssueCredentialRequest(principal="ann", lifetime=Duration(seconds=600))
    )
    ann.authorization = issued.authorization
    first, second = ann.add(), ann.add()
    assert states(await ann.submit(first)) == ["APPLIED"]
    await live.control.AdvanceClock(control_pb2.AdvanceClockRequest(duration=Duration(seconds=600)))
    for call in (ann.submit(second), ann.cart(), ann.lookup(1, 1)):
        with refused() as refusal:
            await call
        assert refusal.row == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
        assert issued.authorization.removeprefix("Bearer ") not in refusal.message
    ann.authorization = (
        await live.control.IssueCredential(control_pb2.IssueCredentialRequest(principal="ann"))
    ).authorization
    answer = await ann.submit(first, second)
    assert states(answer) == ["APPLIED", "APPLIED"]
    assert [result.replayed for result in answer.results] == [True, False]


# Frames.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0\0\0\0\x05abc",
        b"\1\0\0\0\x03abc",
        message(b"\xff\xff\xff"),
        message(b"\x0a\xff\xff\xff\xff\x0f"),
        b"\0\xff\xff\xff\xff",
        b"\0\x10\0\0\0abc",
        b"\xff" * 1000,
    ],
    ids=repr,
)
async def test_what_is_no_message_ends_its_call_with_an_error_and_the_server_goes_on(
    live: Live, logged: StringIO, body: bytes
) -> None:
    answer = await called(live.server.address, SUBMIT_PATH, [b"Bearer dev:ann"], body)
    assert not has_status(answer, 0)
    assert "INTERNAL" not in codes(logged)
    ann = live.shopper()
    assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0
    assert states(await ann.submit(ann.add())) == ["APPLIED"]


@pytest.mark.parametrize("method", ["SubmitOperations", "WatchCart", "GetCart"])
async def test_bytes_that_do_not_decode_are_an_argument_error_of_every_method(live: Live, method: str) -> None:
    call: Any = live.channel.unary_stream(f"/cartsync.v1.CartSyncService/{method}")
    with refused() as refusal:
        await call(b"\xff\xff\xff", metadata=live.shopper().metadata).read()
    assert (refusal.row, refusal.field) == ((grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"), "request")


async def test_an_oversized_message_is_refused_and_others_are_answered(live: Live) -> None:
    ann = live.shopper()
    call: Any = live.channel.unary_unary(SUBMIT_PATH)
    with refused() as refusal:
        await call(b"\0" * 5_000_000, metadata=ann.metadata)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.retry_seconds is None
    assert states(await ann.submit(ann.add())) == ["APPLIED"]


async def test_a_message_that_is_small_on_the_wire_and_huge_unpacked_is_refused(live: Live) -> None:
    ann = live.shopper()
    call: Any = live.channel.unary_unary(SUBMIT_PATH)
    with refused() as refusal:
        await call(b"\0" * 50_000_000, metadata=ann.metadata, compression=grpc.Compression.Gzip)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert states(await ann.submit(ann.add())) == ["APPLIED"]


# Secrets.


async def test_no_secret_of_a_shopper_is_in_the_log(live: Live, logged: StringIO) -> None:
    guest, ann = live.shopper("guest-1"), live.shopper("ann")
    token = (
        await live.guests.IssueClaimToken(guest_claim_pb2.IssueClaimTokenRequest(), metadata=guest.metadata)
    ).claim_token
    name = "5e6f7a80-1b2c-4d3e-8f90-a1b2c3d4e5f6"
    good_card, bad_card = ann.card(name, "demo-visa-4242"), ann.card(name, "demo-visa-4242")
    bad_card.operation.save_payment_method.label = CARD_NUMBER
    answer = await ann.submit(
        good_card,
        bad_card,
        ann.draft(claim_guest_cart={"claim_token": token, "guest_cart_id": "cart", "cart_id": "cart"}),
        ann.address(name, CARD_NUMBER),
        ann.draft(apply_coupon={"cart_id": "cart", "coupon_code": CARD_NUMBER}),
    )
    assert states(answer)[:2] == ["APPLIED", "REJECTED"]
    assert CARD_NUMBER.encode() not in answer.SerializeToString()
    assert "ann" in logged.getvalue()
    for secret in (token, token.split(".")[-1], "demo-visa-4242", "dev:", "High Street", *CARD_NUMBER.split()):
        assert secret not in logged.getvalue()


# Floods.


def test_a_principal_holds_so_many_calls_and_streams_and_no_more() -> None:
    limits = CallLimits(max_calls=3, max_streams=1)
    with limits.holding("ann", is_stream=True), limits.holding("ann", is_stream=False):
        with pytest.raises(CallError), limits.holding("ann", is_stream=True):
            raise AssertionError("a second stream")
        with limits.holding("ann", is_stream=False), pytest.raises(CallError), limits.holding("ann", is_stream=False):
            raise AssertionError("a fourth call")
        with limits.holding("bob", is_stream=True):
            pass
    with limits.holding("ann", is_stream=True):
        pass


def test_what_was_counted_is_forgotten_when_it_has_ended() -> None:
    limits = CallLimits(max_calls=1, max_streams=1)
    for number in range(100):
        with limits.holding(f"principal-{number}", is_stream=number % 2 == 0):
            pass
    assert not limits._calls
    assert not limits._streams


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Live]:
    """A server that lets each principal have four calls, two of them streams."""
    async with running(config_in(tmp_path, max_calls=4, max_streams=2)) as server:
        yield server


async def test_a_call_beyond_the_limit_is_refused_with_a_delay_and_others_are_served(tmp_path: Path) -> None:
    async with running(config_in(tmp_path, max_calls=1, max_streams=1)) as live:
        mallory, bob = live.shopper("mallory"), live.shopper("bob")
        await live.control.SetFailPoint(
            control_pb2.SetFailPointRequest(
                principal="mallory",
                fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
                action=control_pb2.FAIL_ACTION_HOLD,
            )
        )
        held = asyncio.ensure_future(mallory.submit(mallory.add()))
        await live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal="mallory"))
        with refused() as refusal:
            await mallory.lookup(1, 1)
        assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.0)
        assert states(await bob.submit(bob.add())) == ["APPLIED"]
        await live.control.ReleaseFailPoints(control_pb2.ReleaseFailPointsRequest(principal="mallory"))
        assert states(await held) == ["APPLIED"]
        assert (await mallory.lookup(1, 1)).queue.decided_through_sequence == 1


async def test_streams_beyond_the_limit_are_refused_and_calls_go_on(narrow: Live) -> None:
    ann, bob = narrow.shopper("ann"), narrow.shopper("bob")
    request = service_pb2.WatchCartRequest(cart_id="cart")
    sync: Any = narrow.calls.Sync(metadata=ann.metadata)
    await sync.write(ann.hello())
    assert (await sync.read()).HasField("welcome")
    watch: Any = narrow.calls.WatchCart(request, metadata=ann.metadata)
    await watch.read()
    for stream in (narrow.calls.WatchCart(request, metadata=ann.metadata), narrow.calls.Sync(metadata=ann.metadata)):
        refusing: Any = stream
        with refused() as refusal:
            await refusing.read()
        assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.0)
    assert states(await ann.submit(ann.add())) == ["APPLIED"]
    theirs: Any = narrow.calls.WatchCart(request, metadata=bob.metadata)
    assert (await theirs.read()).cart.revision == 0
    for stream in (sync, watch, theirs):
        stream.cancel()


async def test_while_one_principal_floods_the_operations_of_another_are_decided(narrow: Live) -> None:
    mallory, bob = narrow.shopper("mallory"), narrow.shopper("bob")
    answered: list[grpc.StatusCode] = []

    async def flood() -> None:
        while True:
            try:
                await mallory.lookup(1, 100)
                answered.append(grpc.StatusCode.OK)
            except grpc.aio.AioRpcError as error:
                answered.append(error.code())

    async with grpc.aio.insecure_channel(str(narrow.server.address)) as other:
        mallory.live = Live(narrow.server, other, type(narrow.calls)(other), narrow.control)
        floods = [asyncio.ensure_future(flood()) for _ in range(50)]
        try:
            async with asyncio.timeout(30):
                for _ in range(10):
                    assert states(await bob.submit(bob.add())) == ["APPLIED"]
        finally:
            for task in floods:
                task.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
    assert set(answered) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert await bob.quantity() == 10


async def test_after_all_this_what_was_confirmed_is_still_there(live: Live) -> None:
    ann = live.shopper()
    attempt = ann.add(2)
    confirmed = await ann.submit(attempt)
    for body in (b"", b"\xff" * 100, message(b"\xff" * 100), b"\0\xff\xff\xff\xff"):
        await called(live.server.address, SUBMIT_PATH, [b"Bearer dev:ann"], body)
    unknown = operation_pb2.OperationAttempt()
    with refused():
        await ann.submit(unknown)
    again = await ann.submit(attempt)
    assert again.results[0].outcome == confirmed.results[0].outcome
    assert await ann.quantity() == 2


def test_the_clock_that_judges_credentials_can_be_any() -> None:
    class Fixed:
        def now(self) -> datetime:
            return datetime(2026, 1, 1, tzinfo=UTC)

    assert Callers(DevelopmentCredentials(), Fixed()).now().year == 2026
