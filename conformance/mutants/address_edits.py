"""How edits of addresses are merged, and what is reported of it."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import outcome_pb2

from conformance.mutants.addresses import ruled_by
from conformance.mutants.mutant import Mutant
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.kept_address import KeptAddress, KeptField, Value, message_of, value_of
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse


class _LastEditWins(AddressRules):
    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        return False


class _KeepsWholeAddresses(AddressRules):
    """When another queue changed any field since, all that the edit names is kept."""

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        if case.base_revision is None or case.address is None:
            return False
        return case.address.changed_by_others(case.change.queue_id) > case.base_revision


class _ComparesValues(AddressRules):
    """Takes a field for unchanged that has the value it had at the base revision."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._past: dict[str, list[tuple[int, KeptAddress]]] = {}

    def put(self, case: AddressCase) -> EntryOutcome:
        outcome = super().put(case)
        if outcome.changed and outcome.value is not None:
            past = self._past.setdefault(case.intent.address_id, [])
            past.append((case.change.revision, KeptAddress.decoded(outcome.value)))
        return outcome

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        if not super().is_kept(case, field) or case.address is None or not case.base_revision:
            return super().is_kept(case, field)
        seen = [kept for revision, kept in self._past[case.intent.address_id] if revision <= case.base_revision]
        names = [name for name, kept in case.address.fields.items() if kept is field]
        return not seen or seen[-1].fields[names[0]].value != field.value


class _OwnEditHides(AddressRules):
    """An edit by the queue itself makes it forget what others did to the field before."""

    def written(self, case: AddressCase, field: KeptField, wanted: Value) -> KeptField:
        return replace(super().written(case, field, wanted), other_change_revision=0)


class _LinesOneByOne(AddressRules):
    """Merges address lines line by line: what another queue wrote there, then what this one adds."""

    def put(self, case: AddressCase) -> EntryOutcome:
        outcome = super().put(case)
        before = None if case.address is None else case.address.fields["address_lines"]
        if before is None or "address_lines" not in case.masked or not self.is_kept(case, before):
            return outcome
        wanted = value_of(case.intent.address, "address_lines")
        more = tuple(line for line in wanted if line not in before.value)
        if not more or outcome.value is None:
            return outcome
        fields = dict(KeptAddress.decoded(outcome.value).fields)
        fields["address_lines"] = self.written(case, before, (*before.value, *more))
        return EntryOutcome(KeptAddress(fields).encoded(), True, outcome.adjustments)


class _KeepsSilently(AddressRules):
    def field_kept(self, name: str, field: KeptField, wanted: Value) -> outcome_pb2.Adjustment | None:
        return None


class _ReportsTheWanted(AddressRules):
    """Reports with a kept field the value that was wanted."""

    def field_kept(self, name: str, field: KeptField, wanted: Value) -> outcome_pb2.Adjustment | None:
        adjustment = super().field_kept(name, field, wanted)
        if adjustment is not None:
            adjustment.field_kept.kept.CopyFrom(message_of({name: wanted}))
        return adjustment


class _ReportsAlike(AddressRules):
    """Reports a field as kept that both queues wanted alike."""

    def field_kept(self, name: str, field: KeptField, wanted: Value) -> outcome_pb2.Adjustment | None:
        kept = outcome_pb2.FieldKept(field=name, kept=message_of({name: field.value}))
        return outcome_pb2.Adjustment(field_kept=kept)


class _ReportsOnce(AddressRules):
    """Reports the first of the kept fields, and not the others."""

    def put(self, case: AddressCase) -> EntryOutcome:
        outcome = super().put(case)
        return replace(outcome, adjustments=outcome.adjustments[:1])


class _ShowsTheWhole(AddressRules):
    """Reports with a kept field the whole address as it is there."""

    def put(self, case: AddressCase) -> EntryOutcome:
        outcome = super().put(case)
        if case.address is not None:
            for adjustment in outcome.adjustments:
                adjustment.field_kept.kept.CopyFrom(case.address.message())
        return outcome


class _OwnEditsCount(AddressRules):
    """Keeps a field that anybody changed after the base revision, the queue itself included."""

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        return case.base_revision is not None and field.last_change_revision > case.base_revision


class _BaseIsAfter(AddressRules):
    """Keeps a field that changed at the base revision itself."""

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        changed_at = field.changed_by_others(case.change.queue_id)
        return case.base_revision is not None and changed_at > 0 and changed_at >= case.base_revision


class _OwnEditsStopDeletions(AddressRules):
    """Refuses a deletion for what the queue itself changed since."""

    def address_changed(self, case: AddressCase) -> Refused | None:
        if case.address is None or case.base_revision is None:
            return None
        if max(field.last_change_revision for field in case.address.fields.values()) <= case.base_revision:
            return None
        return refuse(Reason.REASON_ADDRESS_CHANGED, "the address has changed since")


class _BookStopsDeletions(Decider):
    """Refuses a deletion when anything in the book has changed since."""

    def address_rules(self, case: Case) -> Answer | None:
        intent = case.intent
        if (
            case.kind == "delete_address"
            and intent.HasField("base_revision")
            and case.working.entry(("address_book", intent.address_id))
        ):
            head = self.head(case)
            if head is not None and head.revision > intent.base_revision:
                return refuse(Reason.REASON_ADDRESS_CHANGED, "the address book has changed since")
        return super().address_rules(case)


