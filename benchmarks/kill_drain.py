"""Kills the client, or the server, with SIGKILL again and again while a long queue drains, and checks the books.

    python benchmarks/kill_drain.py --victim client
    python benchmarks/kill_drain.py --victim server

A queue of intents is written down, a real server and a real `cartsync sync` are started, and the victim is killed
at random instants in the middle of the drain and started again at once. In the end four accounts of what
happened have to agree to the last unit, operation by operation: what plain arithmetic in this file says should
have happened, what the client was told, what the server has recorded, and the server's ledger of effects.

Exit code 0: they agree. 1: they do not, or a kill did not land in the middle of the drain.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cartsync.conformance.v1 import control_pb2, control_pb2_grpc
from cartsync.v1 import money_pb2, operation_pb2, outcome_pb2, reason_pb2, service_pb2, service_pb2_grpc

from reference_client import CartClient, Price, intents
from reference_client.queue.rows import OperationRecord

CARTS = ("main", "wishes", "office")
PRICE = Price("GBP", 255)
STOCK: dict[str, int | None] = {f"SKU-{n:02d}": None if n % 3 else 40 for n in range(30)}
"""What the shop has of each product; None: it does not count. What is not listed here it does not know."""
PRINCIPAL = "kill-drain"
Quantities = dict[tuple[str, str], int]


# ---- what should happen: plain arithmetic, sharing nothing with client or server ------------------------------


@dataclass(frozen=True)
class Expected:
    """What should become of one operation."""

    state: int
    reason: int
    before: int
    after: int


def draw_intents(draw: random.Random, count: int) -> list[operation_pb2.CartOperation]:
    """A shopper's day: mostly adds, some changes of mind, some that cannot be had."""
    drawn = []
    for _ in range(count):
        cart = draw.choice(CARTS)
        sku = draw.choice([*STOCK, "NOT-SOLD"])
        policy = draw.choice((intents.EXACT, intents.CLAMP))
        match draw.choices(("add", "adjust", "set", "remove"), (60, 20, 12, 8))[0]:
            case "add":
                quantity = draw.randint(1, 5)
                drawn.append(intents.add_item(sku, quantity=quantity, price=PRICE, cart_id=cart, policy=policy))
            case "adjust":
                delta = draw.choice((-4, -2, -1, 1, 2))
                drawn.append(intents.adjust_quantity(sku, delta, cart_id=cart, policy=policy))
            case "set":
                drawn.append(intents.set_quantity(sku, draw.randint(0, 12), cart_id=cart, policy=policy))
            case _:
                drawn.append(intents.remove_item(sku, cart_id=cart))
    return drawn


def fold(operations: list[operation_pb2.CartOperation], max_line_quantity: int) -> tuple[list[Expected], Quantities]:
    """What becomes of each operation when all are decided once and in order, and what the carts hold then."""
    held: Quantities = Counter()
    made: set[str] = set()
    expected = []
    for operation in operations:
        kind = operation.WhichOneof("intent") or ""
        line = getattr(operation, kind)
        cart, sku = line.cart_id, line.sku
        before = held[cart, sku]
        match kind:
            case "add_item":
                wanted = before + line.quantity
            case "adjust_quantity":
                wanted = max(0, before + line.delta)
            case "set_quantity":
                wanted = line.quantity
            case _:
                wanted = 0
        clamp = kind != "remove_item" and line.quantity_policy == intents.CLAMP
        reason, after = _judge(kind, cart in made, sku, before, wanted, clamp, max_line_quantity)
        if reason:
            expected.append(Expected(reason_pb2.OUTCOME_STATE_REJECTED, reason, before, before))
            continue
        if kind == "add_item":
            made.add(cart)
        held[cart, sku] = after
        expected.append(Expected(reason_pb2.OUTCOME_STATE_APPLIED, 0, before, after))
    return expected, {place: quantity for place, quantity in held.items() if quantity}


