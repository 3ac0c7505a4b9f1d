"""The server as a process of its own, and a shopper who talks to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
from cartsync.conformance.v1 import control_pb2_grpc
from cartsync.v1 import service_pb2_grpc
from live_server import Live

COMMAND = [sys.executable, "-m", "reference_server.cli"]
CONTROLLED = ("--control-listen", "127.0.0.1:0")


@dataclasses.dataclass
class Process:
    process: asyncio.subprocess.Process
    address: str
    live: Live

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


async def event(process: asyncio.subprocess.Process, name: str, log: Path | None = None) -> dict[str, str]:
    assert process.stdout is not None
    while line := await asyncio.wait_for(process.stdout.readline(), 20):
        _append(log, line)
        entry: dict[str, str] = json.loads(line)
        if entry["event"] == name:
            return entry
    raise AssertionError(f"the server ended without saying {name}")


@contextlib.asynccontextmanager
async def started(
    data_dir: Path, *flags: str, credentials: grpc.ChannelCredentials | None = None, log: Path | None = None
) -> AsyncIterator[Process]:
    """Start it and wait until it listens. With `log` all that it prints is in that file when the block has ended."""
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir), *flags]
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if log else asyncio.subprocess.DEVNULL,
    )
    copies = [asyncio.ensure_future(_copy(process.stderr, log))]
    try:
        control_address = (await event(process, "control_listening", log))["address"] if CONTROLLED[0] in flags else ""
        address = (await event(process, "listening", log))["address"]
        if log:
            copies.append(asyncio.ensure_future(_copy(process.stdout, log)))
        async with contextlib.AsyncExitStack() as stack:
            channel = await stack.enter_async_context(
                grpc.aio.secure_channel(address.replace("127.0.0.1", "localhost"), credentials)
                if credentials
                else grpc.aio.insecure_channel(address)
            )
            control = await stack.enter_async_context(grpc.aio.insecure_channel(control_address or address))
            live = Live(
                None,  # type: ignore[arg-type]  # it runs in the other process
                channel,
                service_pb2_grpc.CartSyncServiceStub(channel),
                control_pb2_grpc.ControlServiceStub(control),
            )
            yield Process(process, address, live)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.gather(*copies)


async def _copy(stream: asyncio.StreamReader | None, log: Path | None) -> None:
    while stream is not None and (line := await stream.readline()):
        _append(log, line)


def _append(log: Path | None, line: bytes) -> None:
    if log is not None:
        with log.open("ab") as file:
            file.write(line)


def run(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environ},
    )
