"""The control service on a listener of its own, and the arranged world it works on."""

from __future__ import annotations

import contextlib
import hmac
import logging

import grpc
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc

from reference_server.clock import OffsetClock
from reference_server.config import Address, Config
from reference_server.control.fail_points import FailPoints
from reference_server.control.servicer import CONTROL_DOMAIN, ControlServicer
from reference_server.control.state import ControlState, LimitScope
from reference_server.control.world import (
    ArrangedCatalog,
    ArrangedLimiter,
    ArrangedPaymentProvider,
    ArrangedPromotions,
)
from reference_server.logs import log_event
from reference_server.ports import Catalog, PaymentProvider, Promotions, RateLimiter
from reference_server.service import listener
from reference_server.service.callers import Metadata
from reference_server.service.calls import Admit, CallGuard
from reference_server.service.errors import CallError
from reference_server.storage import Store

SERVICE = control_pb2.DESCRIPTOR.services_by_name["ControlService"]
SECRET_KEY = "cartsync-control-secret"  # noqa: S105 - the name of the entry, no secret
MAX_MESSAGE_BYTES = 65_536


class ArrangedWorld:
    """What the suite can arrange: remembered settings, and fail points that are not."""

    def __init__(self, state_path: str) -> None:
        """Open the settings left by an earlier run; raises sqlite3.Error."""
        self.state = ControlState(state_path)
        self.fail_points = FailPoints()

    def catalog(self, catalog: Catalog) -> Catalog:
        """`catalog` with arranged offers and outages over it."""
        return ArrangedCatalog(self.state, catalog)

    def limiter(self, limiter: RateLimiter) -> RateLimiter:
        """`limiter` with arranged limits over it."""
        return ArrangedLimiter(self.state, limiter)

    def payment_limiter(self, limiter: RateLimiter) -> RateLimiter:
        """`limiter` with arranged limits for saving payment methods over it."""
        return ArrangedLimiter(self.state, limiter, LimitScope.PAYMENT_METHODS)

    def promotions(self, promotions: Promotions) -> Promotions:
        """`promotions` with arranged ones and outages over them."""
        return ArrangedPromotions(self.state, promotions)

    def payment_provider(self, provider: PaymentProvider) -> PaymentProvider:
        """`provider` with arranged tokens and outages over it."""
        return ArrangedPaymentProvider(self.state, provider)

    def close(self) -> None:
        """Let go of the file."""
        self.state.close()


def admit_by_secret(secret: str) -> Admit:
    """Let in whoever knows the secret; everybody when there is none, because then the listener is loopback."""

    def admit(metadata: Metadata) -> str:
        if secret:
            shown = [value for key, value in metadata if key == SECRET_KEY]
            given = shown[0] if len(shown) == 1 else ""
            if not isinstance(given, str) or not hmac.compare_digest(given.encode(), secret.encode()):
                raise CallError(
                    grpc.StatusCode.UNAUTHENTICATED, f"Send the secret of this run as {SECRET_KEY} in the metadata."
                )
        return ""

    return admit


async def listen(
    config: Config,
    arranged: ArrangedWorld,
    clock: OffsetClock,
    store: Store,
    *,
    version: str,
    cleanup: contextlib.AsyncExitStack,
) -> Address:
    """Start the control listener and say where it became; stopping it goes onto `cleanup`.

    Raises CannotListenError.
    """
    assert config.control_listen is not None
    guard = CallGuard(
        f"/{SERVICE.full_name}/", admit_by_secret(config.control_secret), CONTROL_DOMAIN, log_level=logging.DEBUG
    )
    server = listener.make_server([guard], MAX_MESSAGE_BYTES)
    control_pb2_grpc.add_ControlServiceServicer_to_server(
        ControlServicer(
            store=store,
            state=arranged.state,
            clock=clock,
            fail_points=arranged.fail_points,
            server_version=version,
        ),
        server,
    )
    health = await listener.add_health(server)
    listener.add_reflection(server, SERVICE)
    address = listener.bind(server, config.control_listen)
    await server.start()
    cleanup.push_async_callback(server.stop, 0)
    await listener.serving(health, SERVICE.full_name)
    log_event(logging.WARNING, "control_listening", address=str(address), message="for tests only")
    return address
