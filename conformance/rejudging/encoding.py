"""The oracle's values as JSON and back, by their annotations.

A value is an object with its fields; one of several kinds has its name under "is". Fields that are empty by default are
left out. What cannot be read says where, because a history may be from another edition, or from anybody.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum
from functools import cache
from typing import Any

KIND = "is"
_NOTHING: tuple[object, ...] = (None, "", (), frozenset(), 0, False)
_NEVER = object()
_Text = Callable[[str], str]
_Encoder = Callable[[Any, _Text], Any]


class EncodingError(Exception):
    """A JSON value is none of what its place calls for; the message names the place and the problem."""


def encode(value: object, expected: Any, text: _Text = str) -> Any:
    """The JSON of a value annotated with `expected`; every text goes through `text`."""
    return _encoder(expected)(value, text)


@cache
def _encoder(expected: Any) -> _Encoder:
    """How a value with this annotation is encoded, found out once: a run encodes a hundred thousand."""
    kind = _plain_kind(expected)
    origin = typing.get_origin(kind)
    if origin in (tuple, list, Sequence):
        arguments = typing.get_args(kind)
        if origin is tuple and arguments[-1] is not Ellipsis:
            parts = tuple(map(_encoder, arguments))
            return lambda value, text: [each(one, text) for each, one in zip(parts, value, strict=True)]
        part = _encoder(arguments[0])
        return lambda value, text: [part(one, text) for one in value]
    if origin is frozenset:
        member = _encoder(typing.get_args(kind)[0])
        return lambda value, text: sorted((member(one, text) for one in value), key=repr)
    if classes := _classes(expected):
        return _encoder_of_fields(named=len(classes) > 1)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _value_of
    if kind is str:
        return lambda value, text: None if value is None else text(value)
    if kind is bytes:
        return _base64_of
    return _itself


def _value_of(value: Enum | None, _: _Text) -> Any:
    return None if value is None else value.value


def _base64_of(value: bytes, _: _Text) -> str:
    return base64.b64encode(value).decode("ascii")


def _itself(value: object, _: _Text) -> object:
    return value


def _encoder_of_fields(*, named: bool) -> _Encoder:
    def encoded(value: Any, text: _Text) -> Any:
        if value is None:
            return None
        kind: Any = type(value)
        entry: dict[str, Any] = {KIND: kind.__name__} if named else {}
        for name, encoder, left_out in _field_encoders(kind):
            content = getattr(value, name)
            if content is not left_out and (content or content != left_out):
                entry[name] = encoder(content, text)
        return entry

    return encoded


@cache
def _field_encoders(kind: Any) -> tuple[tuple[str, _Encoder, object], ...]:
    """Name, encoder and the empty default that needs no writing (an object like no other where there is none)."""
    return tuple(
        (name, _encoder(annotation), default if _is_empty(default) else _NEVER)
        for name, annotation, default in _fields(kind)
    )


def _is_empty(default: object) -> bool:
    return any(default is empty or (type(default) is type(empty) and default == empty) for empty in _NOTHING)


def decode(entry: object, expected: Any, place: str, text: _Text = str) -> Any:
    """The value that `encode` made `entry` of; raises EncodingError."""
    kind = _plain_kind(expected)
    if entry is None:
        if kind is type(None) or type(None) in _options(expected):
            return None
        raise EncodingError(f"{place} is missing")
    origin = typing.get_origin(kind)
    if origin in (tuple, list, Sequence):
        entries = _of(entry, list, place)
        kinds = _kinds(kind, len(entries), place)
        return tuple(
            decode(each, one, f"{place}[{index}]", text)
            for index, (each, one) in enumerate(zip(entries, kinds, strict=True))
        )
    if origin is frozenset:
        (one,) = typing.get_args(kind)
        return frozenset(
            decode(each, one, f"{place}[{index}]", text) for index, each in enumerate(_of(entry, list, place))
        )
    if classes := _classes(expected):
        return _decode_fields(_of(entry, dict, place), classes, place, text)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(str(entry))
        except ValueError as error:
            raise EncodingError(f"{place} is {entry!r}; possible are {', '.join(kind)}") from error
    return _simple(entry, kind, place, text)


def _decode_fields(
    entry: Mapping[str, object], classes: Mapping[str, type], place: str, text: Callable[[str], str]
) -> object:
    name = entry.get(KIND, next(iter(classes)) if len(classes) == 1 else None)
    kind = classes.get(str(name))
    if kind is None:
        raise EncodingError(f"{place} is a {name!r}; known are {', '.join(sorted(classes))}")
    known = {field: annotation for field, annotation, _ in _fields(kind)}
    if unknown := sorted(set(entry) - set(known) - {KIND}):
        raise EncodingError(f"{place} has an unknown field {unknown[0]!r}")
    values = {
        field: decode(content, known[field], f"{place}.{field}", text)
        for field, content in entry.items()
        if field != KIND
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise EncodingError(f"{place} lacks a field: {error}") from error


def _simple(entry: object, kind: Any, place: str, text: _Text) -> object:
    if kind is str:
        return text(_of(entry, str, place))
    if kind is bytes:
        try:
            return base64.b64decode(_of(entry, str, place), validate=True)
        except binascii.Error as error:
            raise EncodingError(f"{place} is no base64") from error
    if kind is float and isinstance(entry, int) and not isinstance(entry, bool):
        return float(entry)
    if kind in (bool, int, float) and type(entry) is kind:
        return entry
    raise EncodingError(f"{place} is {entry!r}, not of type {getattr(kind, '__name__', kind)}")


def _of(entry: object, kind: type[Any], place: str) -> Any:
    if not isinstance(entry, kind):
        raise EncodingError(f"{place} is {entry!r}, not of type {kind.__name__}")
    return entry


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any, object], ...]:
    """Name, annotation and default of each field."""
    hints = typing.get_type_hints(kind)
    return tuple((field.name, hints[field.name], field.default) for field in dataclasses.fields(kind))


@cache
def _options(expected: Any) -> tuple[Any, ...]:
    """What an annotation allows."""
    if isinstance(expected, types.UnionType) or typing.get_origin(expected) is typing.Union:
        return tuple(option for part in typing.get_args(expected) for option in _options(part))
    return (expected,)


@cache
def _classes(expected: Any) -> dict[str, type]:
    """The dataclasses that an annotation allows, by name."""
    kinds = [option for option in _options(expected) if isinstance(option, type)]
    return {kind.__name__: kind for kind in kinds if dataclasses.is_dataclass(kind)}


@cache
def _plain_kind(expected: Any) -> Any:
    """The one thing that an annotation allows apart from None; the first of several."""
    return next((option for option in _options(expected) if option is not type(None)), type(None))


def _kinds(expected: Any, count: int, place: str = "") -> Sequence[Any]:
    """What stands in a tuple or list of so many."""
    kind = _plain_kind(expected)
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and arguments[-1] is not Ellipsis:
        if len(arguments) != count:
            raise EncodingError(f"{place} has {count} entries, not {len(arguments)}")
        return arguments
    return [arguments[0]] * count
