"""A server that takes its time, never the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cartsync.v1 import operation_pb2

from reference_server.settlement import CartReading, Settled, Settlement

_PAUSES = (0.0, 0.002, 0.01, 0.001, 0.005)  # seconds, in turn, before and after the work


class Unhurried(Settlement):
    """Waits before it begins and before it answers, each time for another while."""

    _pause_count = 0

    async def _pause(self) -> None:
        self._pause_count += 1
        await asyncio.sleep(_PAUSES[self._pause_count % len(_PAUSES)])

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        """Settle them, after a while, and answer after another."""
        await self._pause()
        settled = await super().submit(principal, queue_id, attempts, expected_store_id)
        await self._pause()
        return settled

    async def cart(self, principal: str, cart_id: str, queue_id: str = "", expected_store_id: str = "") -> CartReading:
        """A cart, after a while."""
        await self._pause()
        reading = await super().cart(principal, cart_id, queue_id, expected_store_id)
        await self._pause()
        return reading
