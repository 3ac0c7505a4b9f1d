"""The protocol with its comments, as values.

Read from what protoc makes of the files, never from their text: what is documented is what is compiled.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from tools.reference.faults import SourceError

# Field numbers of FileDescriptorProto and of what it holds: a comment's place is a path of them.
_MESSAGE, _ENUM, _SERVICE, _EXTENSION = 4, 5, 6, 7
_FIELD, _NESTED, _NESTED_ENUM = 2, 3, 4
_VALUE = _METHOD = 2

_Kind = descriptor_pb2.FieldDescriptorProto
_Comments = dict[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message."""

    name: str
    number: int
    type: str  # as the .proto file says it: "repeated CartLine", "optional int64"
    refers_to: str  # full name of the message or enum, empty for a scalar
    oneof: str  # name of the oneof it belongs to, empty for none
    comment: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message, with the name it has inside its package."""

    name: str
    full_name: str
    comment: str
    fields: tuple[Field, ...]
    oneofs: tuple[tuple[str, str], ...]  # name and comment


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an enum."""

    name: str
    number: int
    comment: str


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum, with the name it has inside its package."""

    name: str
    full_name: str
    comment: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A call of a service."""

    name: str
    request: str  # full name
    response: str  # full name
    client_streaming: bool
    server_streaming: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service."""

    name: str
    full_name: str
    comment: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A .proto file, `name` relative to `proto/`."""

    name: str
    package: str
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]
    extensions: tuple[Field, ...]


def read_protocol(proto: Path) -> tuple[File, ...]:
    """Every .proto file below `proto`, in the order of their names; SourceError when protoc refuses them."""
    names = sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "set.binpb"
        well_known = str(resources.files("grpc_tools") / "_proto")
        arguments = [f"-I{proto}", f"-I{well_known}", "--include_source_info", f"--descriptor_set_out={out}", *names]
        if code := protoc.main(["protoc", *arguments]):
            raise SourceError(f"protoc failed with exit code {code}; see its messages above")
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    files = {file.name: _file(file) for file in found}
    return tuple(files[name] for name in names)


def _file(file: descriptor_pb2.FileDescriptorProto) -> File:
    comments = {
        tuple(location.path): "\n".join(
            line.removeprefix(" ") for line in location.leading_comments.rstrip().split("\n")
        )
        for location in file.source_code_info.location
        if location.leading_comments
    }
    messages: list[Message] = []
    enums = [_enum(file.package, enum, (_ENUM, i), comments) for i, enum in enumerate(file.enum_type)]
    for i, message in enumerate(file.message_type):
        for kind in _message(file.package, "", message, (_MESSAGE, i), comments):
            if isinstance(kind, Message):
                messages.append(kind)
            else:
                enums.append(kind)
    return File(
        file.name,
        file.package,
        tuple(_service(file.package, service, (_SERVICE, i), comments) for i, service in enumerate(file.service)),
        tuple(messages),
        tuple(enums),
        tuple(_field(field, (_EXTENSION, i), "", comments) for i, field in enumerate(file.extension)),
    )


def _message(
    package: str, outer: str, message: descriptor_pb2.DescriptorProto, path: tuple[int, ...], comments: _Comments
) -> Iterator[Message | Enum]:
    name = f"{outer}{message.name}"
    oneofs = [oneof.name for oneof in message.oneof_decl]
    fields = tuple(
        _field(
            field,
            (*path, _FIELD, i),
            oneofs[field.oneof_index] if field.HasField("oneof_index") and not field.proto3_optional else "",
            comments,
        )
        for i, field in enumerate(message.field)
    )
    real = dict.fromkeys(field.oneof for field in fields if field.oneof)
    yield Message(
        name,
        f"{package}.{name}",
        comments.get(path, ""),
        fields,
        tuple((oneof, comments.get((*path, 8, oneofs.index(oneof)), "")) for oneof in real),
    )
    for i, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from _message(package, f"{name}.", nested, (*path, _NESTED, i), comments)
    for i, enum in enumerate(message.enum_type):
        yield _enum(f"{package}.{name}", enum, (*path, _NESTED_ENUM, i), comments)


def _field(field: _Kind, path: tuple[int, ...], oneof: str, comments: _Comments) -> Field:
    refers_to = field.type_name.lstrip(".")
    label = ""
    if field.label == _Kind.LABEL_REPEATED:
        label = "repeated "
    elif field.proto3_optional:
        label = "optional "
    scalar = _Kind.Type.Name(field.type).removeprefix("TYPE_").lower()
    type_name = label + (refers_to.rpartition(".")[2] if refers_to else scalar)
    return Field(field.name, field.number, type_name, refers_to, oneof, comments.get(path, ""))


def _enum(package: str, enum: descriptor_pb2.EnumDescriptorProto, path: tuple[int, ...], comments: _Comments) -> Enum:
    values = tuple(
        Value(value.name, value.number, comments.get((*path, _VALUE, i), "")) for i, value in enumerate(enum.value)
    )
    return Enum(enum.name, f"{package}.{enum.name}", comments.get(path, ""), values)


def _service(
    package: str, service: descriptor_pb2.ServiceDescriptorProto, path: tuple[int, ...], comments: _Comments
) -> Service:
    methods = tuple(
        Method(
            method.name,
            method.input_type.lstrip("."),
            method.output_type.lstrip("."),
            method.client_streaming,
            method.server_streaming,
            comments.get((*path, _METHOD, i), ""),
        )
        for i, method in enumerate(service.method)
    )
    return Service(service.name, f"{package}.{service.name}", comments.get(path, ""), methods)
