"""Checks of spec 14.1 and 14.2: credentials come and go, queues stay; what is another's does not exist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import grpc
import pytest
from cartsync.v1 import (
    address_book_pb2,
    payment_methods_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.message import Message

from conformance.suite.addresses import HOME
from conformance.suite.evidence import expect_untouched
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.suite.reads import reads_by_profile
from conformance.wire import Connection, Device, Story

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@requirement("security/expired-credential")
def test_an_expired_credential_opens_nothing(story: Story) -> None:
    """Lets a credential expire: every call is refused, nothing is decided."""
    tea = story.sku()
    phone = story.device()
    expiring = story.connect_with(story.shop.credential(lifetime=timedelta(hours=1)), "expiring")
    old = phone.over(expiring)
    put_in_cart(story, old, tea, 2)
    story.shop.advance(timedelta(hours=2))
    late = phone.add(tea, 3)
    for what, call in _calls(story, expiring, phone).items():
        story.expect_status(
            call, UNAUTHENTICATED, reason="CREDENTIAL_INVALID", what=f"{what} with an expired credential"
        )
    if "streaming" in story.policy.profiles:
        stream = expiring.stream()
        stream.hello(phone.queue_id, phone.principal)
        story.expect_status(
            stream.hear, UNAUTHENTICATED, reason="CREDENTIAL_INVALID", what="Sync with an expired credential"
        )
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect_applied(phone.submit(late).only, slug="security/credential-renewed")


@requirement("security/expired-credential")
def test_a_credential_is_good_until_it_expires(story: Story) -> None:
    """Uses a credential shortly before its end, and one without an end long after."""
    tea = story.sku()
    endless = story.device()
    lasting = endless.over(story.connect_with(story.shop.credential(lifetime=timedelta(hours=3)), "lasting"))
    story.shop.advance(timedelta(hours=2))
    put_in_cart(story, lasting, tea, 1)
    story.shop.advance(timedelta(days=2))
    put_in_cart(story, endless, tea, 1)


@requirement("security/credential-renewed")
def test_a_queue_goes_on_under_another_credential(story: Story) -> None:
    """Drains half a queue, loses the answer to the last, lets the credential expire and goes on with a new one."""
    tea = story.sku()
    phone = story.device()
    for number in range(6):
        phone.add(tea, 1 + number)
    old = phone.over(story.connect_with(story.shop.credential(lifetime=timedelta(hours=1)), "old"))
    first = story.expect_applied(old.submit(phone.log[0]).only, slug="cart/add-adds")
    old.connection.submit(phone.request(phone.log[1]))  # and the answer never arrives
    story.shop.advance(timedelta(hours=2))
    story.expect_status(
        lambda: old.submit(*phone.log[2:]), UNAUTHENTICATED, slug="security/expired-credential", what="a submission"
    )
    phone.connection = story.connect("phone")
    answer = phone.submit(*phone.log)
    story.expect_replayed(answer.results[0], first)
    story.expect(answer.results[1].replayed, "a lost answer is not replayed under a new credential", observed=answer)
    for result in answer.results[2:]:
        story.expect_applied(result)
    story.expect_lines(phone.cart(), {tea: 21})


HOSTILE: dict[str, Callable[[str], str]] = {
    "empty": lambda _: " ",
    "no token": lambda good: good.split(" ")[0] + " ",
    "no scheme": lambda good: good.partition(" ")[2] or "x",
    "another scheme": lambda good: f"Basic {good.partition(' ')[2]}",
    "cut short": lambda good: good[:-1],
    "prolonged": lambda good: f"{good}A",
    "overlong": lambda _: f"Bearer {'a' * 7_000}",
    "quoted": lambda good: f'Bearer "{good.partition(" ")[2]}"',
    "statement": lambda _: "Bearer ' OR '1'='1",
    "two in one": lambda good: f"{good}, {good}",
    "path": lambda _: "Bearer ../../etc/passwd",
}


@requirement("security/hostile-credential")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_credential_that_is_none_is_refused(story: Story, kind: str) -> None:
    """Submits and reads with authorization metadata that was never issued."""
    phone = story.device()
    phone.add(story.sku(), 1)
    stranger = story.connect_with(HOSTILE[kind](story.shop.credential()))
    for what, call in _calls(story, stranger, phone).items():
        story.expect_status(
            call, UNAUTHENTICATED, reason="CREDENTIAL_INVALID", what=f"{what} with a hostile credential"
        )
    expect_untouched(story, phone)


@requirement("security/hostile-credential")
def test_two_credentials_at_once_are_none(story: Story) -> None:
    """Sends the authorization metadata twice: two good ones of two principals open neither."""
    phone = story.device()
    other = story.shop.credential(f"other-{story.tag}")
    twice = story.connect_with(story.shop.credential(), "twice", also=other)
    for what, call in _calls(story, twice, phone).items():
        story.expect_status(call, UNAUTHENTICATED, reason="CREDENTIAL_INVALID", what=f"{what} with two credentials")


@requirement("security/credential-not-shown")
def test_no_answer_and_no_error_shows_a_credential(story: Story) -> None:
    """Looks for the credential in answers, in errors of good calls gone wrong, and in refusals of bad ones."""
    tea = story.sku()
    phone = story.device()
    good = story.shop.credential()
    connection = story.connect_with(good, "good")
    secret = good.partition(" ")[2] or good
    put_in_cart(story, phone.over(connection), tea, 1)
    answers: list[Message] = [
        connection.policy(),
        connection.submit(phone.request(*phone.log)),
        connection.get_cart(service_pb2.GetCartRequest(cart_id="main", queue_id=phone.queue_id)),
    ]
    told = [str(answer) for answer in answers]
    bad_request = phone.request(*phone.log)
    bad_request.queue_id = "queue"
    told.append(str(_failure(story, lambda: connection.submit(bad_request), grpc.StatusCode.INVALID_ARGUMENT)))
    wrong = story.connect_with(f"{good}A", "wrong")
    told.append(str(_failure(story, wrong.policy, UNAUTHENTICATED)))
    for text in told:
        story.expect(secret not in text, "a credential is shown", expected="nothing of it", observed=text[:200])


def _failure(story: Story, call: Callable[[], object], code: grpc.StatusCode) -> tuple[object, ...]:
    failure = story.expect_status(call, code, slug="errors/error-info")
    return failure.message, failure.metadata, failure.fields, failure.reason


@requirement("security/nothing-detectable")
def test_what_is_anothers_is_answered_as_what_is_nobodys(story: Story) -> None:
    """Reads, looks up and edits another principal's things, and the same things under names nobody uses."""
    tea = story.sku()
    phone = story.device()
    has = set(story.policy.profiles)
    put_in_cart(story, phone, tea, 2)
    address_id, method_id = phone.new_key(), phone.new_key()
    if "address_book" in has:
        story.expect_applied(phone.submit(phone.put_address(address_id, HOME)).only, slug="address/create")
    if "payment_methods" in has:
        token = f"tok-{story.tag}"
        story.shop.payment_token(token)
        saved = phone.submit(phone.save_payment_method(method_id, token)).only
        story.expect_applied(saved, slug="payment/save")
    stranger = story.device("stranger", principal=f"other-{story.tag}")
    asked = [_asked(stranger, tea, phone.cart_id, phone.queue_id, address_id, method_id, has)]
    nobodys = [stranger.new_key() for _ in range(3)]
    twin = story.device("nobody", principal=f"third-{story.tag}")
    asked.append(_asked(twin, tea, "nobodys", nobodys[0], nobodys[1], nobodys[2], has))
    for mine, theirs in zip(*asked, strict=True):
        story.expect(
            mine == theirs,
            "what belongs to another principal is answered otherwise than what does not exist",
            expected=theirs,
            observed=mine,
        )
    story.expect_lines(phone.cart(), {tea: 2})


