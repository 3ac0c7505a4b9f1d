"""Checks of spec 10: an address that two devices edit is merged field by field, and the server says what it kept."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2, reason_pb2

from conformance.suite.addresses import HOME, NEEDED, book_of, changed, expect_book, expect_kept, made, with_fields
from conformance.suite.marks import requirement
from conformance.suite.races import answer, held, overtake
from conformance.wire import Story

FIELDS: dict[str, dict[str, object]] = {
    "recipient": {"recipient": "Bea Shopper"},
    "company": {"company": "Another Company"},
    "address_lines": {"address_lines": ["2 Low Street"]},
    "locality": {"locality": "Bath"},
    "administrative_area": {"administrative_area": "Somerset"},
    "postal_code": {"postal_code": "BA1 1AA"},
    "region_code": {"region_code": "IE"},
    "delivery_instructions": {"delivery_instructions": "Leave with a neighbour"},
    "label": {"label": "Office"},
}
ALL = with_fields(**{name: value for fields in FIELDS.values() for name, value in fields.items()})


@requirement("address/merge-keeps", "address/kept-reported")
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_another_device_changed_since_is_kept(story: Story, field: str) -> None:
    """Lets the tablet change one field, then the phone edit all of them on the revision from before."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    theirs = with_fields(**FIELDS[field])
    story.expect_applied(tablet.submit(tablet.put_address(address_id, theirs, base=seen.revision)).only)
    mine = changed(ALL, **{field: {"address_lines": ["3 Mid Street"], "region_code": "FR"}.get(field, "Third")})
    outcome = story.expect_applied(phone.submit(phone.put_address(address_id, mine, base=seen.revision)).only)
    expect_book(story, phone, {address_id: changed(mine, **FIELDS[field])}, slug="address/merge-keeps")
    expect_kept(story, outcome, {field: theirs})


@requirement("address/merge-keeps", "address/kept-reported")
def test_every_kept_field_is_reported(story: Story) -> None:
    """Lets the tablet change three fields, then the phone all: those three are kept, and reported one by one."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    theirs = with_fields(recipient="Cy Shopper", locality="Wells", label="Third")
    story.expect_applied(tablet.submit(tablet.put_address(address_id, theirs, base=seen.revision)).only)
    outcome = story.expect_applied(phone.submit(phone.put_address(address_id, ALL, base=seen.revision)).only)
    expect_book(
        story,
        phone,
        {address_id: changed(ALL, recipient="Cy Shopper", locality="Wells", label="Third")},
        slug="address/merge-keeps",
    )
    kept = {name: with_fields(**{name: getattr(theirs, name)}) for name in ("recipient", "locality", "label")}
    expect_kept(story, outcome, kept)


@requirement("address/merge-keeps")
def test_what_a_third_device_changed_is_kept_too(story: Story) -> None:
    """Lets two devices change a field each, the one before the other, then the phone both on the first revision."""
    phone, tablet, laptop = story.device("phone"), story.device("tablet"), story.device("laptop")
    address_id, seen = made(story, phone)
    story.expect_applied(tablet.submit(tablet.put_address(address_id, with_fields(locality="Wells"))).only)
    story.expect_applied(laptop.submit(laptop.put_address(address_id, with_fields(label="Third"))).only)
    mine = phone.put_address(address_id, with_fields(locality="Bath", label="Den"), base=seen.revision)
    story.expect_applied(phone.submit(mine).only, changed=False)
    expect_book(story, phone, {address_id: changed(HOME, locality="Wells", label="Third")})


@requirement("address/kept-reported")
def test_a_field_that_both_wanted_alike_is_not_reported(story: Story) -> None:
    """Has two devices make the same edit: the second is applied, changes nothing and reports nothing."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    same = with_fields(locality="Bath")
    story.expect_applied(tablet.submit(tablet.put_address(address_id, same, base=seen.revision)).only)
    outcome = story.expect_applied(
        phone.submit(phone.put_address(address_id, same, base=seen.revision)).only, changed=False
    )
    expect_kept(story, outcome, {})


