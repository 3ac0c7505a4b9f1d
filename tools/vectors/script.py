"""Telling an exchange: what is arranged, what a device sends, and what comes back, written down step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

import grpc
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import money_pb2, operation_pb2, service_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tools.vectors.notation import Entry, decoded, entry
from tools.vectors.session import BEGIN, Answer, Session, Stream, control_type_of, type_of

Step: TypeAlias = dict[str, Any]
Told: TypeAlias = Callable[["Play"], Awaitable[None]]

EXACT = operation_pb2.QUANTITY_POLICY_EXACT
CLAMP = operation_pb2.QUANTITY_POLICY_CLAMP
TEA, MUG, LAMP = "TEA-EARL-GREY-50", "MUG-RED", "LANTERN-WHITE"
CART = "groceries"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A worked example of several steps."""

    name: str
    title: str
    profile: str
    requirements: tuple[str, ...]
    shows: str
    tell: Told


EXCHANGES: dict[str, Exchange] = {}


def exchange(name: str, title: str, *requirements: str, profile: str = "core") -> Callable[[Told], Told]:
    """Make the coroutine an exchange under `name`; its docstring says what it shows."""

    def register(tell: Told) -> Told:
        if name in EXCHANGES:
            raise ValueError(f"there are two exchanges called {name}")
        shows = " ".join((tell.__doc__ or "").split())
        EXCHANGES[name] = Exchange(name, title, profile, requirements, shows, tell)
        return tell

    return register


def money(minor_units: int, currency: str = "GBP") -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(currency_code=currency, minor_units=minor_units)


def span(length: timedelta) -> Duration:
    """A length of time."""
    message = Duration()
    message.FromTimedelta(length)
    return message


@dataclass
class Play:
    """One exchange as it goes on, on a session of its own."""

    session: Session
    steps: list[Step] = field(default_factory=list)
    _device_count: int = 0

    def device(self, principal: str = "ann") -> Device:
        """A device with a queue of its own; its keys and its queue's id follow from the order they are made in."""
        self._device_count += 1
        return Device(self, principal, self._device_count)

    async def arrange(self, method: str, note: str = "", **fields: Any) -> Message:
        """Make a control call: what happens in the shop or to the server."""
        self.session.tick()
        request = getattr(control_pb2, f"{method}Request")(**fields)
        encoded = request.SerializeToString(deterministic=True)
        response = await self.session.arrange(method, encoded)
        step: Step = {"arrange": method} | ({"note": note} if note else {}) | {"request": entry(request)}
        self.steps.append(step)
        return decoded(control_type_of(method, response=True), response)

    async def offer(
        self,
        sku: str,
        price: int,
        stock: int | None = None,
        *,
        currency: str = "GBP",
        listed: bool = True,
        note: str = "",
    ) -> None:
        """Put a product on the shelf, or change it there."""
        await self.arrange(
            "PutOffer",
            note,
            sku=sku,
            unit_price=money(price, currency),
            listed=listed,
            available_quantity=stock,
        )

    async def call(self, principal: str, method: str, request: Message, note: str = "") -> Any:
        """Make a call and write down how it was answered; the response, or the google.rpc.Status."""
        self.session.tick()
        encoded = request.SerializeToString(deterministic=True)
        answer = await self.session.call(principal, method, encoded)
        step: Step = {"call": method, "as": principal} | ({"note": note} if note else {})
        step["request"] = entry(request, encoded)
        response, told = told_answer(answer, type_of(method, response=True))
        self.steps.append(step | told)
        return response

    async def open(self, principal: str, method: str, note: str = "") -> Conversation:
        """Open a stream; what is said on it is written down in one step, from here on."""
        self.session.tick()
        stream = await self.session.open(principal, method)
        messages: list[Step] = []
        self.steps.append(
            {"stream": method, "as": principal} | ({"note": note} if note else {}) | {"messages": messages}
        )
        return Conversation(self, stream, method, messages)


def told_answer(answer: Answer, response_type: str) -> tuple[Any, Step]:
    """An answer as a message, and as it stands in a step."""
    if answer.code is grpc.StatusCode.OK:
        response = decoded(response_type, answer.encoded)
        return response, {"response": entry(response, answer.encoded)}
    status = decoded("google.rpc.Status", answer.encoded)
    told: Step = {"code": answer.code.name}
    if answer.encoded:
        told["details"] = entry(status, answer.encoded)
    return status, {"status": told}


