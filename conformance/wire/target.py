"""The server under test as a process or an address: reached, waited for, killed and started again."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conformance.exceptions import NotTestableError, TargetUnreachableError, UsageError
from conformance.fixtures import Accounts, Fixtures

START_SECONDS = 30.0  # a launched server has this long to become healthy
REACH_SECONDS = 8.0  # a running server has this long to answer the first health check
STOP_SECONDS = 15.0  # a server told to stop has this long before it is killed

_CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a new channel never inherits the back-off of a dead one
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # also how long one connecting may take: a busy machine needs it
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),  # every attempt on the wire is one the suite made
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Where the server under test is, or how to start it; at least one of `target` and `launch` is set."""

    target: str = ""  # HOST:PORT of the public listener
    control: str = ""  # HOST:PORT of the control listener
    launch: str = ""  # command line with {listen}, {control}, {data_dir}
    control_secret: str = field(default="", repr=False)
    fixtures: Fixtures | None = None  # the vendor's own accounts and products

    def __post_init__(self) -> None:
        """Raise UsageError when there is nothing to test, or an address that is none."""
        if not self.target and not self.launch:
            raise UsageError("nothing to test: give --target HOST:PORT, or --launch 'COMMAND', or both")
        for name, address in (("--target", self.target), ("--control", self.control)):
            _, _, port = address.rpartition(":")
            if address and not (":" in address and port.isdigit() and 0 < int(port) < 65536):
                raise UsageError(f"{name} {address!r} is no HOST:PORT; for example {name} 127.0.0.1:7443")

    @property
    def launches_control(self) -> bool:
        """Whether the launched server has a control service: with fixtures only if its command asks for the address."""
        return bool(self.launch) and (self.fixtures is None or "{control}" in self.launch)


_NO_READING_AHEAD = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535))


