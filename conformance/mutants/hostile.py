"""Servers that hostile clients get the better of."""

from __future__ import annotations

import html
import os
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from cartsync.v1 import cart_pb2, operation_pb2, policy_pb2
from google.protobuf.message import DecodeError

from conformance.mutants.mutant import Mutant
from reference_server.config import Config
from reference_server.engine.offers import OfferLookup
from reference_server.engine.policy import Policy
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CartContents
from reference_server.parts import policy_of
from reference_server.service.call_limits import CallLimits
from reference_server.service.calls import CallGuard
from reference_server.service.submissions import QueueAddress, Submissions
from reference_server.settlement import Settled, Settlement

_Attempts = Sequence[operation_pb2.OperationAttempt]
_ZERO_WIDTHS = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u202e\u202c"))


class _Reading(CallGuard):
    """A guard whose messages are read otherwise."""

    def read(self, deserialize: Callable[[bytes], Any], data: bytes) -> Any:
        """The message of these bytes; may raise DecodeError."""
        return deserialize(data)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        async def found(details: grpc.HandlerCallDetails) -> Any:
            handler = await continuation(details)
            if handler is None:
                return None
            deserialize = handler.request_deserializer
            return handler._replace(request_deserializer=lambda data: self.read(deserialize, data))

        return await super().intercept_service(found, handler_call_details)


class _AsFarAsItGoes(_Reading):
    """Takes what can be read of a message up to where it breaks off."""

    def read(self, deserialize: Callable[[bytes], Any], data: bytes) -> Any:
        for end in range(len(data), 0, -1):
            try:
                return deserialize(data[:end])
            except DecodeError:
                continue
        return deserialize(b"")


class _DiesOfIt(_Reading):
    """Dies at a message that cannot be read."""

    def read(self, deserialize: Callable[[bytes], Any], data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            os._exit(70)


class _TakesMoreThanItSays(Policy):
    """The policy says less than what is taken, and decided."""

    def message(self) -> policy_pb2.SyncPolicy:
        message = super().message()
        message.max_operation_bytes, message.max_submission_bytes = 32_768, 1_048_576
        return message


def _without_bounds(config: Config) -> Policy:
    profiles = policy_of(config).profiles
    return _TakesMoreThanItSays(profiles=profiles, max_operation_bytes=1 << 27, max_submission_bytes=1 << 27)


class _Tidies(Submissions):
    """Changes the texts of operations before they are decided."""

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        tidied = []
        for attempt in attempts:
            copy = operation_pb2.OperationAttempt()
            copy.CopyFrom(attempt)
            kind = copy.operation.WhichOneof("intent")
            intent = getattr(copy.operation, kind) if kind else None
            if intent is not None and hasattr(intent, "sku"):
                intent.sku = self.tidy(intent.sku)
            address = copy.operation.put_address.address
            if kind == "put_address":
                address.recipient = self.tidy(address.recipient)
            tidied.append(copy)
        return await super().settle(principal, queue_id, tidied, store_id, prefix)

    def tidy(self, text: str) -> str:
        """The text as this server likes it."""
        raise AssertionError(text)


class _Normalises(_Tidies):
    def tidy(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)


class _Strips(_Tidies):
    def tidy(self, text: str) -> str:
        return text.translate(_ZERO_WIDTHS)


class _Escapes(CartPricing):
    """Escapes the SKUs it shows, as for a page."""

    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        cart = super().snapshot(cart_id, contents, offers, now_us)
        for line in cart.lines:
            line.sku = html.escape(line.sku)
        return cart


class _OneForAll(CallLimits):
    """Counts everybody's calls together."""

    def counted_as(self, principal: str) -> str:  # noqa: ARG002
        return "everybody"


def _one_for_all(_: Config) -> CallLimits:
    return _OneForAll(100, 100)


class _BelievesTheRequest(Submissions):
    """Takes the principal that a submission expects for the one that sent it."""

    def __init__(self, settlement: Settlement, policy: Policy) -> None:
        super().__init__(settlement, policy)
        self._claimed: dict[tuple[str, str], str] = {}

    def check_queue(self, principal: str, request: QueueAddress, prefix: str = "") -> None:
        if request.expected_principal:
            self._claimed[principal, request.queue_id] = request.expected_principal
        super().check_queue(request.expected_principal, request, prefix)

    async def settle(
        self, principal: str, queue_id: str, attempts: _Attempts, store_id: str, prefix: str = ""
    ) -> Settled:
        claimed = self._claimed.get((principal, queue_id), principal)
        return await super().settle(claimed, queue_id, attempts, store_id, prefix)


MUTANTS = (
    Mutant(
        "takes-what-it-can-read",
        "Processes what can be read of a request up to where it breaks off.",
        ("security/malformed-frame",),
        "guard",
        _AsFarAsItGoes,
    ),
    Mutant(
        "dies-of-a-bad-frame",
        "Dies at a request that is no message of its type.",
        ("security/malformed-frame", "security/still-there"),
        "guard",
        _DiesOfIt,
    ),
    Mutant(
        "takes-any-size",
        "Decides operations far larger than its policy says.",
        ("security/oversized-frame", "deciding/too-large", "policy/limit-floors"),
        "policy",
        _without_bounds,
    ),
    Mutant(
        "normalises-texts",
        "Brings texts into a normal form of Unicode before it decides.",
        ("security/hostile-text", "address/text-exact"),
        "submissions",
        _Normalises,
    ),
    Mutant(
        "strips-invisible-characters",
        "Takes invisible characters out of texts before it decides.",
        ("security/hostile-text", "address/text-exact"),
        "submissions",
        _Strips,
    ),
    Mutant(
        "escapes-markup",
        "Escapes SKUs in what it shows, as if it were a page.",
        ("security/hostile-text", "snapshot/content"),
        "pricing",
        _Escapes,
    ),
    Mutant(
        "one-limit-of-calls-for-all",
        "Counts the calls in work of all principals together.",
        ("security/flood",),
        "call_limits",
        _one_for_all,
    ),
    Mutant(
        "believes-the-expected-principal",
        "Takes the principal that a submission expects for the one that sent it.",
        ("security/still-there", "identity/expected-principal", "identity/principal-isolation"),
        "submissions",
        _BelievesTheRequest,
    ),
)
