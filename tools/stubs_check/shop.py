"""The reference server that the programs talk to, in a process of its own, on free ports, with a fresh store."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc

from tools.stubs_check.expectation import Effect
from tools.stubs_check.languages import ROOT


class ShopError(Exception):
    """The reference server did not start, or is no more."""


@dataclass(frozen=True)
class Shop:
    """Where the server listens."""

    address: str
    control_address: str

    def effects(self, principal: str) -> tuple[Effect, ...]:
        """Every change of the principal's carts, from the server's ledger. Raises `ShopError`."""
        request = control_pb2.ListEffectsRequest(principal=principal)
        with grpc.insecure_channel(self.control_address) as channel:
            try:
                ledger = control_pb2_grpc.ControlServiceStub(channel).ListEffects(request, timeout=10)
            except grpc.RpcError as error:
                raise ShopError(f"the reference server's ledger cannot be read: {error}") from error
        return tuple((e.sequence, e.sku, e.quantity_before, e.quantity_after) for e in ledger.effects)


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Starts the server and stops it in the end. Raises `ShopError` with what it said when it does not listen."""
    with tempfile.TemporaryDirectory(prefix="cartsync-stubs-") as folder:
        command = [sys.executable, "-m", "reference_server.cli", "serve", "--data-dir", folder]
        command += ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]
        command += ["--catalog", str(ROOT / "examples" / "catalog.json"), "--log-level", "info"]
        log = Path(folder) / "server.log"
        with (
            log.open("wb") as errors,
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as server,
        ):
            try:
                yield _listening(server, log)
            finally:
                server.terminate()
                server.communicate()


def _listening(server: subprocess.Popen[str], log: Path) -> Shop:
    assert server.stdout is not None
    control = ""
    said = []
    for line in server.stdout:
        said.append(line)
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if event.get("event") == "control_listening":
            control = event["address"]
        if event.get("event") == "listening":
            return Shop(event["address"], control)
    raise ShopError("the reference server did not start:\n" + "".join(said) + log.read_text(encoding="utf-8"))
