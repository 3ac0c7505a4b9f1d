"""What the suite has arranged, in a small SQLite file beside the store, so that a kill -9 does not undo it.

Held in memory for reading, written through before the call that arranged it is answered. It survives the death
of the process, which is all that a test needs; it does not wait for the disk.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlite_utils

from reference_server.credentials import token_digest
from reference_server.engine import instants
from reference_server.ports import Offer, PaymentDetails, Promotion

_SCHEMA = """
    create table if not exists offers (
        sku text primary key, currency_code text not null, unit_price_minor integer not null,
        listed integer not null, available_quantity integer
    ) without rowid;
    create table if not exists limits (principal text primary key, remaining integer not null) without rowid;
    create table if not exists outages (principal text primary key) without rowid;
    create table if not exists credentials (digest text primary key, principal text not null) without rowid;
    create table if not exists credential_ends (digest text primary key, expires_us integer not null) without rowid;
    create table if not exists principals (principal text primary key, guest integer not null) without rowid;
    create table if not exists payment_limits (principal text primary key, remaining integer not null) without rowid;
    create table if not exists promotions (coupon_code text primary key, document text) without rowid;
    create table if not exists payment_tokens (
        digest text primary key, valid integer not null, brand text not null, last_four text not null,
        expiry_month integer not null, expiry_year integer not null
    ) without rowid;
    create table if not exists clock (only integer primary key check (only = 1), offset_us integer not null);
