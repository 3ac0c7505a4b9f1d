"""Servers that merge what two devices did by something else than the order in which it was decided."""

from __future__ import annotations

from typing import Any

from cartsync.v1 import operation_pb2

from conformance.mutants.mutant import Mutant, judged_by
from reference_server.engine.cart_rules import CartRules, LineCase, LineOutcome
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.state import CartHead, Line


class _TakesTheMaximum(CartRules):
    """An add to a line that another queue changed last leaves the larger of the two, not their sum."""

    def line_case(self, kind: str, intent: Any, queue_id: str, cart: CartHead | None, line: Line) -> LineCase:
        case = super().line_case(kind, intent, queue_id, cart, line)
        if kind == "add_item" and line.quantity and line.last_change_queue_id != queue_id:
            return LineCase(kind, intent, queue_id, cart, line, max(line.quantity, int(intent.quantity)))
        return case


class _AdjustsItsOwn(CartRules):
    """An adjustment up of a line that another queue changed last is forgotten."""

    def line_case(self, kind: str, intent: Any, queue_id: str, cart: CartHead | None, line: Line) -> LineCase:
        case = super().line_case(kind, intent, queue_id, cart, line)
        foreign = line.last_change_queue_id not in ("", queue_id)
        if kind == "adjust_quantity" and foreign and line.quantity and intent.delta > 0:
            return LineCase(kind, intent, queue_id, cart, line, line.quantity)
        return case


class _ByTheDevicesClock(Decider):
    """Remembers when shoppers acted, by their devices' clocks; what acted earlier loses."""

    REMEMBERED: tuple[str, ...] = ()  # intents whose enqueue time later ones are held against
    HELD_AGAINST: tuple[str, ...] = ()  # intents that lose when they were enqueued earlier

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._acted: dict[tuple[str, str, str], tuple[int, int]] = {}

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        if not isinstance(answer, LineOutcome):
            return answer
        line = case.situation.principal, case.intent.cart_id, case.intent.sku
        acted = _enqueued(case.operation)
        if case.kind in self.HELD_AGAINST and acted < self._acted.get(line, acted):
            before = answer.quantity_before
            return LineOutcome(before, before, answer.currency_code)
        if case.kind in self.REMEMBERED:
            self._acted[line] = acted
        return answer


class _RemovalOutlivesEarlierWishes(_ByTheDevicesClock):
    REMEMBERED = ("remove_item",)
    HELD_AGAINST = ("add_item",)


class _LatestTapWins(_ByTheDevicesClock):
    REMEMBERED = ("set_quantity",)
    HELD_AGAINST = ("set_quantity",)


class _RemovalSparesOthers(CartRules):
    """A removal takes out a line only when its own queue changed it last; else it leaves one."""

    def line_case(self, kind: str, intent: Any, queue_id: str, cart: CartHead | None, line: Line) -> LineCase:
        case = super().line_case(kind, intent, queue_id, cart, line)
        if kind == "remove_item" and line.quantity and line.last_change_queue_id not in ("", queue_id):
            return LineCase(kind, intent, queue_id, cart, line, 1)
        return case


class _GuardHoldsForOne(CartRules):
    """A guard trips at the second change after it, not at the first."""

    def line_changed(self, case: LineCase) -> Refused | None:
        refused = super().line_changed(case)
        if refused is None or case.cart is None:
            return refused
        return refused if case.cart.revision > case.intent.unless_changed_since + 1 else None


def _enqueued(operation: operation_pb2.CartOperation) -> tuple[int, int]:
    return operation.enqueue_time.seconds, operation.enqueue_time.nanos


MUTANTS = (
    Mutant(
        "merges-adds-by-maximum",
        "Leaves the larger of two devices' adds to a line, not their sum.",
        ("merge/adds-sum", "cart/add-adds", "cart/shared", "effects/concurrent-queues"),
        "decider",
        judged_by(_TakesTheMaximum),
    ),
    Mutant(
        "adjusts-own-lines-only",
        "Forgets an adjustment up of a line that another device changed last.",
        ("merge/adds-sum", "cart/adjust-moves", "effects/concurrent-queues"),
        "decider",
        judged_by(_AdjustsItsOwn),
    ),
    Mutant(
        "removal-hides-earlier-wishes",
        "Ignores an add that the shopper wanted before a removal that was decided first.",
        ("merge/remove-spares-later-add", "cart/remove-removes", "deciding/payload-by-meaning"),
        "decider",
        _RemovalOutlivesEarlierWishes,
    ),
    Mutant(
        "removal-spares-other-devices",
        "Leaves one of a line in the cart that another device changed last.",
        ("merge/remove-spares-later-add", "cart/remove-removes"),
        "decider",
        judged_by(_RemovalSparesOthers),
    ),
    Mutant(
        "latest-tap-wins",
        "Of two sets lets the one that was enqueued last by the devices' clocks stand.",
        ("merge/last-set-wins", "cart/set-sets"),
        "decider",
        _LatestTapWins,
    ),
    Mutant(
        "guard-trips-at-the-second-change",
        "Lets a guarded operation pass when another queue changed the cart once since.",
        ("merge/guard-loses-to-other-queue", "guard/refuses"),
        "decider",
        judged_by(_GuardHoldsForOne),
    ),
)