@dataclass
class Conversation:
    """A stream that is written down as it goes."""

    play: Play
    stream: Stream
    method: str
    messages: list[Step]

    async def say(self, message: Message, note: str = "") -> None:
        """Send a message."""
        encoded = message.SerializeToString(deterministic=True)
        await self.stream.send(encoded)
        self._write({"from": "client", "message": entry(message, encoded)}, note)

    async def half_close(self, note: str = "") -> None:
        """Say that nothing more comes."""
        await self.stream.half_close()
        self._write({"from": "client", "halfClose": True}, note)

    async def cut(self, note: str = "") -> None:
        """Cut the stream."""
        self.stream.cancel()
        self._write({"from": "client", "cut": True}, note)

    async def hear(self, note: str = "") -> Any:
        """Take the next message, or the end: the message, the google.rpc.Status, or None after OK."""
        answer = await self.stream.receive()
        if answer is None:
            self._write({"from": "server", "status": {"code": "OK"}}, note)
            return None
        message, told = told_answer(answer, type_of(self.method, response=True))
        told = {"message": told["response"]} if "response" in told else told
        self._write({"from": "server"} | told, note)
        return message

    async def meanwhile(self, happening: Awaitable[Any]) -> None:
        """Let something happen beside the stream, at this point of it."""
        before = len(self.play.steps)
        await happening
        for step in self.play.steps[before:]:
            self._write({"meanwhile": step}, "")
        del self.play.steps[before:]

    def _write(self, told: Step, note: str) -> None:
        self.messages.append(told | ({"note": note} if note else {}))


