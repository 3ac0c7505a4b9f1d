"""Where the server is and how it is spoken to.

A credential only ever goes over TLS, or to this very machine; anything else has to be asked for by name.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from reference_client.exceptions import CredentialError


def _is_loopback(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is and how to speak to it."""

    address: str
    token: str = field(default="", repr=False)
    """The bearer credential, with or without the word "Bearer" before it."""
    tls: bool | None = None
    """None: TLS unless the server is on this machine."""
    root_certificates: bytes | None = field(default=None, repr=False)
    """PEM of the authorities to trust; None: those of the system."""
    deadline_seconds: float = 10.0
    """How long one answer may take."""
    unary_only: bool = False
    """Do not use streams even where the server has them."""

    @property
    def authorization(self) -> str:
        """What goes out as `authorization`. Raises `CredentialError` for what cannot, such as a line break."""
        if not self.token.isascii() or not self.token.isprintable():
            raise CredentialError("the credential holds characters that no credential has; is it the right file?")
        return self.token if self.token.startswith("Bearer ") else f"Bearer {self.token}"

    @property
    def uses_tls(self) -> bool:
        """Whether this endpoint is spoken to over TLS."""
        return not _is_loopback(self.address) if self.tls is None else self.tls
