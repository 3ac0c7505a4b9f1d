"""Claim tokens: what a guest's credential is given, and an account shows, to take the guest's cart over.

A token is `cg1.NAME.SEAL`: the guest's name in base64url, and an HMAC-SHA256 over it under a key derived from the
store's digest key. Nothing is kept of a token; whoever has the store's key can tell its own from all others, and
asking again gives the same one. It is a secret like a credential: never log one.
spec: claim/token, claim/token-checked
"""

from __future__ import annotations

import base64
import binascii
import hmac

_EDITION = "cg1"
_PURPOSE = b"cartsync guest claim token 1"
_MAX_LENGTH = 1_024


def issue(key: bytes, guest: str) -> str:
    """The token of a guest: visible ASCII. Raises ValueError when the name is too long for the protocol's 1,024."""
    token = _sealed(key, guest)
    if len(token) > _MAX_LENGTH:
        raise ValueError(f"the name of the guest has {len(guest)} characters, too many for a claim token")
    return token


def guest_of(token: str) -> str | None:
    """The guest that a token names, whether the token is good or not; None when it names none.

    Only to know what to read: nothing may be decided by it.
    """
    if len(token) > _MAX_LENGTH:
        return None
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != _EDITION:
        return None
    name = parts[1]
    try:
        decoded = base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True)
        guest = decoded.decode()
    except (binascii.Error, ValueError):
        return None
    return guest or None


def verify(key: bytes, token: str) -> str | None:
    """The guest that this very token was issued to; None for any other text, in time that does not tell how close."""
    guest = guest_of(token)
    if guest is None or not hmac.compare_digest(_sealed(key, guest).encode(), token.encode()):
        return None
    return guest


def _sealed(key: bytes, guest: str) -> str:
    seal = hmac.digest(hmac.digest(key, _PURPOSE, "sha256"), guest.encode(), "sha256")
    return ".".join((_EDITION, _text(guest.encode()), _text(seal)))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