class Target:
    """The server under test. Use as a context manager: entering launches and reaches it, leaving stops it."""

    def __init__(self, options: TargetOptions) -> None:
        self.options = options
        self.address = options.target or f"127.0.0.1:{_free_port()}"
        self.control_address = options.control or (f"127.0.0.1:{_free_port()}" if options.launches_control else "")
        fixtures = None if self.control_address else options.fixtures
        self.accounts = Accounts(fixtures) if fixtures is not None else None  # the vendor's, in a black-box test
        self.crash_count = 0
        self.before_disturbing: Callable[[], None] = lambda: None  # called before what every client would notice
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Target:
        """Launch if asked to, and wait until healthy; raises TargetUnreachableError."""
        try:
            if self.launched:
                self._folder = Path(tempfile.mkdtemp(prefix="cartsync-target-"))
                (self._folder / "data").mkdir()
                self._log = (self._folder / "server.log").open("ab")
                self.start()
            else:
                self._await_healthy(REACH_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what was launched and remove its data."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def launched(self) -> bool:
        """Whether the suite started the server, and so may kill it."""
        return bool(self.options.launch)

    @property
    def data_folder(self) -> Path | None:
        """The launched server's data folder; None for one that was running already."""
        return self._folder / "data" if self._folder else None

    def channel(self, address: str | None = None, *, reads_ahead: bool = True) -> grpc.Channel:
        """A new channel of its own connection, to the public listener unless another address is given.

        One that does not read ahead takes in 64 KiB that nobody has read, and then holds the server back.
        """
        options = _CHANNEL_OPTIONS if reads_ahead else (*_CHANNEL_OPTIONS, *_NO_READING_AHEAD)
        return grpc.insecure_channel(address or self.address, options=options)

    def start(self) -> None:
        """Start the launched server on the same addresses and data, and wait until it is healthy."""
        values = {
            "listen": self.address,
            "control": self.control_address,
            "data_dir": str(self.data_folder),
        }
        command = _fill_in(self.options.launch, values)
        environment = os.environ | {
            "CARTSYNC_LISTEN": values["listen"],
            "CARTSYNC_CONTROL_LISTEN": values["control"],
            "CARTSYNC_DATA_DIR": values["data_dir"],
        }
        if self.options.control_secret:
            environment["CARTSYNC_CONTROL_SECRET"] = self.options.control_secret
        try:
            self._process = subprocess.Popen(  # noqa: S603 - running the given command is what --launch is for
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetUnreachableError(f"--launch {command[0]!r} cannot be started: {error.strerror}") from error
        self._await_healthy(START_SECONDS)

    def kill(self) -> None:
        """Kill the server as kill -9 does, with everything it started; raises NotTestableError if not launched."""
        process = self._launched_process()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.crash_count += 1

    def await_exit(self, seconds: float = STOP_SECONDS) -> bool:
        """Wait for the server to end by itself, as at a fail point that aborts; False when it did not."""
        process = self._launched_process()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.kill()
        return True

    def terminate(self) -> int | None:
        """Ask the server to stop (SIGTERM) and return its exit code; None when it had to be killed."""
        process = self._launched_process()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self.crash_count += 1
        return code

    def is_healthy(self, seconds: float = 3.0) -> bool:
        """Whether the server answers the standard health check with SERVING now."""
        with self.channel() as channel:
            return self._health(channel, seconds) is None

    def last_words(self, line_count: int = 5) -> str:
        """The last lines that the launched server wrote; empty when there are none."""
        if self._folder is None or not (self._folder / "server.log").exists():
            return ""
        lines = (self._folder / "server.log").read_text(errors="replace").splitlines()
        return "\n".join(line[:300] for line in lines[-line_count:])

    def _said(self) -> str:
        words = self.last_words()
        return f"its last words:\n{words}" if words else "it printed nothing"

    def _launched_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise NotTestableError("the server was not launched by the suite, so it cannot be killed: give --launch")
        return self._process

    def _await_healthy(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        trouble: str | None = "it did not answer"
        with self.channel() as channel:
            while trouble is not None:
                if self._process is not None and self._process.poll() is not None:
                    raise TargetUnreachableError(
                        f"the launched server ended with exit code {self._process.returncode} before it was healthy; "
                        f"{self._said()}"
                    )
                remaining = deadline - time.monotonic()
                if remaining <= 0 or (trouble == _REFUSED and not self.launched):
                    if trouble == _REFUSED and self.launched:
                        raise TargetUnreachableError(
                            f"the launched command is still running, but nothing answers at {self.address} after "
                            f"{seconds:.0f} s: does it use {{listen}} or CARTSYNC_LISTEN? {self._said()}"
                        )
                    hint = f"; {self._said()}" if self.launched else ""
                    raise TargetUnreachableError(f"no healthy server at {self.address}: {trouble}{hint}")
                trouble = self._health(channel, min(remaining, 5.0 if not self.launched else 0.5))
                if trouble is not None and self.launched:
                    time.sleep(0.03)  # a process being started gives no event to wait for

    def _health(self, channel: grpc.Channel, seconds: float) -> str | None:
        """None when serving, else what is wrong. A server without the health service counts as reachable."""
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                # It keeps no health of the server as a whole, only of its services by name.
                answer = stub.Check(health_pb2.HealthCheckRequest(service=_SERVICE_NAME), timeout=seconds)
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNIMPLEMENTED and not self.launched:
                return None
            if code is grpc.StatusCode.UNIMPLEMENTED:
                return "it has no standard health service (grpc.health.v1), by which a launched server says it is ready"
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                return f"something accepts connections there but did not answer a gRPC health check in {seconds:.0f} s"
            if code is grpc.StatusCode.UNAVAILABLE:
                return _REFUSED
            return f"its health check ended with {code.name}"
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return f"it reports health {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"
        return None


_SERVICE_NAME = "cartsync.v1.CartSyncService"
_REFUSED = "nothing that speaks gRPC is listening there; is the server running, and is the address right?"


def _fill_in(launch: str, values: dict[str, str]) -> Sequence[str]:
    try:
        words = shlex.split(launch)
    except ValueError as error:
        raise UsageError(f"--launch {launch!r} cannot be split into words: {error}") from error
    if not words:
        raise UsageError("--launch is empty: give the command that starts your server")
    for name, value in values.items():
        words = [word.replace("{" + name + "}", value) for word in words]
    return words


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
