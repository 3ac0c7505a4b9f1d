"""Older servers and newer clients, and the other way round."""

from __future__ import annotations

from cartsync.v1 import operation_pb2, service_pb2

from tools.vectors.script import TEA, Play, exchange

# Field 3000 of a later minor version, a text: its tag, its length, "new".
UNKNOWN_FIELD = bytes.fromhex("c2bb01") + b"\x03new"
# An intent of a later minor version: field 900 of CartOperation, a message with one field.
UNKNOWN_INTENT = bytes.fromhex("a238") + b"\x05\x0a\x03new"


@exchange("unknown-fields", "Fields of a newer version", "compat/unknown-fields", "compat/unknown-fields-no-payload")
async def unknown_fields(play: Play) -> None:
    """A client of a later minor version sends fields that this server does not know: in the request, in the operation,
    in the intent. They are as if they were not there; the same operation without them is a duplicate. JSON cannot show
    them: see the bytes."""
    await play.offer(TEA, 425)
    phone = play.device()
    plain = phone.add(TEA, 2)
    newer = operation_pb2.OperationAttempt()
    newer.CopyFrom(plain)
    newer.operation.MergeFromString(UNKNOWN_FIELD)
    newer.operation.add_item.MergeFromString(UNKNOWN_FIELD)
    request = service_pb2.SubmitOperationsRequest(
        queue_id=phone.queue_id, expected_principal=phone.principal, attempts=[newer]
    )
    request.MergeFromString(UNKNOWN_FIELD)
    await play.call(phone.principal, "CartSyncService/SubmitOperations", request)
    await phone.submit(plain)


@exchange(
    "unknown-intent", "An intent of a newer version", "deciding/unsupported-intent", "deciding/rejection-advances"
)
async def unknown_intent(play: Play) -> None:
    """To this server an intent that it does not know is none. It is rejected and recorded, not deferred, so that the
    queue moves on; the client tells the shopper."""
    await play.offer(TEA, 425)
    phone = play.device()
    newer = phone.draft()
    newer.operation.MergeFromString(UNKNOWN_INTENT)
    await phone.submit(newer, phone.add(TEA, 1))


@exchange("required-feature", "A field that must not be ignored", "deciding/unsupported-feature")
async def required_feature(play: Play) -> None:
    """A newer client wraps the product as a gift. A server that ignored the field would send it unwrapped, so the
    operation requires the feature, and a server without it rejects the operation, naming the feature."""
    await play.offer(TEA, 425)
    phone = play.device()
    wrapped = phone.add(TEA, 1, features=["gift-wrap"])
    wrapped.operation.add_item.MergeFromString(UNKNOWN_FIELD)
    await phone.submit(wrapped)
