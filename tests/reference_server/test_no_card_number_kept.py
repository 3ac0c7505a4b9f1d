"""A card number in any text of any operation is in no byte that the server leaves behind (spec: section 14.4)."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import (
    address_book_pb2,
    operation_pb2,
    payment_methods_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from live_server import Live, Shopper, refused, submit_message
from server_process import started

NUMBER = "4111111111111111"
SPELLINGS = (
    NUMBER,
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "pay with 4111.1111.1111.1111, please",
    "".join(chr(0x0660 + int(digit)) for digit in NUMBER),
)
# Section 14.4: the rule is not for these; one that is well-formed is kept, whatever digits it has.
IDENTIFIERS = frozenset(
    {
        "idempotency_key",
        "previous_key",
        "discarded_key",
        "cart_id",
        "guest_cart_id",
        "sku",
        "address_id",
        "payment_method_id",
        "claim_token",
    }
)
# Neither identifiers nor texts: of a fixed form that a card number does not have.
FIXED_FORMS = frozenset({"currency_code", "paths"})
GBP = {"currency_code": "GBP", "minor_units": 339}
LINE = {"cart_id": "cart", "sku": "LANTERN-WHITE"}
EXACT = operation_pb2.QUANTITY_POLICY_EXACT
PLAIN: dict[str, dict[str, Any]] = {
    "add_item": {**LINE, "quantity": 1, "observed_unit_price": GBP, "max_unit_price": GBP, "quantity_policy": EXACT},
    "adjust_quantity": {**LINE, "delta": 1, "quantity_policy": EXACT},
    "set_quantity": {**LINE, "quantity": 1, "quantity_policy": EXACT},
    "remove_item": LINE,
    "apply_coupon": {"cart_id": "cart", "coupon_code": "TEA10"},
    "remove_coupon": {"cart_id": "cart", "coupon_code": "TEA10"},
    "add_to_wishlist": {"sku": "A"},
    "remove_from_wishlist": {"sku": "A"},
    "put_address": {
        "address_id": str(uuid.uuid4()),
        "update_mask": {"paths": ["recipient", "address_lines", "region_code"]},
        "address": {"recipient": "Ann", "address_lines": ["1 High Street"], "region_code": "GB"},
    },
    "delete_address": {"address_id": str(uuid.uuid4())},
    "save_payment_method": {
        "payment_method_id": str(uuid.uuid4()),
        "provider": "demo",
        "provider_token": "demo-visa-4242",
        "label": "mine",
    },
    "delete_payment_method": {"payment_method_id": str(uuid.uuid4())},
    "claim_guest_cart": {"claim_token": "no-token", "guest_cart_id": "cart", "cart_id": "cart"},
}
"""A good intent of every kind but discards, which have no text of their own."""

Names = tuple[str, ...]


def texts(kind: Descriptor) -> Iterator[Names]:
    """The path of every string of a message, messages within it included."""
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (field.name,)
        elif field.message_type is not None and field.message_type.file.package != "google.protobuf":
            yield from ((field.name, *path) for path in texts(field.message_type))
        elif field.message_type is not None and field.message_type.name == "FieldMask":
            yield (field.name, "paths")


def places() -> list[tuple[str, Names]]:
    """Every string of every operation: the kind of its intent, and the path from the operation."""
    kinds = operation_pb2.CartOperation.DESCRIPTOR.oneofs_by_name["intent"].fields
    own = [path for path in texts(operation_pb2.CartOperation.DESCRIPTOR) if path[0] not in {k.name for k in kinds}]
    found = []
    for kind in kinds:
        assert kind.message_type is not None
        found += [(kind.name, path) for path in own]
        found += [(kind.name, (kind.name, *path)) for path in texts(kind.message_type)]
    return found


def fields_of(kind: str, path: Names, text: str) -> dict[str, Any]:
    """The fields of an operation of a kind with a text planted somewhere, for `Shopper.draft`."""
    operation = operation_pb2.CartOperation(**{kind: PLAIN[kind]})  # type: ignore[arg-type]  # the kinds are all there
    message: Any = operation
    for name in path[:-1]:
        message = getattr(message, name)
    if isinstance(getattr(message, path[-1]), str):
        setattr(message, path[-1], text)
    else:
        getattr(message, path[-1]).append(text)
    planted = {field.name: value for field, value in operation.ListFields()}
    return {**planted, kind: getattr(operation, kind)}


def planted(spelling: str) -> Iterator[dict[str, Any]]:
    """The fields of operations of every kind, each with the number in one of its texts."""
    for kind, path in places():
        if kind != "discard" and path[-1] not in IDENTIFIERS | FIXED_FORMS:
            yield fields_of(kind, path, spelling)


def misplaced(spelling: str) -> Iterator[dict[str, Any]]:
    """The same for identifiers that are malformed for it, and for what has a fixed form."""
    for kind, path in places():
        if kind != "discard" and path[-1] in IDENTIFIERS | FIXED_FORMS and len(path) > 1:
            yield fields_of(kind, path, f" {spelling} ")


def digits_of(text: str) -> str:
    return "".join(str(int(character)) for character in text if character.isdecimal())


def test_an_intent_of_every_kind_is_planted_with_numbers() -> None:
    kinds = operation_pb2.CartOperation.DESCRIPTOR.oneofs_by_name["intent"].fields
    assert {*PLAIN, "discard"} == {kind.name for kind in kinds}
    reached = {path for _, path in places()}
    assert {path[-1] for path in reached} >= IDENTIFIERS | FIXED_FORMS
    assert ("put_address", "address", "address_lines") in reached
    assert ("session_context", "client_name") in reached


async def reads(live: Live, shopper: Shopper) -> list[Message]:
    """Everything that the shopper can read."""
    metadata = shopper.metadata
    wishes, book = wishlist_pb2.ListWishlistRequest(), address_book_pb2.ListAddressesRequest()
    methods = payment_methods_pb2.ListPaymentMethodsRequest()
    return [
        await live.wishlist.ListWishlist(wishes, metadata=metadata),
        await live.address_book.ListAddresses(book, metadata=metadata),
        await live.payment_methods.ListPaymentMethods(methods, metadata=metadata),
        await shopper.lookup(1, shopper.sequence),
        await shopper.cart(),
        await live.control.ListEffects(control_pb2.ListEffectsRequest(principal=shopper.principal)),
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_planted_card_number_is_refused_and_in_no_file_log_or_answer(tmp_path: Path, spelling: str) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    answers: list[Message] = []
    async with started(data, "--control-listen", "127.0.0.1:0", "--log-level", "debug", log=log) as server:
        live = server.live
        ann = live.shopper()
        await ann.submit(ann.add(), ann.wish("SKU"))
        attempts = [ann.draft(**fields) for fields in planted(spelling)]
        assert len(attempts) > 60
        answer = await ann.submit(*attempts)
        answers += [answer, await ann.submit(*attempts)]
        assert reasons(answer) == {"REASON_CARD_NUMBER_REFUSED"}
        wrong = [ann.draft(**fields) for fields in misplaced(spelling)]
        assert len(wrong) > 20
        answers += [malformed := await ann.submit(*wrong), await ann.submit(*wrong)]
        assert reasons(malformed) == {"REASON_MALFORMED"}
        stream: Any = live.calls.Sync(metadata=ann.metadata)
        await stream.write(ann.hello())
        await stream.read()
        await stream.write(submit_message(attempts[0], *attempts[1:]))
        answers.append(await stream.read())
        await stream.done_writing()
        answers += await failing(live, spelling)
        told = await told_in_errors(live, spelling)
        await live.control.SaveStore(control_pb2.SaveStoreRequest(name="kept"))
        answers += await reads(live, ann)
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL
    kept = {file: file.read_bytes() for file in [*data.rglob("*"), log] if file.is_file()}
    assert any(file.suffix == ".sqlite" for file in kept)
    assert b'"event":"call"' in kept[log]
    for form in (spelling, digits_of(spelling), json.dumps(spelling).strip('"')):
        assert [file.name for file, content in kept.items() if form.encode() in content] == []
        assert [message for message in answers if form.encode() in message.SerializeToString()] == []
        assert [text for text in told if form in text] == []


async def failing(live: Live, spelling: str) -> list[Message]:
    """The number in operations that never come to be judged: deferred, failed, quarantined."""
    shoppers = {name: live.shopper(name) for name in ("limited", "failing")}
    fields = list(planted(spelling))[0:3]
    await live.control.SetRateLimit(control_pb2.SetRateLimitRequest(principal="limited", remaining_operation_count=0))
    await live.control.SetFailPoint(
        control_pb2.SetFailPointRequest(
            principal="failing",
            fail_point=control_pb2.FAIL_POINT_WHILE_DECIDING,
            action=control_pb2.FAIL_ACTION_THROW,
            sequence=1,
            hit_count=100,
        )
    )
    answers: list[Message] = []
    for name in ("limited", "failing"):
        attempts = [shoppers[name].draft(**each) for each in fields]
        answers += [await shoppers[name].submit(*attempts) for _ in range(7)]
    return answers


async def told_in_errors(live: Live, spelling: str) -> list[str]:
    """What the errors say of calls that are refused as a whole, with the number wherever a client could put it."""
    bob = live.shopper("bob")
    requests: list[service_pb2.SubmitOperationsRequest] = []
    for name in ("idempotency_key", "previous_key"):
        attempt = live.shopper("bob").add()
        setattr(attempt.operation, name, spelling)
        requests.append(bob.submission(attempt))
    discarding = live.shopper("bob").draft(discard=operation_pb2.Discard(discarded_key=spelling))
    requests.append(bob.submission(discarding))
    for name in ("queue_id", "expected_principal", "store_id"):
        request = bob.submission(live.shopper("bob").add())
        setattr(request, name, spelling)
        requests.append(request)
    calls: list[Awaitable[Any]] = [live.calls.SubmitOperations(each, metadata=bob.metadata) for each in requests]
    for authorization in (f"Basic {spelling}", f"Bearer {spelling}", f"Bearer dev:{spelling} x", spelling):
        metadata = (("authorization", authorization.encode("ascii", "ignore").decode()),)
        calls.append(live.calls.GetSyncPolicy(service_pb2.GetSyncPolicyRequest(), metadata=metadata))
    reads = (
        service_pb2.GetCartRequest(cart_id=f"{spelling} "),
        service_pb2.GetCartRequest(cart_id="cart", queue_id=spelling),
        service_pb2.GetCartRequest(cart_id="cart", store_id=spelling),
    )
    calls += [live.calls.GetCart(read, metadata=bob.metadata) for read in reads]
    listing = address_book_pb2.ListAddressesRequest(queue_id=spelling)
    calls.append(live.address_book.ListAddresses(listing, metadata=bob.metadata))
    paging = wishlist_pb2.ListWishlistRequest(page_token=spelling)
    calls.append(live.wishlist.ListWishlist(paging, metadata=bob.metadata))
    told = []
    for call in calls:
        with refused() as refusal:
            await call
        told.append(f"{refusal.message} {refusal.violations} {refusal.info}")
    stream: Any = live.calls.Sync(metadata=bob.metadata)
    await stream.write(service_pb2.SyncRequest(hello=service_pb2.Hello(queue_id=spelling, expected_principal=spelling)))
    with refused() as refusal:
        await anext(aiter(stream))
    return [*told, f"{refusal.message} {refusal.violations} {refusal.info}"]


def reasons(answer: service_pb2.SubmitOperationsResponse) -> set[str]:
    return {reason_pb2.Reason.Name(result.outcome.refusal.reason) for result in answer.results}
