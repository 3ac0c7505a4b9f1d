"""Addresses merged field by field: what is written, what is kept, what is refused, whatever the order of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cartsync.v1 import address_pb2, operation_pb2, reason_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from reference_server.engine.address_form import MAX_LENGTHS
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.kept_address import FIELDS, KeptAddress, KeptField, Value, message_of, value_of
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.well_formed import field_violations

RULES = AddressRules(Policy())
WHOLE: dict[str, Value] = {"recipient": "Ada", "address_lines": ("1 Road",), "region_code": "GB"}
ID = "0b0c5f1e-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Edit:
    """A PutAddress: which queue, based on what, writing what."""

    queue: str
    values: dict[str, Value]
    base: int | None = None

    def intent(self) -> operation_pb2.PutAddress:
        return operation_pb2.PutAddress(
            address_id=ID,
            base_revision=self.base,
            update_mask=FieldMask(paths=sorted(self.values)),
            address=message_of(self.values),
        )


class Book:
    """One address, and the revision of its book."""

    def __init__(self, entry_count: int = 0) -> None:
        self.revision = 0
        self.address: KeptAddress | None = None
        self.entry_count = entry_count

    def put(self, edit: Edit) -> EntryOutcome | Refused:
        return self._take("put_address", edit.intent(), edit.queue)

    def delete(self, queue: str, base: int | None = None) -> EntryOutcome | Refused:
        return self._take("delete_address", operation_pb2.DeleteAddress(address_id=ID, base_revision=base), queue)

    def _take(self, kind: str, intent: Any, queue: str) -> EntryOutcome | Refused:
        case = AddressCase(
            kind=kind,
            intent=intent,
            address=self.address,
            entry_count=self.entry_count,
            change=Change(queue, self.revision + 1, 0),
        )
        judged = RULES.judge(case)
        if isinstance(judged, EntryOutcome) and judged.changed:
            self.revision += 1
            self.address = None if judged.value is None else KeptAddress.decoded(judged.value)
        return judged

    def values(self) -> dict[str, Value]:
        return {} if self.address is None else {name: kept.value for name, kept in self.address.fields.items()}


def applied(judged: EntryOutcome | Refused) -> EntryOutcome:
    assert isinstance(judged, EntryOutcome), judged
    return judged


def kept(judged: EntryOutcome | Refused) -> dict[str, Value]:
    """The fields reported as kept, with the values kept; each adjustment holds that field alone."""
    found: dict[str, Value] = {}
    for adjustment in applied(judged).adjustments:
        report = adjustment.field_kept
        assert report.kept == message_of({report.field: value_of(report.kept, report.field)})
        assert report.field not in found
        found[report.field] = value_of(report.kept, report.field)
    return found


def reason(judged: EntryOutcome | Refused) -> str:
    assert isinstance(judged, Refused), judged
    return reason_pb2.Reason.Name(judged.refusal.reason)


def made(queue: str = "a", **more: Value) -> Book:
    book = Book()
    applied(book.put(Edit(queue, {**WHOLE, **more})))
    return book


# Making


def test_an_address_is_made_of_the_fields_that_the_mask_names() -> None:
    book = Book()
    outcome = applied(book.put(Edit("a", {**WHOLE, "label": "Home"}, base=0)))
    assert outcome.changed
    assert book.address is not None
    assert book.address.message() == address_pb2.Address(
        recipient="Ada", address_lines=["1 Road"], region_code="GB", label="Home"
    )


@pytest.mark.parametrize("left_out", sorted(WHOLE))
def test_no_address_is_made_without_a_needed_field(left_out: str) -> None:
    judged = Book().put(Edit("a", {name: value for name, value in WHOLE.items() if name != left_out}))
    assert reason(judged) == "REASON_ADDRESS_INCOMPLETE"
    assert isinstance(judged, Refused)
    assert [v.field for v in judged.refusal.field_violations] == [f"put_address.address.{left_out}"]


def test_the_rules_are_asked_in_their_order() -> None:
    full = Book(entry_count=Policy().max_address_count)
    assert reason(full.put(Edit("a", {"label": "x"}, base=1))) == "REASON_ADDRESS_NOT_FOUND"
    assert reason(full.put(Edit("a", {"label": "x"}, base=0))) == "REASON_ADDRESS_INCOMPLETE"
    assert reason(full.put(Edit("a", {**WHOLE}, base=0))) == "REASON_ADDRESS_BOOK_FULL"


def test_a_full_book_still_takes_edits() -> None:
    book = made()
    book.entry_count = Policy().max_address_count
    assert applied(book.put(Edit("b", {"label": "x"}))).changed


# Merging


def test_a_field_that_another_queue_changed_after_the_base_is_kept_and_reported() -> None:
    book = made(label="Home", company="ACME")
    applied(book.put(Edit("b", {"label": "Work"}, base=1)))
    outcome = book.put(Edit("a", {"label": "Den", "company": "Ltd"}, base=1))
    assert kept(outcome) == {"label": "Work"}
    assert applied(outcome).changed
    assert book.values()["label"] == "Work"
    assert book.values()["company"] == "Ltd"


def test_of_several_lines_kept_all_are_reported() -> None:
    book = made()
    applied(book.put(Edit("b", {"address_lines": ("2 Street", "Floor 3")}, base=1)))
    assert kept(book.put(Edit("a", {"address_lines": ("9 Lane",)}, base=1))) == {
        "address_lines": ("2 Street", "Floor 3")
    }


def test_a_base_of_0_keeps_everything_that_another_queue_made() -> None:
    book = made(queue="b")
    outcome = book.put(Edit("a", {**WHOLE, "recipient": "Bob", "label": "Home"}, base=0))
    assert kept(outcome) == {"recipient": "Ada"}
    assert book.values()["label"] == "Home"  # empty when it was made, so never changed


def test_a_queue_never_trips_over_its_own_edits() -> None:
    book = made()
    for step in range(5):
        assert kept(book.put(Edit("a", {"label": f"number {step}"}, base=1))) == {}
    assert book.values()["label"] == "number 4"


def test_an_edit_between_two_of_another_queue_is_remembered() -> None:
    book = made()
    applied(book.put(Edit("b", {"label": "b"})))
    applied(book.put(Edit("a", {"label": "a"})))
    assert kept(book.put(Edit("a", {"label": "x"}, base=1))) == {"label": "a"}
    assert kept(book.put(Edit("b", {"label": "x"}, base=2))) == {"label": "a"}
    assert kept(book.put(Edit("a", {"label": "x"}, base=2))) == {}


def test_a_write_of_the_value_that_is_there_changes_nothing_and_trips_nobody() -> None:
    book = made(label="Home")
    outcome = applied(book.put(Edit("b", {"label": "Home"}, base=1)))
    assert (outcome.changed, outcome.adjustments, book.revision) == (False, (), 1)
    assert kept(book.put(Edit("a", {"label": "Den"}, base=1))) == {}
    assert book.values()["label"] == "Den"


def test_a_kept_field_that_has_the_wanted_value_is_not_reported() -> None:
    book = made(label="Home")
    applied(book.put(Edit("b", {"label": "Work"}, base=1)))
    outcome = applied(book.put(Edit("a", {"label": "Work"}, base=1)))
    assert (outcome.changed, outcome.adjustments) == (False, ())


def test_without_a_base_every_masked_field_is_written() -> None:
    book = made(label="Home")
    applied(book.put(Edit("b", {"label": "Work"})))
    assert kept(book.put(Edit("a", {"label": "Den"}))) == {}
    assert book.values()["label"] == "Den"


# Deleting


def test_a_deletion_loses_against_a_later_change_of_another_queue_only() -> None:
    book = made()
    applied(book.put(Edit("b", {"label": "Work"})))
    assert reason(book.delete("a", base=1)) == "REASON_ADDRESS_CHANGED"
    assert applied(book.delete("b", base=1)).changed
    assert not applied(book.delete("b", base=1)).changed


def test_a_deletion_based_on_the_latest_or_on_nothing_goes_through() -> None:
    for base in (2, None):
        book = made()
        applied(book.put(Edit("b", {"label": "Work"})))
        assert applied(book.delete("a", base=base)).changed
        assert book.address is None


def test_an_address_made_anew_under_its_id_starts_afresh() -> None:
    book = made(label="Home")
    applied(book.put(Edit("b", {"label": "Work"})))
    applied(book.delete("b"))
    applied(book.put(Edit("a", dict(WHOLE), base=0)))
    assert kept(book.put(Edit("b", {"label": "Den"}, base=1))) == {}  # nobody has changed the label of this one


# Whatever the order


VALUES = st.sampled_from(["x", "y", "z"])
EDITABLE = ("recipient", "label", "company", "address_lines")


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    names = draw(st.sets(st.sampled_from(EDITABLE), min_size=1))
    values: dict[str, Value] = {
        name: (draw(VALUES),) if name == "address_lines" else draw(VALUES) for name in sorted(names)
    }
    return Edit(draw(st.sampled_from("ab")), values, draw(st.one_of(st.none(), st.integers(0, 8))))


@given(st.lists(edits(), max_size=12))
def test_what_is_kept_is_exactly_what_another_queue_changed_after_the_base(plan: Sequence[Edit]) -> None:
    """Against a history of every change, kept by the test and looked through from its beginning each time."""
    book = made(queue="c")
    history: list[tuple[str, str, int]] = [(name, "c", 1) for name in WHOLE]  # field, queue, revision
    for edit in plan:
        before, revision = book.values(), book.revision
        outcome = applied(book.put(edit))
        guarded = {
            name
            for name, queue, at in history
            if edit.base is not None and queue != edit.queue and at > edit.base and name in edit.values
        }
        written = {name for name in edit.values if name not in guarded and before[name] != edit.values[name]}
        assert set(kept(outcome)) == {name for name in guarded if before[name] != edit.values[name]}
        assert book.values() == {**before, **{name: edit.values[name] for name in written}}
        assert outcome.changed == bool(written)
        assert book.revision == revision + bool(written)
        history += [(name, edit.queue, book.revision) for name in written]


@given(st.lists(edits(), max_size=12))
def test_the_edits_of_one_queue_all_count_whatever_their_bases(plan: Sequence[Edit]) -> None:
    book, expected = made(), dict(WHOLE)
    for edit in (replace(edit, queue="a") for edit in plan):
        assert kept(book.put(edit)) == {}
        expected.update(edit.values)
    assert {name: value for name, value in book.values().items() if value} == {
        name: value for name, value in expected.items() if value
    }


@given(
    st.dictionaries(
        st.sampled_from([name for name in FIELDS if name != "address_lines"]),
        st.builds(
            KeptField,
            st.text(st.characters(exclude_categories=["Cs"])),
            st.integers(0, 2**40),
            st.text("0123456789abcdef-"),
            st.integers(0, 9),
        ),
    )
)
def test_an_address_is_kept_code_point_for_code_point(fields: dict[str, KeptField]) -> None:
    address = KeptAddress({**KeptAddress.decoded(b"{}").fields, **fields})
    assert KeptAddress.decoded(address.encoded()) == address


# Form


def wrong(values: dict[str, Value], mask: Sequence[str] | None = None) -> list[str]:
    intent = operation_pb2.PutAddress(
        address_id=ID,
        update_mask=FieldMask(paths=sorted(values) if mask is None else mask),
        address=message_of(values),
    )
    return [v.field for v in field_violations(operation_pb2.CartOperation(put_address=intent))]


@pytest.mark.parametrize(("name", "length"), sorted(MAX_LENGTHS.items()))
def test_every_field_is_taken_up_to_its_limit_in_code_points(name: str, length: int) -> None:
    for character in ("x", "é", "\U0001f34e", "\u200d"):
        longest, longer = character * length, character * (length + 1)
        lines = name == "address_lines"
        assert wrong({name: (longest,) * 5 if lines else longest}) == []
        assert wrong({name: (longer,) if lines else longer}) == [f"put_address.address.{name}"]


@pytest.mark.parametrize(
    "values",
    [
        {"recipient": ""},
        {"address_lines": ()},
        {"address_lines": ("1 Road", "")},
        {"address_lines": ("x",) * 6},
        {"address_lines": ("x", "a\nb")},
        {"region_code": ""},
        {"region_code": "gb"},
        {"region_code": "GBR"},
        {"region_code": "ＧＢ"},
        {"company": "a\x85b"},
        {"delivery_instructions": "a\nb"},
    ],
)
def test_a_masked_field_outside_its_form_is_named(values: dict[str, Value]) -> None:
    (name,) = values
    assert wrong(values) == [f"put_address.address.{name}"]
    assert wrong({**values, "label": "x"}, mask=["label"]) == []  # what the mask does not name is ignored


@pytest.mark.parametrize("mask", [[], ["phone"], ["addressLines"], ["recipient", "recipient.x"], ["*"], ["Label"]])
def test_a_mask_that_is_empty_or_names_what_is_no_field_is_malformed(mask: list[str]) -> None:
    assert wrong(dict(WHOLE), mask=mask) == ["put_address.update_mask"]


def test_the_other_fields_of_the_intents_are_checked_too() -> None:
    put = operation_pb2.PutAddress(address_id="x", base_revision=-1, update_mask=FieldMask(paths=["label"]))
    assert [v.field for v in field_violations(operation_pb2.CartOperation(put_address=put))] == [
        "put_address.address_id",
        "put_address.base_revision",
        "put_address.address",
    ]
    delete = operation_pb2.DeleteAddress(address_id=ID.upper(), base_revision=-1)
    assert [v.field for v in field_violations(operation_pb2.CartOperation(delete_address=delete))] == [
        "delete_address.address_id",
        "delete_address.base_revision",
    ]
