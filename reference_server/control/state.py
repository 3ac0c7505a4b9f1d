"""What the suite has arranged, in a small SQLite file beside the store, so that a kill -9 does not undo it.

Held in memory for reading, written through before the call that arranged it is answered. It survives the death
of the process, which is all that a test needs; it does not wait for the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlite_utils

from reference_server.credentials import token_digest
from reference_server.ports import Offer

_SCHEMA = """
    create table if not exists offers (
        sku text primary key, currency_code text not null, unit_price_minor integer not null,
        listed integer not null, available_quantity integer
    ) without rowid;
    create table if not exists limits (principal text primary key, remaining integer not null) without rowid;
    create table if not exists outages (principal text primary key) without rowid;
    create table if not exists credentials (digest text primary key, principal text not null) without rowid;
    create table if not exists clock (only integer primary key check (only = 1), offset_us integer not null);
"""

_PUT_OFFER = "insert or replace into offers values (?, ?, ?, ?, ?)"
_PUT_LIMIT = "insert or replace into limits values (?, ?)"
_LIFT_LIMIT = "delete from limits where principal = ?"
_BEGIN_OUTAGE = "insert or replace into outages values (?)"
_END_OUTAGE = "delete from outages where principal = ?"
_ADD_CREDENTIAL = "insert or replace into credentials values (?, ?)"
_SET_CLOCK = "insert or replace into clock values (1, ?)"

_MICROSECOND = timedelta(microseconds=1)


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
        self.limits: dict[str, int] = {
            row["principal"]: row["remaining"] for row in self._database.table("limits").rows
        }
        self.outages: set[str] = {row["principal"] for row in self._database.table("outages").rows}
        self._credentials: dict[str, str] = {
            row["digest"]: row["principal"] for row in self._database.table("credentials").rows
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

    def set_limit(self, principal: str, remaining: int | None) -> None:
        """Limit what may be newly decided for a principal; None lifts the limit."""
        if remaining is None:
            self._write(_LIFT_LIMIT, (principal,))
            self.limits.pop(principal, None)
        else:
            self._write(_PUT_LIMIT, (principal, remaining))
            self.limits[principal] = remaining

    def set_backend_available(self, principal: str, available: bool) -> None:
        """Begin or end an outage of catalogue and stock for a principal."""
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

    def add_credential(self, token: str, principal: str) -> None:
        """Let a token speak for a principal, for ever."""
        digest = token_digest(token)
        self._write(_ADD_CREDENTIAL, (digest, principal))
        self._credentials[digest] = principal

    def principal(self, token: str, now: datetime) -> str | None:  # noqa: ARG002 - these never expire
        """The principal an issued token speaks for, None for any other token."""
        return self._credentials.get(token_digest(token))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, statement: str, values: Iterable[object]) -> None:
        self._connection.execute(statement, tuple(values))
