"""The transport over real gRPC, against scripted servers: streams, the way without streams, deadlines, details."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
import trustme
from cartsync.v1 import service_pb2, service_pb2_grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from spec_server import PRINCIPAL, SpecServer

from reference_client import CartClient, CredentialError, SyncStatus
from reference_client.drainer.endpoint import Endpoint
from reference_client.drainer.grpc_transport import GrpcTransport
from reference_client.drainer.transport import CallFailedError, Session
from reference_client.machine.values import StopReason

TOKEN = "a-very-secret-credential"


class UnaryShop(service_pb2_grpc.CartSyncServiceServicer):
    """The model server over gRPC, without streams."""

    def __init__(self) -> None:
        self.model = SpecServer()
        self.calls: list[str] = []
        self.credentials: list[str] = []

    def _note(self, name: str, context: grpc.ServicerContext) -> None:
        self.calls.append(name)
        self.credentials += [str(v) for k, v in context.invocation_metadata() if k == "authorization"]

    def Sync(self, requests, context):  # type: ignore[no-untyped-def]  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no streams here")

    def GetSyncPolicy(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        self._note("GetSyncPolicy", context)
        return self.model.policy()

    def SubmitOperations(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        self._note("SubmitOperations", context)
        return self.model.submit(request)

    def LookupOutcomes(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        self._note("LookupOutcomes", context)
        return self.model.look_up(request)

    def GetCart(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        self._note("GetCart", context)
        return self.model.cart(request)

    def WatchCart(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


class StreamingShop(UnaryShop):
    """The same with streams; `silent_after` answers it says no more."""

    def __init__(self, silent_after: int | None = None) -> None:
        super().__init__()
        self.silent_after = silent_after
        self.release = threading.Event()

    def Sync(self, requests, context):  # type: ignore[no-untyped-def]  # noqa: N802
        self._note("Sync", context)
        hello = next(requests).hello
        state = service_pb2.QueueState(
            queue_id=hello.queue_id, decided_through_sequence=self.model.watermark(hello.queue_id)
        )
        yield service_pb2.SyncResponse(
            welcome=service_pb2.Welcome(store_id=self.model.store_id, queue=state, policy=self.model.policy().policy)
        )
        for number, request in enumerate(requests):
            answer = self.model.submit(
                service_pb2.SubmitOperationsRequest(
                    store_id=hello.store_id,
                    queue_id=hello.queue_id,
                    expected_principal=hello.expected_principal,
                    attempts=request.submit.attempts,
                )
            )
            if self.silent_after is not None and number >= self.silent_after:
                self.release.wait(20)
                return
            outcomes = service_pb2.Outcomes(queue=answer.queue, results=answer.results)
            yield service_pb2.SyncResponse(outcomes=outcomes)


class RefusingShop(UnaryShop):
    """Ends every `GetSyncPolicy` with the status it was given."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__()
        self.status = status

    def GetSyncPolicy(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        context.abort_with_status(rpc_status.to_status(self.status))


@contextmanager
def serving(shop: UnaryShop, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service_pb2_grpc.add_CartSyncServiceServicer_to_server(shop, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_drain_goes_over_one_stream_with_the_credential(tmp_path: Path, stack: ExitStack) -> None:
    shop = StreamingShop()
    client = stack.enter_context(CartClient(tmp_path, stack.enter_context(serving(shop)), TOKEN))
    for sku in "ABC":
        client.add(sku, price="1.00GBP")

    report = client.sync(batch_limit=1)

    assert (report.status, report.pending_count, report.tally.submissions) == (SyncStatus.DRAINED, 0, 3)
    assert shop.model.store.lines == {"A": 1, "B": 1, "C": 1}
    assert shop.calls == ["GetSyncPolicy", "Sync", "GetCart"]
    assert set(shop.credentials) == {f"Bearer {TOKEN}"}
    assert [(line.sku, line.quantity, line.is_pending) for line in client.view().lines] == [
        ("A", 1, False),
        ("B", 1, False),
        ("C", 1, False),
    ]


def test_a_server_without_streams_is_drained_by_unary_calls(tmp_path: Path, stack: ExitStack) -> None:
    shop = UnaryShop()
    client = stack.enter_context(CartClient(tmp_path, stack.enter_context(serving(shop)), TOKEN))
    client.add("A", price="1.00GBP")

    assert client.sync().status is SyncStatus.DRAINED

    assert shop.calls == ["GetSyncPolicy", "LookupOutcomes", "SubmitOperations", "GetCart"]
    assert shop.model.store.lines == {"A": 1}


def test_streams_are_left_alone_when_told_so(tmp_path: Path, stack: ExitStack) -> None:
    shop = StreamingShop()
    endpoint = Endpoint(stack.enter_context(serving(shop)), TOKEN, unary_only=True)
    client = stack.enter_context(CartClient(tmp_path, endpoint=endpoint))
    client.add("A", price="1.00GBP")
    assert client.sync().status is SyncStatus.DRAINED
    assert "Sync" not in shop.calls


def test_an_answer_that_does_not_come_is_given_up_and_what_was_sent_is_in_doubt(
    tmp_path: Path, stack: ExitStack
) -> None:
    shop = StreamingShop(silent_after=1)
    endpoint = Endpoint(stack.enter_context(serving(shop)), TOKEN, deadline_seconds=0.3)
    stack.callback(shop.release.set)
    client = stack.enter_context(CartClient(tmp_path, endpoint=endpoint))
    for sku in "AB":
        client.add(sku, price="1.00GBP")

    report = client.sync(patience=0, batch_limit=1)

    assert report.status is SyncStatus.UNREACHABLE
    assert "no answer within 0.3 seconds" in report.message
    assert [o.in_doubt for o in client.operations()] == [False, True]
    shop.silent_after = None
    assert client.sync().tally.replayed == 1
    assert shop.model.store.lines == {"A": 1, "B": 1}


def details(code: grpc.StatusCode, *messages: object) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0], message="said so")
    for message in messages:
        packed = any_pb2.Any()
        packed.Pack(message)  # type: ignore[arg-type]
        status.details.append(packed)
    return status


def test_the_details_of_a_status_reach_the_machine(stack: ExitStack) -> None:
    info = error_details_pb2.ErrorInfo(reason="STORE_CHANGED", domain="cartsync.v1", metadata={"store_id": "s-2"})
    bad = error_details_pb2.BadRequest(field_violations=[{"field": "queue_id"}, {"field": "other"}])
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2, nanos=500_000_000))
    shop = RefusingShop(details(grpc.StatusCode.FAILED_PRECONDITION, info, bad, retry))
    transport = GrpcTransport(Endpoint(stack.enter_context(serving(shop)), TOKEN))
    stack.callback(transport.shut_down)

    with pytest.raises(CallFailedError) as caught:
        transport.policy()

    failure = caught.value.failure
    assert (failure.code, failure.reason, failure.message) == ("FAILED_PRECONDITION", "STORE_CHANGED", "said so")
    assert (failure.store_id, failure.field, failure.retry_seconds) == ("s-2", "queue_id", 2.5)
    assert TOKEN not in str(caught.value)


