"""The server as a process of its own: what it prints, how it ends, what survives it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import grpc
import grpc.aio
import pytest
import trustme
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import guest_claim_pb2, operation_pb2, service_pb2, service_pb2_grpc
from live_server import Shopper, offer, refused, states, submit_message
from server_process import COMMAND, CONTROLLED, event, run, started

from reference_server.config import Address
from reference_server.service import listener


async def test_told_to_stop_it_drains_and_exits_0(tmp_path: Path) -> None:
    async with started(tmp_path, *CONTROLLED) as server:
        ann = server.live.shopper()
        stream = server.live.calls.Sync(metadata=ann.metadata)
        await stream.write(ann.hello())
        await stream.read()
        await server.live.control.SetFailPoint(
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_AFTER_COMMIT,
                action=control_pb2.FAIL_ACTION_HOLD,
            )
        )
        await stream.write(submit_message(ann.add(3)))
        await server.live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal="ann"))
        server.process.send_signal(signal.SIGTERM)
        await event(server.process, "stopping")
        await server.live.control.ReleaseFailPoints(control_pb2.ReleaseFailPointsRequest(principal="ann"))
        answer = await stream.read()
        assert isinstance(answer, service_pb2.SyncResponse)
        assert states(answer.outcomes) == ["APPLIED"]
        with refused() as refusal:
            await stream.read()
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
        assert await asyncio.wait_for(server.process.wait(), 20) == 0


async def test_a_submission_held_for_ever_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    async with started(tmp_path, *CONTROLLED, "--shutdown-grace", "200ms") as server:
        ann = server.live.shopper()
        await server.live.control.SetFailPoint(
            control_pb2.SetFailPointRequest(
                principal="ann",
                fail_point=control_pb2.FAIL_POINT_BEFORE_COMMIT,
                action=control_pb2.FAIL_ACTION_HOLD,
            )
        )
        call = asyncio.ensure_future(ann.submit(ann.add()))
        await server.live.control.AwaitHeld(control_pb2.AwaitHeldRequest(principal="ann"))
        assert await server.end(signal.SIGTERM) == 0
        with refused():
            await call
    async with started(tmp_path) as server:
        ann.live = server.live
        assert (await ann.lookup(1, 1)).queue.decided_through_sequence == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_server_exits_0_at_once(tmp_path: Path, number: signal.Signals) -> None:
    async with started(tmp_path) as server:
        assert await server.end(number) == 0


async def test_killed_and_started_again_it_has_everything_it_answered(tmp_path: Path) -> None:
    async with started(tmp_path, *CONTROLLED) as server:
        ann = server.live.shopper()
        await server.live.control.PutOffer(offer("KEPT", minor_units=700))
        attempts = [ann.add(2), ann.add(3, sku="KEPT"), ann.add(1, sku="UNKNOWN")]
        answer = await ann.submit(*attempts)
        assert states(answer) == ["APPLIED", "APPLIED", "REJECTED"]
        before = await ann.cart()
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL
    async with started(tmp_path, *CONTROLLED) as server:
        ann.live = server.live
        again = await ann.submit(*attempts)
        after = await ann.cart()
        assert [result.outcome for result in again.results] == [result.outcome for result in answer.results]
        assert all(result.replayed for result in again.results)
        before.cart.ClearField("price_time")
        after.cart.ClearField("price_time")
        assert after == before
        assert states(await ann.submit(ann.add())) == ["APPLIED"]


@pytest.mark.parametrize(
    ("fail_point", "decided"),
    [(control_pb2.FAIL_POINT_BEFORE_COMMIT, 0), (control_pb2.FAIL_POINT_AFTER_COMMIT, 1)],
)
async def test_an_abort_leaves_all_or_nothing(
    tmp_path: Path, fail_point: control_pb2.FailPoint.ValueType, decided: int
) -> None:
    async with started(tmp_path, *CONTROLLED) as server:
        ann = server.live.shopper()
        await server.live.control.SetFailPoint(
            control_pb2.SetFailPointRequest(
                principal="ann", fail_point=fail_point, action=control_pb2.FAIL_ACTION_ABORT
            )
        )
        attempt = ann.add(2)
        with refused() as refusal:
            await ann.submit(attempt)
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
        assert await asyncio.wait_for(server.process.wait(), 20) == -signal.SIGKILL
    async with started(tmp_path, *CONTROLLED) as server:
        ann.live = server.live
        reading = await ann.cart()
        assert (reading.queue.decided_through_sequence, len(reading.cart.lines)) == (decided, decided)
        assert states(await ann.submit(attempt)) == ["APPLIED"]
        assert await ann.quantity() == 2


async def test_hashed_tokens_let_in_who_holds_them_and_nobody_else(tmp_path: Path) -> None:
    token = "a-token-of-alice-that-is-long"
    line = run("hash-token", "--principal", "alice", stdin=f"{token}\n")
    assert line.returncode == 0
    (tmp_path / "tokens").write_text(line.stdout)
    async with started(tmp_path, "--auth", f"tokens:{tmp_path / 'tokens'}") as server:
        answer = await server.live.calls.GetSyncPolicy(
            service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", f"Bearer {token}"),)
        )
        assert answer.principal == "alice"
        with refused() as refusal:
            await server.live.calls.GetSyncPolicy(
                service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", "Bearer dev:alice"),)
            )
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_guest_by_its_token_is_given_a_claim_token_by_a_real_server(tmp_path: Path) -> None:
    token = "a-token-of-a-visitor-that-is-long"
    line = run("hash-token", "--principal", "visitor", "--guest", stdin=f"{token}\n").stdout
    assert line.endswith(" visitor guest\n")
    (tmp_path / "tokens").write_text(line)
    async with started(tmp_path, "--auth", f"tokens:{tmp_path / 'tokens'}") as server:
        answer = await server.live.guests.IssueClaimToken(
            guest_claim_pb2.IssueClaimTokenRequest(), metadata=(("authorization", f"Bearer {token}"),)
        )
        assert answer.claim_token


async def test_a_pipe_that_fills_up_unread_neither_stops_it_nor_keeps_it_from_exiting(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    entry = {"event": ""}
    while entry["event"] != "listening":
        entry = json.loads(process.stdout.readline())
    async with grpc.aio.insecure_channel(entry["address"]) as channel:
        calls = service_pb2_grpc.CartSyncServiceStub(channel)
        for _ in range(1_000):  # a line each: well above the 64 KiB that a pipe holds
            await calls.GetSyncPolicy(
                service_pb2.GetSyncPolicyRequest(), metadata=(("authorization", "Bearer dev:ann"),), timeout=10
            )
    process.terminate()
    try:
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()


async def test_when_nobody_reads_its_output_it_goes_on(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        assert server.process.stdout is not None
        server.process.stdout._transport.close()  # type: ignore[attr-defined]  # the reader's end of the pipe
        ann = server.live.shopper()
        for _ in range(3):
            assert states(await ann.submit(ann.add())) == ["APPLIED"]
        assert await server.end(signal.SIGTERM) == 0


def test_insecure_mode_says_so_loudly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["event"] != "listening":
        pass
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert "INSECURE development mode" in errors
    assert process.returncode == 0


def only_complaint(result: subprocess.CompletedProcess[str]) -> str:
    """The one error line; never a traceback."""
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if "INSECURE" not in line]
    assert len(lines) == 1
    return lines[0]


def test_an_address_in_use_is_exit_code_3(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for flags in (("--listen", address), ("--listen", "127.0.0.1:0", "--control-listen", address)):
            result = run("serve", "--data-dir", str(tmp_path), *flags)
            assert result.returncode == 3
            assert f"cannot listen on {address}: it is in use. Stop what" in only_complaint(result)


async def test_an_address_of_another_machine_is_told_from_one_in_use() -> None:
    server = grpc.aio.server()
    with pytest.raises(listener.CannotListenError, match=r"192\.0\.2\.1:7443: this machine has no such address"):
        listener.bind(server, Address("192.0.2.1", 7443))
    await server.stop(None)


def test_a_store_that_another_server_has_open_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE anything (row)")
        other.execute("BEGIN EXCLUSIVE")
        result = run("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{path}")
    assert result.returncode == 4
    assert f"{path}: another server has it open" in only_complaint(result)


def test_a_store_that_cannot_be_opened_is_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no database at all, whatever its name may say.\n" * 50)
    for store in (tmp_path, tmp_path / "notes.txt", tmp_path / "notes.txt" / "below"):
        result = run("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{store}")
        assert result.returncode == 4
        assert str(store) in only_complaint(result)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--listen", "0.0.0.0:7443"), "--auth insecure"),
        (("--listen", "nowhere"), "must be HOST:PORT"),
        (("--catalog", "/none.csv"), "/none.csv: cannot be read"),
        (("--promotions", "/none.csv"), "/none.csv: cannot be read"),
        (("--profiles", "core,wishes"), "must be all, or names with commas"),
        (("--auth", "tokens:/none"), "/none: cannot be read"),
        (("--config", "/none.toml"), "/none.toml: cannot be read"),
        (("--tls-cert", "/none.pem", "--tls-key", "/none.key"), "cannot be read"),
        (("--replay-window", "1h"), "floor is 72h"),
    ],
)
def test_a_wrong_set_up_is_exit_code_2_with_one_clear_line(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    result = run("serve", "--data-dir", str(tmp_path), *flags, CARTSYNC_LISTEN="127.0.0.1:0")
    assert result.returncode == 2
    assert said in only_complaint(result)


def test_certificates_that_are_none_are_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    flags = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem"))
    result = run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), *flags)
    assert result.returncode == 2
    assert "cert.pem" in only_complaint(result)


async def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    flags = ("--tls-cert", str(certificate), "--tls-key", str(key))
    async with started(tmp_path / "data", *flags, credentials=trusted) as server:
        ann = server.live.shopper()
        assert states(await ann.submit(ann.add())) == ["APPLIED"]


def test_a_config_file_may_be_named_by_its_variable() -> None:
    assert "/none.toml: cannot be read" in only_complaint(run("serve", CARTSYNC_CONFIG="/none.toml"))


def test_an_unknown_flag_is_exit_code_2() -> None:
    result = run("serve", "--frobnicate")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_every_setting_is_in_the_help() -> None:
    from reference_server.config import SETTINGS

    text = run("serve", "--help").stdout
    for setting in SETTINGS:
        assert setting.flag in text
        assert setting.variable in "".join(text.split())


def test_hash_token_refuses_a_guessable_token() -> None:
    result = run("hash-token", "--principal", "alice", stdin="hunter2\n")
    assert result.returncode == 2
    assert "20 characters or more" in only_complaint(result)
    assert "hunter2" not in result.stderr


async def test_a_store_put_back_from_a_backup_takes_a_new_id_and_keeps_its_carts(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        ann = server.live.shopper()
        before = await ann.submit(ann.add(2))
        await server.end(signal.SIGTERM)
    result = run("new-store-id", "--data-dir", str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    async with started(tmp_path) as server:
        ann.live = server.live
        reading = await ann.cart()
        assert reading.store_id == result.stdout.strip() != before.store_id
        assert (reading.cart.lines[0].quantity, reading.queue.decided_through_sequence) == (2, 1)


def test_a_new_id_is_not_given_to_a_store_that_is_not_there(tmp_path: Path) -> None:
    result = run("new-store-id", "--data-dir", str(tmp_path / "wrong"))
    assert result.returncode == 4
    assert "there is no store" in only_complaint(result)
    assert not (tmp_path / "wrong").exists()


def test_version_prints_the_version() -> None:
    assert run("version").stdout.strip()


async def test_a_shopper_outlives_the_server_it_began_with(tmp_path: Path) -> None:
    """Five kills at no particular moment: what was answered stands, what was not is decided once."""
    ann: Shopper | None = None
    attempts: list[operation_pb2.OperationAttempt] = []
    for _ in range(5):
        async with started(tmp_path) as server:
            ann = ann or server.live.shopper()
            ann.live = server.live
            decided = (await ann.lookup(1, 1)).queue.decided_through_sequence
            attempts.extend(ann.add() for _ in range(20))
            stream = server.live.calls.Sync(metadata=ann.metadata)
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await stream.write(ann.hello())
                for attempt in attempts[decided:]:
                    await stream.write(submit_message(attempt))
                await stream.read()
                await stream.read()
            await server.end(signal.SIGKILL)
    async with started(tmp_path) as server:
        assert ann is not None
        ann.live = server.live
        decided = (await ann.lookup(1, 1)).queue.decided_through_sequence
        await ann.submit(*attempts[decided:])
        assert await ann.quantity() == len(attempts) == 100