@requirement("address/merge-keeps")
def test_an_edit_of_which_everything_is_kept_is_applied_and_changes_nothing(story: Story) -> None:
    """Has two devices change the one field differently on one revision."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    theirs = with_fields(locality="Bath")
    story.expect_applied(tablet.submit(tablet.put_address(address_id, theirs, base=seen.revision)).only)
    late = phone.put_address(address_id, with_fields(locality="Wells"), base=seen.revision)
    outcome = story.expect_applied(phone.submit(late).only, changed=False, slug="address/merge-keeps")
    expect_kept(story, outcome, {"locality": theirs})
    expect_book(story, phone, {address_id: changed(HOME, locality="Bath")}, slug="address/merge-keeps")


@requirement("address/merge-keeps")
def test_a_field_changed_back_counts_as_changed(story: Story) -> None:
    """Lets another device change a field and change it back: the value is the old one, and the server's."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    for locality in ("Bath", "Bristol"):
        story.expect_applied(tablet.submit(tablet.put_address(address_id, with_fields(locality=locality))).only)
    late = phone.put_address(address_id, with_fields(locality="Wells"), base=seen.revision)
    outcome = story.expect_applied(phone.submit(late).only, changed=False, slug="address/merge-keeps")
    expect_kept(story, outcome, {"locality": with_fields(locality="Bristol")})


@requirement("address/own-queue")
def test_a_chain_of_offline_edits_does_not_trip_over_itself(story: Story) -> None:
    """Makes an address and edits it three times, all based on the revision from before it was there."""
    phone = story.device()
    address_id = phone.new_key()
    edits = [with_fields(locality="Bath"), with_fields(locality="Wells", label="Work"), with_fields(label="Den")]
    chain = [phone.put_address(address_id, HOME, base=0)]
    chain += [phone.put_address(address_id, edit, base=0) for edit in edits]
    for result in phone.submit(*chain).results:
        expect_kept(story, story.expect_applied(result), {}, slug="address/own-queue")
    expect_book(story, phone, {address_id: changed(HOME, locality="Wells", label="Den")}, slug="address/own-queue")


@requirement("address/own-queue")
def test_an_edit_of_what_it_has_seen_is_written(story: Story) -> None:
    """Lets another device change a field, then edits it on the revision of that very change, and on a later one."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, _ = made(story, phone)
    theirs = story.expect_applied(
        tablet.submit(tablet.put_address(address_id, with_fields(locality="Bath"))).only, slug="address/unguarded"
    )
    mine = phone.put_address(address_id, with_fields(locality="Wells"), base=theirs.revision)
    expect_kept(story, story.expect_applied(phone.submit(mine).only), {}, slug="address/own-queue")
    expect_book(story, phone, {address_id: changed(HOME, locality="Wells")}, slug="address/own-queue")


@requirement("address/merge-keeps")
def test_an_own_change_does_not_hide_another_devices(story: Story) -> None:
    """Lets the tablet change a field, then the phone without a guard, then the phone on the old revision."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    story.expect_applied(tablet.submit(tablet.put_address(address_id, with_fields(locality="Bath"))).only)
    story.expect_applied(phone.submit(phone.put_address(address_id, with_fields(locality="Wells"))).only)
    late = phone.put_address(address_id, with_fields(locality="Frome"), base=seen.revision)
    outcome = story.expect_applied(phone.submit(late).only, changed=False, slug="address/merge-keeps")
    expect_kept(story, outcome, {"locality": with_fields(locality="Wells")})


