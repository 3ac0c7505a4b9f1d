"""How addresses are edited: what is merged and what is reported, which values are taken, what becomes of texts."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from cartsync.v1 import address_pb2, outcome_pb2

from conformance.mutants.addresses import ruled_by
from conformance.mutants.mutant import Mutant
from reference_server.engine import well_formed
from reference_server.engine.address_form import MAX_LENGTHS, is_text
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.kept_address import FIELDS, KeptAddress, KeptField, Value, message_of, value_of
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


# What is taken.


class _Lenient(Decider):
    """Lets malformed operations on addresses pass for one reason or another."""

    def well_formed(self, case: Case) -> Answer | None:
        wrong = [violation.field for violation in well_formed.field_violations(case.operation)]
        if case.kind == "put_address" and wrong and all(self.forgives(field, case.intent) for field in wrong):
            return None
        return super().well_formed(case)

    def forgives(self, field: str, intent: object) -> bool:
        """Whether this field passes."""
        raise AssertionError(f"{field} of {intent}")


def _text_of(field: str, intent: object) -> Value:
    name = field.rpartition(".")[2]
    address = getattr(intent, "address", address_pb2.Address())
    return value_of(address, name) if field.startswith("put_address.address.") else ""


class _OneLonger(_Lenient):
    """Takes one code point more than a text may have."""

    def forgives(self, field: str, intent: object) -> bool:
        value = _text_of(field, intent)
        return isinstance(value, str) and len(value) > 64 and is_text(value, MAX_LENGTHS.get(field[20:], 0) + 1)


class _ControlCharacters(_Lenient):
    """Takes tabs and line breaks."""

    def forgives(self, field: str, intent: object) -> bool:
        value = _text_of(field, intent)
        return isinstance(value, str) and any(character in value for character in "\t\n")


class _SmallRegions(_Lenient):
    """Takes region codes in lower case."""

    def forgives(self, field: str, intent: object) -> bool:
        value = _text_of(field, intent)
        return field.endswith("region_code") and isinstance(value, str) and value.islower()


class _EmptyLines(_Lenient):
    """Takes address lines that are empty."""

    def forgives(self, field: str, intent: object) -> bool:
        value = _text_of(field, intent)
        return field.endswith("address_lines") and isinstance(value, tuple) and "" in value


class _SixLines(_Lenient):
    """Takes any number of address lines."""

    def forgives(self, field: str, intent: object) -> bool:
        value = _text_of(field, intent)
        return field.endswith("address_lines") and isinstance(value, tuple) and len(value) > 5


class _AnyAddressId(_Lenient):
    """Takes whatever a client calls its addresses."""

    def forgives(self, field: str, intent: object) -> bool:
        return field == "put_address.address_id"


class _Strict(Decider):
    """Refuses more addresses than it may."""

    def well_formed(self, case: Case) -> Answer | None:
        answer = super().well_formed(case)
        if answer is None and case.kind == "put_address":
            for name in FIELDS:
                if self.minds(name, value_of(case.intent.address, name), name in case.intent.update_mask.paths):
                    violation = outcome_pb2.FieldViolation(field=f"put_address.address.{name}", description="is wrong")
                    return refuse(Reason.REASON_MALFORMED, "is wrong", field_violations=[violation])
        return answer

    def minds(self, name: str, value: Value, masked: bool) -> bool:
        """Whether this field is refused."""
        raise AssertionError(name)


class _CountsBytes(_Strict):
    """Counts a text in bytes."""

    def minds(self, name: str, value: Value, masked: bool) -> bool:
        limit = MAX_LENGTHS.get(name, 2)
        return any(len(text.encode()) > limit for text in ([value] if isinstance(value, str) else value))


class _CountsUnits(_Strict):
    """Counts a text in units of UTF-16, as strings of Java and JavaScript do."""

    def minds(self, name: str, value: Value, masked: bool) -> bool:
        limit = MAX_LENGTHS.get(name, 2)
        return any(len(text.encode("utf-16-le")) > 2 * limit for text in ([value] if isinstance(value, str) else value))


class _JudgesTheUnmasked(_Strict):
    """Judges the fields that the mask does not name too."""

    def minds(self, name: str, value: Value, masked: bool) -> bool:
        texts = [value] if isinstance(value, str) else value
        return not masked and any(not is_text(text, MAX_LENGTHS.get(name, 2)) for text in texts)


# The mask.


class _EmptyMaskIsAll(Decider):
    """Takes an empty mask for one that names every field that has a value."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "put_address" and not case.intent.update_mask.paths:
            case.intent.update_mask.paths.extend(field.name for field, _ in case.intent.address.ListFields())
        return super().well_formed(case)


