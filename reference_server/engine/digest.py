"""The keyed digest by which a duplicate's payload is compared with what was decided.

Equality is that of the decoded fields that carry meaning: the intent and the set of required features. Bytes are
never compared, for protobuf serialization is not canonical. Every record names the field list (`version`) its
digest was made by, and is compared under that list for as long as it lives: a list is never edited, a new one is
added beside it (spec: deciding/payload-by-meaning).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from operator import attrgetter, methodcaller

from cartsync.v1 import operation_pb2
from google.protobuf.message import Message

CURRENT_VERSION = 1

_Getters = dict[str, tuple[Callable[[Message], object], ...]]

# Leading "?": the field has presence, and absent differs from empty. "a.b": a field of a message.
_V1: dict[str, tuple[str, ...]] = {
    "add_item": (
        "cart_id",
        "sku",
        "quantity",
        "?observed_unit_price",
        "observed_unit_price.currency_code",
        "observed_unit_price.minor_units",
        "?max_unit_price",
        "max_unit_price.currency_code",
        "max_unit_price.minor_units",
        "quantity_policy",
    ),
    "adjust_quantity": ("cart_id", "sku", "delta", "quantity_policy", "?unless_changed_since", "unless_changed_since"),
    "set_quantity": ("cart_id", "sku", "quantity", "quantity_policy", "?unless_changed_since", "unless_changed_since"),
    "remove_item": ("cart_id", "sku", "?unless_changed_since", "unless_changed_since"),
    "discard": ("discarded_key",),
}
FIELD_LISTS: dict[int, dict[str, tuple[str, ...]]] = {1: _V1}


def payload_digest(key: bytes, operation: operation_pb2.CartOperation, version: int = CURRENT_VERSION) -> bytes:
    """HMAC-SHA256 (32 bytes) over the meaning of an operation, by the field list `version`.

    Raises KeyError for a list this build does not know; records are never compared under another list.
    """
    text = "".join(_framed(part) for part in _parts(operation, _GETTERS[version]))
    return hmac.digest(key, text.encode(), "sha256")


def same_digest(one: bytes, other: bytes) -> bool:
    """Compare without telling by timing where two digests differ."""
    return hmac.compare_digest(one, other)


def _framed(part: str) -> str:
    return f"{len(part)}:{part}"


def _parts(operation: operation_pb2.CartOperation, getters: _Getters) -> Iterator[str]:
    kind = operation.WhichOneof("intent") or ""
    yield kind
    if kind:
        intent = getattr(operation, kind)
        for getter in getters[kind]:
            yield str(getter(intent))
    yield from sorted(set(operation.required_features))


def _getter(path: str) -> Callable[[Message], object]:
    return methodcaller("HasField", path[1:]) if path.startswith("?") else attrgetter(path)


_GETTERS: dict[int, _Getters] = {
    version: {kind: tuple(map(_getter, paths)) for kind, paths in lists.items()}
    for version, lists in FIELD_LISTS.items()
}
