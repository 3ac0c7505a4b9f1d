"""Who is calling: bearer credentials, and the two ways to know them.

`insecure` takes `Bearer dev:NAME` for the principal NAME; whoever can reach the listener can be anybody, so it
listens on loopback only. Names that begin with `guest-` are guests. `tokens:FILE` takes the tokens whose hashes stand
in a file:

    # SHA-256 of the token, the principal, and (optional) when the token stops working, and whether it is a guest
    sha256$9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 alice
    sha256$60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 bob 2027-01-31T00:00:00Z
    sha256$fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13 visitor-7 2027-01-31T00:00:00Z guest

A token is looked up by its hash, so the time that takes says nothing about any stored token, and the file is
of no use to a thief. That holds for tokens with real entropy only: `hash-token` refuses short ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from reference_server.clock import parse_time

MIN_TOKEN_LENGTH = 20
MAX_AUTHORIZATION_LENGTH = 4096
HASH_PREFIX = "sha256$"
DEVELOPMENT_PREFIX = "dev:"
DEVELOPMENT_GUEST_PREFIX = "guest-"
GUEST_WORD = "guest"

_PRINCIPAL = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HASH = re.compile(r"sha256\$([0-9a-f]{64})", re.ASCII)
_BEARER = re.compile(r"bearer +([\x21-\x7e]+)", re.ASCII | re.IGNORECASE)


class TokensFileError(Exception):
    """The tokens file cannot be used; the message names place, problem and way out."""


class Credentials(Protocol):
    """Knows which principal a token stands for, and who is a guest."""

    def principal(self, token: str, now: datetime) -> str | None:
        """The principal of `token`, None when it is unknown or expired at `now`."""
        ...

    def guest_flag(self, principal: str) -> bool | None:
        """Whether `principal` is a guest; None when it is not known here."""
        ...


class GuestsOf:
    """Implements `ports.Guests`: whoever the credentials do not know as a guest is an account."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def is_guest(self, principal: str) -> bool:
        """Whether the principal is a guest."""
        return bool(self._credentials.guest_flag(principal))


def is_principal_name(name: str) -> bool:
    """Whether `name` is 1 to 64 characters out of A-Z a-z 0-9 . _ -"""
    return _PRINCIPAL.fullmatch(name) is not None


def token_digest(token: str) -> str:
    """SHA-256 of the token, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def bearer_token(metadata: Sequence[tuple[str, str | bytes]]) -> str | None:
    """The token of the one `authorization: Bearer …` entry; None when there is none, or more than one."""
    values = [value for key, value in metadata if key == "authorization"]
    if len(values) != 1:
        return None
    value = values[0]
    if not isinstance(value, str) or len(value) > MAX_AUTHORIZATION_LENGTH:
        return None
    match = _BEARER.fullmatch(value)
    return match.group(1) if match else None


class DevelopmentCredentials:
    """Takes everybody's word: the token `dev:NAME` stands for the principal NAME."""

    def principal(self, token: str, now: datetime) -> str | None:  # noqa: ARG002 - words never expire
        """The NAME of `dev:NAME`, None for any other token."""
        name = token.removeprefix(DEVELOPMENT_PREFIX)
        return name if name != token and is_principal_name(name) else None

    def guest_flag(self, principal: str) -> bool | None:
        """Whether the name begins with `guest-`."""
        return principal.startswith(DEVELOPMENT_GUEST_PREFIX)


@dataclass(frozen=True, slots=True)
class _Grant:
    principal: str
    expires: datetime | None
    guest: bool = False


class HashedTokens:
    """Tokens known by their hashes only."""

    def __init__(self, grants: Mapping[str, _Grant]) -> None:
        self._grants = dict(grants)
        self._guest_flags = {grant.principal: grant.guest for grant in grants.values()}

    def __len__(self) -> int:
        return len(self._grants)

    def principal(self, token: str, now: datetime) -> str | None:
        """The principal that the token's hash was granted to, None when unknown or expired."""
        grant = self._grants.get(token_digest(token))
        if grant is None or (grant.expires is not None and now >= grant.expires):
            return None
        return grant.principal

    def guest_flag(self, principal: str) -> bool | None:
        """Whether the principal's lines say so; None when it has none."""
        return self._guest_flags.get(principal)


