"""Account resources: profiles `wishlist`, `address_book` and `payment_methods`."""

from __future__ import annotations

from typing import Any

from cartsync.v1 import (
    address_book_pb2,
    address_pb2,
    operation_pb2,
    payment_methods_pb2,
    wishlist_pb2,
)
from google.protobuf.field_mask_pb2 import FieldMask

from tools.vectors.script import MUG, TEA, Device, Play, exchange

HOME = "adde0000-0000-4000-8000-000000000001"
CARD = "cafd0000-0000-4000-8000-000000000001"


def wish(device: Device, sku: str) -> operation_pb2.OperationAttempt:
    """A product put on the wishlist."""
    return device.draft(add_to_wishlist=operation_pb2.AddToWishlist(sku=sku))


def unwish(device: Device, sku: str) -> operation_pb2.OperationAttempt:
    """A product taken off the wishlist."""
    return device.draft(remove_from_wishlist=operation_pb2.RemoveFromWishlist(sku=sku))


async def read_wishes(device: Device, note: str = "", **fields: Any) -> Any:
    """Read a page of the wishlist."""
    request = wishlist_pb2.ListWishlistRequest(queue_id=device.queue_id, **fields)
    return await device.play.call(device.principal, "WishlistService/ListWishlist", request, note)


@exchange(
    "wishlist",
    "A wishlist",
    "wishlist/add",
    "wishlist/add-again",
    "wishlist/any-product",
    "wishlist/remove",
    "wishlist/revision",
    "wishlist/paging",
    profile="wishlist",
)
async def wishlist(play: Play) -> None:
    """Two devices wish for the same product: one entry, both applied. No catalogue is asked, so a wish may be for what
    the shop does not sell. The list is read in pages."""
    phone, laptop = play.device(), play.device()
    await phone.submit(wish(phone, TEA), wish(phone, "NOT-SOLD-YET"))
    await laptop.submit(
        wish(laptop, TEA), wish(laptop, MUG), unwish(laptop, "NOT-SOLD-YET"), unwish(laptop, "NEVER-WISHED")
    )
    first = await read_wishes(phone, page_size=1, note="The watermark is that of the phone's queue.")
    await read_wishes(phone, page_size=1, page_token=first.next_page_token)


def put(
    device: Device, address: address_pb2.Address, mask: list[str], base: int | None, address_id: str = HOME
) -> operation_pb2.OperationAttempt:
    """An address made or edited."""
    intent = operation_pb2.PutAddress(
        address_id=address_id, base_revision=base, update_mask=FieldMask(paths=mask), address=address
    )
    return device.draft(put_address=intent)


def delete(device: Device, base: int | None, address_id: str = HOME) -> operation_pb2.OperationAttempt:
    """An address deleted."""
    return device.draft(delete_address=operation_pb2.DeleteAddress(address_id=address_id, base_revision=base))


async def read_addresses(device: Device, note: str = "") -> Any:
    """Read the address book."""
    request = address_book_pb2.ListAddressesRequest(queue_id=device.queue_id)
    return await device.play.call(device.principal, "AddressBookService/ListAddresses", request, note)


NEW = address_pb2.Address(
    recipient="Siân Ó Briain",
    address_lines=["Flat 3", "12 Orchard Row"],
    locality="Bath",
    postal_code="BA1 1AA",
    region_code="GB",
)
NEEDED = ["recipient", "address_lines", "region_code"]


@exchange(
    "address-merged",
    "An address edited on two devices",
    "address/create",
    "address/masked-only",
    "address/merge-keeps",
    "address/kept-reported",
    "address/own-queue",
    "address/listing",
    profile="address_book",
)
async def address_merged(play: Play) -> None:
    """Both devices edit what they saw at revision 1. The laptop's edit comes first. Of the phone's, the field that the
    laptop changed keeps the server's value and is reported, for the shopper to be asked; the others are written."""
    phone, laptop = play.device(), play.device()
    await phone.submit(put(phone, NEW, [*NEEDED, "locality", "postal_code"], 0))
    laptops = address_pb2.Address(delivery_instructions="Ring twice", postal_code="BA1 2BB")
    await laptop.submit(put(laptop, laptops, ["delivery_instructions", "postal_code"], 1))
    phones = address_pb2.Address(postal_code="BA1 3CC", label="Home")
    await phone.submit(put(phone, phones, ["postal_code", "label"], 1))
    await read_addresses(phone)


@exchange(
    "address-refused",
    "Addresses that are refused",
    "address/edit-missing",
    "address/incomplete",
    "address/mask-checked",
    "address/delete-changed",
    "address/delete",
    "address/card-number",
    profile="address_book",
)
async def address_refused(play: Play) -> None:
    """An edit of what is not there, an address without what it needs, a mask with a name that is no field, a deletion
    that would lose another device's edit, and a card number where none belongs. Deleting without a base revision always
    goes through."""
    phone, laptop = play.device(), play.device()
    card = address_pb2.Address(label="4111 1111 1111 1111")
    await phone.submit(
        put(phone, NEW, NEEDED, 4),
        put(phone, NEW, ["recipient"], 0),
        put(phone, NEW, [*NEEDED, "planet"], 0),
        put(phone, NEW, NEEDED, 0),
        put(phone, card, ["label"], None),
    )
    await laptop.submit(put(laptop, address_pb2.Address(label="Home"), ["label"], 1))
    await phone.submit(delete(phone, 1), delete(phone, None), delete(phone, None))
    await read_addresses(phone)


def save(device: Device, token: str, label: str = "") -> operation_pb2.OperationAttempt:
    """A means of payment kept."""
    intent = operation_pb2.SavePaymentMethod(
        payment_method_id=CARD, provider="examplepay", provider_token=token, label=label
    )
    return device.draft(save_payment_method=intent)


async def read_methods(device: Device, note: str = "") -> Any:
    """Read the payment methods."""
    request = payment_methods_pb2.ListPaymentMethodsRequest(queue_id=device.queue_id)
    return await device.play.call(device.principal, "PaymentMethodService/ListPaymentMethods", request, note)


@exchange(
    "payment-methods",
    "A means of payment",
    "payment/save",
    "payment/as-provided",
    "payment/token-checked",
    "payment/token-hidden",
    "payment/replay-unchecked",
    "payment/card-number",
    "payment/delete",
    profile="payment_methods",
)
async def payment_methods(play: Play) -> None:
    """The provider stands by the token when the operation is decided: brand, last four digits and expiry are as it
    gives them, and the token itself is never shown. A duplicate is answered from its record when the provider no longer
    does. A card number in the label is refused, and kept nowhere."""
    token: dict[str, Any] = {"provider": "examplepay", "provider_token": "tok_4f1c8a2e"}
    details: dict[str, Any] = {"brand": "visa", "last_four": "4242", "expiry_month": 8, "expiry_year": 2029}
    await play.arrange("PutPaymentToken", **token, **details, valid=True)
    phone = play.device()
    kept = save(phone, "tok_4f1c8a2e", "Household")
    await phone.submit(kept)
    await read_methods(phone)
    await play.arrange("PutPaymentToken", "The provider withdraws the token.", **token, valid=False)
    remove = operation_pb2.DeletePaymentMethod(payment_method_id=CARD)
    await phone.submit(
        kept,
        save(phone, "tok_4f1c8a2e"),
        save(phone, "tok_other", "4111-1111-1111-1111"),
        phone.draft(delete_payment_method=remove),
    )
    await read_methods(phone)
