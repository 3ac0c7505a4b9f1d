"""What operations do to carts."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cartsync.v1 import outcome_pb2

from conformance.mutants.mutant import Mutant, judged_by, stored_in
from reference_server.engine.cart_rules import CartRules, LineCase, LineOutcome
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.state import CartHead, Changes
from reference_server.storage.sqlite import SqliteStore


class _CollapsesAdds(Decider):
    """An add that says the same as the add before it is taken for a repetition, whatever its key."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._last: dict[tuple[str, str], bytes] = {}

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        if case.kind == "add_item" and isinstance(answer, LineOutcome):
            queue = case.situation.principal, case.situation.queue_id
            said = case.intent.SerializeToString(deterministic=True)
            if self._last.get(queue) == said:
                return replace(answer, quantity_after=answer.quantity_before)
            self._last[queue] = said
        return answer


class _AddSets(CartRules):
    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        return int(intent.quantity) if kind == "add_item" else super().wanted(kind, intent, quantity_before)


class _SetAdds(CartRules):
    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        wanted = super().wanted(kind, intent, quantity_before)
        return quantity_before + wanted if kind == "set_quantity" else wanted


class _RemovesOne(CartRules):
    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        if kind == "remove_item":
            return max(0, quantity_before - 1)
        return super().wanted(kind, intent, quantity_before)


class _AdjustsOnlyWhatIsThere(CartRules):
    """An adjustment does not bring a line into the cart."""

    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        if kind == "adjust_quantity" and quantity_before == 0:
            return 0
        return super().wanted(kind, intent, quantity_before)


class _FloorsSilently(CartRules):
    def quantity_floored(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        return None


class _FloorsAtOne(CartRules):
    """A decrease leaves at least one in the line."""

    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        wanted = super().wanted(kind, intent, quantity_before)
        return max(1, wanted) if kind == "adjust_quantity" and quantity_before > 0 else wanted


class _MissingLinesRefused(CartRules):
    def cart_not_found(self, case: LineCase) -> Refused | None:
        if case.kind == "remove_item" and case.cart is None:
            return super().cart_not_found(replace(case, kind="set_quantity"))
        return super().cart_not_found(case)


class _SetMakesCarts(CartRules):
    def cart_not_found(self, case: LineCase) -> Refused | None:
        return None if case.kind == "set_quantity" else super().cart_not_found(case)


class _RemovesFromClosed(CartRules):
    def cart_closed(self, case: LineCase) -> Refused | None:
        return None if case.kind == "remove_item" else super().cart_closed(case)


class _AnythingMakesTheCart(SqliteStore):
    """Whatever is decided on a cart that is not there leaves an empty one behind."""

    async def commit(self, changes: Changes) -> bool:
        made = {
            cart_id: CartHead(revision=1, currency_code="EUR", update_time_us=changes.contact_time_us)
            for cart_id, head in changes.expected_carts.items()
            if head is None and cart_id not in changes.carts and changes.records
        }
        return await super().commit(replace(changes, carts={**changes.carts, **made}))


class _CartOfTheQueue(Decider):
    """Looks at what its own queue has put into the cart, and at nothing else."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._makers: dict[tuple[str, str], str] = {}

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        name = case.situation.principal, case.intent.cart_id
        mine = self._makers.setdefault(name, case.situation.queue_id) == case.situation.queue_id
        if isinstance(answer, LineOutcome) and not mine:
            return replace(answer, quantity_after=answer.quantity_before)
        return answer


MUTANTS = (
    Mutant(
        "collapses-two-adds",
        "Takes a second add of the same product and quantity for a repetition of the first.",
        ("cart/add-adds",),
        "decider",
        _CollapsesAdds,
    ),
    Mutant(
        "add-sets",
        "Sets a line to what is added.",
        ("cart/add-adds",),
        "decider",
        judged_by(_AddSets),
    ),
    Mutant("set-adds", "Adds what a line is set to.", ("cart/set-sets",), "decider", judged_by(_SetAdds)),
    Mutant(
        "removes-one",
        "Takes one out of a line that is to be removed.",
        ("cart/remove-removes",),
        "decider",
        judged_by(_RemovesOne),
    ),
    Mutant(
        "adjusts-only-what-is-there",
        "Ignores an adjustment of a line that is not in the cart.",
        ("cart/adjust-moves",),
        "decider",
        judged_by(_AdjustsOnlyWhatIsThere),
    ),
    Mutant(
        "floors-silently",
        "Does not say that a decrease ended at 0 before it was done.",
        ("cart/adjust-floors",),
        "decider",
        judged_by(_FloorsSilently),
    ),
    Mutant(
        "floors-at-one",
        "Leaves one in a line that is decreased to nothing.",
        ("cart/adjust-moves", "cart/adjust-floors"),
        "decider",
        judged_by(_FloorsAtOne),
    ),
    Mutant(
        "removal-needs-a-cart",
        "Rejects a removal from a cart that is not there.",
        ("cart/remove-missing",),
        "decider",
        judged_by(_MissingLinesRefused),
    ),
    Mutant(
        "anything-makes-a-cart",
        "Makes an empty cart for whatever is decided on one that is not there.",
        ("cart/made-by-first-add",),
        "open_store",
        stored_in(_AnythingMakesTheCart),
    ),
    Mutant(
        "set-makes-a-cart",
        "Makes a cart for a set of a quantity.",
        ("cart/missing-cart", "cart/made-by-first-add"),
        "decider",
        judged_by(_SetMakesCarts),
    ),
    Mutant(
        "removes-from-closed-carts",
        "Removes lines of a closed cart.",
        ("cart/closed",),
        "decider",
        judged_by(_RemovesFromClosed),
    ),
    Mutant(
        "second-queue-has-no-effect",
        "Answers operations of a second queue on a cart, and does nothing.",
        ("cart/shared", "effects/concurrent-queues", "cart/add-adds"),
        "decider",
        _CartOfTheQueue,
    ),
)
