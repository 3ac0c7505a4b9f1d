"""The command `cartsync-conformance`."""

from conformance.cli.main import main

__all__ = ["main"]
