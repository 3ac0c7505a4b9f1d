"""The page of reasons: for each its condition, code, whether it is recorded, its disposition and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cartsync.v1 import reason_pb2

from conformance.requirements import Register
from conformance.requirements.register import Requirement
from tools.reference.descriptors import Enum, File, Message
from tools.reference.faults import SourceError
from tools.reference.markdown import REASONS, Places, table


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason with its policy and all that is said about it elsewhere."""

    name: str  # without REASON_
    number: int
    condition: str
    state: str  # APPLIED, REJECTED, …
    disposition: str  # TERMINAL, RETRY, RETRY_AFTER_ACTION
    recorded: bool
    details: tuple[str, ...]  # fields of Refusal that are set with it
    named_by: tuple[Requirement, ...]


def reason_names() -> tuple[str, ...]:
    """The short names of all reasons, in the order of the protocol."""
    return tuple(_short(value.name) for value in reason_pb2.Reason.DESCRIPTOR.values if value.number)


def reasons(files: Sequence[File], register: Register) -> tuple[Reason, ...]:
    """Every reason. Raises SourceError for one without a policy."""
    comments = {value.name: value.comment for value in _find_enum(files, "Reason").values}
    refusal = _find_message(files, "Refusal")
    found = []
    for value in reason_pb2.Reason.DESCRIPTOR.values:
        if not value.number:
            continue
        policy = value.GetOptions().Extensions[reason_pb2.reason_policy]
        if not policy.state or not policy.disposition:
            raise SourceError(f"reason.proto: {value.name} has no reason_policy")
        name = _short(value.name)
        found.append(
            Reason(
                name,
                value.number,
                comments.get(value.name, ""),
                reason_pb2.OutcomeState.Name(policy.state).removeprefix("OUTCOME_STATE_"),
                reason_pb2.Disposition.Name(policy.disposition).removeprefix("DISPOSITION_"),
                policy.recorded,
                tuple(_details(refusal, name)),
                tuple(r for r in register.requirements if re.search(rf"\b{name}\b", r.statement)),
            )
        )
    return tuple(found)


def next_step(reason: Reason) -> str:
    """What the caller must do, as it follows from state, disposition and details."""
    match reason.state, reason.disposition:
        case "CONFLICT", _:
            return (
                "Stop draining this queue and show what remains of it to the shopper; never issue it again by "
                "yourself. What the shopper asks for again goes into a new queue."
            )
        case "DEFERRED", "RETRY":
            when = "later, with a growing delay"
            if "retry_delay" in reason.details:
                when = "not before `retry_delay` has passed"
            if "expected_sequence" in reason.details:
                when = "after the operations from `expected_sequence` on"
            return f"Send the very same operation again, same key, {when}. It may still have been applied meanwhile."
        case "PURGED", _:
            return "Take the outcome as unknown, say so to the shopper, and go on with the queue."
        case "REJECTED", "TERMINAL":
            return "Take it as settled, tell the shopper, and go on with the queue. Asking the same again never helps."
        case "REJECTED", "RETRY_AFTER_ACTION":
            return (
                "Take it as settled and go on with the queue; ask the shopper. What the shopper then wants is a new "
                "operation with a new key."
            )
    raise SourceError(
        f"reason.proto: {reason.name} is {reason.state} with {reason.disposition}, and nothing says what to do then"
    )


def reason_page(found: Sequence[Reason], places: Places) -> str:
    """The page."""
    lines = [
        "# Reasons",
        "",
        "Generated from `proto/cartsync/v1/reason.proto` and the specification by `make docs`: "
        f"{len(found)} reasons why an operation was not applied.",
        "",
        "A reason is part of an answer, so the call itself ends with `OK`. State, disposition and whether it is",
        "recorded are fixed by the options of each value in the protocol; a client that does not know a reason",
        "goes by the disposition, which is on the wire beside it. Status errors are on [another page](rpcs.md).",
        "",
        *table(
            ("reason", "state", "disposition", "recorded"),
            ((places.link(r.name, REASONS), f"`{r.state}`", f"`{r.disposition}`", _yes(r.recorded)) for r in found),
        ),
        "",
    ]
    for reason in found:
        lines += _section(reason, places)
    return "\n".join(lines)


def _section(reason: Reason, places: Places) -> Iterator[str]:
    rows = [
        ("code", f"`OK`, with `{reason.state} / {reason.name}`"),
        ("recorded", _yes(reason.recorded)),
        ("disposition", f"`{reason.disposition}`"),
        ("what the caller must do next", next_step(reason)),
    ]
    if reason.details:
        rows.append(("details", ", ".join(places.linked(f"`Refusal.{name}`", REASONS) for name in reason.details)))
    if reason.named_by:
        rows.append(("required by", ", ".join(f"[{r.slug}](../spec/{r.chapter}#{r.slug})" for r in reason.named_by)))
    yield from (f"## {reason.name}", "")
    # Upright, so that it can be read on a telephone: the heading is the first row.
    yield from table(("condition", places.linked(reason.condition, REASONS)), rows)
    yield ""


def unnamed(found: Sequence[Reason]) -> list[str]:
    """The reasons that no requirement names."""
    return [reason.name for reason in found if not reason.named_by]


def _details(refusal: Message, name: str) -> Iterator[str]:
    for field in refusal.fields:
        if re.search(rf"\bSet with [^.;]*\b{name}\b", " ".join(field.comment.split())):
            yield field.name


def _find_enum(files: Sequence[File], name: str) -> Enum:
    return next(enum for file in files for enum in file.enums if enum.full_name == f"cartsync.v1.{name}")


def _find_message(files: Sequence[File], name: str) -> Message:
    return next(m for file in files for m in file.messages if m.full_name == f"cartsync.v1.{name}")


def _short(name: str) -> str:
    return name.removeprefix("REASON_")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