def _asked(
    device: Device, sku: str, cart_id: str, queue_id: str, address_id: str, method_id: str, has: set[str]
) -> list[str]:
    """What a principal is answered about these names, without the names and the times."""
    connection = device.connection
    twin = Device("twin", connection, device.principal, cart_id, device.rng, queue_id=queue_id, venue=device.venue)
    answers: list[Message] = [
        connection.get_cart(service_pb2.GetCartRequest(cart_id=cart_id, queue_id=queue_id)),
        connection.lookup(service_pb2.LookupOutcomesRequest(queue_id=queue_id, first_sequence=1, last_sequence=3)),
        connection.submit(twin.request(twin.set(sku, 1))),
        connection.submit(twin.request(twin.remove(sku))),
    ]
    if "wishlist" in has:
        answers.append(connection.list_wishlist(wishlist_pb2.ListWishlistRequest(queue_id=queue_id)))
    if "address_book" in has:
        answers.append(connection.submit(twin.request(twin.put_address(address_id, HOME, base=1))))
        answers.append(connection.submit(twin.request(twin.delete_address(address_id))))
        answers.append(connection.list_addresses(address_book_pb2.ListAddressesRequest(queue_id=queue_id)))
    if "payment_methods" in has:
        answers.append(connection.submit(twin.request(twin.delete_payment_method(method_id))))
        request = payment_methods_pb2.ListPaymentMethodsRequest(queue_id=queue_id)
        answers.append(connection.list_payment_methods(request))
    names = (cart_id, queue_id, address_id, method_id, *(operation.idempotency_key for operation in twin.log))
    return [_without(answer, names) for answer in answers]


def _without(message: Message, names: tuple[str, ...]) -> str:
    lines, skipping = [], 0
    for line in str(message).splitlines():
        if line.strip().endswith("_time {") or skipping:
            skipping += line.count("{") - line.count("}")
            continue
        lines.append(line)
    text = "\n".join(lines)
    for place, name in enumerate(names):
        text = text.replace(name, f"<name {place}>")
    return text


def _calls(story: Story, connection: Connection, phone: Device) -> dict[str, Callable[[], object]]:
    return {
        "GetSyncPolicy": connection.policy,
        "SubmitOperations": lambda: connection.submit(phone.request(*phone.log[-1:])),
        "GetCart": lambda: connection.get_cart(service_pb2.GetCartRequest(cart_id=phone.cart_id)),
        "LookupOutcomes": lambda: connection.lookup(
            service_pb2.LookupOutcomesRequest(queue_id=phone.queue_id, first_sequence=1, last_sequence=1)
        ),
        **reads_by_profile(story, phone.over(connection)),
    }
