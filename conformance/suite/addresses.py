"""Addresses to write down, and what is expected of the book that they end in."""

from __future__ import annotations

from collections.abc import Mapping

from cartsync.v1 import address_pb2, outcome_pb2

from conformance.wire import Device, Story

HOME = address_pb2.Address(
    recipient="Ada Shopper",
    company="Shopper & Daughters",
    address_lines=["1 High Street", "Flat 2"],
    locality="Bristol",
    administrative_area="Avon",
    postal_code="BS1 4DJ",
    region_code="GB",
    delivery_instructions="Ring twice",
    label="Home",
)
NEEDED = ("recipient", "address_lines", "region_code")


def made(story: Story, device: Device, address: address_pb2.Address = HOME) -> tuple[str, outcome_pb2.Outcome]:
    """Make an address; its id with the outcome. A refusal counts against address/create."""
    address_id = device.new_key()
    operation = device.put_address(address_id, address)
    return address_id, story.expect_applied(device.submit(operation).only, slug="address/create")


def with_fields(**fields: object) -> address_pb2.Address:
    """An address with these fields and no others."""
    return address_pb2.Address(**fields)  # type: ignore[arg-type]  # the names and types are the caller's


def changed(address: address_pb2.Address, **fields: object) -> address_pb2.Address:
    """A copy of the address with these fields in place of its own."""
    copy = address_pb2.Address()
    copy.CopyFrom(address)
    for name in fields:
        copy.ClearField(name)  # type: ignore[arg-type]  # the names are the caller's
    copy.MergeFrom(with_fields(**fields))
    return copy


def book_of(device: Device) -> dict[str, address_pb2.Address]:
    """The addresses of the book by id."""
    return {entry.address_id: entry.address for entry in device.addresses().addresses}


def expect_book(
    story: Story, device: Device, addresses: Mapping[str, address_pb2.Address], *, slug: str | None = None
) -> None:
    """Expect the book to hold exactly these addresses."""
    observed = book_of(device)
    story.expect(
        observed == dict(addresses),
        "the address book holds something else than the applied operations left",
        expected=dict(addresses),
        observed=observed,
        slug=slug,
    )


def kept_in(outcome: outcome_pb2.Outcome) -> dict[str, address_pb2.Address]:
    """The fields that an outcome reports as kept, each with the address that shows the kept value."""
    return {a.field_kept.field: a.field_kept.kept for a in outcome.adjustments if a.HasField("field_kept")}


def expect_kept(
    story: Story,
    outcome: outcome_pb2.Outcome,
    kept: Mapping[str, address_pb2.Address],
    *,
    slug: str = "address/kept-reported",
) -> None:
    """Expect the outcome to report exactly these fields as kept."""
    observed = kept_in(outcome)
    story.expect(
        observed == dict(kept) and len(outcome.adjustments) == len(kept),
        "an edit does not report just the fields that kept the server's value",
        expected=dict(kept),
        observed=list(outcome.adjustments),
        slug=slug,
    )
