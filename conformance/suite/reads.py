"""The calls of the profiles beside the core that read something, for checks of what holds for every call."""

from __future__ import annotations

from collections.abc import Callable

from cartsync.v1 import address_book_pb2, payment_methods_pb2, wishlist_pb2

from conformance.wire import Device, Story

Listing = (
    wishlist_pb2.ListWishlistResponse
    | address_book_pb2.ListAddressesResponse
    | payment_methods_pb2.ListPaymentMethodsResponse
)
WATCH_SECONDS = 10.0


def lists_by_profile(story: Story, device: Device) -> dict[str, Callable[[], Listing]]:
    """The lists of the profiles that the server has, by the names of the calls, for the device's store and queue."""
    lists: dict[str, tuple[str, Callable[[], Listing]]] = {
        "wishlist": ("ListWishlist", device.wishlist_page),
        "address_book": ("ListAddresses", device.addresses),
        "payment_methods": ("ListPaymentMethods", device.payment_methods),
    }
    listed = story.policy.profiles
    return {name: call for profile, (name, call) in lists.items() if profile in listed}


def reads_by_profile(story: Story, device: Device) -> dict[str, Callable[[], object]]:
    """The lists, and the first snapshot of a watch."""
    reads: dict[str, Callable[[], object]] = dict(lists_by_profile(story, device))
    if "watch" in story.policy.profiles:
        reads["WatchCart"] = lambda: device.watch(seconds=WATCH_SECONDS).hear()
    return reads
