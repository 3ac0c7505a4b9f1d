"""What is taken for the field of an address, and what becomes of its text."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable

from cartsync.v1 import address_pb2, outcome_pb2

from conformance.mutants.addresses import ruled_by
from conformance.mutants.mutant import Mutant
from reference_server.engine import well_formed
from reference_server.engine.address_form import MAX_LENGTHS, is_text
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.kept_address import FIELDS, KeptField, Value, value_of
from reference_server.engine.refusals import Reason, refuse

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