"""

_PUT_OFFER = "insert or replace into offers values (?, ?, ?, ?, ?)"
_BEGIN_OUTAGE = "insert or replace into outages values (?)"
_END_OUTAGE = "delete from outages where principal = ?"
_ADD_CREDENTIAL = "insert or replace into credentials values (?, ?)"
_END_CREDENTIAL = "insert or replace into credential_ends values (?, ?)"
_ADD_PRINCIPAL = "insert or ignore into principals values (?, ?)"
_PUT_PROMOTION = "insert or replace into promotions values (?, ?)"
_PUT_PAYMENT_TOKEN = "insert or replace into payment_tokens values (?, ?, ?, ?, ?, ?)"  # noqa: S105 - a statement
_SET_CLOCK = "insert or replace into clock values (1, ?)"

_MICROSECOND = timedelta(microseconds=1)


class LimitScope(enum.Enum):
    """What an arranged rate limit counts; the value is its table."""

    OPERATIONS = "limits"
    PAYMENT_METHODS = "payment_limits"


# The table's name is one of the two above.
_PUT_LIMIT = {scope: f"insert or replace into {scope.value} values (?, ?)" for scope in LimitScope}  # noqa: S608
_LIFT_LIMIT = {scope: f"delete from {scope.value} where principal = ?" for scope in LimitScope}  # noqa: S608


class ControlState:
    """Everything arranged so far. Opening it reads what an earlier run of the server left."""

    def __init__(self, path: str) -> None:
        """Open or make the file at `path` (`:memory:` for none); raises sqlite3.Error when it cannot be."""
        self._database = sqlite_utils.Database(sqlite3.connect(path))
        self._connection = self._database.conn
        self._connection.isolation_level = None  # each statement its own transaction
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = off")
        self._connection.executescript(_SCHEMA)
        self.offers = {
            row["sku"]: Offer(
                row["sku"],
                row["currency_code"],
                row["unit_price_minor"],
                bool(row["listed"]),
                row["available_quantity"],
            )
            for row in self._database.table("offers").rows
        }
        self.limits: dict[LimitScope, dict[str, int]] = {
            scope: {row["principal"]: row["remaining"] for row in self._database.table(scope.value).rows}
            for scope in LimitScope
        }
        self.outages: set[str] = {row["principal"] for row in self._database.table("outages").rows}
        self._credentials: dict[str, str] = {
            row["digest"]: row["principal"] for row in self._database.table("credentials").rows
        }
        self._credential_ends: dict[str, int] = {
            row["digest"]: row["expires_us"] for row in self._database.table("credential_ends").rows
        }
        self._principals: dict[str, bool] = {
            row["principal"]: bool(row["guest"]) for row in self._database.table("principals").rows
        }
        self.promotions: dict[str, Promotion | None] = {
            row["coupon_code"]: None if row["document"] is None else _promotion(json.loads(row["document"]))
            for row in self._database.table("promotions").rows
        }
        self._payment_tokens: dict[str, PaymentDetails | None] = {
            row["digest"]: _details(row) for row in self._database.table("payment_tokens").rows
        }
        offsets = [row["offset_us"] for row in self._database.table("clock").rows]
        self.clock_offset = timedelta(microseconds=offsets[0] if offsets else 0)

    def put_offer(self, offer: Offer) -> None:
        """Put an offer or replace it."""
        self._write(
            _PUT_OFFER,
            (offer.sku, offer.currency_code, offer.unit_price_minor, offer.listed, offer.available_quantity),
        )
        self.offers[offer.sku] = offer

    def put_promotion(self, coupon_code: str, promotion: Promotion | None) -> None:
        """Make a code stand for a promotion; None: the code is withdrawn, whatever the shop itself says."""
        document = None if promotion is None else json.dumps(dataclasses.asdict(promotion), default=sorted)
        self._write(_PUT_PROMOTION, (coupon_code, document))
        self.promotions[coupon_code] = promotion

    def put_payment_token(self, provider: str, token: str, details: PaymentDetails | None) -> None:
        """Let the provider stand by a token, or no longer (None). Kept by its hash alone."""
        digest = _payment_token_digest(provider, token)
        shown = details or PaymentDetails()
        self._write(
            _PUT_PAYMENT_TOKEN,
            (digest, details is not None, shown.brand, shown.last_four, shown.expiry_month, shown.expiry_year),
        )
        self._payment_tokens[digest] = details

    def payment_details(self, provider: str, token: str) -> PaymentDetails | None:
        """What was arranged for the token; raises KeyError when nothing was."""
        return self._payment_tokens[_payment_token_digest(provider, token)]

    def set_limit(self, principal: str, remaining: int | None, scope: LimitScope = LimitScope.OPERATIONS) -> None:
        """Limit what may be newly decided for a principal; None lifts the limit."""
        if remaining is None:
            self._write(_LIFT_LIMIT[scope], (principal,))
            self.limits[scope].pop(principal, None)
        else:
            self._write(_PUT_LIMIT[scope], (principal, remaining))
            self.limits[scope][principal] = remaining

    def set_backend_available(self, principal: str, available: bool) -> None:
        """Begin or end an outage of the backing services for a principal."""
        if available:
            self._write(_END_OUTAGE, (principal,))
            self.outages.discard(principal)
        else:
            self._write(_BEGIN_OUTAGE, (principal,))
            self.outages.add(principal)

    def set_clock_offset(self, offset: timedelta) -> None:
        """Remember how far the clock was moved."""
        self._write(_SET_CLOCK, (offset // _MICROSECOND,))
        self.clock_offset = offset

    def add_credential(self, token: str, principal: str, *, guest: bool = False, expires_us: int | None = None) -> None:
        """Let a token speak for a principal until `expires_us`; None: for ever.

        `guest` counts for a principal that is new; one that is known stays what it is.
        """
        digest = token_digest(token)
        self._write(_ADD_PRINCIPAL, (principal, guest))
        self._principals.setdefault(principal, guest)
        if expires_us is not None:
            self._write(_END_CREDENTIAL, (digest, expires_us))
            self._credential_ends[digest] = expires_us
        self._write(_ADD_CREDENTIAL, (digest, principal))
        self._credentials[digest] = principal

    def principal(self, token: str, now: datetime) -> str | None:
        """The principal an issued token speaks for at `now`, None for any other token."""
        digest = token_digest(token)
        expires_us = self._credential_ends.get(digest)
        if expires_us is not None and instants.to_us(now) >= expires_us:
            return None
        return self._credentials.get(digest)

    def guest_flag(self, principal: str) -> bool | None:
        """Whether a principal was made as a guest; None when no credential was ever issued for it."""
        return self._principals.get(principal)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, statement: str, values: Iterable[object]) -> None:
        self._connection.execute(statement, tuple(values))


def _promotion(document: Mapping[str, Any]) -> Promotion:
    return Promotion(**{**document, "eligible_principals": frozenset(document["eligible_principals"])})


def _details(row: Mapping[str, Any]) -> PaymentDetails | None:
    if not row["valid"]:
        return None
    return PaymentDetails(row["brand"], row["last_four"], row["expiry_month"], row["expiry_year"])


def _payment_token_digest(provider: str, token: str) -> str:
    return token_digest(f"{provider}\0{token}")
