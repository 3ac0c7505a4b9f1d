"""The link that goes down: what it carries, what it cuts, whom it refuses."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks.real_orders.recording import Outage, Recording
from benchmarks.real_orders.relay import Relay

SECONDS = 10.0


class Echo:
    """A server that sends back what it gets, and tells when it has."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.answered = threading.Event()
        self.gone = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(4096):
                    connection.sendall(data)
                    self.answered.set()
            except OSError:
                pass
        self.gone.set()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def connected(relay: Relay) -> socket.socket:
    host, _, port = relay.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


def await_true(condition: Callable[[], bool]) -> None:
    """Waits for what the relay's own thread is about to do."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def received(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection, however it ends."""
    data = b""
    try:
        while chunk := connection.recv(4096):
            data += chunk
    except ConnectionError:
        pass
    return data


def test_a_link_that_is_up_carries_bytes_both_ways(echo: Echo) -> None:
    with Relay(echo.address, latency=0.001, random=lambda: 0.0) as relay, connected(relay) as device:
        device.sendall(b"hello")
        assert device.recv(4096) == b"hello"
        assert not relay.is_down
        assert (relay.tally.carried, relay.tally.cut) == (1, 0)


def test_the_end_of_a_connection_is_carried_too(echo: Echo) -> None:
    with Relay(echo.address, latency=0.001, random=lambda: 0.0) as relay:
        with connected(relay) as device:
            device.sendall(b"hello")
            device.shutdown(socket.SHUT_WR)
            assert received(device) == b"hello"
        assert echo.gone.wait(SECONDS)


def test_going_down_cuts_an_answer_that_is_on_its_way(echo: Echo) -> None:
    with Relay(echo.address, latency=0.5, random=lambda: 0.0) as relay, connected(relay) as device:
        device.sendall(b"a question")
        assert echo.answered.wait(SECONDS)
        await_true(lambda: relay.answers_on_the_way > 0)
        relay.go_down()
        assert len(received(device)) < len(b"a question")
        assert (relay.tally.cut, relay.tally.answers_cut) == (1, 1)
        assert echo.gone.wait(SECONDS), "the server is to see the connection end as well"


def test_a_link_that_is_down_refuses(echo: Echo) -> None:
    with Relay(echo.address, latency=0.0, random=lambda: 0.0) as relay:
        relay.go_down()
        with connected(relay) as device:
            assert received(device) == b""
        assert relay.tally.refused == 1
        assert not echo.answered.is_set()


def test_a_link_that_is_down_may_say_nothing_until_it_comes_up(echo: Echo) -> None:
    with Relay(echo.address, latency=0.0, random=lambda: 0.9) as relay:
        relay.go_down()
        with connected(relay) as device:
            device.sendall(b"hello")
            device.settimeout(0.05)
            with pytest.raises(TimeoutError):
                device.recv(4096)
            device.settimeout(SECONDS)
            relay.come_up()
            assert received(device) == b""
        assert relay.tally.swallowed == 1
        with connected(relay) as device:
            device.sendall(b"again")
            assert device.recv(4096) == b"again"


def test_a_recording_is_played_to_its_end_and_the_link_stays_up(echo: Echo) -> None:
    with Relay(echo.address, latency=0.0, random=lambda: 0.0) as relay, connected(relay) as device:
        device.sendall(b"hello")
        assert device.recv(4096) == b"hello"
        relay.play(Recording("short", 0.1, (Outage(0.01, 0.04),)))
        assert received(device) == b""
        await_true(lambda: not relay.is_down)
        with connected(relay) as later:
            later.sendall(b"again")
            assert later.recv(4096) == b"again"


def test_without_a_server_behind_it_a_connection_ends(echo: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
    with Relay(nobody, latency=0.0, random=lambda: 0.0) as relay, connected(relay) as device:
        assert received(device) == b""
