"""Who is calling: from the metadata of a call to the principal it speaks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reference_server.credentials import Credentials, bearer_token
from reference_server.ports import Clock
from reference_server.service.errors import credential_invalid

Metadata = Sequence[tuple[str, str | bytes]]


class Callers:
    """Admits callers by their credentials. Whatever the metadata holds, it admits or raises CallError."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock

    def admit(self, metadata: Metadata) -> str:
        """The principal that the call speaks for (spec: identity/credential-required, security/hostile-credential).

        Raises CallError when there is no credential, a wrong one, an expired one, or more than one.
        """
        token = self.token(metadata)
        principal = None if token is None else self._credentials.principal(token, self.now())
        if principal is None:
            raise credential_invalid()
        return principal

    def token(self, metadata: Metadata) -> str | None:
        """The token that was sent; None when there is not exactly one well-formed credential."""
        return bearer_token(metadata)

    def now(self) -> datetime:
        """The instant at which a credential must be good (spec: security/expired-credential)."""
        return self._clock.now()