def test_an_unknown_credential_stops_and_everything_stays_unsent(tmp_path: Path, stack: ExitStack) -> None:
    shop = RefusingShop(details(grpc.StatusCode.UNAUTHENTICATED))
    client = stack.enter_context(CartClient(tmp_path, stack.enter_context(serving(shop)), TOKEN))
    client.add("A", price="1.00GBP")

    report = client.sync()

    assert (report.status, report.stop_reason) == (SyncStatus.STOPPED, StopReason.UNAUTHENTICATED)
    assert [o.send_count for o in client.operations()] == [0]
    assert TOKEN not in repr(report)


def test_a_server_without_the_service_is_named_as_such(tmp_path: Path, stack: ExitStack) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stack.callback(lambda: server.stop(None).wait())
    client = stack.enter_context(CartClient(tmp_path, f"127.0.0.1:{port}", TOKEN))
    report = client.sync()
    assert report.stop_reason is StopReason.INCOMPATIBLE
    assert "does not offer Cartsync" in report.message


def test_tls_is_spoken_to_a_server_whose_authority_is_named(tmp_path: Path, stack: ExitStack) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    shop = StreamingShop()
    address = stack.enter_context(serving(shop, grpc.ssl_server_credentials([pair])))
    roots = authority.cert_pem.bytes()
    good = stack.enter_context(
        CartClient(tmp_path / "a", endpoint=Endpoint(address, TOKEN, tls=True, root_certificates=roots))
    )
    doubting = stack.enter_context(CartClient(tmp_path / "b", endpoint=Endpoint(address, TOKEN, tls=True)))

    assert good.sync().status is SyncStatus.DRAINED
    assert doubting.sync(patience=0).status is SyncStatus.UNREACHABLE
    assert set(shop.credentials) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("address", "tls"),
    [
        ("127.0.0.1:7443", False),
        ("[::1]:7443", False),
        ("localhost:7443", False),
        ("shop.example:443", True),
        ("127.0.0.1.evil.example:443", True),
        ("localhost.evil.example:443", True),
        ("10.0.0.7:7443", True),
    ],
)
def test_a_credential_leaves_this_machine_only_over_tls_unless_asked_for(address: str, tls: bool) -> None:
    assert Endpoint(address).uses_tls is tls
    assert Endpoint(address, tls=not tls).uses_tls is not tls


def test_a_credential_in_the_clear_goes_through_no_proxy(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        for name in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        transport = GrpcTransport(Endpoint(stack.enter_context(serving(StreamingShop())), TOKEN))
        stack.callback(transport.shut_down)
        assert transport.open(Session("store-1", "q", PRINCIPAL), 0).store_id == "store-1"


def test_nobody_can_print_a_credential() -> None:
    assert TOKEN not in repr(Endpoint("shop.example:443", TOKEN))


@pytest.mark.parametrize("spoilt", [f"{TOKEN}\n", f"{TOKEN}é", f"{TOKEN}\x00"])
def test_a_credential_that_cannot_be_sent_is_refused_without_repeating_it(tmp_path: Path, spoilt: str) -> None:
    with CartClient(tmp_path, "127.0.0.1:1", token=spoilt) as client:
        client.add("A", price="1.00GBP")
        with pytest.raises(CredentialError) as caught:
            client.sync(patience=0)
    assert TOKEN not in str(caught.value)


def test_a_session_says_whose_queue_it_is(stack: ExitStack) -> None:
    shop = StreamingShop()
    transport = GrpcTransport(Endpoint(stack.enter_context(serving(shop)), f"Bearer {TOKEN}"))
    stack.callback(transport.shut_down)
    answer = transport.open(Session("store-1", "q", PRINCIPAL), 0)
    assert (answer.store_id, answer.watermark) == ("store-1", 0)
    assert shop.credentials == [f"Bearer {TOKEN}"]
