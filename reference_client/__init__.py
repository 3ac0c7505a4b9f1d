"""The Cartsync reference client: a cart that works without a network, and is settled exactly once when it is back.

with CartClient("~/.local/share/my-shop", "127.0.0.1:7443", token="dev:alice") as client:
    client.add("TEAPOT", price="12.50GBP")   # on disk when it returns; no network
    client.view()                            # last snapshot + pending operations
    client.sync()                            # sends, learns, reads the cart anew
"""

from reference_client.client import CartClient, SyncReport, SyncStatus
from reference_client.exceptions import (
    ClientError,
    CredentialError,
    InvalidIntentError,
    NothingToDiscardError,
    QueueBusyError,
    StoreError,
    UnknownQueueError,
)
from reference_client.intents import Price

__all__ = [
    "CartClient",
    "ClientError",
    "CredentialError",
    "InvalidIntentError",
    "NothingToDiscardError",
    "Price",
    "QueueBusyError",
    "StoreError",
    "SyncReport",
    "SyncStatus",
    "UnknownQueueError",
]
