"""What can go wrong in the client, in the order of an intent's life.

An intent is first *written down*, then *stored*, then *drained*. Each step has its own error, because each
is somebody else's to mend: the caller, the device, the network, the shopper. Every message names what is
wrong and the way out, so that a command line can show it as it is.
"""

from __future__ import annotations


class ClientError(Exception):
    """Base of every error that this client raises on purpose."""


class InvalidIntentError(ClientError, ValueError):
    """The intent could never be applied: a field is missing or out of range. Nothing was written down.

    `field` names the argument. The caller corrects it; the ranges are those of `cartsync.v1.CartOperation`.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class StoreError(ClientError):
    """The store on this device cannot be used. Whether the intent was written down is said in the message."""


class NothingToDiscardError(ClientError):
    """There is no undecided operation to cancel at that sequence. Nothing was written down."""


class UnknownQueueError(ClientError):
    """No queue of that name is on this device, or it is not one that waits for the shopper."""


class CredentialError(ClientError, ValueError):
    """The credential could not be sent as it is. Nothing left this device; the message does not repeat it."""


class QueueBusyError(ClientError):
    """Another process drains this queue at this moment. The intent is safe; the other one sends it.

    spec: client/one-drainer.
    """
