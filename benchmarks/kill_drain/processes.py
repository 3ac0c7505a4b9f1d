"""The two processes, each of which can be killed and started again, and the wires to the server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from cartsync.v1 import money_pb2, policy_pb2, service_pb2, service_pb2_grpc

from benchmarks.kill_drain.exceptions import DrainError
from benchmarks.kill_drain.shopping import OFFERS, PRINCIPAL
from reference_client import CartClient

_READY_SECONDS = 30
_DEATH_SECONDS = 30


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@dataclass
class Processes:
    """A server and a client on this machine. `batch`: operations the client puts into one submission."""

    folder: Path
    batch: int
    public: str = field(default_factory=_free_address)
    control: str = field(default_factory=_free_address)
    server: subprocess.Popen[bytes] | None = None
    client: subprocess.Popen[bytes] | None = None
    authorization: str = field(default="", repr=False)

    def start_server(self) -> None:
        """Starts the server, on the store it had before."""
        listen = ("--listen", self.public, "--control-listen", self.control)
        self.server = self._start("reference_server.cli", "serve", *listen, "--data-dir", str(self.folder / "server"))

    def start_client(self) -> None:
        """Starts a synchronisation that goes on until the queue is drained."""
        where = ("--server", self.public, "--data-dir", str(self.folder / "client"))
        self.client = self._start(
            "reference_client.cli", *where, "sync", "--patience", "3600", "--batch", f"{self.batch}"
        )

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module.partition('.')[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**os.environ, "CARTSYNC_TOKEN": self.authorization},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def kill(process: subprocess.Popen[bytes] | None) -> bool:
        """SIGKILL. False when it had ended by itself."""
        if process is None or process.poll() is not None:
            return False
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True

    def die_after_commit(self) -> bool:
        """Lets the server die after its next commit, before the answer leaves. False when no commit came."""
        with self.control_stub() as stub:
            request = control_pb2.SetFailPointRequest(
                principal=PRINCIPAL,
                fail_point=control_pb2.FAIL_POINT_AFTER_COMMIT,
                action=control_pb2.FAIL_ACTION_ABORT,
            )
            try:
                stub.SetFailPoint(request, wait_for_ready=True, timeout=_READY_SECONDS)
            except grpc.RpcError as error:
                # It may die of it before it has answered that the fail point is armed.
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
        assert self.server is not None
        try:
            return self.server.wait(timeout=_DEATH_SECONDS) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def device(self) -> CartClient:
        """The client's folder, opened beside the client."""
        return CartClient(self.folder / "client", self.public)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call to the server."""
        return (("authorization", self.authorization),)

    @contextlib.contextmanager
    def public_stub(self) -> Iterator[service_pb2_grpc.CartSyncServiceStub]:
        """The server as the client knows it."""
        with grpc.insecure_channel(self.public) as channel:
            yield service_pb2_grpc.CartSyncServiceStub(channel)

    @contextlib.contextmanager
    def control_stub(self) -> Iterator[control_pb2_grpc.ControlServiceStub]:
        """The world around the server."""
        with grpc.insecure_channel(self.control) as channel:
            yield control_pb2_grpc.ControlServiceStub(channel)

    def prepare(self) -> policy_pb2.SyncPolicy:
        """Gets a credential and fills the catalogue of a new server. Its policy."""
        with self.control_stub() as stub:
            issue = control_pb2.IssueCredentialRequest(principal=PRINCIPAL)
            answer = stub.IssueCredential(issue, wait_for_ready=True, timeout=_READY_SECONDS)
            self.authorization = answer.authorization
            for sku, offer in OFFERS.items():
                price = money_pb2.Money(currency_code=offer.price.currency, minor_units=offer.price.minor)
                request = control_pb2.PutOfferRequest(
                    sku=sku, unit_price=price, listed=True, available_quantity=offer.available
                )
                stub.PutOffer(request)
        with self.public_stub() as public:
            asked = service_pb2.GetSyncPolicyRequest()
            return public.GetSyncPolicy(
                asked, metadata=self.metadata(), wait_for_ready=True, timeout=_READY_SECONDS
            ).policy


class Watch:
    """Asks the server how far the queue has come."""

    def __init__(self, processes: Processes, queue_id: str) -> None:
        self._metadata = processes.metadata()
        self._request = service_pb2.LookupOutcomesRequest(queue_id=queue_id, first_sequence=1, last_sequence=1)
        options = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100))
        self._channel = grpc.insecure_channel(processes.public, options=options)
        self._stub = service_pb2_grpc.CartSyncServiceStub(self._channel)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def until(self, sequence: int, seconds: float = 120.0) -> int:
        """Waits until there is a server and the queue has come so far, and says how far it is.

        Raises DrainError when that does not come within `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reached = self._watermark()
            if reached is not None and reached >= sequence:
                return reached
            time.sleep(0.001)
        raise DrainError(f"the queue did not come to {sequence} within {seconds:g} seconds; see the logs (--keep)")

    def _watermark(self) -> int | None:
        try:
            answer = self._stub.LookupOutcomes(self._request, metadata=self._metadata, timeout=2)
        except grpc.RpcError:
            return None
        return int(answer.queue.decided_through_sequence)
