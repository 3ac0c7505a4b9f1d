"""What identifiers must look like: UUIDs of keys and queues, cart ids, SKUs."""

from __future__ import annotations

import re
import unicodedata

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CART_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_SKU_LENGTH = 64

CANONICAL_FORM = "must be a UUID in canonical text: 36 characters, lower case, hyphens"
CART_ID_FORM = "must be 1 to 64 characters out of A-Z a-z 0-9 . _ -"
SKU_FORM = "must be 1 to 64 characters, none of them a control character, no space at either end"


def is_canonical_uuid(text: str) -> bool:
    """True for the 36-character lower-case text of a UUID of any version."""
    return _CANONICAL_UUID.fullmatch(text) is not None


def is_cart_id(text: str) -> bool:
    """True for a well-formed cart id."""
    return _CART_ID.fullmatch(text) is not None


def is_sku(text: str) -> bool:
    """True for a well-formed SKU: at most 64 code points, no control character, no U+0020 at either end."""
    if not 1 <= len(text) <= _MAX_SKU_LENGTH or text[0] == " " or text[-1] == " ":
        return False
    return text.isprintable() or all(unicodedata.category(character) != "Cc" for character in text)
