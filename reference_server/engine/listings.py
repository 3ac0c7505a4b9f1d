"""Makes what readers see of wishlist, address book and payment methods out of what is kept."""

from __future__ import annotations

from cartsync.v1 import address_book_pb2, payment_methods_pb2, wishlist_pb2

from reference_server.engine import instants
from reference_server.engine.kept_address import KeptAddress
from reference_server.engine.payment_rules import KeptPaymentMethod
from reference_server.engine.state import CollectionContents
from reference_server.engine.wishlist_rules import Wish


class Listings:
    """Turns the contents of a collection into messages. Keeps no state."""

    def wishlist_entries(self, contents: CollectionContents) -> list[wishlist_pb2.WishlistEntry]:
        """In the order they were added (spec: wishlist/paging)."""
        return [
            wishlist_pb2.WishlistEntry(sku=sku, add_time=instants.timestamp(Wish.decoded(entry.value).add_time_us))
            for sku, entry in contents.entries
        ]

    def addresses(self, contents: CollectionContents) -> list[address_book_pb2.AddressEntry]:
        """In ascending order of their ids (spec: address/listing)."""
        return [
            address_book_pb2.AddressEntry(
                address_id=address_id,
                address=KeptAddress.decoded(entry.value).message(),
                change_revision=entry.change_revision,
            )
            for address_id, entry in sorted(contents.entries, key=lambda item: item[0])
        ]

    def payment_methods(self, contents: CollectionContents) -> list[payment_methods_pb2.PaymentMethod]:
        """In ascending order of their ids; never the provider's token (spec: payment/listing, payment/token-hidden)."""
        found = []
        for payment_method_id, entry in sorted(contents.entries, key=lambda item: item[0]):
            kept = KeptPaymentMethod.decoded(entry.value)
            found.append(
                payment_methods_pb2.PaymentMethod(
                    payment_method_id=payment_method_id,
                    provider=kept.provider,
                    label=kept.label,
                    brand=kept.brand,
                    last_four=kept.last_four,
                    expiry_month=kept.expiry_month,
                    expiry_year=kept.expiry_year,
                    change_revision=entry.change_revision,
                )
            )
        return found
