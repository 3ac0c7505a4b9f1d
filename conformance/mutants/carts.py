"""What operations do to carts, guards and revisions."""

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


class _GuardTripsOnItself(CartRules):
    def line_changed(self, case: LineCase) -> Refused | None:
        changed_at = case.line.last_change_revision
        others = replace(case.line, last_change_queue_id="", last_change_revision=changed_at)
        return super().line_changed(replace(case, line=others))


class _GuardTripsOnItsOwnRevision(CartRules):
    """A change at the guard's revision trips it."""

    def line_changed(self, case: LineCase) -> Refused | None:
        if case.kind == "add_item" or not case.intent.HasField("unless_changed_since"):
            return None
        line = replace(
            case.line,
            last_change_revision=case.line.last_change_revision + 1,
            other_change_revision=case.line.other_change_revision + 1 if case.line.other_change_revision else 0,
        )
        return super().line_changed(replace(case, line=line)) if case.line.last_change_revision else None


class _GuardWatchesCart(CartRules):
    """Any change of the cart trips the guard of any of its lines."""

    def line_changed(self, case: LineCase) -> Refused | None:
        if case.cart is None or case.line.last_change_queue_id in ("", case.queue_id):
            revision = case.cart.revision if case.cart is not None else 0
            line = replace(case.line, last_change_revision=revision, last_change_queue_id="")
            return super().line_changed(replace(case, line=line))
        return super().line_changed(case)


class _GuardForgotten(CartRules):
    def line_changed(self, case: LineCase) -> Refused | None:
        return None


class _GuardForgetsEmptyLines(CartRules):
    """A line that somebody emptied counts as never changed."""

    def line_changed(self, case: LineCase) -> Refused | None:
        return None if case.line.quantity == 0 else super().line_changed(case)


class _Outcomes(Decider):
    """Changes what is said of a final outcome, after it was made."""

    def outcome(self, case: Case, answer: Answer, cart: CartHead | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, cart, decide_time_us)
        self.retouch(outcome, cart)
        return outcome

    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        """Change it in place; `cart` is what it was judged at."""


class _SaysBeforeIsNothing(_Outcomes):
    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.HasField("line_change"):
            result.outcome.line_change.quantity_before = 0
        return result


class _NoLineChangeWithoutChange(_Outcomes):
    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        if not outcome.changed:
            outcome.ClearField("line_change")


class _AlwaysChanged(Decider):
    """Calls every applied operation a change."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.HasField("line_change"):
            result.outcome.changed = True
        return result


class _RevisionRepeats(_Outcomes):
    """A decrease is no new revision."""

    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        change = outcome.line_change
        if cart is not None and change.quantity_after < change.quantity_before:
            outcome.revision = cart.revision


class _RevisionStartsOver(_Outcomes):
    """An emptied line takes its revisions with it."""

    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        if cart is not None and outcome.changed and outcome.line_change.quantity_after == 0:
            outcome.revision = 1


class _RejectedAtNothing(_Outcomes):
    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        if outcome.HasField("refusal"):
            outcome.revision = 0


class _ChangeAtOldRevision(Decider):
    """A change carries the revision that the cart had before it."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.changed:
            result.outcome.revision -= 1
        return result


class _JudgesAhead(_Outcomes):
    """What changes nothing is told the revision that the next change will have."""

    def retouch(self, outcome: outcome_pb2.Outcome, cart: CartHead | None) -> None:
        if cart is not None and not outcome.changed:
            outcome.revision += 1


class _AnythingMakesTheCart(SqliteStore):
    """Whatever is decided on a cart that is not there leaves an empty one behind."""

    async def commit(self, changes: Changes) -> bool:
        made = {
            cart_id: CartHead(revision=1, currency_code="EUR", update_time_us=changes.contact_time_us)
            for cart_id, head in changes.expected_carts.items()
            if head is None and cart_id not in changes.carts and changes.records
        }
        return await super().commit(replace(changes, carts={**changes.carts, **made}))


class _MovesWithoutChange(SqliteStore):
    """A cart that was looked at gets a new revision, changed or not."""

    async def commit(self, changes: Changes) -> bool:
        looked_at = {
            cart_id: replace(head, revision=head.revision + 1)
            for cart_id, head in changes.expected_carts.items()
            if head is not None and cart_id not in changes.carts
        }
        return await super().commit(replace(changes, carts={**changes.carts, **looked_at}))


class _TimeRunsBackwards(Decider):
    def decide_time_us(self, case: Case, cart: CartHead | None) -> int:
        revision = 0 if cart is None else cart.revision
        return super().decide_time_us(case, None) - revision * 3_600_000_000


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
    Mutant(
        "guard-trips-on-own-queue",
        "Refuses an edit because of the queue's own edit before it.",
        ("guard/own-queue",),
        "decider",
        judged_by(_GuardTripsOnItself),
    ),
    Mutant(
        "guard-one-too-far",
        "Refuses an edit because of a change at the guard's own revision.",
        ("guard/own-queue",),
        "decider",
        judged_by(_GuardTripsOnItsOwnRevision),
    ),
    Mutant(
        "guard-watches-the-cart",
        "Refuses an edit because of a change of another line.",
        ("guard/own-queue",),
        "decider",
        judged_by(_GuardWatchesCart),
    ),
    Mutant(
        "guard-forgotten",
        "Applies a guarded edit whatever others have done to the line.",
        ("guard/refuses",),
        "decider",
        judged_by(_GuardForgotten),
    ),
    Mutant(
        "guard-forgets-removals",
        "Does not count the removal of a line as a change of it.",
        ("guard/refuses",),
        "decider",
        judged_by(_GuardForgetsEmptyLines),
    ),
    Mutant(
        "quantity-before-missing",
        "Says of every change that the line was empty before.",
        ("cart/line-change",),
        "decider",
        _SaysBeforeIsNothing,
    ),
    Mutant(
        "no-line-change-without-change",
        "Leaves line_change out when nothing changed.",
        ("cart/line-change",),
        "decider",
        _NoLineChangeWithoutChange,
    ),
    Mutant(
        "always-changed",
        "Calls every applied operation a change.",
        ("cart/changed-flag", "cart/remove-missing"),
        "decider",
        _AlwaysChanged,
    ),
    Mutant(
        "revision-repeats",
        "Gives a cart no new revision when a line is decreased.",
        ("revision/increases",),
        "decider",
        _RevisionRepeats,
    ),
    Mutant(
        "revision-starts-over",
        "Counts revisions from 1 again when a line is emptied.",
        ("revision/increases",),
        "decider",
        _RevisionStartsOver,
    ),
    Mutant(
        "revision-moves-without-change",
        "Gives a cart a new revision for operations that did not change it.",
        ("revision/unchanged",),
        "open_store",
        stored_in(_MovesWithoutChange),
    ),
    Mutant(
        "rejected-at-revision-nothing",
        "Does not say at which revision it rejected.",
        ("revision/judged-at",),
        "decider",
        _RejectedAtNothing,
    ),
    Mutant(
        "judged-at-the-next-revision",
        "Says of what changed nothing that it was judged at the revision of the next change.",
        ("revision/replayable", "revision/judged-at"),
        "decider",
        _JudgesAhead,
    ),
    Mutant(
        "change-at-the-old-revision",
        "Answers a change with the revision the cart had before it.",
        ("revision/judged-at", "revision/increases", "revision/replayable"),
        "decider",
        _ChangeAtOldRevision,
    ),
    Mutant(
        "decide-time-runs-backwards",
        "Dates later changes of a cart before earlier ones.",
        ("revision/decide-time",),
        "decider",
        _TimeRunsBackwards,
    ),
)
