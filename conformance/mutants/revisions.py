"""What was seen of a change: guards, revisions, and what an outcome says of its line."""


# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import outcome_pb2

from conformance.mutants.mutant import Mutant, judged_by, stored_in
from reference_server.engine.cart_rules import CartRules, LineCase
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Refused
from reference_server.engine.state import Changes, CollectionHead, Head
from reference_server.storage.sqlite import SqliteStore


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
    """Changes what is said of a final outcome on a cart, after it was made."""

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if not isinstance(head, CollectionHead):
            self.retouch(outcome, head)
        return outcome

    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
        """Change it in place; `head` is what it was judged at."""


class _SaysBeforeIsNothing(_Outcomes):
    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.HasField("line_change"):
            result.outcome.line_change.quantity_before = 0
        return result


class _NoLineChangeWithoutChange(_Outcomes):
    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
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

    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
        change = outcome.line_change
        if head is not None and change.quantity_after < change.quantity_before:
            outcome.revision = head.revision


class _RevisionStartsOver(_Outcomes):
    """An emptied line takes its revisions with it."""

    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
        if (
            head is not None
            and outcome.changed
            and outcome.HasField("line_change")
            and outcome.line_change.quantity_after == 0
        ):
            outcome.revision = 1


class _RejectedAtNothing(_Outcomes):
    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
        if outcome.HasField("refusal"):
            outcome.revision = 0


class _ChangeAtOldRevision(Decider):
    """A change carries the revision that the cart had before it."""

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        result = super().take(case, answer)
        if result.outcome.changed and result.outcome.HasField("line_change"):
            result.outcome.revision -= 1
        return result


class _JudgesAhead(_Outcomes):
    """What changes nothing is told the revision that the next change will have."""

    def retouch(self, outcome: outcome_pb2.Outcome, head: Head | None) -> None:
        if head is not None and not outcome.changed:
            outcome.revision += 1


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
    def decide_time_us(self, case: Case, head: Head | None) -> int:
        if isinstance(head, CollectionHead):
            return super().decide_time_us(case, head)
        revision = 0 if head is None else head.revision
        return super().decide_time_us(case, None) - revision * 3_600_000_000


MUTANTS = (
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
