"""Takes card numbers and secrets out of what a run writes down: its files are passed around, and people keep them.

The suite sends well-known numbers that were never issued to anybody. But a server under test may answer with others,
and the files of a run should be no reason to ask which is which. What is taken out is what section 14.4 takes for a
card number; identifiers stay, for a story without them cannot be followed, and UUIDs stay in any text.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import replace
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from conformance.oracle.card_numbers import card_numbers_in
from conformance.wire import Event
from conformance.wire.history import Wire

IDENTIFIERS = frozenset(
    {
        "idempotency_key",
        "previous_key",
        "discarded_key",
        "queue_id",
        "cart_id",
        "guest_cart_id",
        "sku",
        "address_id",
        "payment_method_id",
        "store_id",
        "principal",
        "expected_principal",
        "check_id",
    }
)
"""Names of fields to which the card number rule does not apply (spec: security/identifiers-exempt)."""

SECRETS = frozenset({"authorization", "claim_token", "provider_token"})
"""Names of fields that open something to whoever reads them; a story can be followed without them."""
HIDDEN = "(not shown)"

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
_AnyMessage = TypeVar("_AnyMessage", bound=Message)


def redacted_text(text: str) -> str:
    """The text with an x in place of every digit of a card number; UUIDs as they are."""
    characters = list(text)
    uuids = [match.span() for match in _UUID.finditer(text)]
    for found in card_numbers_in(text):
        for place in range(*found.indices(len(text))):
            if characters[place].isdecimal() and not any(start <= place < end for start, end in uuids):
                characters[place] = "x"
    return "".join(characters)


def redacted_message(message: _AnyMessage) -> _AnyMessage:
    """A copy of the message with every text redacted but identifiers, and without secrets."""
    copy = type(message)()
    copy.CopyFrom(message)
    _redact(copy)
    return copy


def redacted_event(event: Event) -> Event:
    """The event with its words and its message redacted."""
    message = None if event.message is None else redacted_message(event.message)
    wire = None if event.wire is None else _redacted_wire(event.wire)
    return replace(
        event, title=redacted_text(event.title), detail=redacted_text(event.detail), message=message, wire=wire
    )


def _redacted_wire(wire: Wire) -> Wire:
    status = wire.status and replace(
        wire.status,
        message=redacted_text(wire.status.message),
        details=tuple(map(redacted_message, wire.status.details)),
        metadata=tuple((key, redacted_text(value)) for key, value in wire.status.metadata),
    )
    return replace(wire, status=status, answer=None if wire.answer is None else redacted_message(wire.answer))


def _redact(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in SECRETS:
            setattr(message, field.name, HIDDEN)
        elif field.type == FieldDescriptor.TYPE_STRING and field.name not in IDENTIFIERS:
            if isinstance(value, str):
                setattr(message, field.name, redacted_text(value))
            else:
                value[:] = [redacted_text(text) for text in value]
        elif isinstance(value, MutableMapping):
            for key in value:
                if isinstance(value[key], str):
                    value[key] = HIDDEN if key in SECRETS else redacted_text(value[key])
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in [value] if isinstance(value, Message) else value:
                if isinstance(each, Message):
                    _redact(each)
