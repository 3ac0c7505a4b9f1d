"""Tells those who watch a cart that something they see was committed by this process.

There is one flag for each watch, raised however many commits there were: nothing here grows with a reader that is
slow. Whoever is woken reads what is there by then.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reference_server.engine.state import Changes


@dataclass(frozen=True, eq=False)
class _Watched:
    cart_id: str
    queue_id: str  # empty: none
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Commits:
    """Who watches what, by principal."""

    def __init__(self) -> None:
        self._watched: defaultdict[str, set[_Watched]] = defaultdict(set)

    @contextmanager
    def watched(self, principal: str, cart_id: str, queue_id: str = "") -> Iterator[asyncio.Event]:
        """An event that is set at each commit that touches the cart, or moves the queue, while the block runs."""
        watched = _Watched(cart_id, queue_id)
        self._watched[principal].add(watched)
        try:
            yield watched.changed
        finally:
            self._watched[principal].discard(watched)
            if not self._watched[principal]:
                del self._watched[principal]

    def announce(self, changes: Changes) -> None:
        """Wake whoever watches something of what was committed; a claim closes the guest's cart as well."""
        touched = {(changes.principal, cart_id) for cart_id in changes.carts}
        touched |= {(claim.guest, claim.guest_cart_id) for claim in changes.claims}
        for principal in {changes.principal} | {principal for principal, _ in touched}:
            for watched in self._watched.get(principal, ()):
                moved = principal == changes.principal and watched.queue_id == changes.queue_id
                if moved or (principal, watched.cart_id) in touched:
                    watched.changed.set()
