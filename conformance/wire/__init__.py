"""Reaching the server under test: launching and killing it, its shop, devices that talk to it, and the record of all.

`Target` is the process or address, `Shop` its control service, `Connection` one channel of one principal,
`Device` a queue with its durable log, `History` what happened, `Story` all of these for one attempt.
"""

from conformance.wire.connection import Connection, PendingCall, RpcFailureError, Stream, Watch
from conformance.wire.device import Answer, Device
from conformance.wire.history import Event, History, Lane
from conformance.wire.shop import Shop
from conformance.wire.story import Story
from conformance.wire.target import Target, TargetOptions

__all__ = [
    "Answer",
    "Connection",
    "Device",
    "Event",
    "History",
    "Lane",
    "PendingCall",
    "RpcFailureError",
    "Shop",
    "Story",
    "Stream",
    "Target",
    "TargetOptions",
    "Watch",
]
