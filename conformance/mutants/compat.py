"""Servers that do not get on with newer clients, or promise what they do not have."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.v1 import operation_pb2, policy_pb2
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from conformance.mutants.mutant import Mutant
from reference_server.engine.cases import Case
from reference_server.engine.deciding import Decider
from reference_server.engine.state import Record
from reference_server.service.errors import request_invalid
from reference_server.service.submissions import Submissions
from reference_server.settlement import Settled


class _RefusesTheUnknown(Submissions):
    async def settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        store_id: str,
        prefix: str = "",
    ) -> Settled:
        if any(_has_unknown_fields(attempt) for attempt in attempts):
            raise request_invalid([(f"{prefix}attempts[0]", "has fields this server does not know")])
        return await super().settle(principal, queue_id, attempts, store_id, prefix)


class _ComparesTheUnknown(Decider):
    """A duplicate with unknown fields is taken for another payload."""

    def same_payload(self, case: Case, record: Record) -> bool:
        return super().same_payload(case, record) and not _has_unknown_fields(case.operation)


class _ListsWhatItHasNot(Submissions):
    """The policy lists a feature that operations are then rejected for."""

    def policy_message(self) -> policy_pb2.SyncPolicy:
        message = super().policy_message()
        message.features[:] = sorted({*message.features, "gift_wrap"})
        return message


class _DoesMoreThanItLists(Submissions):
    """The policy does not list a profile whose operations are applied all the same."""

    def policy_message(self) -> policy_pb2.SyncPolicy:
        message = super().policy_message()
        message.profiles[:] = [name for name in message.profiles if name != "wishlist"]
        return message


def _has_unknown_fields(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if any(_has_unknown_fields(part) for part in (value if field.is_repeated else [value])):
            return True
    return False


MUTANTS = (
    Mutant(
        "refuses-unknown-fields",
        "Refuses submissions that have fields it does not know.",
        ("compat/unknown-fields", "compat/unknown-fields-no-payload"),
        "submissions",
        _RefusesTheUnknown,
    ),
    Mutant(
        "unknown-fields-are-payload",
        "Takes a duplicate for another payload when it has fields the server does not know.",
        ("compat/unknown-fields-no-payload",),
        "decider",
        _ComparesTheUnknown,
    ),
    Mutant(
        "lists-a-feature-it-has-not",
        "Lists a feature in its policy and rejects operations that require it.",
        ("compat/listed-feature",),
        "submissions",
        _ListsWhatItHasNot,
    ),
    Mutant(
        "does-more-than-it-lists",
        "Applies operations of a profile that its policy does not list.",
        ("compat/unlisted-profile",),
        "submissions",
        _DoesMoreThanItLists,
    ),
)
