"""The command line `cartsync`."""

from reference_client.cli.commands import main

__all__ = ["main"]
