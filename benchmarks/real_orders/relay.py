"""The link: a TCP relay between devices and server that is down when it is told to be.

While the link is up, bytes cross with a latency, as they do over the air. When it goes down, every connection over it
is cut at once, in mid-answer if an answer is on its way: half of it arrives, then the connection is reset. What had
reached the server before is decided there, and the device does not know. While the link is down a new connection is
refused, or it is taken and nothing comes through it until the device gives up: which of the two is drawn at random.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.real_orders.recording import Recording

_CHUNK = 64 * 1024
_STOP_SECONDS = 10.0


@dataclass
class LinkTally:
    """What the link did to those who used it, in numbers of connections."""

    carried: int = 0
    cut: int = 0
    answers_cut: int = 0
    """Connections cut while bytes of the server were on their way to the device."""
    refused: int = 0
    swallowed: int = 0


@dataclass(eq=False)
class _Crossing:
    """One connection over the link. `answer` is what is on its way from the server and has not arrived."""

    device: asyncio.StreamWriter
    server: asyncio.StreamWriter
    answer: bytes = b""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """Resets both sides; whoever reads from them finds out."""
        for writer in (self.device, self.server):
            writer.transport.abort()

    def abort(self) -> None:
        """Resets both sides and drops what was on its way."""
        self.reset()
        for task in self.tasks:
            task.cancel()


@contextlib.contextmanager
def _resetting(crossing: _Crossing) -> Iterator[None]:
    """When one side is lost, the other is reset too."""
    try:
        yield
    except OSError:
        crossing.reset()


class Relay:
    """A link to `upstream` (HOST:PORT). Use as a context manager; `address` is where devices connect.

    `latency` is in seconds, one way. `random` draws from 0 (included) to 1 (excluded).
    """

    def __init__(self, upstream: str, *, latency: float, random: Callable[[], float]) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._latency = latency
        self._random = random
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._crossings: set[_Crossing] = set()
        self._held: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._playing: asyncio.Task[None] | None = None
        self._down = False
        self.tally = LinkTally()
        self.address = ""

    def __enter__(self) -> Relay:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(_STOP_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._loop.close()

    @property
    def is_down(self) -> bool:
        """Whether the link is down now."""
        return self._down

    @property
    def answers_on_the_way(self) -> int:
        """On how many connections something of the server has not arrived yet."""
        return sum(bool(crossing.answer) for crossing in list(self._crossings))

    def go_down(self) -> None:
        """Takes the link down. It is down, and everything over it is cut, when this returns."""
        self._run(self._go_down)

    def come_up(self) -> None:
        """Brings the link up again."""
        self._run(self._come_up)

    def play(self, recording: Recording) -> None:
        """Begins to take the link down and bring it up as recorded, from now on; it stays up afterwards."""

        def begin() -> None:
            self._playing = self._loop.create_task(self._play(recording))

        self._run(begin)

    def _run(self, action: Callable[[], None]) -> None:
        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self._loop).result(_STOP_SECONDS)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def _close(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
        if self._server is not None:
            self._server.close()
        self._let_go_of_held()
        tasks = [task for crossing in self._crossings for task in crossing.tasks]
        for crossing in list(self._crossings):
            crossing.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, recording: Recording) -> None:
        zero = self._loop.time()
        for outage in recording.outages:
            await asyncio.sleep(zero + outage.start - self._loop.time())
            self._go_down()
            await asyncio.sleep(zero + outage.end - self._loop.time())
            self._come_up()

    def _go_down(self) -> None:
        self._down = True
        for crossing in list(self._crossings):
            self.tally.cut += 1
            if crossing.answer:
                self.tally.answers_cut += 1
                crossing.device.write(crossing.answer[: len(crossing.answer) // 2])
            crossing.abort()

    def _come_up(self) -> None:
        self._down = False
        self._let_go_of_held()

    def _let_go_of_held(self) -> None:
        for writer in self._held:
            writer.transport.abort()
        self._held.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            if self._random() < 0.5:
                self.tally.refused += 1
                writer.transport.abort()
            else:
                self.tally.swallowed += 1
                self._held.add(writer)
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        crossing = _Crossing(writer, to_server)
        if self.is_down:  # it went down while the server was being reached
            crossing.abort()
            return
        self.tally.carried += 1
        self._crossings.add(crossing)
        crossing.tasks = [
            self._loop.create_task(self._carry_up(crossing, reader)),
            self._loop.create_task(self._carry_down(crossing, from_server)),
        ]
        try:
            await asyncio.gather(*crossing.tasks, return_exceptions=True)
        finally:
            self._crossings.discard(crossing)
            crossing.abort()

    async def _carry_up(self, crossing: _Crossing, reader: asyncio.StreamReader) -> None:
        with _resetting(crossing):
            while chunk := await reader.read(_CHUNK):
                await asyncio.sleep(self._latency)
                crossing.server.write(chunk)
                await crossing.server.drain()
            crossing.server.write_eof()

    async def _carry_down(self, crossing: _Crossing, reader: asyncio.StreamReader) -> None:
        with _resetting(crossing):
            while chunk := await reader.read(_CHUNK):
                crossing.answer = chunk
                await asyncio.sleep(self._latency)
                crossing.device.write(chunk)
                await crossing.device.drain()
                crossing.answer = b""
            crossing.device.write_eof()