def _judge(kind: str, made: bool, sku: str, before: int, wanted: int, clamp: bool, most: int) -> tuple[int, int]:
    if kind in {"adjust_quantity", "set_quantity"} and not made:
        return reason_pb2.REASON_CART_NOT_FOUND, before
    if wanted <= before:
        return 0, wanted
    if sku not in STOCK:
        return reason_pb2.REASON_SKU_UNKNOWN, before
    if wanted > most:
        return reason_pb2.REASON_LINE_LIMIT_EXCEEDED, before
    stock = STOCK[sku]
    if stock is not None and wanted > stock:
        if not clamp or stock <= before:
            return reason_pb2.REASON_INSUFFICIENT_INVENTORY, before
        return 0, stock
    return 0, wanted


# ---- the two processes -----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class World:
    """A server and a client on this machine, each of which can be killed and started again."""

    folder: Path
    batch: int
    public: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    control: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    server: subprocess.Popen[bytes] | None = None
    client: subprocess.Popen[bytes] | None = None
    authorization: str = ""

    @property
    def client_folder(self) -> Path:
        return self.folder / "client"

    def start_server(self) -> None:
        log = (self.folder / "server.log").open("ab")
        self.server = subprocess.Popen(
            [
                *(sys.executable, "-m", "reference_server.cli", "serve"),
                *("--listen", self.public, "--control-listen", self.control),
                *("--data-dir", str(self.folder / "server")),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def start_client(self) -> None:
        log = (self.folder / "client.log").open("ab")
        self.client = subprocess.Popen(
            [
                *(sys.executable, "-m", "reference_client.cli"),
                *("--server", self.public, "--data-dir", str(self.client_folder)),
                *("sync", "--patience", "3600", "--batch", str(self.batch)),
            ],
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

    @contextlib.contextmanager
    def stub(self) -> Iterator[service_pb2_grpc.CartSyncServiceStub]:
        with grpc.insecure_channel(self.public) as channel:
            yield service_pb2_grpc.CartSyncServiceStub(channel)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", self.authorization),)


class Watch:
    """Asks the server how far the queue has come."""

    def __init__(self, world: World, queue_id: str) -> None:
        self._world = world
        self._request = service_pb2.LookupOutcomesRequest(queue_id=queue_id, first_sequence=1, last_sequence=1)
        options = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100))
        self._channel = grpc.insecure_channel(world.public, options=options)
        self._stub = service_pb2_grpc.CartSyncServiceStub(self._channel)

    def watermark(self) -> int | None:
        """The watermark, or None while there is no server."""
        try:
            answer = self._stub.LookupOutcomes(self._request, metadata=self._world.metadata(), timeout=2)
        except grpc.RpcError:
            return None
        return int(answer.queue.decided_through_sequence)

    def until(self, sequence: int, seconds: float = 120.0) -> int:
        """Waits until the queue has come so far, and says how far it is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reached = self.watermark()
            if reached is not None and reached >= sequence:
                return reached
            time.sleep(0.001)
        raise SystemExit(f"the queue did not come to {sequence} within {seconds:g} seconds; see the logs")

    def close(self) -> None:
        self._channel.close()


@dataclass(frozen=True)
class Kill:
    """One kill, and what it hit."""

    watermark: int
    in_doubt: int
    """Operations that the client had sent and knew no outcome of."""


def prepare(world: World) -> int:
    """Fills the catalogue and gets a credential. The largest quantity a line may have."""
    with grpc.insecure_channel(world.control) as channel:
        stub = control_pb2_grpc.ControlServiceStub(channel)
        issue = control_pb2.IssueCredentialRequest(principal=PRINCIPAL)
        world.authorization = stub.IssueCredential(issue, wait_for_ready=True, timeout=30).authorization
        for sku, stock in STOCK.items():
            price = money_pb2.Money(currency_code=PRICE.currency_code, minor_units=PRICE.minor_units)
            offer = control_pb2.PutOfferRequest(sku=sku, unit_price=price, listed=True, available_quantity=stock)
            stub.PutOffer(offer)
    with world.stub() as public:
        answer = public.GetSyncPolicy(
            service_pb2.GetSyncPolicyRequest(), metadata=world.metadata(), wait_for_ready=True, timeout=30
        )
    return int(answer.policy.max_line_quantity)


def drain_under_fire(
    world: World, victim: str, queue_id: str, count: int, kills: int, draw: random.Random
) -> list[Kill]:
    """Lets the queue drain and kills the victim `kills` times at random instants in between."""
    watch = Watch(world, queue_id)
    world.start_client()
    hits: list[Kill] = []
    # One instant in each of as many equal stretches, so that every one lands before the drain is over.
    stretch = (count * 0.95) / max(1, kills)
    for number in range(kills):
        watch.until(max(1, int(stretch * number + draw.random() * stretch * 0.8)))
        time.sleep(draw.random() * 0.03)
        target = world.client if victim == "client" else world.server
        if not world.kill(target):
            raise SystemExit(f"kill {number + 1} came too late: the {victim} had ended; use a smaller --batch")
        if victim == "server":
            world.start_server()
        reached = watch.until(0)
        if victim == "client":
            hits.append(Kill(reached, in_doubt(world)))
            world.start_client()
        else:
            hits.append(Kill(reached, 0))
    watch.until(count)
    watch.close()
    assert world.client is not None
    code = world.client.wait(timeout=60)
    if code not in {0, 1}:
        raise SystemExit(f"the client ended with exit code {code}; see {world.folder / 'client.log'}")
    return hits


def in_doubt(world: World) -> int:
    with CartClient(world.client_folder, world.public) as client:
        return sum(operation.in_doubt for operation in client.operations())


# ---- the four accounts -----------------------------------------------------------------------------------------


def recorded(world: World, queue_id: str, count: int) -> dict[int, outcome_pb2.Outcome]:
    """What the server has recorded, by sequence."""
    found = {}
    with world.stub() as stub:
        for first in range(1, count + 1, 100):
            request = service_pb2.LookupOutcomesRequest(
                queue_id=queue_id, first_sequence=first, last_sequence=min(count, first + 99)
            )
            for status in stub.LookupOutcomes(request, metadata=world.metadata()).statuses:
                if status.decidedness == service_pb2.DECIDEDNESS_DECIDED:
                    found[status.sequence] = status.outcome
    return found


def carts_now(world: World) -> Quantities:
    held: Quantities = {}
    with world.stub() as stub:
        for cart_id in CARTS:
            answer = stub.GetCart(service_pb2.GetCartRequest(cart_id=cart_id), metadata=world.metadata())
            held.update({(cart_id, line.sku): line.quantity for line in answer.cart.lines})
    return held


def ledger(world: World) -> list[control_pb2.Effect]:
    with grpc.insecure_channel(world.control) as channel:
        stub = control_pb2_grpc.ControlServiceStub(channel)
        return list(stub.ListEffects(control_pb2.ListEffectsRequest(principal=PRINCIPAL)).effects)


def disagreements(
    world: World, queue_id: str, operations: list[OperationRecord], expected: list[Expected], carts: Quantities
) -> Iterator[str]:
    """Everything in which the four accounts differ; nothing when all is well."""
    server = recorded(world, queue_id, len(expected))
    effects: dict[int, list[control_pb2.Effect]] = {}
    for effect in ledger(world):
        effects.setdefault(effect.sequence, []).append(effect)
    if len(operations) != len(expected):
        yield f"the client has {len(operations)} operations, {len(expected)} were enqueued"
    for operation, right in zip(operations, expected, strict=False):
        place = f"operation {operation.sequence}"
        told, record = operation.outcome, server.get(operation.sequence)
        if told is None or record is None:
            yield f"{place}: nothing lost? client knows {told is not None}, server knows {record is not None}"
            continue
        if told != record:
            yield f"{place}: the client was told otherwise than the server has recorded"
        if record.idempotency_key != operation.key:
            yield f"{place}: recorded under another key"
        if (record.state, record.refusal.reason) != (right.state, right.reason):
            yield f"{place}: {record.state}/{record.refusal.reason}, expected {right.state}/{right.reason}"
        done = [(e.quantity_before, e.quantity_after) for e in effects.get(operation.sequence, [])]
        should = [(right.before, right.after)] if right.before != right.after else []
        if done != should:
            yield f"{place}: effects {done}, expected {should}"
    if beyond := set(effects) - set(range(1, len(expected) + 1)):
        yield f"effects of operations that were never enqueued: {sorted(beyond)}"
    now = carts_now(world)
    for where in sorted(now.keys() | carts.keys()):
        if now.get(where, 0) != carts.get(where, 0):
            yield f"{where}: {now.get(where, 0)} in the cart, expected {carts.get(where, 0)}"


def report(victim: str, hits: list[Kill], operations: list[OperationRecord], effects: int, seconds: float) -> None:
    states = Counter(operation.state.value for operation in operations)
    attempts = sum(operation.send_count for operation in operations)
    rows: list[tuple[str, object]] = [
        (f"{victim} killed with -9", f"{len(hits)} times"),
        ("  when the watermark was at", ", ".join(str(hit.watermark) for hit in hits)),
    ]
    if victim == "client":
        rows.append(("  operations in doubt then", ", ".join(str(hit.in_doubt) for hit in hits)))
    rows += [
        ("operations enqueued", len(operations)),
        *((f"  {state}", number) for state, number in sorted(states.items())),
        ("attempts sent", attempts),
        ("  duplicates among them", attempts - len(operations)),
        ("outcomes learnt from duplicates", sum(operation.replayed for operation in operations)),
        ("effects in the server's ledger", effects),
        ("seconds", f"{seconds:.1f}"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name.ljust(width)}  {value}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the client or the server during a drain, and check the books.")
    parser.add_argument("--victim", choices=("client", "server"), default="client")
    parser.add_argument("--operations", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--batch", type=int, default=25, help="operations in one submission; small: more instants")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="a folder to leave stores and logs in")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-drain-")))
        folder.mkdir(parents=True, exist_ok=True)
        world = World(folder, options.batch)
        stack.callback(lambda: (world.kill(world.client), world.kill(world.server)))
        return run(world, options.victim, options.operations, options.kills, random.Random(seed))


def run(world: World, victim: str, count: int, kills: int, draw: random.Random) -> int:
    world.start_server()
    most = prepare(world)
    drawn = draw_intents(draw, count)
    expected, carts = fold(drawn, most)
    with CartClient(world.client_folder, world.public) as client:
        for first in range(0, count, 500):
            client.enqueue(drawn[first : first + 500])
        queue_id = client.queue().queue_id
    begin = time.monotonic()
    hits = drain_under_fire(world, victim, queue_id, count, kills, draw)
    seconds = time.monotonic() - begin
    with CartClient(world.client_folder, world.public) as client:
        operations = client.operations(queue_id)
        pending = client.queue().pending_count
        queues = len(client.queues.queues())
    wrong = list(disagreements(world, queue_id, operations, expected, carts))
    watermark = Watch(world, queue_id).watermark()
    if pending or queues != 1 or watermark != count:
        wrong.append(f"{pending} operations pending, {queues} queues, watermark {watermark} of {count}")
    report(victim, hits, operations, len(ledger(world)), seconds)
    for line in wrong[:20]:
        print(f"WRONG: {line}")
    if wrong:
        print(f"{len(wrong)} disagreements")
        return 1
    print(f"watermark {watermark}; carts, records, answers and effects agree: nothing lost, nothing twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