@requirement("address/unguarded")
def test_an_edit_without_a_base_revision_writes_everything(story: Story) -> None:
    """Lets another device change fields, then edits them with no base revision, which is not the same as 0."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, _ = made(story, phone)
    story.expect_applied(tablet.submit(tablet.put_address(address_id, with_fields(locality="Bath"))).only)
    mine = phone.put_address(address_id, with_fields(locality="Wells", label="Den"))
    expect_kept(story, story.expect_applied(phone.submit(mine).only), {}, slug="address/unguarded")
    expect_book(story, phone, {address_id: changed(HOME, locality="Wells", label="Den")}, slug="address/unguarded")


@requirement("address/masked-only")
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_the_mask_does_not_name_stays(story: Story, field: str) -> None:
    """Names one field in the mask and gives values for all: only that one is written."""
    phone = story.device()
    address_id, _ = made(story, phone)
    story.expect_applied(phone.submit(phone.put_address(address_id, ALL, mask=[field])).only)
    expect_book(story, phone, {address_id: changed(HOME, **FIELDS[field])})


@requirement("address/unguarded")
def test_a_field_named_and_left_empty_is_cleared(story: Story) -> None:
    """Names the fields that are not needed, and gives no value for them."""
    phone = story.device()
    address_id, _ = made(story, phone)
    optional = [name for name in FIELDS if name not in NEEDED]
    story.expect_applied(phone.submit(phone.put_address(address_id, with_fields(), mask=optional)).only)
    needed = with_fields(recipient=HOME.recipient, address_lines=HOME.address_lines, region_code=HOME.region_code)
    expect_book(story, phone, {address_id: needed})


@requirement("address/concurrent")
def test_edits_of_two_devices_raced_are_both_there(story: Story) -> None:
    """Holds one device's edit of one field before its commit while another's edit of another overtakes it."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    with held(story, phone, phone.put_address(address_id, with_fields(locality="Bath"), base=seen.revision)) as mine:
        theirs = overtake(tablet, tablet.put_address(address_id, with_fields(label="Den"), base=seen.revision))
    for pending in (mine, theirs):
        story.expect_applied(answer(pending).only)
    expect_book(story, phone, {address_id: changed(HOME, locality="Bath", label="Den")})


@requirement("address/concurrent")
def test_of_two_edits_of_one_field_raced_one_is_kept_and_the_other_told(story: Story) -> None:
    """Races two guarded edits of one field: one is written, the other is told the value that was kept."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    mine, theirs = with_fields(locality="Bath"), with_fields(locality="Wells")
    with held(story, phone, phone.put_address(address_id, mine, base=seen.revision)) as pending:
        overtaking = overtake(tablet, tablet.put_address(address_id, theirs, base=seen.revision))
    outcomes = [story.expect_applied(answer(call).only, changed=None) for call in (pending, overtaking)]
    story.expect(
        sum(outcome.changed for outcome in outcomes) == 1,
        "of two edits of one field on one revision not just one was written",
        expected="one changed",
        observed=outcomes,
    )
    written, kept = sorted(zip(outcomes, (mine, theirs), strict=True), key=lambda pair: not pair[0].changed)
    expect_kept(story, written[0], {}, slug="address/concurrent")
    expect_kept(story, kept[0], {"locality": written[1]}, slug="address/kept-reported")
    expect_book(story, phone, {address_id: changed(HOME, locality=written[1].locality)})


@requirement("address/edit-missing")
def test_an_edit_of_an_address_that_another_device_deleted_is_rejected(story: Story) -> None:
    """Deletes an address from one device, then edits it from another on the revision it has seen."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    story.expect_applied(tablet.submit(tablet.delete_address(address_id)).only, slug="address/delete")
    late = phone.put_address(address_id, changed(HOME, label="Den"), base=seen.revision)
    story.expect_refused(phone.submit(late).only, reason_pb2.REASON_ADDRESS_NOT_FOUND)
    expect_book(story, phone, {})


@requirement("address/edit-missing")
def test_an_edit_of_an_address_that_never_was_is_rejected(story: Story) -> None:
    """Edits, with a base revision above 0, an address that nobody made: all fields given would not make it."""
    phone = story.device()
    made(story, phone)
    operation: operation_pb2.CartOperation = phone.put_address(phone.new_key(), HOME, base=1)
    story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_ADDRESS_NOT_FOUND)
    story.expect(len(book_of(phone)) == 1, "an address was made by an edit of a missing one")
