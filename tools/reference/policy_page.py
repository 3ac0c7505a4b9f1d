"""The page of the policy: each figure, its bounds, and what the reference server says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from cartsync.v1 import policy_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message as AnyMessage

from reference_server.engine.policy import Policy
from tools.reference.descriptors import Field, File
from tools.reference.markdown import Places, table

PAGE = PurePosixPath("docs/reference/policy.md")
_DAY = 86_400
_BOUND = re.compile(r"\bAt (?:least|most) [^.]+|\b\d[\d,]* to \d[\d,]*")


def policy_page(files: Sequence[File], places: Places) -> str:
    """The page."""
    message = next(m for file in files for m in file.messages if m.full_name == "cartsync.v1.SyncPolicy")
    reference = Policy().message()
    rows = [
        (
            f"`{field.name}`",
            _bound(field),
            _value(reference, field),
            places.linked(field.comment, PAGE),
        )
        for field in message.fields
    ]
    return "\n".join(
        [
            "# Policy",
            "",
            "Generated from `proto/cartsync/v1/policy.proto` and the reference server by `make docs`.",
            "",
            places.linked(message.comment, PAGE),
            "",
            f"A client reads it with {places.link('GetSyncPolicy', PAGE)}, or from the `Welcome` of a stream.",
            "The bounds are required by",
            "[policy/retention-floors](../spec/02-submissions.md#policy/retention-floors) and",
            "[policy/limit-floors](../spec/02-submissions.md#policy/limit-floors).",
            "",
            *table(("field", "bounds", "reference server", "meaning"), rows),
            "",
        ]
    )


def _bound(field: Field) -> str:
    bounds = _BOUND.findall(" ".join(field.comment.split()))
    return "; ".join(bound[0].lower() + bound[1:] for bound in bounds) or "none"


def _value(policy: policy_pb2.SyncPolicy, field: Field) -> str:
    value = getattr(policy, field.name)
    if isinstance(value, Duration):
        return duration(value.ToTimedelta().total_seconds())
    if isinstance(value, AnyMessage):
        return f"`{value}`"
    descriptor = policy_pb2.SyncPolicy.DESCRIPTOR.fields_by_name[field.name]
    if descriptor.enum_type is not None:
        prefix = descriptor.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return f"`{descriptor.enum_type.values_by_number[value].name.removeprefix(prefix)}`"
    if isinstance(value, bool | int):
        return f"{value:,}"
    return ", ".join(f"`{item}`" for item in value) or "none"


def duration(seconds: float) -> str:
    """A time in the largest unit that it is a whole number of: `7 days`, `90 minutes`, `0`."""
    for unit, length in (("day", _DAY), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds and seconds % length == 0:
            count = int(seconds // length)
            return f"{count:,} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds" if seconds else "0"
