"""Page tokens of a wishlist: after which entry to go on.

A token is `w1.REVISION.CHECK`: the revision that added the last entry shown, and a checksum over it and the principal.
It survives restarts and says nothing that the entries did not; the checksum is there so that a token that was cut,
mistyped or given to somebody else is told from one of the server's own (spec: wishlist/page-arguments).
"""

from __future__ import annotations

import hashlib
import re

_TOKEN = re.compile(r"w1\.([1-9][0-9]{0,18})\.[0-9a-f]{16}", re.ASCII)


def page_token(principal: str, after_revision: int) -> str:
    """The token of the page behind the entry that was added at `after_revision`, 1 or more."""
    check = hashlib.sha256(f"cartsync wishlist page\0{principal}\0{after_revision}".encode()).hexdigest()[:16]
    return f"w1.{after_revision}.{check}"


def after_revision(principal: str, token: str) -> int | None:
    """Where the token says to go on, 0 for the empty one; None when it is none of this principal's."""
    if not token:
        return 0
    match = _TOKEN.fullmatch(token)
    if match is None or page_token(principal, int(match[1])) != token:
        return None
    return min(int(match[1]), 2**63 - 1)
