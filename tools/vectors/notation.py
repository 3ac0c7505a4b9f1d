"""A message in a vector: its type, its protobuf JSON, and its bytes as hexadecimal.

The bytes are those that went over the wire. The JSON is the canonical one of protobuf, which cannot show fields that
its reader does not know: then `unknownFields` says that the bytes hold more.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import service_pb2
from google.protobuf import descriptor_pool, json_format, message_factory, unknown_fields
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

Entry: TypeAlias = dict[str, Any]

# Importing them puts their types into the pool, from which vectors are read by name.
_KNOWN_FILES = (control_pb2, service_pb2, error_details_pb2, status_pb2)
POOL = descriptor_pool.Default()
_WIDTH = 110


def entry(message: Message, encoded: bytes | None = None) -> Entry:
    """The message as it stands in a vector; `encoded` is given where it came off the wire."""
    encoded = message.SerializeToString(deterministic=True) if encoded is None else encoded
    told: Entry = {"type": message.DESCRIPTOR.full_name, "json": json_format.MessageToDict(message)}
    if has_unknown_fields(message):
        told["unknownFields"] = True
    told["binary"] = encoded.hex()
    return told


def decoded(type_name: str, encoded: bytes) -> Message:
    """A message of a type that is known by name; raises KeyError for any other, DecodeError."""
    message = _class_of(type_name)()
    message.ParseFromString(encoded)
    return message


def message_of(told: Entry) -> Message:
    """The message that an entry's bytes are."""
    return decoded(told["type"], bytes.fromhex(told["binary"]))


def message_of_json(told: Entry) -> Message:
    """The message that an entry's JSON is."""
    message = _class_of(told["type"])()
    json_format.ParseDict(told["json"], message)
    return message


def has_unknown_fields(message: Message) -> bool:
    """Whether the message holds fields, at any depth, that this reader does not know."""
    if len(unknown_fields.UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            continue  # no map of the protocol has messages as values
        members = value if field.is_repeated else [value]
        if any(has_unknown_fields(member) for member in members):
            return True
    return False


def layout(value: Any, indent: int = 0) -> str:
    """JSON that fills its lines: what does not fit on one is broken at its members; hexadecimal is never broken."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + len(flat) <= _WIDTH:
        return flat
    members = [layout(member, indent + 2) for member in value]
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}: {layout(member, indent + 2)}" for key, member in value.items()]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{_filled(members, indent + 2)}\n{' ' * indent}{closing}"


def _filled(members: list[str], indent: int) -> str:
    """Members on lines, as many on each as fit; one that is broken itself stands alone."""
    lines: list[str] = []
    for number, member in enumerate(members):
        told = member + ("," if number < len(members) - 1 else "")
        beside = bool(lines) and "\n" not in lines[-1] + told and indent + len(lines[-1]) + len(told) < _WIDTH
        if beside:
            lines[-1] += f" {told}"
        else:
            lines.append(told)
    return "\n".join(" " * indent + line for line in lines)


def _class_of(type_name: str) -> type[Message]:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(type_name))
