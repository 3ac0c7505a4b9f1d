"""Plans as JSON: versioned, language-neutral, and read with suspicion.

    {"format": "cartsync-plan", "version": 1,
     "products": [{"sku": "sku-1", "price": 100, "currency": "GBP", "listed": true, "available": null}],
     "steps": [{"step": "send", "device": "A", "first": 0, "last": 0, "batch": 10, "via": "unary", …}]}

A step is an object with its name under "step" and its fields beside it; fields left out have their default. A field
or step that is not known is refused, because leaving it out would run another plan than the one written.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, TypeVar

from conformance.plans.steps import STEPS, Plan, Product, Step

FORMAT = "cartsync-plan"
VERSION = 1

_Value = TypeVar("_Value")


class PlanFormatError(Exception):
    """A JSON value is no plan; the message names the place and the problem."""


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "products": [_plain(product) for product in plan.products],
        "steps": [_step_to_json(step) for step in plan.steps],
    }


def from_json(document: object) -> Plan:
    """Read a plan; raises PlanFormatError."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise PlanFormatError(f'not a plan: "format" has to be "{FORMAT}"')
    if document.get("version") != VERSION:
        raise PlanFormatError(f"version {document.get('version')!r} of plans is not known; this suite reads {VERSION}")
    products = _list(document, "products")
    steps = _list(document, "steps")
    return Plan(
        tuple(_read(Product, entry, f"products[{index}]") for index, entry in enumerate(products)),
        tuple(_step_from_json(entry, f"steps[{index}]") for index, entry in enumerate(steps)),
    )


def name_of(step: Step) -> str:
    """The name of a step in files: its type in lower case with underscores."""
    return name_of_kind(type(step))


def name_of_kind(kind: type[Step]) -> str:
    """The name of a kind of step in files."""
    return _snake(kind.__name__)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_TYPES: dict[str, type[Any]] = {_snake(kind.__name__): kind for kind in STEPS}


def _step_to_json(step: Step) -> dict[str, Any]:
    return {"step": name_of(step), **_plain(step)}


def _plain(value: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if dataclasses.is_dataclass(content) and not isinstance(content, type):
            content = _plain(content)
        entry[field.name] = content.value if isinstance(content, Enum) else content
    return entry


def _step_from_json(entry: object, place: str) -> Step:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("step"), str):
        raise PlanFormatError(f'{place} is no step: an object with its name under "step" is needed')
    kind = _TYPES.get(entry["step"])
    if kind is None:
        raise PlanFormatError(f"{place} is a {entry['step']!r}; known are {', '.join(sorted(_TYPES))}")
    step: Step = _read(kind, {key: value for key, value in entry.items() if key != "step"}, place)
    return step


def _read(kind: type[_Value], entry: object, place: str) -> _Value:
    if not isinstance(entry, Mapping):
        raise PlanFormatError(f"{place} is no object")
    expected = typing.get_type_hints(kind)
    unknown = sorted(str(key) for key in entry if key not in expected)
    if unknown:
        raise PlanFormatError(f"{place} has unknown fields: {', '.join(unknown)}")
    values = {name: _field(expected[name], content, f"{place}.{name}") for name, content in entry.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise PlanFormatError(f"{place} lacks a field: {error}") from error


def _field(expected: Any, content: object, place: str) -> object:
    """One field, checked against its annotation: str, int, bool, an enum, a step inside a step, or optional."""
    if isinstance(expected, types.UnionType):
        if content is None:
            return None
        expected = next(kind for kind in typing.get_args(expected) if kind is not type(None))
    if isinstance(expected, type) and issubclass(expected, StrEnum):
        try:
            return expected(str(content))
        except ValueError as error:
            raise PlanFormatError(f"{place} is {content!r}; possible are {', '.join(expected)}") from error
    if dataclasses.is_dataclass(expected):
        return _read(typing.cast("type[Any]", expected), content, place)
    if not isinstance(content, expected) or (expected is int and isinstance(content, bool)):
        raise PlanFormatError(f"{place} is {content!r}, not of type {expected.__name__}")
    return content


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    entries = document.get(name)
    if not isinstance(entries, list):
        raise PlanFormatError(f"{name} is no list")
    return entries
