"""What the shopper sees of wishlist, addresses and payment methods: the last snapshot with all since on top. Pure.

The rules are those of carts (`projection`): applied operations that the snapshot does not contain yet count as told by
the server, pending ones as asked for. What a pending removal takes away is still shown, as on its way out.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cartsync.v1 import address_book_pb2, address_pb2, operation_pb2, payment_methods_pb2, wishlist_pb2
from google.protobuf import field_mask_pb2

from reference_client.queue.rows import OperationRecord, OperationState


class Standing(enum.Enum):
    """How an entry stands between this device and the server."""

    CONFIRMED = "confirmed"
    ADDED = "added"
    """Not known to the server yet."""
    CHANGED = "changed"
    REMOVED = "removed"
    """Still at the server."""


@dataclass(frozen=True, slots=True)
class WishView:
    """One product on the wishlist."""

    sku: str
    standing: Standing = Standing.CONFIRMED


@dataclass(frozen=True, slots=True)
class AddressView:
    """One address. With standing CHANGED some of its fields are not known to the server yet."""

    address_id: str
    address: address_pb2.Address
    standing: Standing = Standing.CONFIRMED


@dataclass(frozen=True, slots=True)
class PaymentMethodView:
    """One means of payment. What the provider says of it is empty until the server has asked; never its token."""

    payment_method_id: str
    provider: str
    label: str
    brand: str = ""
    last_four: str = ""
    expiry_month: int = 0
    expiry_year: int = 0
    standing: Standing = Standing.CONFIRMED


def shown(on_top: Sequence[OperationRecord]) -> list[tuple[OperationRecord, bool]]:
    """The operations that count in a view, each with whether the server has confirmed it."""
    return [
        (record, record.state is OperationState.APPLIED)
        for record in on_top
        if record.state is OperationState.APPLIED
        or (record.state is OperationState.PENDING and not record.discard_requested)
    ]


def project_wishlist(
    snapshot: wishlist_pb2.ListWishlistResponse | None, on_top: Sequence[OperationRecord]
) -> tuple[WishView, ...]:
    """The wishlist in the order its entries were added."""
    wishes = {e.sku: WishView(e.sku) for e in snapshot.entries} if snapshot is not None else {}
    for record, confirmed in shown(on_top):
        match record.operation.WhichOneof("intent"):
            case "add_to_wishlist":
                sku = record.operation.add_to_wishlist.sku
                before = wishes.get(sku)
                if confirmed or before is None:
                    wishes[sku] = WishView(sku, Standing.CONFIRMED if confirmed else Standing.ADDED)
                elif before.standing is Standing.REMOVED:
                    del wishes[sku]  # added again it stands at the end
                    wishes[sku] = WishView(sku, Standing.ADDED)
            case "remove_from_wishlist":
                sku = record.operation.remove_from_wishlist.sku
                before = wishes.get(sku)
                if confirmed or before is None or before.standing is Standing.ADDED:
                    wishes.pop(sku, None)
                else:
                    wishes[sku] = WishView(sku, Standing.REMOVED)
    return tuple(wishes.values())


def project_addresses(
    snapshot: address_book_pb2.ListAddressesResponse | None, on_top: Sequence[OperationRecord]
) -> tuple[AddressView, ...]:
    """The address book in ascending order of ids."""
    book = {e.address_id: AddressView(e.address_id, e.address) for e in snapshot.addresses} if snapshot else {}
    for record, confirmed in shown(on_top):
        match record.operation.WhichOneof("intent"):
            case "put_address":
                _put(book, record, confirmed=confirmed)
            case "delete_address":
                address_id = record.operation.delete_address.address_id
                before = book.get(address_id)
                if confirmed or before is None or before.standing is Standing.ADDED:
                    book.pop(address_id, None)
                else:
                    book[address_id] = replace(before, standing=Standing.REMOVED)
    return tuple(book[address_id] for address_id in sorted(book))


def _put(book: dict[str, AddressView], record: OperationRecord, *, confirmed: bool) -> None:
    intent = record.operation.put_address
    before = book.get(intent.address_id)
    address = address_pb2.Address()
    if before is not None:
        address.CopyFrom(before.address)
    for field in intent.update_mask.paths:
        _copy_field(field, intent.address, address)
    if confirmed and record.outcome is not None:
        for adjustment in record.outcome.adjustments:
            if adjustment.WhichOneof("adjustment") == "field_kept":
                _copy_field(adjustment.field_kept.field, adjustment.field_kept.kept, address)
    if confirmed:
        standing = Standing.CONFIRMED
    elif before is None or before.standing is Standing.ADDED:
        standing = Standing.ADDED
    else:
        standing = Standing.CHANGED
    book[intent.address_id] = AddressView(intent.address_id, address, standing)


def _copy_field(field: str, source: address_pb2.Address, target: address_pb2.Address) -> None:
    if field not in target.DESCRIPTOR.fields_by_name:
        return  # of a newer server
    field_mask_pb2.FieldMask(paths=[field]).MergeMessage(source, target, True, True)


def project_payment_methods(
    snapshot: payment_methods_pb2.ListPaymentMethodsResponse | None, on_top: Sequence[OperationRecord]
) -> tuple[PaymentMethodView, ...]:
    """The payment methods in ascending order of ids."""
    methods = {m.payment_method_id: _as_provided(m) for m in snapshot.payment_methods} if snapshot is not None else {}
    for record, confirmed in shown(on_top):
        match record.operation.WhichOneof("intent"):
            case "save_payment_method":
                method = _as_asked(record.operation.save_payment_method)
                known = methods.get(method.payment_method_id)
                if confirmed:
                    standing = Standing.CONFIRMED
                else:
                    new = known is None or known.standing is Standing.ADDED
                    standing = Standing.ADDED if new else Standing.CHANGED
                methods[method.payment_method_id] = replace(method, standing=standing)
            case "delete_payment_method":
                method_id = record.operation.delete_payment_method.payment_method_id
                known = methods.get(method_id)
                if confirmed or known is None or known.standing is Standing.ADDED:
                    methods.pop(method_id, None)
                else:
                    methods[method_id] = replace(known, standing=Standing.REMOVED)
    return tuple(methods[method_id] for method_id in sorted(methods))


def _as_provided(method: payment_methods_pb2.PaymentMethod) -> PaymentMethodView:
    return PaymentMethodView(
        payment_method_id=method.payment_method_id,
        provider=method.provider,
        label=method.label,
        brand=method.brand,
        last_four=method.last_four,
        expiry_month=method.expiry_month,
        expiry_year=method.expiry_year,
    )


def _as_asked(intent: operation_pb2.SavePaymentMethod) -> PaymentMethodView:
    return PaymentMethodView(intent.payment_method_id, intent.provider, intent.label)
