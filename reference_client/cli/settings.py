"""What the command line was told: options, environment, defaults. And the exit codes."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass, field
from pathlib import Path

import click

from reference_client.client import CartClient
from reference_client.drainer.endpoint import Endpoint

DEFAULT_SERVER = "127.0.0.1:7443"


class ExitCode(enum.IntEnum):
    """What the command line says to scripts."""

    OK = 0
    NEEDS_SHOPPER = 1
    """Something needs the shopper: a rejection, a conflict, a credential. See `cartsync notifications`."""
    USAGE = 2
    NOT_NOW = 3
    """The server is away, puts things off, or another process is synchronising. All intents are safe."""
    STORE = 4
    """The store on this device cannot be used."""
    INCOMPATIBLE = 5
    """Client and server do not understand each other: a bug, or no Cartsync server. All intents are safe."""


@dataclass
class Settings:
    """Everything the commands share."""

    data_dir: Path
    server: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    tls: bool | None = None
    tls_ca: Path | None = None
    unary_only: bool = False
    deadline: float = 10.0
    json: bool = False

    def endpoint(self) -> Endpoint:
        """Where to and how. Raises `click.UsageError` when a file cannot be read."""
        return Endpoint(
            address=self.server,
            token=self.token,
            tls=self.tls,
            root_certificates=_read(self.tls_ca) if self.tls_ca is not None else None,
            deadline_seconds=self.deadline,
            unary_only=self.unary_only,
        )

    def offline(self) -> CartClient:
        """A client that is only asked to write down and to show."""
        return CartClient(self.data_dir, endpoint=self.endpoint())

    def online(self) -> CartClient:
        """A client that may synchronise: a credential is there, and does not go out in the clear."""
        if self.token_file is not None:
            self.token = _read(self.token_file).decode("utf-8", "replace").strip()
        if not self.token:
            raise click.UsageError(
                "no credential: name a file with --token-file or CARTSYNC_TOKEN_FILE, or set CARTSYNC_TOKEN "
                "(a reference server on loopback takes dev:NAME for anybody)"
            )
        return CartClient(self.data_dir, endpoint=self.endpoint())


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/cartsync`, by default `~/.local/share/cartsync`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "cartsync"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from None
