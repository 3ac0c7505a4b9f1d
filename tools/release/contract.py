"""What an edition promises beside its messages: custom options, requirements and worked examples, as one readable file.

`buf breaking` compares messages, fields and numbers. It does not see custom options (the policy of a reason is one),
and it cannot see the text of the spec. This is the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from conformance.requirements import Requirement, load
from tools.release.protocol import descriptors

FORMAT = "cartsync-contract/1"

_FOR_PEOPLE = ("title", "shows", "subject", "requirements")
"""What of a worked example may be put better at any time."""

Options = Mapping[str, Mapping[str, Any]]
"""Custom options by full name of what they stand on, then by full name of the option."""


class ContractFormatError(ValueError):
    """A file is no contract; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The promises of one edition."""

    edition: str
    options: Options
    requirements: tuple[Requirement, ...]
    vectors: Mapping[str, str]  # name of a worked example to the SHA-256 of what goes over the wire in it

    def to_json(self) -> str:
        """The file's text: one line for each promise, so that a difference reads as one."""
        content = {
            "format": FORMAT,
            "edition": self.edition,
            "options": self.options,
            "requirements": [asdict(requirement) for requirement in self.requirements],
            "vectors": dict(sorted(self.vectors.items())),
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> Contract:
        """Read a contract back; raises ContractFormatError, naming `source`."""
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ContractFormatError(f"{source}: its format is {content['format']!r}, not {FORMAT!r}")
            return cls(
                content["edition"],
                content["options"],
                tuple(Requirement(**entry) for entry in content["requirements"]),
                content["vectors"],
            )
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ContractFormatError):
                raise
            raise ContractFormatError(f"{source} is no contract ({error}); take it from git again") from error


def contract_of(root: Path, edition: str) -> Contract:
    """The promises that the tree at `root` makes in its `proto/` and `docs/spec/`.

    Raises ValueError when a chapter or a vector cannot be read, BufError when the protocol cannot be built.
    """
    spec = root / "docs" / "spec"
    options = custom_options(descriptors(root))
    return Contract(edition, options, load(spec).requirements, vector_digests(spec / "vectors"))


def custom_options(encoded: bytes) -> Options:
    """Every custom option in an encoded FileDescriptorSet, in its order."""
    found: dict[str, dict[str, Any]] = {}
    for file in _resolved(encoded):
        for name, element in _elements(file):
            if custom := _custom(element):
                found[name] = custom
    return found


def vector_digests(folder: Path) -> dict[str, str]:
    """The digest of each worked example; none where there is no such folder.

    What counts is what goes over the wire and what it means, so titles and explanations may be put better.
    """
    digests = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            vector = json.loads(path.read_text(encoding="utf-8"))
            promise = {key: vector[key] for key in sorted(vector) if key not in _FOR_PEOPLE}
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: no worked example: {error}; `make docs` writes it anew") from error
        text = json.dumps(_without_notes(promise), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digests[path.relative_to(folder).with_suffix("").as_posix()] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def _without_notes(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_notes(member) for key, member in value.items() if key != "note"}
        case list():
            return [_without_notes(member) for member in value]
        case _:
            return value


def _resolved(encoded: bytes) -> list[Any]:
    """The protocol's own files, parsed so that custom options are known by name."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(encoded).file:
        pool.AddSerializedFile(file.SerializeToString())
    # Options parsed by classes of this very pool are resolved; by those of the default pool they would be unknown.
    parsed: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet"))()
    parsed.MergeFromString(encoded)
    return [file for file in parsed.file if not file.package.startswith("google.")]


def _elements(file: Any) -> Iterator[tuple[str, Any]]:
    """Everything in a file that can carry options, with its full name."""
    yield file.name, file
    yield from _enums(file.package, file.enum_type)
    yield from _messages(file.package, file.message_type)
    for service in file.service:
        name = f"{file.package}.{service.name}"
        yield name, service
        for method in service.method:
            yield f"{name}.{method.name}", method


def _messages(scope: str, messages: Any) -> Iterator[tuple[str, Any]]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name, message
        for member in (*message.field, *message.oneof_decl):
            yield f"{name}.{member.name}", member
        yield from _enums(name, message.enum_type)
        yield from _messages(name, message.nested_type)


def _enums(scope: str, enums: Any) -> Iterator[tuple[str, Any]]:
    for enum in enums:
        yield f"{scope}.{enum.name}", enum
        for value in enum.value:
            yield f"{scope}.{enum.name}.{value.name}", value


def _custom(element: Any) -> dict[str, Any]:
    """The custom options of one element, without the outer brackets that protobuf JSON gives extensions."""
    if not element.HasField("options"):
        return {}
    told = json_format.MessageToDict(element.options, preserving_proto_field_name=True)
    return {
        key[1:-1]: _complete(element.options, key[1:-1], value) for key, value in told.items() if key.startswith("[")
    }


def _complete(options: Any, name: str, value: Any) -> Any:
    """A message option with the fields that hold their default, too: `recorded: false` is a promise."""
    for field, content in options.ListFields():
        if field.full_name == name and isinstance(content, Message):
            return json_format.MessageToDict(
                content, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
    return value
