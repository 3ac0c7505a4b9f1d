"""Opens the store that a `--store` address names."""

from __future__ import annotations

from pathlib import Path

from reference_server.engine.policy import Policy
from reference_server.storage.interface import Retention, Store
from reference_server.storage.sqlite import SqliteStore

_FORM = 'use "sqlite:PATH", or "sqlite::memory:" for a store that is gone when the server ends'


def open_store(address: str, policy: Policy, *, keep_effects: bool = False) -> Store:
    """The store at `address`, made when it is not there.

    `keep_effects` keeps the ledger that `Store.effects` lists; only conformance runs need it. Raises ValueError for
    an address of another form, StoreFailedError when the store cannot be opened.
    """
    scheme, colon, place = address.partition(":")
    if scheme != "sqlite" or not colon or not place:
        raise ValueError(f"store {address!r} is not known; {_FORM}")
    retention = Retention(policy.outcome_retention, policy.queue_retention)
    path = None if place == ":memory:" else Path(place)
    return SqliteStore(path, retention, keep_effects=keep_effects)
