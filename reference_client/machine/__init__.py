"""The sync machine: what a client does next, decided without any input or output."""

from reference_client.machine.backoff import Backoff
from reference_client.machine.sync_machine import IllegalTransitionError, SyncMachine

__all__ = ["Backoff", "IllegalTransitionError", "SyncMachine"]
