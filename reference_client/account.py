"""What a shopper keeps beside the carts, as a program uses it: `CartClient.account`.

Like everything but `sync` it never touches the network: intents are on disk when a method returns, and what is shown is
the last snapshot with everything since on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cartsync.v1 import address_book_pb2, operation_pb2, payment_methods_pb2, wishlist_pb2

from reference_client import account_intents
from reference_client.account_intents import AddressValues
from reference_client.account_projection import (
    AddressView,
    PaymentMethodView,
    WishView,
    project_addresses,
    project_payment_methods,
    project_wishlist,
)
from reference_client.exceptions import InvalidIntentError
from reference_client.identifiers import NewId, random_id
from reference_client.queue import QueueFile
from reference_client.queue.account_snapshots import AccountResponse
from reference_client.queue.enqueueing import Enqueued
from reference_client.queue.rows import OperationRecord

Enqueue = Callable[[Sequence[operation_pb2.CartOperation]], list[Enqueued]]


class Account:
    """Wishlist, address book and payment methods of the shopper at one server."""

    def __init__(self, queues: QueueFile, server: str, enqueue: Enqueue, new_id: NewId = random_id) -> None:
        self._queues = queues
        self._server = server
        self._enqueue = enqueue
        self._new_id = new_id

    def _read(self, part: str) -> tuple[AccountResponse | None, Sequence[OperationRecord]]:
        snapshot = self._queues.account_snapshot(self._server, part)
        return (snapshot.response if snapshot is not None else None, self._queues.on_top_of_account(self._server, part))

    def read_at(self, part: str) -> int | None:
        """When one of `intents.ACCOUNT_PARTS` was last received (wall clock, ns), or None: never."""
        snapshot = self._queues.account_snapshot(self._server, part)
        return snapshot.receive_wall_ns if snapshot is not None else None

    # ---- wishlist ----------------------------------------------------------------------------------------------

    def wish(self, sku: str) -> Enqueued:
        """Puts a product on the wishlist."""
        return self._enqueue([account_intents.add_to_wishlist(sku)])[0]

    def unwish(self, sku: str) -> Enqueued:
        """Takes a product off the wishlist."""
        return self._enqueue([account_intents.remove_from_wishlist(sku)])[0]

    def wishlist(self) -> tuple[WishView, ...]:
        """The wishlist as the shopper should see it now, in the order its entries were added."""
        snapshot, on_top = self._read("wishlist")
        assert snapshot is None or isinstance(snapshot, wishlist_pb2.ListWishlistResponse)
        return project_wishlist(snapshot, on_top)

    # ---- address book ------------------------------------------------------------------------------------------

    def add_address(self, values: AddressValues) -> tuple[str, Enqueued]:
        """Makes an address; its id and where the intent went. Needs recipient, address lines and region code."""
        address_id = self._new_id()
        return address_id, self._enqueue([account_intents.put_address(address_id, values, base_revision=0)])[0]

    def edit_address(self, address_id: str, values: AddressValues, *, guarded: bool = True) -> Enqueued:
        """Writes some fields of an address.

        Fields that another device changed since the address book was last read keep that device's value, and the
        shopper is told; `guarded` false: whatever others wrote. Raises `InvalidIntentError` for an unknown address.
        """
        base_revision = self._base_of(address_id) if guarded else None
        intent = operation_pb2.CartOperation()
        intent.CopyFrom(account_intents.put_address(address_id, values))
        if base_revision is not None:
            intent.put_address.base_revision = base_revision
        return self._enqueue([intent])[0]

    def delete_address(self, address_id: str, *, guarded: bool = True) -> Enqueued:
        """Deletes an address, unless another device changed it since it was last read (`guarded`)."""
        base_revision = self._base_of(address_id) if guarded else None
        return self._enqueue([account_intents.delete_address(address_id, base_revision=base_revision)])[0]

    def addresses(self) -> tuple[AddressView, ...]:
        """The address book as the shopper should see it now, in ascending order of ids."""
        snapshot, on_top = self._read("address_book")
        assert snapshot is None or isinstance(snapshot, address_book_pb2.ListAddressesResponse)
        return project_addresses(snapshot, on_top)

    def _base_of(self, address_id: str) -> int:
        """The revision of the address book that the shopper sees, changes of this very queue aside."""
        if not any(view.address_id == address_id for view in self.addresses()):
            raise InvalidIntentError(
                "address",
                "is not known on this device; `cartsync address list` shows the ids, `cartsync sync` reads anew",
            )
        snapshot = self._queues.account_snapshot(self._server, "address_book")
        return snapshot.response.revision if snapshot is not None else 0

    # ---- payment methods ---------------------------------------------------------------------------------------

    def save_payment_method(
        self, *, provider: str, provider_token: str, label: str = "", payment_method_id: str | None = None
    ) -> tuple[str, Enqueued]:
        """Keeps a means of payment by the opaque token of its provider; its id and where the intent went.

        `payment_method_id` names one to be replaced.
        """
        method_id = payment_method_id or self._new_id()
        intent = account_intents.save_payment_method(
            method_id, provider=provider, provider_token=provider_token, label=label
        )
        return method_id, self._enqueue([intent])[0]

    def delete_payment_method(self, payment_method_id: str) -> Enqueued:
        """Deletes a means of payment."""
        return self._enqueue([account_intents.delete_payment_method(payment_method_id)])[0]

    def payment_methods(self) -> tuple[PaymentMethodView, ...]:
        """The means of payment as the shopper should see them now, in ascending order of ids."""
        snapshot, on_top = self._read("payment_methods")
        assert snapshot is None or isinstance(snapshot, payment_methods_pb2.ListPaymentMethodsResponse)
        return project_payment_methods(snapshot, on_top)
