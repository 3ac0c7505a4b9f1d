"""Checks of spec 10: making, deleting and listing addresses, their limits and their texts."""

from __future__ import annotations

from functools import partial

import grpc
import pytest
from cartsync.v1 import address_book_pb2, outcome_pb2, reason_pb2

from conformance.suite.addresses import HOME, NEEDED, changed, expect_book, made, with_fields
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart, twin_of
from conformance.suite.races import held, read_beside, read_meanwhile
from conformance.wire import Story

MOST = {
    "recipient": 200,
    "company": 200,
    "locality": 200,
    "administrative_area": 200,
    "postal_code": 32,
    "delivery_instructions": 1_000,
    "label": 64,
}
TEXTS = {
    "accents composed": "Zo\u00eb \u00c5ngstr\u00f6m",
    "accents combining": "Zoe\u0308 A\u030angstro\u0308m",
    "scripts": "\u5c71\u7530 \u0645\u062d\u0645\u062f \u05e9\u05dc\u05d5\u05dd \u0410\u043d\u043d\u0430",
    "beyond the basic plane": "\U0001f3e0 \U00020000",
    "joined emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "direction marks": "\u202eevil\u202c",
    "spaces at the ends": "  spaced  ",
    "no-break and thin spaces": "a\u00a0b\u2009c",
    "markup": "<script>alert('1')</script> &amp; \"quoted\"",
    "statement": "'; DROP TABLE addresses; --",
    "letters that fold": "\u0130stanbul \u1e9e \ufb01",
    "private use": "\ue000",
}


@requirement("address/create")
def test_an_address_is_made_of_what_is_given(story: Story) -> None:
    """Makes an address with every field, and one with the needed fields alone."""
    phone = story.device()
    first, _ = made(story, phone)
    short = with_fields(recipient="Bea", address_lines=["2 Low Street"], region_code="IE")
    second, _ = made(story, phone, short)
    expect_book(story, phone, {first: HOME, second: short})


@requirement("address/create")
def test_an_address_is_made_of_the_fields_that_the_mask_names(story: Story) -> None:
    """Gives a value for every field, and names in the mask the needed fields and one more."""
    phone = story.device()
    address_id = phone.new_key()
    story.expect_applied(phone.submit(phone.put_address(address_id, HOME, mask=[*NEEDED, "label"])).only)
    named = with_fields(**{name: getattr(HOME, name) for name in (*NEEDED, "label")})
    expect_book(story, phone, {address_id: named})


@requirement("address/create")
@pytest.mark.parametrize("base", [None, 0], ids=["without a base revision", "on revision 0"])
def test_an_address_is_made_with_and_without_a_guard(story: Story, base: int | None) -> None:
    """Makes an address by an operation without base revision, and by one that says it knew of none."""
    phone = story.device()
    address_id = phone.new_key()
    story.expect_applied(phone.submit(phone.put_address(address_id, HOME, base=base)).only)
    expect_book(story, phone, {address_id: HOME})


