"""A card number in any text of any operation is in no byte that the server leaves behind (spec: section 14.4)."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Iterator
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

SPELLINGS = (
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "pay with 4111.1111.1111.1111, please",
    "".join(chr(0x0660 + int(digit)) for digit in "4111111111111111"),
)
IDENTIFIERS = frozenset({"cart_id", "sku", "address_id", "payment_method_id", "claim_token", "guest_cart_id"})
TEXTS_OF_INTENTS = {
    "add_item": {
        "cart_id": "cart",
        "sku": "LANTERN-WHITE",
        "quantity": 1,
        "observed_unit_price": {"currency_code": "GBP", "minor_units": 339},
        "quantity_policy": operation_pb2.QUANTITY_POLICY_EXACT,
    },
    "remove_item": {"cart_id": "cart", "sku": "LANTERN-WHITE"},
    "apply_coupon": {"cart_id": "cart", "coupon_code": "TEA10"},
    "remove_coupon": {"cart_id": "cart", "coupon_code": "TEA10"},
    "add_to_wishlist": {"sku": "A"},
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
}


PARTS = ("cartsync.v1.SessionContext", "cartsync.v1.Address")


def texts(kind: Descriptor) -> Iterator[tuple[str, ...]]:
    """The path of every text of a message that may be planted with a card number."""
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING and field.name not in IDENTIFIERS:
            yield (field.name,)
        elif field.message_type is not None and field.message_type.full_name in PARTS:
            yield from ((field.name, *path) for path in texts(field.message_type))


def planted(spelling: str) -> Iterator[dict[str, Any]]:
    """The fields of operations of every intent, each with the number in one of its texts."""
    for kind, plain in TEXTS_OF_INTENTS.items():
        intent = operation_pb2.CartOperation.DESCRIPTOR.fields_by_name[kind].message_type
        assert intent is not None
        context = (("session_context", *path) for path in texts(operation_pb2.SessionContext.DESCRIPTOR))
        for path in (("required_features",), *context, *((kind, *path) for path in texts(intent))):
            operation = operation_pb2.CartOperation(**{kind: plain})  # type: ignore[arg-type]
            _plant(operation, path, spelling)
            yield {
                kind: getattr(operation, kind),
                "session_context": operation.session_context,
                "required_features": operation.required_features,
            }


def _plant(message: Any, path: tuple[str, ...], spelling: str) -> None:
    for name in path[:-1]:
        message = getattr(message, name)
    if isinstance(getattr(message, path[-1]), str):
        setattr(message, path[-1], spelling)
    else:
        getattr(message, path[-1]).append(spelling)


def digits_of(text: str) -> str:
    return "".join(str(int(character)) for character in text if character.isdecimal())


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
    async with started(data, "--control-listen", "127.0.0.1:0", log=log) as server:
        live = server.live
        ann = live.shopper()
        await ann.submit(ann.add(), ann.wish("SKU"))
        attempts = [ann.draft(**fields) for fields in planted(spelling)]
        assert len(attempts) > 40
        answer = await ann.submit(*attempts)
        answers += [answer, await ann.submit(*attempts)]
        assert {reason_pb2.Reason.Name(result.outcome.refusal.reason) for result in answer.results} == {
            "REASON_CARD_NUMBER_REFUSED"
        }
        stream: Any = live.calls.Sync(metadata=ann.metadata)
        await stream.write(ann.hello())
        await stream.read()
        await stream.write(submit_message(attempts[0], *attempts[1:]))
        answers.append(await stream.read())
        await stream.done_writing()
        answers += await failing(live, spelling)
        await live.control.SaveStore(control_pb2.SaveStoreRequest(name="kept"))
        answers += await reads(live, ann)
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL
    kept = {file: file.read_bytes() for file in [*data.rglob("*"), log] if file.is_file()}
    assert any(file.suffix == ".sqlite" for file in kept)
    assert b'"event":"call"' in kept[log]
    for form in (spelling, digits_of(spelling), json.dumps(spelling).strip('"')):
        assert [file.name for file, content in kept.items() if form.encode() in content] == []
        assert [message for message in answers if form.encode() in message.SerializeToString()] == []


async def failing(live: Live, spelling: str) -> list[Message]:
    """The number in operations that never come to be judged: deferred, failed, quarantined, refused as a whole."""
    shoppers = {name: live.shopper(name) for name in ("limited", "failing", "wrong")}
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
    attempt = shoppers["wrong"].draft(**fields[0])
    attempt.operation.idempotency_key = spelling
    with refused() as refusal:
        await shoppers["wrong"].submit(attempt)
    assert spelling not in refusal.message
    with refused() as refusal:
        await live.calls.GetCart(
            service_pb2.GetCartRequest(cart_id=f"{spelling} ", queue_id=spelling), metadata=shoppers["wrong"].metadata
        )
    assert spelling not in f"{refusal.message} {refusal.violations} {refusal.info}"
    return answers
