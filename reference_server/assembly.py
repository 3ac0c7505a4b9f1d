"""Puts a server together, starts it, and stops it in good order.

Stopping: health says so first, nothing new is accepted, streams answer what they have read and end, running calls
get their grace, what was begun is settled, and only then the store is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import signal
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_server.clock import OffsetClock
from reference_server.commits import Commits
from reference_server.config import Address, Config
from reference_server.credentials import Credentials, FirstOf
from reference_server.engine.policy import Policy
from reference_server.logs import log_event
from reference_server.parts import REFERENCE, SERVICE, OpenStore, Parts
from reference_server.ports import (
    Catalog,
    Clock,
    Guests,
    Interventions,
    NoInterventions,
    PaymentProvider,
    Promotions,
    RateLimiter,
)
from reference_server.service import listener
from reference_server.service.submissions import Submissions
from reference_server.settlement import Settlement
from reference_server.storage import Store, StoreFailedError

__all__ = ["REFERENCE", "OpenStore", "Parts", "Server", "StoreUnavailableError", "build", "renew_store_id", "serve"]

MAINTENANCE_SECONDS = 60.0
RENEWAL_SAVE = "before-new-store-id"


class StoreUnavailableError(Exception):
    """The store cannot be opened; the message says why and what to do."""


def server_version() -> str:
    """The version of the distribution; empty when it is not installed."""
    try:
        return importlib.metadata.version("cartsync")
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass
class _World:
    """What surrounds the core: the server's own, or that with what the control service arranged laid over it."""

    clock: Clock
    catalog: Catalog
    limiter: RateLimiter
    payment_limiter: RateLimiter
    credentials: Credentials
    promotions: Promotions
    payment_provider: PaymentProvider
    interventions: Interventions = field(default_factory=NoInterventions)


class Server:
    """A server from `start` to `stop`. Made by `build`; `submissions` is there once it is started."""

    submissions: Submissions

    def __init__(self, config: Config, parts: Parts) -> None:
        self.config = config
        self.address = config.listen  # with the real port once started
        self.control_address = config.control_listen
        self._parts = parts
        self._policy = parts.policy(config)
        clock = parts.clock()
        self._world = _World(
            clock,
            parts.catalog(config),
            parts.limiter(config.rate_limit, clock),
            parts.payment_limiter(config.payment_rate_limit, clock),
            parts.credentials(config),
            parts.promotions(config),
            parts.payment_provider(config),
        )
        self._cleanup = contextlib.AsyncExitStack()
        self._stop_by = 0.0

    async def start(self) -> None:
        """Open the store, listen, and say SERVING.

        Raises StoreUnavailableError, CannotListenError or TlsFilesError; then nothing is left open.
        """
        try:
            await self._start()
        except BaseException:
            await self._cleanup.aclose()
            raise

    async def stop(self) -> None:
        """Accept nothing new, drain within the grace, close the store."""
        self._stop_by = asyncio.get_running_loop().time() + self.config.shutdown_grace.total_seconds()
        await self._cleanup.aclose()

    async def _start(self) -> None:
        store = await self._open_store()
        control = await self._arrange(store)
        commits = self._parts.commits()
        guests = self._parts.guests(self._world.credentials)
        settlement = self._parts.settlement(
            store,
            self._parts.decider(self._policy),
            self._policy,
            self._world.clock,
            self._world.catalog,
            self._world.limiter,
            self._world.interventions,
            self._parts.pricing(),
            self._world.promotions,
            commits=commits,
            payment_provider=self._world.payment_provider,
            payment_limiter=self._world.payment_limiter,
            guests=guests,
        )
        if control is not None:
            self.control_address = await control()
        # Behind the control listener in starting, so before it in stopping: what is held can still be released.
        self._cleanup.push_async_callback(self._drain, settlement)
        maintenance = asyncio.create_task(self._maintain(store))
        self._cleanup.callback(maintenance.cancel)
        await self._listen(settlement, commits, guests)

    async def _open_store(self) -> Store:
        address = self.config.store_address
        keep_effects = self.config.control_listen is not None
        store = _opened(self._parts.open_store, address, self._policy, keep_effects=keep_effects)
        self._cleanup.push_async_callback(store.close)
        log_event(
            logging.INFO,
            "store_opened",
            store=address,
            store_id=store.store_id,
            sqlite_version=sqlite3.sqlite_version,
        )
        return store

    async def _arrange(self, store: Store) -> Callable[[], Any] | None:
        """Lay what the control service arranges over the world; answers how to start its listener."""
        if self.config.control_listen is None:
            return None
        from reference_server.control import listening

        try:
            arranged = listening.ArrangedWorld(self.config.control_state_path)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailableError(
                f"cannot open {self.config.control_state_path}: {error}. Check the path and its rights."
            ) from None
        self._cleanup.callback(arranged.close)
        world = self._world
        clock = OffsetClock(world.clock, arranged.state.clock_offset)
        self._world = _World(
            clock,
            arranged.catalog(world.catalog),
            arranged.limiter(self._parts.limiter(self.config.rate_limit, clock)),
            arranged.payment_limiter(self._parts.payment_limiter(self.config.payment_rate_limit, clock)),
            FirstOf(arranged.state, world.credentials),
            arranged.promotions(world.promotions),
            arranged.payment_provider(world.payment_provider),
            arranged.fail_points,
        )

        async def listen() -> Address:
            return await listening.listen(
                self.config, arranged, clock, store, version=server_version(), cleanup=self._cleanup
            )

        return listen

    async def _listen(self, settlement: Settlement, commits: Commits, guests: Guests) -> None:
        config, parts = self.config, self._parts
        claims = parts.claims()
        submissions = self.submissions = parts.submissions(settlement, self._policy)
        watches = parts.watches(submissions, commits)
        account_services = parts.account_services(self._policy, settlement, guests)
        services = [SERVICE, *account_services]
        guard = parts.guard(
            tuple(f"/{service.full_name}/" for service in services),
            parts.callers(self._world.credentials, self._world.clock).admit,
            limits=parts.call_limits(config),
        )
        server = listener.make_server([guard], self._policy.max_submission_bytes)
        parts.add_service(parts.servicer(submissions, claims, parts.stream, server_version(), watches), server)
        for add in account_services.values():
            add(server)
        health = await listener.add_health(server)
        listener.add_reflection(server, *services)
        tls = None
        if config.tls_cert is not None and config.tls_key is not None:
            tls = listener.TlsFiles(config.tls_cert, config.tls_key)
        self.address = listener.bind(server, config.listen, tls)
        await server.start()
        self._cleanup.push_async_callback(server.stop, config.shutdown_grace.total_seconds())
        self._cleanup.callback(claims.stop_all)
        self._cleanup.callback(watches.stop_all)
        self._cleanup.push_async_callback(health.enter_graceful_shutdown)
        await listener.serving(health, *(service.full_name for service in services))
        log_event(
            logging.INFO,
            "listening",
            address=str(self.address),
            service=SERVICE.full_name,
            tls=tls is not None,
            version=server_version(),
        )

    async def _drain(self, settlement: Settlement) -> None:
        try:
            left = self._stop_by - asyncio.get_running_loop().time()
            await asyncio.wait_for(settlement.drain(), max(0.05, left))
        except TimeoutError:
            log_event(logging.WARNING, "drain_incomplete", message="submissions still running are abandoned")

    async def _maintain(self, store: Store) -> None:
        while True:
            try:
                pruned = await store.prune_due(self._world.clock.now())
                if pruned:
                    log_event(logging.INFO, "pruned", row_count=pruned)
            except StoreFailedError as error:
                log_event(logging.ERROR, "pruning_failed", error=str(error))
            await asyncio.sleep(MAINTENANCE_SECONDS)