@requirement("address/create")
def test_an_address_made_anew_starts_afresh(story: Story) -> None:
    """Makes, deletes and makes an address again with fewer fields: nothing of the old one shines through."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, _ = made(story, phone)
    story.expect_applied(tablet.submit(tablet.delete_address(address_id)).only, slug="address/delete")
    short = with_fields(recipient="Bea", address_lines=["2 Low Street"], region_code="IE")
    story.expect_applied(phone.submit(phone.put_address(address_id, short, base=0)).only)
    expect_book(story, phone, {address_id: short})


@requirement("address/incomplete")
@pytest.mark.parametrize("missing", NEEDED)
def test_an_address_without_a_needed_field_is_not_made(story: Story, missing: str) -> None:
    """Leaves one needed field out of the mask, in an operation that would make the address."""
    phone = story.device()
    mask = [field.name for field, _ in HOME.ListFields() if field.name != missing]
    answer = phone.submit(phone.put_address(phone.new_key(), HOME, mask=mask))
    refused = story.expect_refused(answer.only, reason_pb2.REASON_ADDRESS_INCOMPLETE)
    named = [violation.field for violation in refused.refusal.field_violations]
    story.expect(
        any(missing in field for field in named), "the missing field is not named", expected=missing, observed=named
    )
    expect_book(story, phone, {})


@requirement("address/incomplete")
def test_all_missing_fields_are_named(story: Story) -> None:
    """Names none of the needed fields in an operation that would make the address."""
    phone = story.device()
    answer = phone.submit(phone.put_address(phone.new_key(), HOME, mask=["label"]))
    refused = story.expect_refused(answer.only, reason_pb2.REASON_ADDRESS_INCOMPLETE)
    named = [violation.field for violation in refused.refusal.field_violations]
    story.expect(
        all(any(name in field for field in named) for name in NEEDED) and not any("label" in field for field in named),
        "not just the missing fields are named",
        expected=NEEDED,
        observed=named,
    )


@requirement("address/field-limits")
@pytest.mark.parametrize("field", MOST)
def test_a_text_is_taken_up_to_its_limit(story: Story, field: str) -> None:
    """Writes a text of just as many code points as are taken (four bytes each), then one more."""
    phone = story.device()
    longest = with_fields(**{field: "\U0001f3e0" * MOST[field]})
    address_id, _ = made(story, phone, changed(HOME, **{field: "\U0001f3e0" * MOST[field]}))
    expect_book(story, phone, {address_id: changed(HOME, **{field: getattr(longest, field)})})
    beyond = phone.put_address(address_id, with_fields(**{field: "x" * (MOST[field] + 1)}))
    _expect_malformed(story, phone.submit(beyond).only, field)


@requirement("address/field-limits")
def test_address_lines_are_one_to_five_of_up_to_200(story: Story) -> None:
    """Writes five lines of 200 code points, then six lines, a line too long, an empty line and none."""
    phone = story.device()
    five = changed(HOME, address_lines=["\u00fc" * 200] * 5)
    address_id, _ = made(story, phone, five)
    expect_book(story, phone, {address_id: five})
    for lines in (["x"] * 6, ["x" * 201], ["x", ""], []):
        wrong = phone.put_address(address_id, with_fields(address_lines=lines), mask=["address_lines"])
        _expect_malformed(story, phone.submit(wrong).only, "address_lines")


@requirement("address/field-limits")
@pytest.mark.parametrize("region", ["", "gb", "GBR", "G", "G1", "\u00c4\u00d6", "GB "])
def test_a_region_code_is_two_capital_letters(story: Story, region: str) -> None:
    """Writes what is no region code."""
    phone = story.device()
    wrong = phone.put_address(phone.new_key(), changed(HOME, region_code=region), mask=[*NEEDED])
    _expect_malformed(story, phone.submit(wrong).only, "region_code")


@requirement("address/field-limits")
@pytest.mark.parametrize("character", ["\u0000", "\n", "\t", "\u007f", "\u0085"], ids=lambda c: f"U+{ord(c):04X}")
def test_control_characters_are_refused(story: Story, character: str) -> None:
    """Writes a text with a code point of category Cc."""
    phone = story.device()
    wrong = phone.put_address(phone.new_key(), changed(HOME, delivery_instructions=f"Ring{character}twice"))
    _expect_malformed(story, phone.submit(wrong).only, "delivery_instructions")


@requirement("address/field-limits")
def test_a_field_that_the_mask_does_not_name_is_not_judged(story: Story) -> None:
    """Gives an overlong value for a field that is not written."""
    phone = story.device()
    address_id, _ = made(story, phone)
    values = with_fields(label="x" * 65, locality="Bath")
    story.expect_applied(phone.submit(phone.put_address(address_id, values, mask=["locality"])).only)
    expect_book(story, phone, {address_id: changed(HOME, locality="Bath")})


@requirement("address/mask-checked")
@pytest.mark.parametrize(
    "mask", [[], ["telephone"], ["locality", "telephone"], ["address.locality"], ["*"], ["Locality"], [""]]
)
def test_a_mask_that_cannot_be_is_refused(story: Story, mask: list[str]) -> None:
    """Sends a mask that is empty, or names what is no field of an address."""
    phone = story.device()
    address_id, _ = made(story, phone)
    answer = phone.submit(phone.put_address(address_id, changed(HOME, locality="Bath"), mask=mask))
    story.expect_refused(answer.only, reason_pb2.REASON_MALFORMED)
    expect_book(story, phone, {address_id: HOME})


@requirement("address/mask-checked")
def test_order_and_repetition_in_a_mask_carry_no_meaning(story: Story) -> None:
    """Names fields twice and out of order; the duplicate names them once, in order, and is the same payload."""
    phone = story.device()
    address_id, _ = made(story, phone)
    values = with_fields(locality="Bath", label="Den")
    operation = phone.put_address(address_id, values, mask=["label", "locality", "label"])
    outcome = story.expect_applied(phone.submit(operation).only)
    operation.put_address.update_mask.paths[:] = ["locality", "label"]
    story.expect_replayed(phone.submit(operation).only, outcome, slug="deciding/payload-by-meaning")


@requirement("address/text-exact")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_comes_back_code_point_for_code_point(story: Story, text: str) -> None:
    """Writes a text that a server might fold, trim, normalise or escape."""
    phone = story.device()
    address = changed(HOME, recipient=text, address_lines=[text], delivery_instructions=text, label=text)
    address_id, _ = made(story, phone, address)
    expect_book(story, phone, {address_id: address})


@requirement("address/delete")
def test_a_deleted_address_is_gone(story: Story) -> None:
    """Deletes one of two addresses; deleting it again, or one that never was, is applied and changes nothing."""
    phone = story.device()
    first, _ = made(story, phone)
    second, _ = made(story, phone)
    story.expect_applied(phone.submit(phone.delete_address(first)).only)
    for missing in (first, phone.new_key()):
        story.expect_applied(phone.submit(phone.delete_address(missing)).only, changed=False)
        story.expect_applied(phone.submit(phone.delete_address(missing, base=1)).only, changed=False)
    expect_book(story, phone, {second: HOME})


@requirement("address/delete-changed")
def test_an_address_that_another_device_changed_is_not_deleted(story: Story) -> None:
    """Lets another device edit the address after the revision that the deletion names."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    edit = tablet.put_address(address_id, with_fields(label="Den"), base=seen.revision)
    theirs = story.expect_applied(tablet.submit(edit).only)
    late = phone.delete_address(address_id, base=seen.revision)
    story.expect_refused(phone.submit(late).only, reason_pb2.REASON_ADDRESS_CHANGED)
    expect_book(story, phone, {address_id: changed(HOME, label="Den")})
    story.expect_applied(
        phone.submit(phone.delete_address(address_id, base=theirs.revision)).only, slug="address/own-queue"
    )


