"""An address as it is kept: each field's value, and what the merge needs to know of its past."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cartsync.v1 import address_pb2

Value = str | tuple[str, ...]
"""What a field of an address holds: a text, or the address lines."""

FIELDS: tuple[str, ...] = tuple(field.name for field in address_pb2.Address.DESCRIPTOR.fields)
NEEDED_FIELDS = ("recipient", "address_lines", "region_code")
"""Without these no address is made (spec: address/incomplete)."""


@dataclass(frozen=True, slots=True)
class KeptField:
    """One field. `last_change_revision` and the others mean what they mean at `state.Line`; 0 means never changed."""

    value: Value
    last_change_revision: int = 0
    last_change_queue_id: str = ""
    other_change_revision: int = 0

    def changed_by_others(self, queue_id: str) -> int:
        """Revision of the latest change that another queue than `queue_id` made; 0 when none did."""
        if self.last_change_queue_id == queue_id:
            return self.other_change_revision
        return self.last_change_revision

    def after(self, value: Value, revision: int, queue_id: str) -> KeptField:
        """The field after `queue_id` changed it."""
        return KeptField(value, revision, queue_id, self.changed_by_others(queue_id))


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """An address: every field of `Address` by name."""

    fields: Mapping[str, KeptField] = field(repr=False)

    def changed_by_others(self, queue_id: str) -> int:
        """Revision of the latest change that another queue than `queue_id` made to any field; 0 when none did."""
        return max(kept.changed_by_others(queue_id) for kept in self.fields.values())

    def message(self) -> address_pb2.Address:
        """The address as it goes on the wire (spec: address/text-exact)."""
        return message_of({name: kept.value for name, kept in self.fields.items()})

    def encoded(self) -> bytes:
        """As the store keeps it; fields that are empty and never changed are left out."""
        known = {
            name: [kept.value, kept.last_change_revision, kept.last_change_queue_id, kept.other_change_revision]
            for name, kept in self.fields.items()
            if kept != EMPTY.fields[name]
        }
        return json.dumps(known, ensure_ascii=False).encode()

    @classmethod
    def decoded(cls, value: bytes) -> KeptAddress:
        """Of what `encoded` made."""
        fields = dict(EMPTY.fields)
        for name, (held, *marks) in json.loads(value).items():
            fields[name] = KeptField(tuple(held) if isinstance(held, list) else held, *marks)
        return cls(fields)


def value_of(address: address_pb2.Address, name: str) -> Value:
    """What an address on the wire has in a field."""
    value = getattr(address, name)
    return value if isinstance(value, str) else tuple(value)


def message_of(values: Mapping[str, Value]) -> address_pb2.Address:
    """An address on the wire that has these values, and nothing in its other fields."""
    address = address_pb2.Address()
    for name, value in values.items():
        if isinstance(value, str):
            setattr(address, name, value)
        else:
            getattr(address, name).extend(value)
    return address


EMPTY = KeptAddress({name: KeptField(value_of(address_pb2.Address(), name)) for name in FIELDS})
"""What is there before an address is made."""
