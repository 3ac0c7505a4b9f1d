"""The thin shell: one listener on loopback, a relay and two threads for each connection that is made to it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from conformance.faults.frames import FrameReader
from conformance.faults.plan import Action, Cut, Deliver, Fault, Harm, Note, Relay, Side

CONNECT_SECONDS = 5.0
STRIKE_SECONDS = 10.0
_CHUNK = 65_536


class Link:
    """A network between the suite and `server` (HOST:PORT). Use as a context manager.

    `fault` befalls the first connection only: a client that comes again finds the network in order. `tell` is called
    with each thing that the network did, from any thread.
    """

    def __init__(self, server: str, fault: Fault | None, tell: Callable[[str], None]) -> None:
        self._server = server
        self._fault = fault
        self._tell = tell
        self._lock = threading.Lock()
        self._struck = threading.Event()
        self._lines: list[_Line] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Link:
        """Listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.cut(Side.CLIENT, reset=False)
            line.cut(Side.SERVER, reset=False)

    def await_struck(self, seconds: float = STRIKE_SECONDS) -> bool:
        """Wait until the fault has struck; False when it did not in time."""
        return self._struck.wait(seconds)

    def release(self) -> None:
        """Deliver what the network has kept."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.release()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            host, _, port = self._server.rpartition(":")
            try:
                server = socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                fault, self._fault = self._fault, None
                line = _Line(client, server, Relay(fault), self._told)
                self._lines.append(line)
            line.start()

    def _told(self, text: str) -> None:
        self._tell(text)
        self._struck.set()


class _Line:
    """One connection and the one behind it."""

    def __init__(self, client: socket.socket, server: socket.socket, relay: Relay, tell: Callable[[str], None]) -> None:
        self._sockets = {Side.CLIENT: client, Side.SERVER: server}
        self._relay = relay
        self._tell = tell
        self._lock = threading.RLock()  # what the two sides do to a relay happens one after the other
        for end in self._sockets.values():
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Relay in both directions until either side ends."""
        for side in Side:
            threading.Thread(target=self._pump, args=(side,), daemon=True).start()

    def release(self) -> None:
        """Deliver what is kept."""
        with self._lock:
            self._take(self._relay.release())

    def cut(self, side: Side, *, reset: bool) -> None:
        """End the connection to a side, with RST when `reset`."""
        end = self._sockets[side]
        with contextlib.suppress(OSError):
            if reset:  # a socket that does not linger is closed with RST, once nobody reads from it any more
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        end.close()

    def _pump(self, side: Side) -> None:
        reader = FrameReader(from_client=side is Side.CLIENT)
        step = self._relay.from_client if side is Side.CLIENT else self._relay.from_server
        while True:
            try:
                chunk = self._sockets[side].recv(_CHUNK)
            except OSError:
                chunk = b""
            if not chunk:
                break
            for frame in reader.feed(chunk):
                with self._lock:
                    self._take(step(frame))
        with self._lock:  # a cut of both sides comes first, as it was meant
            fault = self._relay.fault
            keeps_server = side is Side.CLIENT and fault is not None and fault.harm is Harm.ZOMBIE
            if not keeps_server:
                self.cut(Side.SERVER if side is Side.CLIENT else Side.CLIENT, reset=False)

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Note(text):
                    self._tell(text)
                case Cut(side, reset):
                    self.cut(side, reset=reset)
                case Deliver(to, content, piece):
                    self._deliver(self._sockets[to], content, piece or len(content))

    @staticmethod
    def _deliver(end: socket.socket, content: bytes, piece: int) -> None:
        with contextlib.suppress(OSError):  # that side is gone, and so is what it was to get
            for start in range(0, len(content), max(1, piece)):
                end.sendall(content[start : start + piece])