class _IgnoresUnknownNames(Decider):
    """Overlooks what the mask names that is no field of an address, when it names one that is."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "put_address":
            known = [name for name in case.intent.update_mask.paths if name in FIELDS]
            if known:
                case.intent.update_mask.paths[:] = known
        return super().well_formed(case)


class _StarIsAll(Decider):
    """Takes a star in the mask for every field."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "put_address" and list(case.intent.update_mask.paths) == ["*"]:
            case.intent.update_mask.paths[:] = FIELDS
        return super().well_formed(case)


class _RepetitionRefused(Decider):
    """Refuses a mask that names a field twice."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "put_address" and len(set(case.intent.update_mask.paths)) < len(case.intent.update_mask.paths):
            violation = outcome_pb2.FieldViolation(field="put_address.update_mask", description="repeats a field")
            return refuse(Reason.REASON_MALFORMED, "repeats a field", field_violations=[violation])
        return super().well_formed(case)


# Texts.


def _texts_through(change: Callable[[str], str]) -> type[AddressRules]:
    class _Changes(AddressRules):
        def written(self, case: AddressCase, field: KeptField, wanted: Value) -> KeptField:
            text = change(wanted) if isinstance(wanted, str) else tuple(change(line) for line in wanted)
            return super().written(case, field, text)

    return _Changes


def _visible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


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
    Mutant(
        "one-character-longer",
        "Takes texts of one code point more than there may be.",
        ("address/field-limits",),
        "decider",
        _OneLonger,
    ),
    Mutant(
        "control-characters-pass",
        "Takes tabs and line breaks in texts of an address.",
        ("address/field-limits",),
        "decider",
        _ControlCharacters,
    ),
    Mutant(
        "regions-in-small-letters",
        "Takes region codes in lower case.",
        ("address/field-limits",),
        "decider",
        _SmallRegions,
    ),
    Mutant(
        "empty-lines-pass",
        "Takes address lines that are empty.",
        ("address/field-limits",),
        "decider",
        _EmptyLines,
    ),
    Mutant(
        "lines-without-number",
        "Takes more than five address lines.",
        ("address/field-limits",),
        "decider",
        _SixLines,
    ),
    Mutant(
        "any-address-id",
        "Takes address ids that are no canonical UUIDs.",
        ("address/field-limits",),
        "decider",
        _AnyAddressId,
    ),
    Mutant(
        "counts-address-bytes",
        "Counts the texts of an address in bytes.",
        ("address/field-limits", "address/text-exact"),
        "decider",
        _CountsBytes,
    ),
    Mutant(
        "counts-units-of-utf",
        "Counts the texts of an address in units of UTF-16.",
        ("address/field-limits",),
        "decider",
        _CountsUnits,
    ),
    Mutant(
        "judges-unmasked-fields",
        "Refuses an edit for the value of a field that the mask does not name.",
        ("address/field-limits",),
        "decider",
        _JudgesTheUnmasked,
    ),
    Mutant(
        "empty-mask-is-all",
        "Takes an empty mask for all fields that have a value.",
        ("address/mask-checked",),
        "decider",
        _EmptyMaskIsAll,
    ),
    Mutant(
        "ignores-unknown-mask-names",
        "Overlooks a name in the mask that is no field of an address.",
        ("address/mask-checked",),
        "decider",
        _IgnoresUnknownNames,
    ),
    Mutant(
        "star-is-all",
        "Takes a star in the mask for all fields.",
        ("address/mask-checked",),
        "decider",
        _StarIsAll,
    ),
    Mutant(
        "mask-repetition-refused",
        "Refuses a mask that names a field twice.",
        ("address/mask-checked",),
        "decider",
        _RepetitionRefused,
    ),
    Mutant(
        "composes-addresses",
        "Normalises the texts of an address.",
        ("address/text-exact", "security/hostile-text"),
        "decider",
        ruled_by(_texts_through(lambda text: unicodedata.normalize("NFC", text))),
    ),
    Mutant(
        "trims-addresses",
        "Trims the texts of an address.",
        ("address/text-exact", "security/hostile-text"),
        "decider",
        ruled_by(_texts_through(str.strip)),
    ),
    Mutant(
        "strips-what-is-not-seen",
        "Strips code points that are not seen from the texts of an address.",
        ("address/text-exact", "security/hostile-text"),
        "decider",
        ruled_by(_texts_through(_visible)),
    ),
    Mutant(
        "escapes-addresses",
        "Escapes markup in the texts of an address.",
        ("address/text-exact", "security/hostile-text", "address/create"),
        "decider",
        ruled_by(_texts_through(html.escape)),
    ),
)
