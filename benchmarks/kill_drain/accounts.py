"""The accounts of what happened, and comparing each of them with the oracle, operation by operation.

The oracle shares no code with the server. Here it needs no `Judge`, which follows many possible worlds at once: all was
decided once and in the order of the queue, so there is one world, and it is followed step by step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import outcome_pb2, policy_pb2, service_pb2

from benchmarks.kill_drain.processes import Processes
from benchmarks.kill_drain.shopping import CARTS, OFFERS, PRINCIPAL, Written
from conformance.oracle import matching, reading, translation
from conformance.oracle.attribution import Context
from conformance.oracle.deciding import step
from conformance.oracle.observations import ObservedEffect, ObservedResult
from conformance.oracle.values import Attempt, Operation
from conformance.oracle.world import Outcome, Shop, World, initial
from conformance.oracle.worlds import Mismatch, Moment
from reference_client.queue.rows import OperationRecord

_RANGE = 100  # sequences in one look-up
_NOTHING_SPECIAL = Context()


@dataclass(frozen=True, slots=True)
class Accounts:
    """What each side says in the end."""

    queue_id: str
    told: Sequence[OperationRecord]
    """What the client knows of its operations."""
    shown: dict[str, dict[str, int]]
    """The carts as the client shows them: quantity by SKU."""
    recorded: Sequence[service_pb2.LookupOutcomesResponse]
    """What the server has recorded, in ranges that ascend from 1."""
    effects: Sequence[control_pb2.Effect]
    carts: Sequence[service_pb2.GetCartResponse]
    queue_count: int
    """How many queues the client has had."""


def collect(processes: Processes, queue_id: str, count: int) -> Accounts:
    """Asks both sides, when a queue of `count` operations is drained."""
    with processes.device() as device:
        told = device.operations(queue_id)
        queue_count = len(device.queues.queues())
        shown = {cart: {line.sku: line.quantity for line in device.view(cart).lines} for cart in CARTS}
    with processes.public_stub() as stub:
        recorded = [
            stub.LookupOutcomes(
                service_pb2.LookupOutcomesRequest(
                    queue_id=queue_id, first_sequence=first, last_sequence=min(count, first + _RANGE - 1)
                ),
                metadata=processes.metadata(),
            )
            for first in range(1, count + 1, _RANGE)
        ]
        carts = [
            stub.GetCart(service_pb2.GetCartRequest(cart_id=cart, queue_id=queue_id), metadata=processes.metadata())
            for cart in CARTS
        ]
    with processes.control_stub() as control:
        effects = control.ListEffects(control_pb2.ListEffectsRequest(principal=PRINCIPAL)).effects
    return Accounts(queue_id, told, shown, recorded, list(effects), carts, queue_count)


def differences(written: Sequence[Written], policy: policy_pb2.SyncPolicy, accounts: Accounts) -> Iterator[str]:
    """Everything in which an account differs from the oracle's; nothing when all is well."""
    yield from _whole(written, accounts)
    shop = Shop(translation.limits(policy), tuple(sorted(OFFERS.items())))
    told = {operation.sequence: operation.outcome for operation in accounts.told if operation.outcome is not None}
    recorded = {status.sequence: status.outcome for part in accounts.recorded for status in part.statuses}
    effects: defaultdict[int, list[ObservedEffect]] = defaultdict(list)
    for effect in accounts.effects:
        effects[effect.sequence].append(translation.effect(effect))
    world, previous_key = initial(), ""
    for intent in written:
        operation = Operation(intent.key, intent.sequence, previous_key, intent.intent)
        previous_key = intent.key
        place = f"operation {operation.sequence}"
        answers = [told.get(operation.sequence), recorded.get(operation.sequence)]
        found, expected, world = _answers(world, shop, accounts.queue_id, operation, answers)
        yield from (f"{place}: {text}" for text in found)
        made = [(effect.queue, effect.key, effect.cart, effect.touch) for effect in effects[operation.sequence]]
        changed = expected.place.cart if expected.place is not None and expected.changed else None
        should = [(accounts.queue_id, operation.key, changed, expected.line)] if changed is not None else []
        if made != should:
            yield f"{place}: the ledger lists {len(made)} effects {made}, the oracle's are {should}"
    yield from _final(world, shop, accounts)


def _whole(written: Sequence[Written], accounts: Accounts) -> Iterator[str]:
    """That there is one account of each operation, no more and no less."""
    count = len(written)
    if accounts.queue_count != 1:
        yield f"the client has {accounts.queue_count} queues, not one"
    if [operation.key for operation in accounts.told] != [intent.key for intent in written]:
        yield "the client lists other operations than were written down"
    decided = sum(
        status.decidedness == service_pb2.DECIDEDNESS_DECIDED for part in accounts.recorded for status in part.statuses
    )
    watermarks = {part.queue.decided_through_sequence for part in accounts.recorded}
    if decided != count or watermarks != {count}:
        yield f"{count} intents were written down, {decided} are decided, the watermark is {sorted(watermarks)}"
    if beyond := {effect.sequence for effect in accounts.effects} - {intent.sequence for intent in written}:
        yield f"the ledger lists effects of operations that were never written down: {sorted(beyond)}"


def _answers(
    world: World, shop: Shop, queue_id: str, operation: Operation, answers: Sequence[outcome_pb2.Outcome | None]
) -> tuple[list[str], Outcome, World]:
    """What is wrong with what the client was told and the server has recorded, the right outcome, the world after."""
    attempt = Attempt(operation)
    ((answer, after),) = step(world, shop, queue_id, attempt)  # one: nothing here leaves a server a choice
    wrong: list[str] = []
    known = after
    for name, message in zip(("the client was told", "the server has recorded"), answers, strict=True):
        if message is None or not message.state:
            wrong.append(f"{name} no outcome, the oracle's is {answer}")
            continue
        observed = ObservedResult(translation.outcome(message), replayed=False)
        matched = matching.result(shop, _NOTHING_SPECIAL, Moment(world, after, queue_id, attempt, answer, observed))
        if isinstance(matched, Mismatch):
            wrong.append(f"{name} {observed}, the oracle's is {answer} ({matched.summary})")
        else:
            known = matched
    if not wrong and answers[0] != answers[1]:
        wrong.append("the client was told otherwise than the server has recorded")
    return wrong, answer.outcome, known


def _final(world: World, shop: Shop, accounts: Accounts) -> Iterator[str]:
    """That the carts are the oracle's, with their revisions, totals and watermark, and the ledger in its order."""
    for answer in accounts.carts:
        cart_id = answer.cart.cart_id
        observed = translation.snapshot(answer)
        matched = reading.cart(shop, _NOTHING_SPECIAL, world, accounts.queue_id, observed)
        if isinstance(matched, Mismatch):
            yield f"{matched.summary}: {matched.observed}, the oracle's is {matched.expected}"
        else:
            world = matched
        if accounts.shown.get(cart_id) != dict(world.cart(cart_id).lines):
            yield f"the client shows cart {cart_id} otherwise than the oracle"
    ledger = reading.ledger(_NOTHING_SPECIAL, world, [translation.effect(effect) for effect in accounts.effects])
    if isinstance(ledger, Mismatch):
        yield ledger.summary
