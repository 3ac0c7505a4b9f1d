"""What the fields of an address must look like, where an update mask names them (spec: address/field-limits)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from reference_server.engine.identifiers import CANONICAL_FORM, is_canonical_uuid
from reference_server.engine.kept_address import FIELDS, NEEDED_FIELDS, value_of

# The most Unicode code points of each text.
MAX_LENGTHS = {
    "recipient": 200,
    "company": 200,
    "address_lines": 200,
    "locality": 200,
    "administrative_area": 200,
    "postal_code": 32,
    "delivery_instructions": 1_000,
    "label": 64,
}
MAX_LINE_COUNT = 5
_REGION_CODE = re.compile(r"[A-Z]{2}")

_Problem = tuple[str, str]  # field of the intent, what is wrong


def is_text(text: str, max_length: int) -> bool:
    """True for at most so many code points, none of category Cc."""
    if len(text) > max_length:
        return False
    return text.isprintable() or all(unicodedata.category(character) != "Cc" for character in text)


def address_id(intent: Any) -> Iterator[_Problem]:
    """Of `PutAddress` and `DeleteAddress`."""
    if not is_canonical_uuid(intent.address_id):
        yield "address_id", CANONICAL_FORM


def base_revision(intent: Any) -> Iterator[_Problem]:
    """Of `PutAddress` and `DeleteAddress`."""
    if intent.base_revision < 0:
        yield "base_revision", "must be a revision of the address book, 0 or more"


def update_mask(intent: Any) -> Iterator[_Problem]:
    """Of `PutAddress` (spec: address/mask-checked). What else the client wrote there is not repeated."""
    if not intent.update_mask.paths:
        yield "update_mask", "is empty; name the fields to write"
    elif not set(FIELDS).issuperset(intent.update_mask.paths):
        yield "update_mask", f"may name {', '.join(FIELDS)}, and nothing else"


def masked_fields(intent: Any) -> Iterator[_Problem]:
    """Of `PutAddress`: every field that the mask names; what it does not name is ignored."""
    if not intent.HasField("address"):
        yield "address", "is missing; send the values of the fields that the mask names"
        return
    for name in FIELDS:
        if name in intent.update_mask.paths:
            yield from _field(intent.address, name)


def _field(address: Any, name: str) -> Iterator[_Problem]:
    value, path = value_of(address, name), f"address.{name}"
    if name == "region_code":
        if not isinstance(value, str) or _REGION_CODE.fullmatch(value) is None:
            yield path, "must be two letters A to Z"
        return
    length = MAX_LENGTHS[name]
    texts = (value,) if isinstance(value, str) else value
    if isinstance(value, tuple) and len(value) > MAX_LINE_COUNT:
        yield path, f"has {len(value)} lines; at most {MAX_LINE_COUNT} are taken"
    elif not all(is_text(text, length) for text in texts):
        yield path, f"must be at most {length} characters, none of them a control character"
    elif name in NEEDED_FIELDS and not all(texts or ("",)):
        yield path, "is needed, so a write must not leave it empty"
