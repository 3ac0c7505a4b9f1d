"""One page for each .proto file: every service, message, field, enum and value with its number and comment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from tools.reference.descriptors import Enum, File, Message, Method, Service
from tools.reference.markdown import PACKAGE, PROTOCOL, Places, page_of, table, tables_in

_SUMMARY_PAGE = PROTOCOL / "README.md"


def protocol_pages(files: Sequence[File], places: Places) -> dict[str, str]:
    """The page of each file, and the one that lists them, by path from the repository."""
    pages = {str(PROTOCOL / page_of(file.name)): _page(file, places) for file in files}
    return {str(_SUMMARY_PAGE): _summary(files, places), **pages}


def signature(method: Method) -> str:
    """`(stream Request) returns (Response)`, without packages."""
    request = ("stream " if method.client_streaming else "") + method.request.rpartition(".")[2]
    response = ("stream " if method.server_streaming else "") + method.response.rpartition(".")[2]
    return f"({request}) returns ({response})"


def first_sentence(comment: str) -> str:
    """The first sentence of a comment, without its full stop."""
    prose, _ = tables_in(comment)
    paragraph = " ".join(prose.split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".:")


def _summary(files: Sequence[File], places: Places) -> str:
    lines = [
        "# The protocol",
        "",
        "Generated from the files below `proto` by `make docs`. The comments are part of the contract, like the",
        "[specification](../../spec/README.md).",
        "",
    ]
    for package in sorted(dict.fromkeys(file.package for file in files), key=lambda package: package != PACKAGE):
        inside = [file for file in files if file.package == package]
        proper = package == PACKAGE
        for_tests = "" if proper else " for tests"
        rows = [
            (
                f"[`{PurePosixPath(file.name).name}`]({page_of(file.name)})",
                ", ".join(places.link(kind.full_name, _SUMMARY_PAGE, shown=kind.name) for kind in _kinds(file)),
            )
            for file in inside
        ]
        calls = [
            (
                places.link(method.name, _SUMMARY_PAGE) if proper else f"`{method.name}`",
                places.link(service.full_name, _SUMMARY_PAGE, shown=service.name),
                places.linked(first_sentence(method.comment), _SUMMARY_PAGE),
            )
            for file in inside
            for service in file.services
            for method in service.methods
        ]
        lines += [f"## Package `{package}`", ""]
        lines += [f"### Files{for_tests}", "", *table(("file", "what it holds"), rows), ""]
        lines += [f"### Calls{for_tests}", "", *table(("call", "service", "what it does"), calls), ""]
    return "\n".join(lines)


def _kinds(file: File) -> tuple[Service | Message | Enum, ...]:
    return (*file.services, *file.messages, *file.enums)


def _page(file: File, places: Places) -> str:
    page = PROTOCOL / page_of(file.name)
    lines = [f"# {PurePosixPath(file.name).name}", "", f"Generated from `proto/{file.name}` by `make docs`.", ""]
    for service in file.services:
        lines += _service(service, file, page, places)
    for message in file.messages:
        lines += _message(message, page, places)
    for enum in file.enums:
        lines += _enum(enum, page, places)
    if file.extensions:
        lines += ["## Options", ""]
        rows = [
            (f"`{field.name} = {field.number}`", _type(field.type, field.refers_to, page, places), field.comment)
            for field in file.extensions
        ]
        lines += [*table(("option", "type", "meaning"), rows), ""]
    return "\n".join(lines)


def _service(service: Service, file: File, page: PurePosixPath, places: Places) -> list[str]:
    lines = [f"## {service.name}", "", places.linked(service.comment, page), ""]
    own_page = file.package == PACKAGE
    rows = [
        (
            places.link(method.name, page) if own_page else f"`{method.name}`",
            _streamed(method.client_streaming, method.request, page, places),
            _streamed(method.server_streaming, method.response, page, places),
            places.linked(first_sentence(method.comment) if own_page else method.comment, page),
        )
        for method in service.methods
    ]
    return [*lines, *table(("call", "request", "response", "what it does"), rows), ""]


def _streamed(streaming: bool, name: str, page: PurePosixPath, places: Places) -> str:
    return ("stream of " if streaming else "") + places.link(name, page, shown=name.rpartition(".")[2])


def _message(message: Message, page: PurePosixPath, places: Places) -> list[str]:
    lines = [f"## {message.name}", "", places.linked(message.comment, page), ""]
    alone = [field for field in message.fields if not field.oneof]
    groups = [("", "", alone)] + [
        (oneof, comment, [field for field in message.fields if field.oneof == oneof])
        for oneof, comment in message.oneofs
    ]
    for oneof, comment, fields in groups:
        if not fields:
            continue
        if oneof:
            lines += [f"At most one of these, `{oneof}`. {places.linked(' '.join(comment.split()), page)}".rstrip(), ""]
        rows = [
            (
                f"`{field.name} = {field.number}`",
                _type(field.type, field.refers_to, page, places),
                places.linked(field.comment, page),
            )
            for field in fields
        ]
        lines += [*table(("field", "type", "meaning"), rows), ""]
    return lines


def _type(name: str, refers_to: str, page: PurePosixPath, places: Places) -> str:
    if not refers_to:
        return name
    label, _, short = name.rpartition(" ")
    return f"{label} {places.link(refers_to, page, shown=short)}".strip()


def _enum(enum: Enum, page: PurePosixPath, places: Places) -> list[str]:
    lines = [f"## {enum.name}", "", places.linked(enum.comment, page), ""]
    # A value is told about here: only reasons have a page of their own.
    rows = [
        (
            places.link(value.name, page, shown=f"{value.name} = {value.number}")
            if enum.name == "Reason" and value.number
            else f"`{value.name} = {value.number}`",
            places.linked(value.comment, page),
        )
        for value in enum.values
    ]
    return [*lines, *table(("value", "meaning"), rows), ""]
