"""The profiles of the protocol that this server implements. Nothing else, so that a wrong flag is answered at once."""

from __future__ import annotations

from typing import Final

PROFILES: Final = (
    "address_book",
    "core",
    "coupons",
    "guest_claim",
    "payment_methods",
    "security",
    "streaming",
    "watch",
    "wishlist",
)
"""Every one of them, ascending."""