@dataclass
class Device:
    """A device of a principal: drafts operations in sequence and sends them."""

    play: Play
    principal: str
    number: int
    store_id: str = ""
    last_sequence: int = 0
    last_key: str = ""
    _discard_count: int = 0

    @property
    def queue_id(self) -> str:
        """The queue: 9…1 for the first device, 9…2 for the second."""
        return f"90000000-0000-4000-8000-{self.number:012}"

    def key(self, sequence: int, take: int = 0) -> str:
        """The key of an operation: queue and sequence can be read in it; `take` tells several of one sequence apart."""
        return f"{self.number:08}-{take:04}-4000-8000-{sequence:012}"

    def draft(
        self,
        *,
        sequence: int = 0,
        key: str = "",
        previous_key: str | None = None,
        age: timedelta | None = None,
        features: Iterable[str] = (),
        **intent: Any,
    ) -> operation_pb2.OperationAttempt:
        """The next operation of the queue, or one at a sequence of the caller's choice."""
        sequence = sequence or self.last_sequence + 1
        key = key or self.key(sequence)
        operation = operation_pb2.CartOperation(
            idempotency_key=key,
            sequence=sequence,
            previous_key=self.last_key if previous_key is None else previous_key,
            enqueue_time=Timestamp(seconds=int(BEGIN.timestamp()) - 3600 + 60 * sequence),
            required_features=features,
            **intent,
        )
        self.last_sequence, self.last_key = sequence, key
        attempt = operation_pb2.OperationAttempt(operation=operation)
        if age is not None:
            attempt.age.CopyFrom(span(age))
        return attempt

    def add(
        self,
        sku: str = TEA,
        quantity: int = 1,
        price: int = 425,
        *,
        limit: int | None = None,
        policy: operation_pb2.QuantityPolicy.ValueType = EXACT,
        cart_id: str = CART,
        currency: str = "GBP",
        **rest: Any,
    ) -> operation_pb2.OperationAttempt:
        """An add, by a shopper who saw `price`."""
        item = operation_pb2.AddItem(
            cart_id=cart_id,
            sku=sku,
            quantity=quantity,
            observed_unit_price=money(price, currency),
            max_unit_price=None if limit is None else money(limit, currency),
            quantity_policy=policy,
        )
        return self.draft(add_item=item, **rest)

    def adjust(
        self, sku: str, delta: int, *, guard: int | None = None, cart_id: str = CART, **rest: Any
    ) -> operation_pb2.OperationAttempt:
        """A move of a line."""
        intent = operation_pb2.AdjustQuantity(
            cart_id=cart_id, sku=sku, delta=delta, quantity_policy=EXACT, unless_changed_since=guard
        )
        return self.draft(adjust_quantity=intent, **rest)

    def set(
        self, sku: str, quantity: int, *, guard: int | None = None, cart_id: str = CART, **rest: Any
    ) -> operation_pb2.OperationAttempt:
        """A line set to a quantity."""
        intent = operation_pb2.SetQuantity(
            cart_id=cart_id, sku=sku, quantity=quantity, quantity_policy=EXACT, unless_changed_since=guard
        )
        return self.draft(set_quantity=intent, **rest)

    def remove(
        self, sku: str, *, guard: int | None = None, cart_id: str = CART, **rest: Any
    ) -> operation_pb2.OperationAttempt:
        """A line taken out."""
        intent = operation_pb2.RemoveItem(cart_id=cart_id, sku=sku, unless_changed_since=guard)
        return self.draft(remove_item=intent, **rest)

    def discard(self, original: operation_pb2.OperationAttempt) -> operation_pb2.OperationAttempt:
        """The discard of an operation, at its sequence. The chain goes on from the original."""
        operation = original.operation
        last = self.last_sequence, self.last_key
        attempt = self.draft(
            sequence=operation.sequence,
            key=self.key(operation.sequence, take=1),
            previous_key=operation.previous_key,
            discard=operation_pb2.Discard(discarded_key=operation.idempotency_key),
        )
        self.last_sequence, self.last_key = last
        return attempt

    async def policy(self, note: str = "") -> Any:
        """Read the contract; the device keeps the store's id."""
        request = service_pb2.GetSyncPolicyRequest()
        answer = await self.play.call(self.principal, "CartSyncService/GetSyncPolicy", request, note)
        self.store_id = answer.store_id
        return answer

    async def submit(self, *attempts: operation_pb2.OperationAttempt, note: str = "", **changes: Any) -> Any:
        """Send a submission; `changes` replace fields of the request."""
        fields: Mapping[str, Any] = {
            "store_id": self.store_id,
            "queue_id": self.queue_id,
            "expected_principal": self.principal,
            "attempts": attempts,
        }
        request = service_pb2.SubmitOperationsRequest(**{**fields, **changes})
        return await self.play.call(self.principal, "CartSyncService/SubmitOperations", request, note)

    async def cart(self, cart_id: str = CART, note: str = "") -> Any:
        """Read a cart with this queue's watermark."""
        request = service_pb2.GetCartRequest(store_id=self.store_id, cart_id=cart_id, queue_id=self.queue_id)
        return await self.play.call(self.principal, "CartSyncService/GetCart", request, note)

    async def look_up(self, first: int, last: int, note: str = "") -> Any:
        """Look up what was decided."""
        request = service_pb2.LookupOutcomesRequest(
            store_id=self.store_id, queue_id=self.queue_id, first_sequence=first, last_sequence=last
        )
        return await self.play.call(self.principal, "CartSyncService/LookupOutcomes", request, note)

    def hello(self) -> service_pb2.SyncRequest:
        """The first message of a stream."""
        return service_pb2.SyncRequest(
            hello=service_pb2.Hello(store_id=self.store_id, queue_id=self.queue_id, expected_principal=self.principal)
        )


def submit_message(*attempts: operation_pb2.OperationAttempt) -> service_pb2.SyncRequest:
    """A later message of a stream."""
    return service_pb2.SyncRequest(submit=service_pb2.Submit(attempts=attempts))


def steps_in(steps: Iterable[Step]) -> Iterable[Step]:
    """Every step, those that happen beside a stream included."""
    for step in steps:
        yield step
        for message in step.get("messages", ()):
            if "meanwhile" in message:
                yield from steps_in([message["meanwhile"]])


def entries_in(steps: Iterable[Step]) -> Iterable[Entry]:
    """Every message in some steps."""
    for step in steps_in(steps):
        for told in (step, *step.get("messages", ())):
            for key in ("request", "response", "message"):
                if key in told:
                    yield told[key]
            if "details" in told.get("status", {}):
                yield told["status"]["details"]
