"""The shell around the sync machine: carries its commands out over SQLite and gRPC."""

from reference_client.drainer.drainer import Drainer
from reference_client.drainer.transport import CallFailedError, Transport

__all__ = ["CallFailedError", "Drainer", "Transport"]