def _opened(open_store: OpenStore, address: str, policy: Policy, *, keep_effects: bool) -> Store:
    try:
        return open_store(address, policy, keep_effects=keep_effects)
    except (StoreFailedError, ValueError) as error:
        raise StoreUnavailableError(
            f"{error}. Check the path and its rights, and that no other server has it open."
        ) from None


async def renew_store_id(config: Config, parts: Parts = REFERENCE) -> str:
    """Give the store a new id, because it was put back from a backup (spec: store/new-id-after-restore).

    Raises StoreUnavailableError, also when there is no store yet.
    """
    place = config.store_address.removeprefix("sqlite:")
    if not Path(place).is_file():
        raise StoreUnavailableError(f"there is no store at {place}. Name the one that was put back.")
    store = _opened(parts.open_store, config.store_address, parts.policy(config), keep_effects=False)
    try:
        # To restore is to take a new id, whatever it was saved for.
        await store.save(RENEWAL_SAVE)
        return await store.restore(RENEWAL_SAVE)
    except StoreFailedError as error:
        raise StoreUnavailableError(f"{error}. The store is as it was.") from None
    finally:
        await store.close()


def build(config: Config, parts: Parts = REFERENCE) -> Server:
    """A server that is not started yet. Raises TableError, TokensFileError, ValueError (policy)."""
    return Server(config, parts)


async def serve(
    config: Config,
    parts: Parts = REFERENCE,
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> None:
    """Run a server until one of the signals comes, then stop it in good order.

    Raises what `build` and `Server.start` raise.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stop_signals:
        loop.add_signal_handler(number, stopping.set)
    if config.tokens_file is None:
        log_event(
            logging.WARNING,
            "insecure",
            message="INSECURE DEVELOPMENT MODE: whoever can connect can be anybody. Use --auth tokens:FILE.",
        )
    if config.tls_cert is None and not config.listen.is_loopback:
        log_event(
            logging.WARNING,
            "plaintext",
            message="credentials travel in plaintext: use --tls-cert and --tls-key, or a proxy that does",
        )
    if config.store_address == "sqlite::memory:":
        log_event(logging.WARNING, "store_in_memory", message="everything is gone when the server ends")
    server = build(config, parts)
    await server.start()
    await stopping.wait()
    log_event(logging.INFO, "stopping", grace_seconds=config.shutdown_grace.total_seconds())
    await server.stop()
    log_event(logging.INFO, "stopped")