@requirement("address/own-queue")
def test_an_own_change_does_not_stop_a_deletion(story: Story) -> None:
    """Edits an address and deletes it, both on the revision from before; another address's change is no matter."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    story.expect_applied(phone.submit(phone.put_address(address_id, with_fields(label="Den"))).only)
    made(story, tablet)
    story.expect_applied(phone.submit(phone.delete_address(address_id, base=seen.revision)).only)


@requirement("address/unguarded")
def test_a_deletion_without_a_base_revision_deletes(story: Story) -> None:
    """Lets another device edit the address, then deletes it with no base revision."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, _ = made(story, phone)
    story.expect_applied(tablet.submit(tablet.put_address(address_id, with_fields(label="Den"))).only)
    story.expect_applied(phone.submit(phone.delete_address(address_id)).only)
    expect_book(story, phone, {})


@requirement("address/changed-flag")
def test_an_edit_that_writes_what_is_there_changes_nothing(story: Story) -> None:
    """Writes every field with the value that it has, then one of them with another."""
    phone = story.device()
    address_id, seen = made(story, phone)
    same = story.expect_applied(phone.submit(phone.put_address(address_id, HOME)).only, changed=False)
    story.expect(same.revision == seen.revision, "a write of what is there moved the revision", slug="address/revision")
    story.expect_applied(phone.submit(phone.put_address(address_id, changed(HOME, label="Den"))).only)


@requirement("address/changed-flag")
def test_a_write_of_what_is_there_trips_nobodys_guard(story: Story) -> None:
    """Lets another device write a field with the value it has: an edit on the revision before it is written."""
    phone, tablet = story.device("phone"), story.device("tablet")
    address_id, seen = made(story, phone)
    story.expect_applied(tablet.submit(tablet.put_address(address_id, HOME)).only, changed=False)
    mine = phone.put_address(address_id, with_fields(locality="Bath"), base=seen.revision)
    story.expect_applied(phone.submit(mine).only)
    story.expect_applied(phone.submit(phone.delete_address(address_id, base=seen.revision)).only)


@requirement("address/revision")
def test_every_change_of_the_book_has_a_revision_of_its_own(story: Story) -> None:
    """Changes the book from two devices while a cart changes too: revisions rise, a no-change keeps them."""
    sku = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    story.expect(phone.addresses().revision == 0, "a book that never had an address has a revision")
    first, one = made(story, phone)
    put_in_cart(story, phone, sku)
    second, two = made(story, tablet)
    edited = story.expect_applied(phone.submit(phone.put_address(second, with_fields(label="Den"))).only)
    same = story.expect_applied(phone.submit(phone.put_address(second, with_fields(label="Den"))).only, changed=False)
    gone = story.expect_applied(tablet.submit(tablet.delete_address(first)).only)
    revisions = [outcome.revision for outcome in (one, two, edited, gone)]
    story.expect(
        revisions == sorted(set(revisions)) and revisions[0] > 0,
        "the changes of the address book do not have rising revisions",
        observed=revisions,
    )
    story.expect(same.revision == edited.revision, "a no-change carries another revision", observed=same.revision)
    shown = phone.addresses().revision
    story.expect(
        shown == gone.revision, "the book is shown at another revision", expected=gone.revision, observed=shown
    )
    rejected = phone.submit(phone.put_address(first, HOME, base=one.revision)).only
    refused = story.expect_refused(rejected, reason_pb2.REASON_ADDRESS_NOT_FOUND, slug="address/edit-missing")
    story.expect(refused.revision == shown, "a rejection carries another revision", observed=refused.revision)


