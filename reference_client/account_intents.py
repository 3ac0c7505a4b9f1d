"""Intents about what a shopper keeps beside the carts: wishlist, addresses, payment methods.

Checked as in `reference_client.intents`, by the ranges in `operation.proto` and `address.proto`.
No error repeats what was given: a card number in the wrong field must not end up in a terminal's history either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cartsync.v1 import address_pb2, operation_pb2
from google.protobuf import field_mask_pb2

from reference_client.card_numbers import holds_card_number
from reference_client.exceptions import InvalidIntentError
from reference_client.identifiers import is_canonical
from reference_client.intents import holds_control, product

ADDRESS_FIELDS = tuple(field.name for field in address_pb2.Address.DESCRIPTOR.fields)
"""The fields of an address, by the names that an update mask uses."""

NEEDED_ADDRESS_FIELDS = ("recipient", "address_lines", "region_code")
"""Without these no address can be made."""

AddressValues = Mapping[str, str | Sequence[str]]
"""What is to be written, by field; `address_lines` is a list of texts. An empty text takes a field's value away."""

_LONGEST = {"postal_code": 32, "delivery_instructions": 1_000, "label": 64}
_LONGEST_TEXT = 200
_MOST_LINES = 5
_REGION = re.compile(r"[A-Z]{2}", re.ASCII)
_PROVIDER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,512}", re.ASCII)
_INT64_MAX = 2**63 - 1


def add_to_wishlist(sku: str) -> operation_pb2.CartOperation:
    """Puts a product on the wishlist; whether it is for sale does not matter."""
    return operation_pb2.CartOperation(add_to_wishlist=operation_pb2.AddToWishlist(sku=product(sku)))


def remove_from_wishlist(sku: str) -> operation_pb2.CartOperation:
    """Takes a product off the wishlist."""
    return operation_pb2.CartOperation(remove_from_wishlist=operation_pb2.RemoveFromWishlist(sku=product(sku)))


def put_address(
    address_id: str, values: AddressValues, *, base_revision: int | None = None
) -> operation_pb2.CartOperation:
    """Makes an address, or writes some fields of one.

    `base_revision` is the revision of the address book that the shopper saw, 0 when the address is new; fields that
    another device changed since keep its value. None: no guard, whatever is written last counts.
    """
    if not values:
        raise InvalidIntentError("address", f"nothing to write; give at least one of {', '.join(ADDRESS_FIELDS)}")
    for field in values:
        if field not in ADDRESS_FIELDS:
            raise InvalidIntentError("address", f"has no such field; there are {', '.join(ADDRESS_FIELDS)}")
    if base_revision == 0:
        missing = [field for field in NEEDED_ADDRESS_FIELDS if not values.get(field)]
        if missing:
            raise InvalidIntentError(missing[0], "is needed for a new address")
    address = address_pb2.Address()
    for field, value in values.items():
        if field == "address_lines":
            address.address_lines.extend(_address_lines(value))
        else:
            setattr(address, field, _address_text(field, value))
    intent = operation_pb2.PutAddress(
        address_id=_identifier("address", address_id),
        update_mask=field_mask_pb2.FieldMask(paths=[field for field in ADDRESS_FIELDS if field in values]),
        address=address,
    )
    if base_revision is not None:
        intent.base_revision = _revision(base_revision)
    return operation_pb2.CartOperation(put_address=intent)


def delete_address(address_id: str, *, base_revision: int | None = None) -> operation_pb2.CartOperation:
    """Deletes an address, unless another device changed it after `base_revision`. None: whoever changed it."""
    intent = operation_pb2.DeleteAddress(address_id=_identifier("address", address_id))
    if base_revision is not None:
        intent.base_revision = _revision(base_revision)
    return operation_pb2.CartOperation(delete_address=intent)


def save_payment_method(
    payment_method_id: str, *, provider: str, provider_token: str, label: str = ""
) -> operation_pb2.CartOperation:
    """Keeps a means of payment, named by the opaque token that its provider gave. Never a card number."""
    for field, text in (("provider", provider), ("provider-token", provider_token), ("label", label)):
        if holds_card_number(text):
            raise InvalidIntentError(field, "holds what looks like a payment card number; give the provider's token")
    if not _PROVIDER.fullmatch(provider):
        raise InvalidIntentError("provider", "must be 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    if not _TOKEN.fullmatch(provider_token):
        raise InvalidIntentError("provider-token", "must be 1 to 512 visible ASCII characters, as the provider gave it")
    return operation_pb2.CartOperation(
        save_payment_method=operation_pb2.SavePaymentMethod(
            payment_method_id=_identifier("payment method", payment_method_id),
            provider=provider,
            provider_token=provider_token,
            label=_text("label", label),
        )
    )


def delete_payment_method(payment_method_id: str) -> operation_pb2.CartOperation:
    """Deletes a means of payment."""
    intent = operation_pb2.DeletePaymentMethod(payment_method_id=_identifier("payment method", payment_method_id))
    return operation_pb2.CartOperation(delete_payment_method=intent)


def _identifier(what: str, text: str) -> str:
    if not is_canonical(text):
        raise InvalidIntentError(what, "must be named by its id, 36 characters such as the list shows")
    return text


def _revision(revision: int) -> int:
    if not 0 <= revision <= _INT64_MAX:
        raise InvalidIntentError("base-revision", "must be a revision of the address book, 0 or more")
    return revision


def _address_lines(value: str | Sequence[str]) -> list[str]:
    lines = [value] if isinstance(value, str) else list(value)
    if not 1 <= len(lines) <= _MOST_LINES or not all(lines):
        raise InvalidIntentError("address_lines", f"must be 1 to {_MOST_LINES} lines, none of them empty")
    return [_text("address_lines", line) for line in lines]


def _address_text(field: str, value: str | Sequence[str]) -> str:
    if not isinstance(value, str):
        raise InvalidIntentError(field, "must be one text")
    if field == "region_code" and not _REGION.fullmatch(value):
        raise InvalidIntentError(field, "must be two capital letters, for example GB")
    if field in NEEDED_ADDRESS_FIELDS and not value:
        raise InvalidIntentError(field, "must not be empty")
    return _text(field, value)


def _text(field: str, text: str) -> str:
    longest = _LONGEST.get(field, _LONGEST_TEXT)
    if len(text) > longest:
        raise InvalidIntentError(field, f"must have at most {longest:,} characters")
    if holds_control(text):
        raise InvalidIntentError(field, "must have no control character")
    return text
