"""The keyed digest by which a duplicate's payload is compared with what was decided.

Equality is that of the decoded fields that carry meaning: the intent and the set of required features. Bytes are
never compared, for protobuf serialization is not canonical. Every record names the field list (`version`) its
digest was made by, and is compared under that list for as long as it lives: a list is never edited, a new one is
added beside it (spec: deciding/payload-by-meaning). A kind that a list does not have was an unknown intent when the
list was made, and is taken for one under it.

Of an operation with a card number nothing is kept, not even here: its payload is its kind and the fact
(`card_number_digest`, spec: section 14.4). Records of lists before `CARD_NUMBERS_SINCE` know nothing of that.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import attrgetter, methodcaller

from cartsync.v1 import operation_pb2
from google.protobuf.message import Message

CURRENT_VERSION = 2
CARD_NUMBERS_SINCE = 2

_Getter = Callable[[Message], Iterable[str]]
_Getters = dict[str, tuple[_Getter, ...]]

# Leading "?": the field has presence, and absent differs from empty. "*": a list of texts. "%": a list that is a set.
# "a.b": a field of a message.
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
_V2: dict[str, tuple[str, ...]] = {
    **_V1,
    "apply_coupon": ("cart_id", "coupon_code"),
    "remove_coupon": ("cart_id", "coupon_code"),
    "add_to_wishlist": ("sku",),
    "remove_from_wishlist": ("sku",),
    "put_address": (
        "address_id",
        "?base_revision",
        "base_revision",
        "%update_mask.paths",
        "?address",
        "address.recipient",
        "address.company",
        "*address.address_lines",
        "address.locality",
        "address.administrative_area",
        "address.postal_code",
        "address.region_code",
        "address.delivery_instructions",
        "address.label",
    ),
    "delete_address": ("address_id", "?base_revision", "base_revision"),
    "save_payment_method": ("payment_method_id", "provider", "provider_token", "label"),
    "delete_payment_method": ("payment_method_id",),
    "claim_guest_cart": ("claim_token", "guest_cart_id", "cart_id"),
}
FIELD_LISTS: dict[int, dict[str, tuple[str, ...]]] = {1: _V1, 2: _V2}


def payload_digest(key: bytes, operation: operation_pb2.CartOperation, version: int = CURRENT_VERSION) -> bytes:
    """HMAC-SHA256 (32 bytes) over the meaning of an operation, by the field list `version`.

    Raises KeyError for a list this build does not know; records are never compared under another list.
    """
    text = "".join(_framed(part) for part in _parts(operation, _GETTERS[version]))
    return hmac.digest(key, text.encode(), "sha256")


def card_number_digest(key: bytes, operation: operation_pb2.CartOperation) -> bytes:
    """The digest of an operation with a card number; equal to no other operation's, and to any such one of its kind."""
    return hmac.digest(key, f"card number in {operation.WhichOneof('intent')}".encode(), "sha256")


def same_digest(one: bytes, other: bytes) -> bool:
    """Compare without telling by timing where two digests differ."""
    return hmac.compare_digest(one, other)


def _framed(part: str) -> str:
    return f"{len(part)}:{part}"


def _parts(operation: operation_pb2.CartOperation, getters: _Getters) -> Iterator[str]:
    kind = operation.WhichOneof("intent") or ""
    if kind not in getters:
        kind = ""
    yield kind
    if kind:
        intent = getattr(operation, kind)
        for getter in getters[kind]:
            yield from getter(intent)
    yield from sorted(set(operation.required_features))


def _getter(path: str) -> _Getter:
    if path.startswith("?"):
        has = methodcaller("HasField", path[1:])
        return lambda intent: (str(has(intent)),)
    get = attrgetter(path.lstrip("*%"))
    if path.startswith("*"):
        return lambda intent: _counted(get(intent))
    if path.startswith("%"):
        return lambda intent: _counted(sorted(set(get(intent))))
    return lambda intent: (str(get(intent)),)


def _counted(texts: Collection[str]) -> Iterator[str]:
    yield str(len(texts))
    yield from texts


_GETTERS: dict[int, _Getters] = {
    version: {kind: tuple(map(_getter, paths)) for kind, paths in lists.items()}
    for version, lists in FIELD_LISTS.items()
}