class _AbsentIsZero(AddressRules):
    """Takes an edit without a base revision for one that knew of nothing."""

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        return field.changed_by_others(case.change.queue_id) > (case.base_revision or 0)


class _AbsentIsZeroForDeletions(AddressRules):
    """Takes a deletion without a base revision for one that knew of nothing."""

    def address_changed(self, case: AddressCase) -> Refused | None:
        if case.address is None or case.base_revision is not None:
            return super().address_changed(case)
        if case.address.changed_by_others(case.change.queue_id) == 0:
            return None
        return refuse(Reason.REASON_ADDRESS_CHANGED, "another queue changed the address")


class _EmptyIsNotSent(AddressRules):
    """Takes an empty field for one that was not sent, though the mask names it."""

    def written(self, case: AddressCase, field: KeptField, wanted: Value) -> KeptField:
        return super().written(case, field, wanted) if wanted else field


MUTANTS = (
    Mutant(
        "last-edit-wins",
        "Writes every field that an edit names, whatever another queue did to it since.",
        ("address/merge-keeps", "address/kept-reported", "address/concurrent"),
        "decider",
        ruled_by(_LastEditWins),
    ),
    Mutant(
        "keeps-whole-addresses",
        "Writes no field of an edit when another queue changed any field of the address since.",
        ("address/merge-keeps", "address/concurrent", "address/kept-reported", "address/own-queue"),
        "decider",
        ruled_by(_KeepsWholeAddresses),
    ),
    Mutant(
        "compares-values-not-changes",
        "Overwrites a field that another queue changed and changed back.",
        ("address/merge-keeps",),
        "decider",
        ruled_by(_ComparesValues),
    ),
    Mutant(
        "own-edit-hides-others",
        "Forgets what another queue did to a field as soon as the queue itself writes it.",
        ("address/merge-keeps", "address/delete-changed"),
        "decider",
        ruled_by(_OwnEditHides),
    ),
    Mutant(
        "merges-address-lines",
        "Merges the lines of an address one by one.",
        ("address/merge-keeps", "address/kept-reported"),
        "decider",
        ruled_by(_LinesOneByOne),
    ),
    Mutant(
        "keeps-silently",
        "Does not say which fields of an edit it kept.",
        ("address/kept-reported", "address/merge-keeps", "address/concurrent"),
        "decider",
        ruled_by(_KeepsSilently),
    ),
    Mutant(
        "reports-the-wanted",
        "Reports with a kept field the value that was wanted, not the one that was kept.",
        ("address/kept-reported", "address/merge-keeps", "address/concurrent"),
        "decider",
        ruled_by(_ReportsTheWanted),
    ),
    Mutant(
        "reports-what-is-alike",
        "Reports a field as kept that has the value that was wanted.",
        ("address/kept-reported",),
        "decider",
        ruled_by(_ReportsAlike),
    ),
    Mutant(
        "reports-one-kept-field",
        "Reports one of the kept fields, and not the others.",
        ("address/kept-reported",),
        "decider",
        ruled_by(_ReportsOnce),
    ),
    Mutant(
        "reports-whole-addresses",
        "Reports the whole address with a kept field.",
        ("address/kept-reported", "address/merge-keeps", "address/concurrent"),
        "decider",
        ruled_by(_ShowsTheWhole),
    ),
    Mutant(
        "own-edits-count",
        "Keeps a field that the queue itself changed after the base revision of its edit.",
        ("address/own-queue", "address/merge-keeps", "address/concurrent", "address/changed-flag"),
        "decider",
        ruled_by(_OwnEditsCount),
    ),
    Mutant(
        "base-revision-is-after",
        "Keeps a field that another queue changed at the base revision itself.",
        ("address/own-queue",),
        "decider",
        ruled_by(_BaseIsAfter),
    ),
    Mutant(
        "own-edits-stop-deletions",
        "Refuses a deletion because of the own queue's changes.",
        ("address/own-queue",),
        "decider",
        ruled_by(_OwnEditsStopDeletions),
    ),
    Mutant(
        "book-stops-deletions",
        "Refuses a deletion because another address has changed since.",
        ("address/own-queue",),
        "decider",
        _BookStopsDeletions,
    ),
    Mutant(
        "absent-base-is-zero",
        "Takes an edit without a base revision for one based on revision 0.",
        ("address/unguarded", "address/own-queue", "address/merge-keeps", "address/changed-flag"),
        "decider",
        ruled_by(_AbsentIsZero),
    ),
    Mutant(
        "absent-base-stops-deletions",
        "Takes a deletion without a base revision for one based on revision 0.",
        ("address/unguarded", "address/delete", "address/create", "address/edit-missing"),
        "decider",
        ruled_by(_AbsentIsZeroForDeletions),
    ),
    Mutant(
        "empty-is-not-sent",
        "Does not clear a field that the mask names and that is empty.",
        ("address/unguarded", "address/masked-only"),
        "decider",
        ruled_by(_EmptyIsNotSent),
    ),
)
