"""The page of calls: each with its table of what it can end with, collected from the comments of the protocol.

A table in the comments has a condition, a code, perhaps an `ErrorInfo.reason`, and what the client does next. What
follows from the code is added here: whether anything was recorded, and the disposition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tools.reference.descriptors import File, Message, Method, Service
from tools.reference.faults import SourceError
from tools.reference.markdown import PACKAGE, RPCS, Places, table, tables_in
from tools.reference.protocol_pages import signature

_COLUMNS = ("condition", "code", "recorded", "disposition", "what the caller must do next")
_ONLY_SHARED = "Only the errors that any call can end with"

# What a client may do after a code, in the words of `Disposition`.
_DISPOSITIONS = {
    "OK": "as the outcome says",
    "UNAUTHENTICATED": "RETRY_AFTER_ACTION",
    "INVALID_ARGUMENT": "TERMINAL",
    "FAILED_PRECONDITION": "RETRY_AFTER_ACTION",
    "PERMISSION_DENIED": "RETRY_AFTER_ACTION",
    "UNIMPLEMENTED": "TERMINAL",
    "NOT_FOUND": "TERMINAL",
    "ABORTED": "TERMINAL",
    "RESOURCE_EXHAUSTED": "RETRY",
    "UNAVAILABLE": "RETRY",
    "INTERNAL": "RETRY",
    "any": "RETRY",
}
# What an `ErrorInfo.reason` says more exactly.
_BY_REASON = {"NOT_A_GUEST": "TERMINAL"}
# After these a call that decides may have decided all the same.
_IN_DOUBT = {"any", "ABORTED"}


def rpc_page(files: Sequence[File], places: Places) -> str:
    """The page. Raises SourceError naming the call that has no table, or a code of which nothing is known here."""
    services = [service for file in files if file.package == PACKAGE for service in file.services]
    messages = {message.full_name: message for file in files for message in file.messages}
    lines = [
        "# Calls and errors",
        "",
        "Generated from the comments of the services below `proto/cartsync/v1` by `make docs`.",
        "",
        "A call ends with `OK` or with a status error. An error says nothing about single operations: what became of",
        "each one is in the outcomes of an `OK` answer, with one of the [reasons](reasons.md) when it was not applied.",
        "",
    ]
    # The service whose comment has the table for all calls comes first: the others refer to it.
    for service in sorted(services, key=lambda service: not tables_in(service.comment)[1]):
        lines += _service(service, messages, places)
    return "\n".join(lines)


def _service(service: Service, messages: dict[str, Message], places: Places) -> Iterator[str]:
    prose, tables = tables_in(service.comment)
    yield from (f"## {service.name}", "", places.linked(prose, RPCS), "")
    if tables:
        yield from ("### What any call can end with", "", *_table(service.name, tables, places, decides=True), "")
    for method in service.methods:
        prose, tables = tables_in(method.comment)
        yield from (f"### {method.name}", "", f"`rpc {method.name}{signature(method)}`", "")
        yield from (places.linked(prose, RPCS), "")
        if tables:
            yield from (*_table(method.name, tables, places, decides=_decides(method, messages)), "")
        elif _ONLY_SHARED not in prose:
            raise SourceError(
                f"{service.full_name}.{method.name} has no table of what it can end with. Write one into its comment "
                f"(condition, code, what the client does next), or say `{_ONLY_SHARED}`"
            )


def _table(name: str, tables: list[list[list[str]]], places: Places, *, decides: bool) -> list[str]:
    rows = []
    for heading, *body in tables:
        for cells in body:
            if len(cells) != len(heading) or len(cells) not in (3, 4):
                raise SourceError(f"{name}: a row of its table has other columns than its heading: {cells}")
            condition, code, *reason, then = cells
            rows.append(
                (
                    places.linked(condition, RPCS),
                    f"{_as_code(code)}{_error_info(reason)}",
                    _recorded(name, code, decides=decides),
                    _disposition(name, code),
                    places.linked(then, RPCS),
                )
            )
    return table(_COLUMNS, rows)


def _codes(name: str, cell: str) -> list[str]:
    codes = [word for word in re.findall(r"[A-Za-z_]+", re.sub(r"\(.*?\)", "", cell)) if word not in ("none", "or")]
    for code in codes:
        if code not in _DISPOSITIONS:
            raise SourceError(f"{name}: of the code {code} nothing is said in tools/reference/rpc_page.py")
    if not codes:
        raise SourceError(f"{name}: a row of its table has no code, only {cell!r}")
    return codes


def _disposition(name: str, cell: str) -> str:
    named = [_BY_REASON[word] for word in re.findall(r"[A-Z_]+", cell) if word in _BY_REASON]
    said = dict.fromkeys(named or [_DISPOSITIONS[code] for code in _codes(name, cell)])
    return ", ".join(f"`{word}`" if word.isupper() else word for word in said)


def _recorded(name: str, cell: str, *, decides: bool) -> str:
    codes = set(_codes(name, cell))
    if not decides:
        return "no"
    if codes & _IN_DOUBT:
        return "in doubt"
    return "as the outcome says" if codes == {"OK"} else "no"


def _as_code(cell: str) -> str:
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda found: f"`{found[0]}`", cell)


def _error_info(reason: list[str]) -> str:
    said = reason[0] if reason else ""
    return f" ({_as_code(said)})" if said and said != "none" else ""


def _decides(method: Method, messages: dict[str, Message], seen: frozenset[str] = frozenset()) -> bool:
    """Whether the call can decide operations: its answers hold results of operations."""

    def holds(name: str, seen: frozenset[str]) -> bool:
        if name.endswith(".OperationResult"):
            return True
        if name in seen or name not in messages:
            return False
        return any(holds(field.refers_to, seen | {name}) for field in messages[name].fields if field.refers_to)

    return holds(method.response, seen)