@requirement("address/full", "address/listing")
def test_a_full_address_book_takes_edits_and_no_more_addresses(story: Story) -> None:
    """Fills the book, then makes one more, edits one that is there, and makes one in the place of another."""
    phone = story.device()
    most = story.policy.max_address_count
    story.expect(10 <= most <= 200, "max_address_count is out of its bounds", observed=most, slug="policy/limit-floors")
    names = [phone.new_key() for _ in range(most)]
    for start in range(0, most, 50):
        for result in phone.submit(*(phone.put_address(name, HOME) for name in names[start : start + 50])).results:
            story.expect_applied(result)
    expect_book(story, phone, dict.fromkeys(names, HOME), slug="address/listing")
    more = phone.new_key()
    story.expect_refused(phone.submit(phone.put_address(more, HOME)).only, reason_pb2.REASON_ADDRESS_BOOK_FULL)
    story.expect_applied(phone.submit(phone.put_address(names[0], with_fields(label="Den"))).only)
    story.expect_applied(phone.submit(phone.delete_address(names[1])).only, slug="address/delete")
    story.expect_applied(phone.submit(phone.put_address(more, HOME)).only)


@requirement("address/listing")
def test_addresses_are_listed_by_id_with_their_last_change(story: Story) -> None:
    """Makes three addresses and edits one: listed in ascending order of id, each with its last change."""
    phone = story.device()
    last = {}
    for _ in range(3):
        address_id, outcome = made(story, phone)
        last[address_id] = outcome.revision
    edited = max(last)
    outcome = story.expect_applied(phone.submit(phone.put_address(edited, with_fields(label="Den"))).only)
    last[edited] = outcome.revision
    observed = [(entry.address_id, entry.change_revision) for entry in phone.addresses().addresses]
    story.expect(
        observed == sorted(last.items()),
        "the address book is listed otherwise than it is",
        expected=sorted(last.items()),
        observed=observed,
    )


@requirement("address/listing")
def test_the_book_and_the_watermark_are_of_one_instant(story: Story) -> None:
    """Reads while a change is held before its commit: address and watermark are both there, or neither."""
    phone = story.device()
    made(story, phone)
    with held(story, phone, phone.put_address(phone.new_key(), HOME)):
        reader = story.connect("reader")
        request = address_book_pb2.ListAddressesRequest(queue_id=phone.queue_id)
        beside = read_beside(lambda seconds: reader.list_addresses(request, seconds))
    for seen in (beside, phone.addresses()):
        if seen is not None:
            count, watermark = len(seen.addresses), seen.queue.decided_through_sequence
            story.expect(
                count == watermark, "book and watermark are of different instants", observed=(count, watermark)
            )
    story.expect_status(
        partial(phone.connection.list_addresses, address_book_pb2.ListAddressesRequest(queue_id="queue")),
        grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        field="queue_id",
        what="ListAddresses with a malformed queue id",
    )


@requirement("address/listing")
def test_books_read_while_edits_come_in_are_of_one_instant(story: Story) -> None:
    """Reads book and watermark over and over while edits come in, each of which writes its own sequence."""
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    address_id, _ = made(story, phone, changed(HOME, label="1"))

    def look() -> None:
        seen = reader.addresses()
        labels, watermark = [entry.address.label for entry in seen.addresses], seen.queue.decided_through_sequence
        story.expect(
            labels == [str(watermark)],
            "book and watermark are of different instants",
            expected=[str(watermark)],
            observed=labels,
        )

    read_meanwhile(phone, lambda: phone.put_address(address_id, with_fields(label=str(len(phone.log) + 1))), look)


@requirement("address/field-limits")
@pytest.mark.parametrize("address_id", ["", "home", "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE"])
def test_an_address_id_is_a_canonical_uuid(story: Story, address_id: str) -> None:
    """Makes an address under an id that is none."""
    phone = story.device()
    _expect_malformed(story, phone.submit(phone.put_address(address_id, HOME)).only, "address_id")
    _expect_malformed(story, phone.submit(phone.delete_address(address_id)).only, "address_id")


def _expect_malformed(story: Story, result: outcome_pb2.OperationResult, field: str) -> None:
    outcome = story.expect_refused(result, reason_pb2.REASON_MALFORMED)
    named = [violation.field for violation in outcome.refusal.field_violations]
    story.expect(
        any(field in name for name in named),
        "the refusal does not name the wrong field",
        expected=field,
        observed=named,
        slug="deciding/malformed",
    )
