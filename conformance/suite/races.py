"""Races that come out the same every time: one submission is held between deciding and committing, others go on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2

from conformance.wire import Answer, Device, PendingCall, RpcFailureError, Shop, Story
from conformance.wire.device import answer_of

# How long what overtakes a held submission may take before it counts as waiting for it, as under a lock.
OVERTAKE_SECONDS = 0.8

_Read = TypeVar("_Read")


@contextlib.contextmanager
def held(
    story: Story,
    device: Device,
    *operations: operation_pb2.CartOperation,
    point: control.FailPoint.ValueType = control.FAIL_POINT_BEFORE_COMMIT,
    shop: Shop | None = None,
) -> Iterator[PendingCall]:
    """Submit, and keep the submission at the fail point until the block ends.

    `shop` is that of the device's principal, where it is not the story's own.
    """
    control_of = shop or story.shop
    control_of.hold(point)
    try:
        pending = device.submit_later(*operations)
        control_of.await_held()
        yield pending
    finally:
        control_of.release()


def overtake(device: Device, *operations: operation_pb2.CartOperation) -> PendingCall:
    """Submit while another submission is held. A server may serve it at once, or let it wait for the held one."""
    pending = device.submit_later(*operations)
    pending.wait(OVERTAKE_SECONDS)
    return pending


def read_beside(read: Callable[[float], _Read]) -> _Read | None:
    """What a read (given its seconds) says while a submission is held; None where it waits for the held one."""
    try:
        return read(OVERTAKE_SECONDS)
    except RpcFailureError as failure:
        if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return None
        raise


def read_meanwhile(device: Device, draft: Callable[[], operation_pb2.CartOperation], look: Callable[[], None]) -> None:
    """Have a queue's operations come in, a submission overtaking another at times, and look over and over meanwhile.

    `draft` enqueues one more operation of the device's; `look` is to hold at every moment.
    """
    for _ in range(12):
        pending = [device.submit_later(draft()), device.submit_later(draft(), draft())]
        while True:
            finished = all(call.done() for call in pending)
            look()
            if finished:
                break
        for call in pending:
            answer(call)
        device.submit(*device.log[-2:])  # an overtaken submission was a gap


def answer(pending: PendingCall) -> Answer:
    """The answer of a submission on its way; raises RpcFailureError."""
    return answer_of(pending.result())
