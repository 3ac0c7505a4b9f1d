"""What one right answer may have and another not, and how to compare answers without it.

Against the reference server with its fixed clock only texts for people vary: they may be put better at any time.
Another server, with a clock and a store of its own, also has other times, another `store_id` and other revisions, which
grow as these do.
"""

from __future__ import annotations

from google.protobuf.message import Message

from tools.vectors.notation import decoded

# Fields that hold a text for people, or who the server is. Never to be parsed, so never to be compared.
TEXTS = (
    "cartsync.v1.Refusal.message",
    "cartsync.v1.FieldViolation.description",
    "cartsync.v1.GetSyncPolicyResponse.server_name",
    "cartsync.v1.GetSyncPolicyResponse.server_version",
    "google.rpc.Status.message",
    "google.rpc.BadRequest.FieldViolation.description",
)


def without_texts(message: Message) -> Message:
    """A copy of the message that lacks what may vary, inside packed details too."""
    copy = type(message)()
    copy.CopyFrom(message)
    _strip(copy)
    return copy


def _strip(message: Message) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        _strip_packed(message)
        return
    for field, value in message.ListFields():
        if field.full_name in TEXTS:
            message.ClearField(field.name)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for member in value if field.is_repeated else [value]:
                _strip(member)


def _strip_packed(packed: Message) -> None:
    type_url: str = packed.type_url  # type: ignore[attr-defined]  # a google.protobuf.Any
    content = decoded(type_url.rpartition("/")[2], packed.value)  # type: ignore[attr-defined]
    _strip(content)
    packed.value = content.SerializeToString(deterministic=True)  # type: ignore[attr-defined]