class FirstOf:
    """Several sources of credentials, asked in order."""

    def __init__(self, *sources: Credentials) -> None:
        self._sources = sources

    def principal(self, token: str, now: datetime) -> str | None:
        """The first answer that is not None."""
        for source in self._sources:
            name = source.principal(token, now)
            if name is not None:
                return name
        return None

    def guest_flag(self, principal: str) -> bool | None:
        """The first answer that is not None."""
        flags = (source.guest_flag(principal) for source in self._sources)
        return next((flag for flag in flags if flag is not None), None)


def load_tokens(path: Path) -> HashedTokens:
    """Read a tokens file. Raises TokensFileError for the first thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise TokensFileError(f"{path}: is not UTF-8 text. Write it with `cartsync-server hash-token`.") from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise TokensFileError(f"{path}: cannot be read ({reason}). Give a readable file in tokens:FILE.") from None
    grants: dict[str, _Grant] = {}
    guests: dict[str, bool] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        digest, grant = _parse_line(f"{path}:{number}", line.split())
        if digest in grants:
            raise TokensFileError(f"{path}:{number}: this token stands in the file twice. Keep one line.")
        if guests.setdefault(grant.principal, grant.guest) != grant.guest:
            raise TokensFileError(f"{path}:{number}: its principal is a guest in one line and none in another.")
        grants[digest] = grant
    if not grants:
        raise TokensFileError(f"{path}: grants nothing, so nobody could call. Add a line with `hash-token`.")
    return HashedTokens(grants)


def _parse_line(place: str, words: list[str]) -> tuple[str, _Grant]:
    # A plain token may stand here by mistake, so no message repeats what the line says.
    match = _HASH.fullmatch(words[0])
    if match is None:
        raise TokensFileError(
            f"{place}: does not begin with sha256$ and 64 hexadecimal digits."
            " Make the line with `cartsync-server hash-token`."
        )
    is_guest = len(words) > 2 and words[-1] == GUEST_WORD
    rest = words[1:-1] if is_guest else words[1:]
    if len(rest) not in (1, 2):
        raise TokensFileError(
            f"{place}: has {len(words)} words. It takes a hash, a principal, perhaps a time, and perhaps {GUEST_WORD}."
        )
    if not is_principal_name(rest[0]):
        raise TokensFileError(f"{place}: the principal must be 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    expires = None
    if len(rest) == 2:
        expires = parse_time(rest[1])
        if expires is None:
            raise TokensFileError(f"{place}: the expiry must be an RFC 3339 time with zone: 2027-01-31T00:00:00Z")
    return match.group(1), _Grant(rest[0], expires, is_guest)


def tokens_file_line(token: str, principal: str, expires: str = "", *, guest: bool = False) -> str:
    """The line of a tokens file that lets `token` speak for `principal`, perhaps a guest, until `expires`.

    Raises ValueError naming what is wrong, never repeating the token.
    """
    if len(token) < MIN_TOKEN_LENGTH:
        raise ValueError(
            f"the token must have {MIN_TOKEN_LENGTH} characters or more; make one with `openssl rand -hex 32`"
        )
    if bearer_token([("authorization", f"Bearer {token}")]) != token:
        raise ValueError("the token must be printable ASCII without spaces")
    if not is_principal_name(principal):
        raise ValueError("the principal must be 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    if expires and parse_time(expires) is None:
        raise ValueError("the expiry must be an RFC 3339 time with zone, for example 2027-01-31T00:00:00Z")
    words = (f"{HASH_PREFIX}{token_digest(token)}", principal, expires, GUEST_WORD if guest else "")
    return " ".join(filter(None, words))
